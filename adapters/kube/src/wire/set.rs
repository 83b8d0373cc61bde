//! A `ReplicaSet` of `apps/v1`.

use std::cell::RefCell;

use payops_core::domain::rollout::ReplicaSet;
use serde_json::Value;

use super::fields::{Damage, Fields, Meta};
use super::rollout::images;

/// The `ReplicaSet` in `value`, whatever is in there.
pub(crate) fn replica_set(value: &Value) -> ReplicaSet {
    let damage: Damage = RefCell::default();
    let object = Fields::new("object", value, &damage);
    let meta = Meta::new(object);
    let (spec, status) = (object.child("spec"), object.child("status"));
    let count = |key| status.count(key).unwrap_or_default();
    ReplicaSet {
        name: meta.name(),
        uid: meta.fields.string("uid"),
        hash: meta.hash(),
        revision: meta.revision(),
        desired: spec.count("replicas").unwrap_or(1),
        current: count("replicas"),
        ready: count("readyReplicas"),
        available: count("availableReplicas"),
        created_at: meta.fields.time("creationTimestamp"),
        images: images(spec.child("template")),
        scale_down_at: meta.annotations.time("scale-down-deadline"),
        template: spec.value("template").cloned().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wire::fixture;

    #[test]
    fn a_set_with_its_template() {
        let set = replica_set(&fixture::replica_set(
            "payments-api-6c5f",
            "rs-2",
            "6c5f",
            7,
        ));
        assert_eq!(
            (
                set.name.as_str(),
                set.uid.as_str(),
                set.hash.as_str(),
                set.revision
            ),
            ("payments-api-6c5f", "rs-2", "6c5f", Some(7))
        );
        assert_eq!(
            (set.desired, set.current, set.ready, set.available),
            (2, 2, 1, 1)
        );
        assert_eq!(set.images[0].image, "registry/payments:1.8.0");
        assert_eq!(
            set.template["metadata"]["labels"]["rollouts-pod-template-hash"],
            "6c5f"
        );
    }

    #[test]
    fn what_is_not_there_is_not_made_up() {
        let set = replica_set(&json!({"metadata": {"name": "a"}, "status": "?"}));
        assert_eq!(
            (set.current, set.revision, set.images.len(), set.template),
            (0, None, 0, Value::Null)
        );
    }
}
