//! How a view is drawn: one trait, so that all lists scroll and are clicked the same way.

use payops_core::Timestamp;
use payops_core::port::ErrorKind;
use ratatui::Frame;
use ratatui::layout::Rect;

use crate::model::{Model, PaneState};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    At(Timestamp),
    Live,
    Cut(Timestamp),
    Loading,
    /// The environment has no such part: there is nothing to be fresh.
    Absent,
}

impl<T> From<PaneState<'_, T>> for Freshness {
    fn from(state: PaneState<'_, T>) -> Self {
        match state {
            PaneState::Ready {
                at, fault: None, ..
            } => Self::At(at),
            PaneState::Ready { at, .. } => Self::Cut(at),
            PaneState::Failed { fault, .. } if fault.kind == ErrorKind::NotSetUp => Self::Absent,
            PaneState::Failed { .. } | PaneState::Loading => Self::Loading,
        }
    }
}

pub(crate) trait View: Sync {
    /// How fresh what it shows is, each with a name.
    fn freshness(&self, _model: &Model) -> Vec<(&'static str, Freshness)> {
        Vec::new()
    }

    /// Whether it draws its filter itself: a box that is always there.
    fn draws_filter(&self) -> bool {
        false
    }

    /// Where its list is in `body`, and how many rows the list has in all; `None` without a list.
    fn list(&self, _model: &Model, _body: Rect) -> Option<(Rect, usize)> {
        None
    }

    fn draw(&self, model: &Model, frame: &mut Frame<'_>, body: Rect);
}
