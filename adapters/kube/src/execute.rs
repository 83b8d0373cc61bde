//! Executing a plan, bound to what was seen when it was made.
//!
//! * A patch of the status, or the only patch of the object, carries the plan's resource version:
//!   if anything has moved, the status included, nothing is done. Of two people who press promote
//!   at the same moment, one steps and the other is told that it moved.
//! * A call that replaces the pod template (undo, set image) is a decision about the spec. A canary
//!   that progresses changes its status every few seconds, which would make it impossible to change
//!   its image when it matters; so such a call is bound to the plan's generation. It is still sent
//!   with a resource version, and looks again when that has moved.
//! * The second call of a plan follows a first one that was made, and that woke the controller up.
//!   It is bound to the spec that the first call answered in the same way.
//! * Where the pod template is another object's (`spec.workloadRef`), that object is changed, and
//!   the call is bound to its resource version.
//! * An abort wants the stable version whatever the step is: it is bound to the rollout's uid and to
//!   the versions under way, and lands while the canary moves.
//! * Ending an analysis run or an experiment is bound to that very run, by its uid.

use payops_core::domain::rollout::{ImageChange, RolloutPlan, Workload};
use payops_core::port::Executed;
use payops_core::port::{ErrorKind, PortError, PortResult};
use serde_json::{Value, json};

use crate::api::fail::{Cause, Failure};
use crate::api::path::{self, Kind};
use crate::api::{Api, ApiRequest};
use crate::calls::{Call, Part};
use crate::images;
use crate::wire::{self, text};

/// How often a call is tried when only the status moves under it.
const TRIES: usize = 5;

#[derive(Clone, Debug)]
struct ObjectVersion {
    resource_version: String,
    generation: u64,
    /// Of which object; empty where the plan does not say.
    uid: String,
}

impl ObjectVersion {
    fn of(rollout: &Value) -> Self {
        let generation = rollout
            .pointer("/metadata/generation")
            .and_then(Value::as_u64)
            .unwrap_or_default();
        Self {
            resource_version: text(rollout, "/metadata/resourceVersion").to_owned(),
            generation,
            uid: text(rollout, "/metadata/uid").to_owned(),
        }
    }

    /// Whether the spec is the same, as far as anybody can say: another object of the same name,
    /// made anew in between, counts its generations from 1 again.
    fn is_same_spec(&self, other: &Self) -> bool {
        self.generation != 0 && self.generation == other.generation && self.uid == other.uid
    }
}

enum Outcome {
    Answer(Value),
    Moved(Value),
    Gone,
}

pub(crate) async fn execute(api: &Api, plan: &RolloutPlan) -> PortResult<Executed> {
    let mut at = ObjectVersion {
        resource_version: plan.resource_version.clone(),
        generation: plan.generation,
        uid: plan.uid.clone(),
    };
    let mut last = None;
    for (done, change) in plan.changes.iter().enumerate() {
        let call = Call::new(change, plan.workload.as_ref());
        let execution = Execution {
            api,
            plan,
            may_follow: done > 0 || call.replaces_template(),
        };
        match execution
            .run(&call, &at)
            .await
            .map_err(|failure| partial_failure(done, plan, failure))?
        {
            Outcome::Answer(answer) => {
                at = ObjectVersion::of(&answer);
                last = Some(answer);
            }
            Outcome::Moved(now) => {
                let now = Box::new(wire::rollout(&now));
                return Ok(if done == 0 {
                    Executed::Moved(now)
                } else {
                    Executed::Partly { done, now }
                });
            }
            Outcome::Gone => return Ok(Executed::Gone),
        }
    }
    let nothing_to_do = || {
        PortError::new(
            ErrorKind::Permanent,
            format!(
                "the plan to {} {} has no changes",
                plan.action.as_str(),
                plan.key
            ),
        )
    };
    let last = last.ok_or_else(nothing_to_do)?;
    Ok(Executed::Done(Box::new(wire::rollout(&last))))
}

/// A failure after `done` calls were made: the plan has had an effect, whatever became of this one.
fn partial_failure(done: usize, plan: &RolloutPlan, failure: Failure) -> PortError {
    let error = PortError::from(failure);
    if done == 0 {
        return error;
    }
    let message = format!(
        "{done} of {} calls succeeded, then: {}",
        plan.changes.len(),
        error.message
    );
    PortError {
        kind: ErrorKind::Ambiguous,
        message,
        source: error.source,
    }
}

