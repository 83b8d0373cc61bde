//! From view to view, and from environment to environment.

use crate::model::{Model, Route};
use crate::theme::Tone;

/// Trails that `[` can go back to, at most.
const HISTORY_MAX: usize = 100;

pub(super) fn go(model: &mut Model, trail: Vec<Route>) {
    if trail == model.trail || trail.is_empty() {
        return;
    }
    model.back.push(std::mem::replace(&mut model.trail, trail));
    if model.back.len() > HISTORY_MAX {
        model.back.remove(0);
    }
    model.forward.clear();
}

pub(super) fn push(model: &mut Model, route: Route) {
    let mut trail = model.trail.clone();
    trail.push(route);
    go(model, trail);
}

/// Goes to the trail before, or to the one after it.
pub(super) fn go_in_history(model: &mut Model, back: bool) {
    let (from, to) = if back {
        (&mut model.back, &mut model.forward)
    } else {
        (&mut model.forward, &mut model.back)
    };
    if let Some(trail) = from.pop() {
        to.push(std::mem::replace(&mut model.trail, trail));
    } else {
        let words = if back {
            "nothing before this view"
        } else {
            "nothing after this view"
        };
        model.notify(Tone::Dim, words);
    }
}

/// Makes that environment the one whose queues, payments and dead letters are shown.
pub(super) fn switch_env(model: &mut Model, name: &str) {
    let Some(place) = model.envs.iter().position(|env| env.info.name == name) else {
        model.notify(Tone::Warn, format!("environment {name} does not exist"));
        return;
    };
    if place != model.active {
        model.active = place;
        let words = format!(
            "queues, payments and dead letters are now those of {}",
            name.to_uppercase()
        );
        model.notify(Tone::Plain, words);
    }
}
