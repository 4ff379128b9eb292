//! The plan as documents.

use std::fmt::{self, Display, Formatter};

use crate::need::{MAX_PATTERN, is_plain};
use crate::text::{quoted, scalar, visible};
use crate::{Clause, Grant, Kind, Need, Plan, Policy, Skipped, Subject};

const AND: &str = " && ";
/// Bytes that a condition may have.
const MAX_CONDITION: usize = 2048;
/// Most `*` of a pattern.
const MAX_STARS: usize = 8;

impl Display for Plan {
    /// YAML that `gatehold check` takes beside the servers' documents; comments alone when there is nothing to allow.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let requests = self.requests;
        writeln!(
            f,
            "# Proposed by `gatehold suggest` from what was seen: read it before you use it."
        )?;
        match &self.span {
            Some((first, last)) => writeln!(
                f,
                "# {requests} requests from {} to {}.",
                visible(first),
                visible(last)
            )?,
            None => writeln!(f, "# Nothing was seen.")?,
        }
        writeln!(
            f,
            "# It allows each principal what it did and no rule allows, by exact names, whatever the arguments; the numbers say how often.\n\
             # It belongs beside the documents that it was made with: what their rules allow is not repeated."
        )?;
        if self.policies.is_empty() {
            writeln!(f, "# There is nothing that needs a rule.")?;
        }
        for skipped in &self.skipped {
            writeln!(f, "# {}.", note(skipped))?;
        }
        for policy in &self.policies {
            write!(f, "---\n{policy}")?;
        }
        Ok(())
    }
}

/// What is not proposed, and why.
pub(crate) fn note(((server, why), count): (&(String, Skipped), &u64)) -> String {
    let server = visible(server);
    format!("Not proposed for `{server}`: {} ({count})", why.why())
}

impl Display for Policy {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            clause,
            grants,
        } = self;
        writeln!(f, "apiVersion: gatehold.io/v1\nkind: Policy")?;
        writeln!(f, "metadata: {{ name: {name} }}\nspec:")?;
        let subjects = Subjects::of(clause);
        writeln!(f, "{}  rules:", subjects.field())?;
        let mut rest = grants.as_slice();
        while let Some(first) = rest.first() {
            let same = rest.iter().take_while(|it| it.server == first.server);
            let (here, others) = rest.split_at(same.count());
            of_server(f, &first.server, here, &subjects)?;
            rest = others;
        }
        Ok(())
    }
}

/// Whether the conditions that it takes to say it fit into a rule.
pub(crate) fn is_sayable(clause: &Clause, need: &Need) -> bool {
    let mut conditions = Subjects::of(clause).conditions;
    if !is_plain(&need.name) {
        conditions.extend(exactly(need));
    }
    conditions.join(AND).len() <= MAX_CONDITION
}

/// Subjects as fields, and as conditions where fields cannot say it.
struct Subjects {
    lists: Vec<(&'static str, Vec<String>)>,
    conditions: Vec<String>,
}

impl Subjects {
    fn of(clause: &Clause) -> Self {
        let mut new = Self {
            lists: Vec::new(),
            conditions: Vec::new(),
        };
        let names = clause.subjects.iter().map(|subject| match subject {
            Subject::Role(name) | Subject::User(name) => name.as_str(),
        });
        match clause.subjects.first() {
            Some(Subject::Role(_)) => new.say("roles", names.collect(), |name| {
                format!("user.roles.exists(role, role == {name})")
            }),
            _ => new.say("users", names.collect(), |name| {
                format!("user.id == {name}")
            }),
        }
        let agents = clause.agents.iter().map(String::as_str).collect();
        new.say("agents", agents, |name| format!("agent.id == {name}"));
        new
    }

    fn say(&mut self, field: &'static str, names: Vec<&str>, condition: fn(String) -> String) {
        if names.iter().all(|name| is_exact(name)) {
            let names = names.into_iter().map(scalar);
            self.lists.push((field, names.collect()));
            return;
        }
        let each = names.into_iter().map(|name| condition(quoted(name)));
        let each: Vec<String> = each.collect();
        self.conditions.push(match each.as_slice() {
            [only] => only.clone(),
            each => format!("({})", each.join(" || ")),
        });
    }

    fn field(&self) -> String {
        if self.lists.is_empty() {
            return String::new();
        }
        let lists = self
            .lists
            .iter()
            .map(|(field, names)| format!("{field}: [{}]", names.join(", ")));
        let lists: Vec<String> = lists.collect();
        format!("  subjects: {{ {} }}\n", lists.join(", "))
    }
}

/// One rule for all that can be named exactly, and one for each that can only be by a condition.
fn of_server(
    f: &mut Formatter<'_>,
    server: &str,
    grants: &[Grant],
    subjects: &Subjects,
) -> fmt::Result {
    let server = scalar(server);
    let (plain, odd): (Vec<&Grant>, Vec<&Grant>) =
        grants.iter().partition(|it| is_plain(&it.need.name));
    if !plain.is_empty() {
        writeln!(f, "    - allow:\n        server: {server}")?;
        for kind in [Kind::Tool, Kind::Resource, Kind::Prompt, Kind::Method] {
            let mut names = plain.iter().filter(|it| it.need.kind == kind).peekable();
            if names.peek().is_some() {
                writeln!(f, "        {}:", kind.field())?;
            }
            for grant in names {
                let name = scalar(&grant.need.name);
                writeln!(f, "          - {name} # {}", remark(grant))?;
            }
        }
        condition(f, subjects.conditions.clone())?;
    }
    for grant in odd {
        let need = &grant.need;
        writeln!(f, "    - allow:\n        server: {server}")?;
        let (kind, pattern) = (need.kind.field(), quoted(&pattern(&need.name)));
        writeln!(f, "        {kind}: [{pattern}] # {}", remark(grant))?;
        let mut conditions = subjects.conditions.clone();
        conditions.extend(exactly(need));
        condition(f, conditions)?;
    }
    Ok(())
}

/// How often it was seen, and how risky it is.
fn remark(grant: &Grant) -> String {
    let mut note = grant.count.to_string();
    for class in &grant.risks {
        note.push_str(", ");
        note.push_str(&visible(class));
    }
    note
}

fn condition(f: &mut Formatter<'_>, conditions: Vec<String>) -> fmt::Result {
    match conditions.is_empty() {
        true => Ok(()),
        false => writeln!(f, "        when: {}", quoted(&conditions.join(AND))),
    }
}

/// The condition that says what a pattern cannot.
fn exactly(need: &Need) -> Option<String> {
    let variable = match need.kind {
        Kind::Tool => "tool.name",
        Kind::Resource => "resource.uri",
        Kind::Prompt => "prompt.name",
        // Such a method is not proposed.
        Kind::Method => return None,
    };
    Some(format!("{variable} == {}", quoted(&need.name)))
}

/// A pattern that has the name among what it means.
fn pattern(name: &str) -> String {
    let blur = |c: char| if c.is_control() || c == ' ' { '*' } else { c };
    let pattern: String = name.chars().map(blur).collect();
    match pattern.len() > MAX_PATTERN || pattern.matches('*').count() > MAX_STARS {
        true => "*".to_owned(),
        false => pattern,
    }
}

/// Whether a field of `subjects` takes it.
pub(crate) fn is_exact(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_PATTERN
        && !name.contains('*')
        && !name.chars().any(char::is_control)
        && name.trim() == name
}
