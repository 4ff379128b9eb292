//! Who may vote, and what votes come to.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{World, call, person, requirement, vote};
use gatehold_approvals::{Limits, Mechanism, State, Verdict, VoteFailed, VoteRefused};
use gatehold_engine::Approval as Requirement;

type Ballot = (&'static str, &'static [&'static str], Verdict, &'static str);

/// Asks for a call by `ana`, casts the votes, and compares what came of each and of all.
fn check(
    requirements: &[Requirement],
    votes: &[(Ballot, Result<(), VoteRefused>)],
    expected: State,
) {
    let mut world = World::new(Limits::default());
    let requirements = requirements.to_vec();
    world.wait("w", call(1, requirements), Mechanism::Request, None);
    let id = world.table.rows.keys().next().unwrap().clone();
    for ((user, roles, verdict, reason), expected) in votes {
        // What people see says the same as what is decided.
        let mut shown = world.table.rows.get(&id).unwrap().approval.clone();
        shown.waiting = 1;
        let by = person(user, roles);
        let may = match verdict {
            Verdict::Approve => shown.may_vote(&by),
            Verdict::Deny => shown.may_deny(&by),
        };
        let may = match may {
            Ok(()) if shown.reason_required() && reason.trim().is_empty() => {
                Err(VoteRefused::ReasonRequired)
            }
            may => may,
        };
        assert_eq!(may, *expected, "{user} {verdict:?}");
        let command = vote(&id, by, *verdict, reason);
        let came = world.apply(command).vote.unwrap();
        assert_eq!(came, expected.map_err(VoteFailed::Refused), "{user}");
        // A kill in between changes nothing.
        world.crash();
    }
    assert_eq!(world.state(&id), expected, "{votes:?}");
    let shown = &world.table.rows.get(&id).unwrap().approval;
    let is_met = matches!(expected, State::Approved);
    assert_eq!(shown.missing().is_empty(), is_met);
}

#[test]
fn votes_come_to_a_decision() {
    use Verdict::{Approve, Deny};
    let lead = || requirement(&["lead"], &[], 0);
    let named = || requirement(&[], &["bob"], 1);
    let two = || requirement(&["lead"], &["bob"], 2);
    let with = |change: fn(&mut Requirement)| {
        let mut requirement = lead();
        change(&mut requirement);
        requirement
    };
    let own = || with(|requirement| requirement.self_approval = true);
    let why = || with(|requirement| requirement.reason_required = true);
    let refused = Err;
    use VoteRefused::{AlreadyVoted, NotAnApprover, NotPending, ReasonRequired, Requester};

    check(&[lead()], &[], State::Pending);
    check(
        &[lead()],
        &[(("bob", &["lead"], Approve, ""), Ok(()))],
        State::Approved,
    );
    check(
        &[lead()],
        &[(("bob", &["clerk"], Approve, ""), refused(NotAnApprover))],
        State::Pending,
    );
    check(
        &[lead()],
        &[(("", &["lead"], Approve, ""), refused(NotAnApprover))],
        State::Pending,
    );
    check(
        &[named()],
        &[(("bob", &[], Approve, ""), Ok(()))],
        State::Approved,
    );
    // The requester, though a lead; and not even to deny.
    check(
        &[lead()],
        &[
            (("ana", &["lead"], Approve, ""), refused(Requester)),
            (("ana", &["lead"], Deny, ""), refused(Requester)),
        ],
        State::Pending,
    );
    check(
        &[own()],
        &[(("ana", &["lead"], Approve, ""), Ok(()))],
        State::Approved,
    );
    // Own approval counts where it may, and nowhere else.
    check(
        &[own(), requirement(&["lead"], &[], 1)],
        &[(("ana", &["lead"], Approve, ""), Ok(()))],
        State::Pending,
    );
    check(
        &[why()],
        &[
            (("bob", &["lead"], Approve, "  "), refused(ReasonRequired)),
            (("bob", &["lead"], Deny, ""), refused(ReasonRequired)),
            (("bob", &["lead"], Approve, "checked"), Ok(())),
        ],
        State::Approved,
    );
    // Two different people, and one of them only once.
    check(
        &[two()],
        &[
            (("bob", &["lead"], Approve, ""), Ok(())),
            (("bob", &["lead"], Approve, ""), refused(AlreadyVoted)),
        ],
        State::Pending,
    );
    check(
        &[two()],
        &[
            (("bob", &[], Approve, ""), Ok(())),
            (("cid", &["lead"], Approve, ""), Ok(())),
        ],
        State::Approved,
    );
    // All requirements; one vote counts for each that it can.
    check(
        &[lead(), named()],
        &[(("cid", &["lead"], Approve, ""), Ok(()))],
        State::Pending,
    );
    check(
        &[lead(), named()],
        &[(("bob", &["lead"], Approve, ""), Ok(()))],
        State::Approved,
    );
    // One denial ends it, also of somebody who had approved.
    check(
        &[two()],
        &[
            (("bob", &[], Approve, ""), Ok(())),
            (("bob", &[], Deny, "I was wrong"), Ok(())),
            (
                ("cid", &["lead"], Approve, ""),
                refused(NotPending(State::Denied)),
            ),
        ],
        State::Denied,
    );
}
