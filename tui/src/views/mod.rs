//! The views: each draws its part of the model, and changes nothing.

mod alarms;
mod audit;
mod banner;
mod chrome;
mod dead_letter;
mod dead_letters;
mod dialogs;
mod environment;
mod overlays;
mod overview;
mod payment;
mod payments;
mod popup;
mod queues;
mod rollout;
mod rollouts;
mod routes;
mod tasks;
mod troubles;
mod view;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::model::Model;

pub(crate) use chrome::{Hit, hit, layout};
pub(crate) use dead_letter::dead_letter_lines;
pub(crate) use dialogs::{facts_above, replay_scroll_max};
pub(crate) use overlays::reading_lines;
pub(crate) use rollout::metric_threshold;
pub(crate) use tasks::{split_result, task_result, task_summary};
pub(crate) use troubles::troubles;

/// The least size of a screen on which a plan can still be read.
const COLUMNS_MIN: u16 = 40;
const ROWS_MIN: u16 = 10;

/// Where the view is drawn.
pub(crate) fn body(model: &Model) -> Rect {
    layout(model, model.area()).body
}

/// Where the list of the view on screen is, and how many rows it has in all.
pub(crate) fn list(model: &Model) -> Option<(Rect, usize)> {
    routes::view_of(model.route()).list(model, body(model))
}

pub fn view(model: &Model, frame: &mut Frame<'_>) {
    let area = frame.area();
    if area.width < COLUMNS_MIN || area.height < ROWS_MIN {
        let words = format!("needs {COLUMNS_MIN}x{ROWS_MIN}");
        let place = Rect {
            height: 1.min(area.height),
            ..area
        };
        frame.render_widget(Line::raw(words), place);
        return;
    }
    let layout = layout(model, area);
    chrome::draw_header(model, frame, &layout);
    routes::view_of(model.route()).draw(model, frame, layout.body);
    chrome::draw_footer(model, frame, &layout);
    overlays::draw(model, frame, area);
}
