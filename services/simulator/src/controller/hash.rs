//! The hash that names a pod template.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

pub(crate) const LABEL: &str = "rollouts-pod-template-hash";

/// The hash of a pod template: ten letters and digits. Neither the order of fields nor the hash
/// label itself changes it, so that a template taken from a `ReplicaSet` leads back to that one.
///
/// A real controller hashes a Go structure; its values cannot be had from JSON, and nobody may
/// depend on them.
pub(crate) fn of_template(template: &Value) -> String {
    let mut text = String::new();
    write(template, &mut text);
    digest(&text)
}

pub(crate) fn of_steps(steps: &[Value]) -> String {
    let mut text = String::new();
    for step in steps {
        write(step, &mut text);
        text.push(',');
    }
    digest(&text)
}

fn digest(text: &str) -> String {
    let mut hash = hex::encode(Sha256::digest(text));
    hash.truncate(10);
    hash
}

/// JSON with sorted fields, without what says nothing: nulls, empty objects, the hash label.
fn write(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut fields: Vec<_> = map
                .iter()
                .filter(|(name, value)| *name != LABEL && !is_empty(value))
                .collect();
            fields.sort_by_key(|(name, _)| *name);
            out.push('{');
            for (name, value) in fields {
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                write(value, out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write(item, out);
                out.push(',');
            }
            out.push(']');
        }
        other => out.push_str(&other.to_string()),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map
            .iter()
            .all(|(name, value)| name == LABEL || is_empty(value)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn order_and_the_label_do_not_matter_and_the_image_does() {
        let one = json!({
            "metadata": {"labels": {"app": "x"}},
            "spec": {"containers": [{"name": "a", "image": "a:1"}]},
        });
        let same = json!({
            "spec": {"containers": [{"image": "a:1", "name": "a"}]},
            "metadata": {"creationTimestamp": null, "labels": {(LABEL): "abc", "app": "x"}},
        });
        let other = json!({
            "metadata": {"labels": {"app": "x"}},
            "spec": {"containers": [{"name": "a", "image": "a:2"}]},
        });
        assert_eq!(of_template(&one), of_template(&same));
        assert_ne!(of_template(&one), of_template(&other));
        assert_eq!(of_template(&one).len(), 10);
    }
}
