//! What a view of one environment shows while the environment is not open.

use ratatui::Frame;
use ratatui::layout::Rect;

use crate::model::{EnvState, Model, PaneState};
use crate::widgets::pane;

/// The active environment, once it is open; until then draws in `area` why it is not.
pub(super) fn ready_env<'a>(
    model: &'a Model,
    frame: &mut Frame<'_>,
    area: Rect,
) -> Option<&'a EnvState> {
    let Some(env) = model.env() else {
        pane::draw_empty(
            model,
            frame,
            area,
            false,
            "no environment is configured: payops config explain",
        );
        return None;
    };
    let name = env.info.name.to_uppercase();
    match env.details.state() {
        PaneState::Ready { .. } => return Some(env),
        PaneState::Loading => pane::draw_loading(model, frame, area, &format!("opening {name}")),
        PaneState::Failed { fault, retry_at } => {
            pane::draw_failure(model, frame, area, &name, fault, retry_at);
        }
    }
    None
}
