//! Words by which a filter tells control what it is, how it was set up and what is wrong with that. They travel in
//! `Node.client_features`, and stay what they are: other versions read them. `docs/troubleshooting.md` explains them.

/// Version of what filters and control say to each other; goes up with every minor version. Control works with the
/// one before, its own and the one after.
pub const PROTOCOL: u32 = 2;

/// The protocol of filters that do not say theirs, which is version 0.1.0.
pub const FIRST_PROTOCOL: u32 = 1;

/// `protocol/N`: see [`PROTOCOL`].
pub const PROTOCOL_WORD: &str = "protocol/";
/// `headers/held` or `headers/ahead`: whether headers wait for the verdict too.
pub const HEADERS_WORD: &str = "headers/";
/// `envoy/MAJOR.MINOR.PATCH`: the Envoy around the filter; absent where it does not say.
pub const ENVOY_WORD: &str = "envoy/";
/// `worker/HEX`: one VM among those of an Envoy, by a random number.
pub const WORKER_WORD: &str = "worker/";
/// `problem/NAME`: a [`SetupProblem`] that the filter has seen.
pub const PROBLEM_WORD: &str = "problem/";

/// Something that is wrong with how a filter was set up, and that it found out by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum SetupProblem {
    /// The filter holds headers, but its Envoy was not told to allow that.
    HeadersNotHeld,
    /// Envoy is too old for how the filter is set up.
    EnvoyTooOld,
    /// Another copy of the filter has judged the request already.
    TwoCopies,
    /// Control cannot be reached, or says nothing. This and what follows is of contact with control, which need not be
    /// told it.
    ControlUnreachable,
    /// Control refuses the filter, as it does with versions that it does not work with.
    ControlRefuses,
}

impl SetupProblem {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 5] = [
        Self::HeadersNotHeld,
        Self::EnvoyTooOld,
        Self::TwoCopies,
        Self::ControlUnreachable,
        Self::ControlRefuses,
    ];

    /// Its name in words, metrics and documentation.
    pub fn name(self) -> &'static str {
        match self {
            Self::HeadersNotHeld => "headers_not_held",
            Self::EnvoyTooOld => "envoy_too_old",
            Self::TwoCopies => "two_copies",
            Self::ControlUnreachable => "control_unreachable",
            Self::ControlRefuses => "control_refuses",
        }
    }
}

/// What follows `word` in the first of the words that begins with it.
pub fn said<'a>(words: &'a [String], word: &str) -> Option<&'a str> {
    words.iter().find_map(|said| said.strip_prefix(word))
}

/// The protocol that these words tell; [`FIRST_PROTOCOL`] where none of them does, and nothing where it is no number.
pub fn protocol(words: &[String]) -> Option<u32> {
    match said(words, PROTOCOL_WORD) {
        None => Some(FIRST_PROTOCOL),
        Some(number) => number.parse().ok(),
    }
}

/// Names of the problems that these words tell, as they stand there.
pub fn problems(words: &[String]) -> impl Iterator<Item = &str> {
    words
        .iter()
        .filter_map(|said| said.strip_prefix(PROBLEM_WORD))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn reads_words() {
        let check =
            |said: &[&str], expected| assert_eq!(protocol(&words(said)), expected, "{said:?}");
        check(&[], Some(1));
        check(&["headers/held"], Some(1));
        check(&["headers/held", "protocol/7"], Some(7));
        check(&["protocol/x"], None);
        check(&["protocol/"], None);
        let all = words(&["problem/a", "protocol/2", "problem/b"]);
        assert_eq!(problems(&all).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(said(&all, ENVOY_WORD), None);
    }

    #[test]
    fn problems_are_in_the_order_of_their_numbers() {
        let numbers = SetupProblem::ALL.map(|problem| problem as usize);
        assert_eq!(numbers, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn the_protocol_goes_up_with_the_minor_version() {
        let minor: u32 = env!("CARGO_PKG_VERSION_MINOR").parse().unwrap();
        // Version 0.1 spoke the first protocol.
        assert_eq!(PROTOCOL, minor);
    }
}
