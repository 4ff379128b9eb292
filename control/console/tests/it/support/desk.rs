//! Approvals in memory: the rules of `gatehold-approvals` without filters, files and time.

use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use gatehold_approvals::{
    Approval, ApprovalId, Call, Mechanism, Requester, State, Verdict, Vote, VoteRefused,
};
use gatehold_console::Approvals;
use gatehold_desk::{Changed, Definition, DeskError, Earlier, Filter, VoteError};
use gatehold_engine::Approval as Requirement;
use tokio::sync::broadcast;

#[derive(Clone)]
pub(crate) struct Memory {
    pub(crate) all: Arc<Mutex<Vec<Approval>>>,
    pub(crate) definition: Arc<Mutex<Option<Definition>>>,
    changes: broadcast::Sender<Changed>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            all: Arc::default(),
            definition: Arc::default(),
            changes: broadcast::channel(16).0,
        }
    }
}

pub(crate) fn millis() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_millis() as u64
}

/// A refund that alice asks for, and finance leads decide.
pub(crate) fn approval(number: u8) -> Approval {
    Approval {
        id: ApprovalId::new([number; 16]),
        state: State::Pending,
        call: Call {
            digest: [number; 32],
            server: "crm".to_owned(),
            policy_version: "v1".to_owned(),
            method: "tools/call".to_owned(),
            target: "refund".to_owned(),
            arguments: r#"{"amount":120,"customer":"c-17"}"#.to_owned(),
            rules: vec!["refunds/1".to_owned()],
            requirements: vec![Requirement {
                roles: vec!["finance-lead".to_owned()],
                within_seconds: 900,
                ..Requirement::default()
            }],
            risks: vec!["financial".to_owned()],
            era: "modern".to_owned(),
            trace_id: String::new(),
            event_id: "event-1".to_owned(),
            findings: Vec::new(),
            requester: Requester {
                issuer: "corporate".to_owned(),
                user: "alice".to_owned(),
                agent: "crm-agent".to_owned(),
                roles: vec!["support".to_owned()],
            },
        },
        definition: None,
        created_unix_millis: millis() - 5000,
        expires_unix_millis: millis() + 900_000,
        decided_unix_millis: None,
        votes: Vec::new(),
        mechanism: Mechanism::Request,
        waiting: 1,
        ended_reason: String::new(),
        run: None,
    }
}

impl Memory {
    pub(crate) fn add(&self, approval: Approval) -> String {
        let id = approval.id.to_string();
        self.all.lock().unwrap().push(approval);
        self.tell(&id, State::Pending);
        id
    }

    pub(crate) fn one(&self, id: &str) -> Approval {
        let all = self.all.lock().unwrap();
        all.iter()
            .find(|approval| &*approval.id == id)
            .unwrap()
            .clone()
    }

    pub(crate) fn change(&self, id: &str, change: impl FnOnce(&mut Approval)) {
        let mut all = self.all.lock().unwrap();
        change(all.iter_mut().find(|approval| &*approval.id == id).unwrap());
    }

    fn tell(&self, id: &str, state: State) {
        let id = id.to_owned();
        let at_unix_millis = millis();
        let _ = self.changes.send(Changed {
            id,
            state,
            at_unix_millis,
        });
    }
}

#[async_trait]
impl Approvals for Memory {
    async fn list(&self, filter: Filter) -> Result<Vec<Approval>, DeskError> {
        let all = self.all.lock().unwrap();
        let mut newest: Vec<_> = all.iter().rev().cloned().collect();
        if let Some(before) = &filter.before {
            let at = newest.iter().position(|approval| *approval.id == **before);
            newest.drain(..=at.unwrap());
        }
        newest.retain(|approval| {
            let of_state = filter.states.is_empty() || filter.states.contains(&approval.state);
            let of_server = filter
                .server
                .as_ref()
                .is_none_or(|server| *server == approval.call.server);
            let with = filter
                .text
                .as_ref()
                .is_none_or(|text| approval.call.arguments.contains(text));
            of_state && of_server && with
        });
        newest.truncate(filter.limit);
        Ok(newest)
    }

    async fn get(&self, id: &str) -> Result<Option<Approval>, DeskError> {
        let all = self.all.lock().unwrap();
        Ok(all.iter().find(|approval| &*approval.id == id).cloned())
    }

    async fn earlier(&self, approval: &Approval, limit: usize) -> Result<Earlier, DeskError> {
        let all = self.all.lock().unwrap();
        let others = all
            .iter()
            .rev()
            .filter(|other| other.id != approval.id && other.call.target == approval.call.target);
        let last: Vec<_> = others.take(limit).cloned().collect();
        Ok(Earlier {
            other: last.len() as u64,
            last,
            ..Earlier::default()
        })
    }

    async fn definition(&self, _: &str, _: &str) -> Result<Option<Definition>, DeskError> {
        Ok(self.definition.lock().unwrap().clone())
    }

    async fn vote(&self, id: &str, vote: Vote) -> Result<Approval, VoteError> {
        let Some(mut approval) = self.get(id).await? else {
            return Err(VoteError::NotFound(id.to_owned()));
        };
        match vote.verdict {
            Verdict::Approve => approval.may_vote(&vote.by)?,
            Verdict::Deny => approval.may_deny(&vote.by)?,
        }
        if approval.reason_required() && vote.reason.trim().is_empty() {
            return Err(VoteRefused::ReasonRequired.into());
        }
        let is_denied = vote.verdict == Verdict::Deny;
        approval.votes.push(vote);
        if is_denied {
            approval.state = State::Denied;
        } else if approval.missing().is_empty() {
            approval.state = State::Approved;
        }
        self.change(id, |kept| *kept = approval.clone());
        self.tell(id, approval.state);
        Ok(approval)
    }

    fn changes(&self) -> broadcast::Receiver<Changed> {
        self.changes.subscribe()
    }
}
