//! Hiding personal data for people who need not see it.

use serde_json::Value;

pub use super::text::mask_email as email;

/// Every character of `text` but the last `keep`, replaced by `•`.
#[must_use]
pub fn tail(text: &str, keep: usize) -> String {
    let count = text.chars().count();
    let hidden = count.saturating_sub(keep);
    text.chars()
        .enumerate()
        .map(|(place, c)| if place < hidden { '•' } else { c })
        .collect()
}

/// Names of JSON members whose text values are personal or secret.
const PERSONAL: [&str; 7] = [
    "name", "phone", "address", "source", "token", "api_key", "secret",
];

/// A copy of `value` fit for showing: e-mail addresses masked wherever they stand, personal
/// members hidden, card numbers blotted out.
#[must_use]
pub fn json(value: &Value) -> Value {
    mask_value(value, 0)
}

/// Depth past which a document is cut instead of walked.
const DEPTH_MAX: usize = 64;

fn mask_value(value: &Value, depth: usize) -> Value {
    if depth > DEPTH_MAX {
        return Value::String("… (too deep)".to_owned());
    }
    let next = depth.saturating_add(1);
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| {
                let hide = PERSONAL.contains(&name.as_str()) && member.is_string();
                let shown = if hide {
                    Value::String("•••".to_owned())
                } else {
                    mask_value(member, next)
                };
                (text(name), shown)
            })
            .collect(),
        Value::Array(items) => items.iter().map(|item| mask_value(item, next)).collect(),
        Value::String(held) => Value::String(text(held)),
        other => other.clone(),
    }
}

/// One text, masked when it is an e-mail address or holds a card number.
#[must_use]
pub fn text(held: &str) -> String {
    if super::pan::contains_card_number(held) {
        return "[card number removed]".to_owned();
    }
    if held.parse::<super::text::Email>().is_ok() {
        email(held)
    } else {
        held.to_owned()
    }
}

fn changes_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

fn takes_no_room(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}')
        || matches!(c, '\u{feff}' | '\u{ad}' | '\u{180e}')
}

/// `text` made safe for a terminal: control characters, those that change the direction of text,
/// and those that take no room become `\u{..}`.
#[must_use]
pub fn terminal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || changes_direction(c) || takes_no_room(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn personal_data_is_hidden_wherever_it_stands() {
        let body = serde_json::json!({
            "customer": {"email": "anna@example.com", "name": "Anna"},
            "list": ["björn@example.de", 7],
            "note": "card 4242424242424242",
            "source": "tok_visa"
        });
        let shown = json(&body).to_string();
        for leak in ["anna", "Anna", "björn", "4242424242424242", "tok_visa"] {
            assert!(!shown.contains(leak), "{leak} in {shown}");
        }
        assert!(shown.contains("a•••@e•••.com"));
    }

    #[test]
    fn escape_codes_do_not_reach_the_terminal() {
        assert_eq!(terminal("a\u{1b}[31mb\u{202e}"), "a\\u{1b}[31mb\\u{202e}");
        assert_eq!(terminal("a\u{200b}b\u{feff}"), "a\\u{200b}b\\u{feff}");
    }

    #[test]
    fn tails_keep_the_end() {
        assert_eq!(tail("INV-001", 3), "••••001");
        assert_eq!(tail("ab", 3), "ab");
    }
}
