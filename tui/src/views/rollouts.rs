//! All rollouts of all clusters, those that wait for somebody first.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use payops_core::domain::display::percent;

use super::troubles::{below_troubles, draw_troubles, troubles};
use super::view::{Freshness, View};
use crate::model::{Model, RolloutRow, WatchStatus};
use crate::signs::{phase_sign, run_sign};
use crate::text::{short_images, step, waits_for};
use crate::theme::Tone;
use crate::widgets::pane;
use crate::widgets::table::{self, Column};

const COLUMNS: &[Column] = &[
    Column::text("ENV", 7),
    Column::text("CLUSTER", 11).rank(6),
    Column::text("ROLLOUT", 24).flex(2),
    Column::text("PHASE", 13),
    Column::number("STEP", 4).rank(1),
    Column::number("DESIRED", 7).rank(5),
    Column::number("SET", 5).rank(3),
    Column::number("OBSERVED", 8).rank(4),
    Column::text("WAITS FOR", 16).flex(2).rank(2),
    Column::text("ANALYSIS", 12).rank(7),
    Column::text("IMAGES", 18).flex(2).rank(8),
];

pub(super) fn freshness(model: &Model) -> Vec<(&'static str, Freshness)> {
    let feeds: Vec<&WatchStatus> = model
        .envs
        .iter()
        .flat_map(|env| &env.clusters)
        .map(|cluster| &cluster.watch)
        .collect();
    let cut = feeds
        .iter()
        .filter_map(|feed| {
            if let WatchStatus::Cut { since, .. } = feed {
                Some(*since)
            } else {
                None
            }
        })
        .min();
    let fresh = match cut {
        Some(since) => Freshness::Cut(since),
        None if model.envs.iter().all(|env| env.no_clusters().is_some()) => Freshness::Absent,
        None if feeds.iter().all(|feed| **feed == WatchStatus::Waiting) => Freshness::Loading,
        None => Freshness::Live,
    };
    vec![("clusters", fresh)]
}

pub(super) struct RolloutsView;

impl View for RolloutsView {
    fn freshness(&self, model: &Model) -> Vec<(&'static str, Freshness)> {
        freshness(model)
    }

    fn list(&self, model: &Model, body: Rect) -> Option<(Rect, usize)> {
        Some((
            table::rows_area(below_troubles(body, troubles(model).len())),
            model.rollouts.matching.len(),
        ))
    }

    fn draw(&self, model: &Model, frame: &mut Frame<'_>, body: Rect) {
        let area = draw_troubles(model, frame, body);
        let all = model.rollouts.rows.len();
        if model.rollouts.matching.is_empty() {
            let live = model
                .envs
                .iter()
                .flat_map(|env| &env.clusters)
                .any(|cluster| cluster.watch == WatchStatus::Live);
            if all > 0 {
                pane::draw_empty(
                    model,
                    frame,
                    area,
                    false,
                    &format!("no match among {all} rollouts; Esc clears the filter"),
                );
            } else if live {
                pane::draw_empty(model, frame, area, true, "no rollouts in these clusters");
            } else if model
                .envs
                .iter()
                .all(|env| env.is_open() && env.clusters.is_empty())
            {
                pane::draw_empty(
                    model,
                    frame,
                    area,
                    false,
                    "no environment here has clusters",
                );
            }
            return;
        }
        let list = (&model.rollouts.cursor, model.rollouts.matching.len());
        table::draw(model, frame, area, COLUMNS, list, |place| {
            model
                .rollouts
                .row(place)
                .map(|row| cells(model, row))
                .unwrap_or_default()
        });
    }
}

fn cells(model: &Model, row: &RolloutRow) -> Vec<Line<'static>> {
    let (theme, rollout) = (model.theme, &row.rollout);
    let (phase, _) = rollout.phase();
    let (glyph, tone) = phase_sign(phase);
    let weights = rollout.weights();
    let (waits, waits_tone) = waits_for(rollout, model.now);
    let marked = |field, text: String, tone: Tone| {
        let style = theme.style(if model.marks.is_marked(&row.item, field) {
            Tone::Mark
        } else {
            tone
        });
        Line::from(Span::styled(text, style))
    };
    let run = rollout
        .step_analysis
        .as_ref()
        .or(rollout.background_analysis.as_ref());
    let (analysis, analysis_tone) = run.map_or((String::new(), Tone::Plain), |run| {
        let (glyph, tone) = run_sign(run.phase);
        (format!("{glyph} {}", run.phase.as_str()), tone)
    });
    let images = short_images(&rollout.images);
    let moving = !rollout.is_fully_promoted();
    let weight = |value: Option<u32>| match weights {
        None => "–".to_owned(),
        Some(_) if moving => value.map_or_else(|| "?".to_owned(), percent),
        Some(_) => String::new(),
    };
    vec![
        Line::raw(row.id.env.to_uppercase()),
        Line::raw(row.id.cluster.clone()),
        Line::raw(row.id.key.to_string()),
        marked("phase", format!("{glyph} {}", phase.as_str()), tone),
        marked(
            "step",
            if moving { step(rollout) } else { String::new() },
            Tone::Plain,
        ),
        Line::raw(weight(weights.map(|weights| weights.desired))),
        marked(
            "weight",
            weight(weights.map(|weights| weights.set)),
            Tone::Plain,
        ),
        Line::raw(weight(weights.and_then(|weights| weights.observed))),
        // The title of the column says already that it waits.
        Line::styled(
            waits
                .strip_prefix("waits for ")
                .unwrap_or(&waits)
                .to_owned(),
            theme.style(waits_tone),
        ),
        Line::styled(analysis, theme.style(analysis_tone)),
        marked("image", images, Tone::Plain),
    ]
}
