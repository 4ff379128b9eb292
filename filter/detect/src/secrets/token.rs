//! Keys and tokens that are known by their own form.

use std::ops::Range;

use super::judge::{self, contains};
use super::keys::{DOCUMENTED, DOTTED, Key, keys};

/// How far before an odd word its token may begin.
const REACH: usize = 96;
/// The longest run of letters that can be a key: more is data.
const LONGEST: usize = 2100;
/// The longest part of a token behind a dot.
const PART: usize = 1600;

/// The run of letters, digits, `-` and `_` around a word, from `floor` on.
pub(super) fn run(text: &[u8], word: &Range<usize>, floor: usize) -> Range<usize> {
    let mut start = word.start;
    let least = floor.max(word.start.saturating_sub(REACH));
    while start > least && text.get(start - 1).is_some_and(|byte| is_id(*byte)) {
        start -= 1;
    }
    // What goes on behind something that was looked at has been looked at.
    let is_rest = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    if start == floor
        && start
            .checked_sub(1)
            .and_then(|at| text.get(at))
            .is_some_and(is_rest)
    {
        start = word.end;
    }
    // The letter of an escape is none of the token.
    match (
        start.checked_sub(1).and_then(|at| text.get(at)),
        text.get(start),
    ) {
        (Some(b'\\'), Some(b'u')) => start = (start + 5).min(word.start),
        (Some(b'\\'), Some(b'n' | b'r' | b't' | b'b' | b'f')) => {
            start = (start + 1).min(word.start);
        }
        (Some(b'%'), Some(_)) => start = (start + 2).min(word.start),
        _ => {}
    }
    let mut end = word.end;
    while text.get(end).is_some_and(|byte| is_id(*byte)) {
        end += 1;
    }
    start.min(end)..end
}

