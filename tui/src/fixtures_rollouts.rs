//! Rollouts and queues to test with.

use jiff::SignedDuration;
use payops_core::domain::rollout::{
    AnalysisKind, AnalysisRun, ContainerImage, CurrentRun, Experiment, Measurement, Metric,
    PauseCondition, PauseLength, Phase, Pod, Related, ReplicaSet, Replicas, Rollout, RolloutKey,
    RouterWeights, RunPhase, Step, Strategy, Threshold,
};
use payops_core::port::QueueStats;
use serde_json::json;

use crate::fixtures::ago;
use crate::model::RolloutId;

pub(crate) fn queues(dead: u64) -> Vec<QueueStats> {
    let queue =
        |name: &str, visible, in_flight, oldest: Option<u64>, dlq: Option<&str>| QueueStats {
            name: name.to_owned(),
            visible,
            in_flight,
            delayed: 0,
            oldest_age: oldest.map(std::time::Duration::from_secs),
            dlq: dlq.map(str::to_owned),
            max_receives: dlq.map(|_| 5),
            approximate: true,
            retention: Some(std::time::Duration::from_hours(14 * 24)),
        };
    vec![
        queue("notifications", 0, 0, None, Some("notifications-dlq")),
        queue("notifications-dlq", 0, 0, None, None),
        queue("payments-work", 210, 64, Some(4), Some("payments-work-dlq")),
        queue(
            "payments-work-dlq",
            dead,
            0,
            (dead > 0).then_some(2280),
            None,
        ),
        queue("projections", 3, 2, Some(0), Some("projections-dlq")),
        queue("projections-dlq", 0, 0, None, None),
    ]
}

fn image(container: &str, image: &str) -> ContainerImage {
    ContainerImage {
        container: container.to_owned(),
        image: image.to_owned(),
    }
}

pub(crate) fn steps() -> Vec<Step> {
    let pause = |minutes| Step::Pause(PauseLength::For(SignedDuration::from_mins(minutes)));
    vec![
        Step::SetWeight(250),
        pause(30),
        Step::SetWeight(500),
        pause(15),
        Step::SetWeight(750),
        pause(5),
        Step::SetWeight(1000),
    ]
}

pub(crate) fn healthy(namespace: &str, name: &str) -> Rollout {
    Rollout {
        key: RolloutKey {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        },
        uid: format!("uid-{name}"),
        resource_version: "88213".to_owned(),
        generation: 12,
        created_at: Some(ago(86_400)),
        revision: Some(42),
        strategy: Strategy::Canary {
            steps: steps(),
            traffic_routing: true,
        },
        images: vec![image("api", &format!("registry.example.com/{name}:1.8.2"))],
        spec_paused: false,
        workload_ref: None,
        taken_up: true,
        observed_generation: None,
        workload_generation: None,
        written_at: None,
        invalid: None,
        canary_available: None,
        observed: true,
        workload_observed: true,
        told_phase: Phase::Healthy,
        told_message: String::new(),
        aborted: false,
        aborted_at: None,
        promoting_full: false,
        controller_pause: false,
        pauses: Vec::new(),
        step_index: Some(7),
        current_hash: "5c4b".to_owned(),
        stable_hash: "5c4b".to_owned(),
        replicas: Replicas {
            desired: 10,
            current: 10,
            updated: 10,
            ready: 10,
            available: 10,
        },
        router: Some(RouterWeights {
            canary: 1000,
            verified: Some(true),
        }),
        step_analysis: None,
        background_analysis: None,
        restarted_at: None,
        rollback_window: None,
    }
}

/// One in the pause after 25 %, which ends in 12:41.
pub(crate) fn paused(namespace: &str, name: &str) -> Rollout {
    Rollout {
        revision: Some(43),
        images: vec![image("api", &format!("registry.example.com/{name}:1.9.0"))],
        told_phase: Phase::Paused,
        told_message: "CanaryPauseStep".to_owned(),
        controller_pause: true,
        pauses: vec![PauseCondition {
            reason: "CanaryPauseStep".to_owned(),
            since: Some(ago(1800 - 761)),
        }],
        step_index: Some(1),
        current_hash: "7d9f".to_owned(),
        replicas: Replicas {
            desired: 10,
            current: 10,
            updated: 3,
            ready: 10,
            available: 10,
        },
        router: Some(RouterWeights {
            canary: 250,
            verified: Some(true),
        }),
        background_analysis: Some(CurrentRun {
            name: "payments-api-7d9f-43".to_owned(),
            phase: RunPhase::Running,
            message: String::new(),
        }),
        ..healthy(namespace, name)
    }
}

/// A rollout that resumes by itself.
pub(crate) fn counting() -> Rollout {
    paused("payments", "payments-counting")
}

pub(crate) fn waiting() -> Rollout {
    let mut steps = steps();
    steps[1] = Step::Pause(PauseLength::UntilPromoted);
    Rollout {
        strategy: Strategy::Canary {
            steps,
            traffic_routing: true,
        },
        pauses: vec![PauseCondition {
            reason: "CanaryPauseStep".to_owned(),
            since: Some(ago(720)),
        }],
        ..paused("payments", "payments-api")
    }
}

