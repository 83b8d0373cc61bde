//! What whoever asks may do, by `SelfSubjectAccessReview`: asked once for each namespace and verb,
//! and kept. What cannot be found out is not held against anybody: the cluster itself decides.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use payops_core::domain::rollout::{Rollout, RolloutAction};
use serde_json::{Value, json};

use crate::api::path::Kind;
use crate::api::{Api, ApiRequest};

const REVIEWS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Right {
    verb: &'static str,
    kind: Kind,
    subresource: &'static str,
}

/// The rights that were asked for, each with the namespace that it is of.
#[derive(Debug, Default)]
pub(crate) struct Rights {
    known: Mutex<HashMap<(String, Right), bool>>,
}

impl Rights {
    /// The first right that `action` on `rollout` needs and that is not held.
    pub(crate) async fn find_denial(
        &self,
        api: &Api,
        rollout: &Rollout,
        action: &RolloutAction,
    ) -> Option<String> {
        let namespace = &rollout.key.namespace;
        for right in needed(rollout, action) {
            if !self.is_held(api, namespace, right).await {
                return Some(right.describe_denial(namespace));
            }
        }
        None
    }

    fn read_known(&self, key: &(String, Right)) -> Option<bool> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(key).copied()
    }

    async fn is_held(&self, api: &Api, namespace: &str, right: Right) -> bool {
        let key = (namespace.to_owned(), right);
        if let Some(held) = self.read_known(&key) {
            return held;
        }
        let Some(held) = ask(api, namespace, right).await else {
            return true;
        };
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, held);
        held
    }
}

impl Right {
    const fn of(verb: &'static str, kind: Kind) -> Self {
        Self {
            verb,
            kind,
            subresource: "",
        }
    }

    const STATUS: Self = Self {
        subresource: "status",
        ..Self::of("patch", Kind::Rollouts)
    };

    fn describe_denial(self, namespace: &str) -> String {
        let subresource = if self.subresource.is_empty() {
            String::new()
        } else {
            format!("/{}", self.subresource)
        };
        format!(
            "you may not {} {}.{}{subresource} in namespace {namespace}",
            self.verb,
            self.kind.plural(),
            self.kind.group()
        )
    }
}

/// What the calls of an action need; nothing where another object's template is changed.
fn needed(rollout: &Rollout, action: &RolloutAction) -> Vec<Right> {
    let spec = Right::of("patch", Kind::Rollouts);
    match action {
        RolloutAction::Promote | RolloutAction::PromoteFull | RolloutAction::Skip
            if rollout.spec_paused =>
        {
            vec![Right::STATUS, spec]
        }
        RolloutAction::Promote
        | RolloutAction::PromoteFull
        | RolloutAction::Skip
        | RolloutAction::Abort
        | RolloutAction::Retry => vec![Right::STATUS],
        RolloutAction::Undo { .. } | RolloutAction::SetImage(_)
            if rollout.workload_ref.is_some() =>
        {
            Vec::new()
        }
        RolloutAction::Pause
        | RolloutAction::Resume
        | RolloutAction::Restart { .. }
        | RolloutAction::Undo { .. } => vec![spec],
        RolloutAction::SetImage(_) => vec![Right::of("update", Kind::Rollouts)],
        RolloutAction::TerminateAnalysis { .. } => vec![Right::of("patch", Kind::AnalysisRuns)],
        RolloutAction::TerminateExperiment { .. } => vec![Right::of("patch", Kind::Experiments)],
    }
}

async fn ask(api: &Api, namespace: &str, right: Right) -> Option<bool> {
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {
            "namespace": namespace, "verb": right.verb, "group": right.kind.group(),
            "resource": right.kind.plural(), "subresource": right.subresource,
        }},
    });
    let answer = api
        .call("ask what you may do", ApiRequest::Review(review), REVIEWS)
        .await
        .ok()?;
    answer.pointer("/status/allowed").and_then(Value::as_bool)
}
