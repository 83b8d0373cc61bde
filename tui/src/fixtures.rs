//! Models to test with: environments, rollouts, queues, and screens as text.

use std::sync::Arc;

use crossterm::event::KeyEvent;
use jiff::SignedDuration;
use payops_core::Timestamp;
use payops_core::domain::rollout::{
    AnalysisKind, AnalysisRun, ContainerImage, CurrentRun, Experiment, Measurement, Metric,
    PauseCondition, PauseLength, Phase, Pod, Related, ReplicaSet, Replicas, Rollout, RolloutKey,
    RouterWeights, RunPhase, Step, Strategy, Threshold,
};
use payops_core::port::{Clock, ErrorKind, QueueStats, Watched};
use serde_json::json;

use crate::capture;
use crate::effect::{Ask, Effect};
use crate::environments::EnvInfo;
use crate::fault::Fault;
use crate::model::{Model, Options, RolloutId, Tab};
use crate::msg::{Answer, Msg, OpenedInfo};
use crate::theme::ThemeName;
use crate::update::update;

pub(crate) struct Still(pub(crate) Timestamp);

impl Clock for Still {
    fn now(&self) -> Timestamp {
        self.0
    }
}

pub(crate) fn t0() -> Timestamp {
    "2026-11-22T15:00:00Z".parse().expect("a time")
}

pub(crate) fn ago(seconds: i64) -> Timestamp {
    t0() - SignedDuration::from_secs(seconds)
}

/// Three environments, of which `prod` is protected.
pub(crate) fn environments() -> Vec<EnvInfo> {
    let env = |name: &str, protected, account: &str| EnvInfo {
        name: name.to_owned(),
        protected,
        account: Some(account.to_owned()),
        region: Some("eu-west-1".to_owned()),
    };
    vec![
        env("prod", true, "471122334455"),
        env("preprod", false, "471122334466"),
        env("test", false, "471122334477"),
    ]
}

pub(crate) fn options(start: Tab) -> Options {
    Options {
        theme: ThemeName::Dark,
        read_only: false,
        start,
        env: None,
        clock: Arc::new(Still(t0())),
    }
}

pub(crate) fn start(tab: Tab) -> (Model, Vec<Effect>) {
    Model::new(environments(), &options(tab), 120, 40)
}

pub(crate) const ALL_ACTIONS: &[&str] = &[
    "promote",
    "promote --full",
    "skip",
    "abort",
    "retry",
    "pause",
    "resume",
    "restart",
    "undo",
    "set-image",
    "terminate analysis",
    "terminate experiment",
];

/// The screen with all environments open, and rollouts and queues in them.
pub(crate) fn full(tab: Tab) -> Model {
    let (mut model, effects) = start(tab);
    let mut effects = open_all(&mut model, &effects);
    watch(
        &mut model,
        "prod",
        vec![waiting(), healthy("payments", "notifier"), degraded()],
    );
    watch(&mut model, "preprod", vec![progressing()]);
    watch(
        &mut model,
        "test",
        vec![healthy("payments", "payments-api"), counting()],
    );
    effects.extend(update(&mut model, Msg::Tick(t0())));
    answer_queues(&mut model, &effects);
    model
}

/// Opens every environment that was asked for; what was asked then.
pub(crate) fn open_all(model: &mut Model, effects: &[Effect]) -> Vec<Effect> {
    opened(model, effects, false)
}

pub(crate) fn open_steering(model: &mut Model, effects: &[Effect]) -> Vec<Effect> {
    opened(model, effects, true)
}

fn opened(model: &mut Model, effects: &[Effect], steers: bool) -> Vec<Effect> {
    let mut out = Vec::new();
    for effect in effects {
        if let Effect::Ask { request, env, ask } = effect
            && **ask == Ask::Open
        {
            let opened = OpenedInfo {
                who: "anna".to_owned(),
                steers,
                clusters: vec![(
                    format!("eks-{env}"),
                    format!("kubeconfig context {env}"),
                    ALL_ACTIONS.to_vec(),
                )],
            };
            out.extend(answer(model, *request, env, Answer::Opened(Ok(opened))));
        }
    }
    out
}

/// Fails every environment that was asked for.
pub(crate) fn fail_all(model: &mut Model, effects: &[Effect]) {
    for effect in effects {
        if let Effect::Ask { request, env, ask } = effect
            && **ask == Ask::Open
        {
            let fault = Fault::new(
                ErrorKind::Denied,
                format!("the role for {env} cannot be assumed: the session has expired"),
            );
            answer(model, *request, env, Answer::Opened(Err(fault)));
        }
    }
}

