//! How a failed call is told: cluster and verb, the cause, and what the caller may conclude.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use payops_core::port::{ErrorKind, PortError, error_causes};
use tower::BoxError;

const MESSAGE_MAX: usize = 300;

#[derive(Debug)]
pub(crate) enum Cause {
    Answer {
        code: u16,
        message: String,
        /// When it may be tried again, if the server says.
        retry_after: Option<Duration>,
    },
    /// No connection: to where, if that is known, and why in a few words.
    Connect {
        to: Option<Arc<str>>,
        why: String,
    },
    TimedOut(Duration),
    Lost(BoxError),
    Identity(BoxError),
    /// The answer is not what it should be.
    Unreadable(BoxError),
}

#[derive(Debug)]
pub(crate) struct Failure {
    /// Cluster and verb: `cluster prod: list rollouts`.
    pub(crate) what: String,
    pub(crate) writes: bool,
    pub(crate) cause: Cause,
}

/// Says who asks could not be found out, or not be proven. Raised by layers under the client.
#[derive(Debug)]
pub(crate) struct NoIdentity(pub(crate) BoxError);

impl std::fmt::Display for NoIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no credentials for the cluster")
    }
}

impl Error for NoIdentity {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

impl Failure {
    pub(crate) fn code(&self) -> Option<u16> {
        match self.cause {
            Cause::Answer { code, .. } => Some(code),
            _ => None,
        }
    }

    /// When it may be tried again, if the server says.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self.cause {
            Cause::Answer { retry_after, .. } => retry_after,
            _ => None,
        }
    }

    pub(crate) fn kind(&self) -> ErrorKind {
        match (&self.cause, self.writes) {
            (
                Cause::Answer {
                    code: 401 | 403, ..
                }
                | Cause::Identity(_),
                _,
            ) => ErrorKind::Denied,
            (Cause::Answer { code: 404, .. }, _) => ErrorKind::NotFound,
            (Cause::Answer { code: 429, .. }, _) => ErrorKind::Throttled,
            // A gateway's 502 and 504, and a 500 of a store that did not answer in time, leave open
            // whether the write reached the store; 503 is said before it is tried.
            (Cause::Answer { code: 503, .. } | Cause::Connect { .. }, _)
            | (Cause::Answer { code: 500.., .. } | Cause::TimedOut(_) | Cause::Lost(_), false) => {
                ErrorKind::Unavailable
            }
            (
                Cause::Answer { code: 500.., .. }
                | Cause::TimedOut(_)
                | Cause::Lost(_)
                | Cause::Unreadable(_),
                true,
            ) => ErrorKind::Ambiguous,
            (Cause::Answer { .. }, _) => ErrorKind::Permanent,
            (Cause::Unreadable(_), false) => ErrorKind::Corrupt,
        }
    }

    pub(crate) fn describe(&self) -> String {
        match &self.cause {
            Cause::Answer { code: 401, .. } => {
                "401: the cluster rejected the credentials; sign in again".to_owned()
            }
            Cause::Answer { code, message, .. } if message.is_empty() => format!("answered {code}"),
            Cause::Answer { code, message, .. } => format!("answered {code}: {message}"),
            Cause::Connect { to, why } => {
                let to = to
                    .as_deref()
                    .map(|to| format!(" to {to}"))
                    .unwrap_or_default();
                format!("cannot connect{to}: {why}")
            }
            Cause::TimedOut(limit) => format!("no response within {} s", limit.as_secs()),
            Cause::Lost(_) => "the connection was lost".to_owned(),
            Cause::Identity(_) => "no credentials; sign in again".to_owned(),
            Cause::Unreadable(_) => "the response cannot be read".to_owned(),
        }
    }
}

impl From<Failure> for PortError {
    fn from(failure: Failure) -> Self {
        let (kind, message) = (
            failure.kind(),
            format!("{}: {}", failure.what, failure.describe()),
        );
        match failure.cause {
            Cause::Lost(source) | Cause::Identity(source) | Cause::Unreadable(source) => {
                Self::because(kind, message, source)
            }
            Cause::Answer { .. } | Cause::Connect { .. } | Cause::TimedOut(_) => {
                Self::new(kind, message)
            }
        }
    }
}

