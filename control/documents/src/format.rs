//! The forms of single values: durations, sizes, names, globs, paths, hosts, URLs.
//!
//! Each function takes what was written and gives the value, or what to write instead.

use url::Url;

/// Seconds of a duration: `90s`, `15m`, `1h30m`, `7d`.
pub(crate) fn duration(text: &str, least: u64, most: u64) -> Result<u64, String> {
    let help = || {
        format!(
            "write a duration from {} to {}, such as `90s`, `15m` or `1h30m`",
            spell(least),
            spell(most)
        )
    };
    let mut seconds = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(help)?;
        let (number, tail) = rest.split_at_checked(digits).ok_or_else(help)?;
        let number: u64 = number.parse().map_err(|_| help())?;
        let mut tail = tail.chars();
        let unit = match tail.next() {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3600,
            Some('d') => 86_400,
            _ => return Err(help()),
        };
        rest = tail.as_str();
        let part = number.checked_mul(unit).ok_or_else(help)?;
        seconds = seconds.checked_add(part).ok_or_else(help)?;
    }
    if text.is_empty() || seconds < least || seconds > most {
        return Err(help());
    }
    Ok(seconds)
}

/// A duration as it is written in documents.
pub(crate) fn spell(seconds: u64) -> String {
    let units = [(86_400, 'd'), (3600, 'h'), (60, 'm')];
    let whole = units
        .iter()
        .find(|(size, _)| seconds > 0 && seconds.is_multiple_of(*size));
    match whole {
        Some((size, unit)) => format!("{}{unit}", seconds / size),
        None => format!("{seconds}s"),
    }
}

/// Bytes of a size: `65536`, `512KiB`, `8MiB`.
pub(crate) fn size(text: &str, most: u64) -> Result<u64, String> {
    let help = || {
        let most = most / (1024 * 1024);
        format!("write a size up to {most}MiB in bytes or with a unit: `65536`, `512KiB`, `8MiB`")
    };
    let (number, unit) = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("", 1),
    ]
    .iter()
    .find_map(|(unit, size)| text.strip_suffix(unit).map(|number| (number, *size)))
    .ok_or_else(help)?;
    let decimal = number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = number.parse().map_err(|_| help())?;
    match number.checked_mul(unit) {
        Some(bytes) if decimal && bytes > 0 && bytes <= most => Ok(bytes),
        _ => Err(help()),
    }
}

/// The name of a document.
pub(crate) fn name(text: &str) -> Result<String, String> {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._".contains(c);
    if text.len() <= 63
        && edge(text.chars().next())
        && edge(text.chars().next_back())
        && text.chars().all(inner)
    {
        return Ok(text.to_owned());
    }
    Err("use up to 63 lower-case letters, digits, `-`, `.` and `_`, with a letter or digit at both ends".to_owned())
}

/// The name of a rule or of a risk class. It begins with a letter, so that no rule is called like another
/// one's position.
pub(crate) fn label(text: &str) -> Result<String, String> {
    let inner = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let first = text.chars().next();
    if text.len() <= 63 && first.is_some_and(|c| c.is_ascii_alphabetic()) && text.chars().all(inner)
    {
        return Ok(text.to_owned());
    }
    Err("use up to 63 letters, digits, `-`, `.` and `_`, beginning with a letter".to_owned())
}

/// A SHA-256 digest in lower-case hexadecimal digits.
pub(crate) fn sha256(hex: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(byte.wrapping_sub(b'a').wrapping_add(10)),
        _ => None,
    };
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    let bytes = pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
    let bytes: Vec<u8> = bytes.collect::<Option<_>>()?;
    bytes.try_into().ok().filter(|_| rest.is_empty())
}

/// The path of a file, absolute or from the document's folder.
pub(crate) fn file(text: &str) -> Result<String, String> {
    if text.len() <= 1024 && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    Err("use at most 1024 bytes, without control characters".to_owned())
}

