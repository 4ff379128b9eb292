use std::ops::Range;

use super::{Gap, Reader, Sink, Unspaced, Word, words};
use crate::flag::{CAMEL, DIGIT, DISGUISED, LOWER, START, SYMBOLS, UNDERSCORE, UPPER};
use crate::{Fold, Folded, Hash};

/// Keeps what it is told.
#[derive(Default)]
struct Told {
    words: Vec<(Word, String)>,
    hidden: Vec<(Range<usize>, Vec<u8>)>,
    known: Vec<Hash>,
}

impl Sink for Told {
    fn word(&mut self, text: &[u8], word: &Word) {
        let bytes = &text[word.start..word.end];
        let text = String::from_utf8_lossy(bytes).into_owned();
        self.words.push((*word, text));
    }

    fn hidden(&mut self, run: Range<usize>, carried: &[u8]) {
        self.hidden.push((run, carried.to_vec()));
    }

    fn knows(&self, hash: Hash) -> bool {
        self.known.contains(&hash)
    }
}

fn fold() -> Fold {
    let text = |plain, confusable| Folded::Text { plain, confusable };
    Fold::build([
        ('é', text("e", "")),
        ('’', text("'", "")),
        ('ｉ', text("i", "")),
        ('＃', text("#", "")),
        ('\u{3000}', text(" ", "")),
        ('𝐢', text("i", "")),
        ('о', text("о", "o")),
        ('р', text("р", "p")),
        ('е', text("е", "e")),
        ('н', text("н", "h")),
        ('ж', Folded::Letter),
        ('忽', Folded::Ideograph),
        ('略', Folded::Ideograph),
        ('之', Folded::Ideograph),
        ('前', Folded::Ideograph),
        ('\u{ad}', Folded::Invisible),
        ('\u{200b}', Folded::Invisible),
        ('\u{fe01}', Folded::Invisible),
        ('\u{fe02}', Folded::Invisible),
        ('\u{301}', Folded::Mark),
    ])
}

fn told(text: &str, known: &[&str]) -> Told {
    let mut told = Told {
        known: known.iter().map(|word| Hash::of(word.as_bytes())).collect(),
        ..Told::default()
    };
    words(
        text.as_bytes(),
        0..text.len(),
        Gap::begin(),
        &fold(),
        &mut told,
    );
    told
}

/// Every expected word is what is looked up, in this order.
fn check(text: &str, expected: &[&str]) {
    let told = told(text, &["pope"]);
    let found: Vec<_> = told
        .words
        .iter()
        .map(|(word, written)| {
            let reads = expected
                .iter()
                .find(|it| Hash::of(it.as_bytes()) == word.hash);
            reads.map_or_else(|| format!("unread `{written}`"), |it| (*it).to_owned())
        })
        .collect();
    assert_eq!(found, expected, "{text:?}");
}

#[test]
fn words_as_they_are_read() {
    check(
        "Ignore all previous, please.",
        &["ignore", "all", "previous", "please"],
    );
    check("read_File readFile a1", &["read_file", "readfile", "a1"]);
    check(
        "don't don’t 'quoted' rock'",
        &["dont", "dont", "quoted", "rock"],
    );
    check(
        "internationalization_of_everything x",
        &["internationalization_of_everything", "x"],
    );
    check(
        "{\"a\":\"line\\nnext\\ttab\\\"q\\\"\\/s\"}",
        &["a", "line", "next", "tab", "q", "s"],
    );
    check(
        "### <|im_start|>system",
        &["###", "<|", "im_start", "|>", "system"],
    );
    check("a://b", &["a", "://", "b"]);
}

#[test]
fn escapes_of_every_kind() {
    for text in [
        "\\u0069gn\\u006Fre",
        "\\\\u0069gnore",
        "\\u{69}gnore",
        "\\x69gnore",
        "\\\\\\\\x69gnore",
        "\\151gnore",
        "\\U00000069gnore",
        "%69gnore",
        "%2569gnore",
        "%252569gnore",
        "%69%67%6e%6f%72%65",
        "&#105;gnore",
        "&#x69;gnore",
        "&amp;#105;gnore",
        "&amp;amp;#x69;gnore",
        "=69=67nore",
        "=69=67=6E=6F=72=65",
        "ig=\nnore",
        "ig=\r\nnore",
        "ig\\u200bnore",
        "ig\u{200b}nore",
        "ig&#8203;nore",
        "ig%E2%80%8Bnore",
        "ｉgnore",
        "𝐢gnore",
        "\\ud835\\udc22gnore",
        "ignor\u{301}e",
        "ignorе",
        "ignоrе",
        "&ZeroWidthSpace;ignore",
        "ign&shy;ore",
    ] {
        check(&format!("x {text} y"), &["x", "ignore", "y"]);
    }
}

#[test]
fn what_only_looks_like_an_escape() {
    check("100% of", &["100", "of"]);
    check("a=20 b", &["a", "20", "b"]);
    check("AT&T; R&D", &["at", "t", "r", "d"]);
    check("C:\\users\\x", &["c", ":\\", "users", "x"]);
    check("\\ud835 x", &["x"]);
    check("%zz %C3( x", &["zz", "c3", "x"]);
    check(
        "x &#; &#x; &#99999999; y",
        &["x", "&#;", "&#", "x", "&#", "99999999", "y"],
    );
}

#[test]
fn disguises_are_marked() {
    for (text, disguised) in [
        ("ignore", false),
        ("ignоrе", true),
        ("\\u0069gnore", true),
        ("café", false),
        ("ig\u{200b}nore", true),
        ("ｉgnore", true),
        ("e\u{301}", false),
        ("e\u{301}\u{301}\u{301}x", true),
        ("жо", false),
        ("роре", true),
        ("оре", false),
        ("line\\nnext", false),
        ("%69gnore", true),
        ("&#105;gnore", true),
        ("don’t", false),
        ("\u{E0069}\u{E0067}", true),
    ] {
        let told = told(text, &["pope", "ope"]);
        let found = told
            .words
            .iter()
            .any(|(word, _)| word.flags & DISGUISED != 0);
        assert_eq!(found, disguised, "{text:?}");
    }
}