/// The cause behind an error of kube's client.
pub(crate) fn cause_of(error: kube::Error) -> Cause {
    let error: BoxError = error.into();
    if error_causes(&*error).any(|cause| cause.is::<NoIdentity>() || is_auth(cause)) {
        return Cause::Identity(error);
    }
    let connect = |cause: &(dyn Error + 'static)| {
        cause
            .downcast_ref::<hyper_util::client::legacy::Error>()
            .is_some_and(hyper_util::client::legacy::Error::is_connect)
            || cause
                .downcast_ref::<std::io::Error>()
                .is_some_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
    };
    if error_causes(&*error).any(connect) {
        Cause::Connect {
            to: None,
            why: innermost(&*error),
        }
    } else {
        Cause::Lost(error)
    }
}

/// The words of the innermost cause: those around it only say that it has one.
pub(crate) fn innermost(error: &(dyn Error + 'static)) -> String {
    let text = error_causes(error)
        .last()
        .map(ToString::to_string)
        .unwrap_or_default();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        one_line(&format!("{}{}", first.to_lowercase(), letters.as_str()))
    })
}

fn is_auth(error: &(dyn Error + 'static)) -> bool {
    error.is::<kube::client::AuthError>()
        || matches!(
            error.downcast_ref::<kube::Error>(),
            Some(kube::Error::Auth(_))
        )
}

pub(crate) fn one_line(message: &str) -> String {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MESSAGE_MAX) {
        Some((place, _)) => format!("{}…", line.get(..place).unwrap_or_default()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(code: u16, read: ErrorKind, write: ErrorKind) {
        let kind = |writes| {
            let cause = Cause::Answer {
                code,
                message: String::new(),
                retry_after: None,
            };
            Failure {
                what: String::new(),
                writes,
                cause,
            }
            .kind()
        };
        assert_eq!((kind(false), kind(true)), (read, write), "{code}");
    }

    #[test]
    fn a_status_says_whether_there_may_have_been_an_effect() {
        check(401, ErrorKind::Denied, ErrorKind::Denied);
        check(403, ErrorKind::Denied, ErrorKind::Denied);
        check(404, ErrorKind::NotFound, ErrorKind::NotFound);
        check(415, ErrorKind::Permanent, ErrorKind::Permanent);
        check(422, ErrorKind::Permanent, ErrorKind::Permanent);
        check(429, ErrorKind::Throttled, ErrorKind::Throttled);
        check(500, ErrorKind::Unavailable, ErrorKind::Ambiguous);
        check(503, ErrorKind::Unavailable, ErrorKind::Unavailable);
        check(504, ErrorKind::Unavailable, ErrorKind::Ambiguous);
    }

    #[test]
    fn a_time_out_of_a_write_is_ambiguous() {
        let kind = |writes| {
            Failure {
                what: String::new(),
                writes,
                cause: Cause::TimedOut(Duration::from_secs(10)),
            }
            .kind()
        };
        assert_eq!(
            (kind(false), kind(true)),
            (ErrorKind::Unavailable, ErrorKind::Ambiguous)
        );
        let error = PortError::from(Failure {
            what: "cluster prod: list rollouts".to_owned(),
            writes: false,
            cause: Cause::TimedOut(Duration::from_secs(10)),
        });
        assert_eq!(
            error.to_string(),
            "cluster prod: list rollouts: no response within 10 s"
        );
    }

    #[test]
    fn a_failed_connection_is_one_sentence_with_the_address() {
        let refused = std::io::Error::from_raw_os_error(111);
        let Cause::Connect { why, .. } = cause_of(kube::Error::Service(refused.into())) else {
            panic!("no failed connection");
        };
        let error = PortError::from(Failure {
            what: "cluster prod: list rollouts".to_owned(),
            writes: false,
            cause: Cause::Connect {
                to: Some("https://127.0.0.1:6443".into()),
                why,
            },
        });
        assert_eq!(
            error.chain(),
            "cluster prod: list rollouts: cannot connect to https://127.0.0.1:6443: connection \
                refused"
        );
    }

    #[test]
    fn messages_are_one_line() {
        assert_eq!(one_line("a\n  b\tc"), "a b c");
        assert_eq!(one_line(&"é".repeat(400)).chars().count(), 301);
    }
}
