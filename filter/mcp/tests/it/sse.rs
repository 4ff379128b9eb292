//! Streams, cut and rewritten.

use gatehold_mcp::sse::{Event, Framer, Tail};

/// All pieces of a stream that arrives in chunks of `size` bytes.
fn frame(stream: &[u8], size: usize) -> (Vec<Event>, Tail) {
    let mut framer = Framer::new(1 << 20);
    let mut events = Vec::new();
    for chunk in stream.chunks(size) {
        framer.push(chunk).unwrap();
        events.extend(std::iter::from_fn(|| framer.next_event()));
    }
    (events, framer.finish())
}

/// The pieces' bytes; a cut one at the end is marked with a leading `!`.
fn check(stream: &str, expected: &[&str]) {
    for size in 1..=stream.len().max(1) {
        let (events, tail) = frame(stream.as_bytes(), size);
        let text = |event: &Event| String::from_utf8(event.raw().to_vec()).unwrap();
        let mut pieces: Vec<String> = events.iter().map(text).collect();
        match tail {
            Tail::Empty => {}
            Tail::Complete(event) => pieces.push(text(&event)),
            Tail::Cut(event) => pieces.push(format!("!{}", text(&event))),
        }
        assert_eq!(pieces, expected, "{stream:?} in chunks of {size}");
    }
}

#[test]
fn cutting() {
    check("", &[]);
    check("data: a\n\ndata: b\n\n", &["data: a\n\n", "data: b\n\n"]);
    check(
        "data: a\r\n\r\ndata: b\r\n\r\n",
        &["data: a\r\n\r\n", "data: b\r\n\r\n"],
    );
    check("data: a\r\rdata: b\r\r", &["data: a\r\r", "data: b\r\r"]);
    check(
        "data: a\n\r\ndata: b\r\n\ndata: c",
        &["data: a\n\r\n", "data: b\r\n\n", "!data: c"],
    );
    check("data: a\n\r", &["data: a\n\r"]);
    check(
        "data: a\r\r\ndata: b\n\n",
        &["data: a\r\r", "\ndata: b\n\n"],
    );
    check(
        "data: a\r\r\n\ndata: b\n\n",
        &["data: a\r\r", "\n\n", "data: b\n\n"],
    );
    check("\n\n", &["\n", "\n"]);
    check("\r\n\r", &["\r\n", "\r"]);
    check("data: a\n", &["!data: a\n"]);
    check("data: a\r", &["!data: a\r"]);
    // Keep-alives do not wait for an empty line, comments inside an event belong to it.
    check(
        ": hi\n: hi\n\ndata: a\n",
        &[": hi\n", ": hi\n", "\n", "!data: a\n"],
    );
    check("id: 1\n: hi\ndata: a\n\n", &["id: 1\n: hi\ndata: a\n\n"]);
    check(
        "\u{feff}: hi\ndata: a\n\n",
        &["\u{feff}: hi\n", "data: a\n\n"],
    );
    check("\u{feff}\ndata: a\n\n", &["\u{feff}\n", "data: a\n\n"]);
    check(
        "data: \u{2028}é\u{1f600}\u{85}\n\n",
        &["data: \u{2028}é\u{1f600}\u{85}\n\n"],
    );
}

#[test]
fn lone_crs_do_not_wait() {
    let mut framer = Framer::new(100);
    framer.push(b"data: a\r\r").unwrap();
    assert!(framer.next_event().is_some());
    framer.push(b"data: a\r\n\r").unwrap();
    assert!(
        framer.next_event().is_none(),
        "a line feed is still to come"
    );
    framer.push(b"\n").unwrap();
    assert!(framer.next_event().is_some());
}

