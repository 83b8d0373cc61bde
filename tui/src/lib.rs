//! The payops screen, as a library: a model, one function that changes it, one that draws it, and
//! a runtime that does what the first asks for.
//!
//! Data runs one way: a key or an answer becomes a [`Msg`]; [`update`] changes the [`Model`] and
//! returns [`Effect`]s; the runtime carries them out through the ports it was handed and sends the
//! answers back as messages; [`view`] draws the model and changes nothing. Neither function reads
//! a clock, a file or the network, so both are tested, and measured, without a terminal.

mod capture;
mod effect;
mod environments;
mod fault;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod fixtures_stores;
mod keymap;
mod model;
mod msg;
mod palette;
mod runtime;
mod terminal;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_stores;
mod theme;
mod update;
mod views;
mod widgets;

pub use capture::{CaptureError, Captured, capture, svg, text};
pub use effect::{Ask, Effect, Job};
pub use environments::{
    DiscardEnd, ElevationWanted, EnvInfo, Environments, Handle, Opened, RedriveEnd, ReplayEnd,
    ReplayReview, ReplayWanted, Standing, Steering,
};
pub use fault::Fault;
pub use keymap::{Binding, Command, Key, Verb, bindings};
pub use model::{Cluster, Model, Options, RolloutId, Tab};
pub use msg::{Answer, Msg, OpenedInfo, PaymentSeen, TaskUpdate};
pub use runtime::{RunError, run};
pub use theme::ThemeName;
pub use update::update;
pub use views::view;