pub(crate) fn degraded() -> Rollout {
    Rollout {
        told_phase: Phase::Degraded,
        told_message: "RolloutAborted: metric \"latency-p95\" assessed Failed due to failed (2) > \
            failureLimit (1)"
            .to_owned(),
        aborted: true,
        aborted_at: Some(ago(360)),
        controller_pause: false,
        pauses: Vec::new(),
        router: Some(RouterWeights {
            canary: 0,
            verified: Some(true),
        }),
        ..paused("payments", "worker")
    }
}

pub(crate) fn progressing() -> Rollout {
    Rollout {
        told_phase: Phase::Progressing,
        told_message: "more replicas need to be updated".to_owned(),
        controller_pause: false,
        pauses: Vec::new(),
        step_index: Some(2),
        router: Some(RouterWeights {
            canary: 500,
            verified: Some(false),
        }),
        ..paused("payments", "payments-api")
    }
}

/// The name of [`waiting`] in prod.
pub(crate) fn waiting_id() -> RolloutId {
    RolloutId {
        env: "prod".to_owned(),
        cluster: "eks-prod".to_owned(),
        key: waiting().key,
    }
}

fn replica_set(hash: &str, revision: u64, desired: u32, tag: &str) -> ReplicaSet {
    ReplicaSet {
        scale_down_at: None,
        name: format!("payments-api-{hash}"),
        uid: format!("uid-{hash}"),
        hash: hash.to_owned(),
        revision: Some(revision),
        desired,
        current: desired,
        ready: desired,
        available: desired,
        created_at: Some(ago(720)),
        images: vec![image(
            "api",
            &format!("registry.example.com/payments-api:{tag}"),
        )],
        template: json!({"metadata": {"labels": {"rollouts-pod-template-hash": hash}}, "spec": {}}),
    }
}

fn pod(name: &str, zone: &str, status: &str) -> Pod {
    Pod {
        name: format!("payments-api-7d9f-{name}"),
        hash: "7d9f".to_owned(),
        status: status.to_owned(),
        ready: u32::from(status == "Running"),
        containers: 1,
        restarts: 0,
        node: Some(zone.to_owned()),
        created_at: Some(ago(720)),
        terminating: false,
    }
}

/// A metric with the values that were measured, and whether each passed.
fn metric(name: &str, values: &[(&str, bool)], below: &str, allowed: u32) -> Metric {
    let measurements: Vec<Measurement> = values
        .iter()
        .map(|(value, passed)| Measurement {
            value: format!("[{value}]"),
            phase: if *passed {
                RunPhase::Successful
            } else {
                RunPhase::Failed
            },
            at: Some(ago(60)),
            message: String::new(),
        })
        .collect();
    let failed = u32::try_from(values.iter().filter(|(_, passed)| !passed).count()).unwrap_or(0);
    Metric {
        name: name.to_owned(),
        phase: RunPhase::Running,
        message: String::new(),
        threshold: Threshold {
            success: Some(format!("result[0] < {below}")),
            failures_max: allowed,
            count: Some(5),
            ..Threshold::default()
        },
        successful: u32::try_from(measurements.len()).unwrap_or(0) - failed,
        measurements,
        failed,
        inconclusive: 0,
        errors: 0,
    }
}

/// What belongs to [`waiting`].
pub(crate) fn related(pods: bool) -> Related {
    let list = vec![
        pod("x2lqp", "a-zone", "Running"),
        pod("k8s2v", "b-zone", "Running"),
        pod("9zz4f", "c-zone", "CrashLoopBackOff"),
    ];
    Related {
        workload: None,
        unreadable: Vec::new(),
        replica_sets: vec![
            replica_set("7d9f", 43, 3, "1.9.0"),
            replica_set("5c4b", 42, 7, "1.8.2"),
            replica_set("1a2b", 41, 0, "1.8.1"),
        ],
        pods: pods.then_some(list),
        analysis_runs: vec![AnalysisRun {
            name: "payments-api-7d9f-43".to_owned(),
            uid: "uid-run".to_owned(),
            resource_version: "88100".to_owned(),
            kind: AnalysisKind::Background,
            hash: "7d9f".to_owned(),
            revision: Some(43),
            phase: RunPhase::Running,
            message: String::new(),
            created_at: Some(ago(600)),
            metrics: vec![
                metric(
                    "latency-p95",
                    &[("0.31", true), ("0.33", true), ("0.41", false)],
                    "0.35",
                    1,
                ),
                metric(
                    "error-rate",
                    &[("0.4", true), ("0.6", true), ("0.5", true)],
                    "5",
                    0,
                ),
            ],
        }],
        experiments: vec![Experiment {
            name: "payments-api-7d9f-43-baseline".to_owned(),
            resource_version: "88101".to_owned(),
            phase: RunPhase::Successful,
            message: String::new(),
            revision: Some(43),
            created_at: Some(ago(650)),
        }],
    }
}
