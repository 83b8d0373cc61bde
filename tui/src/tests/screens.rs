//! Rollouts and overlays as text, at three sizes.

use super::*;

#[test]
fn overview_screens() {
    let (mut loading, effects) = start(Tab::Overview);
    snapshots("overview_loading", &mut loading);
    fail_all(&mut loading, &effects);
    snapshots("overview_failed", &mut loading);
    let (mut empty, effects) = start(Tab::Overview);
    let asked = open_all(&mut empty, &effects);
    for env in ["prod", "preprod", "test"] {
        watch(&mut empty, env, vec![healthy("payments", "payments-api")]);
    }
    for effect in &asked {
        if let Effect::Request { id, env, .. } = effect {
            answer(&mut empty, *id, env, Answer::Queues(Ok(queues(0))));
        }
    }
    snapshots("overview_empty", &mut empty);
    snapshots("overview_full", &mut full(Tab::Overview));
}

#[test]
fn rollouts_screens() {
    let (mut loading, effects) = start(Tab::Rollouts);
    snapshots("rollouts_loading", &mut loading);
    fail_all(&mut loading, &effects);
    snapshots("rollouts_failed", &mut loading);
    let (mut empty, effects) = start(Tab::Rollouts);
    open_all(&mut empty, &effects);
    for env in ["prod", "preprod", "test"] {
        watch(&mut empty, env, Vec::new());
    }
    snapshots("rollouts_empty", &mut empty);
    snapshots("rollouts_full", &mut full(Tab::Rollouts));
    let mut cut = full(Tab::Rollouts);
    let event = Watched::Cut {
        why: "connection reset by peer".to_owned(),
        retry_in: Duration::from_secs(8),
    };
    update(
        &mut cut,
        Msg::Watch {
            env: "prod".to_owned(),
            cluster: "eks-prod".to_owned(),
            event,
        },
    );
    snapshots("rollouts_cut", &mut cut);
}

#[test]
fn rollout_screens() {
    let mut loading = full(Tab::Rollouts);
    let (request, _) = related_request(&press(&mut loading, "enter")).expect("asked");
    snapshots("rollout_loading", &mut loading);
    let fault = Fault::new(
        ErrorKind::Unavailable,
        "the cluster eks-prod does not answer: connection refused",
    );
    answer(&mut loading, request, "prod", Answer::Related(Err(fault)));
    snapshots("rollout_failed", &mut loading);
    let mut gone = detail();
    watch(&mut gone, "prod", Vec::new());
    snapshots("rollout_gone", &mut gone);
    let mut model = detail();
    let effects = press(&mut model, "enter down down down down enter");
    let (request, _) = related_request(&effects).expect("asked for pods");
    answer(
        &mut model,
        request,
        "prod",
        Answer::Related(Ok(related(true))),
    );
    snapshots("rollout_full", &mut model);
}

#[test]
fn overlay_screens() {
    let mut model = detail();
    press(&mut model, "p");
    snapshots("confirm_protected", &mut model);
    let mut open = full(Tab::Rollouts);
    press(&mut open, "/");
    type_text(&mut open, "counting");
    press(&mut open, "enter p");
    snapshots("confirm_open", &mut open);
    let mut refused = full(Tab::Rollouts);
    press(&mut refused, "down p");
    snapshots("refused", &mut refused);
    let next = Rollout {
        resource_version: "88214".into(),
        step_index: Some(2),
        told_phase: Phase::Progressing,
        ..counting()
    };
    snapshots("changed", &mut promote(Ok(Executed::Moved(Box::new(next)))));
    press(&mut model, "esc w");
    snapshots("why", &mut model);
    press(&mut model, "esc ?");
    snapshots("help", &mut model);
    press(&mut model, "esc :");
    type_text(&mut model, "pa");
    snapshots("palette", &mut model);
    press(&mut model, "esc i");
    snapshots("set_image", &mut model);
    press(&mut model, "esc e");
    snapshots("environments", &mut model);
}
