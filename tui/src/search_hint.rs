//! Hints while a query is typed: completions of its last word, and the values of a field.

use payops_core::domain::payment::Status;
use payops_core::domain::search::FIELDS;

pub(crate) fn hint(text: &str) -> String {
    let word = last(text);
    if let Some((field, _)) = word.split_once(':') {
        return FIELDS
            .iter()
            .find(|(name, _)| *name == field)
            .map(|(name, takes)| format!("{name}: {takes}"))
            .unwrap_or_default();
    }
    if word.is_empty() {
        return format!("fields: {}", FIELDS.map(|(name, _)| name).join(" "));
    }
    let fields: Vec<&(&str, &str)> = FIELDS
        .iter()
        .filter(|(name, _)| name.starts_with(word))
        .collect();
    match fields.as_slice() {
        [] => "searches id, e-mail, reference, last4 and amount".to_owned(),
        [(name, takes)] => format!("Tab: {name}: {takes}"),
        many => format!(
            "Tab: {}",
            many.iter()
                .map(|(name, _)| *name)
                .collect::<Vec<_>>()
                .join(", ")
        ),
    }
}

/// The text with its last word completed; `None` when there is no completion.
pub(crate) fn complete(text: &str) -> Option<String> {
    let word = last(text);
    let before = text.get(..text.len().checked_sub(word.len())?)?;
    if word.is_empty() {
        return None;
    }
    if let Some((field, start)) = word.split_once(':') {
        let value = values(field)
            .into_iter()
            .find(|value| value.starts_with(start) && *value != start)?;
        return Some(format!("{before}{field}:{value}"));
    }
    let (name, _) = FIELDS.iter().find(|(name, _)| name.starts_with(word))?;
    Some(format!("{before}{name}:"))
}

fn values(field: &str) -> Vec<&'static str> {
    match field {
        "status" => Status::ALL.into_iter().map(Status::as_str).collect(),
        "dead" | "live" => vec!["true", "false"],
        "created" => vec!["today", "yesterday"],
        _ => Vec::new(),
    }
}

/// The last word, without the minus that negates it.
fn last(text: &str) -> &str {
    let word = text.rsplit(char::is_whitespace).next().unwrap_or_default();
    word.strip_prefix('-').unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_values_are_completed() {
        let completed = |text| complete(text).unwrap_or_default();
        assert_eq!(completed("am"), "amount:");
        assert_eq!(completed("4242 -sta"), "4242 -status:");
        assert_eq!(completed("status:co"), "status:completed");
        assert_eq!(completed("status:completed"), "");
        assert_eq!(completed("zzz"), "");
        assert_eq!(completed(""), "");
    }

    #[test]
    fn the_values_of_a_field_are_shown() {
        assert!(hint("").starts_with("fields: id email"));
        assert_eq!(hint("l"), "Tab: last4, live");
        assert!(hint("amo").starts_with("Tab: amount: minor units"));
        assert!(hint("x status:").starts_with("status: processing, completed"));
        assert_eq!(
            hint("zzz"),
            "searches id, e-mail, reference, last4 and amount"
        );
        assert_eq!(hint("colour:"), "");
    }
}
