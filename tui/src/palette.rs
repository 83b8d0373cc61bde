//! The command palette: every command by name, with short names, completed and found fuzzily.

use crate::keymap::{Command, GLOBAL, view_bindings};
use crate::model::{Model, Tab, rank_places};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PaletteAction {
    Command(Command),
    Environment(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PaletteEntry {
    pub(crate) name: String,
    pub(crate) aliases: &'static [&'static str],
    pub(crate) words: String,
    pub(crate) action: PaletteAction,
}

const NAMES: &[(&str, &[&str], Command)] = &[
    ("overview", &["o", "home"], Command::Go(Tab::Overview)),
    (
        "rollouts",
        &["ro", "rollout", "canary"],
        Command::Go(Tab::Rollouts),
    ),
    ("queues", &["qu", "queue"], Command::Go(Tab::Queues)),
    (
        "dead-letters",
        &["dlq", "dl"],
        Command::Go(Tab::DeadLetters),
    ),
    ("payments", &["pay", "p"], Command::Go(Tab::Payments)),
    ("alarms", &["al", "alarm"], Command::Go(Tab::Alarms)),
    ("audit", &["au"], Command::Go(Tab::Audit)),
    ("tasks", &["ta", "task"], Command::Go(Tab::Tasks)),
    ("reconcile", &["rec"], Command::Reconcile),
    ("await", &["wait"], Command::Await),
    ("elevate", &["login"], Command::Elevate),
    ("end-elevation", &["lower", "logout"], Command::EndElevation),
    ("filter", &["f"], Command::Filter),
    ("refresh", &["r"], Command::Refresh),
    ("copy", &["y"], Command::Copy),
    ("help", &["h", "keys"], Command::Help),
    ("quit", &["q", "exit"], Command::Quit),
];

/// Commands, those of the view on screen, and environments.
fn all_entries(model: &Model) -> Vec<PaletteEntry> {
    let general = NAMES.iter().map(|(name, aliases, command)| PaletteEntry {
        name: (*name).to_owned(),
        aliases,
        words: match command {
            Command::Reconcile => "compare all stores, as a background task",
            Command::EndElevation => "end the elevation before its time",
            Command::Await => "wait until the selected rollout is healthy, as a background task",
            _ => GLOBAL
                .iter()
                .find(|binding| binding.command == *command)
                .map(|b| b.words)
                .unwrap_or_default(),
        }
        .to_owned(),
        action: PaletteAction::Command(*command),
    });
    let own = view_bindings(model.route())
        .iter()
        .map(|binding| PaletteEntry {
            name: binding.words.replace(' ', "-"),
            aliases: &[],
            words: binding
                .keys
                .first()
                .map(|key| format!("key {key}"))
                .unwrap_or_default(),
            action: PaletteAction::Command(binding.command),
        });
    let envs = model.envs.iter().map(|env| PaletteEntry {
        name: format!("env {}", env.info.name),
        aliases: &[],
        words: if env.info.protected {
            "protected: writes need a name and a reason".to_owned()
        } else {
            String::new()
        },
        action: PaletteAction::Environment(env.info.name.clone()),
    });
    let mut all: Vec<PaletteEntry> = general.collect();
    all.extend(own.filter(|entry| !NAMES.iter().any(|(name, ..)| *name == entry.name)));
    all.extend(envs);
    all
}

/// The entries that match what was typed, best first: a short name, then a beginning, then fuzzily.
pub(crate) fn find_entries(model: &Model, typed: &str) -> Vec<PaletteEntry> {
    let all = all_entries(model);
    let typed = typed.trim();
    if typed.is_empty() {
        return all;
    }
    let exact = |entry: &PaletteEntry| entry.name == typed || entry.aliases.contains(&typed);
    let order = rank_places(
        typed,
        all.iter().map(|entry| entry.name.as_str()).enumerate(),
    );
    let mut out: Vec<PaletteEntry> = all.iter().filter(|entry| exact(entry)).cloned().collect();
    let begins = all
        .iter()
        .filter(|entry| !exact(entry) && entry.name.starts_with(typed));
    out.extend(begins.cloned());
    let rest: Vec<PaletteEntry> = order
        .into_iter()
        .filter_map(|place| all.get(place))
        .filter(|entry| !out.contains(entry))
        .cloned()
        .collect();
    out.extend(rest);
    out
}
