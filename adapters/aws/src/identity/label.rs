//! Names and tags of a session, cleaned to what STS takes. Cleaning never fails for want of a
//! character: a refused reason would keep somebody from working in an emergency.
//!
//! Limits: <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
//! (`RoleSessionName`, `SourceIdentity`),
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_Tag.html> (`Key`, `Value`),
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html>.

use std::sync::LazyLock;

use regex::Regex;

use super::spec::{Person, RoleSpec};

/// Characters of a session name and of a source identity, at least.
const NAME_MIN: usize = 2;
const NAME_MAX: usize = 64;
/// Characters of a tag's value, at most.
const VALUE_MAX: usize = 256;

pub const TAG_REASON: &str = "payops:reason";
pub const TAG_TICKET: &str = "payops:ticket";
pub const TAG_ENV: &str = "payops:env";
pub const TAG_ACCESS_LEVEL: &str = "payops:duty";

/// What a tag's value must not hold. Built from a constant that the tests run.
static NOT_IN_VALUE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"[^\p{L}\p{Z}\p{N}_.:/=+\-@]").ok());

/// `payops-<access level>-<person>`, as STS takes it.
#[must_use]
pub fn session_name(access_level: &str, person: &str) -> String {
    name(&format!("payops-{access_level}-{person}"))
}

/// The person, as STS takes a source identity; `None` when no letter or digit would be left.
#[must_use]
pub fn source_identity(person: &str) -> Option<String> {
    let cleaned = name(person);
    cleaned
        .chars()
        .any(|c| c.is_ascii_alphanumeric())
        .then_some(cleaned)
}

/// The tags of a session, key and value. A reason and a ticket that nobody gave are left out.
#[must_use]
pub fn tags(spec: &RoleSpec, person: &Person) -> Vec<(&'static str, String)> {
    let all = [
        (TAG_REASON, person.reason.as_deref()),
        (TAG_TICKET, person.ticket.as_deref()),
        (TAG_ENV, Some(spec.env.as_str())),
        (TAG_ACCESS_LEVEL, Some(spec.access_level.as_str())),
    ];
    let cleaned = all
        .into_iter()
        .map(|(key, held)| (key, tag_value(held.unwrap_or_default())));
    cleaned.filter(|(_, value)| !value.is_empty()).collect()
}

/// `[\w+=,.@-]{2,64}`, with `-` for anything else. AWS's `\w` is ASCII.
fn name(text: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    let cleaned: String = text
        .trim()
        .chars()
        .map(|c| if fits(c) { c } else { '-' })
        .take(NAME_MAX)
        .collect();
    format!("{cleaned:-<NAME_MIN$}")
}

/// At most 256 characters of letters, digits, spaces and `_.:/=+-@`, with `-` for anything else.
fn tag_value(text: &str) -> String {
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let cleaned = match NOT_IN_VALUE.as_ref() {
        Some(wrong) => wrong.replace_all(&one_line, "-").into_owned(),
        None => one_line
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || c == ' ' {
                    c
                } else {
                    '-'
                }
            })
            .collect(),
    };
    // Counted as UTF-16, the stricter of the two ways in which a service may count.
    let mut units = 0;
    let within = |c: &char| {
        units += c.len_utf16();
        units <= VALUE_MAX
    };
    cleaned
        .chars()
        .take_while(within)
        .collect::<String>()
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_value(text: &str, expected: &str) {
        assert_eq!(tag_value(text), expected);
    }

    #[test]
    fn a_session_is_named_after_access_level_and_person() {
        assert_eq!(
            session_name("view", "anna@example.com"),
            "payops-view-anna@example.com"
        );
        assert_eq!(
            session_name("break glass", "Jürgen O'Neill"),
            "payops-break-glass-J-rgen-O-Neill"
        );
        assert_eq!(session_name("operate", &"x".repeat(100)).len(), 64);
    }

    #[test]
    fn a_source_identity_has_two_characters_or_more_and_one_that_means_something() {
        assert_eq!(source_identity("anna"), Some("anna".to_owned()));
        assert_eq!(source_identity("a"), Some("a-".to_owned()));
        assert_eq!(source_identity(" aws:root "), Some("aws-root".to_owned()));
        assert_eq!(
            source_identity(&"y".repeat(65)).map(|name| name.len()),
            Some(64)
        );
        for nobody in ["", "  ", "--", "дмитрий"] {
            assert_eq!(source_identity(nobody), None, "{nobody}");
        }
    }

    #[test]
    fn the_expression_is_right() {
        assert!(NOT_IN_VALUE.is_some());
    }

    #[test]
    fn values_keep_letters_of_any_script_and_lose_what_sts_refuses() {
        check_value("INC-4711: queue stuck", "INC-4711: queue stuck");
        check_value("won't \"pay\"\n(again)", "won-t -pay- -again-");
        check_value("  Zahlung hängt / 支払い ", "Zahlung hängt / 支払い");
        check_value("a\u{301}\u{1b}[2J😀", "a---2J-");
        check_value("", "");
    }

    #[test]
    fn values_end_at_256_characters() {
        assert_eq!(tag_value(&"ä".repeat(300)).chars().count(), 256);
        assert_eq!(
            tag_value(&"𝒳".repeat(300)).chars().count(),
            128,
            "two UTF-16 units each"
        );
    }
}
