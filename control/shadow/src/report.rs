//! What would have been refused in shadow mode, for whom, and why.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use crate::Observation;
use crate::table::Table;
use crate::text::visible;

/// Different groups that one server has of users who are known; what comes beyond is counted.
const MAX_GROUPS: usize = 10_000;
/// And of requests whose user nobody knows: who needs no token can invent names.
const MAX_UNKNOWN: usize = 1_000;

/// All servers that were in shadow mode, by name.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// What was seen of each.
    pub servers: BTreeMap<String, ServerReport>,
}

/// What was seen of one server while it was in shadow mode.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ServerReport {
    /// Requests, notifications and streams.
    pub requests: u64,
    /// Those that would have gone on.
    pub allowed: u64,
    /// Those that would have been refused, their answers included.
    pub refused: u64,
    /// Those that would have waited for a person.
    pub held: u64,
    /// Lists that would have been shorter.
    pub shorter_lists: u64,
    /// Messages that detection would have changed or withheld.
    pub changed: u64,
    /// When the first request arrived, RFC 3339.
    pub first: String,
    /// When the last one did.
    pub last: String,
    /// What would have been refused or would have waited, the most frequent first.
    pub not_allowed: Vec<Group>,
    /// What would have gone on and needs a rule, the most frequent first.
    pub by_rule: Vec<Group>,
    /// Requests that are in no group, because there are too many of them.
    pub omitted: u64,
    #[serde(skip)]
    groups: BTreeMap<Key, Group>,
    /// Those whose user nobody knows.
    #[serde(skip)]
    unknown: BTreeMap<Key, Group>,
}

/// Requests that are alike.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Group {
    /// `allow`, `deny` or `hold`.
    pub effect: String,
    /// Why, coarsely; empty when nothing stood against it.
    pub refusal: String,
    /// The user; empty when nobody knows.
    pub user: String,
    /// The agent.
    pub agent: String,
    /// The user's roles, as of the last one.
    pub roles: Vec<String>,
    /// JSON-RPC method.
    pub method: String,
    /// Tool, prompt or resource.
    pub target: String,
    /// Why, as of the last one.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// When the first arrived.
    pub first: String,
    /// When the last did.
    pub last: String,
}

/// What is alike: effect, refusal, user, agent, method, target.
type Key = [String; 6];

impl Report {
    /// Adds a request, if its server was in shadow mode.
    pub fn add(&mut self, observation: &Observation) {
        if observation.enforced {
            return;
        }
        if !self.servers.contains_key(&observation.server) {
            let server = ServerReport::default();
            self.servers.insert(observation.server.clone(), server);
        }
        if let Some(server) = self.servers.get_mut(&observation.server) {
            server.add(observation);
        }
    }

    /// Sorts what was added.
    #[must_use]
    pub fn finish(mut self) -> Self {
        for server in self.servers.values_mut() {
            let groups = std::mem::take(&mut server.groups).into_values();
            let unknown = std::mem::take(&mut server.unknown).into_values();
            let mut groups: Vec<Group> = groups.chain(unknown).collect();
            groups.sort_by_key(|group| std::cmp::Reverse(group.count));
            let (by_rule, not_allowed) = groups.into_iter().partition(Group::passes);
            (server.by_rule, server.not_allowed) = (by_rule, not_allowed);
        }
        self
    }
}

