//! Exit codes: what a script may conclude from one. Their numbers never change.

use std::process::ExitCode;

use payops_ops::error::Kind;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum Exit {
    Done = 0,
    /// 1: failed, or a check found something wrong.
    Failed = 1,
    /// 2: the command line or the configuration is wrong; nothing was tried.
    Usage = 2,
    /// 3: refused: a rule, a freeze, or no confirmation, reason or approval.
    Refused = 3,
    /// 4: not authenticated, or not allowed.
    NotAuthenticated = 4,
    /// 5: the thing named is not there.
    NotFound = 5,
    /// 6: some of it was done and some was not.
    Partial = 6,
    /// 7: the other side asks to slow down, and kept asking.
    RateLimited = 7,
    /// 8: credentials of another account than the environment's; nothing was asked with them.
    WrongAccount = 8,
    /// 9: the role wants a code of an MFA device: there was none, or it was not taken.
    MfaNeeded = 9,
    /// 124: a time limit that was given ran out.
    TimedOut = 124,
    /// 130: interrupted by Ctrl-C or a signal.
    Interrupted = 130,
}

impl Exit {
    /// Every code, with what it means: the table of the help and the manual page.
    pub(crate) const ALL: [(Self, &'static str); 12] = [
        (Self::Done, "done"),
        (Self::Failed, "failed, or a check found something wrong"),
        (
            Self::Usage,
            "the command line or the configuration is wrong",
        ),
        (
            Self::Refused,
            "refused: a rule, a freeze, or no confirmation, reason or approval",
        ),
        (Self::NotAuthenticated, "not authenticated, or not allowed"),
        (Self::NotFound, "not found"),
        (Self::Partial, "partly done"),
        (Self::RateLimited, "rate-limited"),
        (Self::WrongAccount, "wrong AWS account"),
        (Self::MfaNeeded, "MFA code required or rejected"),
        (Self::TimedOut, "timed out"),
        (Self::Interrupted, "interrupted"),
    ];

    /// The same with the kinds and with what to do: `payops help errors`.
    pub(crate) const TABLE: &'static str = include_str!("errors.txt");

    pub(crate) fn code(self) -> u8 {
        self as u8
    }

    /// A stable word for it, used in the JSON form of errors.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::Refused => "refused",
            Self::NotAuthenticated => "not_authenticated",
            Self::NotFound => "not_found",
            Self::Partial => "partial",
            Self::RateLimited => "rate_limited",
            Self::WrongAccount => "wrong_account",
            Self::MfaNeeded => "mfa_needed",
            Self::TimedOut => "timed_out",
            Self::Interrupted => "interrupted",
        }
    }
}

impl From<Kind> for Exit {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::OutputClosed => Self::Done,
            Kind::Failed => Self::Failed,
            Kind::Usage => Self::Usage,
            Kind::Refused => Self::Refused,
            Kind::NotAuthenticated => Self::NotAuthenticated,
            Kind::NotFound => Self::NotFound,
            Kind::Partial => Self::Partial,
            Kind::RateLimited => Self::RateLimited,
            Kind::WrongAccount => Self::WrongAccount,
            Kind::MfaNeeded => Self::MfaNeeded,
            Kind::TimedOut => Self::TimedOut,
            Kind::Interrupted => Self::Interrupted,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_fixed() {
        let codes: Vec<u8> = Exit::ALL.iter().map(|(exit, ..)| exit.code()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 124, 130]);
    }

    #[test]
    fn the_table_has_every_code() {
        let rows: Vec<&str> = Exit::TABLE
            .lines()
            .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()))
            .collect();
        let expected = Exit::ALL.map(|(exit, what)| {
            let (code, kind) = (exit.code(), exit.as_str());
            format!("{code:<4}  {kind:<17}  {what}")
        });
        assert_eq!(rows, expected);
    }
}
