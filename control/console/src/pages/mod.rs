//! The pages.

mod approval;
mod assets;
mod door;
mod fleet;
mod form;
mod frame;
mod headers;
mod live;
mod queue;
mod viewer;

pub(crate) use approval::{approval, approve, deny, status};
pub(crate) use assets::{icon, script, style};
pub(crate) use door::{callback, sign_in, sign_out, start};
pub(crate) use fleet::fleet;
pub(crate) use frame::no_page;
pub(crate) use headers::protect;
pub(crate) use live::events;
pub(crate) use queue::{queue, root};
