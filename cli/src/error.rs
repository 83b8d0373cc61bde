//! The one error of the command line: what went wrong, why, and which command to try next.
//! It is printed once, by `main`, on stderr.

use std::error::Error;
use std::fmt::Write as _;

use payops_core::domain::mask::terminal;
use payops_core::port::{ErrorKind, PortError};
use serde_json::json;

use crate::exit::Exit;

/// A command that did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct CliError {
    pub(crate) exit: Exit,
    /// What went wrong, in one sentence without a full stop.
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    #[source]
    pub(crate) source: Option<Box<dyn Error + Send + Sync>>,
    /// Nobody reads our output any more: nothing is printed and nothing failed.
    pub(crate) quiet: bool,
}

/// What we said ourselves, on its way through a port.
#[derive(Debug)]
struct Told(CliError);

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.message)?;
        self.0
            .hint
            .as_ref()
            .map_or(Ok(()), |hint| write!(f, " ({hint})"))
    }
}

impl Error for Told {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

pub(crate) type CliResult<T> = Result<T, CliError>;

impl CliError {
    /// An error with that exit code.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            hint: None,
            source: None,
            quiet: false,
        }
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, message)
    }

    /// The thing named is not there.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(Exit::NotFound, message)
    }

    pub(crate) fn interrupted() -> Self {
        Self::new(Exit::Interrupted, "interrupted")
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// A port failed while doing `what`. What we said ourselves through it keeps its exit code and
    /// its hint.
    pub(crate) fn port(what: impl Into<String>, mut error: PortError) -> Self {
        match error
            .source
            .take()
            .map(<dyn Error + Send + Sync>::downcast::<Told>)
        {
            Some(Ok(told)) => {
                return Self {
                    exit: told.0.exit,
                    hint: told.0.hint.clone(),
                    ..Self::failed(what).because(told.0)
                };
            }
            Some(Err(other)) => error.source = Some(other),
            None => {}
        }
        let exit = match error.kind {
            ErrorKind::Denied => Exit::NotAuthenticated,
            ErrorKind::Throttled => Exit::RateLimited,
            ErrorKind::NotFound => Exit::NotFound,
            _ => Exit::Failed,
        };
        let hint = match error.kind {
            ErrorKind::Unavailable | ErrorKind::Ambiguous => {
                Some("try again; reading changes nothing, and writes can be repeated")
            }
            ErrorKind::Denied => Some("log in again, or ask for the role that may do this"),
            ErrorKind::NotWritable => {
                Some("free some space or make the place writable, then run the same command again")
            }
            _ => None,
        };
        let mut out = Self::new(exit, what).because(error);
        out.hint = hint.map(str::to_owned);
        out
    }

    /// The same as a port's failure, for what asks through a port.
    pub(crate) fn into_port(self) -> PortError {
        let kind = match self.exit {
            Exit::NotAuthenticated | Exit::Refused | Exit::WrongAccount | Exit::CodeNeeded => {
                ErrorKind::Denied
            }
            Exit::RateLimited => ErrorKind::Throttled,
            Exit::NotFound => ErrorKind::NotFound,
            Exit::Usage => ErrorKind::Permanent,
            _ => ErrorKind::Unavailable,
        };
        let told = Told(self);
        PortError::because(kind, told.to_string(), told)
    }

    /// Writing our output failed. A closed pipe (`| head`) is no failure.
    pub(crate) fn output(error: std::io::Error) -> Self {
        let quiet = error.kind() == std::io::ErrorKind::BrokenPipe;
        let exit = if quiet { Exit::Done } else { Exit::Failed };
        let mut out = Self::new(exit, "cannot write the output").because(error);
        out.quiet = quiet;
        out
    }

    /// What is printed on stderr: the message, its causes and the hint, safe for a terminal.
    pub(crate) fn text(&self) -> String {
        let mut out = format!("error: {}\n", shown(&self.message));
        for cause in self.causes() {
            let _ = writeln!(out, "  caused by: {}", shown(&cause));
        }
        if let Some(hint) = &self.hint {
            let _ = writeln!(out, "hint: {}", shown(hint));
        }
        out
    }

    /// The last line on stderr with `-o json` and `-o ndjson`:
    /// `{"error":{"kind":…,"exit":…,"message":…,"causes":[…],"hint":…}}`.
    pub(crate) fn json(&self) -> String {
        let error = json!({
            "kind": self.exit.as_str(), "exit": self.exit.code(), "message": uncarded(&self.message),
            "causes": self.causes().iter().map(|cause| uncarded(cause)).collect::<Vec<_>>(), "hint": self.hint.as_deref().map(uncarded),
        });
        crate::output::json_text(&json!({ "error": error }), false)
    }

    fn causes(&self) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        let mut cause = self.source.as_deref().map(|source| source as &dyn Error);
        while let Some(error) = cause {
            let text = error.to_string();
            // Some libraries repeat their cause's words in their own.
            if out.last() != Some(&text) {
                out.push(text);
            }
            cause = error.source();
        }
        out
    }
}

impl From<PortError> for CliError {
    fn from(error: PortError) -> Self {
        let message = error.message.clone();
        let mut out = Self::port(message, error);
        // The port's own words are the message; what remains is its cause.
        out.source = out
            .source
            .and_then(|source| source.downcast::<PortError>().ok())
            .and_then(|error| error.source);
        out
    }
}

/// `text` without card numbers, which people paste where identifiers belong.
fn uncarded(text: &str) -> String {
    use payops_core::domain::pan::contains_card_number;
    const REMOVED: &str = "[card number removed]";
    let whole = text
        .split(' ')
        .map(|word| {
            if contains_card_number(word) {
                REMOVED
            } else {
                word
            }
        })
        .collect::<Vec<_>>()
        .join(" ");
    if contains_card_number(&whole) {
        REMOVED.to_owned()
    } else {
        whole
    }
}

/// `text` as it may be shown: without card numbers, and safe for a terminal.
fn shown(text: &str) -> String {
    terminal(&uncarded(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_its_causes_and_the_next_command() {
        let disk = std::io::Error::other("disk full");
        let error = PortError::because(ErrorKind::NotWritable, "the store takes no writes", disk);
        let error = CliError::port("the payment could not be canceled", error);
        insta::assert_snapshot!(error.text(), @r"
        error: the payment could not be canceled
          caused by: the store takes no writes
          caused by: disk full
        hint: free some space or make the place writable, then run the same command again
        ");
        insta::assert_snapshot!(CliError::not_found("not \u{1b}[31m there").json(), @r#"{"error":{"kind":"not_found","exit":5,"message":"not \u001b[31m there","causes":[],"hint":null}}"#);
    }

    #[test]
    fn a_port_error_says_its_words_once() {
        let error = CliError::from(PortError::because(
            ErrorKind::Denied,
            "no access",
            std::io::Error::other("expired"),
        ));
        assert_eq!(error.exit, Exit::NotAuthenticated);
        insta::assert_snapshot!(error.text(), @r"
        error: no access
          caused by: expired
        hint: log in again, or ask for the role that may do this
        ");
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        let error = CliError::output(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        assert!(error.quiet && error.exit == Exit::Done);
        assert!(!CliError::output(std::io::Error::other("full")).quiet);
    }
}