impl ServerReport {
    fn add(&mut self, observation: &Observation) {
        let Observation {
            time,
            method,
            target,
            user,
            agent,
            roles,
            effect,
            reason,
            refusal,
            hidden,
            detection,
            ..
        } = observation;
        let one = |condition: bool| u64::from(condition);
        let is_held = effect == "hold";
        let is_refused = !is_held && (effect == "deny" || !refusal.is_empty());
        self.requests = self.requests.saturating_add(1);
        self.held = self.held.saturating_add(one(is_held));
        self.refused = self.refused.saturating_add(one(is_refused));
        let passes = !is_held && !is_refused;
        self.allowed = self.allowed.saturating_add(one(passes));
        self.shorter_lists = self.shorter_lists.saturating_add(one(*hidden > 0));
        let changes = matches!(detection.as_str(), "redact" | "block");
        self.changed = self.changed.saturating_add(one(changes));
        extend(&mut self.first, &mut self.last, time);
        // What needs no rule says nothing about a policy.
        if passes && observation.rules.is_empty() {
            return;
        }
        let key = [effect, refusal, user, agent, method, target].map(String::clone);
        let (groups, most) = match user.is_empty() {
            true => (&mut self.unknown, MAX_UNKNOWN),
            false => (&mut self.groups, MAX_GROUPS),
        };
        if groups.len() >= most && !groups.contains_key(&key) {
            self.omitted = self.omitted.saturating_add(1);
            return;
        }
        let group = groups.entry(key).or_insert_with(|| Group {
            effect: effect.clone(),
            refusal: refusal.clone(),
            user: user.clone(),
            agent: agent.clone(),
            method: method.clone(),
            target: target.clone(),
            ..Group::default()
        });
        group.count = group.count.saturating_add(1);
        extend(&mut group.first, &mut group.last, time);
        group.roles.clone_from(roles);
        group.reason.clone_from(reason);
    }
}

impl Group {
    fn passes(&self) -> bool {
        self.effect == "allow" && self.refusal.is_empty()
    }
}

/// Widens a span of times.
fn extend(first: &mut String, last: &mut String, time: &str) {
    if first.is_empty() || time < first.as_str() {
        time.clone_into(first);
    }
    if time > last.as_str() {
        time.clone_into(last);
    }
}

impl Display for Report {
    /// For a terminal.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.servers.is_empty() {
            return writeln!(
                f,
                "nothing was recorded in shadow mode: write `enforce: false` in a Server document"
            );
        }
        for (position, (name, server)) in self.servers.iter().enumerate() {
            if position > 0 {
                writeln!(f)?;
            }
            write!(f, "{}: {server}", visible(name))?;
        }
        Ok(())
    }
}

impl Display for ServerReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            requests,
            allowed,
            refused,
            held,
            shorter_lists,
            changed,
            first,
            last,
            not_allowed,
            by_rule,
            omitted,
            ..
        } = self;
        let share = |count: u64| percent(count, *requests);
        writeln!(
            f,
            "{requests} requests, from {} to {}",
            seconds(first),
            seconds(last)
        )?;
        writeln!(f, "  {allowed} would have passed ({})", share(*allowed))?;
        writeln!(
            f,
            "  {refused} would have been refused ({})",
            share(*refused)
        )?;
        writeln!(
            f,
            "  {held} would have waited for a person ({})",
            share(*held)
        )?;
        if *shorter_lists > 0 {
            writeln!(f, "  {shorter_lists} lists would have been shorter")?;
        }
        if *changed > 0 {
            writeln!(
                f,
                "  {changed} would have been changed or withheld by detection"
            )?;
        }
        section(f, "not allowed", not_allowed)?;
        section(f, "allowed by rules", by_rule)?;
        match omitted {
            0 => Ok(()),
            omitted => writeln!(f, "\n  {omitted} more of other kinds"),
        }
    }
}

fn section(f: &mut Formatter<'_>, title: &str, groups: &[Group]) -> fmt::Result {
    if groups.is_empty() {
        return Ok(());
    }
    writeln!(f, "\n  {title}")?;
    let heads = ["count", "user", "agent", "roles", "what", "last", "why"];
    let mut table = Table::new(heads.map(str::to_owned));
    for group in groups {
        let what = [group.method.as_str(), &group.target].join(" ");
        let why = match group.refusal.as_str() {
            "" => group.reason.clone(),
            refusal => format!("{refusal}: {}", group.reason),
        };
        let user = match group.user.as_str() {
            "" => "(unknown)",
            user => user,
        };
        table.row([
            group.count.to_string(),
            visible(user),
            visible(&group.agent),
            visible(&group.roles.join(", ")),
            visible(what.trim()),
            seconds(&group.last),
            visible(&why),
        ]);
    }
    write!(f, "{table}")
}

/// A time without its fraction.
fn seconds(time: &str) -> String {
    match time.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => visible(time),
    }
}

/// A share with one digit behind the point, rounded down, so that 100 % is all.
fn percent(part: u64, whole: u64) -> String {
    let thousandths = part
        .saturating_mul(1000)
        .checked_div(whole)
        .unwrap_or_default();
    format!("{}.{} %", thousandths / 10, thousandths % 10)
}
