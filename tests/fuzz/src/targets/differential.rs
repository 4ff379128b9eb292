//! What the filter decides on, against what a server would execute.
//!
//! A message that the filter accepts must mean the same to whoever reads the same bytes: every parser of
//! [`crate::read`], whichever of repeated members it takes, and whether or not it minds case.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatehold_mcp::{
    Era, Limits, Message, Operation, Reference, RequestHeaders, operation, parse, parse_batch,
    protocol, protocol_of_batch, tasks,
};
use serde_json::Value;

use crate::read::{PARSERS, PICKS, Parser, Pick, Tree};

/// What servers know by name in a message.
const ENVELOPE: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];

/// What servers know by name in the parameters of the requests of all versions.
const PARAMS: [&str; 16] = [
    "_meta",
    "name",
    "arguments",
    "uri",
    "ref",
    "argument",
    "context",
    "notifications",
    "taskId",
    "task",
    "cursor",
    "level",
    "protocolVersion",
    "requestState",
    "inputResponses",
    "requestId",
];

const RELATED: &str = "io.modelcontextprotocol/related-task";

/// Ways in which a client states in headers what the body says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stated {
    /// Nothing.
    Nothing,
    /// A version of the legacy era.
    Legacy(&'static str),
    /// A version, and method and name as `serde_json` reads them in the body.
    Mirrored(&'static str),
    /// The same, with the name in base64.
    Encoded(&'static str),
    /// A name that the body does not have.
    Other,
}

/// Chosen by a first byte of 1 to 7; without one it is the first.
const STATED: [Stated; 8] = [
    Stated::Legacy("2025-06-18"),
    Stated::Nothing,
    Stated::Legacy("2025-03-26"),
    Stated::Mirrored("2025-11-25"),
    Stated::Mirrored("2026-07-28"),
    Stated::Encoded("2026-07-28"),
    Stated::Other,
    Stated::Legacy("2025-11-25"),
];

/// The input is the body of a POST, after a byte that chooses its headers, if it is one of 1 to 7.
pub fn differential(data: &[u8]) {
    let (stated, body) = match data.split_first() {
        Some((choice @ 1..=7, body)) => (STATED[usize::from(*choice)], body),
        _ => (STATED[0], data),
    };
    let pairs = pairs(stated, body);
    let pairs = pairs
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let Ok(headers) = RequestHeaders::from_pairs(pairs) else {
        return;
    };
    if headers.check_post().is_err() {
        return;
    }
    if let Ok(message) = parse(body, &Limits::default())
        && let Ok(protocol) = protocol(&headers, &message)
    {
        each_reader(body, |reader, tree| {
            reader.message(tree, &message, protocol.era, &headers);
        });
        opened(body);
    }
    if let Ok(messages) = parse_batch(body, &Limits::default())
        && let Ok(protocol) = protocol_of_batch(&headers, &messages)
    {
        each_reader(body, |reader, tree| {
            reader.agree("messages", tree.entries().len(), messages.len());
            for (theirs, ours) in tree.entries().iter().zip(&messages) {
                reader.message(theirs, ours, protocol.era, &headers);
            }
        });
    }
}

/// Whoever reads what goes on finds only ids of tasks that were opened.
fn opened(body: &[u8]) {
    let Ok(changed) = tasks::open(body, &mut |id| Some(format!("{OPENED}{id}"))) else {
        return;
    };
    each_reader(changed.as_deref().unwrap_or(body), |reader, tree| {
        for id in reader.task_ids(tree) {
            let opened = id.text().is_some_and(|id| id.starts_with(OPENED));
            assert!(
                opened,
                "{} by {:?} asks for the task {id:?}",
                reader.name, reader.pick
            );
        }
    });
}

const OPENED: &str = "opened.";

/// Every reader that accepts the body, with its reading.
fn each_reader(body: &[u8], check: impl Fn(&Reader, &Tree)) {
    for Parser { name, read } in PARSERS {
        if let Some(tree) = &read(body) {
            for pick in PICKS {
                check(&Reader { name, pick }, tree);
            }
        }
    }
}

/// One way to read a body.
struct Reader {
    name: &'static str,
    pick: Pick,
}

impl Reader {
    fn message(&self, theirs: &Tree, ours: &Message, era: Era, headers: &RequestHeaders<'_>) {
        let member = |name| self.pick.member(theirs, name);
        let text = |name| member(name).and_then(Tree::text);
        self.agree("jsonrpc", text("jsonrpc"), Some("2.0"));
        self.agree("method", text("method"), ours.method());
        self.agree(
            "being a request",
            member("method").is_some(),
            ours.method().is_some(),
        );
        for name in ["result", "error"] {
            let is = matches!(ours, Message::Response(it) if it.is_error == (name == "error"));
            self.agree(name, member(name).is_some(), is);
        }
        let id = match ours {
            Message::Request(request) => Some(&request.id),
            Message::Response(response) => response.id.as_ref(),
            Message::Notification(_) => None,
        };
        let id = id.map(|id| Tree::from(&serde_json::to_value(id).expect("an id is JSON")));
        self.value("id", member("id"), id.as_ref());

        let params = ours
            .params()
            .map(|it| Tree::from(&Value::Object(it.clone())));
        // A map that has other keys is another one, for a server that looks at all of them.
        if !self.pick.folded {
            self.value("params", member("params"), params.as_ref());
        }
        for name in PARAMS {
            let theirs = member("params").and_then(|params| self.pick.member(params, name));
            let exact = Pick {
                folded: false,
                ..self.pick
            };
            let ours = params
                .as_ref()
                .and_then(|params| exact.member(params, name));
            self.value(name, theirs, ours);
        }
        self.known_by_name(theirs, ours);
        if let Message::Request(request) = ours
            && let Ok(operation) = operation(request, era)
        {
            self.operation(theirs, &operation);
        }
        self.headers(theirs, headers);
    }

    /// What decides is what the server executes.
    fn operation(&self, theirs: &Tree, ours: &Operation<'_>) {
        let pick = self.pick;
        let params = pick.member(theirs, "params");
        let member = |name| params.and_then(|params| pick.member(params, name));
        let text = |name| member(name).and_then(Tree::text);
        let method = pick
            .member(theirs, "method")
            .and_then(Tree::text)
            .unwrap_or_default();
        match ours {
            Operation::CallTool { name, arguments } | Operation::GetPrompt { name, arguments } => {
                assert!(
                    matches!(method, "tools/call" | "prompts/get"),
                    "{}: {method}",
                    self.name
                );
                self.agree("the name", text("name"), Some(*name));
                // To servers null arguments are none, as they are to policy.
                let none = Tree::Object(Vec::new());
                let theirs = member("arguments")
                    .filter(|it| !it.is_null())
                    .unwrap_or(&none);
                let ours = Tree::from(&Value::Object((*arguments).clone()));
                self.value("the arguments", Some(theirs), Some(&ours));
            }
            Operation::ReadResource { uri } | Operation::Subscribe { uri } => {
                self.agree("the resource", text("uri"), Some(*uri));
            }
            Operation::Complete { reference } => {
                let (kind, key, value) = match *reference {
                    Reference::Prompt(name) => ("ref/prompt", "name", name),
                    Reference::Resource(uri) => ("ref/resource", "uri", uri),
                };
                let part = |name| pick.member(member("ref")?, name)?.text();
                self.agree("the kind of reference", part("type"), Some(kind));
                self.agree("the reference", part(key), Some(value));
            }
            Operation::Listen { uris, task_ids } => {
                for (name, ours) in [("resourceSubscriptions", uris), ("taskIds", task_ids)] {
                    let theirs = member("notifications").and_then(|it| pick.member(it, name));
                    let theirs = theirs.map_or(&[][..], Tree::entries).iter();
                    let theirs: Vec<_> = theirs.filter_map(Tree::text).collect();
                    self.agree(name, &theirs, ours);
                }
            }
            Operation::Task {
                method: named,
                task_id,
            } => {
                self.agree("the method", method, *named);
                self.agree("the task", text("taskId"), Some(*task_id));
            }
            Operation::ListTasks => self.agree("the method", method, "tasks/list"),
            Operation::SetLevel { level } => self.agree("the level", text("level"), Some(*level)),
            Operation::List(kind) => self.agree("the list", method, kind.method()),
            Operation::Lifecycle | Operation::Removed | Operation::Other => {
                let judged = [
                    "tools/call",
                    "prompts/get",
                    "resources/read",
                    "completion/complete",
                ];
                assert!(
                    !judged.contains(&method),
                    "{}: `{method}` is judged as another",
                    self.name
                );
            }
        }
    }

    /// A proxy or server that goes by the headers goes where the body says.
    fn headers(&self, theirs: &Tree, headers: &RequestHeaders<'_>) {
        let method = self.pick.member(theirs, "method").and_then(Tree::text);
        if let Some(stated) = headers.method {
            self.agree("Mcp-Method", method.map(str::as_bytes), Some(stated));
        }
        let key = match method {
            Some("tools/call" | "prompts/get") => "name",
            Some("resources/read") => "uri",
            Some("tasks/get" | "tasks/update" | "tasks/cancel") => "taskId",
            _ => return,
        };
        if let Some(stated) = headers.name {
            let inner = stated
                .strip_prefix(b"=?base64?")
                .and_then(|it| it.strip_suffix(b"?="));
            let name = inner.map_or(stated.to_vec(), |it| STANDARD.decode(it).expect("base64"));
            let params = self.pick.member(theirs, "params");
            let value = params.and_then(|params| self.pick.member(params, key));
            let value = value.and_then(Tree::text).map(str::as_bytes);
            self.agree("Mcp-Name", value, Some(name.as_slice()));
        }
    }

    /// Members that no kind of message has are none to any reader.
    fn known_by_name(&self, theirs: &Tree, ours: &Message) {
        let absent: &[&str] = match ours {
            Message::Request(_) | Message::Notification(_) => &["result", "error"],
            Message::Response(_) => &["method", "params"],
        };
        for name in ENVELOPE.iter().filter(|name| absent.contains(name)) {
            self.value(name, self.pick.member(theirs, name), None);
        }
    }

    /// The ids of the server's tasks that a client's message names.
    fn task_ids<'t>(&self, message: &'t Tree) -> Vec<&'t Tree> {
        let pick = self.pick;
        let mut ids = Vec::new();
        let method = pick
            .member(message, "method")
            .and_then(Tree::text)
            .unwrap_or_default();
        if let Some(params) = pick.member(message, "params") {
            let of_tasks = method.starts_with("tasks/");
            ids.extend(pick.member(params, "taskId").filter(|_| of_tasks));
            let wanted = pick.member(params, "notifications");
            let wanted = wanted.filter(|_| method == "subscriptions/listen");
            let wanted = wanted.and_then(|it| pick.member(it, "taskIds"));
            ids.extend(wanted.map_or(&[][..], Tree::entries));
        }
        for part in ["params", "result"] {
            let related = pick
                .member(message, part)
                .and_then(|it| pick.member(it, "_meta"));
            let exact = Pick {
                folded: false,
                ..pick
            };
            let related = related.and_then(|it| exact.member(it, RELATED));
            ids.extend(related.and_then(|it| pick.member(it, "taskId")));
        }
        ids.retain(|id| !id.is_null());
        ids
    }

    fn value(&self, what: &str, theirs: Option<&Tree>, ours: Option<&Tree>) {
        let same = match (theirs, ours) {
            (Some(theirs), Some(ours)) => self.pick.same(theirs, ours),
            (theirs, ours) => theirs.is_none() && ours.is_none(),
        };
        assert!(
            same,
            "{} reads {what} as {theirs:?} by {:?}, the filter as {ours:?}",
            self.name, self.pick
        );
    }

    fn agree<T: PartialEq + std::fmt::Debug>(&self, what: &str, theirs: T, ours: T) {
        assert!(
            theirs == ours,
            "{} reads {what} as {theirs:?} by {:?}, the filter as {ours:?}",
            self.name,
            self.pick
        );
    }
}

/// The headers of the POST.
fn pairs(stated: Stated, body: &[u8]) -> Vec<(&'static str, String)> {
    let mut pairs = vec![
        (":method", "POST".to_owned()),
        ("content-type", "application/json".to_owned()),
    ];
    let version = match stated {
        Stated::Nothing => return pairs,
        Stated::Legacy(version) => {
            pairs.push(("mcp-protocol-version", version.to_owned()));
            return pairs;
        }
        Stated::Mirrored(version) | Stated::Encoded(version) => version,
        Stated::Other => "2025-06-18",
    };
    pairs.push(("mcp-protocol-version", version.to_owned()));
    let read: Value = serde_json::from_slice(body).unwrap_or_default();
    if let Some(method) = read["method"].as_str() {
        pairs.push(("mcp-method", method.to_owned()));
    }
    let name = ["name", "uri", "taskId"].map(|key| read["params"][key].as_str());
    if let Some(name) = name.into_iter().flatten().next() {
        let name = match stated {
            Stated::Encoded(_) => format!("=?base64?{}?=", STANDARD.encode(name)),
            Stated::Other => "get_user".to_owned(),
            _ => name.to_owned(),
        };
        pairs.push(("mcp-name", name));
    }
    pairs
}
