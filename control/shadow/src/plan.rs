//! The least policy that would have allowed what was seen.
//!
//! Whatever it allows was seen of each principal that it allows it to: a role gets what all who were seen with it
//! have done, and only then; everything else goes to users. Agents are part of it, since a user who works through
//! another agent was not seen with it.

use std::collections::{BTreeMap, BTreeSet};

use crate::need::is_cut;
use crate::write::{is_exact, is_sayable, note};
use crate::{Existing, Kind, Need, Observation, Skipped};

/// Roles of which on an event may not tell all.
const MAX_ROLES: usize = 64;
/// Users whom a role has to have before something is given to the role.
const MIN_USERS: usize = 2;

/// To whom rules speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// To roles where all who were seen with them have done the same, else to users.
    #[default]
    Role,
    /// To users.
    User,
}

/// Takes observations in, one by one, in bounded memory for what repeats.
#[derive(Clone, Debug, Default)]
pub struct Planner {
    by: By,
    /// Of which server; nothing for all.
    server: Option<String>,
    people: BTreeMap<Who, Roles>,
    needs: BTreeMap<(String, Need), BTreeMap<Who, u64>>,
    skipped: BTreeMap<(String, Skipped), u64>,
    requests: u64,
    span: Option<(String, String)>,
}

/// A user through an agent.
type Who = (String, String);

/// Roles of a principal, who may have got or lost some meanwhile.
#[derive(Clone, Debug, Default)]
struct Roles {
    ever: BTreeSet<String>,
    always: BTreeSet<String>,
    /// Whether there may be others that no event tells.
    cut: bool,
}

/// What is proposed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// One document each.
    pub policies: Vec<Policy>,
    /// Requests for which nothing is proposed, by server and why.
    pub skipped: BTreeMap<(String, Skipped), u64>,
    /// Requests that were looked at.
    pub requests: u64,
    /// When the first and the last of them arrived.
    pub span: Option<(String, String)>,
}

/// Some subjects, and what they are allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Name of the document.
    pub name: String,
    /// Who.
    pub clause: Clause,
    /// What, by server and need.
    pub grants: Vec<Grant>,
}

/// Whom a policy speaks of: any of the subjects through any of the agents.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Clause {
    /// All of one kind. Never empty.
    pub subjects: Vec<Subject>,
    /// Agents. Never empty; the empty one, for tokens that name none, stands alone.
    pub agents: Vec<String>,
}

/// A user or a role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// Who has this role.
    Role(String),
    /// This user.
    User(String),
}

/// One thing that is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Name of the server.
    pub server: String,
    /// What.
    pub need: Need,
    /// How often it was seen.
    pub count: u64,
    /// Risk classes of a tool, as far as they are known; they are told, and change nothing.
    pub risks: Vec<String>,
}

impl Plan {
    /// Leaves out the grants with which a policy, each alone, is none that `holds`, and notes `why`.
    pub fn retain(&mut self, why: Skipped, mut holds: impl FnMut(&Policy) -> bool) {
        for policy in &mut self.policies {
            let (name, clause) = (policy.name.clone(), policy.clause.clone());
            let mut alone = Policy {
                name,
                clause,
                grants: Vec::new(),
            };
            policy.grants.retain(|grant| {
                alone.grants = vec![grant.clone()];
                let keeps = holds(&alone);
                if !keeps {
                    let skipped = self.skipped.entry((grant.server.clone(), why)).or_default();
                    *skipped = skipped.saturating_add(grant.count);
                }
                keeps
            });
        }
        self.policies.retain(|policy| !policy.grants.is_empty());
    }

    /// Lines about requests for which nothing is proposed, for some reasons.
    pub fn notes(&self, whys: &[Skipped]) -> Vec<String> {
        let skipped = self
            .skipped
            .iter()
            .filter(|((_, why), _)| whys.contains(why));
        skipped.map(note).collect()
    }

    /// Notes the risk classes of the tools that are proposed; `risks` gives those of a server's tool.
    pub fn mark(&mut self, risks: impl Fn(&str, &str) -> Vec<String>) {
        let grants = self.policies.iter_mut().flat_map(|it| &mut it.grants);
        for grant in grants.filter(|it| it.need.kind == Kind::Tool) {
            grant.risks = risks(&grant.server, &grant.need.name);
        }
    }
}

impl Planner {
    /// A planner that proposes rules for one server, or for all.
    pub fn new(by: By, server: Option<String>) -> Self {
        Self {
            by,
            server,
            ..Self::default()
        }
    }

