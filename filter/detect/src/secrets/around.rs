//! Secrets that their surroundings speak for: passwords in settings and URLs, headers, PEM blocks, addresses.

use std::ops::Range;

use super::judge;
use super::token;

type Named = Option<(&'static str, Range<usize>)>;

/// The longest value that is looked at.
const VALUE: usize = 200;

/// Ends of names of which the value is a password.
const PASSWORDS: &[&[u8]] = &[
    b"password",
    b"passwd",
    b"passphrase",
    b"passwort",
    b"pwd",
    b"kennwort",
    b"contrasena",
];

/// Ends of names of which the value is a secret of some other kind.
const SECRETS: &[&[u8]] = &[
    b"secret",
    b"secretkey",
    b"secret_key",
    b"apikey",
    b"api_key",
    b"accesskey",
    b"access_key",
    b"accountkey",
    b"authtoken",
    b"auth_token",
    b"accesstoken",
    b"access_token",
    b"apitoken",
    b"api_token",
    b"refreshtoken",
    b"refresh_token",
    b"bearertoken",
    b"bearer_token",
    b"sessiontoken",
    b"session_token",
    b"bottoken",
    b"bot_token",
    b"secrettoken",
    b"secret_token",
    b"privatekey",
    b"private_key",
    b"encryptionkey",
    b"encryption_key",
    b"signingkey",
    b"signing_key",
    b"masterkey",
    b"master_key",
    b"authkey",
    b"auth_key",
];

/// Whether a name in front of a value says that it is a secret.
pub(super) fn is_name(word: &[u8], dash_before: bool) -> bool {
    name(word).is_some()
        || (dash_before
            && matches!(
                word,
                b"key" | b"Key" | b"KEY" | b"token" | b"Token" | b"TOKEN"
            ))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Password,
    Secret,
}

fn name(word: &[u8]) -> Option<What> {
    let ends = |ends: &[&[u8]]| {
        ends.iter().any(|end| {
            let tail = word
                .len()
                .checked_sub(end.len())
                .and_then(|at| word.get(at..));
            tail.is_some_and(|tail| tail.eq_ignore_ascii_case(end))
        })
    };
    if ends(PASSWORDS) {
        Some(What::Password)
    } else if ends(SECRETS) || word.eq_ignore_ascii_case(b"token") {
        Some(What::Secret)
    } else {
        None
    }
}

/// The value that is given to a name: `password = "…"`, `"api_key":"…"`, `SECRET=…`, `<password>…`; and up to where it
/// was looked for.
pub(super) fn assigned(text: &[u8], word: &Range<usize>) -> (Named, usize) {
    match value_of(text, word.end) {
        Some((start, quoted)) => {
            let value = value(text, start, quoted);
            let end = value.end;
            (judged(text, word, value, quoted), end)
        }
        None => (None, word.end),
    }
}

fn judged(text: &[u8], word: &Range<usize>, value: Range<usize>, quoted: bool) -> Named {
    let before = text.get(word.start.saturating_sub(12)..word.start)?;
    let what = match name(text.get(word.clone())?) {
        Some(what) => what,
        None => compound(before)?,
    };
    let bytes = text.get(value.clone())?;
    let is_chosen = what == What::Password && quoted;
    let holds = match what {
        What::Password => judge::is_password(bytes),
        What::Secret => {
            bytes.len() >= 16
                && judge::is_random(bytes)
                && !is_path(bytes)
                && !judge::contains(before, b"checksum")
                && !judge::contains(before, b"sha256")
        }
    };
    if !holds || is_reference(bytes, is_chosen) || is_token(text, value.start) {
        return None;
    }
    if what == What::Password {
        return Some(("password", value));
    }
    let name = text.get(word.clone())?;
    let is_aws = [&b"secret_access_key"[..], b"secretaccesskey"]
        .iter()
        .any(|end| judge::contains(name, end));
    let name = match bytes.len() {
        40 if is_aws => "aws-secret-key",
        88 if bytes.ends_with(b"==") => "azure-key",
        _ => "credential",
    };
    Some((name, value))
}

/// `x-api-key`, `access-token` and so on are several words: this one stands before `key` or `token`.
fn compound(before: &[u8]) -> Option<What> {
    const NAMES: [&[u8]; 7] = [
        b"api-",
        b"access-",
        b"secret-",
        b"auth-",
        b"private-",
        b"account-",
        b"session-",
    ];
    let ends = |name: &&[u8]| {
        let tail = before
            .len()
            .checked_sub(name.len())
            .and_then(|at| before.get(at..));
        tail.is_some_and(|tail| tail.eq_ignore_ascii_case(name))
    };
    NAMES.iter().any(ends).then_some(What::Secret)
}

/// Whether a value says where the secret is, rather than being it; a password that somebody chose may begin with
/// any sign.
fn is_reference(value: &[u8], is_chosen: bool) -> bool {
    let Some(first) = value.first() else {
        return true;
    };
    if matches!(first, b'$' | b'{' | b'<' | b'%' | b'[')
        || judge::contains(value, b"://")
        || judge::contains(value, b"${")
    {
        return true;
    }
    let is_code = |byte: &u8| matches!(byte, b'(' | b'{' | b'[');
    !is_chosen
        && (!first.is_ascii_alphanumeric() && !matches!(first, b'+' | b'_' | b'-')
            || value.iter().any(is_code)
            || judge::contains(value, b"process.env")
            || judge::contains(value, b"environ"))
}

/// Whether a token begins here that is known by its form, and told by its own name.
fn is_token(text: &[u8], start: usize) -> bool {
    let run = token::run(text, &(start..start + 1), start);
    // Some have a dot behind their first letters.
    let behind = run.end + 1;
    let is_behind = || {
        let rest = token::run(text, &(behind..behind + 1), behind);
        token::named(text, &rest).is_some_and(|(_, span)| span.start == start)
    };
    token::named(text, &run).is_some() || (text.get(run.end) == Some(&b'.') && is_behind())
}

/// A path or dotted name rather than random letters.
fn is_path(bytes: &[u8]) -> bool {
    let signs = bytes
        .iter()
        .filter(|byte| matches!(byte, b'/' | b'.' | b':'))
        .count();
    signs >= 2 && bytes.len() / signs <= 14
}

/// Where a value begins behind its name, and whether it is in quotes.
fn value_of(text: &[u8], end: usize) -> Option<(usize, bool)> {
    let mut at = end;
    at = skip(text, at, 8, |byte| {
        matches!(byte, b'"' | b'\'' | b'`' | b']' | b'\\')
    });
    at = skip(text, at, 4, |byte| byte == b' ');
    let rest = text.get(at..)?;
    at += match rest {
        [b':', b':', ..] => return None,
        [b'=', b'=', ..] | [b'!', ..] => return None,
        [b':', b'=', ..] | [b'=', b'>', ..] => 2,
        [b':' | b'=' | b'>', ..] => 1,
        [b'i', b's', b' ' | b':', ..] => 3,
        _ => return None,
    };
    at = skip(text, at, 4, |byte| byte == b' ');
    let opening = at;
    at = skip(text, at, 8, |byte| {
        matches!(byte, b'"' | b'\'' | b'`' | b'\\')
    });
    Some((at, at > opening))
}

fn skip(text: &[u8], at: usize, most: usize, what: impl Fn(u8) -> bool) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest
        .iter()
        .take(most)
        .take_while(|byte| what(**byte))
        .count()
}

