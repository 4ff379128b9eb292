//! What is written of approvals.

use std::collections::HashMap;

use futures_util::TryStreamExt as _;
use gatehold_approvals::{
    Approval, ApprovalId, Call, Grant, Mechanism, Person, Requester, Run, RunState, Saved,
    SavedChain, State, Verdict, Vote,
};
use sqlx::sqlite::{Sqlite, SqliteConnection, SqliteRow};
use sqlx::{QueryBuilder, Row as _};

use super::json;
use super::query::{ApprovalFilter, Earlier, ToolDefinition};
use crate::{Reader, StoreError, finding};

/// Approvals of one page when nobody says how many.
const PAGE: usize = 100;

/// The columns of an approval that decide; its arguments and findings are for people.
const WITHOUT_ARGUMENTS: &str = "id, state, mechanism, digest, definition, server, policy_version, method, target,
    '' AS arguments, rules, requirements, risks, era, trace_id, event_id, issuer, user, agent, roles,
    created_unix_millis, expires_unix_millis, decided_unix_millis, ended_reason,
    run_state, run_detail, run_unix_millis, '[]' AS findings";

impl Reader {
    /// Approvals, newest first.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn approvals(&self, filter: &ApprovalFilter) -> Result<Vec<Approval>, StoreError> {
        let ApprovalFilter {
            states,
            server,
            user,
            text,
            before,
            limit,
        } = filter;
        let mut query = QueryBuilder::new("SELECT * FROM approval WHERE TRUE");
        if !states.is_empty() {
            query.push(" AND state IN (");
            let mut list = query.separated(", ");
            for state in states {
                list.push_bind(state.as_str());
            }
            query.push(")");
        }
        if let Some(server) = server {
            query.push(" AND server = ").push_bind(server);
        }
        if let Some(user) = user {
            query.push(" AND user = ").push_bind(user);
        }
        if let Some(text) = text {
            query
                .push(" AND instr(lower(target || x'0a' || user || x'0a' || agent || x'0a' || arguments), lower(")
                .push_bind(text)
                .push(")) > 0");
        }
        if let Some(before) = before {
            query
                .push(" AND number < (SELECT number FROM approval WHERE id = ")
                .push_bind(before)
                .push(")");
        }
        let limit = if *limit == 0 { PAGE } else { *limit };
        query
            .push(" ORDER BY number DESC LIMIT ")
            .push_bind(i64::try_from(limit).unwrap_or(i64::MAX));
        let mut connection = self.connection().await?;
        let rows = query.build().fetch_all(&mut *connection).await?;
        Ok(with_votes(&mut connection, &rows).await?)
    }

    /// One approval.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn approval(&self, id: &str) -> Result<Option<Approval>, StoreError> {
        let mut connection = self.connection().await?;
        let rows = sqlx::query("SELECT * FROM approval WHERE id = ?")
            .bind(id)
            .fetch_all(&mut *connection)
            .await?;
        Ok(with_votes(&mut connection, &rows).await?.pop())
    }

    /// What became of other approvals for the same server and target that were asked before this one, the last
    /// `limit` of them whole.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn earlier_approvals(
        &self,
        approval: &Approval,
        limit: usize,
    ) -> Result<Earlier, StoreError> {
        let mut connection = self.connection().await?;
        let mut earlier = Earlier::default();
        let counts = sqlx::query(
            "SELECT state, COUNT(*) AS count FROM approval WHERE server = ? AND target = ?
                AND number < (SELECT number FROM approval WHERE id = ?) GROUP BY state",
        )
        .bind(&approval.call.server)
        .bind(&approval.call.target)
        .bind(approval.id.as_str())
        .fetch_all(&mut *connection)
        .await?;
        for row in counts {
            let count = row.try_get::<i64, _>("count")?.unsigned_abs();
            match state(&row)? {
                State::Approved | State::Used => earlier.approved += count,
                State::Denied => earlier.denied += count,
                _ => earlier.other += count,
            }
        }
        let rows = sqlx::query(
            "SELECT * FROM approval WHERE server = ? AND target = ?
                AND number < (SELECT number FROM approval WHERE id = ?) ORDER BY number DESC LIMIT ?",
        )
        .bind(&approval.call.server)
        .bind(&approval.call.target)
        .bind(approval.id.as_str())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&mut *connection)
        .await?;
        earlier.last = with_votes(&mut connection, &rows).await?;
        Ok(earlier)
    }

    /// What a book takes an approval up from.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn saved_approval(&self, id: &str) -> Result<Option<Saved>, StoreError> {
        let mut connection = self.connection().await?;
        let mut query = QueryBuilder::new(format!(
            "SELECT {WITHOUT_ARGUMENTS} FROM approval WHERE id = "
        ));
        let rows = query
            .push_bind(id)
            .build()
            .fetch_all(&mut *connection)
            .await?;
        let Some(approval) = with_votes(&mut connection, &rows).await?.pop() else {
            return Ok(None);
        };
        let chains = sqlx::query("SELECT * FROM approval_chain WHERE approval = ?")
            .bind(id)
            .fetch_all(&mut *connection)
            .await?;
        let grant = sqlx::query(
            "SELECT * FROM approval_grant WHERE approval = ? ORDER BY number DESC LIMIT 1",
        )
        .bind(id)
        .fetch_optional(&mut *connection)
        .await?;
        Ok(Some(Saved {
            approval,
            chains: chains.iter().map(chain).collect::<Result<_, _>>()?,
            grant: grant.as_ref().map(read_grant).transpose()?,
        }))
    }

    /// What a book takes all approvals up from that are open, or have ended after that time.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn live_approvals(&self, ended_after: u64) -> Result<Vec<Saved>, StoreError> {
        // Both parts have an index.
        let live = |query: &mut QueryBuilder<Sqlite>| {
            query
                .push("(state IN ('pending', 'approved') OR ended_unix_millis > ")
                .push_bind(super::write::signed(ended_after))
                .push(")");
        };
        let mut connection = self.connection().await?;
        let mut query = QueryBuilder::new(
            "SELECT approval_chain.* FROM approval_chain
             JOIN approval ON approval.id = approval_chain.approval WHERE ",
        );
        live(&mut query);
        let mut chains: HashMap<String, Vec<SavedChain>> = HashMap::new();
        for row in query.build().fetch_all(&mut *connection).await? {
            let of = chains.entry(row.try_get("approval")?).or_default();
            of.push(chain(&row)?);
        }
        let mut query = QueryBuilder::new(
            "SELECT approval_vote.* FROM approval_vote
             JOIN approval ON approval.id = approval_vote.approval WHERE ",
        );
        live(&mut query);
        query.push(" ORDER BY approval_vote.approval, approval_vote.number");
        let mut votes = votes_of(&query.build().fetch_all(&mut *connection).await?)?;
        let mut query = QueryBuilder::new(
            "SELECT approval_grant.* FROM approval_grant
             JOIN approval ON approval.id = approval_grant.approval WHERE ",
        );
        live(&mut query);
        query.push(" ORDER BY approval_grant.approval, approval_grant.number");
        let mut grants: HashMap<String, Grant> = HashMap::new();
        for row in query.build().fetch_all(&mut *connection).await? {
            // The last one stays.
            grants.insert(row.try_get("approval")?, read_grant(&row)?);
        }
        // One row at a time, and without the arguments: there may be gigabytes of them.
        let mut query =
            QueryBuilder::new(format!("SELECT {WITHOUT_ARGUMENTS} FROM approval WHERE "));
        live(&mut query);
        query.push(" ORDER BY approval.number");
        let mut query = query.build().fetch(&mut *connection);
        let mut live = Vec::new();
        while let Some(row) = query.try_next().await? {
            let mut approval = approval(&row)?;
            approval.votes = votes.remove(approval.id.as_str()).unwrap_or_default();
            live.push(Saved {
                chains: chains.remove(approval.id.as_str()).unwrap_or_default(),
                grant: grants.remove(approval.id.as_str()),
                approval,
            });
        }
        Ok(live)
    }

    /// What a tool was when a filter last saw it.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn tool_definition(
        &self,
        server: &str,
        tool: &str,
    ) -> Result<Option<ToolDefinition>, StoreError> {
        let mut connection = self.connection().await?;
        let row = sqlx::query("SELECT * FROM tool_definition WHERE server = ? AND tool = ?")
            .bind(server)
            .bind(tool)
            .fetch_optional(&mut *connection)
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(ToolDefinition {
            digest: digest(&row, "digest")?,
            json: row.try_get("json").map_err(StoreError::from)?,
            seen_unix_millis: millis(&row, "seen_unix_millis")?,
        }))
    }

    /// Server, tool and digest of every definition.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn tool_digests(&self) -> Result<Vec<(String, String, [u8; 32])>, StoreError> {
        let mut connection = self.connection().await?;
        let rows = sqlx::query("SELECT server, tool, digest FROM tool_definition")
            .fetch_all(&mut *connection)
            .await?;
        let read = |row: &SqliteRow| -> Result<_, sqlx::Error> {
            Ok((
                row.try_get("server")?,
                row.try_get("tool")?,
                digest(row, "digest")?,
            ))
        };
        Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
    }

    /// The message of a task, and its answer when there is one.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn task(&self, id: &str) -> Result<Option<(Vec<u8>, Option<Vec<u8>>)>, StoreError> {
        let mut connection = self.connection().await?;
        let row = sqlx::query("SELECT body, result FROM approval_task WHERE approval = ?")
            .bind(id)
            .fetch_optional(&mut *connection)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let read = || Ok::<_, sqlx::Error>((row.try_get("body")?, row.try_get("result")?));
        Ok(Some(read()?))
    }
}

