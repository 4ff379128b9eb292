//! One response in the form in which it is sent.

use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use gatehold_wire::discovery::DeltaDiscoveryResponse;
use prost::Message as _;

use crate::of_type::Difference;

/// Length of what gRPC puts before each message.
const PREFIX: usize = 5;
/// Up to this length a message is sent in one piece: copying costs less than another frame, which holds no more.
const ONE_PIECE: usize = 16 << 10;

/// A response to one stream. The resources in it are shared with all streams that get the same.
#[derive(Clone, Debug)]
pub struct Response {
    /// Type of its resources.
    pub type_url: String,
    /// What its answer names.
    pub nonce: String,
    version: String,
    difference: Arc<Difference>,
}

impl Response {
    pub(crate) fn new(
        type_url: &str,
        nonce: &str,
        version: &str,
        difference: Arc<Difference>,
    ) -> Self {
        Self {
            type_url: type_url.to_owned(),
            nonce: nonce.to_owned(),
            version: version.to_owned(),
            difference,
        }
    }

    /// How many resources are new.
    pub fn changed(&self) -> usize {
        self.difference.changed.len()
    }

    /// How many resources are gone.
    pub fn removed(&self) -> usize {
        self.difference.removed.len()
    }

    /// The message as a client reads it.
    ///
    /// # Errors
    /// Never: it can be read as it was written.
    pub fn message(&self) -> Result<DeltaDiscoveryResponse, prost::DecodeError> {
        let pieces = [
            self.head().encode_to_vec().into(),
            self.difference.encoded.clone(),
        ];
        DeltaDiscoveryResponse::decode(&*pieces.concat())
    }

    /// The message as gRPC frames it, in one or two pieces; nothing if it is longer than gRPC allows.
    pub(crate) fn pieces(&self) -> Option<(Bytes, Option<Bytes>)> {
        let (head, encoded) = (self.head(), &self.difference.encoded);
        let head_length = head.encoded_len();
        let length = head_length.checked_add(encoded.len())?;
        let one_piece = length <= ONE_PIECE;
        let mut first =
            BytesMut::with_capacity(PREFIX + if one_piece { length } else { head_length });
        first.put_u8(0);
        first.put_u32(u32::try_from(length).ok()?);
        head.encode(&mut first).ok()?;
        if one_piece {
            first.extend_from_slice(encoded);
            return Some((first.freeze(), None));
        }
        Some((first.freeze(), Some(encoded.clone())))
    }

    /// All but the new resources. In a message fields may stand in any order.
    fn head(&self) -> DeltaDiscoveryResponse {
        let removed = self.difference.removed.iter();
        DeltaDiscoveryResponse {
            system_version_info: self.version.clone(),
            resources: Vec::new(),
            type_url: self.type_url.clone(),
            nonce: self.nonce.clone(),
            removed_resources: removed.map(|name| name.to_string()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Resource;

    fn check(body: usize, pieces: usize) {
        let resource = Resource::new("t", "a", vec![7; body]);
        let difference = Arc::new(Difference::new([&resource].into_iter()));
        let response = Response::new("t", "5", "v", difference);
        let (first, rest) = response.pieces().expect("short enough");
        assert_eq!(1 + usize::from(rest.is_some()), pieces, "{body} bytes");
        if let Some(rest) = &rest {
            assert_eq!(rest.as_ptr(), resource.encoded.as_ptr(), "not a copy");
        }
        let all = [first, rest.unwrap_or_default()].concat();
        let (prefix, message) = all.split_at(PREFIX);
        assert_eq!(prefix[1..], (message.len() as u32).to_be_bytes());
        let read = DeltaDiscoveryResponse::decode(message).expect("well-formed");
        assert_eq!(Ok(&read), response.message().as_ref());
        assert_eq!((&*read.nonce, &*read.resources[0].name), ("5", "a"));
    }

    #[test]
    fn long_messages_are_sent_without_a_copy() {
        check(0, 1);
        check(1000, 1);
        check(ONE_PIECE, 2);
        check(1 << 20, 2);
    }
}
