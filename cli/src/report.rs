//! How an error is told: on stderr, once, by `main`.

use std::fmt::Write as _;

use payops_core::domain::mask::terminal;
use payops_core::domain::pan::contains_card_number;
use payops_ops::error::OpsError;
use payops_ops::json::json_text;
use serde_json::json;

use crate::exit::Exit;

/// What is printed on stderr: the message, its causes and the hint, safe for a terminal.
pub(crate) fn text(error: &OpsError) -> String {
    let mut out = format!("error: {}\n", printable(&error.message));
    for cause in error.causes() {
        // A parser's text draws the line at fault: its own lines stay lines, indented below.
        let cause = without_cards(cause.trim_end());
        let lines: Vec<String> = cause.lines().map(terminal).collect();
        let _ = writeln!(out, "  caused by: {}", lines.join("\n    "));
    }
    if let Some(hint) = &error.hint {
        let _ = writeln!(out, "hint: {}", printable(hint));
    }
    out
}

/// The last line on stderr with `-o json` and `-o ndjson`:
/// `{"error":{"kind":…,"exit":…,"message":…,"causes":[…],"hint":…}}`.
pub(crate) fn json(error: &OpsError) -> String {
    let exit = Exit::from(error.kind);
    let causes: Vec<String> = error
        .causes()
        .iter()
        .map(|cause| without_cards(cause))
        .collect();
    let error = json!({
        "kind": exit.as_str(),
        "exit": exit.code(),
        "message": without_cards(&error.message),
        "causes": causes,
        "hint": error.hint.as_deref().map(without_cards),
    });
    json_text(&json!({ "error": error }), false)
}

/// `text` without card numbers, which people paste where identifiers belong.
fn without_cards(text: &str) -> String {
    const REMOVED: &str = "[card number removed]";
    let words = text.split(' ').map(|word| {
        if contains_card_number(word) {
            REMOVED
        } else {
            word
        }
    });
    let whole = words.collect::<Vec<_>>().join(" ");
    if contains_card_number(&whole) {
        REMOVED.to_owned()
    } else {
        whole
    }
}

fn printable(text: &str) -> String {
    terminal(&without_cards(text))
}

#[cfg(test)]
mod tests {
    use payops_core::port::{ErrorKind, PortError};

    use super::*;

    #[test]
    fn an_error_names_its_causes_and_the_next_command() {
        let disk = std::io::Error::other("disk full");
        let error = PortError::because(ErrorKind::NotWritable, "the store takes no writes", disk);
        let error = OpsError::port("the payment could not be canceled", error);
        insta::assert_snapshot!(text(&error), @r"
        error: the payment could not be canceled
          caused by: the store takes no writes
          caused by: disk full
        hint: free some space or make the directory writable, then run the same command again
        ");
        insta::assert_snapshot!(json(&OpsError::not_found("not \u{1b}[31m there")), @r#"{"error":{"kind":"not_found","exit":5,"message":"not \u001b[31m there","causes":[],"hint":null}}"#);
    }

    #[test]
    fn a_cause_of_several_lines_keeps_them_and_nothing_else() {
        let cause = std::io::Error::other("at line 2\n  |\n2 | kind = \u{1b}[2J\nhint: lies\n");
        let error = OpsError::usage("payops.toml is not valid").because(cause);
        let text = text(&error);
        assert!(
            !text.contains("\\u{a}") && !text.contains('\u{1b}'),
            "{text}"
        );
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1..3], ["  caused by: at line 2", "      |"]);
        assert_eq!((lines.len(), lines[4]), (5, "    hint: lies"));
    }

    #[test]
    fn a_port_error_says_its_words_once() {
        let error = OpsError::from(PortError::because(
            ErrorKind::Denied,
            "no access",
            std::io::Error::other("expired"),
        ));
        assert_eq!(Exit::from(error.kind), Exit::NotAuthenticated);
        insta::assert_snapshot!(text(&error), @r"
        error: no access
          caused by: expired
        hint: log in again, or ask for a role that allows this
        ");
    }
}
