//! Durations as Argo Rollouts writes them: seconds as a number, or a duration of Go (`1h30m`).

use jiff::SignedDuration;
use serde_json::Value;

/// The duration of `pause.duration`: a number of seconds, a text that is one, or a duration of Go.
pub(super) fn parse_value(value: &Value) -> Option<SignedDuration> {
    match value {
        Value::Number(number) => number.as_i64().map(SignedDuration::from_secs),
        Value::String(text) => parse_text(text),
        _ => None,
    }
}

pub(super) fn parse_text(text: &str) -> Option<SignedDuration> {
    if let Ok(seconds) = text.parse() {
        return Some(SignedDuration::from_secs(seconds));
    }
    parse_go_duration(text)
}

/// A duration of Go: numbers with units, one after the other (`time.ParseDuration`).
fn parse_go_duration(text: &str) -> Option<SignedDuration> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest.is_empty() {
        return None;
    }
    let mut nanos: i128 = 0;
    while !rest.is_empty() {
        let digits = rest
            .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
            .filter(|place| *place > 0)?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail
            .find(|letter: char| letter.is_ascii_digit() || letter == '.')
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        nanos = nanos.checked_add(part(number, unit)?)?;
        rest = tail;
    }
    let nanos = if negative {
        nanos.checked_neg()?
    } else {
        nanos
    };
    let seconds = i64::try_from(nanos / 1_000_000_000).ok()?;
    let left = i32::try_from(nanos % 1_000_000_000).ok()?;
    Some(SignedDuration::new(seconds, left))
}

fn part(number: &str, unit: &str) -> Option<i128> {
    let unit: i128 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole: i128 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let mut nanos = whole.checked_mul(unit)?;
    let mut scale = unit;
    for digit in fraction.chars() {
        scale /= 10;
        nanos = nanos.checked_add(i128::from(digit.to_digit(10)?).checked_mul(scale)?)?;
    }
    Some(nanos)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(value: &Value, seconds: Option<i64>) {
        assert_eq!(
            parse_value(value).map(|length| length.as_secs()),
            seconds,
            "{value}"
        );
    }

    #[test]
    fn seconds_and_go_durations_are_read() {
        check(&json!(10), Some(10));
        check(&json!("10"), Some(10));
        check(&json!("10s"), Some(10));
        check(&json!("5m"), Some(300));
        check(&json!("1h"), Some(3600));
        check(&json!("1h30m5s"), Some(5405));
        check(&json!("1.5h"), Some(5400));
        check(&json!(".5m"), Some(30));
        check(&json!("1500ms"), Some(1));
        check(&json!("0"), Some(0));
        check(&json!("-5s"), Some(-5));
        assert_eq!(parse_text("250ms"), Some(SignedDuration::from_millis(250)));
    }

    #[test]
    fn other_texts_are_no_duration() {
        for bad in [
            json!("5x"),
            json!("m"),
            json!("5m 3s"),
            json!(""),
            json!("."),
            json!("1.2.3s"),
            json!(true),
            json!({}),
            json!("5min"),
        ] {
            check(&bad, None);
        }
        check(&json!("99999999999999999999999999999999999999999h"), None);
    }
}
