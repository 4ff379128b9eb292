//! Hostile and odd input from `tests/corpus`, each file with its verdict beside it.

use gatehold_mcp::sse::{Event, Framer, Tail};
use gatehold_mcp::{
    Era, Limits, ListKind, Message, Operation, Rejection, canonical, list, operation, parse,
};
use std::fs;
use std::path::{Path, PathBuf};

/// Runs `judge` over every file of `folder` that has `extension`. The verdict file holds what it returns.
fn run(folder: &str, extension: &str, judge: impl Fn(&[u8], &str) -> String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/corpus")
        .join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    assert!(files.len() > 10, "{} is nearly empty", root.display());
    let mut wrong = String::new();
    for file in files {
        let verdict = fs::read_to_string(file.with_extension("verdict")).unwrap();
        let found = judge(&fs::read(&file).unwrap(), &verdict);
        if found.trim_end() != verdict.trim_end() {
            wrong += &format!(
                "{}\n  expected {verdict}  found    {found}\n",
                file.display()
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn requests() {
    run("requests", "body", |body, _| {
        match parse(body, &Limits::default()) {
            Ok(Message::Request(request)) => match operation(&request, Era::Modern) {
                Ok(Operation::CallTool { name, arguments }) => {
                    let name = serde_json::to_string(name).unwrap();
                    format!("request {} {name} {}", request.method, canonical(arguments))
                }
                Ok(_) => format!("request {}", request.method),
                Err(error) => format!("invalid {}", error.code()),
            },
            Ok(Message::Notification(notification)) => {
                format!("notification {}", notification.method)
            }
            Ok(Message::Response(response)) => {
                let id = response
                    .id
                    .map_or("none".to_owned(), |id| serde_json::to_string(&id).unwrap());
                format!(
                    "response {id}{}",
                    if response.is_error { " error" } else { "" }
                )
            }
            Err(error) => {
                let id = error
                    .id()
                    .map_or("none".to_owned(), |id| serde_json::to_string(id).unwrap());
                format!("refuse {} id {id}", error.code())
            }
        }
    });
}

/// The verdict's first line names the list and the era; what starts with `visible` is kept.
#[test]
fn responses() {
    run("responses", "body", |body, verdict| {
        let line = verdict.lines().next().unwrap();
        let (kind, era) = line.split_once(' ').unwrap();
        let kind = match kind {
            "tools" => ListKind::Tools,
            "prompts" => ListKind::Prompts,
            "resources" => ListKind::Resources,
            "templates" => ListKind::ResourceTemplates,
            other => panic!("{other}"),
        };
        let era = if era == "modern" {
            Era::Modern
        } else {
            Era::Legacy
        };
        let keep = |name: &str| name.starts_with("visible");
        let found = match list::filter(kind, body, era, &Limits::default(), keep) {
            Err(error) => format!("refuse {}", error.code()),
            Ok(list::Filtered {
                body,
                shown,
                hidden,
            }) => {
                let body = body.map_or(" unchanged".to_owned(), |body| {
                    format!("\n{}", String::from_utf8(body).unwrap())
                });
                format!("shown {shown} hidden {hidden}{body}")
            }
        };
        format!("{line}\n{found}")
    });
}

#[test]
fn streams() {
    let line = |event: &Event| match event.data() {
        None => "no data".to_owned(),
        Some(data) => {
            format!(
                "data {}",
                serde_json::to_string(&String::from_utf8_lossy(&data)).unwrap()
            )
        }
    };
    let judge = |stream: &[u8], size: usize| {
        let mut framer = Framer::new(1 << 16);
        let mut lines = Vec::new();
        let mut raw = Vec::new();
        for chunk in stream.chunks(size) {
            framer.push(chunk).unwrap();
            while let Some(event) = framer.next_event() {
                lines.push(line(&event));
                raw.extend(event.into_raw());
            }
        }
        match framer.finish() {
            Tail::Empty => {}
            Tail::Complete(event) => {
                lines.push(line(&event));
                raw.extend(event.into_raw());
            }
            Tail::Cut(event) => {
                lines.push(format!("cut {}", line(&event)));
                raw.extend(event.into_raw());
            }
        }
        assert_eq!(raw, stream);
        if lines.is_empty() {
            "nothing".to_owned()
        } else {
            lines.join("\n")
        }
    };
    run("sse", "stream", |stream, _| {
        let whole = judge(stream, stream.len().max(1));
        for size in [1, 2, 3, 5, 7] {
            assert_eq!(judge(stream, size), whole);
        }
        whole
    });
}