/// How far a value goes.
fn value(text: &[u8], start: usize, quoted: bool) -> Range<usize> {
    let rest = text.get(start..).unwrap_or_default();
    let ends = |byte: u8| match byte {
        b'"' | b'\\' | 0..=b' ' | 127.. => true,
        b'\'' | b'`' => true,
        b',' | b';' | b'&' | b'<' | b'>' | b')' | b'}' | b']' => !quoted,
        _ => false,
    };
    let length = rest
        .iter()
        .take(VALUE + 1)
        .take_while(|byte| !ends(**byte))
        .count();
    // What is longer than any secret is none, but it was looked at.
    if length > VALUE {
        start + length..start + length
    } else {
        start..start + length
    }
}

/// `Bearer …` and `Basic …`.
pub(super) fn header(text: &[u8], word: &Range<usize>) -> Named {
    let bearer = text.get(word.clone())?.len() == 6;
    let start = skip(text, word.end, 2, |byte| byte == b' ');
    if start == word.end {
        return None;
    }
    let fits = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'+' | b'/' | b'=')
    };
    let end = skip(text, start, 1024, fits);
    let value = text.get(start..end)?;
    if bearer {
        let holds = value.len() >= 20
            && judge::is_random(value)
            && !is_path(value)
            // Half a JWT is none.
            && !value.starts_with(b"eyJ")
            && !is_token(text, start);
        return holds.then_some(("bearer-token", start..end));
    }
    if value.len() < 12 {
        return None;
    }
    let decoded = judge::base64(value, 256)?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let password = decoded.get(colon + 1..)?;
    let holds = decoded.iter().all(|byte| matches!(byte, b' '..=b'~'))
        && password.len() >= 4
        && !judge::is_stand_in(password)
        && !judge::is_no_password(password);
    holds.then_some(("basic-auth", start..end))
}

/// The password in `scheme://user:password@host`; the word is the scheme.
pub(super) fn url(text: &[u8], word: &Range<usize>) -> Named {
    let start = skip(text, word.end + 1, 4, |byte| matches!(byte, b'/' | b'\\'));
    let rest = text.get(start..)?;
    let ends = |byte: u8| {
        matches!(
            byte,
            b'/' | b'?' | b'#' | b'"' | b'\'' | b'\\' | b'<' | b'>' | b'`' | 0..=b' '
        )
    };
    let length = rest
        .iter()
        .take(VALUE)
        .take_while(|byte| !ends(**byte))
        .count();
    let authority = rest.get(..length)?;
    let at = authority.iter().rposition(|byte| *byte == b'@')?;
    let colon = authority.get(..at)?.iter().position(|byte| *byte == b':')?;
    let (user, password) = (authority.get(..colon)?, authority.get(colon + 1..at)?);
    let value = start + colon + 1..start + at;
    let holds = password.len() >= 6
        && password != user
        && !password
            .iter()
            .any(|byte| matches!(byte, b'$' | b'{' | b'}' | b'[' | b'*'))
        && judge::makeup(password).distinct >= 4
        && !judge::is_stand_in(password)
        && !judge::is_no_password(password)
        && !is_token(text, value.start);
    holds.then_some(("url-password", value))
}

