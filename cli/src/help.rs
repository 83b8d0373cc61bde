//! The command line with its examples. They stand in one file, so that one test parses them all.
//! They are printed as they stand: an example that the help wraps is two commands when it is pasted.

use clap::{Command, CommandFactory as _};

use crate::args::Cli;
use crate::exit::Exit;

/// A line is the name of a command (`dlq replay`); the indented lines below are its examples. One
/// that ends with a backslash goes on in the next line, as in a shell.
const EXAMPLES: &str = include_str!("examples.txt");

/// clap's own, without what stands after the options: that is where it wraps.
const TEMPLATE: &str = "{about-with-newline}\n{usage-heading} {usage}\n\n{all-args}";

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
    if path == "errors" {
        return command.help_template(Exit::TABLE);
    }
    let name = if path.is_empty() { "payops" } else { path };
    let examples = format!("Examples:\n{}", example_lines(name).join("\n"));
    if path.is_empty() {
        return command.help_template(format!("{TEMPLATE}\n\n{examples}{{after-help}}"));
    }
    // The manual page takes the one, the help the other.
    command
        .help_template(format!("{TEMPLATE}\n\n{examples}"))
        .after_help(examples)
}

fn example_lines(path: &str) -> Vec<&'static str> {
    let below = EXAMPLES.lines().skip_while(|line| *line != path).skip(1);
    below.take_while(|line| line.starts_with("  ")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::payment::shield;

    /// Every command, by its path.
    fn paths(command: &Command, path: &str, out: &mut Vec<String>) {
        for each in command.get_subcommands().filter(|each| !each.is_hide_set()) {
            let name = format!("{path} {}", each.get_name()).trim().to_owned();
            if each.get_name() == "help" {
                continue;
            }
            paths(each, &name, out);
            out.push(name);
        }
    }

    /// The examples of a command, each in one line.
    fn examples_of(path: &str) -> Vec<String> {
        let joined = example_lines(path).join("\n").replace("\\\n   ", "");
        joined.lines().map(|line| line.trim().to_owned()).collect()
    }

    /// The words of a shell line up to a pipe, a redirection, a bracket or `&&`; quotes group words.
    fn split_words(line: &str) -> Vec<String> {
        let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), None);
        for c in line.chars() {
            match (c, quoted) {
                ('\'' | '"', None) => quoted = Some(c),
                (c, Some(quote)) if c == quote => quoted = None,
                ('|' | '>' | '&' | ')', None) => break,
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
        let mut found = vec!["payops".to_owned()];
        paths(&Cli::command(), "", &mut found);
        assert!(found.len() > 60, "{found:?}");
        for path in found {
            let examples = examples_of(&path);
            assert!(
                (2..=3).contains(&examples.len()),
                "{path} has {} examples",
                examples.len()
            );
            for example in examples {
                for each in example.split(" && ") {
                    let from = each.find("payops ").unwrap_or_default();
                    let words = split_words(&each[from..]);
                    let words = words.into_iter().map(|word| shield(word.into()));
                    let parsed = command().try_get_matches_from(words);
                    assert!(parsed.is_ok(), "{each}: {}", parsed.expect_err("wrong"));
                }
            }
        }
    }

    #[test]
    fn examples_are_never_wrapped() {
        fn check(command: &mut Command, path: &str) {
            let help = command.render_long_help().to_string();
            let short = command.render_help().to_string();
            for line in example_lines(if path.is_empty() { "payops" } else { path }) {
                assert!(line.chars().count() <= 78, "{line}");
                let is_whole = |help: &str| help.lines().any(|printed| printed == line);
                assert!(is_whole(&help) && is_whole(&short), "{line}\n{help}");
            }
            for each in command.get_subcommands_mut() {
                let inner = format!("{path} {}", each.get_name());
                check(each, inner.trim());
            }
        }
        for width in [40, 80, 100] {
            let mut command = command().term_width(width);
            command.build();
            check(&mut command, "");
        }
    }

    #[test]
    fn the_topic_of_errors_is_a_table() {
        let help = command().try_get_matches_from(["payops", "help", "errors"]);
        let text = help.expect_err("help").to_string();
        assert_eq!(text.trim_end(), Exit::TABLE.trim_end());
    }

    #[test]
    fn examples_are_of_commands_that_exist() {
        let mut found = vec!["payops".to_owned()];
        paths(&Cli::command(), "", &mut found);
        let headings = EXAMPLES.lines().filter(|line| !line.starts_with(' '));
        for heading in headings {
            assert!(found.iter().any(|path| path == heading), "{heading}");
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