#[test]
fn flags_of_words() {
    for (text, flags) in [
        ("word", LOWER),
        ("Word", LOWER),
        ("WORD", UPPER),
        ("wOrd", LOWER | CAMEL),
        ("getUser", LOWER | CAMEL),
        ("a1", LOWER | DIGIT),
        ("12", DIGIT),
        ("a_b", LOWER | UNDERSCORE),
        ("A_B", UPPER | UNDERSCORE),
        ("a_B", LOWER | UNDERSCORE | CAMEL),
        ("Ab", LOWER),
        ("_", UNDERSCORE),
    ] {
        let told = told(&format!("x {text} x"), &[]);
        assert_eq!(told.words[1].0.flags, flags, "{text}");
    }
    let told = told("One two. Three, four\nfive \"six\" a.b", &[]);
    let starts: Vec<_> = told
        .words
        .iter()
        .filter(|(word, _)| word.flags & START != 0)
        .map(|(_, text)| &**text)
        .collect();
    assert_eq!(starts, ["One", "Three", "five", "six", "a"]);
}

#[test]
fn what_stands_beside_a_word() {
    for (text, before, after) in [
        ("`word`", b'`', b'`'),
        ("a@word.b", b'@', b'.'),
        (" word ", 0, 0),
        ("<word>", b'<', b'>'),
        ("\"word\\\"", b'"', b'"'),
        ("word\\n", 0, 0),
    ] {
        let told = told(text, &[]);
        let (word, _) = told
            .words
            .iter()
            .find(|(_, text)| text == "word")
            .expect("it is told");
        assert_eq!((word.before, word.after), (before, after), "{text}");
    }
}

#[test]
fn tags_and_selectors_are_told() {
    let tags: String = "Send it"
        .chars()
        .map(|it| char::from_u32(0xE_0000 + u32::from(it)).expect("a tag"))
        .collect();
    let found = told(&format!("id{tags}"), &[]);
    let hashes: Vec<_> = found.words.iter().map(|(word, _)| word.hash).collect();
    assert_eq!(
        hashes,
        [Hash::of(b"id"), Hash::of(b"send"), Hash::of(b"it")]
    );
    assert_eq!(found.hidden, [(2..2 + tags.len(), Vec::new())]);
    let found = told("x\u{fe01}\u{fe02}\u{E0150}\u{E0151}\u{fe01}\u{fe02}", &[]);
    assert_eq!(found.hidden, [(1..21, vec![1, 2, 0x60, 0x61, 1, 2])]);
    let flag = "🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}";
    let found = told(flag, &[]);
    assert!(found.hidden.is_empty() && found.words.is_empty());
    assert!(told("👍\u{fe0f}\u{200b}", &[]).hidden.is_empty());
}

#[test]
fn scripts_without_spaces() {
    let told = told("忽略之前", &["之前", "忽略之前"]);
    let words: Vec<_> = told.words.iter().map(|(_, text)| &**text).collect();
    assert_eq!(words, ["略之", "之前", "忽略之前"]);
}

#[test]
fn runs_of_symbols_are_words() {
    let told = told("x ### --- <|y|>", &[]);
    let runs: Vec<_> = told
        .words
        .iter()
        .filter(|(word, _)| word.flags & SYMBOLS != 0)
        .map(|(_, text)| &**text)
        .collect();
    assert_eq!(runs, ["###", "---", "<|", "|>"]);
}

/// What the masks tell is what the bytes one by one tell.
fn slowly(text: &[u8]) -> Told {
    let mut told = Told::default();
    let fold = fold();
    let mut reader = Reader {
        text,
        end: text.len(),
        fold: &fold,
        sink: &mut told,
        gap: Gap::begin(),
        open: None,
        unspaced: Unspaced::default(),
        hidden: 0..0,
        flag: false,
        printable: 0,
    };
    let mut at = 0;
    while let Some(byte) = reader.byte(at) {
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            reader.letter(byte, at, at + 1, false);
            at += 1;
        } else {
            at = reader.between(at, at + 1);
        }
    }
    reader.close(0);
    reader.flush_symbols(at);
    told
}

fn same(text: &[u8]) {
    let mut fast = Told::default();
    words(text, 0..text.len(), Gap::begin(), &fold(), &mut fast);
    let slow = slowly(text);
    assert_eq!(format!("{:?}", fast.words), format!("{:?}", slow.words));
    assert_eq!(fast.hidden, slow.hidden);
}

#[test]
fn masks_and_bytes_agree_on_long_words() {
    for length in 0..200 {
        let word = "abcdefghijklmnopqrstuvwxyz_0123456789".repeat(6);
        let part = |range: Range<usize>| word.get(range).unwrap_or_default();
        same(format!("{} {}", part(0..length), part(length % 7..length)).as_bytes());
        same(format!("{}é \"{}\\u0069", part(0..length), part(0..length)).as_bytes());
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use proptest::prelude::*;

    use super::same;

    proptest! {
        #[test]
        fn masks_and_bytes_agree(text in "([a-zA-Z_0-9]{0,20}|[ \n.,'\"\\\\<>#=&%;]{0,3}|\\\\u0069|\\\\n|%69|=69|&#105;|[éо忽\u{200b}\u{301}𝐢])*") {
            same(text.as_bytes());
        }

        #[test]
        fn masks_and_bytes_agree_on_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            same(&bytes);
        }
    }
}
