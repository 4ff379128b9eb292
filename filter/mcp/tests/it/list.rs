//! Lists: what stays keeps its bytes.

use gatehold_mcp::list::{Filtered, ListError, filter};
use gatehold_mcp::{Era, Limits, ListKind, answer};

fn run(kind: ListKind, era: Era, message: &str) -> Result<Filtered, ListError> {
    let limits = Limits {
        depth: 12,
        list_entries: 4,
        ..Limits::default()
    };
    filter(kind, message.as_bytes(), era, &limits, |name| {
        name.starts_with('v')
    })
}

/// `expected`: `None` for the same bytes.
fn check(era: Era, message: &str, counts: (usize, usize), expected: Option<&str>) {
    let filtered = run(ListKind::Tools, era, message).unwrap();
    let body = filtered
        .body
        .as_deref()
        .map(|body| std::str::from_utf8(body).unwrap());
    assert_eq!(
        (filtered.shown, filtered.hidden, body),
        (counts.0, counts.1, expected),
        "{message}"
    );
}

#[test]
fn legacy() {
    let check = |message, counts, expected| check(Era::Legacy, message, counts, expected);
    check(
        r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}"#,
        (0, 0),
        None,
    );
    check(
        r#"{"result":{"tools":[{"name":"v1"}],"nextCursor":"c"}}"#,
        (1, 0),
        None,
    );
    check(
        r#"{"result":{"tools":[{"name":"h"}]},"id":1}"#,
        (0, 1),
        Some(r#"{"result":{"tools":[]},"id":1}"#),
    );
    check(
        r#" { "id" : 1, "result" : { "nextCursor":"c", "tools" : [ {"name":"h1"}, { "name" : "v1","n":1.50 } ,{"name":"h2"},{"description":"\u00e9","name":"\u0076\u0032"}] , "x":[ ] } } "#,
        (2, 2),
        Some(
            r#" { "id" : 1, "result" : { "nextCursor":"c", "tools" : [{ "name" : "v1","n":1.50 },{"description":"\u00e9","name":"\u0076\u0032"}] , "x":[ ] } } "#,
        ),
    );
    // Escaped keys are the same keys.
    check(
        r#"{"re\u0073ult":{"\u0074ools":[{"n\u0061me":"h"}]}}"#,
        (0, 1),
        Some(r#"{"re\u0073ult":{"\u0074ools":[]}}"#),
    );
    // Without a readable name nobody may see it.
    check(
        r#"{"result":{"tools":[{},null,"v",{"name":7}]}}"#,
        (0, 4),
        Some(r#"{"result":{"tools":[]}}"#),
    );
    check(
        r#"{"result":{"tools":[{"name":"v"}],"cacheScope":"public"}}"#,
        (1, 0),
        Some(r#"{"result":{"tools":[{"name":"v"}],"cacheScope":"private"}}"#),
    );
}

#[test]
fn modern() {
    let check = |message, counts, expected| check(Era::Modern, message, counts, expected);
    let private = r#"{"result":{"tools":[{"name":"v"}],"ttlMs":5,"cacheScope":"private"}}"#;
    check(private, (1, 0), None);
    check(
        r#"{"result":{"cacheScope": {"a":[]} ,"tools":[{"name":"h"},{"name":"v"}]}}"#,
        (1, 1),
        Some(r#"{"result":{"cacheScope": "private" ,"tools":[{"name":"v"}]}}"#),
    );
    check(
        r#"{"result": {"resultType":"complete","tools":[{"name":"v"}]}}"#,
        (1, 0),
        Some(
            r#"{"result": {"cacheScope":"private","resultType":"complete","tools":[{"name":"v"}]}}"#,
        ),
    );
    check(r#"{"result":{"resultType":"complete"}}"#, (0, 0), None);
}

#[test]
fn what_is_no_list_passes() {
    for message in [
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"x","data":{"tools":[{"name":"h"}]}}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"tools":[{"name":"h"}]}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":null}"#,
    ] {
        check(Era::Modern, message, (0, 0), None);
    }
}

#[test]
fn refusals() {
    let check = |message: &str, expected: &str| {
        let error = run(ListKind::Tools, Era::Legacy, message).unwrap_err();
        let name = format!("{error:?}");
        assert!(name.starts_with(expected), "{message}: {name}");
    };
    check("", "Malformed");
    check("[]", "Batch");
    check(r#"[{"result":{"tools":[]}}]"#, "Batch");
    check(r#"{"result":{"tools":[]}} x"#, "Malformed");
    check(r#"{"result":{"tools":{}}}"#, "Malformed");
    check(r#"{"result":{"tools":null}}"#, "Malformed");
    check(r#"{"result":[]}"#, "Malformed");
    check(r#"{"result":{"tools":[]},"error":{"code":1}}"#, "Malformed");
    check(r#"{"result":{"tools":[]},"method":"ping"}"#, "Malformed");
    check(r#"{"result":{"tools":[]},"result":{}}"#, "Ambiguous");
    check(r#"{"Result":{"tools":[]}}"#, "Ambiguous");
    check(r#"{"result":{"tools":[],"Tools":[]}}"#, "Ambiguous");
    check(
        r#"{"result":{"tools":[],"tool\u0073":[{"name":"h"}]}}"#,
        "Ambiguous",
    );
    check(
        r#"{"result":{"tools":[{"name":"v","name":"h"}]}}"#,
        "Ambiguous",
    );
    check(
        r#"{"result":{"tools":[{"name":"v","NAME":"h"}]}}"#,
        "Ambiguous",
    );
    check(
        r#"{"result":{"tools":[{"name":"v","inputSchema":{"a":1,"\u0061":2}}]}}"#,
        "Ambiguous",
    );
    check(r#"{"result":{"tools":[1,2,3,4,5]}}"#, "TooManyEntries(4)");
    check(
        r#"{"result":{"tools":[[[[[[[[[[[[[1]]]]]]]]]]]]]}}"#,
        "TooDeep(12)",
    );
    let bytes = b"{\"result\":{\"tools\":[{\"name\":\"v\xff\"}]}}";
    assert!(
        filter(
            ListKind::Tools,
            bytes,
            Era::Legacy,
            &Limits::default(),
            |_| true
        )
        .is_err()
    );
}

#[test]
fn other_kinds() {
    let check = |kind, message: &str, expected: &str| {
        let filtered = run(kind, Era::Legacy, message).unwrap();
        assert_eq!(String::from_utf8(filtered.body.unwrap()).unwrap(), expected);
    };
    check(
        ListKind::Prompts,
        r#"{"result":{"prompts":[{"name":"v"},{"name":"h"}]}}"#,
        r#"{"result":{"prompts":[{"name":"v"}]}}"#,
    );
    check(
        ListKind::Resources,
        r#"{"result":{"resources":[{"name":"v","uri":"h:1"},{"name":"h","uri":"v:2"}]}}"#,
        r#"{"result":{"resources":[{"name":"h","uri":"v:2"}]}}"#,
    );
    check(
        ListKind::ResourceTemplates,
        r#"{"result":{"resourceTemplates":[{"uriTemplate":"v:{x}"},{"uri":"v:1"}]}}"#,
        r#"{"result":{"resourceTemplates":[{"uriTemplate":"v:{x}"}]}}"#,
    );
}

#[test]
fn shapes() {
    let check = |message: &str, expected: &[ListKind]| {
        let answer = answer(message.as_bytes()).unwrap();
        assert_eq!(answer.lists, expected, "{message}");
    };
    check(r#"{"result":{"tools":[]}}"#, &[ListKind::Tools]);
    check(
        r#"{"id":3,"result":{"nextCursor":"","prompts":[]}}"#,
        &[ListKind::Prompts],
    );
    check(r#"{"result":{"resources":[]}}"#, &[ListKind::Resources]);
    check(
        r#"{"result":{"resourceTemplates":[]}}"#,
        &[ListKind::ResourceTemplates],
    );
    check(
        r#"{"result":{"resourceTemplates":[],"tools":[]}}"#,
        &[ListKind::Tools, ListKind::ResourceTemplates],
    );
    // The filter refuses these for what they mix.
    check(
        r#"{"method":"x","result":{"tools":[]}}"#,
        &[ListKind::Tools],
    );
    check(r#"{"error":{},"result":{"tools":[]}}"#, &[ListKind::Tools]);
    for message in [
        r#"{"result":{"capabilities":{"tools":[]}}}"#,
        r#"{"result":{"tools":{}}}"#,
        r#"{"result":[]}"#,
        r#"{"result":null}"#,
        r#"{"error":{"data":{"tools":[]}}}"#,
        r#"{"method":"x","params":{"tools":[]}}"#,
        r#"{"detail":[{"tools":[]}]}"#,
        r#""Not found""#,
        "Not found",
        "",
    ] {
        check(message, &[]);
    }
}

#[test]
fn shapes_that_cannot_be_told() {
    let check = |message: &str, expected: &str| {
        let error = answer(message.as_bytes()).unwrap_err();
        let name = format!("{error:?}");
        assert!(name.starts_with(expected), "{message}: {name}");
    };
    check(r#"[{"result":{"tools":[]}}]"#, "Batch");
    check(" \n[]", "Batch");
    check("[", "Batch");
    // What some clients read all the same.
    check("\u{feff}{\"result\":{\"tools\":[]}}", "Malformed");
    check("\u{feff}[{\"result\":{\"tools\":[]}}]", "Malformed");
    check(
        r#"{"result":{"tools":[{"inputSchema":{"default":NaN}}]}}"#,
        "Malformed",
    );
    check(r#"{"result":{"tools":[]}} {}"#, "Malformed");
    check(r#"{"result":{"tools":[]},"result":{}}"#, "Ambiguous");
    check(r#"{"result":{"tools":[],"tools":{}}}"#, "Ambiguous");
    check(r#"{"Result":{"tools":[]}}"#, "Ambiguous");
    check(r#"{"result":{"Tools":[]}}"#, "Ambiguous");
}
