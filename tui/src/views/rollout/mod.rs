//! One rollout: its state and steps, and the tree of what belongs to it.

mod head;
mod tree;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::rollouts;
use super::troubles::trouble_of;
use super::view::{Freshness, View};
use crate::model::Model;
use crate::theme::Tone;
use crate::widgets::{pane, table};

pub(crate) use tree::metric_threshold;

/// The lines above the tree, and where the tree is.
fn layout(model: &Model, body: Rect) -> (Vec<Line<'static>>, Rect) {
    let width = usize::from(body.width);
    // What the cluster said last may be out of date: that comes first.
    let trouble = model.rollout_route().and_then(|id| trouble_of(model, id));
    let trouble = trouble.map(|line| table::clip_line(&line, width));
    let lines: Vec<Line<'static>> = trouble
        .into_iter()
        .chain(head::lines(model, width))
        .collect();
    let taken = u16::try_from(lines.len())
        .unwrap_or(u16::MAX)
        .min(body.height.saturating_sub(3));
    (
        lines,
        Rect {
            y: body.y + taken,
            height: body.height - taken,
            ..body
        },
    )
}

pub(super) struct RolloutView;

impl View for RolloutView {
    fn freshness(&self, model: &Model) -> Vec<(&'static str, Freshness)> {
        let mut out = rollouts::freshness(model);
        if let Some((_, since)) = &model.rollout.watch_fault {
            out.push(("tree", Freshness::Cut(*since)));
        }
        out
    }

    fn list(&self, model: &Model, body: Rect) -> Option<(Rect, usize)> {
        let (_, area) = layout(model, body);
        Some((
            pane::value_area(area, &model.rollout.related.state()),
            model.rollout.nodes.len(),
        ))
    }

    fn draw(&self, model: &Model, frame: &mut Frame<'_>, body: Rect) {
        let Some(rollout) = model.rollout_route().and_then(|id| model.find_rollout(id)) else {
            pane::draw_empty(
                model,
                frame,
                body,
                false,
                "rollout not found, or its cluster has not answered yet; Esc goes back",
            );
            return;
        };
        let (lines, area) = layout(model, body);
        for (y, line) in (body.y..area.y).zip(&lines) {
            frame.render_widget(
                line,
                Rect {
                    y,
                    height: 1,
                    ..body
                },
            );
        }
        let Some((related, area)) = pane::draw_unless_ready(
            model,
            frame,
            area,
            "analysis and pods",
            model.rollout.related.state(),
        ) else {
            return;
        };
        if model.rollout.nodes.is_empty() {
            pane::draw_empty(model, frame, area, false, "no ReplicaSet yet");
            return;
        }
        let cursor = &model.rollout.cursor;
        let visible = model
            .rollout
            .nodes
            .iter()
            .enumerate()
            .skip(cursor.top)
            .take(usize::from(area.height));
        for (y, (row, (item, node))) in (area.y..).zip(visible) {
            let place = Rect {
                y,
                height: 1,
                ..area
            };
            let folded = !model.rollout.unfolded.contains(item);
            let line = tree::line(model, &rollout, related, node, folded);
            frame.render_widget(table::clip_line(&line, usize::from(area.width)), place);
            if row == cursor.row {
                table::mark_selected(frame.buffer_mut(), place, model.theme.style(Tone::Selected));
            }
        }
    }
}
