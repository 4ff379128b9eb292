//! Batches of clients and of servers.

use crate::properties::{edits, mutate, value};
use gatehold_mcp::list::ListError;
use gatehold_mcp::{
    HeaderError, Limits, MAX_BATCH, Message, ParseError, ParseFault, Rejection, RequestHeaders,
    Version, batch, is_batch, parse, parse_batch, protocol_of_batch, reply,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::borrow::Cow;

fn read(body: &str) -> Result<Vec<Message>, ParseError> {
    parse_batch(body.as_bytes(), &Limits::default())
}

fn call(id: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"n"}}}}"#)
}

const CANCELLED: &str = r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#;
const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":9,"method":"initialize"}"#;

fn response(id: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#)
}

fn array(elements: &[&str]) -> String {
    format!("[{}]", elements.join(","))
}

#[test]
fn accepted() {
    let (one, text, other) = (call("1"), call("\"1\""), call("2"));
    let found = read(&array(&[&one, CANCELLED, &text, CANCELLED, &other])).unwrap();
    let methods: Vec<_> = found.iter().filter_map(Message::method).collect();
    assert_eq!(
        methods,
        [
            "tools/call",
            "notifications/cancelled",
            "tools/call",
            "notifications/cancelled",
            "tools/call"
        ]
    );
    let error = r#"{"jsonrpc":"2.0","error":{}}"#;
    let found = read(&array(&[&response("1"), &response("\"1\""), error, error])).unwrap();
    assert!(found.iter().all(|it| matches!(it, Message::Response(_))));
    let most: Vec<String> = (0..MAX_BATCH).map(|id| call(&id.to_string())).collect();
    assert_eq!(
        read(&format!(" [ {} ] ", most.join(" , "))).unwrap().len(),
        MAX_BATCH
    );
}