/// The block whose line `-----BEGIN …PRIVATE KEY-----` has this word, at most so many bytes.
pub(super) fn pem(text: &[u8], word: &Range<usize>, most: usize) -> Named {
    let start = word.start.checked_sub(5)?;
    if text.get(start..word.start)? != b"-----" {
        return None;
    }
    let block = text.get(word.end..)?;
    let block = block.get(..most).unwrap_or(block);
    let line = block.get(..48).unwrap_or(block);
    let label = line.windows(5).position(|window| window == b"-----")?;
    if !block
        .get(..label)?
        .windows(11)
        .any(|window| window == b"PRIVATE KEY")
    {
        return None;
    }
    let body = block.get(label + 5..)?;
    // Up to the next row of hyphens, so that many beginnings do not read the same bytes again and again.
    let length = body
        .iter()
        .enumerate()
        .take_while(|(at, byte)| is_body(body, *at, **byte))
        .count();
    let key = body.get(..length)?;
    // A block in documentation has dots or a word where the key belongs.
    let letters = key.iter().filter(|byte| byte.is_ascii_alphanumeric());
    if letters.count() < 64 || judge::makeup(key).distinct < 24 {
        return None;
    }
    let mut to = word.end + label + 5 + length;
    if let Some(end) = body.get(length..)?.strip_prefix(b"-----END ") {
        let line = end.get(..48).unwrap_or(end);
        to += 9 + line
            .windows(5)
            .position(|window| window == b"-----")
            .map_or(0, |at| at + 5);
    }
    Some(("private-key", start..to))
}

/// What stands in a PEM block: base64, headers, line breaks as they are or escaped.
fn is_body(body: &[u8], at: usize, byte: u8) -> bool {
    match byte {
        b'-' => body.get(at..at + 5) != Some(b"-----"),
        b'+' | b'/' | b'=' | b'\\' | b' ' | b'\r' | b'\n' | b'\t' | b':' | b',' | b'"' => true,
        _ => byte.is_ascii_alphanumeric(),
    }
}

/// Hosts of documentation, and endings that are files or versions.
const NO_HOSTS: &[&[u8]] = &[
    b"example.com",
    b"example.org",
    b"example.net",
    b"example.edu",
    b"localhost",
];
const NO_ENDS: &[&[u8]] = &[
    b"example",
    b"invalid",
    b"test",
    b"local",
    b"localhost",
    b"internal",
    b"png",
    b"jpg",
    b"jpeg",
    b"gif",
    b"svg",
    b"webp",
    b"js",
    b"ts",
    b"css",
    b"json",
    b"py",
    b"rs",
    b"go",
    b"java",
    b"html",
    b"service",
    b"target",
    b"timer",
];
/// Addresses of machines.
const NO_PEOPLE: &[&[u8]] = &[
    b"git",
    b"noreply",
    b"no-reply",
    b"donotreply",
    b"notifications",
    b"mailer-daemon",
    b"postmaster",
];

/// The mail address of which the word is the last before the `@`.
pub(super) fn email(text: &[u8], word: &Range<usize>, floor: usize) -> Named {
    let fits =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'+' | b'%');
    let mut start = word.start;
    let least = floor.max(word.start.saturating_sub(64));
    while start > least && text.get(start - 1).is_some_and(|byte| fits(*byte)) {
        start -= 1;
    }
    if start > 0 && text.get(start - 1) == Some(&b'\\') {
        start = (start + 1).min(word.start);
    }
    while text
        .get(start)
        .is_some_and(|byte| !byte.is_ascii_alphanumeric())
    {
        start += 1;
    }
    let from = word.end + 1;
    let mut to = skip(text, from, 128, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-')
    });
    while to > from
        && text
            .get(to - 1)
            .is_some_and(|byte| !byte.is_ascii_alphanumeric())
    {
        to -= 1;
    }
    let (local, host) = (text.get(start..word.end)?, text.get(from..to)?);
    let dot = host.iter().rposition(|byte| *byte == b'.')?;
    let end = host.get(dot + 1..)?;
    // What follows makes it a remote, a URL with a user, or a package.
    let follows = text.get(to).copied().unwrap_or(b' ');
    let is = |words: &[&[u8]], it: &[u8]| words.iter().any(|word| it.eq_ignore_ascii_case(word));
    let holds = end.len() >= 2
        && end.iter().all(u8::is_ascii_alphabetic)
        && dot > 0
        && !is(NO_HOSTS, host)
        && !is(NO_ENDS, end)
        && !is(NO_PEOPLE, local)
        && !judge::contains(local, b"noreply")
        && !judge::contains(host, b"example.")
        && !matches!(follows, b':' | b'@' | b'/' | b'(' | b'_');
    holds.then_some(("email", start..to))
}
