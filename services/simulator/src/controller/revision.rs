//! The annotation that numbers the versions of a rollout.

use serde_json::Value;

pub(super) const ANNOTATION: &str = "rollout.argoproj.io/revision";

/// Reads the revision of a rollout or a `ReplicaSet`; 0 if it has none.
pub(super) fn of(object: &Value) -> i64 {
    object["metadata"]["annotations"][ANNOTATION]
        .as_str()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}
