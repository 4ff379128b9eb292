//! The hot functions, each with what it works on: the same natively and in WebAssembly, timed and counted.

use std::hint::black_box;

use gatehold_engine::{Arguments, Principal, Query, Target};
use gatehold_identity::{Binding, Bound, TokenMemory, bearer, verify};
use gatehold_mcp::sse::Framer;
use gatehold_mcp::{
    Era, Limits, ListKind, Message, RequestHeaders, answer, canonical, list, operation, parse,
    parse_deferred, plain, protocol, response_media, tasks,
};
use gatehold_wire::EventRef;

use crate::messages::{self, TOOL};
use crate::{policies, tokens};

/// Does the work once.
pub type Run = Box<dyn FnMut()>;

/// One function on one input.
pub struct Hot {
    /// What it is, then on what: `parse/2k`.
    pub name: String,
    prepare: Box<dyn FnOnce() -> Run>,
}

impl Hot {
    /// Makes the input.
    #[must_use]
    pub fn prepare(self) -> Run {
        (self.prepare)()
    }
}

/// All of them; none is prepared yet.
#[must_use]
pub fn all() -> Vec<Hot> {
    let mut hot = Vec::new();
    requests(&mut hot);
    answers(&mut hot);
    lists(&mut hot);
    callers(&mut hot);
    decisions(&mut hot);
    hot
}

fn add(hot: &mut Vec<Hot>, name: impl Into<String>, prepare: impl FnOnce() -> Run + 'static) {
    hot.push(Hot {
        name: name.into(),
        prepare: Box::new(prepare),
    });
}

fn requests(hot: &mut Vec<Hot>) {
    for (name, size) in [("0k5", 512), ("2k", 2 << 10), ("100k", 100 << 10)] {
        add(hot, format!("parse/{name}"), move || {
            let (body, limits) = (messages::call(size), Limits::default());
            Box::new(move || {
                black_box(parse(black_box(&body), &limits)).expect("it is a message");
            })
        });
        add(hot, format!("parse-deferred/{name}"), move || {
            let (body, limits) = (messages::call(size), Limits::default());
            Box::new(move || {
                let (_, arguments) =
                    black_box(parse_deferred(black_box(&body), &limits)).expect("it is a message");
                arguments.expect("they are left unbuilt");
            })
        });
        add(hot, format!("canonical/{name}"), move || {
            let arguments = messages::arguments(size);
            Box::new(move || {
                black_box(canonical(black_box(&arguments)));
            })
        });
    }
    add(hot, "headers", || {
        let body = messages::modern_call(2 << 10);
        let message = parse(&body, &Limits::default()).expect("it is a message");
        let pairs = headers();
        Box::new(move || {
            let pairs = black_box(&pairs).iter();
            let pairs = pairs.map(|(name, value)| (name.as_slice(), value.as_slice()));
            let headers = RequestHeaders::from_pairs(pairs).expect("they are fine");
            headers.check_post().expect("it is a post");
            let protocol = protocol(&headers, &message).expect("they agree");
            let Message::Request(request) = &message else {
                return;
            };
            black_box(operation(request, protocol.version.era())).expect("it is a call");
        })
    });
    add(hot, "tasks-open", || {
        let call = br#"{"jsonrpc":"2.0","id":7,"method":"tasks/get","params":{"taskId":"s-786512e2-9e0d"}}"#;
        Box::new(|| {
            let mut open = |id: &str| id.strip_prefix("s-").map(str::to_owned);
            black_box(tasks::open(black_box(call), &mut open)).expect("the id opens");
        })
    });
}

fn answers(hot: &mut Vec<Hot>) {
    for (name, size) in [("2k", 2 << 10), ("100k", 100 << 10)] {
        add(hot, format!("plain/{name}"), move || {
            let body = messages::result(size);
            Box::new(move || {
                black_box(plain(black_box(&body))).expect("it is plain");
            })
        });
        add(hot, format!("answer/{name}"), move || {
            let body = messages::result(size);
            Box::new(move || {
                black_box(answer(black_box(&body))).expect("it is an answer");
            })
        });
    }
    add(hot, "response-media", || {
        Box::new(|| {
            let media = black_box(b"application/json; charset=utf-8");
            black_box(response_media(media));
        })
    });
    add(hot, "tasks-seal", || {
        let task = br#"{"jsonrpc":"2.0","id":7,"result":{"resultType":"task","taskId":"786512e2-9e0d","status":"working"}}"#;
        Box::new(|| {
            let mut seal = |id: &str| format!("s-{id}");
            black_box(tasks::seal(black_box(task), &mut seal)).expect("it is a task");
        })
    });
}

