//! What may be shown: personal data is masked unless somebody reveals it with a reason.
//! Card numbers are never shown, revealed or not.

use serde_json::Value;

use super::mask;
use super::pan::contains_card_number;
use super::text::Email;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Privacy {
    pub reveal: bool,
}

const CARD_MIN: f64 = 1e12;
const CARD: &str = "[card number removed]";

impl Privacy {
    #[must_use]
    pub fn email(self, address: &str) -> String {
        if self.reveal {
            address.to_owned()
        } else {
            mask::email(address)
        }
    }

    /// A value that is a secret of its owner, such as a source token: its prefix.
    #[must_use]
    pub fn token(self, token: &str) -> String {
        let prefix = token.split_once('_').map_or("", |(prefix, _)| prefix);
        if self.reveal {
            token.to_owned()
        } else {
            format!("{prefix}_•••")
        }
    }

    /// Any text: addresses in it are masked wherever they stand.
    #[must_use]
    pub fn text(self, text: &str) -> String {
        if contains_card_number(text) {
            return CARD.to_owned();
        }
        if self.reveal || !text.contains('@') {
            text.to_owned()
        } else {
            remove_addresses(text)
        }
    }

    /// A JSON value: personal members hidden, addresses masked, card numbers removed.
    #[must_use]
    pub fn json(self, value: &Value) -> Value {
        let tame = self.map_texts(value);
        if self.reveal { tame } else { mask::json(&tame) }
    }

    fn map_texts(self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Number(number)
                if number.as_f64().is_some_and(|value| value.abs() >= CARD_MIN)
                    && contains_card_number(&number.to_string()) =>
            {
                Value::String(CARD.to_owned())
            }
            Value::Array(items) => items.iter().map(|item| self.map_texts(item)).collect(),
            Value::Object(members) => Value::Object(
                members
                    .iter()
                    .map(|(name, member)| (self.text(name), self.map_texts(member)))
                    .collect(),
            ),
            other => other.clone(),
        }
    }
}

/// Masks every part of `text` that is an address by itself.
fn remove_addresses(text: &str) -> String {
    let part_of = |c: char| {
        c.is_alphanumeric()
            || matches!(
                c,
                '@' | '.'
                    | '_'
                    | '+'
                    | '-'
                    | '\''
                    | '%'
                    | '!'
                    | '#'
                    | '$'
                    | '&'
                    | '*'
                    | '/'
                    | '='
                    | '?'
                    | '^'
                    | '~'
            )
    };
    let (mut out, mut word) = (String::with_capacity(text.len()), String::new());
    for c in text.chars().map(Some).chain([None]) {
        if let Some(c) = c.filter(|c| part_of(*c)) {
            word.push(c);
            continue;
        }
        out.push_str(&mask_word(&word));
        word.clear();
        out.extend(c);
    }
    out
}

fn mask_word(word: &str) -> String {
    if !word.contains('@') {
        return word.to_owned();
    }
    // A full stop or a quotation mark at an end belongs to the sentence, not to the address.
    let core = word.trim_matches(|c: char| !c.is_alphanumeric());
    match word.split_once(core) {
        Some((before, after)) if core.parse::<Email>().is_ok() => {
            format!("{before}{}{after}", mask::email(core))
        }
        // Nearly an address: hidden as a whole.
        _ => "•••@•••".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const MASKED: Privacy = Privacy { reveal: false };
    const OPEN: Privacy = Privacy { reveal: true };

    #[test]
    fn addresses_are_masked_wherever_they_stand() {
        assert_eq!(
            MASKED.text("mail to <anna@example.com>, bounced."),
            "mail to <a•••@e•••.com>, bounced."
        );
        assert_eq!(
            MASKED.text("sent to 'björn.20@example.de'."),
            "sent to 'b•••@e•••.de'."
        );
        assert_eq!(MASKED.text("root@localhost"), "•••@•••");
        assert_eq!(MASKED.text("no address"), "no address");
    }

    #[test]
    fn revealing_shows_people_but_never_cards() {
        let body = json!({"customer": {"email": "anna@example.com"}, "note": "card 4242 4242 4242 \
            4242", "source": "tok_visa"});
        assert_eq!(
            MASKED.json(&body),
            json!({"customer": {"email": "a•••@e•••.com"}, "note": CARD, "source": "•••"})
        );
        assert_eq!(
            OPEN.json(&body),
            json!({"customer": {"email": "anna@example.com"}, "note": CARD, "source": "tok_visa"})
        );
        assert_eq!(MASKED.token("tok_visa"), "tok_•••");
        let numbers = json!({"card": 4_242_424_242_424_242_u64, "amount": 1250, "at": 1_764_112_129_123_u64, "deep": [4.242_424_242_424_242e15], "pi": 4.242_424_242_424_242});
        assert_eq!(
            OPEN.json(&numbers),
            json!({"card": CARD, "amount": 1250, "at": 1_764_112_129_123_u64, "deep": [CARD], "pi": 4.242_424_242_424_242})
        );
    }
}
