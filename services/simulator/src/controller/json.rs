//! Reads and writes fields of JSON objects. A field that is missing or of another type reads as
//! empty: the API enforces no schema.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

pub(crate) fn number(object: &Value, pointer: &str) -> Option<i64> {
    object.pointer(pointer).and_then(Value::as_i64)
}

pub(crate) fn flag(object: &Value, pointer: &str) -> bool {
    object
        .pointer(pointer)
        .and_then(Value::as_bool)
        .unwrap_or(false)
}

pub(crate) fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

pub(crate) fn time(object: &Value, pointer: &str) -> Option<Timestamp> {
    text(object, pointer).parse().ok()
}

/// Formats a time as the API writes it: in whole seconds.
pub(crate) fn to_rfc3339(at: Timestamp) -> Value {
    let second = Timestamp::from_second(at.as_second()).unwrap_or(at);
    second.to_string().into()
}

pub(crate) fn add_seconds(at: Timestamp, seconds: i64) -> Timestamp {
    at.checked_add(SignedDuration::from_secs(seconds))
        .unwrap_or(Timestamp::MAX)
}

/// Returns the object in a field, and creates it if there is none.
pub(crate) fn object_mut<'a>(object: &'a mut Value, name: &str) -> &'a mut Map<String, Value> {
    let inner = into_object(object).entry(name).or_insert(Value::Null);
    into_object(inner)
}

/// Returns the value as an object, and replaces any other value by an empty one.
pub(crate) fn into_object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("it was just made an object"),
    }
}

/// Parses a duration into seconds: a number, or text such as `20`, `10s`, `5m`, `1h30m`, `500ms`.
/// Rounds up to whole seconds.
pub(crate) fn seconds(value: &Value) -> Option<i64> {
    if let Some(number) = value.as_i64() {
        return Some(number);
    }
    let mut rest = value.as_str()?.trim();
    if let Ok(number) = rest.parse::<i64>() {
        return Some(number);
    }
    if rest.is_empty() {
        return None;
    }
    let mut millis = 0_i64;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let count: i64 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        let letters = rest
            .find(|letter: char| letter.is_ascii_digit())
            .unwrap_or(rest.len());
        let unit = match rest.get(..letters)? {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        rest = rest.get(letters..)?;
        millis = millis.checked_add(count.checked_mul(unit)?)?;
    }
    Some(millis.saturating_add(999) / 1000)
}

/// Parses a count, or a percentage of `total`: `3`, `"25%"`.
pub(crate) fn count_or_percent(value: &Value, total: i64, round_up: bool) -> Option<i64> {
    if let Some(count) = value.as_i64() {
        return Some(count);
    }
    let text = value.as_str()?.trim();
    let Some(percent) = text.strip_suffix('%') else {
        return text.parse().ok();
    };
    let hundredths = percent.trim().parse::<i64>().ok()?.checked_mul(total)?;
    Some(if round_up {
        hundredths.saturating_add(99) / 100
    } else {
        hundredths / 100
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn durations_are_numbers_or_text() {
        for (given, wanted) in [
            (json!(30), 30),
            (json!("30"), 30),
            (json!("10s"), 10),
            (json!("5m"), 300),
            (json!("1h30m"), 5400),
            (json!("500ms"), 1),
        ] {
            assert_eq!(seconds(&given), Some(wanted), "{given}");
        }
        for given in [
            json!(null),
            json!(""),
            json!("soon"),
            json!("5x"),
            json!("s"),
        ] {
            assert_eq!(seconds(&given), None, "{given}");
        }
    }

    #[test]
    fn surge_rounds_up_and_unavailable_down() {
        assert_eq!(count_or_percent(&json!("25%"), 10, true), Some(3));
        assert_eq!(count_or_percent(&json!("25%"), 10, false), Some(2));
        assert_eq!(count_or_percent(&json!(1), 10, true), Some(1));
        assert_eq!(count_or_percent(&json!({}), 10, true), None);
    }
}
