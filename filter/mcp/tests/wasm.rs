//! The same behavior in WebAssembly, whose stack is small and whose pointers have 32 bits.
#![cfg(target_arch = "wasm32")]

#[cfg(test)]
mod tests {
    use gatehold_mcp::sse::Framer;
    use gatehold_mcp::{
        Era, Limits, ListKind, Message, Operation, Outcome, Rejection, answer, batch, canonical,
        list, operation, parse, parse_batch, tasks,
    };
    use wasm_bindgen_test::wasm_bindgen_test;

    #[wasm_bindgen_test]
    fn calls() {
        let body = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"refund","arguments":{"b":1e21,"a":18446744073709551615}}}"#;
        let Ok(Message::Request(request)) = parse(body, &Limits::default()) else {
            panic!()
        };
        let Ok(Operation::CallTool { name, arguments }) = operation(&request, Era::Legacy) else {
            panic!()
        };
        assert_eq!(name, "refund");
        assert_eq!(
            canonical(arguments),
            r#"{"a":18446744073709551615,"b":1e+21}"#
        );
    }

    #[wasm_bindgen_test]
    fn the_stack_bears_the_deepest_message() {
        let limits = Limits {
            depth: u32::MAX,
            ..Limits::default()
        };
        for depth in [50, 118, 119, 120, 127, 128, 100_000] {
            let (open, close) = ("[".repeat(depth), "]".repeat(depth));
            let body = format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"x","params":{{"a":{open}{close}}}}}"#
            );
            let read = parse(body.as_bytes(), &limits);
            assert_eq!(read.is_ok(), depth <= 118, "{depth}");
            let list = format!(r#"{{"result":{{"tools":{open}{close}}}}}"#);
            let era = Era::Legacy;
            let filtered = list::filter(ListKind::Tools, list.as_bytes(), era, &limits, |_| true);
            assert_eq!(filtered.is_ok(), depth <= 118, "{depth}");
            let _ = answer(body.as_bytes());
            let batch = format!("[{body}]");
            let read = parse_batch(batch.as_bytes(), &limits);
            assert_eq!(read.is_ok(), depth <= 117, "{depth}");
            let parts = batch::split(batch.as_bytes(), &limits);
            assert_eq!(parts.is_ok(), depth <= 117, "{depth}");
            let _ = tasks::seal(body.as_bytes(), &mut str::to_owned);
            let _ = tasks::open(body.as_bytes(), &mut |_| None);
        }
        let error = parse("[".repeat(1_000_000).as_bytes(), &limits).unwrap_err();
        assert_eq!(error.code(), -32600);
    }

    #[wasm_bindgen_test]
    fn lists() {
        let message = br#"{"id":1,"result":{"tools":[{"name":"h"},{"name":"v"}]}}"#;
        let limits = Limits::default();
        let filtered = list::filter(ListKind::Tools, message, Era::Modern, &limits, |n| n == "v");
        let expected = br#"{"id":1,"result":{"cacheScope":"private","tools":[{"name":"v"}]}}"#;
        assert_eq!(filtered.unwrap().body.unwrap(), expected);
    }

    #[wasm_bindgen_test]
    fn task_ids() {
        let message = br#"{"id":1,"result":{"tasks":[{"taskId":"a"},{"taskId":"b"}]}}"#;
        let sealed = tasks::seal(message, &mut |id| format!("s-{id}")).unwrap();
        let expected = br#"{"id":1,"result":{"tasks":[{"taskId":"s-a"},{"taskId":"s-b"}]}}"#;
        assert_eq!(sealed.unwrap(), expected);
        let message = br#"{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"s-a"}}"#;
        let opened = tasks::open(message, &mut |id| id.strip_prefix("s-").map(str::to_owned));
        let expected = br#"{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"a"}}"#;
        assert_eq!(opened.unwrap().unwrap(), expected);
    }

    #[wasm_bindgen_test]
    fn streams() {
        let mut framer = Framer::new(100);
        for chunk in [
            "id: 1\r",
            "\ndata: {\"id\":1,",
            "\"result\":{}}\r\n",
            "\r\n",
        ] {
            assert_eq!(framer.next_event(), None);
            framer.push(chunk.as_bytes()).unwrap();
        }
        let event = framer.next_event().unwrap();
        let answer = answer(&event.data().unwrap()).unwrap();
        assert_eq!(answer.outcome, Outcome::Ok);
        assert_eq!(event.with_data(b"{}"), b"id: 1\r\ndata: {}\r\n\r\n");
    }
}
