//! How a call to the outside fails. What matters to a caller is whether it may have had an effect.

use std::error::Error;

/// What a caller may conclude from a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Certainly no effect; trying again may work (refused connection, busy, overloaded).
    Unavailable,
    /// Certainly no effect; asked too often. Try again later.
    Throttled,
    /// It may or may not have had its effect (time-out, connection lost). Never treat as failed.
    Ambiguous,
    /// Not allowed: credentials or permissions.
    Denied,
    /// Certainly no effect: our own policy forbids it, such as a rule or a freeze. The message says
    /// what to do.
    Refused,
    /// The queue, table, bucket or file that is needed is not there.
    NotFound,
    /// The environment has no such part: its settings name none. The message says what to add.
    NotSetUp,
    /// What is stored there cannot be read, or is of a newer version.
    Corrupt,
    /// The medium takes no writes: full or read-only.
    NotWritable,
    /// Will not work however often it is tried.
    Permanent,
}

/// A failed call to the outside.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct PortError {
    /// What a caller may conclude.
    pub kind: ErrorKind,
    /// What was tried, and how it went wrong, in this layer's words.
    pub message: String,
    /// The cause, from the layer below.
    #[source]
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

/// The result of a call to the outside.
pub type PortResult<T> = Result<T, PortError>;

impl PortError {
    /// A failure without a cause of its own.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// A failure that `source` caused.
    #[must_use]
    pub fn because(
        kind: ErrorKind,
        message: impl Into<String>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self {
            kind,
            message: message.into(),
            source: Some(source.into()),
        }
    }

    /// Whether trying again later may work.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Unavailable | ErrorKind::Throttled | ErrorKind::Ambiguous
        )
    }

    /// The whole chain of messages, outermost first, for logs.
    #[must_use]
    pub fn chain(&self) -> String {
        error_chain(self)
    }

    /// A stable word for grouping.
    #[must_use]
    pub fn class(&self) -> &'static str {
        match self.kind {
            ErrorKind::Unavailable => "unavailable",
            ErrorKind::Throttled => "throttled",
            ErrorKind::Ambiguous => "timeout",
            ErrorKind::Denied => "denied",
            ErrorKind::Refused => "refused",
            ErrorKind::NotFound => "not_found",
            ErrorKind::NotSetUp => "not_set_up",
            ErrorKind::Corrupt => "corrupt",
            ErrorKind::NotWritable => "not_writable",
            ErrorKind::Permanent => "permanent",
        }
    }
}

/// The messages of an error and of its causes in one line, outermost first: `the queue cannot be
/// read: no answer in time`.
#[must_use]
pub fn error_chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    for cause in error_causes(error).skip(1) {
        let words = cause.to_string();
        // Some libraries say their cause's words in their own.
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
    }
    text
}

/// An error and its causes, outermost first.
pub fn error_causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| {
        Error::source(*error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_says_each_cause_once() {
        let error = PortError::because(
            ErrorKind::Unavailable,
            "the queue cannot be read",
            PortError::because(
                ErrorKind::Unavailable,
                "no connection: refused",
                PortError::new(ErrorKind::Unavailable, "refused"),
            ),
        );
        assert_eq!(
            error_chain(&error),
            "the queue cannot be read: no connection: refused"
        );
    }
}
