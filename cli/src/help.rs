//! The command line with its examples. They stand in one file, so that one test parses them all.

use clap::{Command, CommandFactory as _};

use crate::args::Cli;

/// A line is the name of a command (`dlq replay`); the indented lines below are its examples.
const EXAMPLES: &str = include_str!("examples.txt");

/// The command line, with examples in the help of every command.
pub(crate) fn command() -> Command {
    add_examples(Cli::command(), "")
}

fn add_examples(command: Command, path: &str) -> Command {
    let names: Vec<String> = command
        .get_subcommands()
        .map(|each| each.get_name().to_owned())
        .collect();
    let mut command = command;
    for name in names {
        let inner = if path.is_empty() {
            name.clone()
        } else {
            format!("{path} {name}")
        };
        command = command.mut_subcommand(name, |each| add_examples(each, &inner));
    }
    let examples = examples_of(path);
    if path.is_empty() || examples.is_empty() {
        return command;
    }
    let lines: Vec<String> = examples.iter().map(|line| format!("  {line}")).collect();
    command.after_help(format!("Examples:\n{}", lines.join("\n")))
}

fn examples_of(path: &str) -> Vec<&'static str> {
    EXAMPLES
        .lines()
        .skip_while(|line| *line != path)
        .skip(1)
        .map_while(|line| line.strip_prefix("  "))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::payment::shield;

    /// Every command that does something, by its path.
    fn leaves(command: &Command, path: &str, out: &mut Vec<String>) {
        for each in command.get_subcommands().filter(|each| !each.is_hide_set()) {
            let name = format!("{path} {}", each.get_name()).trim().to_owned();
            if each.get_name() == "help" {
                continue;
            }
            if each.has_subcommands() {
                leaves(each, &name, out);
            } else {
                out.push(name);
            }
        }
    }

    /// The words of a shell line up to a pipe, a redirection or `&&`; quotes group words.
    fn split_words(line: &str) -> Vec<String> {
        let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), None);
        for c in line.chars() {
            match (c, quoted) {
                ('\'' | '"', None) => quoted = Some(c),
                (c, Some(quote)) if c == quote => quoted = None,
                ('|' | '>' | '&', None) => break,
                (' ', None) => {
                    if !word.is_empty() {
                        words.push(std::mem::take(&mut word));
                    }
                }
                (c, _) => word.push(c),
            }
        }
        words.push(word);
        words.retain(|word| !word.is_empty());
        words
    }

    #[test]
    fn every_command_has_examples_that_parse() {
        let mut paths = Vec::new();
        leaves(&Cli::command(), "", &mut paths);
        assert!(paths.len() > 50, "{paths:?}");
        for path in paths {
            let examples = examples_of(&path);
            assert!(
                (2..=3).contains(&examples.len()),
                "{path} has {} examples",
                examples.len()
            );
            for example in examples {
                let from = example.find("payops ").unwrap_or_default();
                let words = split_words(&example[from..]);
                let words = words.into_iter().map(|word| shield(word.into()));
                let parsed = command().try_get_matches_from(words);
                assert!(parsed.is_ok(), "{example}: {}", parsed.expect_err("wrong"));
            }
        }
    }

    #[test]
    fn examples_are_of_commands_that_exist() {
        let mut paths = vec!["payops".to_owned()];
        leaves(&Cli::command(), "", &mut paths);
        let headings = EXAMPLES.lines().filter(|line| !line.starts_with(' '));
        for heading in headings {
            assert!(paths.iter().any(|path| path == heading), "{heading}");
        }
    }

    #[test]
    fn the_reference_of_the_command_line_changes_only_on_purpose() {
        fn render(command: &mut Command, path: &str, out: &mut String) {
            use std::fmt::Write as _;
            let help = command.render_long_help().to_string();
            let lines: Vec<&str> = help
                .lines()
                .take_while(|line| *line != "Global options:")
                .map(str::trim_end)
                .collect();
            let rest = help
                .split_once("\nExamples:\n")
                .map_or("", |(_, rest)| rest);
            let _ = writeln!(out, "## {path}\n\n{}\n", lines.join("\n").trim_end());
            if !rest.is_empty() && !lines.contains(&"Examples:") {
                let _ = writeln!(out, "Examples:\n{}\n", rest.trim_end());
            }
            for each in command.get_subcommands_mut() {
                if each.is_hide_set() || each.get_name() == "help" {
                    continue;
                }
                let inner = format!("{path} {}", each.get_name());
                render(each, &inner, out);
            }
        }
        let mut command = command().term_width(100);
        command.build();
        let mut out = String::new();
        render(&mut command, "payops", &mut out);
        insta::assert_snapshot!("reference", out);
    }
}
