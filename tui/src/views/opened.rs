//! What a view of one environment says while that is not open, and how fresh its panes are.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::Freshness;
use crate::model::{EnvState, Look, Model};
use crate::widgets::state;

/// The active environment when it is open; else says in `area` why it is not.
pub(super) fn env<'a>(model: &'a Model, frame: &mut Frame<'_>, area: Rect) -> Option<&'a EnvState> {
    let Some(env) = model.env() else {
        state::empty(
            model,
            frame,
            area,
            false,
            "no environment is configured: payops config explain",
        );
        return None;
    };
    let name = env.info.name.to_uppercase();
    match env.opened.look() {
        Look::Ready { .. } => return Some(env),
        Look::Loading => state::loading(model, frame, area, &format!("opening {name}")),
        Look::Failed { fault, retry_at } => {
            state::failed(model, frame, area, &name, fault, retry_at)
        }
    }
    None
}

/// How fresh a pane is: as of when, out of date since when.
pub(super) fn freshness<T>(look: Look<'_, T>) -> Freshness {
    match look {
        Look::Ready {
            at, fault: None, ..
        } => Freshness::At(at),
        Look::Ready { at, .. } => Freshness::Cut(at),
        Look::Failed { .. } | Look::Loading => Freshness::Loading,
    }
}