#[test]
fn reading() {
    let check = |raw: &str, data: Option<&str>, kind: Option<&str>, id: Option<&str>| {
        let (events, _) = frame(raw.as_bytes(), raw.len());
        let [event] = events.as_slice() else {
            panic!("{raw:?}: {events:?}")
        };
        assert_eq!(
            event.data().as_deref(),
            data.map(str::as_bytes),
            "data of {raw:?}"
        );
        assert_eq!(event.kind(), kind.map(str::as_bytes), "event of {raw:?}");
        assert_eq!(event.id(), id.map(str::as_bytes), "id of {raw:?}");
    };
    check("data: a\n\n", Some("a"), None, None);
    check("data:a\n\n", Some("a"), None, None);
    check("data:  a \n\n", Some(" a "), None, None);
    check("data: a\ndata: b\r\ndata\n\n", Some("a\nb\n"), None, None);
    check("data\n\n", Some(""), None, None);
    check("id: 7\ndata:\n\n", Some(""), None, Some("7"));
    check("id: 7\nretry: 10\n\n", None, None, Some("7"));
    check(
        "event: a\nevent: message\ndata: x:y\n\n",
        Some("x:y"),
        Some("message"),
        None,
    );
    check("Data: a\n data: b\ndata : c\n\n", None, None, None);
    check("\u{feff}data: a\n\n", Some("a"), None, None);
    check("\n", None, None, None);
    check(": comment\n", None, None, None);
}

#[test]
fn only_the_stream_starts_with_a_byte_order_mark() {
    let (events, _) = frame("data: a\n\n\u{feff}data: b\n\n".as_bytes(), 4);
    assert_eq!(events.last().unwrap().data(), None);
}

#[test]
fn rewriting() {
    let check = |raw: &str, data: &str, expected: &str| {
        let (events, tail) = frame(raw.as_bytes(), raw.len());
        let cut = if let Tail::Cut(event) = tail {
            Some(event)
        } else {
            None
        };
        let event = events.first().or(cut.as_ref()).unwrap();
        let out = event.with_data(data.as_bytes());
        assert_eq!(String::from_utf8(out.clone()).unwrap(), expected, "{raw:?}");
        let (events, tail) = frame(&out, out.len());
        let cut = if let Tail::Cut(event) = tail {
            Some(event)
        } else {
            None
        };
        let event = events.first().or(cut.as_ref()).unwrap();
        assert_eq!(
            event.data().as_deref(),
            Some(data.as_bytes()),
            "{raw:?} reads back"
        );
    };
    check("data: a\n\n", "new", "data: new\n\n");
    check(
        "id: 1\r\ndata: a\r\ndata: b\r\nretry: 5\r\n: c\r\n\r\n",
        "new",
        "id: 1\r\ndata: new\r\nretry: 5\r\n: c\r\n\r\n",
    );
    check(
        "event: message\rdata: a\r\r",
        "x\ny",
        "event: message\rdata: x\rdata: y\r\r",
    );
    check("\u{feff}data: a\n\n", "new", "\u{feff}data: new\n\n");
    check("data: a\n\n", "", "data:\n\n");
    check("data: a", "new", "data: new\n");
    // Line ends that would run together when the line between them goes.
    check("data: a\rdata: b\r\n\n", "new", "data: new\r\n\n");
    check(
        "data: a\rid: 1\rdata: b\n\n",
        "new",
        "data: new\rid: 1\r\n\n",
    );
}

#[test]
fn limits() {
    let mut framer = Framer::new(10);
    framer.push(b"data: 12\n\n").unwrap();
    assert!(framer.push(b"data: a\n\ndata: 1234").is_ok());
    assert!(framer.push(b"5").is_err());
    // What was complete can still be taken, but the stream is over.
    assert_eq!(std::iter::from_fn(|| framer.next_event()).count(), 2);
    assert!(framer.push(b"\n\n").is_err());

    assert!(Framer::new(10).push(b"data: 123\n\n").is_err());
    let mut framer = Framer::new(16);
    for _ in 0..1000 {
        framer.push(b": keep-alive\n").unwrap();
        assert!(framer.next_event().is_some());
    }
}

#[test]
fn time_is_linear() {
    // Byte by byte, with pieces of all sizes: quadratic work would take minutes.
    let mut framer = Framer::new(1 << 22);
    for _ in 0..1 << 20 {
        framer.push(b"x").unwrap();
    }
    framer.push(&b"\n\n".repeat(1 << 17)).unwrap();
    assert_eq!(
        std::iter::from_fn(|| framer.next_event()).count(),
        (1 << 18) - 1
    );
}
