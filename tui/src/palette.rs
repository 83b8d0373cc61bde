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
            Command::Reconcile => "compare all stores, as a background task".to_owned(),
            Command::EndElevation => "end the elevation before its time".to_owned(),
            Command::Await => {
                "wait until the selected rollout is healthy, as a background task".to_owned()
            }
            _ => describe_binding(name, *command),
        },
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

/// What a command does, or its key where the name says that already.
fn describe_binding(name: &str, command: Command) -> String {
    let Some(binding) = GLOBAL.iter().find(|binding| binding.command == command) else {
        return String::new();
    };
    if binding.words.replace(' ', "-") != name {
        return binding.words.to_owned();
    }
    let key = binding.keys.first();
    key.map(|key| format!("key {key}")).unwrap_or_default()
}

/// Commands of the command line alone, by the words that somebody may look for them with.
const AT_A_SHELL: &[(&str, &str)] = &[
    ("freeze", "payops freeze"),
    ("unfreeze", "payops freeze lift"),
    ("lift", "payops freeze lift"),
    ("refund", "payops payment refund"),
    ("cancel", "payops payment cancel"),
    ("resolve", "payops payment resolve"),
    ("create", "payops payment create"),
    ("timeline", "payops payment timeline"),
    ("approve", "payops dlq approve"),
    ("redrives", "payops dlq redrives"),
    ("purge", "payops queue purge"),
    ("history", "payops rollout history"),
    ("verify", "payops audit verify"),
    ("ship", "payops audit ship"),
    ("account", "payops account"),
    ("whoami", "payops account whoami"),
    ("doctor", "payops doctor"),
    ("config", "payops config"),
];

/// Why nothing matches what was typed, and where there is such a command.
pub(crate) fn explain_no_match(typed: &str) -> String {
    let first = typed.split_whitespace().next().unwrap_or_default();
    match AT_A_SHELL.iter().find(|(name, _)| *name == first) {
        Some((_, command)) => {
            format!("no such command on the screen; at a shell: {command} --help")
        }
        None => "no such command on the screen; at a shell: payops --help".to_owned(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_of_the_command_line_alone_are_named() {
        assert_eq!(
            explain_no_match("freeze set "),
            "no such command on the screen; at a shell: payops freeze --help"
        );
        assert!(explain_no_match("refund").ends_with("payops payment refund --help"));
        assert!(explain_no_match("zzz").ends_with("shell: payops --help"));
        // Each is in the reference of the command line.
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let reference = root.join("../cli/src/snapshots/payops__help__tests__reference.snap");
        let reference = std::fs::read_to_string(reference).expect("the reference");
        for (name, command) in AT_A_SHELL {
            let title = format!("## {command}");
            assert!(
                reference.lines().any(|line| line == title),
                "{name}: {title}"
            );
        }
    }
}
