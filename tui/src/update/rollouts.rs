//! The list of all rollouts, those that wait for somebody first.

use std::sync::Arc;

use payops_core::Timestamp;
use payops_core::domain::rollout::{Rollout, Waiting};

use super::controller::{Controller, next_second};
use super::{navigate, rollout_explanation};
use crate::effect::Effect;
use crate::keymap::Command;
use crate::model::{Model, RolloutId, RolloutRow, RolloutsState, Route, match_places};
use crate::text::short_images;
use crate::views::troubles;

pub(crate) fn prepare(model: &mut Model) {
    let revision = model.rollouts.revision;
    if model.rollouts.rows_revision != Some(revision) {
        let clusters = model
            .envs
            .iter()
            .flat_map(|env| env.clusters.iter().map(move |cluster| (env, cluster)));
        let rollouts = clusters.flat_map(|(env, cluster)| {
            cluster
                .rollouts
                .values()
                .map(move |rollout| (env, cluster, rollout))
        });
        let mut rows: Vec<RolloutRow> = rollouts
            .map(|(env, cluster, rollout)| make_row(&env.info.name, &cluster.name, rollout))
            .collect();
        // The sort is stable: environments, clusters and names keep their order.
        rows.sort_by_key(|row| !row.waits_for_human);
        model.rollouts.rows = rows;
        model.rollouts.rows_revision = Some(revision);
    }
    apply_filter(&mut model.rollouts);
}

fn make_row(env: &str, cluster: &str, rollout: &Arc<Rollout>) -> RolloutRow {
    let id = RolloutId {
        env: env.to_owned(),
        cluster: cluster.to_owned(),
        key: rollout.key.clone(),
    };
    let images = short_images(&rollout.images);
    let search_text = format!(
        "{env} {cluster} {} {} {images}",
        rollout.key,
        rollout.phase().0.as_str()
    );
    RolloutRow {
        item: id.item(),
        id,
        rollout: Arc::clone(rollout),
        waits_for_human: rollout.waits_for_human(),
        search_text,
    }
}

/// Filters the rows; when more was typed, only those that matched before.
fn apply_filter(state: &mut RolloutsState) {
    let text = state.filter.text().to_owned();
    let of = (state.revision, text.clone());
    if state.filtered.as_ref() == Some(&of) {
        return;
    }
    let narrower = state.filtered.as_ref().is_some_and(|(revision, before)| {
        *revision == state.revision
            && !before.is_empty()
            && text.starts_with(before.as_str())
            && only_narrows(&text)
    });
    let within: Vec<usize> = if narrower {
        std::mem::take(&mut state.matching)
    } else {
        (0..state.rows.len()).collect()
    };
    let texts = within
        .into_iter()
        .filter_map(|place| Some((place, state.rows.get(place)?.search_text.as_str())));
    state.matching = match_places(&text, texts);
    state.filtered = Some(of);
}

/// Whether typing more can only narrow the filter: not so with `!` and the like.
fn only_narrows(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, ' ' | '-' | '.' | '_'))
}

pub(super) struct RolloutsController;

impl Controller for RolloutsController {
    fn run(&self, model: &mut Model, command: Command) -> Vec<Effect> {
        let Some(id) = model.selected_rollout() else {
            return Vec::new();
        };
        match command {
            Command::Enter => navigate::push(model, Route::Rollout(id)),
            Command::Copy => return vec![Effect::Copy(id.key.to_string())],
            Command::Why => rollout_explanation::explain(model, &id),
            _ => {}
        }
        Vec::new()
    }

    fn wake_at(&self, model: &Model) -> Option<Timestamp> {
        let moving = !troubles(model).is_empty()
            || model
                .rollouts
                .rows
                .iter()
                .any(|row| row.rollout.wait_state() != Waiting::No);
        moving.then(|| next_second(model))
    }

    fn prepare(&self, model: &mut Model) {
        prepare(model);
    }
}
