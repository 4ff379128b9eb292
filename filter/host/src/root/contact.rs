//! Whether control is heard of, and what is said when it is not.

/// Nanoseconds without a word of control on an open or a lost stream after which that is a problem.
const PATIENCE: u64 = 5_000_000_000;
/// Longest message of control that is logged, in characters.
const MAX_MESSAGE: usize = 512;
/// gRPC status by which control refuses a filter: FAILED_PRECONDITION.
pub(super) const REFUSED: u32 = 9;

/// What is known of the push stream, over all of its attempts.
#[derive(Debug, Default)]
pub(super) struct Contact {
    /// Since when there is none; nothing while there is.
    silent_since: Option<u64>,
    /// What ended the last stream, so that the same is not said again.
    last: String,
    /// The other side has taken the stream. Envoy says so too of one that fails at once.
    taken: bool,
    ticks: u8,
}

impl Contact {
    /// Nothing is known yet.
    pub(super) fn new(now: u64) -> Self {
        Self {
            silent_since: Some(now),
            ..Self::default()
        }
    }

    /// The stream is taken, if it does not end before the next tick.
    pub(super) fn taken(&mut self) {
        self.taken = true;
    }

    /// Whether a stream has stayed that was taken; said once.
    pub(super) fn has_stayed(&mut self) -> bool {
        std::mem::take(&mut self.taken)
    }

    /// Control has spoken; whether there was no contact before.
    pub(super) fn heard(&mut self) -> bool {
        self.last.clear();
        self.silent_since.take().is_some()
    }

    /// The stream has ended; the words for it, unless they are the last ones.
    pub(super) fn ended(&mut self, now: u64, status: u32, message: &[u8]) -> Option<String> {
        self.taken = false;
        self.silent_since.get_or_insert(now);
        let message = decoded(message);
        let text: String = String::from_utf8_lossy(&message)
            .chars()
            .filter(|c| !c.is_control())
            .take(MAX_MESSAGE)
            .collect();
        let words = format!("gRPC status {status}: {text}");
        (words != self.last).then(|| {
            self.last.clone_from(&words);
            words
        })
    }

    /// Whether control has been silent for long.
    pub(super) fn is_lost(&self, now: u64) -> bool {
        self.silent_since
            .is_some_and(|since| now.saturating_sub(since) > PATIENCE)
    }

    /// What ended the last stream; nothing when none was.
    pub(super) fn last(&self) -> &str {
        if self.last.is_empty() {
            "no answer"
        } else {
            &self.last
        }
    }

    /// A tick; whether it is time to say that there is contact.
    pub(super) fn tick(&mut self) -> bool {
        self.ticks = (self.ticks + 1) % 10;
        self.silent_since.is_none() && self.ticks == 1
    }
}

/// A status message as people read it: gRPC sends it percent-encoded, and Envoy says behind it where it is from.
fn decoded(message: &[u8]) -> Vec<u8> {
    let message = message.strip_suffix(b"{via_upstream}").unwrap_or(message);
    let mut rest = message.iter().copied();
    let mut text = Vec::with_capacity(message.len());
    while let Some(byte) = rest.next() {
        let mut ahead = rest.clone();
        let mut digit = || char::from(ahead.next()?).to_digit(16);
        match (byte, digit(), digit()) {
            (b'%', Some(high), Some(low)) => {
                text.extend(u8::try_from(high << 4 | low));
                rest = ahead;
            }
            _ => text.push(byte),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn the_same_end_is_said_once() {
        let mut contact = Contact::new(0);
        let refused = "gRPC status 14: connection refused";
        assert_eq!(
            contact.ended(1, 14, b"connection refused").as_deref(),
            Some(refused)
        );
        assert_eq!(contact.ended(2, 14, b"connection refused"), None);
        assert_eq!(contact.last(), refused);
        assert!(
            contact
                .ended(3, 9, b"a\nb\xff")
                .is_some_and(|words| words.ends_with("9: ab\u{fffd}"))
        );
        assert!(contact.heard());
        assert!(!contact.heard());
        assert!(contact.ended(4, 14, b"connection refused").is_some());
    }

    #[test]
    fn messages_are_read_as_they_were_written() {
        let check = |message: &str, expected: &str| {
            let text = decoded(message.as_bytes());
            assert_eq!(String::from_utf8_lossy(&text), expected);
        };
        check("upgrade%20control{via_upstream}", "upgrade control");
        check("100%25, \u{e9} and %C3%A9", "100%, \u{e9} and \u{e9}");
        check("%", "%");
        check("%4", "%4");
        check("%zz%41", "%zzA");
        check("", "");
    }

    #[test]
    fn what_is_taken_counts_once_it_has_stayed() {
        let mut contact = Contact::new(0);
        contact.taken();
        assert!(contact.has_stayed());
        assert!(!contact.has_stayed());
        contact.taken();
        let _ = contact.ended(1, 14, b"");
        assert!(!contact.has_stayed());
    }

    #[test]
    fn silence_is_a_problem_after_a_while() {
        let mut contact = Contact::new(10 * SECOND);
        assert!(!contact.is_lost(15 * SECOND));
        assert!(contact.is_lost(16 * SECOND));
        assert_eq!(contact.last(), "no answer");
        // Attempts do not begin it anew.
        let _ = contact.ended(14 * SECOND, 14, b"");
        assert!(contact.is_lost(16 * SECOND));
        contact.heard();
        assert!(!contact.is_lost(100 * SECOND));
        assert_eq!((0..20).filter(|_| contact.tick()).count(), 2);
    }
}
