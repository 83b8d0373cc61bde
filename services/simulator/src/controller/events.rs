//! Events: what `kubectl describe` shows of a rollout's past.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::json::{stamp, text, time};
use crate::kinds::Kind;
use crate::store::{Cluster, Key, suffix};

const KEPT_SECONDS: i64 = 3600;

pub(super) struct Note {
    pub(super) warning: bool,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

/// The event that tells it. `version` and `index` make its name one of a kind.
pub(super) fn event(
    rollout: &Value,
    note: &Note,
    now: Timestamp,
    version: u64,
    index: usize,
) -> Value {
    let meta = &rollout["metadata"];
    let name = text(rollout, "/metadata/name");
    json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": {"name": format!("{name}.{version:x}{}", suffix(name, index as u64)), "namespace": meta["namespace"]},
        "involvedObject": {
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": name, "namespace": meta["namespace"], "uid": meta["uid"],
            "resourceVersion": meta["resourceVersion"],
        },
        "type": if note.warning { "Warning" } else { "Normal" }, "reason": note.reason, "message": note.message, "count": 1,
        "source": {"component": "rollouts-controller"}, "reportingComponent": "rollouts-controller", "reportingInstance": "",
        "firstTimestamp": stamp(now), "lastTimestamp": stamp(now),
    })
}

pub(super) fn expire(cluster: &Cluster, now: Timestamp) {
    for event in cluster.list(Kind::Event, None).1 {
        let old = time(&event, "/lastTimestamp")
            .is_some_and(|at| now.duration_since(at).as_secs() > KEPT_SECONDS);
        if old {
            cluster.remove_object(&Key::new(
                Kind::Event,
                text(&event, "/metadata/namespace"),
                text(&event, "/metadata/name"),
            ));
        }
    }
}
