use super::*;
use crate::host::HeaderPairs;
use crate::testing::FakeHost;

fn host(version: &[u64]) -> FakeHost {
    let host = FakeHost::new();
    for (value, field) in version
        .iter()
        .zip(["major_number", "minor_number", "patch"])
    {
        let path = format!("xds.node.user_agent_build_version.version.{field}");
        host.with(|inner| inner.properties.insert(path, value.to_le_bytes().to_vec()));
    }
    host
}

fn metrics(host: &FakeHost) -> Metrics {
    Metrics::define(host).unwrap()
}

#[test]
fn an_envoy_has_to_be_as_new_as_what_is_asked_of_it() {
    let check = |version: &[u64], headers, expected: Option<&str>| {
        let host = host(version);
        let setup = Setup::new(&host, &metrics(&host), headers);
        match (setup.refuses(), expected) {
            (None, None) => {}
            (Some(reason), Some(words)) => {
                assert!(reason.contains(words), "{reason}");
                assert!(host.with(|inner| inner.logs == [reason]));
                assert_eq!(setup.news(), ["problem/envoy_too_old"]);
                assert_eq!(host.metric("gatehold_problems.problem=envoy_too_old"), 1);
            }
            other => panic!("{version:?}: {other:?}"),
        }
    };
    use HoldHeaders::{GoAhead, Hold};
    check(&[1, 40, 0], Hold, None);
    check(&[1, 35, 0], Hold, None);
    check(
        &[1, 34, 9],
        Hold,
        Some(
            "this Envoy is 1.34.9, and it needs 1.35.0 or newer; upgrade Envoy, or set `hold_headers: false`",
        ),
    );
    check(&[1, 34, 9], GoAhead, None);
    check(
        &[1, 32, 0],
        GoAhead,
        Some("it needs 1.33.0 or newer; upgrade Envoy"),
    );
    check(&[2, 0, 0], Hold, None);
    check(&[1, 2], Hold, None);
    // A version string of its own, of which Envoy makes no numbers.
    check(&[0, 0, 0], Hold, None);
    check(&[0, 0, 0], GoAhead, None);
    check(&[], Hold, None);
}

#[test]
fn words_say_what_the_filter_is() {
    let words = |version: &[u64], headers| {
        let host = host(version);
        Setup::new(&host, &metrics(&host), headers).words(headers, "ab12")
    };
    assert_eq!(
        words(&[1, 40, 2], HoldHeaders::Hold),
        ["protocol/2", "headers/held", "worker/ab12", "envoy/1.40.2"]
    );
    assert_eq!(
        words(&[0, 0, 0], HoldHeaders::GoAhead),
        ["protocol/2", "headers/ahead", "worker/ab12"]
    );
}

#[test]
fn a_problem_is_said_once_until_it_is_over() {
    let host = host(&[]);
    let metrics = metrics(&host);
    let setup = Setup::default();
    let notice = |problem| setup.notice(&host, &metrics, problem, "it is so");
    assert!(notice(SetupProblem::TwoCopies));
    assert!(!notice(SetupProblem::TwoCopies));
    assert!(notice(SetupProblem::ControlUnreachable));
    assert!(notice(SetupProblem::HeadersNotHeld));
    assert_eq!(
        setup.news(),
        ["problem/two_copies", "problem/headers_not_held"]
    );
    assert!(setup.news().is_empty());
    setup.over(SetupProblem::ControlUnreachable);
    assert!(notice(SetupProblem::ControlUnreachable));
    assert!(!notice(SetupProblem::TwoCopies));
    assert_eq!(
        host.metric("gatehold_problems.problem=control_unreachable"),
        2
    );
    assert_eq!(host.metric("gatehold_problems.problem=two_copies"), 1);
    assert_eq!(host.with(|inner| inner.logs.len()), 4);
}

#[test]
fn a_body_has_come_when_there_is_more_than_headers() {
    let check = |total: Option<u64>, expected| {
        let host = FakeHost::new();
        host.with(|inner| {
            inner.headers[0] = HeaderPairs::of(&[(b"ab".to_vec(), b"cde".to_vec())]);
            if let Some(total) = total {
                let path = "request.total_size".to_owned();
                inner.properties.insert(path, total.to_le_bytes().to_vec());
            }
        });
        assert_eq!(body_came(&host), Ok(expected), "{total:?}");
    };
    check(None, false);
    check(Some(0), false);
    check(Some(5), false);
    check(Some(6), true);
}
