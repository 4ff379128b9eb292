//! The queue of audit events on their way to control: bounded, in numbered batches, each kept until it
//! is acknowledged.
//!
//! Pure: the root context moves the messages.

use std::collections::VecDeque;

use gatehold_wire::append_request;
use gatehold_wire::audit::AppendResponse;
use prost::Message as _;

/// Bounds of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Events that wait, sent or not.
    pub events: usize,
    /// Encoded bytes that wait, sent or not.
    pub bytes: usize,
    /// Events of one batch.
    pub batch_events: usize,
    /// Encoded bytes of one batch; a single event may exceed it.
    pub batch_bytes: usize,
    /// Batches that are sent and not acknowledged.
    pub window: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            events: 16_384,
            bytes: 16 << 20,
            batch_events: 512,
            batch_bytes: 512 << 10,
            window: 16,
        }
    }
}

/// How important it is that an event is kept while the queue fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// The request was allowed on the promise of [`AuditQueue::reserve`]: it is never dropped. The bytes
    /// may exceed their bound by the events of the requests that were open when it was reached.
    Promised,
    /// The request had a verified token.
    Known,
    /// It had none: anybody can make these, so they only get half of the queue.
    Anonymous,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It waits for control.
    Queued,
    /// The queue is full; it is counted and gone.
    Dropped,
}

/// A batch that is sent and not acknowledged.
#[derive(Clone, Debug)]
struct Sent {
    batch: u64,
    events: usize,
    bytes: usize,
    /// The encoded request, so that it is sent again exactly as it was.
    message: Vec<u8>,
}

/// Events of one worker.
#[derive(Debug)]
pub struct AuditQueue {
    bounds: Bounds,
    sender: String,
    node: String,
    /// Encoded events.
    waiting: VecDeque<Vec<u8>>,
    sent: VecDeque<Sent>,
    next_batch: u64,
    events: usize,
    bytes: usize,
    reserved: usize,
    dropped: u64,
}

impl AuditQueue {
    /// Names the worker to control.
    pub fn sender(&self) -> &str {
        &self.sender
    }

    /// Envoy's node id.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// An empty queue. `sender` is random per worker, `node` is Envoy's node id.
    pub fn new(sender: String, node: String, bounds: Bounds) -> Self {
        Self {
            bounds,
            sender,
            node,
            waiting: VecDeque::new(),
            sent: VecDeque::new(),
            next_batch: 1,
            events: 0,
            bytes: 0,
            reserved: 0,
            dropped: 0,
        }
    }

    /// Keeps room for the event of a request that is about to be allowed; `false` when there is none.
    /// Each room is given back by [`AuditQueue::release`].
    pub fn reserve(&mut self) -> bool {
        let free = self.events.saturating_add(self.reserved) < self.bounds.events
            && self.bytes < self.bounds.bytes;
        if free {
            self.reserved += 1;
        }
        free
    }

    /// Gives a room back, just before its event is recorded or when there will be none.
    pub fn release(&mut self) {
        self.reserved = self.reserved.saturating_sub(1);
    }

    /// Takes an event, encoded.
    pub fn record(&mut self, event: Vec<u8>, weight: Weight) -> Recorded {
        let size = event.len();
        let share = match weight {
            Weight::Promised | Weight::Known => 1,
            Weight::Anonymous => 2,
        };
        // The rooms that are kept are not for others. The event of a room comes after its release.
        let fits = weight == Weight::Promised
            || (self.events.saturating_add(self.reserved) < self.bounds.events / share
                && self.bytes.saturating_add(size) <= self.bounds.bytes / share);
        if !fits {
            self.dropped = self.dropped.saturating_add(1);
            return Recorded::Dropped;
        }
        self.events += 1;
        self.bytes += size;
        self.waiting.push_back(event);
        Recorded::Queued
    }

    /// The next batch to send, encoded; nothing when none waits or the window is full.
    pub fn next_message(&mut self) -> Option<Vec<u8>> {
        if self.sent.len() >= self.bounds.window {
            return None;
        }
        if self.waiting.is_empty() && self.dropped == 0 {
            return None;
        }
        let (mut count, mut bytes) = (0, 0);
        for event in &self.waiting {
            let full =
                count >= self.bounds.batch_events || bytes + event.len() > self.bounds.batch_bytes;
            if count > 0 && full {
                break;
            }
            count += 1;
            bytes += event.len();
        }
        let events = self.waiting.iter().take(count).map(Vec::as_slice);
        let dropped = std::mem::take(&mut self.dropped);
        let message = append_request(&self.sender, self.next_batch, &self.node, events, dropped);
        self.waiting.drain(..count);
        self.sent.push_back(Sent {
            batch: self.next_batch,
            events: count,
            bytes,
            message: message.clone(),
        });
        self.next_batch += 1;
        Some(message)
    }

    /// What must be sent again on a new stream, in order.
    pub fn unacknowledged(&self) -> impl Iterator<Item = &[u8]> {
        self.sent.iter().map(|sent| sent.message.as_slice())
    }

