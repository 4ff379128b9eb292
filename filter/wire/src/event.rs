//! Audit events written from borrowed parts: the messages of `audit.proto` without a copy of each text.

use prost::Message as _;
use prost::encoding::{WireType, encode_key, encode_varint};

use crate::audit::Finding;

/// What [`crate::audit::Event`] says, borrowed from where it is kept.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "audit.proto says what each field means")]
pub struct EventRef<'a> {
    pub id: &'a str,
    pub time_unix_nanos: u64,
    pub server: &'a str,
    pub era: &'a str,
    pub method: &'a str,
    pub target: &'a str,
    pub user: &'a str,
    pub agent: &'a str,
    pub roles: Vec<&'a str>,
    pub issuer: &'a str,
    pub arguments_digest: &'a str,
    pub arguments: &'a str,
    pub arguments_cut: bool,
    pub effect: &'a str,
    pub rules: Vec<&'a str>,
    pub reason: &'a str,
    pub errors: Vec<&'a str>,
    pub outcome: &'a str,
    pub error_code: i64,
    pub duration_micros: u64,
    pub trace_id: &'a str,
    pub request_id: &'a str,
    pub policy_version: &'a str,
    pub hidden: u32,
    pub shown: u32,
    pub status: u32,
    pub arguments_raw: bool,
    pub approval: &'a str,
    pub findings: &'a [Finding],
    pub findings_omitted: u32,
    pub detection: &'a str,
    pub refusal: &'a str,
    pub shadow: bool,
}

impl EventRef<'_> {
    /// The event as [`crate::audit::Event`] is encoded.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        // The texts that are long, and room for the others: the buffer rarely grows.
        let mut out = Vec::with_capacity(512 + self.arguments.len() + self.reason.len());
        text(&mut out, 1, self.id);
        number(&mut out, 2, self.time_unix_nanos);
        text(&mut out, 3, self.server);
        text(&mut out, 4, self.era);
        text(&mut out, 5, self.method);
        text(&mut out, 6, self.target);
        text(&mut out, 7, self.user);
        text(&mut out, 8, self.agent);
        texts(&mut out, 9, &self.roles);
        text(&mut out, 10, self.issuer);
        text(&mut out, 11, self.arguments_digest);
        text(&mut out, 12, self.arguments);
        number(&mut out, 13, self.arguments_cut.into());
        text(&mut out, 14, self.effect);
        texts(&mut out, 15, &self.rules);
        text(&mut out, 16, self.reason);
        texts(&mut out, 17, &self.errors);
        text(&mut out, 18, self.outcome);
        // Of an `int64`, a negative one is written as its two's complement.
        number(&mut out, 19, self.error_code.cast_unsigned());
        number(&mut out, 20, self.duration_micros);
        text(&mut out, 21, self.trace_id);
        text(&mut out, 22, self.request_id);
        text(&mut out, 23, self.policy_version);
        number(&mut out, 24, self.hidden.into());
        number(&mut out, 25, self.shown.into());
        number(&mut out, 26, self.status.into());
        number(&mut out, 27, self.arguments_raw.into());
        text(&mut out, 28, self.approval);
        for finding in self.findings {
            encode_key(29, WireType::LengthDelimited, &mut out);
            encode_varint(finding.encoded_len() as u64, &mut out);
            finding.encode_raw(&mut out);
        }
        number(&mut out, 30, self.findings_omitted.into());
        text(&mut out, 31, self.detection);
        text(&mut out, 32, self.refusal);
        number(&mut out, 33, self.shadow.into());
        out
    }
}

/// A [`crate::audit::AppendRequest`] over events that are encoded already.
#[must_use]
pub fn append_request<'e>(
    sender: &str,
    batch: u64,
    node: &str,
    events: impl Iterator<Item = &'e [u8]>,
    dropped: u64,
) -> Vec<u8> {
    let mut out = Vec::new();
    text(&mut out, 1, sender);
    number(&mut out, 2, batch);
    text(&mut out, 3, node);
    for event in events {
        bytes(&mut out, 4, event);
    }
    number(&mut out, 5, dropped);
    out
}

fn number(out: &mut Vec<u8>, tag: u32, value: u64) {
    if value != 0 {
        encode_key(tag, WireType::Varint, out);
        encode_varint(value, out);
    }
}

fn text(out: &mut Vec<u8>, tag: u32, value: &str) {
    if !value.is_empty() {
        bytes(out, tag, value.as_bytes());
    }
}

fn texts(out: &mut Vec<u8>, tag: u32, values: &[&str]) {
    for value in values {
        bytes(out, tag, value.as_bytes());
    }
}

fn bytes(out: &mut Vec<u8>, tag: u32, value: &[u8]) {
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint(value.len() as u64, out);
    out.extend_from_slice(value);
}
