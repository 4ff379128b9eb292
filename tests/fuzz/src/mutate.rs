//! Bodies of requests that are odd and often valid, for comparisons that need accepted ones.

use fastrand::Rng;

use crate::corpus;

/// Longest seed that is used.
const MOST_BYTES: usize = 4096;

/// Texts that parsers have disagreed about, to be put anywhere.
const TOKENS: [&str; 32] = [
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    " ",
    "\t",
    "\n",
    "\r",
    "null",
    "true",
    "-0",
    "0",
    "1.0",
    "1e5",
    "1E+2",
    "0.1",
    "9007199254740993",
    "18446744073709551615",
    "-9223372036854775808",
    "5e-324",
    "\\u0061",
    "\\u00E9",
    "\\ud83d\\ude00",
    "\\/",
    "\u{e9}",
    "\u{2028}",
    "\u{7f}",
    "\"x\":1,",
];

/// Keys of objects that are asked for by name somewhere.
const KEYS: [&str; 22] = [
    "id",
    "method",
    "name",
    "arguments",
    "uri",
    "_meta",
    "taskId",
    "ref",
    "type",
    "cursor",
    "a",
    "A",
    "b",
    "",
    "__proto__",
    "constructor",
    "length",
    "toString",
    "\u{e9}",
    "\u{1f600}",
    "0",
    "-1",
];

/// An endless source of bodies, the same for the same seed.
#[derive(Debug)]
pub struct Bodies {
    rng: Rng,
    seeds: Vec<Vec<u8>>,
}

impl Bodies {
    /// Bodies from the corpora and made up.
    pub fn new(seed: u64) -> Self {
        let inputs = corpus::inputs("differential").into_iter();
        let seeds = inputs
            .map(|(_, bytes)| bytes)
            .filter(|bytes| bytes.len() <= MOST_BYTES);
        Self {
            rng: Rng::with_seed(seed),
            seeds: seeds.collect(),
        }
    }

    fn seed(&mut self) -> Vec<u8> {
        let at = self.rng.usize(..self.seeds.len());
        let seed = &self.seeds[at];
        seed.strip_prefix(&[seed.first().copied().unwrap_or_default()])
            .filter(|_| matches!(seed.first(), Some(1..=7)))
            .unwrap_or(seed)
            .to_vec()
    }

    fn edit(&mut self, body: &mut Vec<u8>) {
        for _ in 0..self.rng.usize(..3) {
            let at = self.rng.usize(..=body.len());
            let end = (at + self.rng.usize(..4)).min(body.len());
            let new: &[u8] = match self.rng.u8(..4) {
                0 => &[],
                1 => &[self.rng.u8(..)],
                _ => self.rng.choice(TOKENS).unwrap_or_default().as_bytes(),
            };
            body.splice(at..end, new.iter().copied());
        }
    }
}

impl Iterator for Bodies {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut body = if self.rng.u8(..4) == 0 {
            self.seed()
        } else {
            let mut text = Text {
                rng: &mut self.rng,
                out: String::new(),
            };
            text.message();
            text.out.into_bytes()
        };
        if self.rng.u8(..3) == 0 {
            self.edit(&mut body);
        }
        Some(body)
    }
}

/// JSON in any of its spellings.
struct Text<'r> {
    rng: &'r mut Rng,
    out: String,
}

