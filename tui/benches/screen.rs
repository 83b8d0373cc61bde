//! How long the screen takes to take a key and draw the next frame, with much on it:
//! `cargo bench -p payops-tui --bench screen`. No terminal and no store takes part: what is
//! measured is `update` and `view`, which run between a key and the frame that shows it.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use payops_core::Timestamp;
use payops_core::domain::rollout::{Phase, Replicas, Rollout, RolloutKey, Strategy};
use payops_core::operations::EnvInfo;
use payops_core::port::{Clock, Received, Watched};
use payops_core::usecase::{DeadLetter, DeadLetterList};
use payops_tui::{
    Answer, ClusterInfo, Effect, EnvDetails, Model, Msg, Options, Request, Tab, ThemeName, start,
    update, view,
};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

const SIZE: (u16, u16) = (160, 50);

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

fn rollout(number: usize) -> Rollout {
    Rollout {
        key: RolloutKey {
            namespace: format!("team-{}", number % 40),
            name: format!("service-{number}"),
        },
        uid: format!("uid-{number}"),
        resource_version: number.to_string(),
        generation: 1,
        created_at: None,
        revision: Some(1),
        strategy: Strategy::Canary {
            steps: Vec::new(),
            traffic_routing: false,
        },
        images: Vec::new(),
        spec_paused: number.is_multiple_of(100),
        workload_ref: None,
        taken_up: true,
        observed_generation: None,
        workload_generation: None,
        written_at: None,
        invalid: None,
        canary_available: None,
        observed: true,
        workload_observed: true,
        told_phase: if number.is_multiple_of(7) {
            Phase::Progressing
        } else {
            Phase::Healthy
        },
        told_message: String::new(),
        aborted: false,
        aborted_at: None,
        promoting_full: false,
        controller_pause: false,
        pauses: Vec::new(),
        step_index: None,
        current_hash: "a".to_owned(),
        stable_hash: "a".to_owned(),
        replicas: Replicas::default(),
        router: None,
        step_analysis: None,
        background_analysis: None,
        restarted_at: None,
        rollback_window: None,
    }
}

fn letter(number: usize) -> DeadLetter {
    let message = Received {
        message_id: format!("message-{number}"),
        receipt: String::new(),
        body: String::new(),
        attributes: std::collections::BTreeMap::new(),
        receive_count: 5,
        sent_at: Timestamp::UNIX_EPOCH,
        first_received_at: None,
        group: None,
        dedupe: None,
    };
    DeadLetter {
        queue: "payments-work-dlq".to_owned(),
        message,
        payment: None,
        class: format!("class_{}", number % 12),
        reason: format!("the provider had an internal error at attempt {number}"),
        first_seen: Timestamp::UNIX_EPOCH,
        receive_count: 5,
        expires_at: None,
    }
}

/// A screen on one environment that is open; what it requested then.
fn open_screen(tab: Tab) -> (Model, Vec<Effect>) {
    let env = EnvInfo {
        name: "prod".to_owned(),
        protected: true,
        account: None,
        region: None,
    };
    let options = Options {
        theme: ThemeName::Dark,
        read_only: false,
        start: tab,
        env: None,
        clock: Arc::new(Still),
    };
    let (mut model, effects) = start(vec![env], &options, SIZE.0, SIZE.1);
    let details = EnvDetails {
        who: "anna".to_owned(),
        clusters: vec![ClusterInfo {
            name: "prod-1".to_owned(),
            driver: "bench".to_owned(),
            actions: Vec::new(),
        }],
        ..EnvDetails::default()
    };
    let effects = answer_all(&mut model, &effects, |request| {
        (*request == Request::OpenEnvironment).then(|| Answer::OpenEnvironment(Ok(details.clone())))
    });
    (model, effects)
}

/// Answers requests, as far as there is an answer.
fn answer_all(
    model: &mut Model,
    effects: &[Effect],
    answer: impl Fn(&Request) -> Option<Answer>,
) -> Vec<Effect> {
    let mut out = Vec::new();
    for effect in effects {
        if let Effect::Request { id, env, request } = effect
            && let Some(answer) = answer(request)
        {
            out.extend(update(
                model,
                Msg::Answer {
                    id: *id,
                    env: env.clone(),
                    answer: Box::new(answer),
                },
            ));
        }
    }
    out
}

fn press(model: &mut Model, code: KeyCode) {
    black_box(update(
        model,
        Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)),
    ));
}

fn frame(terminal: &mut Terminal<TestBackend>, model: &Model) {
    // A test's backend cannot fail.
    let _ = black_box(terminal.draw(|frame| view(model, frame)));
}

fn measure(criterion: &mut Criterion, name: &str, model: &mut Model, keys: &[KeyCode]) {
    let Ok(mut terminal) = Terminal::new(TestBackend::new(SIZE.0, SIZE.1));
    criterion.bench_function(name, |bencher| {
        bencher.iter(|| {
            for key in keys {
                press(model, *key);
                frame(&mut terminal, model);
            }
        });
    });
}

fn screen(criterion: &mut Criterion) {
    criterion.bench_function("first frame", |bencher| {
        let Ok(mut terminal) = Terminal::new(TestBackend::new(SIZE.0, SIZE.1));
        bencher.iter(|| {
            let (model, _) = open_screen(Tab::Overview);
            frame(&mut terminal, &model);
        });
    });
    let (mut model, _) = open_screen(Tab::Rollouts);
    let all: Vec<Rollout> = (0..10_000).map(rollout).collect();
    update(
        &mut model,
        Msg::Watch {
            env: "prod".to_owned(),
            cluster: "prod-1".to_owned(),
            event: Watched::All(all),
        },
    );
    measure(
        criterion,
        "10,000 rollouts: a row down and up",
        &mut model,
        &[KeyCode::Down, KeyCode::Up],
    );
    press(&mut model, KeyCode::Char('/'));
    measure(
        criterion,
        "10,000 rollouts: a character of the filter and back",
        &mut model,
        &[KeyCode::Char('s'), KeyCode::Backspace],
    );
    let (mut model, effects) = open_screen(Tab::DeadLetters);
    let seen = DeadLetterList {
        letters: (0..10_000).map(letter).collect(),
        complete: true,
        ..DeadLetterList::default()
    };
    answer_all(&mut model, &effects, |request| {
        matches!(request, Request::DeadLetters { .. })
            .then(|| Answer::DeadLetters(Ok(seen.clone())))
    });
    measure(
        criterion,
        "10,000 dead letters: a row down and up",
        &mut model,
        &[KeyCode::Down, KeyCode::Up],
    );
    press(&mut model, KeyCode::Char('/'));
    measure(
        criterion,
        "10,000 dead letters: a character of the filter and back",
        &mut model,
        &[KeyCode::Char('c'), KeyCode::Backspace],
    );
}

criterion_group!(benches, screen);
criterion_main!(benches);
