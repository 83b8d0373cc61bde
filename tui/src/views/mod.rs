//! The views. Each is a module with its state, its keys, what it asks for and how it is drawn,
//! behind one trait, so that lists move, scroll, filter and are clicked the same everywhere.

pub(crate) mod alarms;
pub(crate) mod audit;
pub(crate) mod dead_letters;
pub(crate) mod letter;
mod opened;
pub(crate) mod overview;
pub(crate) mod payment;
pub(crate) mod payments;
pub(crate) mod queues;
pub(crate) mod rollout;
pub(crate) mod rollouts;
pub(crate) mod tasks;

use payops_core::Timestamp;
use ratatui::Frame;
use ratatui::layout::Rect;

use crate::effect::Effect;
use crate::keymap::{Binding, Command};
use crate::model::{Cursor, Filter, ItemKey, Model, Route};
use crate::widgets::chrome;
use crate::widgets::overlays;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    At(Timestamp),
    Live,
    Cut(Timestamp),
    Loading,
}

pub(crate) trait View: Sync {
    fn bindings(&self) -> &'static [Binding] {
        &[]
    }

    /// Does what a key of it, or [`Command::Enter`], [`Command::Copy`], [`Command::Fold`] and
    /// the like, stand for. What it does not know it leaves.
    fn act(&self, _model: &mut Model, _command: Command) -> Vec<Effect> {
        Vec::new()
    }

    /// What it has to ask now: called after every message while it is on screen. What is asked
    /// already, and what is fresh enough, is not asked again ([`crate::model::Pane::is_due`]).
    fn poll(&self, _model: &mut Model) -> Vec<Effect> {
        Vec::new()
    }

    /// When it next has to ask or to be drawn again while nothing happens: ages and countdowns.
    fn wake(&self, _model: &Model) -> Option<Timestamp> {
        None
    }

    /// Takes back the last thing that narrows what is shown, before Esc leaves the view; `false`
    /// when there is none.
    fn widen(&self, _model: &mut Model) -> bool {
        false
    }

    /// Makes what it shows be asked again at once (key Ctrl-R).
    fn refresh(&self, _model: &mut Model) {}

    /// How fresh what it shows is, each with a name.
    fn freshness(&self, _model: &Model) -> Vec<(&'static str, Freshness)> {
        Vec::new()
    }

    fn filter<'a>(&self, _model: &'a Model) -> Option<&'a Filter> {
        None
    }

    fn filter_mut<'a>(&self, _model: &'a mut Model) -> Option<&'a mut Filter> {
        None
    }

    /// Whether it draws its filter itself: a box that is always there.
    fn draws_filter(&self) -> bool {
        false
    }

    /// Makes its rows anew where what they depend on has changed (called after every message,
    /// before the cursor is settled).
    fn prepare(&self, _model: &mut Model) {}

    /// Where its list is in `body`, and how many rows that has in all; `None` without a list.
    fn list(&self, _model: &Model, _body: Rect) -> Option<(Rect, usize)> {
        None
    }

    fn item(&self, _model: &Model, _row: usize) -> Option<ItemKey> {
        None
    }

    fn cursor_mut<'a>(&self, _model: &'a mut Model) -> Option<&'a mut Cursor> {
        None
    }

    fn draw(&self, model: &Model, frame: &mut Frame<'_>, body: Rect);
}

pub(crate) fn of(route: &Route) -> &'static dyn View {
    match route {
        Route::Overview => &overview::Overview,
        Route::Rollouts => &rollouts::Rollouts,
        Route::Rollout(_) => &rollout::Detail,
        Route::Queues => &queues::Queues,
        Route::DeadLetters => &dead_letters::DeadLetters,
        Route::Letter(_) => &letter::Detail,
        Route::Payments => &payments::Payments,
        Route::Payment(_) => &payment::Detail,
        Route::Alarms => &alarms::Alarms,
        Route::Audit => &audit::Audit,
        Route::Tasks => &tasks::Tasks,
    }
}

/// When the view on screen, or an environment that failed to open, is due.
pub(crate) fn wake(model: &Model) -> Option<Timestamp> {
    let open = model.envs.iter().filter_map(|env| env.opened.due_at(None));
    let standing = crate::update::on_screen(model)
        .and_then(|place| model.envs.get(place))
        .filter(|env| env.steers());
    let standing =
        standing.and_then(|env| env.standing.due_at(Some(crate::update::STANDING_EVERY)));
    open.chain(of(model.route()).wake(model))
        .chain(standing)
        .min()
}

/// The least size of a screen on which a plan can still be read.
const COLUMNS_MIN: u16 = 40;
const ROWS_MIN: u16 = 10;

/// Draws everything. The model is only read.
pub fn view(model: &Model, frame: &mut Frame<'_>) {
    let area = frame.area();
    if area.width < COLUMNS_MIN || area.height < ROWS_MIN {
        let words = format!("{COLUMNS_MIN}x{ROWS_MIN} at least");
        frame.render_widget(
            ratatui::text::Line::raw(words),
            Rect {
                height: 1.min(area.height),
                ..area
            },
        );
        return;
    }
    let places = chrome::places(model, area);
    chrome::header(model, frame, &places);
    of(model.route()).draw(model, frame, places.body);
    chrome::footer(model, frame, &places);
    overlays::draw(model, frame, area);
}
