//! Where a byte of a scalar's value is written.

use granit_parser::ScalarStyle;

use super::{Node, Scalar};
use crate::problem::Position;

/// The place of the byte `offset` of the scalar's value; the start of the scalar where escapes or folding
/// hide it.
pub(crate) fn place_in(node: &Node, scalar: &Scalar, file: &str, offset: usize) -> Position {
    exact(node, scalar, file, offset).unwrap_or(node.at)
}

fn exact(node: &Node, scalar: &Scalar, file: &str, offset: usize) -> Option<Position> {
    let before = scalar.text.get(..offset)?;
    let source = file.get(scalar.source.clone())?;
    match scalar.style {
        ScalarStyle::Literal => {
            // The span begins at the first line that is not empty; each line is indented as far as it.
            let empty = scalar
                .text
                .bytes()
                .take_while(|byte| *byte == b'\n')
                .count();
            let breaks = before.matches('\n').count();
            let column = before.rsplit('\n').next()?.chars().count();
            Some(Position {
                line: node
                    .at
                    .line
                    .checked_add(number(breaks.checked_sub(empty)?))?,
                column: node.at.column.checked_add(number(column))?,
                ..node.at
            })
        }
        ScalarStyle::Folded => None,
        ScalarStyle::Plain | ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
            let column = in_line(source, scalar.style, offset)?;
            Some(Position {
                column: node.at.column.checked_add(number(column))?,
                ..node.at
            })
        }
    }
}

/// The column, from 0, of the value's byte `offset` in a scalar that is written on one line.
fn in_line(source: &str, style: ScalarStyle, offset: usize) -> Option<usize> {
    let mut written = source.chars();
    let mut column = 0_usize;
    if style != ScalarStyle::Plain {
        written.next()?;
        column = 1;
    }
    let mut bytes = 0_usize;
    while bytes < offset {
        let c = written.next()?;
        let (length, columns) = match (style, c) {
            (_, '\n' | '\r') => return None,
            (ScalarStyle::SingleQuoted, '\'') => {
                written.next()?;
                (1, 2)
            }
            // Escapes of one ASCII character; the others are rare in conditions.
            (ScalarStyle::DoubleQuoted, '\\') => match written.next()? {
                '"' | '\\' | '/' | 't' | 'n' | 'r' => (1, 2),
                _ => return None,
            },
            (_, c) => (c.len_utf8(), 1),
        };
        bytes = bytes.checked_add(length)?;
        column = column.checked_add(columns)?;
    }
    Some(column)
}

fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
