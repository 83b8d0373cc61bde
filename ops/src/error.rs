//! Why something was not done: what went wrong, why, and what to do next. The command line maps
//! the kind to an exit code; the screen maps it to a fault.

use std::error::Error;
use std::fmt;

use payops_core::domain::access::PolicyRefusal;
use payops_core::port::{ErrorKind, PortError, error_causes};

/// What a caller may conclude from an [`OpsError`]. Each kind has an exit code of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It failed, or a check found something wrong.
    Failed,
    /// The request or the configuration is wrong; nothing was tried.
    Usage,
    /// Policy refused it: a rule, a freeze, no confirmation, no reason, a missing role.
    Refused,
    /// Not authenticated, or not allowed by the other side.
    NotAuthenticated,
    NotFound,
    /// Some of it was done and some was not.
    Partial,
    /// The other side asks to slow down, and kept asking.
    RateLimited,
    /// The credentials belong to another account than the environment; nothing was asked with them.
    WrongAccount,
    /// The role needs an MFA code: none was given, or it was not accepted.
    MfaNeeded,
    TimedOut,
    Interrupted,
    /// Nobody reads the output any more: no failure, and nothing to print.
    OutputClosed,
}

/// Something that was not done.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct OpsError {
    pub kind: Kind,
    /// What went wrong, in one sentence without a full stop.
    pub message: String,
    /// What to do next, such as a command to run.
    pub hint: Option<String>,
    #[source]
    pub source: Option<Box<dyn Error + Send + Sync>>,
    /// Why the policy refused it, if that is why.
    pub refusal: Option<Box<PolicyRefusal>>,
}

pub type OpsResult<T> = Result<T, OpsError>;

/// An [`OpsError`] on its way through a port, which it leaves with its kind and hint intact.
#[derive(Debug)]
struct ThroughPort(OpsError);

impl fmt::Display for ThroughPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        self.0
            .hint
            .as_ref()
            .map_or(Ok(()), |hint| write!(f, " ({hint})"))
    }
}

impl Error for ThroughPort {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

impl OpsError {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            source: None,
            refusal: None,
        }
    }

    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(Kind::Refused, message)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, message)
    }

    #[must_use]
    pub fn interrupted() -> Self {
        Self::new(Kind::Interrupted, "interrupted")
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// A port failed while doing `what`. An [`OpsError`] that went through it keeps its kind and
    /// hint.
    pub fn port(what: impl Into<String>, mut error: PortError) -> Self {
        match error
            .source
            .take()
            .map(<dyn Error + Send + Sync>::downcast::<ThroughPort>)
        {
            // What is not set up is no failure of what was tried.
            Some(Ok(through)) if error.kind == ErrorKind::NotSetUp => return through.0,
            Some(Ok(through)) => {
                return Self {
                    kind: through.0.kind,
                    hint: through.0.hint.clone(),
                    ..Self::failed(what).because(through.0)
                };
            }
            Some(Err(other)) => error.source = Some(other),
            None => {}
        }
        let kind = match error.kind {
            ErrorKind::Denied => Kind::NotAuthenticated,
            ErrorKind::Refused => Kind::Refused,
            ErrorKind::Throttled => Kind::RateLimited,
            ErrorKind::NotFound => Kind::NotFound,
            ErrorKind::NotSetUp => Kind::Usage,
            _ => Kind::Failed,
        };
        let hint = match error.kind {
            ErrorKind::Unavailable | ErrorKind::Ambiguous => {
                Some("try again; reads change nothing, and writes can be repeated")
            }
            ErrorKind::Denied => Some("log in again, or ask for a role that allows this"),
            ErrorKind::NotWritable => Some(
                "free some space or make the directory writable, then run the same command again",
            ),
            _ => None,
        };
        let mut out = Self::new(kind, what).because(error);
        out.hint = hint.map(str::to_owned);
        out
    }

    /// The same as a failure of a port, for callers that know only ports.
    #[must_use]
    pub fn into_port(self) -> PortError {
        let kind = match self.kind {
            Kind::NotAuthenticated | Kind::WrongAccount | Kind::MfaNeeded => ErrorKind::Denied,
            Kind::Refused => ErrorKind::Refused,
            Kind::RateLimited => ErrorKind::Throttled,
            Kind::NotFound => ErrorKind::NotFound,
            Kind::Usage => ErrorKind::Permanent,
            _ => ErrorKind::Unavailable,
        };
        let through = ThroughPort(self);
        PortError::because(kind, through.to_string(), through)
    }

    /// The same for a part that an environment does not have: the message says which settings to
    /// add.
    #[must_use]
    pub fn into_not_set_up(self) -> PortError {
        PortError {
            kind: ErrorKind::NotSetUp,
            ..self.into_port()
        }
    }

    /// Writing the output failed. A closed pipe (`| head`) is no failure.
    #[must_use]
    pub fn output(error: std::io::Error) -> Self {
        let kind = if error.kind() == std::io::ErrorKind::BrokenPipe {
            Kind::OutputClosed
        } else {
            Kind::Failed
        };
        Self::new(kind, "cannot write the output").because(error)
    }

    /// The messages of its causes, outermost first, each once.
    #[must_use]
    pub fn causes(&self) -> Vec<String> {
        let source = self.source.as_deref();
        let mut out: Vec<String> = source
            .into_iter()
            .flat_map(|source| error_causes(source).map(ToString::to_string))
            .collect();
        // Some libraries repeat their cause's words in their own.
        out.dedup();
        out
    }

    /// The message and its causes in one line.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut parts = vec![self.message.clone()];
        parts.extend(self.causes());
        parts.join(": ")
    }
}

impl From<PortError> for OpsError {
    fn from(error: PortError) -> Self {
        let message = error.message.clone();
        if error.kind == ErrorKind::NotSetUp {
            return Self::port(message, error);
        }
        let mut out = Self::port(message, error);
        // The port's own words are the message; what remains is its cause.
        out.source = out
            .source
            .and_then(|source| source.downcast::<PortError>().ok())
            .and_then(|error| error.source);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_keeps_its_kind_and_hint_through_a_port() {
        let refused = OpsError::refused("prod is frozen").hint("wait").into_port();
        assert_eq!(refused.kind, ErrorKind::Refused);
        let back = OpsError::port("the promotion failed", refused);
        assert_eq!(back.kind, Kind::Refused);
        assert_eq!(back.hint.as_deref(), Some("wait"));
        assert_eq!(back.chain(), "the promotion failed: prod is frozen");
    }

    #[test]
    fn a_port_error_says_its_words_once() {
        let error = OpsError::from(PortError::because(
            ErrorKind::Denied,
            "no access",
            std::io::Error::other("expired"),
        ));
        assert_eq!(error.kind, Kind::NotAuthenticated);
        assert_eq!(error.chain(), "no access: expired");
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        let closed = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        assert_eq!(OpsError::output(closed).kind, Kind::OutputClosed);
        let full = OpsError::output(std::io::Error::other("full"));
        assert_eq!(full.kind, Kind::Failed);
    }
}
