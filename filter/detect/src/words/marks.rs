//! What a byte between words does, looked up in a table.

/// A space or control character.
pub(super) const SPACE: u8 = 1;
/// It may be the beginning of something that is written as something else.
pub(super) const ODD: u8 = 2;
/// It may end a sentence.
pub(super) const STOP: u8 = 4;
/// What follows begins something.
pub(super) const STARTS: u8 = 8;
/// A run of symbols ends before it.
pub(super) const ENDS_BEFORE: u8 = 16;
/// A run of symbols ends with it.
pub(super) const ENDS: u8 = 32;
/// It is part of a run of symbols.
pub(super) const COUNTS: u8 = 64;
/// Behind a word it does not simply end it.
pub(super) const LOOK: u8 = 128;

const MARKS: [u8; 256] = {
    let mut marks = [0; 256];
    let mut byte = 0_u8;
    loop {
        let spaces = if byte <= b' ' || byte == 127 {
            SPACE
        } else {
            0
        };
        let odd = if matches!(byte, b'\\' | b'&' | b'%' | b'=' | 128..) {
            ODD | LOOK
        } else if byte == b'\'' {
            LOOK
        } else {
            0
        };
        let begins = match byte {
            b'.' | b'!' | b'?' => STOP,
            b',' | b'\'' | b'/' | b'-' | b'@' | b'=' | b'+' | b'$' | b'~' | b'^' => 0,
            _ => STARTS,
        };
        let before = if matches!(byte, b'"' | b'<' | b'[' | b'{' | b'\'' | b'`') {
            ENDS_BEFORE
        } else {
            0
        };
        let counts = if matches!(byte, b'"' | b',' | b'\'') {
            0
        } else {
            COUNTS
        };
        let ends = if matches!(byte, b'>' | b']') { ENDS } else { 0 };
        #[expect(
            clippy::indexing_slicing,
            reason = "a byte is within; computed by the compiler"
        )]
        {
            marks[byte as usize] = spaces | odd | begins | before | counts | ends;
        }
        if byte == u8::MAX {
            break;
        }
        byte += 1;
    }
    marks
};

/// What the byte does.
#[inline]
pub(super) fn marks(byte: u8) -> u8 {
    MARKS.get(usize::from(byte)).copied().unwrap_or(0)
}
