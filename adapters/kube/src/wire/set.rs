//! A `ReplicaSet` of `apps/v1`.

use std::cell::RefCell;

use payops_core::domain::rollout::ReplicaSet;
use serde_json::{Map, Value};

use super::fields::{Damage, Fields, Meta};
use super::rollout::images;

/// Argo Rollouts 1.10, `utils/replicaset/canary.go`: `EphemeralMetadataAnnotation`.
const EPHEMERAL: &str = "rollout.argoproj.io/ephemeral-metadata";

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
        template: without_ephemeral(
            spec.value("template").cloned().unwrap_or_default(),
            meta.annotations.text(EPHEMERAL),
        ),
    }
}

/// The template as the rollout had it. The controller writes `canaryMetadata` and `stableMetadata`
/// (`activeMetadata`, `previewMetadata`) into the template of a set, and what it wrote into this
/// annotation; a rollout that got them with its template would be another one.
fn without_ephemeral(mut template: Value, written: &str) -> Value {
    let written: Value = serde_json::from_str(written).unwrap_or_default();
    for kind in ["labels", "annotations"] {
        let names = written[kind].as_object().into_iter().flat_map(Map::keys);
        let held = template.pointer_mut(&format!("/metadata/{kind}"));
        if let Some(held) = held.and_then(Value::as_object_mut) {
            for name in names {
                held.shift_remove(name);
            }
        }
    }
    template
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
    fn what_the_controller_wrote_into_the_template_is_not_the_rollouts() {
        let mut value = fixture::replica_set("payments-api-6c5f", "rs-2", "6c5f", 7);
        value["spec"]["template"]["metadata"]["labels"]["role"] = json!("stable");
        value["spec"]["template"]["metadata"]["annotations"] = json!({"note": "x", "own": "kept"});
        let expected = json!({"own": "kept"});
        for (written, role) in [
            (
                r#"{"labels":{"role":"stable"},"annotations":{"note":"x"}}"#,
                None,
            ),
            (r#"{"annotations":{"note":"x"}}"#, Some("stable")),
        ] {
            value["metadata"]["annotations"][EPHEMERAL] = json!(written);
            let template = replica_set(&value).template;
            assert_eq!(template["metadata"]["annotations"], expected);
            assert_eq!(template["metadata"]["labels"]["role"].as_str(), role);
            assert_eq!(
                template["metadata"]["labels"]["rollouts-pod-template-hash"],
                "6c5f"
            );
        }
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
