//! Conversations of one stream, as tables: what the client says or control publishes, and what is sent.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use gatehold_push::{Answer, MAX_NAMES, MAX_TYPES, RequestError, Resources, Subscriptions};
use gatehold_wire::discovery::{DeltaDiscoveryRequest, Status};

const TYPE: &str = "type.example/Thing";

fn resources(items: &str) -> Resources {
    let (withheld, present): (Vec<_>, Vec<_>) = items
        .split_whitespace()
        .partition(|item| item.ends_with("=?"));
    let present = present.into_iter().map(|item| {
        let (name, body) = item.split_once('=').expect("name=body");
        (TYPE.to_owned(), name.to_owned(), body.as_bytes().to_vec())
    });
    withheld
        .into_iter()
        .fold(present.collect(), |all: Resources, item| {
            all.withhold(TYPE, item.trim_end_matches("=?"))
        })
}

fn names(list: &str) -> Vec<String> {
    list.split_whitespace().map(str::to_owned).collect()
}

/// Reads one line of a conversation:
/// `publish a=1 b=2` (`a=?` is withheld), `subscribe a b`, `unsubscribe a`, `hello a=1` (subscribes to `*`,
/// holds a), `ack 1`, `nack 1 message`.
fn request(line: &str) -> DeltaDiscoveryRequest {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let mut request = DeltaDiscoveryRequest {
        type_url: TYPE.to_owned(),
        ..Default::default()
    };
    match verb {
        "subscribe" => request.resource_names_subscribe = names(rest),
        "unsubscribe" => request.resource_names_unsubscribe = names(rest),
        "hello" => {
            request.resource_names_subscribe = names("*");
            request.initial_resource_versions = resources(rest)
                .of_type(TYPE)
                .map(|(name, resource)| (name.to_owned(), resource.version.to_string()))
                .collect();
        }
        "ack" => request.response_nonce = rest.to_owned(),
        "nack" => {
            let (nonce, message) = rest.split_once(' ').unwrap_or((rest, ""));
            request.response_nonce = nonce.to_owned();
            let message = message.replace("\\n", "\n");
            request.error_detail = Some(Status { code: 3, message });
        }
        other => panic!("unknown verb `{other}`"),
    }
    request
}

/// Each line, and what is sent after it: `<nonce>: <changed> -<removed>`, or nothing.
#[track_caller]
fn check(conversation: &[(&str, &str)]) -> Subscriptions {
    let mut subscriptions = Subscriptions::default();
    let mut published = None;
    for (line, expected) in conversation {
        if let Some(items) = line.strip_prefix("publish") {
            published = Some(resources(items));
        } else {
            subscriptions.request(request(line)).expect("within bounds");
        }
        let due = published
            .as_ref()
            .map(|all| subscriptions.due(all))
            .unwrap_or_default();
        let sent: Vec<String> = due
            .iter()
            .map(|response| {
                let response = response.message().expect("it can be read");
                let mut words = vec![format!("{}:", response.nonce)];
                words.extend(response.resources.iter().map(|resource| {
                    let any = resource.resource.as_ref().expect("a body");
                    assert_eq!(any.type_url, TYPE);
                    format!("{}={}", resource.name, String::from_utf8_lossy(&any.value))
                }));
                words.extend(
                    response
                        .removed_resources
                        .iter()
                        .map(|name| format!("-{name}")),
                );
                words.join(" ")
            })
            .collect();
        assert_eq!(sent.join("; "), *expected, "after `{line}`");
    }
    subscriptions
}

/// Applied and refused, as `a=1` and `a: reason`.
fn standing(subscriptions: &Subscriptions) -> (Vec<String>, Vec<String>) {
    let (_, status) = subscriptions.status().next().expect("one type");
    let acked = status.acked.keys().cloned().collect();
    let rejected = status
        .rejected
        .iter()
        .map(|(name, why)| format!("{name}: {}", why.reason))
        .collect();
    (acked, rejected)
}

#[test]
fn a_wildcard_gets_everything_and_then_only_changes() {
    let end = check(&[
        ("publish a=1 b=1", ""),
        ("subscribe *", "1: a=1 b=1"),
        ("ack 1", ""),
        ("publish a=1 b=2", "2: b=2"),
        ("ack 2", ""),
        ("publish b=2 c=1", "3: c=1 -a"),
        ("ack 3", ""),
        ("publish b=2 c=1", ""),
    ]);
    assert_eq!(standing(&end).0, ["b", "c"]);
}

#[test]
fn subscribing_to_nothing_at_first_is_a_wildcard() {
    check(&[("publish a=1", ""), ("subscribe", "1: a=1")]);
}

#[test]
fn nothing_is_sent_before_something_is_published() {
    check(&[("subscribe *", ""), ("publish a=1", "1: a=1")]);
}

#[test]
fn a_first_answer_comes_even_when_it_is_empty() {
    check(&[
        ("publish", ""),
        ("subscribe *", "1:"),
        ("ack 1", ""),
        ("publish", ""),
    ]);
}

#[test]
fn one_response_is_in_flight_and_changes_meanwhile_are_joined() {
    check(&[
        ("publish a=1", ""),
        ("subscribe *", "1: a=1"),
        ("publish a=2 b=1", ""),
        ("publish a=3 b=1", ""),
        ("ack 1", "2: a=3 b=1"),
        ("publish a=3 b=2", ""),
        ("publish a=3 b=1", ""),
        ("ack 2", ""),
    ]);
}

#[test]
fn a_client_that_holds_everything_gets_nothing() {
    check(&[
        ("publish a=1 b=1", ""),
        ("hello a=1 b=1", ""),
        ("publish a=1 b=2", "1: b=2"),
    ]);
    check(&[("publish a=2", ""), ("hello a=1 gone=1", "1: a=2 -gone")]);
}

