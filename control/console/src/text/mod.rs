//! Text that others wrote, made safe to look at.
//!
//! What an agent asks for is shown to a person who decides by what they see. So nothing that would not be seen,
//! or that would change how the rest is seen, is ever written as it is: see [`pieces`].

mod hidden;
mod page;
mod pieces;
mod scripts;

pub use hidden::{is_hidden, name};
pub use page::Page;
pub use pieces::{Piece, hidden_in, one_line, pieces, plain};
pub use scripts::look_alike;
