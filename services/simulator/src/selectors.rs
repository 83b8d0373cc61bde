//! Label and field selectors.

use serde_json::Value;

use crate::ApiError;
use crate::kinds::Kind;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    Exists(String),
    Absent(String),
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
}

/// Requirements joined by commas: equality, sets and bare keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LabelSelector(Vec<Requirement>);

impl LabelSelector {
    pub(crate) fn parse(text: &str) -> Result<Self, ApiError> {
        let bad = || {
            ApiError::bad_request(format!(
                "unable to parse requirement: invalid label selector {text:?}"
            ))
        };
        let mut requirements = Vec::new();
        for part in split_requirements(text) {
            let part = part.trim();
            if !part.is_empty() {
                requirements.push(parse_requirement(part).ok_or_else(bad)?);
            }
        }
        Ok(Self(requirements))
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        let label = |key: &str| {
            object
                .pointer("/metadata/labels")
                .and_then(|labels| labels.get(key))
                .and_then(Value::as_str)
        };
        self.0.iter().all(|requirement| match requirement {
            Requirement::Exists(key) => label(key).is_some(),
            Requirement::Absent(key) => label(key).is_none(),
            Requirement::In(key, values) => {
                label(key).is_some_and(|value| values.iter().any(|one| one == value))
            }
            // An object without the label matches too, as in Kubernetes.
            Requirement::NotIn(key, values) => {
                label(key).is_none_or(|value| values.iter().all(|one| one != value))
            }
        })
    }
}

fn split_requirements(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn parse_requirement(part: &str) -> Option<Requirement> {
    if let Some(open) = part.find('(') {
        let list = part[open + 1..].strip_suffix(')')?;
        let values: Vec<String> = list
            .split(',')
            .map(|value| value.trim().to_owned())
            .collect();
        let mut words = part[..open].split_whitespace();
        let (key, operator) = (parse_key(words.next()?)?, words.next()?);
        return match (operator, words.next()) {
            ("in", None) => Some(Requirement::In(key, values)),
            ("notin", None) => Some(Requirement::NotIn(key, values)),
            _ => None,
        };
    }
    if let Some((name, value)) = part.split_once("!=") {
        return Some(Requirement::NotIn(
            parse_key(name)?,
            vec![value.trim().to_owned()],
        ));
    }
    if let Some((name, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return Some(Requirement::In(
            parse_key(name)?,
            vec![value.trim().to_owned()],
        ));
    }
    match part.strip_prefix('!') {
        Some(name) => Some(Requirement::Absent(parse_key(name)?)),
        None => Some(Requirement::Exists(parse_key(part)?)),
    }
}

fn parse_key(text: &str) -> Option<String> {
    let text = text.trim();
    let fits = !text.is_empty()
        && text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "-_./".contains(letter));
    fits.then(|| text.to_owned())
}

/// Requirements joined by commas: `path=value` and `path!=value`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldSelector(Vec<(String, bool, String)>);

impl FieldSelector {
    pub(crate) fn parse(kind: Kind, text: &str) -> Result<Self, ApiError> {
        let mut fields = Vec::new();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let unequal = part
                .split_once("!=")
                .map(|(path, value)| (path, false, value));
            let equal = || {
                part.split_once("==")
                    .or_else(|| part.split_once('='))
                    .map(|(path, value)| (path, true, value))
            };
            let Some((path, is_equal, value)) = unequal.or_else(equal) else {
                return Err(ApiError::bad_request(format!(
                    "invalid field selector {text:?}; can't understand {part:?}"
                )));
            };
            if !is_supported(kind, path) {
                return Err(ApiError::bad_request(format!(
                    "field label not supported: {path}"
                )));
            }
            fields.push((
                format!("/{}", path.replace('.', "/")),
                is_equal,
                value.to_owned(),
            ));
        }
        Ok(Self(fields))
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.0.iter().all(|(pointer, is_equal, value)| {
            let actual = object
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default();
            (actual == value) == *is_equal
        })
    }
}

fn is_supported(kind: Kind, path: &str) -> bool {
    match kind {
        _ if path == "metadata.name" || path == "metadata.namespace" => true,
        Kind::Pod => matches!(path, "status.phase" | "spec.nodeName"),
        Kind::Event => path.starts_with("involvedObject.") || matches!(path, "reason" | "type"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(selector: &str, expected: bool) {
        let object = json!({"metadata": {"labels": {"app": "api", "tier/x": "1"}}});
        assert_eq!(
            LabelSelector::parse(selector).unwrap().matches(&object),
            expected,
            "{selector}"
        );
    }

    #[test]
    fn label_selectors() {
        check("", true);
        check("app=api", true);
        check("app==api,tier/x=1", true);
        check("app!=api", false);
        check("zone!=a", true);
        check("app in (web, api)", true);
        check("app notin (web),tier/x", true);
        check("!app", false);
        check("!zone", true);
        check("zone", false);
        assert!(LabelSelector::parse("app in api").is_err());
        assert!(LabelSelector::parse("a b").is_err());
    }

    #[test]
    fn field_selectors() {
        let object = json!({"metadata": {"name": "a", "namespace": "n"}});
        assert!(
            FieldSelector::parse(Kind::Rollout, "metadata.name=a,metadata.namespace!=x")
                .unwrap()
                .matches(&object)
        );
        assert!(
            !FieldSelector::parse(Kind::Rollout, "metadata.name=b")
                .unwrap()
                .matches(&object)
        );
        assert_eq!(
            FieldSelector::parse(Kind::Rollout, "status.phase=a")
                .unwrap_err()
                .code,
            400
        );
    }
}
