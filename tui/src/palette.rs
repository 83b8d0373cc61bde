//! The command palette: every command by name, with short names, completed and found fuzzily.

use crate::keymap::Command;
use crate::model::{Model, Tab, ranked};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Does {
    Command(Command),
    Environment(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) aliases: &'static [&'static str],
    pub(crate) words: String,
    pub(crate) does: Does,
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
    ("lower", &["logout"], Command::Lower),
    ("filter", &["f"], Command::Filter),
    ("refresh", &["r"], Command::Refresh),
    ("copy", &["y"], Command::Copy),
    ("help", &["h", "keys"], Command::Help),
    ("quit", &["q", "exit"], Command::Quit),
];

/// All lines: commands, those of the view on screen, and environments.
pub(crate) fn entries(model: &Model) -> Vec<Entry> {
    let known = NAMES.iter().map(|(name, aliases, command)| Entry {
        name: (*name).to_owned(),
        aliases,
        words: match command {
            Command::Reconcile => "compare all stores, as a background task",
            Command::Lower => "give an elevation back",
            Command::Await => "wait for the selected rollout to be healthy, as a background task",
            _ => crate::keymap::GLOBAL
                .iter()
                .find(|binding| binding.command == *command)
                .map(|b| b.words)
                .unwrap_or_default(),
        }
        .to_owned(),
        does: Does::Command(*command),
    });
    let own = crate::views::of(model.route())
        .bindings()
        .iter()
        .map(|binding| Entry {
            name: binding.words.replace(' ', "-"),
            aliases: &[],
            words: binding
                .keys
                .first()
                .map(|key| format!("key {key}"))
                .unwrap_or_default(),
            does: Does::Command(binding.command),
        });
    let envs = model.envs.iter().map(|env| Entry {
        name: format!("env {}", env.info.name),
        aliases: &[],
        words: if env.info.protected {
            "writes ask for a name and a reason".to_owned()
        } else {
            String::new()
        },
        does: Does::Environment(env.info.name.clone()),
    });
    let mut all: Vec<Entry> = known.collect();
    all.extend(own.filter(|entry| !NAMES.iter().any(|(name, ..)| *name == entry.name)));
    all.extend(envs);
    all
}

/// The lines that match what was typed, best first: a short name, then a beginning, then fuzzily.
pub(crate) fn matches(model: &Model, typed: &str) -> Vec<Entry> {
    let all = entries(model);
    let typed = typed.trim();
    if typed.is_empty() {
        return all;
    }
    let exact = |entry: &Entry| entry.name == typed || entry.aliases.contains(&typed);
    let order = ranked(
        typed,
        all.iter().map(|entry| entry.name.as_str()).enumerate(),
    );
    let mut out: Vec<Entry> = all.iter().filter(|entry| exact(entry)).cloned().collect();
    let begins = all
        .iter()
        .filter(|entry| !exact(entry) && entry.name.starts_with(typed));
    out.extend(begins.cloned());
    let rest: Vec<Entry> = order
        .into_iter()
        .filter_map(|place| all.get(place))
        .filter(|entry| !out.contains(entry))
        .cloned()
        .collect();
    out.extend(rest);
    out
}