struct Execution<'a> {
    api: &'a Api,
    plan: &'a RolloutPlan,
    /// Whether it may go on when only the status has moved.
    may_follow: bool,
}

impl Execution<'_> {
    fn verb(&self) -> String {
        format!("{} rollout {}", self.plan.action.as_str(), self.plan.key)
    }

    async fn run(&self, call: &Call, at: &ObjectVersion) -> Result<Outcome, Failure> {
        match call {
            Call::TerminateAnalysis { name } => {
                return self.terminate(Kind::AnalysisRuns, name).await;
            }
            Call::TerminateExperiment { name } => {
                return self.terminate(Kind::Experiments, name).await;
            }
            Call::SetImages(changes) => return self.set_images(changes, at).await,
            Call::TestedStatus { .. } => return self.set_status_tested(call).await,
            Call::Merge { .. } | Call::Json { .. } => {}
        }
        if let (Call::Json { body }, Some(workload)) = (call, &self.plan.workload) {
            let bound = bind_patch(body, &workload.resource_version);
            return self
                .change_workload(workload, ApiRequest::Json(bound))
                .await;
        }
        let mut at = at.clone();
        for _ in 0..TRIES {
            let failure = match self.patch(call, &at).await {
                Ok(answer) => return Ok(Outcome::Answer(answer)),
                Err(failure) => failure,
            };
            // A test of a JSON patch that does not hold is answered with 422.
            if !matches!(failure.code(), Some(404 | 409 | 422)) {
                return Err(failure);
            }
            let Some(now) = self.read_rollout().await? else {
                return Ok(Outcome::Gone);
            };
            let seen = ObjectVersion::of(&now);
            if seen.resource_version == at.resource_version {
                // It has not moved: the refusal is about something else.
                return Err(failure);
            }
            if !(self.may_follow && at.is_same_spec(&seen)) {
                return Ok(Outcome::Moved(now));
            }
            at = seen;
        }
        self.read_moved().await
    }

    async fn patch(&self, call: &Call, at: &ObjectVersion) -> Result<Value, Failure> {
        let main = path::rollout(&self.plan.key);
        match call {
            Call::Merge { part, body } => {
                let send = ApiRequest::Merge(bind_version(body, &at.resource_version));
                if *part == Part::Status {
                    match self
                        .api
                        .call(&self.verb(), send.clone(), &format!("{main}/status"))
                        .await
                    {
                        // Either there is no status apart, or there is no such rollout: the object
                        // itself tells.
                        Err(failure) if failure.code() == Some(404) => {}
                        answer => return answer,
                    }
                }
                self.api.call(&self.verb(), send, &main).await
            }
            Call::Json { body } => {
                let body = bind_patch(body, &at.resource_version);
                self.api
                    .call(&self.verb(), ApiRequest::Json(body), &main)
                    .await
            }
            _ => Err(self.api.to_failure(
                &self.verb(),
                true,
                Cause::Unreadable("not a patch".into()),
            )),
        }
    }

    /// Sets a field of the status if the fields that it is bound to are what they were, whatever else
    /// has moved.
    async fn set_status_tested(&self, call: &Call) -> Result<Outcome, Failure> {
        let patch = call.to_tested_patch(&self.plan.uid).unwrap_or_default();
        let main = path::rollout(&self.plan.key);
        let status = format!("{main}/status");
        for _ in 0..TRIES {
            let send = || ApiRequest::Json(patch.clone());
            let answer = match self.api.call(&self.verb(), send(), &status).await {
                // Either there is no status apart, or there is no such rollout: the object itself
                // tells.
                Err(failure) if failure.code() == Some(404) => {
                    self.api.call(&self.verb(), send(), &main).await
                }
                answer => answer,
            };
            match answer {
                Ok(answer) => return Ok(Outcome::Answer(answer)),
                // Somebody wrote at the same moment.
                Err(failure) if failure.code() == Some(409) => {}
                // A test that does not hold, or no such rollout any more.
                Err(failure) if matches!(failure.code(), Some(404 | 422)) => {
                    let moved = self.read_moved().await?;
                    let is_bound = |now: &Value| holds(&patch, now);
                    return match moved {
                        Outcome::Moved(now) if is_bound(&now) => Err(failure),
                        moved => Ok(moved),
                    };
                }
                Err(failure) => return Err(failure),
            }
        }
        self.read_moved().await
    }

    /// Changes the object whose pod template the rollout uses, if it is the one that was seen.
    async fn change_workload(
        &self,
        workload: &Workload,
        send: ApiRequest,
    ) -> Result<Outcome, Failure> {
        let verb = format!("{} ({})", self.verb(), workload.reference);
        let path = self.workload_path(workload)?;
        match self.api.call(&verb, send, &path).await {
            Ok(_) => self.read_after(&verb).await,
            Err(failure) if matches!(failure.code(), Some(404 | 409 | 422)) => {
                let now = match self.api.call(&verb, ApiRequest::Get, &path).await {
                    Ok(now) => now,
                    // Without it there is nothing to change: the rollout says so itself.
                    Err(gone) if gone.code() == Some(404) => return self.read_moved().await,
                    Err(other) => return Err(other),
                };
                if text(&now, "/metadata/resourceVersion") == workload.resource_version {
                    // It has not moved: the refusal is about something else.
                    return Err(failure);
                }
                self.read_moved().await
            }
            Err(failure) => Err(failure),
        }
    }

    fn workload_path(&self, workload: &Workload) -> Result<String, Failure> {
        path::workload(&self.plan.key.namespace, &workload.reference).ok_or_else(|| {
            let message = format!("{} cannot hold a pod template", workload.reference);
            self.refuse(&self.verb(), message)
        })
    }

    fn refuse(&self, verb: &str, message: String) -> Failure {
        self.api.to_failure(
            verb,
            true,
            Cause::Answer {
                code: 422,
                message,
                retry_after: None,
            },
        )
    }

    async fn set_workload_images(
        &self,
        workload: &Workload,
        changes: &[ImageChange],
    ) -> Result<Outcome, Failure> {
        let path = self.workload_path(workload)?;
        let verb = format!("{} ({})", self.verb(), workload.reference);
        let mut now = match self.api.call(&verb, ApiRequest::Get, &path).await {
            Ok(now) => now,
            Err(failure) if failure.code() == Some(404) => return self.read_moved().await,
            Err(failure) => return Err(failure),
        };
        let is_seen = ObjectVersion::of(&now);
        let planned = ObjectVersion {
            resource_version: workload.resource_version.clone(),
            generation: workload.generation,
            uid: workload.uid.clone(),
        };
        // A status that moves, as that of a Deployment does, is no other decision.
        if is_seen.resource_version != planned.resource_version && !planned.is_same_spec(&is_seen) {
            return self.read_moved().await;
        }
        let template = wire::template_at(&workload.reference.kind);
        if let Err(container) = images::set(&mut now, template, changes) {
            let message = format!("container {container} does not exist");
            return Err(self.refuse(&verb, message));
        }
        match self.api.call(&verb, ApiRequest::Put(now), &path).await {
            Ok(_) => self.read_after(&verb).await,
            Err(failure) if matches!(failure.code(), Some(404 | 409)) => self.read_moved().await,
            Err(failure) => Err(failure),
        }
    }

    async fn set_images(
        &self,
        changes: &[ImageChange],
        at: &ObjectVersion,
    ) -> Result<Outcome, Failure> {
        if let Some(workload) = &self.plan.workload {
            return self.set_workload_images(workload, changes).await;
        }
        for _ in 0..TRIES {
            let Some(mut now) = self.read_rollout().await? else {
                return Ok(Outcome::Gone);
            };
            let seen = ObjectVersion::of(&now);
            if seen.resource_version != at.resource_version && !at.is_same_spec(&seen) {
                return Ok(Outcome::Moved(now));
            }
            if let Err(container) = images::set(&mut now, wire::template_at("Rollout"), changes) {
                let message = format!("container {container} does not exist");
                return Err(self.refuse(&self.verb(), message));
            }
            match self
                .api
                .call(
                    &self.verb(),
                    ApiRequest::Put(now),
                    &path::rollout(&self.plan.key),
                )
                .await
            {
                Ok(answer) => return Ok(Outcome::Answer(answer)),
                Err(failure) if failure.code() == Some(409) => {}
                Err(failure) if failure.code() == Some(404) => return Ok(Outcome::Gone),
                Err(failure) => return Err(failure),
            }
        }
        self.read_moved().await
    }

    /// Ends a run or an experiment, if it is the rollout's and has not ended.
    async fn terminate(&self, kind: Kind, name: &str) -> Result<Outcome, Failure> {
        let verb = format!(
            "{} {name} of rollout {}",
            self.plan.action.as_str(),
            self.plan.key
        );
        let path = kind.object(&self.plan.key.namespace, name);
        let run = self.api.call(&verb, ApiRequest::Get, &path).await?;
        let ours = wire::owners(&run).any(|owner| {
            text(owner, "/kind") == "Rollout" && text(owner, "/name") == self.plan.key.name
        });
        if !ours {
            let message = format!("it does not belong to rollout {}", self.plan.key);
            return Err(self.refuse(&verb, message));
        }
        if wire::analysis_run(&run).phase.is_done() {
            return self.read_moved().await;
        }
        let body =
            json!({"metadata": {"uid": text(&run, "/metadata/uid")}, "spec": {"terminate": true}});
        match self.api.call(&verb, ApiRequest::Merge(body), &path).await {
            Ok(_) => self.read_after(&verb).await,
            // Gone, or another one of the same name.
            Err(failure) if matches!(failure.code(), Some(404 | 409)) => self.read_moved().await,
            Err(failure) => Err(failure),
        }
    }

    async fn read_rollout(&self) -> Result<Option<Value>, Failure> {
        get(self.api, &self.plan.key).await
    }

    /// The rollout after something beside it was changed.
    async fn read_after(&self, verb: &str) -> Result<Outcome, Failure> {
        self.read_rollout()
            .await
            .map(|now| now.map_or(Outcome::Gone, Outcome::Answer))
            .map_err(|failure| {
                // It was done: that the rollout cannot be read now must not pass for "nothing
                // happened".
                let what = format!(
                    "cluster {}: {verb}: the action was applied, but the rollout's state cannot be \
                        read",
                    self.api.cluster
                );
                Failure {
                    what,
                    writes: true,
                    cause: Cause::Unreadable(PortError::from(failure).into()),
                }
            })
    }

    async fn read_moved(&self) -> Result<Outcome, Failure> {
        Ok(self
            .read_rollout()
            .await?
            .map_or(Outcome::Gone, Outcome::Moved))
    }
}

