//! The filter's side of the push protocol over gRPC, without the network.
//!
//! What arrives is taken apart while it arrives: thousands of streams that each gather a whole snapshot
//! first would need more memory than control does.

use std::collections::HashMap;

use bytes::{Buf as _, Bytes, BytesMut};
use gatehold_wire::discovery::{DeltaDiscoveryRequest, Node};
use prost::Message as _;

/// Length of what gRPC puts before each message.
const PREFIX: usize = 5;
/// Wire type of everything in a response: a length and that many bytes.
const LENGTH_DELIMITED: u64 = 2;

/// A piece of a `DeltaDiscoveryResponse`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A message begins, with this length.
    Begin(usize),
    /// An encoded `Resource`.
    Resource(Bytes),
    /// Name of a resource that is gone.
    Removed(Bytes),
    /// The message is whole.
    End {
        /// Its type.
        type_url: String,
        /// What its answer has to name.
        nonce: String,
    },
}

/// What is not a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// Takes a stream of responses apart.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    buffer: BytesMut,
    /// What is left of the message that is being read.
    left: Option<usize>,
    type_url: String,
    nonce: String,
}

impl Reader {
    /// Adds what has arrived.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next piece, if it is there already.
    pub(crate) fn next(&mut self) -> Result<Option<Piece>, Malformed> {
        let Some(left) = self.left else {
            return self.begin();
        };
        if left == 0 {
            self.left = None;
            return Ok(Some(Piece::End {
                type_url: std::mem::take(&mut self.type_url),
                nonce: std::mem::take(&mut self.nonce),
            }));
        }
        let Some((field, payload)) = self.field(left)? else {
            return Ok(None);
        };
        match field {
            2 => return Ok(Some(Piece::Resource(payload))),
            6 => return Ok(Some(Piece::Removed(payload))),
            4 => self.type_url = text(&payload)?,
            5 => self.nonce = text(&payload)?,
            _ => {}
        }
        self.next()
    }

    fn begin(&mut self) -> Result<Option<Piece>, Malformed> {
        if self.buffer.len() < PREFIX {
            return Ok(None);
        }
        if self.buffer.get_u8() != 0 {
            return Err(Malformed("a compressed message, which was not asked for"));
        }
        let length = self.buffer.get_u32() as usize;
        self.left = Some(length);
        Ok(Some(Piece::Begin(length)))
    }

    /// One field, if it is there as a whole.
    fn field(&mut self, left: usize) -> Result<Option<(u64, Bytes)>, Malformed> {
        let Some((tag, tag_length)) = varint(&self.buffer)? else {
            return Ok(None);
        };
        if tag & 7 != LENGTH_DELIMITED {
            return Err(Malformed("a field that no response has"));
        }
        let rest = self.buffer.get(tag_length..).unwrap_or_default();
        let Some((length, length_length)) = varint(rest)? else {
            return Ok(None);
        };
        let head = tag_length + length_length;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let whole = head.saturating_add(length);
        if whole > left {
            return Err(Malformed("a field that is longer than its message"));
        }
        if self.buffer.len() < whole {
            return Ok(None);
        }
        self.left = Some(left - whole);
        self.buffer.advance(head);
        Ok(Some((tag >> 3, self.buffer.split_to(length).freeze())))
    }
}

/// Version and name of an encoded `Resource`, without a look at its body.
pub(crate) fn version_and_name(resource: &[u8]) -> Result<(&str, &str), Malformed> {
    let (mut version, mut name) = ("", "");
    let mut rest = resource;
    while !rest.is_empty() {
        let (tag, after) = cut_varint(rest)?;
        let (length, after) = cut_varint(after)?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let cut = after.split_at_checked(length);
        let (payload, after) = cut.ok_or(Malformed("a resource that ends early"))?;
        let read = || std::str::from_utf8(payload).map_err(|_| Malformed("a text that is none"));
        match tag {
            10 => version = read()?,
            26 => name = read()?,
            _ => {}
        }
        rest = after;
    }
    Ok((version, name))
}

/// The first request of a type, as gRPC frames it.
pub(crate) fn subscribe(
    type_url: &str,
    node: Option<&str>,
    held: HashMap<String, String>,
) -> Bytes {
    frame(&DeltaDiscoveryRequest {
        node: node.map(|id| Node {
            id: id.to_owned(),
            cluster: "bench".to_owned(),
            user_agent_name: "gatehold".to_owned(),
            ..Node::default()
        }),
        type_url: type_url.to_owned(),
        resource_names_subscribe: vec!["*".to_owned()],
        initial_resource_versions: held,
        ..DeltaDiscoveryRequest::default()
    })
}

