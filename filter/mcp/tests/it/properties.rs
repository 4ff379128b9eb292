//! What holds for any input.

use gatehold_mcp::sse::{Framer, Tail};
use gatehold_mcp::{
    Era, Id, Limits, ListKind, Message, Operation, answer, canonical, list, operation, parse,
    trace_id,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Any JSON value, with keys that are alike now and then.
pub(crate) fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            object(inner).prop_map(Value::Object),
        ]
    })
}

fn object(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    let key = prop_oneof!["[abAB]{0,2}", any::<String>()];
    prop::collection::vec((key, value), 0..5).prop_map(Map::from_iter)
}

fn call() -> impl Strategy<Value = Value> {
    (any::<String>(), object(value()), any::<u64>()).prop_map(|(name, arguments, id)| {
        json!({
            "jsonrpc": "2.0",
            "id": id,
            "method": "tools/call",
            "params": {"name": name, "arguments": arguments},
        })
    })
}

/// One edit of a text: at a place, remove some bytes and put others there.
pub(crate) type Edit = (prop::sample::Index, usize, Vec<u8>);

pub(crate) fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let insert = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..4),
        prop::sample::select(vec![
            "\"",
            "\\",
            "\\u0061",
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "null",
            "\"id\":1,",
            "\"name\":\"x\",",
            "\"Method\":\"a\",",
            "-",
            "9999999999",
            "1e9",
            "\u{feff}",
            "\\ud800",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    prop::collection::vec((any::<prop::sample::Index>(), 0_usize..6, insert), 0..4)
}

pub(crate) fn mutate(mut text: Vec<u8>, edits: Vec<Edit>) -> Vec<u8> {
    for (at, remove, insert) in edits {
        let at = at.index(text.len() + 1);
        let end = (at + remove).min(text.len());
        text.splice(at..end, insert);
    }
    text
}

/// What `parse` accepts, a standard parser reads alike.
fn agrees(body: &[u8]) {
    let Ok(message) = parse(body, &Limits::default()) else {
        return;
    };
    let standard: Value = serde_json::from_slice(body).unwrap();
    assert_eq!(
        message.method(),
        standard.get("method").and_then(Value::as_str)
    );
    assert_eq!(
        message.params(),
        standard.get("params").and_then(Value::as_object)
    );
    let id = standard.get("id").cloned().and_then(Id::from_value);
    match &message {
        Message::Request(request) => {
            assert_eq!(Some(&request.id), id.as_ref());
            if let Ok(Operation::CallTool { name, arguments }) = operation(request, Era::Legacy) {
                assert_eq!(Some(name), standard["params"]["name"].as_str());
                let expected = standard["params"]["arguments"].as_object();
                assert_eq!(arguments, expected.unwrap_or(&Map::new()));
            }
        }
        Message::Notification(_) => assert_eq!(standard.get("id"), None),
        Message::Response(response) => assert_eq!(response.id, id),
    }
}

fn frame(stream: &[u8], cuts: &[usize]) -> (Vec<Vec<u8>>, Tail) {
    let mut framer = Framer::new(1 << 20);
    let mut pieces = Vec::new();
    let mut rest = stream;
    for &cut in cuts.iter().chain([&usize::MAX]) {
        let (chunk, later) = rest.split_at(cut.min(rest.len()));
        rest = later;
        framer.push(chunk).unwrap();
        while let Some(event) = framer.next_event() {
            pieces.push(event.into_raw());
        }
    }
    (pieces, framer.finish())
}

fn tail_bytes(tail: &Tail) -> &[u8] {
    match tail {
        Tail::Empty => b"",
        Tail::Complete(event) | Tail::Cut(event) => event.raw(),
    }
}

/// Streams of what matters to the framer.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let token = prop::sample::select(vec![
        "\n",
        "\r",
        "\r\n",
        "data: ",
        "data:",
        "id: 1",
        ":",
        "x",
        " ",
        "\u{feff}",
        "é",
        "event: message",
    ]);
    prop::collection::vec(token, 0..40).prop_map(|tokens| tokens.concat().into_bytes())
}

