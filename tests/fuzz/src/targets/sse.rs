//! Streams: where the bytes are cut must not matter, and none may be lost.

use gatehold_mcp::sse::{Event, Framer, Tail};

use super::choices;

/// Events of one stream that are rewritten too; each is read again from the start.
const MOST_REWRITTEN: usize = 6;

/// Limits on one event that short inputs can reach, and one that they cannot.
const LIMITS: [usize; 3] = [7, 40, 1 << 20];

#[derive(Debug, PartialEq)]
struct Framed {
    events: Vec<Event>,
    /// Nothing when an event was too large.
    tail: Option<Tail>,
}

/// The input is a stream.
pub fn sse(data: &[u8]) {
    let mut rng = choices(data);
    for limit in LIMITS {
        let whole = frame(data, limit, |left| left);
        check(data, limit, &whole);
        let bytes = frame(data, limit, |_| 1);
        assert_eq!(bytes, whole, "byte by byte, at most {limit} bytes");
        for _ in 0..3 {
            let most = 1 << rng.u32(1..8);
            let pieces = frame(data, limit, |_| rng.usize(0..most));
            assert_eq!(pieces, whole, "in pieces, at most {limit} bytes");
        }
    }
}

fn frame(mut data: &[u8], limit: usize, mut cut: impl FnMut(usize) -> usize) -> Framed {
    let mut framer = Framer::new(limit);
    let mut events = Vec::new();
    while !data.is_empty() {
        let (piece, rest) = data.split_at(cut(data.len()).min(data.len()));
        data = rest;
        let pushed = framer.push(piece);
        events.extend(std::iter::from_fn(|| framer.next_event()));
        if pushed.is_err() {
            assert!(
                framer.push(b"\n\n").is_err(),
                "a stream that failed goes on"
            );
            return Framed { events, tail: None };
        }
    }
    Framed {
        events,
        tail: Some(framer.finish()),
    }
}

fn check(data: &[u8], limit: usize, framed: &Framed) {
    let mut joined = Vec::new();
    for (at, event) in framed.events.iter().enumerate() {
        assert!(!event.raw().is_empty(), "an empty piece");
        assert!(
            event.raw().len() <= limit,
            "an event of more than {limit} bytes"
        );
        rewrite(event, at, &joined);
        joined.extend_from_slice(event.raw());
    }
    match &framed.tail {
        // Bytes that are not handed out are those of the event that was too large, and what follows.
        None => assert!(data.starts_with(&joined), "bytes were changed"),
        Some(tail) => {
            if let Tail::Complete(event) | Tail::Cut(event) = tail {
                rewrite(event, framed.events.len(), &joined);
                joined.extend_from_slice(event.raw());
            }
            assert_eq!(joined, data, "bytes were lost or changed");
        }
    }
}

/// New data is what a client reads in the rewritten event, and its other fields stay. `before` are the bytes
/// of the events before it.
fn rewrite(event: &Event, at: usize, before: &[u8]) {
    if at >= MOST_REWRITTEN {
        return;
    }
    let new: &[u8] = b"{\"a\":\n1}";
    let rewritten = event.with_data(new);
    if event.data().is_none() {
        assert_eq!(rewritten, event.raw(), "changed without data");
        return;
    }
    let stream = [before, &rewritten].concat();
    let Framed { mut events, tail } = frame(&stream, 1 << 21, |left| left);
    if let Some(Tail::Complete(event) | Tail::Cut(event)) = tail {
        // A line feed that completes the line end of the last event is no event.
        let late =
            event.raw() == b"\n" && events.last().is_some_and(|it| it.raw().ends_with(b"\r"));
        if !late {
            events.push(event);
        }
    }
    assert_eq!(events.len(), at + 1, "one event became none or two");
    let rewritten = &events[at];
    assert_eq!(
        rewritten.data().as_deref(),
        event.data().map(|_| new),
        "other data"
    );
    assert_eq!(
        (rewritten.id(), rewritten.kind()),
        (event.id(), event.kind()),
        "other fields"
    );
}