impl Text<'_> {
    fn message(&mut self) {
        let methods = [
            "tools/call",
            "prompts/get",
            "resources/read",
            "completion/complete",
            "tools/list",
            "notifications/cancelled",
            "tasks/get",
            "anything",
        ];
        let method = self.rng.choice(methods).unwrap_or_default();
        let mut members = vec!["jsonrpc", "method", "params"];
        if !method.starts_with("notifications/") {
            members.push("id");
        }
        self.rng.shuffle(&mut members);
        self.blank();
        self.object(members.len(), |text, at| {
            text.string(members[at]);
            text.colon();
            match members[at] {
                "jsonrpc" => text.string("2.0"),
                "method" => text.string(method),
                "id" => text.id(),
                _ => text.params(),
            }
        });
        self.blank();
    }

    fn params(&mut self) {
        let mut members = vec!["name", "arguments", "uri", "ref", "taskId", "x"];
        self.rng.shuffle(&mut members);
        members.truncate(self.rng.usize(1..=6));
        self.object(members.len(), |text, at| {
            text.string(members[at]);
            text.colon();
            match members[at] {
                "arguments" => text.map(3),
                "ref" => text
                    .out
                    .push_str("{\"type\":\"ref/prompt\",\"name\":\"greet\"}"),
                "x" => text.value(2),
                _ => text.any_string(),
            }
        });
    }

    fn id(&mut self) {
        if self.rng.bool() {
            self.any_string();
        } else {
            let id = self.rng.i64(..) >> self.rng.u32(..64);
            self.out.push_str(&id.to_string());
        }
    }

    fn value(&mut self, depth: u8) {
        match self.rng.u8(..if depth == 0 { 5 } else { 7 }) {
            0 => self.out.push_str(
                self.rng
                    .choice(["null", "true", "false"])
                    .unwrap_or_default(),
            ),
            1 | 2 => self.number(),
            3 | 4 => self.any_string(),
            5 => {
                let count = self.rng.usize(..4);
                self.list('[', ']', count, |text, _| text.value(depth - 1));
            }
            _ => self.map(depth - 1),
        }
    }

    fn map(&mut self, depth: u8) {
        let mut keys = KEYS.to_vec();
        self.rng.shuffle(&mut keys);
        let count = self.rng.usize(..5);
        self.object(count, |text, at| {
            text.string(keys[at]);
            text.colon();
            text.value(depth);
        });
    }

    fn number(&mut self) {
        let text = match self.rng.u8(..6) {
            0 => (self.rng.i64(..) >> self.rng.u32(..64)).to_string(),
            1 => (self.rng.u64(..) >> self.rng.u32(..64)).to_string(),
            2 => f64::from_bits(self.rng.u64(..)).to_string(),
            3 => format!("{:e}", f64::from_bits(self.rng.u64(..))),
            // Digits that only exact arithmetic rounds right.
            4 => format!(
                "{}.{:017}{:017}e{}",
                self.rng.u32(..1000),
                self.rng.u64(..100_000_000_000_000_000),
                self.rng.u64(..100_000_000_000_000_000),
                self.rng.i32(-330..330)
            ),
            _ => self
                .rng
                .choice(["-0", "0", "-0.0", "1.0", "1E5", "0e0", "1e-400", "1.5e+3"])
                .unwrap_or_default()
                .to_owned(),
        };
        let finite = text.parse::<f64>().is_ok_and(f64::is_finite) && !text.starts_with(['i', 'N']);
        self.out.push_str(if finite { &text } else { "1" });
    }

    fn any_string(&mut self) {
        let length = self.rng.usize(..12);
        let text: String = (0..length)
            .map(|_| match self.rng.u8(..6) {
                0 => self.rng.char(..),
                1 => self.rng.char('\0'..'\u{100}'),
                _ => self.rng.alphanumeric(),
            })
            .collect();
        self.string(&text);
    }

    /// A string, some of its characters escaped though they need not be.
    fn string(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            let short = match c {
                '"' => Some("\\\""),
                '\\' => Some("\\\\"),
                '/' => Some("\\/"),
                '\n' => Some("\\n"),
                '\r' => Some("\\r"),
                '\t' => Some("\\t"),
                '\u{8}' => Some("\\b"),
                '\u{c}' => Some("\\f"),
                _ => None,
            };
            let must = c < ' ' || matches!(c, '"' | '\\');
            match (short, self.rng.u8(..8)) {
                (Some(short), 1..) if must || self.rng.bool() => self.out.push_str(short),
                (_, escape) if must || escape == 0 => self.escape(c),
                _ => self.out.push(c),
            }
        }
        self.out.push('"');
    }

    fn escape(&mut self, c: char) {
        let upper = self.rng.bool();
        for unit in c.encode_utf16(&mut [0; 2]) {
            let text = if upper {
                format!("\\u{unit:04X}")
            } else {
                format!("\\u{unit:04x}")
            };
            self.out.push_str(&text);
        }
    }

    fn object(&mut self, count: usize, member: impl FnMut(&mut Self, usize)) {
        self.list('{', '}', count, member);
    }

    fn list(
        &mut self,
        open: char,
        close: char,
        count: usize,
        mut entry: impl FnMut(&mut Self, usize),
    ) {
        self.out.push(open);
        for at in 0..count {
            if at > 0 {
                self.out.push(',');
            }
            self.blank();
            entry(self, at);
            self.blank();
        }
        self.out.push(close);
    }

    fn colon(&mut self) {
        self.blank();
        self.out.push(':');
        self.blank();
    }

    fn blank(&mut self) {
        if self.rng.u8(..10) == 0 {
            self.out.push_str(
                self.rng
                    .choice([" ", "\n", "\r\n", "\t", "  "])
                    .unwrap_or_default(),
            );
        }
    }
}
