//! More than looking, for a while and for a reason.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{AccessLevel, CLOCKS_APART, ReasonError, parse_reason};
use crate::Timestamp;

pub const ELEVATION_MAX: SignedDuration = SignedDuration::from_hours(1);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elevation {
    pub env: String,
    pub who: String,
    #[serde(rename = "duty")]
    pub level: AccessLevel,
    pub reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    pub begun_at: Timestamp,
    /// Until when; see [`Elevation::ends_at`].
    pub expires_at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ElevationError {
    /// The reason, or what was given as the ticket, cannot be recorded.
    #[error(transparent)]
    Reason(#[from] ReasonError),
    #[error("view needs no elevation; elevate to operate or break-glass")]
    View,
    #[error("elevation duration must be greater than zero")]
    NoTime,
    #[error("elevation duration must be at most 1 hour")]
    TooLong,
}

impl Elevation {
    /// An elevation from `now` on, for `ttl`.
    pub fn begin(
        who: &str,
        env: &str,
        level: AccessLevel,
        reason: &str,
        ticket: Option<&str>,
        now: Timestamp,
        ttl: SignedDuration,
    ) -> Result<Self, ElevationError> {
        if level == AccessLevel::View {
            return Err(ElevationError::View);
        }
        if ttl <= SignedDuration::ZERO {
            return Err(ElevationError::NoTime);
        }
        if ttl > ELEVATION_MAX {
            return Err(ElevationError::TooLong);
        }
        let ticket = ticket
            .filter(|ticket| !ticket.trim().is_empty())
            .map(parse_reason)
            .transpose()?;
        Ok(Self {
            env: env.to_owned(),
            who: who.to_owned(),
            level,
            reason: parse_reason(reason)?,
            ticket,
            begun_at: now,
            expires_at: add_time(now, ttl),
        })
    }

    /// When it ends: at most [`ELEVATION_MAX`] after it began, whatever its record says.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        self.expires_at.min(add_time(self.begun_at, ELEVATION_MAX))
    }

    /// How much time is left; zero when it has ended, or begins later by more than clocks are
    /// apart.
    #[must_use]
    pub fn time_left(&self, now: Timestamp) -> SignedDuration {
        if self.begun_at.duration_since(now) > CLOCKS_APART {
            return SignedDuration::ZERO;
        }
        self.ends_at().duration_since(now).max(SignedDuration::ZERO)
    }
}

fn add_time(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn begin(level: AccessLevel, reason: &str, ttl_s: i64) -> Result<Elevation, ElevationError> {
        Elevation::begin(
            "anna",
            "prod",
            level,
            reason,
            Some("OPS-1"),
            at(1000),
            SignedDuration::from_secs(ttl_s),
        )
    }

    #[track_caller]
    fn refused(level: AccessLevel, reason: &str, ttl_s: i64, expected: ElevationError) {
        assert_eq!(begin(level, reason, ttl_s), Err(expected));
    }

    #[test]
    fn an_elevation_has_a_reason_and_an_end() {
        refused(
            AccessLevel::Operate,
            " ",
            60,
            ElevationError::Reason(ReasonError::Blank),
        );
        refused(
            AccessLevel::Operate,
            "4242 4242 4242 4242",
            60,
            ElevationError::Reason(ReasonError::CardNumber),
        );
        refused(AccessLevel::View, "looking", 60, ElevationError::View);
        refused(AccessLevel::Operate, "replay", 0, ElevationError::NoTime);
        refused(
            AccessLevel::BreakGlass,
            "outage",
            3601,
            ElevationError::TooLong,
        );
        assert_eq!(
            begin(AccessLevel::BreakGlass, "outage", 3600).map(|elevation| elevation.expires_at),
            Ok(at(4600))
        );
    }

    #[test]
    fn a_card_number_is_no_ticket_and_a_blank_ticket_is_none() {
        let with = |ticket| {
            Elevation::begin(
                "anna",
                "prod",
                AccessLevel::Operate,
                "replay",
                Some(ticket),
                at(0),
                ELEVATION_MAX,
            )
            .map(|elevation| elevation.ticket)
        };
        assert_eq!(
            with("4242424242424242"),
            Err(ElevationError::Reason(ReasonError::CardNumber))
        );
        assert_eq!(with(" "), Ok(None));
    }

    #[test]
    fn time_runs_out() {
        let elevation = begin(AccessLevel::Operate, "replay", 600).expect("begun");
        assert_eq!(
            elevation.time_left(at(1000)),
            SignedDuration::from_secs(600)
        );
        assert_eq!(elevation.time_left(at(1599)), SignedDuration::from_secs(1));
        assert_eq!(elevation.time_left(at(1600)), SignedDuration::ZERO);
        assert_eq!(
            elevation.time_left(at(i64::from(u32::MAX))),
            SignedDuration::ZERO
        );
        assert!(elevation.time_left(at(999)) > SignedDuration::ZERO);
        assert_eq!(elevation.time_left(at(0)), SignedDuration::ZERO);
    }

    #[test]
    fn a_record_that_was_stretched_by_hand_ends_all_the_same() {
        let stretched = Elevation {
            expires_at: at(1_000_000),
            ..begin(AccessLevel::Operate, "replay", 600).expect("begun")
        };
        assert_eq!(stretched.ends_at(), at(4600));
        assert_eq!(stretched.time_left(at(5000)), SignedDuration::ZERO);
    }

    #[test]
    fn it_is_stored_as_it_is() {
        let elevation = begin(AccessLevel::BreakGlass, "outage", 600).expect("begun");
        let text = serde_json::to_string(&elevation).expect("JSON");
        assert!(text.contains(r#""duty":"break-glass""#), "{text}");
        assert_eq!(
            serde_json::from_str::<Elevation>(&text).expect("an elevation"),
            elevation
        );
    }
}