    /// Takes an acknowledgement as it came from the stream; gives the number of events that are on
    /// disk now.
    ///
    /// # Errors
    /// When the message cannot be read.
    pub fn acknowledge(&mut self, message: &[u8]) -> Result<usize, prost::DecodeError> {
        let response = AppendResponse::decode(message)?;
        let mut acknowledged = 0;
        while let Some(sent) = self.sent.pop_front() {
            if sent.batch > response.batch {
                self.sent.push_front(sent);
                break;
            }
            self.events = self.events.saturating_sub(sent.events);
            self.bytes = self.bytes.saturating_sub(sent.bytes);
            acknowledged += sent.events;
        }
        Ok(acknowledged)
    }

    /// Whether everything that was recorded is acknowledged.
    pub fn is_settled(&self) -> bool {
        self.waiting.is_empty() && self.sent.is_empty() && self.dropped == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatehold_wire::audit::{AppendRequest, Event};
    use proptest::prelude::*;

    const SMALL: Bounds = Bounds {
        events: 8,
        bytes: 4096,
        batch_events: 3,
        batch_bytes: 1024,
        window: 2,
    };

    fn queue() -> AuditQueue {
        AuditQueue::new("s".into(), "n".into(), SMALL)
    }

    fn event(id: usize) -> Vec<u8> {
        let event = Event {
            id: id.to_string(),
            ..Event::default()
        };
        event.encode_to_vec()
    }

    fn ack(batch: u64) -> Vec<u8> {
        AppendResponse { batch }.encode_to_vec()
    }

    fn decode(message: &[u8]) -> (u64, Vec<String>, u64) {
        let request = AppendRequest::decode(message).unwrap();
        (
            request.batch,
            request.events.into_iter().map(|event| event.id).collect(),
            request.dropped,
        )
    }

    #[test]
    fn batches_wait_for_the_window() {
        let mut queue = queue();
        for id in 0..8 {
            assert_eq!(queue.record(event(id), Weight::Known), Recorded::Queued);
        }
        assert_eq!(queue.record(event(8), Weight::Known), Recorded::Dropped);
        let first = queue.next_message().unwrap();
        assert_eq!(
            decode(&first),
            (1, vec!["0".into(), "1".into(), "2".into()], 1)
        );
        assert_eq!(decode(&queue.next_message().unwrap()).0, 2);
        assert_eq!(queue.next_message(), None);
        assert_eq!(queue.acknowledge(&ack(1)).unwrap(), 3);
        assert_eq!(
            decode(&queue.next_message().unwrap()),
            (3, vec!["6".into(), "7".into()], 0)
        );
        assert_eq!(queue.acknowledge(&ack(3)).unwrap(), 5);
        assert!(queue.is_settled());
    }

    #[test]
    fn sends_again_what_is_not_acknowledged() {
        let mut queue = queue();
        queue.record(event(0), Weight::Known);
        let first = queue.next_message().unwrap();
        queue.record(event(1), Weight::Known);
        let second = queue.next_message().unwrap();
        assert_eq!(
            queue.unacknowledged().collect::<Vec<_>>(),
            [&first, &second]
        );
        queue.acknowledge(&ack(1)).unwrap();
        assert_eq!(queue.unacknowledged().collect::<Vec<_>>(), [&second]);
        // An acknowledgement that comes twice, or for what was never sent, changes nothing more.
        assert_eq!(queue.acknowledge(&ack(1)).unwrap(), 0);
        assert_eq!(queue.acknowledge(&ack(99)).unwrap(), 1);
    }

    #[test]
    fn anonymous_events_get_half() {
        let mut queue = queue();
        for id in 0..4 {
            assert_eq!(queue.record(event(id), Weight::Anonymous), Recorded::Queued);
        }
        assert_eq!(queue.record(event(4), Weight::Anonymous), Recorded::Dropped);
        assert_eq!(queue.record(event(5), Weight::Known), Recorded::Queued);
    }

    #[test]
    fn reservations_count() {
        let mut queue = queue();
        for _ in 0..8 {
            assert!(queue.reserve());
        }
        assert!(!queue.reserve());
        queue.release();
        assert_eq!(queue.record(event(0), Weight::Known), Recorded::Queued);
        assert!(!queue.reserve());
    }

    proptest! {
        #[test]
        fn never_loses_silently(steps in proptest::collection::vec(0u8..4, 0..200)) {
            let mut queue = queue();
            let (mut queued, mut dropped) = (0, 0);
            let (mut stored, mut told) = (Vec::new(), 0);
            let mut last = 0;
            for (id, step) in steps.into_iter().enumerate() {
                match step {
                    0 | 1 => match queue.record(event(id), Weight::Known) {
                        Recorded::Queued => queued += 1,
                        Recorded::Dropped => dropped += 1,
                    },
                    2 => if let Some(message) = queue.next_message() {
                        let (batch, ids, lost) = decode(&message);
                        prop_assert_eq!(batch, last + 1);
                        last = batch;
                        stored.extend(ids);
                        told += lost;
                    },
                    _ => { queue.acknowledge(&ack(last)).unwrap(); }
                }
            }
            while !queue.is_settled() {
                if let Some(message) = queue.next_message() {
                    let (batch, ids, lost) = decode(&message);
                    last = batch;
                    stored.extend(ids);
                    told += lost;
                }
                queue.acknowledge(&ack(last)).unwrap();
            }
            prop_assert_eq!(stored.len(), queued);
            prop_assert_eq!(told, dropped);
        }
    }
}