async fn with_votes(
    connection: &mut SqliteConnection,
    rows: &[SqliteRow],
) -> Result<Vec<Approval>, sqlx::Error> {
    let mut approvals: Vec<Approval> = rows.iter().map(approval).collect::<Result<_, _>>()?;
    if approvals.is_empty() {
        return Ok(approvals);
    }
    let mut query = QueryBuilder::new("SELECT * FROM approval_vote WHERE approval IN (");
    let mut list = query.separated(", ");
    for approval in &approvals {
        list.push_bind(approval.id.to_string());
    }
    query.push(") ORDER BY approval, number");
    let mut votes = votes_of(&query.build().fetch_all(connection).await?)?;
    for approval in &mut approvals {
        approval.votes = votes.remove(approval.id.as_str()).unwrap_or_default();
    }
    Ok(approvals)
}

fn votes_of(rows: &[SqliteRow]) -> Result<HashMap<String, Vec<Vote>>, sqlx::Error> {
    let mut votes: HashMap<String, Vec<Vote>> = HashMap::new();
    for row in rows {
        let verdict: &str = row.try_get("verdict")?;
        let vote = Vote {
            by: Person {
                issuer: row.try_get("issuer")?,
                user: row.try_get("user")?,
                name: row.try_get("name")?,
                roles: json::read_strings(row.try_get("roles")?)?,
            },
            verdict: match verdict {
                "approve" => Verdict::Approve,
                "deny" => Verdict::Deny,
                other => return Err(unknown("verdict", other)),
            },
            reason: row.try_get("reason")?,
            at_unix_millis: millis(row, "at_unix_millis")?,
        };
        votes
            .entry(row.try_get("approval")?)
            .or_default()
            .push(vote);
    }
    Ok(votes)
}

