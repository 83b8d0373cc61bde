//! Objects as the Kubernetes API gives them, read into what they mean.
//!
//! Objects stay JSON values until here, so that what this version does not know is neither lost
//! nor in the way. Reading is total: there is no object that is not shown.

mod analysis;
mod duration;
mod fields;
#[cfg(test)]
pub(crate) mod fixture;
mod pod;
mod rollout;
mod set;
mod workload;

pub(crate) use analysis::{analysis_run, experiment};
pub(crate) use pod::pod;
pub(crate) use rollout::rollout;
pub(crate) use set::replica_set;
pub(crate) use workload::{template_at, workload};

use serde_json::Value;

/// The label that binds `ReplicaSets`, pods, analysis runs and experiments to a pod template.
pub(crate) const HASH_LABEL: &str = "rollouts-pod-template-hash";

/// A text at a JSON pointer; empty when there is none.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// Whether an owner of `value` has that uid.
pub(crate) fn is_owned_by(value: &Value, uid: &str) -> bool {
    owners(value).any(|owner| text(owner, "/uid") == uid)
}

pub(crate) fn owners(value: &Value) -> impl Iterator<Item = &Value> {
    value
        .pointer("/metadata/ownerReferences")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}
