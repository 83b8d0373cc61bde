//! What views are drawn with.

pub(crate) mod chrome;
pub(crate) mod edit;
pub(crate) mod overlays;
pub(crate) mod state;
pub(crate) mod steer;
pub(crate) mod table;
pub(crate) mod words;
