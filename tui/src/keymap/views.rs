//! The keys of each view.

use crossterm::event::KeyCode;

use super::{Binding, Command, Key, RolloutCommand};
use crate::model::Route;

/// The keys of a view, without those that work everywhere.
pub(crate) fn view_bindings(route: &Route) -> &'static [Binding] {
    match route {
        Route::Overview | Route::Rollouts | Route::Rollout(_) => ROLLOUTS,
        Route::Queues => QUEUES,
        Route::DeadLetters => DEAD_LETTERS,
        Route::DeadLetter(_) => DEAD_LETTER,
        Route::Payments => PAYMENTS,
        Route::Payment(_) => PAYMENT,
        Route::Alarms => ALARMS,
        Route::Audit => AUDIT,
        Route::Tasks => TASKS,
    }
}

/// Keys that act on the selected rollout.
const ROLLOUTS: &[Binding] = &[
    Binding::in_footer(
        &[Key::ch('p')],
        Command::Rollout(RolloutCommand::Promote),
        "promote",
    ),
    Binding::in_footer(
        &[Key::ch('P')],
        Command::Rollout(RolloutCommand::PromoteFull),
        "promote full",
    ),
    Binding::new(
        &[Key::ch('s')],
        Command::Rollout(RolloutCommand::Skip),
        "skip step",
    ),
    Binding::in_footer(
        &[Key::ch('a')],
        Command::Rollout(RolloutCommand::Abort),
        "abort",
    ),
    Binding::in_footer(
        &[Key::ch('r')],
        Command::Rollout(RolloutCommand::Retry),
        "retry",
    ),
    Binding::in_footer(
        &[Key::ch('u')],
        Command::Rollout(RolloutCommand::Undo),
        "undo",
    ),
    Binding::new(
        &[Key::ch('z')],
        Command::Rollout(RolloutCommand::PauseResume),
        "pause or resume",
    ),
    Binding::new(
        &[Key::ch('R')],
        Command::Rollout(RolloutCommand::Restart),
        "restart",
    ),
    Binding::new(
        &[Key::ch('i')],
        Command::Rollout(RolloutCommand::SetImage),
        "set image",
    ),
    Binding::new(
        &[Key::ch('x')],
        Command::Rollout(RolloutCommand::Terminate),
        "terminate analysis or experiment",
    ),
    Binding::in_footer(&[Key::ch('w')], Command::Why, "why"),
];

const QUEUES: &[Binding] = &[
    Binding::in_footer(&[Key::code(KeyCode::Enter)], Command::Enter, "dead letters"),
    Binding::in_footer(&[Key::ch('M')], Command::Redrive, "redrive unread"),
    Binding::in_footer(&[Key::ch('y')], Command::Copy, "copy name"),
];

const DEAD_LETTERS: &[Binding] = &[
    Binding::in_footer(&[Key::code(KeyCode::Enter)], Command::Enter, "open"),
    Binding::in_footer(&[Key::ch(' ')], Command::Pick, "select"),
    Binding::new(
        &[Key::ch('A')],
        Command::PickAll,
        "select all of this cause",
    ),
    Binding::in_footer(&[Key::ch('R')], Command::Replay, "replay"),
    Binding::in_footer(&[Key::ch('x')], Command::Discard, "discard"),
    Binding::new(&[Key::ch('X')], Command::Export, "export"),
    Binding::new(&[Key::ch('i')], Command::Edit, "edit and replay"),
    Binding::new(&[Key::ch('M')], Command::Redrive, "redrive unread"),
    Binding::in_footer(&[Key::ch('g')], Command::Group, "group by cause"),
    Binding::in_footer(&[Key::ch('p')], Command::ToPayment, "payment"),
    Binding::in_footer(&[Key::ctrl('r')], Command::Refresh, "refresh"),
    Binding::in_footer(&[Key::ch('y')], Command::Copy, "copy"),
];

const DEAD_LETTER: &[Binding] = &[
    Binding::in_footer(
        &[Key::ch('p'), Key::code(KeyCode::Enter)],
        Command::ToPayment,
        "payment",
    ),
    Binding::in_footer(&[Key::ch('R')], Command::Replay, "replay"),
    Binding::in_footer(&[Key::ch('x')], Command::Discard, "discard"),
    Binding::new(&[Key::ch('X')], Command::Export, "export"),
    Binding::in_footer(&[Key::ch('i')], Command::Edit, "edit and replay"),
    Binding::in_footer(&[Key::ch('y')], Command::Copy, "copy"),
];

const PAYMENTS: &[Binding] = &[
    Binding::in_footer(&[Key::ch('/'), Key::ch('s')], Command::Filter, "search"),
    Binding::in_footer(&[Key::code(KeyCode::Enter)], Command::Enter, "payment"),
    Binding::in_footer(&[Key::code(KeyCode::Tab)], Command::Complete, "complete"),
    Binding::in_footer(&[Key::ch('y')], Command::Copy, "copy id"),
];

const PAYMENT: &[Binding] = &[
    Binding::in_footer(&[Key::code(KeyCode::Enter)], Command::Enter, "event"),
    Binding::in_footer(&[Key::ch('d')], Command::ToDeadLetter, "dead letter"),
    Binding::in_footer(&[Key::ch('y')], Command::Copy, "copy id"),
];

const ALARMS: &[Binding] = &[
    Binding::in_footer(&[Key::code(KeyCode::Enter)], Command::Enter, "open"),
    Binding::in_footer(&[Key::ch('y')], Command::Copy, "copy"),
];

const AUDIT: &[Binding] = &[
    Binding::in_footer(&[Key::code(KeyCode::Enter)], Command::Enter, "details"),
    Binding::in_footer(&[Key::ch('y')], Command::Copy, "copy"),
];

const TASKS: &[Binding] = &[
    Binding::in_footer(&[Key::code(KeyCode::Enter)], Command::Enter, "result"),
    Binding::in_footer(&[Key::ch('n')], Command::Reconcile, "reconcile"),
    Binding::in_footer(&[Key::ch('x')], Command::CancelTask, "cancel"),
    Binding::in_footer(&[Key::ch('c')], Command::ClearTasks, "clear finished"),
];