pub(super) fn is_id(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// The key that a run is, and its place.
pub(super) fn named(text: &[u8], run: &Range<usize>) -> Option<(&'static str, Range<usize>)> {
    let mut start = run.start;
    while text.get(start) == Some(&b'-') {
        start += 1;
    }
    let core = text.get(start..run.end)?;
    if core.len() > LONGEST {
        return None;
    }
    let before = text.get(start.saturating_sub(REACH)..start)?;
    let found = known(text, before, core, start).or_else(|| other(text, before, core, start))?;
    let value = text.get(found.1.clone())?;
    (!DOCUMENTED.contains(&judge::fnv(value))).then_some(found)
}

/// By the tables of prefixes.
fn known(
    text: &[u8],
    before: &[u8],
    core: &[u8],
    start: usize,
) -> Option<(&'static str, Range<usize>)> {
    let first = keys(*core.first()?).iter();
    let plain =
        first.filter_map(|key| Some((key, core.strip_prefix(key.prefix.as_bytes())?, start)));
    let dotted = DOTTED.iter().take(if before.ends_with(b".") {
        DOTTED.len()
    } else {
        0
    });
    let dotted = dotted.filter(|key| before.ends_with(key.prefix.as_bytes()));
    let dotted = dotted.map(|key| (key, core, start - key.prefix.len()));
    plain.chain(dotted).find_map(|(key, rest, from)| {
        let span = body(text, key, rest, from)?;
        Some((key.name, span))
    })
}

/// The place of a key that begins at `from`, of which `rest` follows the prefix.
fn body(text: &[u8], key: &Key, rest: &[u8], from: usize) -> Option<Range<usize>> {
    let length = rest
        .iter()
        .take_while(|byte| key.charset.has(**byte))
        .count();
    let body = rest.get(..length)?;
    let ends = rest
        .get(length)
        .is_none_or(|next| !next.is_ascii_alphanumeric());
    if !(key.length.0..=key.length.1).contains(&length) || !ends {
        return None;
    }
    let end = from + key.prefix.len() + length;
    let holds = match key.name {
        "sendgrid-key" => return sendgrid(text, from, end),
        "github-token" | "npm-token" => judge::is_filled_in(body) || judge::has_checksum(body),
        // Two or three letters say little by themselves.
        "openai-key" | "twilio-key" | "crates-token" | "replicate-token" => judge::is_random(body),
        _ => judge::is_filled_in(body),
    };
    holds.then_some(from..end)
}

/// By forms that are more than a prefix.
fn other(
    text: &[u8],
    before: &[u8],
    core: &[u8],
    start: usize,
) -> Option<(&'static str, Range<usize>)> {
    let end = start + core.len();
    if core.starts_with(b"eyJ") {
        return jwt(text, start, end);
    }
    if core.len() == 35 && core.starts_with(b"AA") && before.ends_with(b":") {
        let id = before
            .iter()
            .rev()
            .skip(1)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if (8..=10).contains(&id) && judge::is_filled_in(core) {
            return Some(("telegram-token", start - id - 1..end));
        }
    }
    if (23..=28).contains(&core.len())
        && matches!(core.first(), Some(b'M' | b'N' | b'O'))
        && let Some(found) = discord(text, start, end)
    {
        return Some(found);
    }
    if (18..=48).contains(&core.len()) && is_path(before, 2, &[b"services", b"hooks.slack.com"]) {
        return judge::is_filled_in(core).then_some(("slack-webhook", start..end));
    }
    if (60..=80).contains(&core.len()) && is_path(before, 1, &[b"webhooks", b"api"]) {
        return judge::is_filled_in(core).then_some(("discord-webhook", start..end));
    }
    if core.len() == 84 && core.get(76..80) == Some(b"AZDO") {
        return Some(("azure-devops-token", start..end));
    }
    // A client secret of Entra ID has `Q~` as its fifth and sixth letters.
    if (30..=36).contains(&core.len())
        && let [.., _, _, _, digit, b'Q', b'~'] = before
        && digit.is_ascii_digit()
        && judge::is_random(core)
    {
        return Some(("azure-client-secret", start - 6..end));
    }
    // Mailchimp's end in the data center.
    if let Some((hex, center)) = core.split_at_checked(32)
        && hex.iter().all(|byte| super::keys::Charset::Hex.has(*byte))
        && let Some(number) = center.strip_prefix(b"-us")
        && (1..=2).contains(&number.len())
        && number.iter().all(u8::is_ascii_digit)
    {
        return Some(("mailchimp-key", start..end));
    }
    None
}

/// Whether a URL ends in these segments, the last one first, and so many others behind them. JSON may escape slashes.
fn is_path(before: &[u8], skip: usize, segments: &[&[u8]]) -> bool {
    let parts = before.rsplit(|byte| *byte == b'/');
    let parts = parts.map(|part| part.strip_suffix(b"\\").unwrap_or(part));
    before.ends_with(b"/")
        && parts
            .skip(1 + skip)
            .zip(segments)
            .filter(|(part, segment)| part == *segment)
            .count()
            == segments.len()
}

/// The run behind a dot.
fn part(text: &[u8], dot: usize) -> Option<Range<usize>> {
    if text.get(dot) != Some(&b'.') {
        return None;
    }
    let rest = text.get(dot + 1..)?;
    let length = rest
        .iter()
        .take(PART)
        .take_while(|byte| is_id(**byte))
        .count();
    (length > 0).then_some(dot + 1..dot + 1 + length)
}

/// `SG.` and 22 letters are there; 43 more follow.
fn sendgrid(text: &[u8], start: usize, dot: usize) -> Option<Range<usize>> {
    let secret = part(text, dot)?;
    let body = text.get(secret.clone())?;
    (body.len() == 43 && judge::is_filled_in(body)).then_some(start..secret.end)
}

/// A header that is JSON with an algorithm, claims, and a signature.
fn jwt(text: &[u8], start: usize, end: usize) -> Option<(&'static str, Range<usize>)> {
    let header = judge::base64(text.get(start..end)?, 400)?;
    if !header.starts_with(b"{") || !contains(&header, b"\"alg\"") {
        return None;
    }
    let claims = part(text, end)?;
    let signature = part(text, claims.end)?;
    let claims = judge::base64(text.get(claims)?, 8)?;
    let random = text.get(signature.clone())?;
    let holds = claims.starts_with(b"{") && random.len() >= 20 && !judge::is_stand_in(random);
    (holds && !DOCUMENTED.contains(&judge::fnv(random))).then_some(("jwt", start..signature.end))
}

/// The number of a user in base64, six letters, and a signature.
fn discord(text: &[u8], start: usize, end: usize) -> Option<(&'static str, Range<usize>)> {
    let id = judge::base64(text.get(start..end)?, 24)?;
    if id.len() < 17 || !id.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let time = part(text, end)?;
    let signature = part(text, time.end)?;
    let fits = time.len() == 6 && (27..=38).contains(&signature.len());
    fits.then_some(("discord-token", start..signature.end))
}