fn approval(row: &SqliteRow) -> Result<Approval, sqlx::Error> {
    let list = |column: &str| json::read_strings(row.try_get(column)?);
    let run: Option<&str> = row.try_get("run_state")?;
    let run = match run {
        None => None,
        Some(name) => Some(Run {
            state: RunState::from_name(name).ok_or_else(|| unknown("run_state", name))?,
            detail: row.try_get("run_detail")?,
            at_unix_millis: millis(row, "run_unix_millis")?,
        }),
    };
    let definition: Option<&[u8]> = row.try_get("definition")?;
    let decided: Option<i64> = row.try_get("decided_unix_millis")?;
    Ok(Approval {
        id: ApprovalId::from_text(row.try_get("id")?),
        state: state(row)?,
        call: Call {
            digest: digest(row, "digest")?,
            server: row.try_get("server")?,
            policy_version: row.try_get("policy_version")?,
            method: row.try_get("method")?,
            target: row.try_get("target")?,
            arguments: row.try_get("arguments")?,
            rules: list("rules")?,
            requirements: json::read_requirements(row.try_get("requirements")?)?,
            risks: list("risks")?,
            era: row.try_get("era")?,
            trace_id: row.try_get("trace_id")?,
            event_id: row.try_get("event_id")?,
            findings: finding::read(row.try_get("findings")?)?,
            requester: Requester {
                issuer: row.try_get("issuer")?,
                user: row.try_get("user")?,
                agent: row.try_get("agent")?,
                roles: list("roles")?,
            },
        },
        definition: match definition {
            None => None,
            Some(_) => Some(digest(row, "definition")?),
        },
        created_unix_millis: millis(row, "created_unix_millis")?,
        expires_unix_millis: millis(row, "expires_unix_millis")?,
        decided_unix_millis: decided.map(i64::unsigned_abs),
        votes: Vec::new(),
        mechanism: mechanism(row)?,
        waiting: 0,
        ended_reason: row.try_get("ended_reason")?,
        run,
    })
}

