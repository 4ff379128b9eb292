//! What happened between two states that were seen.

use gatehold_approvals::State;
use gatehold_documents::WebhookEvent;

/// The events that led from the state that was seen last to the one of now. What waits no more, and was never heard
/// of, is not told of as waiting.
pub(crate) fn events(before: Option<State>, now: State) -> Vec<WebhookEvent> {
    let of = |state: State| match state {
        State::Pending => WebhookEvent::Pending,
        State::Approved => WebhookEvent::Approved,
        State::Used => WebhookEvent::Used,
        State::Denied => WebhookEvent::Denied,
        State::Expired => WebhookEvent::Expired,
        State::Withdrawn => WebhookEvent::Withdrawn,
        State::Superseded => WebhookEvent::Superseded,
    };
    match (before, now) {
        (Some(before), now) if before == now || !before.is_open() => Vec::new(),
        (None | Some(State::Pending), State::Used) => vec![of(State::Approved), of(State::Used)],
        (_, now) => vec![of(now)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_missed_is_told_in_order() {
        let check = |before, now, expected: &[WebhookEvent]| {
            assert_eq!(events(before, now), expected, "{before:?} {now:?}");
        };
        use WebhookEvent as E;
        check(None, State::Pending, &[E::Pending]);
        check(None, State::Approved, &[E::Approved]);
        check(None, State::Used, &[E::Approved, E::Used]);
        check(None, State::Denied, &[E::Denied]);
        check(Some(State::Pending), State::Pending, &[]);
        check(Some(State::Pending), State::Approved, &[E::Approved]);
        check(Some(State::Pending), State::Used, &[E::Approved, E::Used]);
        check(Some(State::Pending), State::Withdrawn, &[E::Withdrawn]);
        check(Some(State::Approved), State::Used, &[E::Used]);
        check(Some(State::Approved), State::Expired, &[E::Expired]);
        check(Some(State::Approved), State::Superseded, &[E::Superseded]);
        check(Some(State::Denied), State::Used, &[]);
    }
}