/// The name of a cluster of Envoy's.
pub(crate) fn cluster(text: &str) -> Result<String, String> {
    let of_host = |c: char| c.is_ascii_alphanumeric() || "-._~:".contains(c);
    // The filter has no room for longer ones that could not stand in a header.
    let most = if text.chars().all(of_host) { 1024 } else { 115 };
    if text.len() <= most && text.chars().all(|c| c.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    Err("use up to 115 characters without blanks, such as `gatehold_control`".to_owned())
}

/// A pattern in which `*` stands for any run of characters.
pub(crate) fn glob(text: &str) -> Result<String, String> {
    if text.len() > 1024 {
        return Err("use at most 1024 bytes; `*` stands for any run of characters".to_owned());
    }
    if text.chars().any(|c| c.is_control() || c == ' ') {
        return Err(
            "remove blanks and control characters; entries of a list go in `[a, b]`".to_owned(),
        );
    }
    if text.matches('*').count() > 8 {
        return Err("use at most 8 `*`".to_owned());
    }
    Ok(text.to_owned())
}

/// The path of an endpoint. Only spelled so that no proxy can read it in two ways.
pub(crate) fn path(text: &str) -> Result<String, String> {
    let Some(rest) = text.strip_prefix('/') else {
        return Err("begin it with `/`: `/crm/mcp`".to_owned());
    };
    if text.contains(['?', '#']) {
        return Err("leave out the query and the fragment".to_owned());
    }
    if text.contains(['%', '\\']) {
        return Err(
            "leave out `%` and `\\`; choose a path of letters, digits and `-._~@:+=`".to_owned(),
        );
    }
    if rest.is_empty() || rest.ends_with('/') {
        return Err("name an endpoint, without `/` at the end: `/crm/mcp`".to_owned());
    }
    if text.starts_with("/.well-known/") {
        return Err("choose another one; `/.well-known/` is for metadata".to_owned());
    }
    for segment in rest.split('/') {
        if matches!(segment, "" | "." | "..") {
            return Err("leave out empty segments, `.` and `..`".to_owned());
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~@:+=".contains(c);
        if !segment.chars().all(allowed) {
            return Err("use only letters, digits and `-._~@:+=` between the slashes".to_owned());
        }
    }
    if text.len() > 1024 {
        return Err("use at most 1024 bytes".to_owned());
    }
    Ok(text.to_owned())
}

/// A host name or address without port, in lower case.
pub(crate) fn host(text: &str) -> Result<String, String> {
    let parsed = url::Host::parse(text).ok().filter(|_| !text.contains('*'));
    let Some(host) = parsed else {
        return Err(
            "write a host name or address without port, such as `gw.example.com`".to_owned(),
        );
    };
    let host = host.to_string();
    if host == text.to_lowercase() {
        return Ok(host);
    }
    Err(format!("write it as `{host}`"))
}

/// An `http` or `https` URL in canonical form, without user, query and fragment.
pub(crate) fn url(text: &str) -> Result<String, String> {
    const HELP: &str = "write an absolute URL such as `https://gw.example.com/crm/mcp`";
    let url = Url::parse(text).map_err(|error| format!("{error}; {HELP}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("only `http` and `https` are possible; {HELP}"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("leave out the user and the password".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("leave out the query and the fragment".to_owned());
    }
    let canonical = url.as_str();
    // The root path may be left out; everything else is written as it is compared.
    if canonical == text || (url.path() == "/" && canonical.strip_suffix('/') == Some(text)) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "write it as `{}`",
        crate::suggest::excerpt(canonical)
    ))
}

/// A URL from which something is fetched; may have a query.
pub(crate) fn fetch_url(text: &str) -> Result<String, String> {
    match text.split_once('?') {
        Some((before, query)) if !query.contains(['#', ' ']) => {
            url(before)?;
            Ok(text.to_owned())
        }
        _ => url(text),
    }
}

/// The address of a site, without `/` at the end: `https`, or `http` on the same machine.
pub(crate) fn site(text: &str) -> Result<String, String> {
    let address = url(text)?;
    let parsed = Url::parse(&address).map_err(|error| error.to_string())?;
    if parsed.path() != "/" {
        let origin = parsed.origin().ascii_serialization();
        return Err(format!("write it without a path: `{origin}`"));
    }
    only_secure(&parsed)?;
    Ok(address.trim_end_matches('/').to_owned())
}

/// An address to which messages are posted: `https`, or `http` on the same machine; may have a query.
pub(crate) fn hook(text: &str) -> Result<String, String> {
    let address = fetch_url(text)?;
    only_secure(&Url::parse(&address).map_err(|error| error.to_string())?)?;
    Ok(address)
}

fn only_secure(url: &Url) -> Result<(), String> {
    let is_here = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() == "https" || is_here {
        return Ok(());
    }
    Err(
        "use `https`; `http` is for the same machine only, such as `http://127.0.0.1:8080`"
            .to_owned(),
    )
}

/// An origin as browsers send it (RFC 6454 section 6.2).
pub(crate) fn origin(text: &str) -> Result<String, String> {
    const HELP: &str = "write scheme, host and port if any: `https://app.example.com`";
    let parsed = Url::parse(text).map_err(|error| format!("{error}; {HELP}"))?;
    let origin = parsed.origin();
    if !origin.is_tuple() {
        return Err(HELP.to_owned());
    }
    let ascii = origin.ascii_serialization();
    if ascii == text {
        Ok(ascii)
    } else {
        Err(format!("write it as `{}`", crate::suggest::excerpt(&ascii)))
    }
}

/// Text that is compared exactly, such as a user, a role or a scope.
pub(crate) fn exact(text: &str) -> Result<String, String> {
    if text.contains('*') {
        return Err("write it exactly; to mean everyone, leave the field out".to_owned());
    }
    if text.len() > 1024 || text.chars().any(char::is_control) || text.trim() != text {
        return Err(
            "use at most 1024 bytes, without blanks around and control characters".to_owned(),
        );
    }
    Ok(text.to_owned())
}

/// A scope token (RFC 6749 section 3.3), so that it can stand in a challenge.
pub(crate) fn scope(text: &str) -> Result<String, String> {
    let allowed = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    if text.len() <= 256 && text.bytes().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err(
            "use at most 256 visible ASCII characters, without `\"` and `\\`; one scope per entry"
                .to_owned(),
        )
    }
}
