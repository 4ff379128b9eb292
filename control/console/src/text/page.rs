//! How text gets into a page.

use std::fmt;

use askama::filters::{Escaper, Html};

use super::pieces::{Piece, pieces};

/// The escaper of all templates (see `askama.toml`): HTML is escaped, hidden characters become
/// `<mark>U+202E</mark>`.
///
/// The mark has no quotes, so that it does no harm in an attribute, though it looks odd there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Page;

impl Escaper for Page {
    fn write_escaped_str<W: fmt::Write>(&self, mut dest: W, text: &str) -> fmt::Result {
        for piece in pieces(text) {
            match piece {
                Piece::Plain(plain) => Html.write_escaped_str(&mut dest, plain)?,
                Piece::Mark(mark) => {
                    // Texts of several lines are honest; they only must not look like one.
                    let mark = if mark == "U+000A" { "↵" } else { &mark };
                    dest.write_str("<mark>")?;
                    Html.write_escaped_str(&mut dest, mark)?;
                    dest.write_str("</mark>")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_and_hidden_characters() {
        let mut page = String::new();
        Page.write_escaped_str(&mut page, "<b>\u{202e}\"\u{e0022}")
            .unwrap();
        assert_eq!(
            page,
            "&#60;b&#62;<mark>U+202E</mark>&#34;<mark>TAG “&#34;”</mark>"
        );
    }
}