fn lists(hot: &mut Vec<Hot>) {
    for count in [10, 500] {
        add(hot, format!("list/{count}"), move || {
            let (body, limits) = (messages::tools(count), Limits::default());
            let (policy, principal) = (policies::mixed(), principal());
            Box::new(move || {
                let keep = |tool: &str| policy.visible(&principal, Target::Tool(tool));
                let body = black_box(&body);
                black_box(list::filter(
                    ListKind::Tools,
                    body,
                    Era::Modern,
                    &limits,
                    keep,
                ))
                .expect("it is a list");
            })
        });
    }
    add(hot, "sse-framer/100-events", || {
        let events = messages::events(100);
        Box::new(move || {
            let mut framer = Framer::new(1 << 20);
            for piece in black_box(&events) {
                framer.push(piece).expect("it is short");
                while let Some(event) = framer.next_event() {
                    black_box(event.data());
                }
            }
        })
    });
}

fn callers(hot: &mut Vec<Hot>) {
    for (name, token) in tokens::ALL {
        add(hot, format!("verify/{name}"), move || {
            let (issuer, audiences) = (tokens::issuer(), [tokens::AUDIENCE.to_owned()]);
            Box::new(move || {
                let token = black_box(token.trim());
                black_box(verify(token, &[&issuer], &audiences, tokens::NOW)).expect("it is valid");
            })
        });
    }
    add(hot, "token-remembered", || {
        let header = format!("Bearer {}", tokens::EDDSA.trim());
        let mut memory = TokenMemory::new(1024, 1 << 20, [1, 2]);
        memory.insert(tokens::EDDSA.trim(), "crm", tokens::identity());
        Box::new(move || {
            let token = bearer(black_box(header.as_bytes())).expect("it is a bearer token");
            black_box(memory.get(token, "crm", tokens::NOW)).expect("it is remembered");
        })
    });
    let binding = || Binding::new(&[7; Binding::KEY], "crm");
    add(hot, "session-seal", move || {
        let (binding, identity) = (binding(), tokens::identity());
        Box::new(move || {
            black_box(binding.seal(Bound::Session, &identity, black_box(SESSION)));
        })
    });
    add(hot, "session-open", move || {
        let (binding, identity) = (binding(), tokens::identity());
        let sealed = binding.seal(Bound::Session, &identity, SESSION);
        Box::new(move || {
            let opened = binding.open(Bound::Session, &identity, black_box(&sealed));
            black_box(opened).expect("it opens");
        })
    });
}

fn decisions(hot: &mut Vec<Hot>) {
    for (name, count) in [("10-rules", 10), ("10000-rules", 10_000)] {
        add(hot, format!("decide/{name}"), move || {
            let (policy, principal) = (policies::named(count), principal());
            let arguments = messages::arguments(512);
            Box::new(move || {
                let query = Query {
                    principal: &principal,
                    target: Target::Tool(TOOL),
                    arguments: Arguments::Known(&arguments),
                    findings: None,
                };
                black_box(policy.decide(black_box(&query)));
            })
        });
    }
    add(hot, "visible", || {
        let (policy, principal) = (policies::mixed(), principal());
        Box::new(move || {
            black_box(policy.visible(&principal, black_box(Target::Tool(TOOL))));
        })
    });
    add(hot, "event/2k", || {
        let arguments = canonical(&messages::arguments(2 << 10));
        Box::new(move || {
            black_box(event(black_box(&arguments)).encode());
        })
    });
}

/// A session of a server.
const SESSION: &str = "1868a90c-5f3c-4b1d-9c61-0a6c7e1f2d3b";

fn event(arguments: &str) -> EventRef<'_> {
    EventRef {
        id: "0123456789abcdef0123456789abcdef",
        time_unix_nanos: tokens::NOW * 1_000_000_000,
        server: "crm",
        era: "legacy",
        method: "tools/call",
        target: TOOL,
        user: "9f4c1b7e-ann",
        agent: "agent-1",
        roles: vec!["support", "sales"],
        issuer: "corp",
        arguments,
        effect: "allow",
        rules: vec!["p/get"],
        outcome: "ok",
        duration_micros: 1234,
        trace_id: "0af7651916cd43dd8448eb211c80319c",
        request_id: "7",
        policy_version: "1",
        ..EventRef::default()
    }
}

fn principal() -> Principal {
    let identity = tokens::identity();
    Principal {
        user: identity.user,
        agent: identity.agent,
        roles: identity.roles,
        groups: identity.groups,
        claims: identity.claims,
    }
}

fn headers() -> Vec<(Vec<u8>, Vec<u8>)> {
    let bearer = format!("Bearer {}", tokens::EDDSA.trim());
    let pairs = messages::headers(&bearer, "2048", true, None);
    let pairs = pairs
        .iter()
        .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()));
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_run() {
        let hot = all();
        let names: std::collections::BTreeSet<&str> =
            hot.iter().map(|hot| hot.name.as_str()).collect();
        assert_eq!(names.len(), hot.len());
        assert!(names.iter().all(|name| !name.contains(' ')));
        for hot in hot {
            hot.prepare()();
        }
    }
}