/// `body` bound to a version: the API answers 409 to any other.
fn bind_version(body: &Value, resource_version: &str) -> Value {
    let mut body = body.clone();
    if let Some(fields) = body.as_object_mut() {
        let metadata = fields.entry("metadata").or_insert_with(|| json!({}));
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.insert("resourceVersion".to_owned(), Value::from(resource_version));
        }
    }
    body
}

/// A JSON patch bound to a version: the API answers 422 to any other.
fn bind_patch(operations: &Value, resource_version: &str) -> Value {
    let test =
        json!({"op": "test", "path": "/metadata/resourceVersion", "value": resource_version});
    let operations = operations.as_array().into_iter().flatten().cloned();
    Value::Array(std::iter::once(test).chain(operations).collect())
}

/// Whether all tests of a JSON patch hold.
fn holds(patch: &Value, object: &Value) -> bool {
    let mut operations = patch.as_array().into_iter().flatten();
    operations.all(|operation| {
        operation.get("op").and_then(Value::as_str) != Some("test")
            || object.pointer(text(operation, "/path")) == operation.get("value")
    })
}

pub(crate) async fn get(
    api: &Api,
    key: &payops_core::domain::rollout::RolloutKey,
) -> Result<Option<Value>, Failure> {
    match api
        .call(
            &format!("get rollout {key}"),
            ApiRequest::Get,
            &path::rollout(key),
        )
        .await
    {
        Ok(rollout) => Ok(Some(rollout)),
        Err(failure) if failure.code() == Some(404) => Ok(None),
        Err(failure) => Err(failure),
    }
}