#[test]
fn a_refused_version_is_not_sent_again() {
    let end = check(&[
        ("publish a=1 b=1", ""),
        ("subscribe *", "1: a=1 b=1"),
        ("ack 1", ""),
        ("publish a=2 b=2", "2: a=2 b=2"),
        ("nack 2 a: bad glob", ""),
        ("publish a=2 b=3", "3: b=3"),
        ("ack 3", ""),
    ]);
    assert_eq!(
        standing(&end),
        (names("a b"), vec!["a: bad glob".to_owned()])
    );

    let end = check(&[
        ("publish a=1", ""),
        ("subscribe *", "1: a=1"),
        ("nack 1 no", ""),
        ("publish a=2", "2: a=2"),
        ("ack 2", ""),
    ]);
    assert_eq!(standing(&end), (names("a"), names("")));
}

#[test]
fn going_back_after_a_refusal_is_a_change() {
    let end = check(&[
        ("publish a=1", ""),
        ("subscribe *", "1: a=1"),
        ("ack 1", ""),
        ("publish a=2", "2: a=2"),
        ("nack 2 a: no", ""),
        ("publish a=1", "3: a=1"),
        ("ack 3", ""),
    ]);
    assert_eq!(standing(&end), (names("a"), names("")));
}

#[test]
fn a_removed_resource_is_no_longer_refused() {
    let end = check(&[
        ("publish a=1", ""),
        ("subscribe *", "1: a=1"),
        ("nack 1 a: no", ""),
        ("publish", "2: -a"),
        ("ack 2", ""),
    ]);
    assert_eq!(standing(&end), (names(""), names("")));
}

#[test]
fn named_subscriptions_get_these_and_learn_what_is_not_there() {
    check(&[
        ("publish a=1 b=1", ""),
        ("subscribe a missing", "1: a=1 -missing"),
        ("ack 1", ""),
        ("publish a=1 b=2", ""),
        ("publish a=1 missing=1", "2: missing=1"),
        ("ack 2", ""),
        ("publish a=1", "3: -missing"),
        ("ack 3", ""),
        ("unsubscribe a", ""),
        ("publish a=2", ""),
    ]);
}

#[test]
fn asking_again_sends_again() {
    check(&[
        ("publish a=1", ""),
        ("subscribe a", "1: a=1"),
        ("ack 1", ""),
        ("subscribe a", "2: a=1"),
        ("ack 2", ""),
        ("publish a=1", ""),
    ]);
}

#[test]
fn a_name_that_the_wildcard_still_covers_is_told_again() {
    check(&[
        ("publish a=1", ""),
        ("subscribe * a", "1: a=1"),
        ("ack 1", ""),
        ("unsubscribe a", "2: a=1"),
        ("ack 2", ""),
        ("unsubscribe *", ""),
        ("publish a=2", ""),
    ]);
}

#[test]
fn what_is_withheld_is_neither_sent_nor_removed() {
    check(&[
        ("publish a=? b=1", ""),
        ("hello a=1 b=1", ""),
        ("publish a=1 b=1", ""),
        ("publish a=2 b=1", "1: a=2"),
    ]);
    check(&[
        ("publish a=? b=1", ""),
        ("subscribe *", "1: b=1"),
        ("ack 1", ""),
        ("publish a=1 b=1", "2: a=1"),
    ]);
}

#[test]
fn answers_are_told_apart() {
    let mut subscriptions = Subscriptions::default();
    let all = resources("a=1 b=1");
    assert_eq!(
        subscriptions.request(request("subscribe *")),
        Ok(Answer::None)
    );
    assert_eq!(subscriptions.due(&all).len(), 1);
    assert_eq!(subscriptions.request(request("ack 7")), Ok(Answer::Stale));
    assert!(subscriptions.due(&all).is_empty());
    let refused = [("a".to_owned(), "no".to_owned())].into();
    assert_eq!(
        subscriptions.request(request("nack 1 a: no")),
        Ok(Answer::Nack {
            applied: 1,
            refused
        })
    );
    assert_eq!(subscriptions.request(request("ack 1")), Ok(Answer::Stale));
}

#[test]
fn types_have_responses_in_flight_of_their_own() {
    let mut subscriptions = Subscriptions::default();
    let all: Resources = ["x", "y"]
        .map(|kind| (kind.to_owned(), "a".to_owned(), kind.as_bytes().to_vec()))
        .into_iter()
        .collect();
    for kind in ["x", "y"] {
        let request = DeltaDiscoveryRequest {
            type_url: kind.to_owned(),
            ..Default::default()
        };
        assert_eq!(subscriptions.request(request), Ok(Answer::None));
        let due = subscriptions.due(&all);
        assert_eq!(
            due.iter().map(|r| r.type_url.as_str()).collect::<Vec<_>>(),
            [kind]
        );
    }
}

#[test]
fn bounds_end_the_stream() {
    let mut subscriptions = Subscriptions::default();
    let of = |type_url: String| DeltaDiscoveryRequest {
        type_url,
        ..Default::default()
    };
    assert_eq!(
        subscriptions.request(of(String::new())),
        Err(RequestError::NoType)
    );
    for n in 0..MAX_TYPES {
        assert_eq!(subscriptions.request(of(n.to_string())), Ok(Answer::None));
    }
    let over = subscriptions.request(of("over".to_owned()));
    assert_eq!(over, Err(RequestError::TooManyTypes("over".to_owned())));

    let mut many = of("0".to_owned());
    many.resource_names_subscribe = (0..=MAX_NAMES).map(|n| n.to_string()).collect();
    assert_eq!(
        subscriptions.request(many),
        Err(RequestError::TooManyNames("0".to_owned()))
    );
}
