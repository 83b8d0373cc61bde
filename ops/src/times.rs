//! Durations and moments that an operator types.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// A duration greater than zero and at most `max`.
pub fn parse_span(text: &str, max: SignedDuration) -> Result<SignedDuration, String> {
    let wrong = || {
        if max == SignedDuration::MAX {
            "expected a duration such as 30m or 2h".to_owned()
        } else {
            format!("expected a duration of at most {max:#}, such as 15m or 1h")
        }
    };
    let span: SignedDuration = text.parse().map_err(|_| wrong())?;
    if span.is_positive() && span <= max {
        Ok(span)
    } else {
        Err(wrong())
    }
}

/// A moment in the past: an age, a date, or a time with a zone.
pub fn parse_moment(text: &str) -> Result<Timestamp, String> {
    let wrong = || "expected an age such as 2h or 3d, a date, or a time with a zone".to_owned();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    if let Ok(date) = text.parse::<Date>() {
        return date
            .to_zoned(TimeZone::UTC)
            .map(|at| at.timestamp())
            .map_err(|_| wrong());
    }
    let days = text
        .strip_suffix('d')
        .and_then(|days| days.parse::<i64>().ok())
        .map(|days| SignedDuration::from_hours(days.saturating_mul(24)));
    let ago = days
        .or_else(|| text.parse::<SignedDuration>().ok())
        .filter(SignedDuration::is_positive)
        .ok_or_else(wrong)?;
    Timestamp::now().checked_sub(ago).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_bounded() {
        let hour = SignedDuration::from_hours(1);
        assert_eq!(parse_span("15m", hour), Ok(SignedDuration::from_mins(15)));
        assert_eq!(
            parse_span("2h", hour),
            Err("expected a duration of at most 1h, such as 15m or 1h".to_owned())
        );
        for wrong in ["", "0s", "-5m", "soon"] {
            assert!(parse_span(wrong, SignedDuration::MAX).is_err(), "{wrong}");
        }
    }

    #[test]
    fn moments_are_read() {
        assert_eq!(
            parse_moment("2026-11-25")
                .map(|at| at.to_string())
                .as_deref(),
            Ok("2026-11-25T00:00:00Z")
        );
        assert_eq!(
            parse_moment("2026-11-25T03:00:00+01:00")
                .map(|at| at.to_string())
                .as_deref(),
            Ok("2026-11-25T02:00:00Z")
        );
        let ago = Timestamp::now().duration_since(parse_moment("3d").expect("three days"));
        assert!((71..=73).contains(&ago.as_hours()), "{ago:?}");
        for wrong in ["", "yesterweek", "-2h", "0s"] {
            assert!(parse_moment(wrong).is_err(), "{wrong}");
        }
    }
}
