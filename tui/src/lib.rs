//! The payops screen, as a library: a model, one function that changes it, one that draws it, and
//! a runtime that does what the first requests.
//!
//! Data runs one way: a key or an answer becomes a [`Msg`]; [`update()`] changes the [`Model`] and
//! returns [`Effect`]s; the runtime carries them out through the `Operations` it was handed and
//! sends the answers back as messages; [`view`] draws the model and changes nothing. Neither
//! function reads a clock, a file or the network, so both are tested, and measured, without a
//! terminal.

mod capture;
mod effect;
mod fault;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod fixtures_operations;
#[cfg(test)]
mod fixtures_rollouts;
#[cfg(test)]
mod fixtures_stores;
mod keymap;
mod model;
mod msg;
mod palette;
mod redact;
mod runtime;
mod search_hint;
mod signs;
mod terminal;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_stores;
mod text;
mod theme;
mod update;
mod views;
mod widgets;

pub use capture::{CaptureError, Captured, capture, svg, text};
pub use effect::{Effect, Request, TaskKind};
pub use fault::Fault;
pub use keymap::{Binding, Command, Key, RolloutCommand, bindings};
pub use model::{
    ClusterInfo, EnvDetails, Model, Options, PaymentDetails, RolloutId, Tab, TaskUpdate,
};
pub use msg::{Answer, Msg};
pub use runtime::{RunError, run};
pub use theme::ThemeName;
pub use update::{start, update, wake_at};
pub use views::view;
