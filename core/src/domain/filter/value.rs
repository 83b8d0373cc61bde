//! Values that an expression is about, and how two of them compare.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::Value;

/// What kind of value a part of an expression is, as far as it is known before a dead letter is
/// seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Bool,
    Null,
    Duration,
    Map,
    /// Within `payload`: not known.
    Any,
}

impl Kind {
    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "a number",
            Self::Bool => "true or false",
            Self::Null => "null",
            Self::Duration => "a duration",
            Self::Map => "a map",
            Self::Any => "of unknown type",
        }
    }
}

/// A number: whole ones are exact, others are floating point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Whole(i128),
    Float(f64),
}

impl Number {
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.contains('.') {
            return text
                .parse()
                .ok()
                .filter(|number: &f64| number.is_finite())
                .map(Self::Float);
        }
        text.parse::<u64>()
            .ok()
            .map(|number| Self::Whole(number.into()))
    }

    fn of_json(number: &serde_json::Number) -> Self {
        let whole = number
            .as_i64()
            .map(i128::from)
            .or_else(|| number.as_u64().map(i128::from));
        whole.map_or_else(
            || Self::Float(number.as_f64().unwrap_or(f64::NAN)),
            Self::Whole,
        )
    }

    /// With a minus before it; of numbers as they are written, which are never negative.
    pub(super) fn negate(self) -> Self {
        match self {
            Self::Whole(number) => Self::Whole(number.saturating_neg()),
            Self::Float(number) => Self::Float(number.copysign(-1.0)),
        }
    }

    fn to_float(self) -> f64 {
        match self {
            // By way of its digits: rounded rightly, and this is rare.
            Self::Whole(number) => number.to_string().parse().unwrap_or(f64::NAN),
            Self::Float(number) => number,
        }
    }

    fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Whole(one), Self::Whole(two)) => Some(one.cmp(&two)),
            (one, two) => one.to_float().partial_cmp(&two.to_float()),
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Val<'a> {
    Missing,
    Null,
    Bool(bool),
    Number(Number),
    Text(&'a str),
    Duration(SignedDuration),
    Json(&'a Value),
    Attributes(&'a BTreeMap<String, String>),
}

impl<'a> Val<'a> {
    pub(super) fn of_json(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(held) => Self::Bool(*held),
            Value::Number(number) => Self::Number(Number::of_json(number)),
            Value::String(text) => Self::Text(text),
            Value::Array(_) | Value::Object(_) => Self::Json(value),
        }
    }

    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::Duration(_) => "a duration",
            Self::Json(Value::Array(_)) => "a list",
            Self::Json(_) | Self::Attributes(_) => "a map",
        }
    }

    /// Whether both are the same; `None` when one is missing.
    pub(super) fn equals(self, other: Self) -> Option<bool> {
        Some(match (self, other) {
            (Self::Missing, _) | (_, Self::Missing) => return None,
            (Self::Null, Self::Null) => true,
            (Self::Bool(one), Self::Bool(two)) => one == two,
            (Self::Text(one), Self::Text(two)) => one == two,
            (Self::Json(one), Self::Json(two)) => one == two,
            (Self::Attributes(one), Self::Attributes(two)) => one == two,
            (one, two) => one.order(two) == Some(Ordering::Equal),
        })
    }

    /// Which is greater; `None` for values that have no order, or not with each other.
    pub(super) fn order(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Number(one), Self::Number(two)) => one.compare(two),
            (Self::Text(one), Self::Text(two)) => Some(one.cmp(two)),
            (Self::Duration(one), Self::Duration(two)) => Some(one.cmp(&two)),
            _ => None,
        }
    }

    pub(super) fn size(self) -> Self {
        let count = match self {
            Self::Text(text) => text.chars().count(),
            Self::Json(Value::Array(items)) => items.len(),
            Self::Json(Value::Object(members)) => members.len(),
            Self::Attributes(members) => members.len(),
            _ => return Self::Missing,
        };
        i128::try_from(count).map_or(Self::Missing, |count| Self::Number(Number::Whole(count)))
    }
}

/// Reads a duration: numbers with a unit each, such as `1h30m`, `90s`, `1.5h`, `250ms`, `2d`.
pub(super) fn duration(text: &str) -> Option<SignedDuration> {
    let (negative, mut rest) = text
        .strip_prefix('-')
        .map_or((false, text), |rest| (true, rest));
    let mut total = SignedDuration::ZERO;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at_checked(number_end)?;
        let unit_end = tail
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(tail.len());
        let (unit, after) = tail.split_at_checked(unit_end)?;
        total = total.checked_add(span(number, unit)?)?;
        rest = after;
    }
    if negative {
        total.checked_neg()
    } else {
        Some(total)
    }
}

/// So many of a unit; of a fraction, as many digits count as nanoseconds have.
fn span(number: &str, unit: &str) -> Option<SignedDuration> {
    let nanos: i128 = match unit {
        "ns" => 1,
        "us" | "µs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || number.ends_with('.') || fraction.len() > 9 {
        return None;
    }
    let mut total = i128::from(whole.parse::<u32>().ok()?).checked_mul(nanos)?;
    if !fraction.is_empty() {
        let scale = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        total = total.checked_add(
            i128::from(fraction.parse::<u32>().ok()?)
                .checked_mul(nanos)?
                .checked_div(scale)?,
        )?;
    }
    let seconds = i64::try_from(total.checked_div(1_000_000_000)?).ok()?;
    let rest = i32::try_from(total.checked_rem(1_000_000_000)?).ok()?;
    Some(SignedDuration::new(seconds, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected_ms: Option<i64>) {
        assert_eq!(
            duration(text),
            expected_ms.map(SignedDuration::from_millis),
            "{text}"
        );
    }

    #[test]
    fn durations_are_read() {
        check("1h", Some(3_600_000));
        check("1h30m", Some(5_400_000));
        check("1.5h", Some(5_400_000));
        check("250ms", Some(250));
        check("2d", Some(172_800_000));
        check("-10s", Some(-10_000));
        check("0.001s", Some(1));
    }

    #[test]
    fn others_are_not() {
        for text in [
            "",
            "1",
            "h",
            "1x",
            "1.h",
            ".5h",
            "1h30",
            "1 h",
            "-",
            "99999999999h",
            "1.0000000001s",
            "1..2s",
        ] {
            check(text, None);
        }
    }
}
