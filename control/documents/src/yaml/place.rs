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
            let quote = usize::from(scalar.style != ScalarStyle::Plain);
            let written = source.get(quote..source.len().checked_sub(quote)?)?;
            if written != scalar.text || before.contains('\n') {
                return None;
            }
            let column = quote.checked_add(before.chars().count())?;
            Some(Position {
                column: node.at.column.checked_add(number(column))?,
                ..node.at
            })
        }
    }
}

fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