proptest! {
    #[test]
    fn any_bytes_give_a_value_or_an_error(body in prop::collection::vec(any::<u8>(), 0..200)) {
        agrees(&body);
        let _ = answer(&body);
        let _ = trace_id(Some(&body), None);
        let _ = list::filter(ListKind::Tools, &body, Era::Modern, &Limits::default(), |_| true);
    }

    #[test]
    fn mutated_calls_are_read_as_a_standard_parser_reads_them(call in call(), edits in edits()) {
        agrees(&mutate(call.to_string().into_bytes(), edits));
    }

    #[test]
    fn calls_without_alike_keys_are_accepted(name in any::<String>(), numbers in prop::collection::btree_map("[a-z]{1,4}", any::<f64>(), 0..5)) {
        let body = json!({"jsonrpc": "2.0", "id": "", "method": "tools/call", "params": {"name": name, "arguments": numbers}});
        let body = body.to_string();
        let message = parse(body.as_bytes(), &Limits::default());
        prop_assert!(message.is_ok(), "{body}: {message:?}");
        agrees(body.as_bytes());
    }

    #[test]
    fn canonical_arguments_read_back(arguments in object(value())) {
        let text = canonical(&arguments);
        let again: Map<String, Value> = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(canonical(&again), text);
    }

    #[test]
    fn framing_does_not_depend_on_chunks(
        stream in prop_oneof![stream(), prop::collection::vec(any::<u8>(), 0..100)],
        cuts in prop::collection::vec(0_usize..9, 0..30),
    ) {
        let (whole, whole_tail) = frame(&stream, &[]);
        let (pieces, tail) = frame(&stream, &cuts);
        prop_assert_eq!(&pieces, &whole);
        prop_assert_eq!(&tail, &whole_tail);
        prop_assert_eq!([pieces.concat().as_slice(), tail_bytes(&tail)].concat(), stream);
    }

    #[test]
    fn rewritten_events_read_back(stream in stream(), data in "[a-z{}\n]{0,20}") {
        let mut framer = Framer::new(1 << 20);
        framer.push(&stream).unwrap();
        // Only the first piece can start with a byte order mark.
        if let Some(event) = framer.next_event() && event.data().is_some() && !data.ends_with('\n') {
            let mut again = Framer::new(1 << 20);
            again.push(&event.with_data(data.as_bytes())).unwrap();
            let rewritten = again.next_event();
            let rewritten = match again.finish() {
                Tail::Complete(event) => Some(event),
                _ => rewritten,
            };
            let found = rewritten.as_ref().and_then(|event| event.data());
            prop_assert_eq!(found.as_deref(), Some(data.as_bytes()));
            prop_assert_eq!(rewritten.as_ref().and_then(|event| event.id()), event.id());
        }
    }

    #[test]
    fn lists_keep_bytes_and_hide_names(
        entries in prop::collection::vec((any::<bool>(), "[a-z\u{e9}\"\\\\]{0,6}", value(), any::<bool>()), 0..8),
        blanks in "[ \t\n\r]{0,2}",
        modern in any::<bool>(),
    ) {
        let texts: Vec<String> = entries.iter().map(|(hide, name, extra, escape)| {
            let name = format!("{}{name}", if *hide { "secret" } else { "open" });
            let mut name = serde_json::to_string(&name).unwrap();
            if *escape {
                name = name.replace('e', "\\u0065");
            }
            format!("{{{blanks}\"x\":{extra},\"name\"{blanks}:{name}}}")
        }).collect();
        let message = format!(
            "{{\"id\":1,\"result\":{{\"tools\":{blanks}[{}]{blanks},\"nextCursor\":\"secret\"}}}}{blanks}",
            texts.join(&format!("{blanks},{blanks}")),
        );
        let era = if modern { Era::Modern } else { Era::Legacy };
        let filtered = list::filter(ListKind::Tools, message.as_bytes(), era, &Limits::default(), |name| !name.starts_with("secret"));
        let filtered = filtered.unwrap();
        let body = String::from_utf8(filtered.body.unwrap_or(message.into_bytes())).unwrap();
        let read: Value = serde_json::from_str(&body).unwrap();
        let names: Vec<&str> = read["result"]["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
        prop_assert!(names.iter().all(|name| name.starts_with("open")));
        let kept: Vec<&String> = entries.iter().zip(&texts).filter(|((hide, ..), _)| !hide).map(|(_, text)| text).collect();
        prop_assert_eq!(filtered.shown, kept.len());
        prop_assert_eq!(filtered.hidden, entries.len() - kept.len());
        // In order, each as it came.
        let mut rest = body.as_str();
        for text in kept {
            let later = rest.split_once(text.as_str());
            prop_assert!(later.is_some());
            rest = later.unwrap().1;
        }
        prop_assert_eq!(&read["result"]["nextCursor"], "secret");
        prop_assert_eq!(read["result"].get("cacheScope").is_some(), modern);
    }

    #[test]
    fn mutated_lists_never_show_a_hidden_name(edits in edits()) {
        let message = br#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"open_a","x":[1]},{"name":"secret"},{"x":{},"name":"open_b"}],"cacheScope":"public"}}"#;
        let message = mutate(message.to_vec(), edits);
        let result = list::filter(ListKind::Tools, &message, Era::Modern, &Limits::default(), |name| name.starts_with("open"));
        if let Ok(filtered) = result {
            let body = filtered.body.unwrap_or(message);
            let read: Value = serde_json::from_slice(&body).unwrap();
            for tool in read["result"]["tools"].as_array().into_iter().flatten() {
                prop_assert!(tool["name"].as_str().is_some_and(|name| name.starts_with("open")));
            }
        }
    }
}