#[test]
fn refused() {
    let check = |body: &str, expected: ParseFault| {
        let error = read(body).unwrap_err();
        assert_eq!((error.status(), error.id()), (400, None), "{body}");
        assert_eq!(error.fault, expected, "{body}");
    };
    let one = call("1");
    check("[]", ParseFault::EmptyBatch);
    check(&one, ParseFault::NotABatch);
    check("7", ParseFault::NotABatch);
    check("[1]", ParseFault::NotAnObject);
    check(&format!("[[{one}]]"), ParseFault::NotAnObject);
    check(&array(&[&one, "null"]), ParseFault::NotAnObject);
    check(&array(&[&one, "{}"]), ParseFault::Version);
    check(&array(&[INITIALIZE]), ParseFault::BatchedInitialize);
    check(
        &array(&[CANCELLED, INITIALIZE]),
        ParseFault::BatchedInitialize,
    );
    check(&array(&[&one, &one]), ParseFault::RepeatedId("1".into()));
    let text = call("\"a\"");
    check(
        &array(&[&text, CANCELLED, &call("\"\\u0061\"")]),
        ParseFault::RepeatedId("a".into()),
    );
    // The same number where integers are floats.
    check(
        &array(&[&call("9007199254740992"), &call("9007199254740993")]),
        ParseFault::RepeatedId("9007199254740993".into()),
    );
    check(
        &array(&[&response("1"), &response("1")]),
        ParseFault::RepeatedId("1".into()),
    );
    check(&array(&[&one, &response("2")]), ParseFault::BatchMixed);
    check(&array(&[&response("2"), CANCELLED]), ParseFault::BatchMixed);
    check(
        &array(&[r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"n"}}"#]),
        ParseFault::Kind("tools/call".into()),
    );
    check(
        &array(&[r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#]),
        ParseFault::DuplicateKey("id".into()),
    );
    check(
        &array(&[r#"{"jsonrpc":"2.0","id":1,"Method":"ping","method":"ping"}"#]),
        ParseFault::ConfusableKey("method".into()),
    );
    check(
        &array(&[
            r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":99999999999999999999999}}"#,
        ]),
        ParseFault::IntegerTooLarge,
    );
    assert!(matches!(
        read(&format!("[{one}]{one}")).unwrap_err().fault,
        ParseFault::Syntax(_)
    ));
    assert!(matches!(
        read(&format!("[{one},]")).unwrap_err().fault,
        ParseFault::Syntax(_)
    ));
}

#[test]
fn bounded() {
    let many: Vec<String> = (0..=MAX_BATCH).map(|id| call(&id.to_string())).collect();
    let error = read(&format!("[{}]", many.join(","))).unwrap_err();
    assert_eq!(error.fault, ParseFault::BatchTooLong(MAX_BATCH));
    assert_eq!((error.status(), error.code()), (413, -31413));
    // The array is a level of its own.
    let limits = |depth| Limits {
        depth,
        ..Limits::default()
    };
    let body = call("1");
    assert!(parse(body.as_bytes(), &limits(2)).is_ok());
    let body = format!("[{body}]");
    assert!(parse_batch(body.as_bytes(), &limits(3)).is_ok());
    let error = parse_batch(body.as_bytes(), &limits(2)).unwrap_err();
    assert_eq!(error.fault, ParseFault::TooDeep(2));
    assert!(read(&"[".repeat(100_000)).is_err());
}

#[test]
fn versions() {
    const MODERN: &str = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28""#;
    let judge = |pairs: &[(&str, &str)], meta: &str| {
        let body = format!(
            r#"[{},{{"jsonrpc":"2.0","id":2,"method":"ping","params":{{"_meta":{{{meta}}}}}}}]"#,
            call("1")
        );
        let pairs = pairs
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let headers = RequestHeaders::from_pairs(pairs).unwrap();
        protocol_of_batch(&headers, &read(&body).unwrap())
            .inspect_err(|error| assert_eq!(error.status(), 400))
    };
    let code = |pairs: &[(&str, &str)], meta: &str| judge(pairs, meta).unwrap_err().code();
    let version = |version: &'static str| ("mcp-protocol-version", version);
    let good = Ok(Version::V2025_03_26.into());
    assert_eq!(judge(&[], ""), good);
    assert_eq!(judge(&[version("2025-03-26")], ""), good);
    let same = MODERN.replace("2026-07-28", "2025-03-26");
    assert_eq!(judge(&[], &same), good);
    assert_eq!(judge(&[version("2025-03-26")], &same), good);
    for later in ["2025-06-18", "2025-11-25", "2026-07-28"] {
        let error = judge(&[version(later)], "").unwrap_err();
        assert_eq!(error, HeaderError::BatchNotAllowed, "{later}");
        assert_eq!(error.code(), -32600);
        let meta = MODERN.replace("2026-07-28", later);
        assert_eq!(code(&[version(later)], &meta), -32600, "{later}");
        assert_eq!(code(&[], &meta), -32600, "{later}");
        assert_eq!(code(&[version("2025-03-26")], &meta), -32020, "{later}");
    }
    assert_eq!(code(&[version("2024-11-05")], ""), -32022);
    assert_eq!(code(&[version("2025-03-26, 2025-03-26")], ""), -32022);
    assert_eq!(code(&[version("é")], ""), -32020);
    assert_eq!(code(&[], &MODERN.replace("2026", "2099")), -32022);
    assert_eq!(code(&[], &MODERN.replace("\"2026-07-28\"", "1")), -32602);
    assert_eq!(code(&[("mcp-method", "tools/call")], ""), -32020);
    assert_eq!(code(&[("mcp-name", "n")], ""), -32020);
}

#[test]
fn replies() {
    let bodies = [br#"{"id":1}"#.to_vec(), br#"{"id":2}"#.to_vec()];
    assert_eq!(reply::batch_body(&bodies), br#"[{"id":1},{"id":2}]"#);
    assert_eq!(reply::batch_body(&[]), b"[]");
}

#[test]
fn taking_apart() {
    let split = |text: &'static str| batch::split(text.as_bytes(), &Limits::default());
    let parts = split(" [ {\"a\" : [1]} ,\n[{}], \"x\" ,1.50] ").unwrap();
    assert_eq!(parts, [&b"{\"a\" : [1]}"[..], b"[{}]", b"\"x\"", b"1.50"]);
    assert_eq!(split("[]").unwrap(), Vec::<&[u8]>::new());
    for wrong in [
        "",
        "{}",
        "[",
        "[1,]",
        "[1]]",
        "[1] x",
        "[1][2]",
        "\u{feff}[1]",
    ] {
        assert!(
            matches!(split(wrong), Err(ListError::Malformed(_))),
            "{wrong}"
        );
    }
    assert!(batch::split(b"[\"\xff\"]", &Limits::default()).is_err());
    assert_eq!(
        split(r#"[{"x":{"a":1,"\u0061":2}}]"#),
        Err(ListError::Ambiguous("a".to_owned()))
    );
    let many = |count: usize| format!("[{}]", vec!["{}"; count].join(","));
    let split = |text: &str| batch::split(text.as_bytes(), &Limits::default()).map(|it| it.len());
    assert_eq!(split(&many(MAX_BATCH)), Ok(MAX_BATCH));
    let error = split(&many(MAX_BATCH + 1)).unwrap_err();
    assert_eq!(error, ListError::BatchTooLong(MAX_BATCH));
    assert_eq!((error.status(), error.code()), (502, -31413));
    assert!(split(&"[".repeat(100_000)).is_err());
}

proptest! {
    #[test]
    fn one_element_is_read_as_it_is_alone(
        id in any::<u64>(),
        params in value(),
        edits in edits(),
    ) {
        let body = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params});
        let body = mutate(body.to_string().into_bytes(), edits);
        // A comma at the top would make it several.
        if serde_json::from_slice::<Value>(&body).is_err() {
            return Ok(());
        }
        let limits = Limits::default();
        let deeper = Limits { depth: limits.depth + 1, ..limits };
        let alone = parse(&body, &limits);
        let batched = parse_batch(&[b"[", &body[..], b"]"].concat(), &deeper);
        match (alone, batched) {
            (Ok(alone), Ok(batched)) => prop_assert_eq!(vec![alone], batched),
            (Err(alone), Err(batched)) => {
                if let ParseFault::TooDeep(_) = alone.fault {
                    prop_assert!(matches!(batched.fault, ParseFault::TooDeep(_)));
                } else if alone.fault != ParseFault::Batch {
                    prop_assert_eq!(alone.fault, batched.fault);
                }
            }
            (alone, batched) => prop_assert!(false, "{alone:?} {batched:?}"),
        }
    }

    #[test]
    fn parts_join_to_the_same(
        values in prop::collection::vec(value(), 0..8),
        blanks in "[ \t\n\r]{0,2}",
    ) {
        let texts: Vec<String> = values.iter().map(Value::to_string).collect();
        let message = format!("{blanks}[{blanks}{}{blanks}]{blanks}", texts.join(&format!("{blanks},{blanks}")));
        prop_assert!(is_batch(message.as_bytes()));
        let parts = batch::split(message.as_bytes(), &Limits::default());
        prop_assume!(parts.is_ok());
        let parts = parts.unwrap();
        prop_assert_eq!(&parts, &texts.iter().map(String::as_bytes).collect::<Vec<_>>());
        let parts: Vec<_> = parts.into_iter().map(Cow::Borrowed).collect();
        let joined = batch::join(&parts);
        prop_assert_eq!(&joined, &format!("[{}]", texts.join(",")).into_bytes());
        let bodies: Vec<_> = parts.into_iter().map(Cow::into_owned).collect();
        prop_assert_eq!(reply::batch_body(&bodies), joined);
    }

    #[test]
    fn any_bytes(body in prop::collection::vec(any::<u8>(), 0..100)) {
        let body = [b"[", &body[..], b"]"].concat();
        let _ = parse_batch(&body, &Limits::default());
        let _ = batch::split(&body, &Limits::default());
    }
}