    /// Looks at one request. Those of other servers tell who is there.
    pub fn add(&mut self, observation: &Observation) {
        let Observation {
            user,
            agent,
            roles,
            server,
            time,
            ..
        } = observation;
        let who = (user.clone(), agent.clone());
        if !user.is_empty() {
            let cut = roles.len() >= MAX_ROLES || roles.iter().any(|role| is_cut(role));
            let roles = roles.iter().filter(|role| !is_cut(role)).cloned();
            let roles: BTreeSet<String> = roles.collect();
            let known = self.people.entry(who.clone()).or_insert_with(|| Roles {
                ever: BTreeSet::new(),
                always: roles.clone(),
                cut: false,
            });
            known.cut |= cut;
            known.always.retain(|role| roles.contains(role));
            known.ever.extend(roles);
        }
        if self.server.as_ref().is_some_and(|only| only != server) {
            return;
        }
        self.requests = self.requests.saturating_add(1);
        let (first, last) = self
            .span
            .get_or_insert_with(|| (time.clone(), time.clone()));
        if time < first {
            first.clone_from(time);
        }
        if time > last {
            last.clone_from(time);
        }
        let count = match Need::of(observation) {
            Ok(None) => return,
            Ok(Some(need)) => {
                let whos = self.needs.entry((server.clone(), need)).or_default();
                whos.entry(who).or_default()
            }
            Err(skipped) => self.skipped.entry((server.clone(), skipped)).or_default(),
        };
        *count = count.saturating_add(1);
    }

    /// What is proposed for all that was looked at, beside what there is.
    pub fn plan(mut self, existing: &Existing) -> Plan {
        let mut atoms: BTreeMap<(Subject, String), BTreeMap<(String, Need), u64>> = BTreeMap::new();
        for (what, mut whos) in std::mem::take(&mut self.needs) {
            whos.retain(|who, count| match self.obstacle(existing, &what, who) {
                Some(skipped) => {
                    let skipped = self.skipped.entry((what.0.clone(), skipped)).or_default();
                    *skipped = skipped.saturating_add(*count);
                    false
                }
                None => true,
            });
            // Others may have the role whom a condition is for.
            let by = match existing.limits_somebody(&what.0, &what.1) {
                true => By::User,
                false => self.by,
            };
            for atom in self.cover(by, &whos) {
                let (subject, agent) = &atom;
                let count = whos
                    .iter()
                    .filter(|(who, _)| who.1 == *agent && self.is(who, subject));
                let count = count.map(|(_, count)| count).sum();
                atoms.entry(atom).or_default().insert(what.clone(), count);
            }
        }
        let mut plan = Plan {
            policies: policies(atoms, existing.names()),
            skipped: self.skipped,
            requests: self.requests,
            span: self.span,
        };
        plan.retain(Skipped::Unnamed, |alone| {
            let mut grants = alone.grants.iter();
            grants.all(|grant| is_sayable(&alone.clause, &grant.need))
        });
        plan
    }

    /// Why somebody who was seen is not to be allowed it.
    fn obstacle(&self, existing: &Existing, what: &(String, Need), who: &Who) -> Option<Skipped> {
        let (server, need) = what;
        if !existing.knows(server) {
            return Some(Skipped::NoServer);
        }
        let roles = self.people.get(who).filter(|roles| !roles.cut);
        let roles = roles.map(|roles| &roles.ever);
        let limited = existing.limits(server, (&who.0, &who.1), roles, need);
        limited.then_some(Skipped::Conditional)
    }

    /// Subjects that are these principals and, of all who are known, nobody else.
    fn cover(&self, by: By, whos: &BTreeMap<Who, u64>) -> Vec<(Subject, String)> {
        let mut left: BTreeSet<&Who> = whos.keys().collect();
        let mut atoms = Vec::new();
        while let Some((role, agent, covered)) = self.best_role(by, whos, &left) {
            left.retain(|who| !covered.contains(who));
            atoms.push((Subject::Role(role.to_owned()), agent.to_owned()));
        }
        let users = left.into_iter();
        atoms.extend(users.map(|(user, agent)| (Subject::User(user.clone()), agent.clone())));
        atoms
    }

