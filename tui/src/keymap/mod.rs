//! All keys, in tables: dispatch and the help screen read the same rows.

mod views;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::model::Tab;

pub(crate) use views::view_bindings;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    pub code: KeyCode,
    pub modifiers: KeyModifiers,
}

impl Key {
    #[must_use]
    pub const fn ch(c: char) -> Self {
        Self {
            code: KeyCode::Char(c),
            modifiers: KeyModifiers::NONE,
        }
    }

    #[must_use]
    pub const fn ctrl(c: char) -> Self {
        Self {
            code: KeyCode::Char(c),
            modifiers: KeyModifiers::CONTROL,
        }
    }

    #[must_use]
    pub const fn code(code: KeyCode) -> Self {
        Self {
            code,
            modifiers: KeyModifiers::NONE,
        }
    }

    /// Whether `event` is this key. Shift is part of a character already.
    #[must_use]
    pub fn is(self, event: &KeyEvent) -> bool {
        let modifiers = match event.code {
            KeyCode::Char(_) | KeyCode::BackTab => event.modifiers.difference(KeyModifiers::SHIFT),
            _ => event.modifiers,
        };
        event.code == self.code && modifiers == self.modifiers
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.modifiers.contains(KeyModifiers::CONTROL) {
            f.write_str("Ctrl-")?;
        }
        match self.code {
            KeyCode::Char(' ') => f.write_str("Space"),
            KeyCode::Char(c) if self.modifiers.contains(KeyModifiers::CONTROL) => {
                write!(f, "{}", c.to_ascii_uppercase())
            }
            KeyCode::Char(c) => write!(f, "{c}"),
            KeyCode::Up => f.write_str("↑"),
            KeyCode::Down => f.write_str("↓"),
            KeyCode::Left => f.write_str("←"),
            KeyCode::Right => f.write_str("→"),
            KeyCode::PageUp => f.write_str("PgUp"),
            KeyCode::PageDown => f.write_str("PgDn"),
            KeyCode::BackTab => f.write_str("Shift-Tab"),
            other => write!(f, "{other}"),
        }
    }
}

/// What can be done to a rollout from the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RolloutCommand {
    Promote,
    PromoteFull,
    Skip,
    Abort,
    Retry,
    /// Undo, to the revision that is selected or the one before.
    Undo,
    PauseResume,
    Restart,
    SetImage,
    Terminate,
}

impl RolloutCommand {
    /// The action that it does, by [`payops_core::domain::rollout::RolloutAction::as_str`]; where it
    /// does several, the one that needs as little as the others.
    pub(crate) const fn action(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::PromoteFull => "promote --full",
            Self::Skip => "skip",
            Self::Abort => "abort",
            Self::Retry => "retry",
            Self::Undo => "undo",
            Self::PauseResume => "pause",
            Self::Restart => "restart",
            Self::SetImage => "set-image",
            Self::Terminate => "terminate analysis",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    Quit,
    Suspend,
    Back,
    Enter,
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Fold,
    Unfold,
    Filter,
    Palette,
    Help,
    Refresh,
    Go(Tab),
    Environment,
    Copy,
    HistoryBack,
    HistoryForward,
    Rollout(RolloutCommand),
    Why,
    /// Groups dead letters by cause, or lists them one by one.
    Group,
    Reconcile,
    CancelTask,
    ClearTasks,
    /// Waits until the selected rollout is healthy, as a background task.
    Await,
    Complete,
    ToDeadLetter,
    ToPayment,
    Elevate,
    EndElevation,
    Pick,
    PickAll,
    Replay,
    Discard,
    Export,
    /// Plans a replay of a dead letter with another body.
    Edit,
    /// Asks whether the queue service should move a whole dead-letter queue back, unread.
    Redrive,
}

#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// The keys; the first is the one that is shown.
    pub keys: &'static [Key],
    pub command: Command,
    pub words: &'static str,
    /// Whether the last line of the screen shows it.
    pub footer: bool,
}

impl Binding {
    pub(crate) const fn new(keys: &'static [Key], command: Command, words: &'static str) -> Self {
        Self {
            keys,
            command,
            words,
            footer: false,
        }
    }

    /// A binding that the last line of the screen shows.
    pub(crate) const fn in_footer(
        keys: &'static [Key],
        command: Command,
        words: &'static str,
    ) -> Self {
        Self {
            keys,
            command,
            words,
            footer: true,
        }
    }
}

/// What [`Command::Filter`] does in views without a filter.
pub(crate) const SEARCH_PAYMENTS: &str = "search payments";

