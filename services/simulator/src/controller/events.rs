//! Events of rollouts, which `kubectl describe` shows.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::json::{text, time, to_rfc3339};
use crate::kinds::Kind;
use crate::store::{Cluster, Key, name_suffix};

const EVENT_TTL_SECONDS: i64 = 3600;

pub(super) struct PendingEvent {
    pub(super) warning: bool,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

/// Builds the event object. `version` and `index` make its name unique.
pub(super) fn to_object(
    rollout: &Value,
    event: &PendingEvent,
    now: Timestamp,
    version: u64,
    index: usize,
) -> Value {
    let meta = &rollout["metadata"];
    let name = text(rollout, "/metadata/name");
    json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": {
            "name": format!("{name}.{version:x}{}", name_suffix(name, index as u64)),
            "namespace": meta["namespace"],
        },
        "involvedObject": {
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": name,
            "namespace": meta["namespace"], "uid": meta["uid"],
            "resourceVersion": meta["resourceVersion"],
        },
        "type": if event.warning { "Warning" } else { "Normal" }, "reason": event.reason,
        "message": event.message, "count": 1,
        "source": {"component": "rollouts-controller"}, "reportingComponent": "rollouts-controller",
        "reportingInstance": "",
        "firstTimestamp": to_rfc3339(now), "lastTimestamp": to_rfc3339(now),
    })
}

pub(super) fn delete_expired(cluster: &Cluster, now: Timestamp) {
    for event in cluster.list(Kind::Event, None).1 {
        let is_expired = time(&event, "/lastTimestamp")
            .is_some_and(|at| now.duration_since(at).as_secs() > EVENT_TTL_SECONDS);
        if is_expired {
            cluster.remove_object(&Key::new(
                Kind::Event,
                text(&event, "/metadata/namespace"),
                text(&event, "/metadata/name"),
            ));
        }
    }
}