    /// The role that stands for most of those who are left, and whom it stands for.
    fn best_role<'s>(
        &'s self,
        by: By,
        whos: &BTreeMap<Who, u64>,
        left: &BTreeSet<&'s Who>,
    ) -> Option<(&'s str, &'s str, BTreeSet<&'s Who>)> {
        if by == By::User {
            return None;
        }
        // Who may have any role has what stands for it, or nothing stands for one there.
        let blocks = |(who, roles): (&Who, &Roles)| roles.cut && !whos.contains_key(who);
        let blocked = self.people.iter().filter(|it| blocks(*it));
        let blocked: BTreeSet<&str> = blocked.map(|((_, agent), _)| agent.as_str()).collect();
        let candidates: BTreeSet<(&str, &str)> = left
            .iter()
            .filter(|who| !blocked.contains(who.1.as_str()))
            .filter_map(|who| Some((&who.1, self.people.get(*who).filter(|it| !it.cut)?)))
            .map(|(agent, roles)| (agent, &roles.always))
            .flat_map(|(agent, roles)| roles.iter().map(|role| (role.as_str(), agent.as_str())))
            .collect();
        let mut best: Option<(&str, &str, BTreeSet<&Who>)> = None;
        for (role, agent) in candidates {
            let members = self
                .people
                .iter()
                .filter(|(who, roles)| who.1 == agent && roles.ever.contains(role));
            let members: Vec<(&Who, &Roles)> = members.collect();
            let all = members.iter().all(|(who, _)| whos.contains_key(*who));
            if !all || members.len() < MIN_USERS {
                continue;
            }
            let stands = members.iter().filter(|(who, roles)| {
                !roles.cut && left.contains(who) && roles.always.contains(role)
            });
            let covered: BTreeSet<&Who> = stands.map(|(who, _)| *who).collect();
            if !covered.is_empty()
                && best
                    .as_ref()
                    .is_none_or(|(_, _, other)| covered.len() > other.len())
            {
                best = Some((role, agent, covered));
            }
        }
        best
    }

    fn is(&self, who: &Who, subject: &Subject) -> bool {
        match subject {
            Subject::User(user) => who.0 == *user,
            Subject::Role(role) => self
                .people
                .get(who)
                .is_some_and(|roles| roles.ever.contains(role)),
        }
    }
}

/// One policy for all who are allowed the same. Any of its subjects is allowed it through any of its agents.
fn policies(
    atoms: BTreeMap<(Subject, String), BTreeMap<(String, Need), u64>>,
    mut names: BTreeSet<String>,
) -> Vec<Policy> {
    type Granted = BTreeSet<(String, Need)>;
    // What takes a condition stands alone, so that the condition is short.
    let alone = |name: &str| (!is_exact(name)).then(|| name.to_owned());
    let mut agents: BTreeMap<(Subject, Option<String>, Granted), Vec<String>> = BTreeMap::new();
    for ((subject, agent), granted) in &atoms {
        let whole = granted.keys().cloned().collect();
        let key = (subject.clone(), alone(agent), whole);
        agents.entry(key).or_default().push(agent.clone());
    }
    type Key = (bool, Option<String>, Vec<String>, BTreeSet<(String, Need)>);
    let mut clauses: BTreeMap<Key, Vec<Subject>> = BTreeMap::new();
    for ((subject, _, granted), agents) in agents {
        let (Subject::Role(name) | Subject::User(name)) = &subject;
        let is_user = matches!(subject, Subject::User(_));
        let key = (is_user, alone(name), agents, granted);
        clauses.entry(key).or_default().push(subject);
    }
    let policies = clauses
        .into_iter()
        .map(|((.., agents, granted), subjects)| {
            let of = |what: &(String, Need)| {
                let each = subjects.iter().flat_map(|subject| {
                    let each = agents.iter();
                    each.map(move |agent| (subject.clone(), agent.clone()))
                });
                each.filter_map(|atom| atoms.get(&atom)?.get(what)).sum()
            };
            let grants = granted.iter().map(|what| Grant {
                server: what.0.clone(),
                need: what.1.clone(),
                count: of(what),
                risks: Vec::new(),
            });
            let grants = grants.collect();
            Policy {
                name: name(&subjects, &mut names),
                clause: Clause { subjects, agents },
                grants,
            }
        });
    policies.collect()
}

/// A name that no other has: `seen-support`, `seen-support-2`.
fn name(subjects: &[Subject], taken: &mut BTreeSet<String>) -> String {
    let first = subjects.first().map_or("", |subject| match subject {
        Subject::Role(name) | Subject::User(name) => name.as_str(),
    });
    let word: String = first
        .chars()
        .map(|c| c.to_ascii_lowercase())
        .filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-')
        .take(40)
        .collect();
    let word = word.trim_matches('-');
    let name = match word.is_empty() {
        true => "seen".to_owned(),
        false => format!("seen-{word}"),
    };
    let mut unique = name.clone();
    let mut number = 2_u32;
    while !taken.insert(unique.clone()) {
        unique = format!("{name}-{number}");
        number = number.saturating_add(1);
    }
    unique
}
