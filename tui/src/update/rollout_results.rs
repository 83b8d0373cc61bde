//! What became of an action on a rollout.

use payops_core::domain::mask;
use payops_core::domain::rollout::{Rollout, RolloutAction, RolloutPlan};
use payops_core::port::{ErrorKind, Executed};

use super::clusters;
use crate::fault::Fault;
use crate::model::{Model, Overlay, PendingAction};
use crate::theme::Tone;

pub(super) fn handle_answer(
    model: &mut Model,
    id: u64,
    env: &str,
    result: Result<Executed, Fault>,
) {
    let Some(pending) = model
        .pending_actions
        .remove(&id)
        .filter(|pending| pending.id.env == env)
    else {
        return;
    };
    let PendingAction { id, plan, seen } = pending;
    // The notice that it was sent is out of date.
    model.notice = None;
    let what = format!("{} {}", plan.action.as_str(), id.key);
    match result {
        Ok(Executed::Done(now)) => {
            // An abort lands whatever had moved.
            let moved = if plan.action == RolloutAction::Abort {
                seen.changes_besides_abort(&now)
            } else {
                Vec::new()
            };
            clusters::store_rollout(model, &id, *now);
            if moved.is_empty() {
                model.notify(Tone::Good, format!("✔ {what}: done"));
            } else {
                let moved = moved.join(", ");
                model.notify(Tone::Warn, format!("✔ {what}: done; it had moved: {moved}"));
            }
            model.rollout.related.refresh();
        }
        Ok(Executed::Moved(now)) => {
            show_changes(
                model,
                format!("{what}: nothing was done"),
                &plan,
                &seen,
                &now,
            );
            clusters::store_rollout(model, &id, *now);
        }
        Ok(Executed::Partly { done, now }) => {
            let title = format!("{what}: {done} of {} calls were made", plan.changes.len());
            show_changes(model, title, &plan, &seen, &now);
            clusters::store_rollout(model, &id, *now);
        }
        Ok(Executed::Gone) => {
            let words = format!("{what}: nothing was done, the rollout does not exist any more");
            model.notify(Tone::Warn, words);
            model.rollout.related.refresh();
        }
        Err(fault) => show_failure(model, &what, &fault),
    }
}

/// Shows what changed between plan and execution.
fn show_changes(
    model: &mut Model,
    title: String,
    plan: &RolloutPlan,
    seen: &Rollout,
    now: &Rollout,
) {
    let mut lines = vec![(
        Tone::Warn,
        "The rollout changed after it was planned:".to_owned(),
    )];
    let changes = seen.changes(now);
    if changes.is_empty() {
        let words = "  only its resourceVersion changed";
        lines.push((Tone::Plain, words.to_owned()));
    }
    lines.extend(
        changes
            .into_iter()
            .map(|change| (Tone::Strong, format!("  {}", mask::terminal(&change)))),
    );
    lines.extend([
        (Tone::Plain, String::new()),
        (Tone::Dim, format!("planned on  {}", plan.now)),
        (
            Tone::Dim,
            format!(
                "version     {} → {}",
                plan.resource_version, now.resource_version
            ),
        ),
        (Tone::Plain, String::new()),
        (
            Tone::Plain,
            "Check the rollout, then press the key again to retry. Esc goes back.".to_owned(),
        ),
    ]);
    model.overlay = Some(Overlay::Text {
        title,
        lines,
        top: 0,
    });
}

fn show_failure(model: &mut Model, what: &str, fault: &Fault) {
    let effect = if fault.kind == ErrorKind::Ambiguous {
        "It may or may not have been done: check the rollout before you try again."
    } else {
        "Nothing was done."
    };
    let mut lines = vec![
        (Tone::Bad, fault.text.clone()),
        (Tone::Strong, effect.to_owned()),
    ];
    if !fault.hint().is_empty() {
        lines.push((Tone::Dim, fault.hint().to_owned()));
    }
    lines.push((Tone::Dim, "Esc goes back.".to_owned()));
    model.overlay = Some(Overlay::Text {
        title: format!("✖ {what}"),
        lines,
        top: 0,
    });
}
