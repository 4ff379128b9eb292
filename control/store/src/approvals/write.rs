//! One statement per change.

use gatehold_approvals::{Approval, Change, Mechanism, TASK_KEPT_MILLIS};
use sqlx::sqlite::SqliteConnection;

use super::json;
use crate::finding;

/// Chains of approvals that ended are kept this long, for clients that go on after the call was let through.
const CHAINS_KEPT_MILLIS: u64 = 24 * 60 * 60 * 1000;

/// Writes a change, in the transaction that is open.
pub(crate) async fn write(
    connection: &mut SqliteConnection,
    change: &Change,
) -> Result<(), sqlx::Error> {
    let query = match change {
        Change::Created { approval, body } => {
            create(connection, approval).await?;
            if approval.mechanism != Mechanism::Task {
                return Ok(());
            }
            let keep = approval
                .expires_unix_millis
                .saturating_add(TASK_KEPT_MILLIS);
            sqlx::query(
                "INSERT INTO approval_task (approval, keep_unix_millis, body) VALUES (?, ?, ?)",
            )
            .bind(approval.id.as_str())
            .bind(signed(keep))
            .bind(body.as_slice())
        }
        Change::Chain { approval, chain } => sqlx::query(
            "INSERT INTO approval_chain (approval, name, waiter, number, mechanism, sender, cancel_key)
             VALUES (?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET waiter = excluded.waiter, number = excluded.number,
                mechanism = excluded.mechanism, sender = excluded.sender, cancel_key = excluded.cancel_key",
        )
        .bind(approval.as_str())
        .bind(&*chain.name)
        .bind(&*chain.waiter)
        .bind(chain.number)
        .bind(chain.mechanism.as_str())
        .bind(&*chain.sender)
        .bind(&*chain.cancel_key),
        Change::ChainLeft { approval, name } => {
            sqlx::query("DELETE FROM approval_chain WHERE approval = ? AND name = ?")
                .bind(approval.as_str())
                .bind(&**name)
        }
        Change::Mechanism {
            approval,
            mechanism,
        } => sqlx::query("UPDATE approval SET mechanism = ? WHERE id = ?")
            .bind(mechanism.as_str())
            .bind(approval.as_str()),
        Change::Adopted {
            approval,
            definition,
        } => sqlx::query("UPDATE approval SET definition = ? WHERE id = ?")
            .bind(definition.as_slice())
            .bind(approval.as_str()),
        Change::Voted {
            approval,
            vote,
            number,
        } => sqlx::query(
            "INSERT INTO approval_vote (approval, number, issuer, user, name, roles, verdict, reason, at_unix_millis)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(approval.as_str())
        .bind(*number)
        .bind(&vote.by.issuer)
        .bind(&vote.by.user)
        .bind(&vote.by.name)
        .bind(json::strings(&vote.by.roles))
        .bind(vote.verdict.as_str())
        .bind(&vote.reason)
        .bind(signed(vote.at_unix_millis)),
        Change::Moved {
            approval,
            state,
            reason,
            at_unix_millis,
        } => sqlx::query(
            // What has ended never changes, whatever the caller thinks.
            "UPDATE approval SET state = ?, ended_reason = ?,
                decided_unix_millis = COALESCE(decided_unix_millis, ?), ended_unix_millis = ?
             WHERE id = ? AND ended_unix_millis IS NULL",
        )
        .bind(state.as_str())
        .bind(reason)
        .bind(signed(*at_unix_millis))
        .bind((!state.is_open()).then(|| signed(*at_unix_millis)))
        .bind(approval.as_str()),
        Change::Granted { approval, grant } => {
            sqlx::query(
                "INSERT INTO approval_grant (approval, chain, number, waiter, sender, at_unix_millis)
                 VALUES (?, ?, ?, ?, ?, ?)",
            )
            .bind(approval.as_str())
            .bind(&*grant.chain)
            .bind(grant.number)
            .bind(&*grant.waiter)
            .bind(&*grant.sender)
            .bind(signed(grant.at_unix_millis))
            .execute(&mut *connection)
            .await?;
            sqlx::query("UPDATE approval SET run_state = NULL, run_detail = '' WHERE id = ?")
                .bind(approval.as_str())
        }
        Change::Ran {
            approval,
            run,
            result,
        } => {
            if let Some(result) = result {
                sqlx::query("UPDATE approval_task SET result = ? WHERE approval = ?")
                    .bind(result.as_slice())
                    .bind(approval.as_str())
                    .execute(&mut *connection)
                    .await?;
            }
            sqlx::query(
                "UPDATE approval SET run_state = ?, run_detail = ?, run_unix_millis = ? WHERE id = ?",
            )
            .bind(run.state.as_str())
            .bind(&run.detail)
            .bind(signed(run.at_unix_millis))
            .bind(approval.as_str())
        }
        Change::Defined {
            server,
            tool,
            digest,
            json,
            at_unix_millis,
        } => sqlx::query(
            "INSERT INTO tool_definition (server, tool, digest, json, seen_unix_millis)
             VALUES (?, ?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET digest = excluded.digest, json = excluded.json,
                seen_unix_millis = excluded.seen_unix_millis",
        )
        .bind(server)
        .bind(tool)
        .bind(digest.as_slice())
        .bind(json)
        .bind(signed(*at_unix_millis)),
    };
    query.execute(connection).await?;
    Ok(())
}

async fn create(connection: &mut SqliteConnection, approval: &Approval) -> Result<(), sqlx::Error> {
    let call = &approval.call;
    sqlx::query(
        "INSERT INTO approval (id, state, mechanism, digest, definition, server, policy_version, method,
            target, arguments, rules, requirements, risks, era, trace_id, event_id, issuer, user, agent, roles,
            created_unix_millis, expires_unix_millis, findings)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(approval.id.as_str())
    .bind(approval.state.as_str())
    .bind(approval.mechanism.as_str())
    .bind(call.digest.as_slice())
    .bind(approval.definition.as_ref().map(<[u8; 32]>::as_slice))
    .bind(&call.server)
    .bind(&call.policy_version)
    .bind(&call.method)
    .bind(&call.target)
    .bind(&call.arguments)
    .bind(json::strings(&call.rules))
    .bind(json::requirements(&call.requirements))
    .bind(json::strings(&call.risks))
    .bind(&call.era)
    .bind(&call.trace_id)
    .bind(&call.event_id)
    .bind(&call.requester.issuer)
    .bind(&call.requester.user)
    .bind(&call.requester.agent)
    .bind(json::strings(&call.requester.roles))
    .bind(signed(approval.created_unix_millis))
    .bind(signed(approval.expires_unix_millis))
    .bind(finding::text(&call.findings))
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes what nobody can ask for any more.
pub(crate) async fn purge(
    connection: &mut SqliteConnection,
    now_unix_millis: u64,
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM approval_task WHERE keep_unix_millis <= ?")
        .bind(signed(now_unix_millis))
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "DELETE FROM approval_chain WHERE EXISTS (
            SELECT 1 FROM approval WHERE id = approval_chain.approval AND ended_unix_millis <= ?)",
    )
    .bind(signed(now_unix_millis.saturating_sub(CHAINS_KEPT_MILLIS)))
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) fn signed(millis: u64) -> i64 {
    i64::try_from(millis).unwrap_or(i64::MAX)
}
