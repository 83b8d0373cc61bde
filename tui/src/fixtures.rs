//! Models to test with: environments, keys pressed, requests found, and screens as text.

use std::sync::Arc;

use crossterm::event::KeyEvent;
use jiff::SignedDuration;
use payops_core::Timestamp;
use payops_core::domain::rollout::Rollout;
use payops_core::operations::EnvInfo;
use payops_core::port::{Clock, ErrorKind, Watched};

use crate::capture;
use crate::effect::{Effect, Request};
use crate::fault::Fault;
pub(crate) use crate::fixtures_rollouts::*;
use crate::model::{ClusterInfo, EnvDetails, Model, Options, Overlay, Tab};
use crate::msg::{Answer, Msg};
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
    crate::update::start(environments(), &options(tab), 120, 40)
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

/// Opens every environment that was requested; what was requested then.
pub(crate) fn open_all(model: &mut Model, effects: &[Effect]) -> Vec<Effect> {
    let mut out = Vec::new();
    for effect in effects {
        if let Effect::Request { id, env, request } = effect
            && **request == Request::OpenEnvironment
        {
            let details = EnvDetails {
                who: "anna".to_owned(),
                clusters: vec![ClusterInfo {
                    name: format!("eks-{env}"),
                    driver: format!("kubeconfig context {env}"),
                    actions: ALL_ACTIONS.to_vec(),
                }],
                ..EnvDetails::default()
            };
            out.extend(answer(
                model,
                *id,
                env,
                Answer::OpenEnvironment(Ok(details)),
            ));
        }
    }
    out
}

/// Fails every environment that was requested.
pub(crate) fn fail_all(model: &mut Model, effects: &[Effect]) {
    for effect in effects {
        if let Effect::Request { id, env, request } = effect
            && **request == Request::OpenEnvironment
        {
            let fault = Fault::new(
                ErrorKind::Denied,
                format!("the role for {env} cannot be assumed: the session has expired"),
            );
            answer(model, *id, env, Answer::OpenEnvironment(Err(fault)));
        }
    }
}

pub(crate) fn answer(model: &mut Model, id: u64, env: &str, answer: Answer) -> Vec<Effect> {
    update(
        model,
        Msg::Answer {
            id,
            env: env.to_owned(),
            answer: Box::new(answer),
        },
    )
}

pub(crate) fn answer_queues(model: &mut Model, effects: &[Effect]) {
    for effect in effects {
        if let Effect::Request { id, env, request } = effect
            && **request == Request::Queues
        {
            let dead = if env == "prod" { 61 } else { 0 };
            answer(model, *id, env, Answer::Queues(Ok(queues(dead))));
        }
    }
}

/// Sends the first event of a watch.
pub(crate) fn watch(model: &mut Model, env: &str, rollouts: Vec<Rollout>) -> Vec<Effect> {
    update(
        model,
        Msg::Watch {
            env: env.to_owned(),
            cluster: format!("eks-{env}"),
            event: Watched::All(rollouts),
        },
    )
}

pub(crate) fn report(model: &mut Model, env: &str, rollout: Rollout) -> Vec<Effect> {
    update(
        model,
        Msg::Watch {
            env: env.to_owned(),
            cluster: format!("eks-{env}"),
            event: Watched::Changed(Box::new(rollout)),
        },
    )
}

/// Presses keys by their names, separated by spaces, after what is on screen was read; returns all
/// effects but the question which command does the same as an action: the cluster answers that at
/// once.
pub(crate) fn press(model: &mut Model, keys: &str) -> Vec<Effect> {
    let confirmation = match &mut model.overlay {
        Some(Overlay::Rollout(dialog)) => Some(&mut dialog.confirmation),
        Some(Overlay::Confirm(dialog)) => Some(&mut dialog.confirmation),
        Some(Overlay::Replay(dialog)) => dialog.confirmation.as_mut(),
        _ => None,
    };
    if let Some(confirmation) = confirmation {
        confirmation.accepts_from = model.now;
    }
    let key =
        |name: &str| -> KeyEvent { capture::key(name).unwrap_or_else(|| panic!("no key {name}")) };
    let effects: Vec<Effect> = keys
        .split(' ')
        .flat_map(|name| update(model, Msg::Key(key(name))))
        .collect();
    let mut others = Vec::new();
    for effect in effects {
        match &effect {
            Effect::Request { id, env, request } => match &**request {
                Request::Equivalent { action, key, .. } => {
                    let (verb, name, namespace) = (action.as_str(), &key.name, &key.namespace);
                    let line = format!("kubectl argo rollouts {verb} {name} -n {namespace}");
                    answer(model, *id, env, Answer::Equivalent(Ok(line)));
                }
                _ => others.push(effect),
            },
            _ => others.push(effect),
        }
    }
    others
}

pub(crate) fn type_text(model: &mut Model, text: &str) -> Vec<Effect> {
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
    capture::text(&capture::draw_buffer(model, width, height))
}

/// The style of the first cell of `wanted` on a screen of that size.
pub(crate) fn style_of(
    model: &mut Model,
    wanted: &str,
    (width, height): (u16, u16),
) -> ratatui::style::Style {
    let screen = snap(model, width, height);
    let buffer = capture::draw_buffer(model, width, height);
    for (y, line) in (0..).zip(screen.lines()) {
        if let Some(at) = line.find(wanted) {
            let x = unicode_width::UnicodeWidthStr::width(&line[..at]);
            return buffer[(u16::try_from(x).expect("on screen"), y)].style();
        }
    }
    panic!("{wanted} is not on screen:\n{screen}")
}

/// The number of the last request of a kind, and its environment.
pub(crate) fn find_request(
    effects: &[Effect],
    wanted: impl Fn(&Request) -> bool,
) -> Option<(u64, String)> {
    effects.iter().rev().find_map(|effect| match effect {
        Effect::Request { id, env, request } if wanted(request) => Some((*id, env.clone())),
        _ => None,
    })
}

/// The text of the last search, and its number.
pub(crate) fn find_search(effects: &[Effect]) -> Option<(u64, String)> {
    effects.iter().rev().find_map(|effect| match effect {
        Effect::Request { id, request, .. } => match &**request {
            Request::Search { text } => Some((*id, text.clone())),
            _ => None,
        },
        _ => None,
    })
}

pub(crate) fn later(milliseconds: i64) -> Timestamp {
    t0() + SignedDuration::from_millis(milliseconds)
}

pub(crate) fn tick(model: &mut Model, milliseconds: i64) -> Vec<Effect> {
    update(model, Msg::Tick(later(milliseconds)))
}