pub(crate) fn answer(model: &mut Model, request: u64, env: &str, answer: Answer) -> Vec<Effect> {
    update(
        model,
        Msg::Answer {
            request,
            env: env.to_owned(),
            answer: Box::new(answer),
        },
    )
}

pub(crate) fn answer_queues(model: &mut Model, effects: &[Effect]) {
    for effect in effects {
        if let Effect::Ask { request, env, ask } = effect
            && **ask == Ask::Queues
        {
            let dead = if env == "prod" { 61 } else { 0 };
            answer(model, *request, env, Answer::Queues(Ok(queues(dead))));
        }
    }
}

/// What a cluster tells at first.
pub(crate) fn watch(model: &mut Model, env: &str, rollouts: Vec<Rollout>) -> Vec<Effect> {
    update(
        model,
        Msg::Watch {
            env: env.to_owned(),
            cluster: format!("eks-{env}"),
            told: Watched::All(rollouts),
        },
    )
}

pub(crate) fn tell(model: &mut Model, env: &str, rollout: Rollout) -> Vec<Effect> {
    update(
        model,
        Msg::Watch {
            env: env.to_owned(),
            cluster: format!("eks-{env}"),
            told: Watched::Changed(Box::new(rollout)),
        },
    )
}

/// Presses keys by their names, several with spaces; what came of all.
pub(crate) fn press(model: &mut Model, keys: &str) -> Vec<Effect> {
    let key =
        |name: &str| -> KeyEvent { capture::key(name).unwrap_or_else(|| panic!("no key {name}")) };
    keys.split(' ')
        .flat_map(|name| update(model, Msg::Key(key(name))))
        .collect()
}

pub(crate) fn typed(model: &mut Model, text: &str) -> Vec<Effect> {
    text.chars()
        .flat_map(|c| {
            press(
                model,
                if c == ' ' {
                    "space".to_owned()
                } else {
                    c.to_string()
                }
                .as_str(),
            )
        })
        .collect()
}

pub(crate) fn snap(model: &mut Model, width: u16, height: u16) -> String {
    update(model, Msg::Resize(width, height));
    capture::text(&capture::drawn(model, width, height))
}

/// The style of the first cell of `wanted` on a screen of that size.
pub(crate) fn style_of(
    model: &mut Model,
    wanted: &str,
    (width, height): (u16, u16),
) -> ratatui::style::Style {
    let screen = snap(model, width, height);
    let buffer = capture::drawn(model, width, height);
    for (y, line) in (0..).zip(screen.lines()) {
        if let Some(at) = line.find(wanted) {
            let x = unicode_width::UnicodeWidthStr::width(&line[..at]);
            return buffer[(u16::try_from(x).expect("on screen"), y)].style();
        }
    }
    panic!("{wanted} is not on screen:\n{screen}")
}

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
        Step::SetWeight(25),
        pause(30),
        Step::SetWeight(50),
        pause(15),
        Step::SetWeight(75),
        pause(5),
        Step::SetWeight(100),
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
        workload_ref: false,
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
            canary: 100,
            verified: Some(true),
        }),
        step_analysis: None,
        background_analysis: None,
        restarted_at: None,
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
            canary: 25,
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

/// The rollout of the sketch: it goes on by itself.
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
            canary: 50,
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

/// What belongs to [`waiting`].
pub(crate) fn related(pods: bool) -> Related {
    let set = |hash: &str, revision, desired, tag: &str| ReplicaSet {
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
    };
    let pod = |name: &str, zone: &str, status: &str| Pod {
        name: format!("payments-api-7d9f-{name}"),
        hash: "7d9f".to_owned(),
        status: status.to_owned(),
        ready: u32::from(status == "Running"),
        containers: 1,
        restarts: 0,
        node: Some(zone.to_owned()),
        created_at: Some(ago(720)),
        terminating: false,
    };
    let list = vec![
        pod("x2lqp", "a-zone", "Running"),
        pod("k8s2v", "b-zone", "Running"),
        pod("9zz4f", "c-zone", "CrashLoopBackOff"),
    ];
    let metric = |name: &str, values: &[(&str, bool)], below: &str, allowed| {
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
        let failed =
            u32::try_from(values.iter().filter(|(_, passed)| !passed).count()).unwrap_or(0);
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
    };
    Related {
        replica_sets: vec![
            set("7d9f", 43, 3, "1.9.0"),
            set("5c4b", 42, 7, "1.8.2"),
            set("1a2b", 41, 0, "1.8.1"),
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
