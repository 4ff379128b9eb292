//! Cookies.

use http::HeaderMap;
use http::header::COOKIE;

/// How this console names and writes its cookies.
#[derive(Clone, Copy, Debug)]
pub struct Cookies {
    secure: bool,
}

impl Cookies {
    /// `secure` unless the console is reached over plain HTTP on the machine itself, where browsers take neither
    /// `Secure` nor the `__Host-` prefix.
    pub fn new(secure: bool) -> Self {
        Self { secure }
    }

    /// Name of the cookie with the session's id.
    pub fn session(self) -> &'static str {
        match self.secure {
            true => "__Host-gatehold-session",
            false => "gatehold-session",
        }
    }

    /// Name of the cookie that a sign-in under way has.
    pub fn sign_in(self) -> &'static str {
        match self.secure {
            true => "__Host-gatehold-sign-in",
            false => "gatehold-sign-in",
        }
    }

    /// A `Set-Cookie` value; scripts can't read it, other sites' forms don't send it, other hosts can't set it.
    /// `seconds` 0 removes it.
    pub fn set(self, name: &str, value: &str, seconds: u64) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
    }
}

/// The value of a cookie. When it is there several times nobody knows whose it is: then it counts as absent.
pub fn read<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers
        .get_all(COOKIE)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(found, _)| *found == name)
        .map(|(_, value)| value);
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_attributes() {
        let cookies = Cookies::new(true);
        assert_eq!(
            cookies.set(cookies.session(), "x", 60),
            "__Host-gatehold-session=x; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure"
        );
        let plain = Cookies::new(false);
        assert_eq!(
            plain.set(plain.session(), "x", 0),
            "gatehold-session=x; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
        );
    }

    #[test]
    fn one_of_a_name() {
        let read_from = |lines: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(COOKIE, http::HeaderValue::from_static(line));
            }
            read(&headers, "s").map(str::to_owned)
        };
        assert_eq!(read_from(&["s=1"]).as_deref(), Some("1"));
        assert_eq!(read_from(&["a=b; s=1; c=d"]).as_deref(), Some("1"));
        assert_eq!(read_from(&["a=b", "s=1"]).as_deref(), Some("1"));
        assert_eq!(read_from(&["ss=1", "xs=1"]), None);
        assert_eq!(read_from(&["s=1; s=2"]), None);
        assert_eq!(read_from(&[]), None);
    }
}
