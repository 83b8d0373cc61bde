//! Dialogs that ask before something is done.

mod confirm;
mod confirmation;
mod elevate;
mod reading;
mod replay;
mod rollout;

pub(crate) use confirm::{draw_confirm, facts_above};
pub(crate) use elevate::draw_elevate;
pub(crate) use replay::{draw_replay, replay_scroll_max};
pub(crate) use rollout::draw_rollout;
