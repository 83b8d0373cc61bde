//! A failure as the screen shows it: comparable, and safe for a terminal.

use payops_core::domain::mask;
use payops_core::domain::privacy::Privacy;
use payops_core::port::{ErrorKind, PortError};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub kind: ErrorKind,
    /// What was tried and how it went wrong, cause by cause; masked, in one line.
    pub text: String,
}

impl Fault {
    #[must_use]
    pub fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
        }
    }

    /// What to do about it, in a few words; empty when retrying is all there is.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self.kind {
            ErrorKind::Denied => "sign in again, or ask for permission",
            ErrorKind::NotFound => "check the names in payops.toml: payops config explain",
            ErrorKind::Corrupt | ErrorKind::Permanent => "retrying will not help: payops doctor",
            ErrorKind::NotWritable => "free disk space, or make it writable",
            // What was refused or is not set up says itself what to do.
            ErrorKind::Refused
            | ErrorKind::NotSetUp
            | ErrorKind::Unavailable
            | ErrorKind::Throttled
            | ErrorKind::Ambiguous => "",
        }
    }
}

impl From<PortError> for Fault {
    fn from(error: PortError) -> Self {
        Self {
            kind: error.kind,
            text: mask::terminal(
                &Privacy { reveal: false }.text(&error.chain().replace(['\n', '\r', '\t'], " ")),
            ),
        }
    }
}