/// An ACK, as gRPC frames it.
pub(crate) fn ack(type_url: String, nonce: String) -> Bytes {
    frame(&DeltaDiscoveryRequest {
        type_url,
        response_nonce: nonce,
        ..DeltaDiscoveryRequest::default()
    })
}

fn frame(request: &DeltaDiscoveryRequest) -> Bytes {
    let length = request.encoded_len();
    let mut framed = Vec::with_capacity(PREFIX + length);
    framed.push(0);
    framed.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    framed.extend_from_slice(&request.encode_to_vec());
    framed.into()
}

fn text(bytes: &[u8]) -> Result<String, Malformed> {
    let text = std::str::from_utf8(bytes).map_err(|_| Malformed("a text that is none"))?;
    Ok(text.to_owned())
}

/// A number and the bytes it takes; nothing when it is not there as a whole.
fn varint(bytes: &[u8]) -> Result<Option<(u64, usize)>, Malformed> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * index).min(63);
        if byte & 0x80 == 0 {
            return Ok(Some((value, index + 1)));
        }
    }
    if bytes.len() < 10 {
        Ok(None)
    } else {
        Err(Malformed("a number without end"))
    }
}

fn cut_varint(bytes: &[u8]) -> Result<(u64, &[u8]), Malformed> {
    let (value, length) = varint(bytes)?.ok_or(Malformed("a resource that ends early"))?;
    Ok((value, bytes.get(length..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatehold_wire::Any;
    use gatehold_wire::discovery::{DeltaDiscoveryResponse, Resource};

    fn resource(name: &str) -> Resource {
        Resource {
            version: format!("{name}-1"),
            resource: Some(Any {
                type_url: "t".to_owned(),
                value: vec![7; 300],
            }),
            name: name.to_owned(),
        }
    }

    fn framed(response: &DeltaDiscoveryResponse) -> Vec<u8> {
        let body = response.encode_to_vec();
        let mut framed = vec![0];
        framed.extend((body.len() as u32).to_be_bytes());
        framed.extend(body);
        framed
    }

    #[test]
    fn responses_are_taken_apart_however_they_arrive() {
        let response = DeltaDiscoveryResponse {
            system_version_info: "s".to_owned(),
            resources: vec![resource("a"), resource("b")],
            type_url: "t".to_owned(),
            nonce: "5".to_owned(),
            removed_resources: vec!["c".to_owned()],
        };
        let one = framed(&response);
        let empty = framed(&DeltaDiscoveryResponse::default());
        let end = |type_url: &str, nonce: &str| Piece::End {
            type_url: type_url.to_owned(),
            nonce: nonce.to_owned(),
        };
        let expected = vec![
            Piece::Begin(one.len() - PREFIX),
            Piece::Resource(resource("a").encode_to_vec().into()),
            Piece::Resource(resource("b").encode_to_vec().into()),
            Piece::Removed("c".into()),
            end("t", "5"),
            Piece::Begin(0),
            end("", ""),
        ];
        let all = [one, empty].concat();
        for size in [1, 3, 100, all.len()] {
            let mut reader = Reader::default();
            let mut pieces = Vec::new();
            for chunk in all.chunks(size) {
                reader.add(chunk);
                while let Some(piece) = reader.next().expect("well-formed") {
                    pieces.push(piece);
                }
            }
            assert_eq!(pieces, expected, "in chunks of {size}");
        }
    }

    #[test]
    fn what_is_not_a_response_is_an_error() {
        let cases: [(&[u8], &str); 4] = [
            (&[1, 0, 0, 0, 0], "compressed"),
            (&[0, 0, 0, 0, 2, 8, 1], "no response has"),
            (&[0, 0, 0, 0, 2, 18, 5], "longer than"),
            (
                &[
                    0, 0, 0, 0, 20, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
                ],
                "without end",
            ),
        ];
        for (bytes, expected) in cases {
            let mut reader = Reader::default();
            reader.add(bytes);
            let error = loop {
                match reader.next() {
                    Ok(Some(_)) => {}
                    Ok(None) => break None,
                    Err(Malformed(error)) => break Some(error),
                }
            };
            assert!(
                error.is_some_and(|error| error.contains(expected)),
                "{bytes:?}: {error:?}"
            );
        }
    }

    #[test]
    fn version_and_name_are_read_without_the_body() {
        let encoded = resource("a").encode_to_vec();
        assert_eq!(version_and_name(&encoded), Ok(("a-1", "a")));
        assert!(version_and_name(&encoded[..encoded.len() - 1]).is_err());
    }
}
