//! The trace a request belongs to (W3C Trace Context).

use serde_json::{Map, Value};

/// The trace id (32 lower-case hex digits) of the `traceparent` header, or else of `params._meta.traceparent`.
#[must_use]
pub fn trace_id(traceparent: Option<&[u8]>, params: Option<&Map<String, Value>>) -> Option<String> {
    let meta = || {
        params?
            .get("_meta")?
            .get("traceparent")?
            .as_str()
            .map(str::as_bytes)
    };
    traceparent
        .and_then(parse)
        .or_else(|| meta().and_then(parse))
}

/// `version "-" trace-id "-" parent-id "-" flags`; later versions may append more.
fn parse(value: &[u8]) -> Option<String> {
    let mut parts = value.splitn(5, |&byte| byte == b'-');
    let (version, trace) = (hex(parts.next()?, 2)?, hex(parts.next()?, 32)?);
    let (parent, _flags) = (hex(parts.next()?, 16)?, hex(parts.next()?, 2)?);
    let zero = |text: &str| text.bytes().all(|byte| byte == b'0');
    let more = parts.next().is_some();
    let invalid = version == "ff" || zero(trace) || zero(parent) || (more && version == "00");
    (!invalid).then(|| trace.to_owned())
}

fn hex(part: &[u8], length: usize) -> Option<&str> {
    let digits = part
        .iter()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (digits && part.len() == length)
        .then(|| std::str::from_utf8(part).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn headers() {
        let check = |value: &str, expected: bool| {
            let expected = expected.then(|| TRACE.to_owned());
            assert_eq!(trace_id(Some(value.as_bytes()), None), expected, "{value}");
        };
        check(
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            true,
        );
        check(
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-ever",
            true,
        );
        check(
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            false,
        );
        check(
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            false,
        );
        check(
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            false,
        );
        check(
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            false,
        );
        check(
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            false,
        );
        check(
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            false,
        );
        check(
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            false,
        );
        check("", false);
    }

    #[test]
    fn the_body_is_second() {
        let params = json!({"_meta": {"traceparent": format!("00-{TRACE}-00f067aa0ba902b7-01")}});
        let params = params.as_object();
        assert_eq!(trace_id(None, params).as_deref(), Some(TRACE));
        assert_eq!(trace_id(Some(b"nonsense"), params).as_deref(), Some(TRACE));
        let other = "00-11111111111111111111111111111111-00f067aa0ba902b7-01";
        let expected = Some("11111111111111111111111111111111");
        assert_eq!(
            trace_id(Some(other.as_bytes()), params).as_deref(),
            expected
        );
        assert_eq!(trace_id(None, None), None);
    }
}
