use super::*;
use crate::domain::rollout::{
    AnalysisKind, Measurement, Metric, PauseCondition, PauseLength, Replicas, RunPhase, Step,
    Strategy, Threshold,
};

fn now() -> Timestamp {
    "2026-11-22T15:00:00Z".parse().expect("a time")
}

fn ago(minutes: i64) -> Timestamp {
    now() - SignedDuration::from_mins(minutes)
}

fn queue(name: &str, depth: u64, oldest_seconds: u64) -> QueueDepth<'_> {
    QueueDepth {
        name,
        depth,
        approximate: false,
        oldest: Some(Duration::from_secs(oldest_seconds)),
    }
}

fn rollout() -> Rollout {
    Rollout {
        key: RolloutKey {
            namespace: "payments".to_owned(),
            name: "api".to_owned(),
        },
        uid: String::new(),
        resource_version: "1".to_owned(),
        generation: 1,
        created_at: None,
        revision: Some(2),
        strategy: Strategy::Canary {
            steps: vec![
                Step::SetWeight(250),
                Step::Pause(PauseLength::UntilPromoted),
            ],
            traffic_routing: false,
        },
        images: Vec::new(),
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
        step_index: Some(1),
        current_hash: "7d9f".to_owned(),
        stable_hash: "5c4b".to_owned(),
        replicas: Replicas {
            desired: 1,
            current: 1,
            updated: 1,
            ready: 1,
            available: 1,
        },
        router: None,
        step_analysis: None,
        background_analysis: None,
        restarted_at: None,
        rollback_window: None,
    }
}

fn paused(minutes: i64) -> Rollout {
    Rollout {
        told_phase: Phase::Paused,
        controller_pause: true,
        pauses: vec![PauseCondition {
            reason: "CanaryPauseStep".to_owned(),
            since: Some(ago(minutes)),
        }],
        ..rollout()
    }
}

/// A run that ended well although nothing that it measured passed.
fn suspicious() -> AnalysisRun {
    let measurement = Measurement {
        value: "[]".to_owned(),
        phase: RunPhase::Inconclusive,
        at: Some(now()),
        message: String::new(),
    };
    AnalysisRun {
        name: "api-7d9f-2".to_owned(),
        uid: String::new(),
        resource_version: "1".to_owned(),
        kind: AnalysisKind::Background,
        hash: "7d9f".to_owned(),
        revision: Some(2),
        phase: RunPhase::Successful,
        message: String::new(),
        created_at: Some(ago(3)),
        metrics: vec![Metric {
            name: "latency-p95".to_owned(),
            phase: RunPhase::Successful,
            message: String::new(),
            threshold: Threshold::default(),
            measurements: vec![measurement],
            successful: 0,
            failed: 0,
            inconclusive: 1,
            errors: 0,
        }],
    }
}

#[track_caller]
fn check(seen: &EnvSeen<'_>, expected: &[(Severity, &str)]) {
    let found = alarms(seen, now());
    let found: Vec<(Severity, &str)> = found
        .iter()
        .map(|alarm| (alarm.severity, alarm.what.as_str()))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn a_dead_letter_is_an_alarm_and_a_long_queue_is_none() {
    let quiet = vec![
        queue("payments-work", 10_000, 300),
        queue("payments-work-dlq", 0, 0),
    ];
    check(
        &EnvSeen {
            queues: quiet,
            ..EnvSeen::default()
        },
        &[],
    );
    let queues = vec![
        queue("payments-work", 3, 301),
        QueueDepth {
            approximate: true,
            ..queue("payments-work-dlq", 1, 20)
        },
    ];
    check(
        &EnvSeen {
            queues,
            ..EnvSeen::default()
        },
        &[
            (Severity::Critical, "payments-work-dlq: ~1 dead letter"),
            (Severity::Warning, "payments-work: oldest message 5m"),
        ],
    );
}

#[test]
fn the_index_is_behind_when_changes_wait_for_it() {
    check(
        &EnvSeen {
            queues: vec![queue("projections", 1, 60)],
            ..EnvSeen::default()
        },
        &[],
    );
    let seen = EnvSeen {
        env: "prod",
        queues: vec![queue("projections", 1, 94)],
        ..EnvSeen::default()
    };
    check(&seen, &[(Severity::Warning, "search index: 1m behind")]);
    let alarm = alarms(&seen, now()).remove(0);
    assert_eq!(
        (alarm.env.as_str(), alarm.subject),
        ("prod", AlarmSubject::Index)
    );
    assert_eq!(alarm.since, Some(now() - SignedDuration::from_secs(94)));
}

#[test]
fn a_part_that_does_not_answer_is_one() {
    let seen = EnvSeen {
        faults: vec![("environment", "the session has expired")],
        ..EnvSeen::default()
    };
    check(&seen, &[(Severity::Critical, "cannot reach environment")]);
    assert_eq!(alarms(&seen, now())[0].why, "the session has expired");
}

#[track_caller]
fn check_rollout(rollout: &Rollout, runs: &[AnalysisRun], expected: &[(Severity, &str)]) {
    check(
        &EnvSeen {
            rollouts: vec![RolloutSeen { rollout, runs }],
            ..EnvSeen::default()
        },
        expected,
    );
}

#[test]
fn rollouts_alarm_when_they_failed_or_are_forgotten() {
    check_rollout(&rollout(), &[], &[]);
    check_rollout(&paused(10), &[], &[]);
    check_rollout(
        &paused(11),
        &[],
        &[(Severity::Warning, "payments/api: waiting for promotion")],
    );
    let degraded = Rollout {
        told_phase: Phase::Degraded,
        ..rollout()
    };
    check_rollout(
        &degraded,
        &[],
        &[(Severity::Critical, "payments/api: degraded")],
    );
    let aborted = Rollout {
        aborted: true,
        aborted_at: Some(ago(1)),
        told_phase: Phase::Degraded,
        ..rollout()
    };
    check_rollout(
        &aborted,
        &[],
        &[(Severity::Critical, "payments/api: aborted")],
    );
}

#[test]
fn an_analysis_that_measured_nothing_good_is_suspicious() {
    let words = "payments/api: suspicious analysis";
    check_rollout(&rollout(), &[suspicious()], &[(Severity::Warning, words)]);
    check_rollout(
        &rollout(),
        &[AnalysisRun {
            hash: "old".to_owned(),
            ..suspicious()
        }],
        &[],
    );
}
