//! Hostile and odd input from `tests/corpus`, each file with its verdict beside it.

use gatehold_mcp::sse::{Event, Framer, Tail};
use gatehold_mcp::{
    Era, Id, Limits, ListKind, Message, Operation, Rejection, RequestHeaders, batch, canonical,
    is_batch, list, operation, parse, parse_batch, protocol_of_batch, tasks,
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
        let limits = Limits::default();
        if !is_batch(body) {
            return parse(body, &limits).map_or_else(|error| refusal(&error), |it| judged(&it));
        }
        let batch = match parse_batch(body, &limits) {
            Ok(batch) => batch,
            Err(error) => return refusal(&error),
        };
        match protocol_of_batch(&RequestHeaders::default(), &batch) {
            Err(error) => refusal(&error),
            Ok(_) => batch
                .iter()
                .map(judged)
                .fold("batch".to_owned(), |all, line| all + "\n" + &line),
        }
    });
}

fn judged(message: &Message) -> String {
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    match message {
        Message::Request(request) => {
            let method = &request.method;
            match operation(request, Era::Legacy) {
                Ok(Operation::CallTool { name, arguments }) => {
                    format!("request {method} {} {}", quoted(name), canonical(arguments))
                }
                Ok(Operation::Task { task_id: name, .. } | Operation::SetLevel { level: name }) => {
                    format!("request {method} {}", quoted(name))
                }
                Ok(_) => format!("request {method}"),
                Err(error) => format!("invalid {}", error.code()),
            }
        }
        Message::Notification(notification) => format!("notification {}", notification.method),
        Message::Response(response) => {
            let error = if response.is_error { " error" } else { "" };
            format!("response {}{error}", id(response.id.as_ref()))
        }
    }
}

fn refusal(error: &dyn Rejection) -> String {
    format!("refuse {} id {}", error.code(), id(error.id()))
}

fn id(id: Option<&Id>) -> String {
    id.map_or("none".to_owned(), |id| serde_json::to_string(id).unwrap())
}

/// The verdict's first line names the list and the era; what starts with `visible` is kept. Instead of a list it
/// names `tasks`, whose ids are sealed, or `batch`, which is taken apart.
#[test]
fn responses() {
    run("responses", "body", |body, verdict| {
        let line = verdict.lines().next().unwrap();
        let (kind, era) = line.split_once(' ').unwrap();
        let kind = match kind {
            "tasks" => return format!("{line}\n{}", sealed(body)),
            "batch" => return format!("{line}\n{}", apart(body)),
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

fn sealed(body: &[u8]) -> String {
    match tasks::seal(body, &mut |id| format!("sealed-{id}")) {
        Err(error) => format!("refuse {}", error.code()),
        Ok(None) => "unchanged".to_owned(),
        Ok(Some(body)) => String::from_utf8(body).unwrap(),
    }
}

fn apart(body: &[u8]) -> String {
    match batch::split(body, &Limits::default()) {
        Err(error) => format!("refuse {}", error.code()),
        Ok(parts) => parts
            .into_iter()
            .map(|part| std::str::from_utf8(part).unwrap())
            .collect::<Vec<_>>()
            .join("\n"),
    }
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
