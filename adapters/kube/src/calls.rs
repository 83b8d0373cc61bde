//! The changes of a plan as calls of the Kubernetes API, with the fields of Argo Rollouts 1.10.

use payops_core::domain::rollout::{ImageChange, RolloutChange, Workload};
use serde_json::{Value, json};

use crate::wire::template_at;

/// The label that the controller puts on the pod template of a replica set; a template that has it
/// would not be the one that was rolled out.
const HASH_LABEL: &str = "rollouts-pod-template-hash";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The status subresource; where the cluster has none (404), the object itself.
    Status,
    Main,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// A JSON merge patch (RFC 7386) of the rollout. The resource version that the plan is bound
    /// to, or that the call before answered, is added by who makes the call.
    Merge {
        part: Part,
        body: Value,
    },
    /// A JSON patch (RFC 6902) of the object that holds the pod template, with a test of its
    /// resource version put in front.
    Json {
        body: Value,
    },
    /// A JSON patch of the status, bound by tests of these fields and of the rollout's uid instead of
    /// by a resource version. What is empty is not tested.
    TestedStatus {
        tests: Vec<(&'static str, String)>,
        set: (&'static str, Value),
    },
    /// Reads that object, changes images in `containers`, `initContainers` and
    /// `ephemeralContainers`, and puts it back; again from the start on a conflict.
    SetImages(Vec<ImageChange>),
    /// Merge patch `{"spec":{"terminate":true}}` of an analysis run.
    TerminateAnalysis {
        name: String,
    },
    TerminateExperiment {
        name: String,
    },
}

impl Call {
    /// Whether it is a decision about the spec, which may be made again when the status moved.
    pub(crate) fn replaces_template(&self) -> bool {
        matches!(self, Self::Json { .. } | Self::SetImages(_))
    }

    /// The JSON patch of a [`Call::TestedStatus`], bound to the rollout of that uid.
    pub(crate) fn to_tested_patch(&self, uid: &str) -> Option<Value> {
        let Self::TestedStatus { tests, set } = self else {
            return None;
        };
        let tests = [("/metadata/uid", uid)]
            .into_iter()
            .chain(tests.iter().map(|(path, value)| (*path, value.as_str())))
            .filter(|(_, value)| !value.is_empty())
            .map(|(path, value)| json!({"op": "test", "path": path, "value": value}));
        let set = json!({"op": "add", "path": set.0, "value": set.1});
        Some(tests.chain([set]).collect())
    }

    /// The call that makes `change`; `workload` holds the pod template where the rollout does not.
    pub(crate) fn new(change: &RolloutChange, workload: Option<&Workload>) -> Self {
        match change {
            RolloutChange::ClearPauseConditions => status(&json!({"pauseConditions": null})),
            RolloutChange::SetCurrentStep {
                index,
                end_controller_pause: false,
            } => status(&json!({"pauseConditions": null, "currentStepIndex": index})),
            RolloutChange::SetCurrentStep {
                index,
                end_controller_pause: true,
            } => status(
                &json!({"pauseConditions": null, "controllerPause": false, "currentStepIndex": index}),
            ),
            RolloutChange::PromoteFull => status(&json!({"promoteFull": true})),
            RolloutChange::Abort {
                current_hash,
                stable_hash,
            } => Self::TestedStatus {
                tests: vec![
                    ("/status/currentPodHash", current_hash.clone()),
                    ("/status/stableRS", stable_hash.clone()),
                ],
                set: ("/status/abort", Value::Bool(true)),
            },
            RolloutChange::ClearAbort => status(&json!({"abort": false})),
            RolloutChange::SetPaused(paused) => spec(&json!({"paused": paused})),
            RolloutChange::RestartAt(at) => {
                // Whole seconds, as the controller writes it into the status: it compares both.
                let second = payops_core::Timestamp::from_second(at.as_second()).unwrap_or(*at);
                spec(&json!({"restartAt": second.to_string()}))
            }
            RolloutChange::ReplaceTemplate(template) => {
                let kind = workload.map_or("Rollout", |workload| &workload.reference.kind);
                let at = template_at(kind);
                Self::Json {
                    body: json!([
                        {"op": "replace", "path": at, "value": without_hash(template)},
                    ]),
                }
            }
            RolloutChange::SetImages(images) => Self::SetImages(images.clone()),
            RolloutChange::TerminateAnalysis { name } => {
                Self::TerminateAnalysis { name: name.clone() }
            }
            RolloutChange::TerminateExperiment { name } => {
                Self::TerminateExperiment { name: name.clone() }
            }
        }
    }
}

fn status(body: &Value) -> Call {
    Call::Merge {
        part: Part::Status,
        body: json!({ "status": body }),
    }
}

fn spec(body: &Value) -> Call {
    Call::Merge {
        part: Part::Main,
        body: json!({ "spec": body }),
    }
}

fn without_hash(template: &Value) -> Value {
    let mut template = template.clone();
    if let Some(labels) = template
        .pointer_mut("/metadata/labels")
        .and_then(Value::as_object_mut)
    {
        labels.shift_remove(HASH_LABEL);
    }
    template
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(change: &RolloutChange, part: Part, body: Value) {
        assert_eq!(Call::new(change, None), Call::Merge { part, body });
    }

    #[test]
    fn changes_are_patches_of_status_or_spec() {
        check(
            &RolloutChange::ClearPauseConditions,
            Part::Status,
            json!({"status": {"pauseConditions": null}}),
        );
        for end_controller_pause in [false, true] {
            let mut status = json!({"pauseConditions": null, "currentStepIndex": 3});
            if end_controller_pause {
                status["controllerPause"] = json!(false);
            }
            check(
                &RolloutChange::SetCurrentStep {
                    index: 3,
                    end_controller_pause,
                },
                Part::Status,
                json!({ "status": status }),
            );
        }
        check(
            &RolloutChange::ClearAbort,
            Part::Status,
            json!({"status": {"abort": false}}),
        );
        check(
            &RolloutChange::PromoteFull,
            Part::Status,
            json!({"status": {"promoteFull": true}}),
        );
        check(
            &RolloutChange::SetPaused(false),
            Part::Main,
            json!({"spec": {"paused": false}}),
        );
        check(
            &RolloutChange::RestartAt(payops_core::Timestamp::UNIX_EPOCH),
            Part::Main,
            json!({"spec": {"restartAt": "1970-01-01T00:00:00Z"}}),
        );
    }

    #[test]
    fn an_abort_is_bound_to_the_versions_and_not_to_the_step() {
        let change = RolloutChange::Abort {
            current_hash: "new".to_owned(),
            stable_hash: "old".to_owned(),
        };
        let call = Call::new(&change, None);
        assert_eq!(
            call.to_tested_patch("uid-1"),
            Some(json!([
                {"op": "test", "path": "/metadata/uid", "value": "uid-1"},
                {"op": "test", "path": "/status/currentPodHash", "value": "new"},
                {"op": "test", "path": "/status/stableRS", "value": "old"},
                {"op": "add", "path": "/status/abort", "value": true},
            ]))
        );
        assert!(!call.replaces_template());
    }

    #[test]
    fn an_older_template_is_put_back_without_the_label_of_the_controller() {
        let template = json!({
            "metadata": {"labels": {"app": "api", HASH_LABEL: "abc"}}, "spec": {"containers": []},
        });
        let call = Call::new(&RolloutChange::ReplaceTemplate(template), None);
        assert!(call.replaces_template());
        let expected = json!([{
            "op": "replace", "path": "/spec/template",
            "value": {"metadata": {"labels": {"app": "api"}}, "spec": {"containers": []}},
        }]);
        assert_eq!(call, Call::Json { body: expected });
    }
}
