//! What views are drawn with.

pub(crate) mod pane;
pub(crate) mod table;