/// Keys that work in every view. A view's own keys come first.
pub(crate) const GLOBAL: &[Binding] = &[
    Binding::new(&[Key::code(KeyCode::Enter)], Command::Enter, "open"),
    Binding::new(
        &[Key::code(KeyCode::Esc), Key::code(KeyCode::Backspace)],
        Command::Back,
        "back",
    ),
    Binding::new(&[Key::code(KeyCode::Up), Key::ch('k')], Command::Up, "up"),
    Binding::new(
        &[Key::code(KeyCode::Down), Key::ch('j')],
        Command::Down,
        "down",
    ),
    Binding::new(
        &[Key::code(KeyCode::PageUp), Key::ctrl('b')],
        Command::PageUp,
        "page up",
    ),
    Binding::new(
        &[Key::code(KeyCode::PageDown), Key::ctrl('f')],
        Command::PageDown,
        "page down",
    ),
    Binding::new(
        &[Key::code(KeyCode::Home), Key::ch('g')],
        Command::First,
        "first row",
    ),
    Binding::new(
        &[Key::code(KeyCode::End), Key::ch('G')],
        Command::Last,
        "last row",
    ),
    Binding::new(
        &[Key::code(KeyCode::Left), Key::ch('h')],
        Command::Fold,
        "fold",
    ),
    Binding::new(
        &[Key::code(KeyCode::Right), Key::ch('l')],
        Command::Unfold,
        "unfold",
    ),
    Binding::in_footer(&[Key::ch(':')], Command::Palette, "command"),
    Binding::in_footer(&[Key::ch('/')], Command::Filter, "filter"),
    Binding::new(
        &[Key::ctrl('r'), Key::code(KeyCode::F(5))],
        Command::Refresh,
        "refresh",
    ),
    Binding::new(&[Key::ch('e')], Command::Environment, "environment"),
    Binding::new(&[Key::ch('E')], Command::Elevate, "elevate"),
    Binding::new(&[Key::ch('y')], Command::Copy, "copy (masked)"),
    Binding::new(&[Key::ch('[')], Command::HistoryBack, "previous view"),
    Binding::new(&[Key::ch(']')], Command::HistoryForward, "next view"),
    Binding::new(&[Key::ch('1')], Command::Go(Tab::Overview), "overview"),
    Binding::new(&[Key::ch('2')], Command::Go(Tab::Rollouts), "rollouts"),
    Binding::new(&[Key::ch('3')], Command::Go(Tab::Queues), "queues"),
    Binding::new(
        &[Key::ch('4')],
        Command::Go(Tab::DeadLetters),
        "dead letters",
    ),
    Binding::new(&[Key::ch('5')], Command::Go(Tab::Payments), "payments"),
    Binding::new(&[Key::ch('6')], Command::Go(Tab::Alarms), "alarms"),
    Binding::new(&[Key::ch('7')], Command::Go(Tab::Audit), "audit"),
    Binding::new(&[Key::ch('8')], Command::Go(Tab::Tasks), "tasks"),
    Binding::in_footer(&[Key::ch('?')], Command::Help, "help"),
    Binding::new(&[Key::ctrl('z')], Command::Suspend, "suspend"),
    Binding::new(&[Key::ch('q'), Key::ctrl('c')], Command::Quit, "quit"),
];

/// The keys of a view, its own first. A key of the view hides the same key of all views.
#[must_use]
pub fn bindings(tab: Tab) -> Vec<Binding> {
    view_bindings(&tab.route())
        .iter()
        .chain(GLOBAL)
        .copied()
        .collect()
}

/// The command of a key, where `own` are the keys of the view.
pub(crate) fn find_command(own: &[Binding], event: &KeyEvent) -> Option<Command> {
    let hit = |binding: &&Binding| binding.keys.iter().any(|key| key.is(event));
    own.iter()
        .chain(GLOBAL)
        .find(hit)
        .map(|binding| binding.command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Route;

    #[test]
    fn no_table_has_a_key_twice() {
        let tables = Tab::ALL
            .iter()
            .map(|tab| view_bindings(&tab.route()))
            .chain([GLOBAL, view_bindings(&Route::DeadLetter(String::new()))]);
        for table in tables {
            let keys: Vec<Key> = table
                .iter()
                .flat_map(|binding| binding.keys)
                .copied()
                .collect();
            for (place, key) in keys.iter().enumerate() {
                assert!(!keys[..place].contains(key), "{key} twice");
            }
        }
    }

    #[test]
    fn shift_is_part_of_a_character() {
        let event = KeyEvent::new(KeyCode::Char('P'), KeyModifiers::SHIFT);
        assert!(Key::ch('P').is(&event));
        assert!(!Key::ch('p').is(&event));
        assert_eq!(Key::ctrl('z').to_string(), "Ctrl-Z");
    }
}
