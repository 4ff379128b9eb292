//! Who sees which approvals.

use gatehold_approvals::{Approval, Person};
use gatehold_engine::Approval as Requirement;

/// Whether a person may look at an approval: it shows what an agent wanted to do with a user's data, so only those
/// who are asked to decide, and the user.
pub fn may_see(approval: &Approval, person: &Person) -> bool {
    if person.user.is_empty() {
        return false;
    }
    let call = &approval.call;
    let is_requester = call.requester.user == person.user && call.requester.issuer == person.issuer;
    is_requester
        || call
            .requirements
            .iter()
            .any(|requirement| is_named(requirement, person))
}

/// Whether a requirement names the person, or a role of theirs.
pub fn is_named(requirement: &Requirement, person: &Person) -> bool {
    let has_role = |role| person.roles.contains(role);
    requirement.users.contains(&person.user) || requirement.roles.iter().any(has_role)
}