fn chain(row: &SqliteRow) -> Result<SavedChain, sqlx::Error> {
    Ok(SavedChain {
        name: row.try_get::<&str, _>("name")?.into(),
        waiter: row.try_get::<&str, _>("waiter")?.into(),
        number: number(row)?,
        mechanism: mechanism(row)?,
        sender: row.try_get::<&str, _>("sender")?.into(),
        cancel_key: row.try_get::<&str, _>("cancel_key")?.into(),
    })
}

fn read_grant(row: &SqliteRow) -> Result<Grant, sqlx::Error> {
    Ok(Grant {
        waiter: row.try_get::<&str, _>("waiter")?.into(),
        chain: row.try_get::<&str, _>("chain")?.into(),
        number: number(row)?,
        sender: row.try_get::<&str, _>("sender")?.into(),
        at_unix_millis: millis(row, "at_unix_millis")?,
    })
}

fn state(row: &SqliteRow) -> Result<State, sqlx::Error> {
    let name: &str = row.try_get("state")?;
    State::from_name(name).ok_or_else(|| unknown("state", name))
}

fn mechanism(row: &SqliteRow) -> Result<Mechanism, sqlx::Error> {
    let name: &str = row.try_get("mechanism")?;
    Mechanism::from_name(name).ok_or_else(|| unknown("mechanism", name))
}

fn number(row: &SqliteRow) -> Result<u32, sqlx::Error> {
    let number = row.try_get::<i64, _>("number")?;
    u32::try_from(number).map_err(|error| sqlx::Error::Decode(error.into()))
}

fn millis(row: &SqliteRow, column: &str) -> Result<u64, sqlx::Error> {
    row.try_get::<i64, _>(column).map(i64::unsigned_abs)
}

fn digest(row: &SqliteRow, column: &str) -> Result<[u8; 32], sqlx::Error> {
    let bytes: &[u8] = row.try_get(column)?;
    let length = format!("`{column}` is not 32 bytes long");
    bytes
        .try_into()
        .map_err(|_| sqlx::Error::Decode(length.into()))
}

fn unknown(column: &str, value: &str) -> sqlx::Error {
    sqlx::Error::Decode(format!("`{value}` in `{column}` is not known").into())
}
