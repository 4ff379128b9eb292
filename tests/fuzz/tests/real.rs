//! The parsers that servers really run: what the filter accepts, Node and CPython read as it does.
//!
//! `FUZZ_INPUTS` says with how many accepted bodies (`make fuzz-real` takes 200,000), `FUZZ_SEED` which ones.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests fail by panicking, and say how many inputs there were"
)]

use std::env;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use gatehold_fuzz::{corpus, mutate::Bodies};
use gatehold_mcp::{Limits, Message, parse, parse_batch};
use serde_json::{Map, Number, Value};

/// Bodies when nobody says how many.
const INPUTS: usize = 4_000;

/// Bodies that are on their way at once.
const CHUNK: usize = 2_000;

/// Beyond it a double, which is all that JavaScript has, is not every integer.
const SAFE: i128 = (1 << 53) - 1;

/// What a reader keeps a number as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Numbers {
    /// Doubles only: integers beyond [`SAFE`] are rounded, and compared rounded.
    Doubles,
    /// Integers with all digits, and doubles.
    Both,
}

struct Reader {
    name: &'static str,
    numbers: Numbers,
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Reader {
    fn start(name: &'static str, program: &str, script: &str, numbers: Numbers) -> Self {
        let mut child = Command::new(program)
            .arg(corpus::home().join("peers").join(script))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("`{program}` does not start: {error}"));
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self {
            name,
            numbers,
            child,
            input,
            output,
        }
    }

    /// Holds its readings against ours.
    fn compare(&mut self, accepted: &[(Vec<u8>, Vec<Message>)]) {
        let mut lines = String::new();
        for (body, _) in accepted {
            for byte in body {
                let _ = write!(lines, "{byte:02x}");
            }
            lines.push('\n');
        }
        // It answers at the empty line, so that neither side waits for the other to read.
        lines.push('\n');
        self.input
            .as_mut()
            .unwrap()
            .write_all(lines.as_bytes())
            .unwrap();
        for (body, messages) in accepted {
            let mut theirs = String::new();
            self.output.read_line(&mut theirs).unwrap();
            let ours: Vec<String> = messages
                .iter()
                .map(|it| message(it, self.numbers))
                .collect();
            let ours = ours.join(";");
            if theirs.trim_end() != ours {
                keep(body);
                panic!(
                    "{} reads {}\nas   {theirs}not  {ours}",
                    self.name,
                    String::from_utf8_lossy(body)
                );
            }
        }
    }

    fn end(mut self) {
        drop(self.input.take());
        assert!(self.child.wait().unwrap().success(), "{} failed", self.name);
    }
}

/// A finding becomes an input of the differential target.
fn keep(body: &[u8]) {
    let folder = corpus::home().join("regressions/differential");
    std::fs::create_dir_all(&folder).unwrap();
    let name = body.iter().fold(5381_u64, |hash, byte| {
        hash.wrapping_mul(33) ^ u64::from(*byte)
    });
    let file = Path::new(&folder).join(format!("real-{name:016x}"));
    std::fs::write(&file, body).unwrap();
    println!("kept as {}", file.display());
}

#[test]
fn node_and_python_read_what_the_filter_accepts_as_it_does() {
    let number = |name, default: usize| {
        env::var(name).map_or(default, |text| text.parse().expect("a number"))
    };
    let (inputs, seed) = (number("FUZZ_INPUTS", INPUTS), number("FUZZ_SEED", 1));
    let mut readers = [
        Reader::start("Node", "node", "canonical.mjs", Numbers::Doubles),
        Reader::start("CPython", "python3", "canonical.py", Numbers::Both),
    ];
    let (mut made, mut unsafe_integers, mut batches) = (0_usize, 0_usize, 0_usize);
    let mut accepted = Bodies::new(seed as u64)
        .inspect(|_| made += 1)
        .filter_map(|body| {
            let limits = Limits::default();
            let one = parse(&body, &limits).map(|message| vec![message]);
            let messages = one.or_else(|_| parse_batch(&body, &limits)).ok()?;
            Some((body, messages))
        });
    let mut left = inputs;
    while left > 0 {
        let chunk: Vec<_> = accepted.by_ref().take(left.min(CHUNK)).collect();
        left -= chunk.len();
        for (_, messages) in &chunk {
            let params = messages.iter().filter_map(Message::params);
            unsafe_integers += usize::from(params.flat_map(Map::values).any(has_unsafe_integer));
            batches += usize::from(messages.len() > 1);
        }
        for reader in &mut readers {
            reader.compare(&chunk);
        }
    }
    readers.into_iter().for_each(Reader::end);
    println!(
        "{inputs} accepted bodies of {made}, {batches} of them batches, {unsafe_integers} with an integer \
         that JavaScript rounds: read alike"
    );
}

fn has_unsafe_integer(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_i128().is_some_and(|it| it.abs() > SAFE),
        Value::Array(entries) => entries.iter().any(has_unsafe_integer),
        Value::Object(members) => members.values().any(has_unsafe_integer),
        _ => false,
    }
}

/// What a server would find: `jsonrpc`, `id`, `method`, `params`, and whether there is a result or an error.
fn message(message: &Message, numbers: Numbers) -> String {
    let id = match message {
        Message::Request(request) => Some(&request.id),
        Message::Response(response) => response.id.as_ref(),
        Message::Notification(_) => None,
    };
    let id = id.map(|id| value(&serde_json::to_value(id).unwrap(), numbers));
    let method = message
        .method()
        .map(|method| value(&method.into(), numbers));
    let params = message
        .params()
        .map(|params| value(&params.clone().into(), numbers));
    let absent = || "-".to_owned();
    let is = |error| match message {
        Message::Response(response) if response.is_error == error => "y",
        _ => "-",
    };
    let parts = [Some(value(&"2.0".into(), numbers)), id, method, params];
    let parts = parts.map(|part| part.unwrap_or_else(absent)).join(" ");
    format!("{parts} {} {}", is(false), is(true))
}

fn value(it: &Value, numbers: Numbers) -> String {
    match it {
        Value::Null => "n".to_owned(),
        Value::Bool(true) => "t".to_owned(),
        Value::Bool(false) => "f".to_owned(),
        Value::String(text) => format!("s{}", hex(text)),
        Value::Number(number) => self::number(number, numbers),
        Value::Array(entries) => {
            let entries: Vec<String> = entries.iter().map(|entry| value(entry, numbers)).collect();
            format!("[{}]", entries.join(","))
        }
        Value::Object(members) => {
            let members = members.iter();
            let mut members: Vec<String> = members
                .map(|(key, member)| format!("{}:{}", hex(key), value(member, numbers)))
                .collect();
            members.sort();
            format!("{{{}}}", members.join(","))
        }
    }
}

fn number(number: &Number, numbers: Numbers) -> String {
    let double = number.as_f64().unwrap();
    match number.as_i128() {
        _ if double == 0.0 => "z".to_owned(),
        Some(integer) if numbers == Numbers::Both => format!("i{integer}"),
        _ => format!("d{:016x}", double.to_bits()),
    }
}

fn hex(text: &str) -> String {
    text.bytes().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
