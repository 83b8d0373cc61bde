//! Lines above the views of rollouts: environments and clusters that do not answer.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use payops_core::domain::display::{age, age_since};

use crate::model::{ClusterState, Model, PaneState, RolloutId, WatchStatus};
use crate::theme::Tone;
use crate::widgets::{pane, table};

/// One line for each environment and cluster that does not answer, so that none hides another.
pub(crate) fn troubles(model: &Model) -> Vec<Line<'static>> {
    let theme = model.theme;
    let mut lines = Vec::new();
    for env in &model.envs {
        let name = env.info.name.to_uppercase();
        match env.details.state() {
            PaneState::Failed { fault, retry_at } => {
                let text = format!(
                    " ✖ {name} ({}): {}",
                    pane::retry_words(retry_at, model.now),
                    fault.text
                );
                lines.push(Line::styled(text, theme.style(Tone::Bad)));
            }
            PaneState::Loading => lines.push(Line::styled(
                format!(" ◌ {name}: opening…"),
                theme.style(Tone::Dim),
            )),
            PaneState::Ready { .. } => {}
        }
        if let Some(why) = env.no_clusters() {
            lines.push(Line::styled(format!(" – {why}"), theme.style(Tone::Dim)));
        }
        lines.extend(
            env.clusters
                .iter()
                .filter_map(|cluster| cluster_trouble(model, &name, cluster)),
        );
    }
    lines
}

/// What is wrong with the cluster of a rollout, with the seconds that are left to the next try.
pub(super) fn trouble_of(model: &Model, id: &RolloutId) -> Option<Line<'static>> {
    cluster_trouble(model, &id.env.to_uppercase(), model.find_cluster(id)?)
}

fn cluster_trouble(model: &Model, env: &str, cluster: &ClusterState) -> Option<Line<'static>> {
    // A cluster is often named as its environment is.
    let place = if cluster.name.eq_ignore_ascii_case(env) {
        env.to_owned()
    } else {
        format!("{env} {}", cluster.name)
    };
    match &cluster.watch {
        WatchStatus::Waiting => Some(Line::styled(
            format!(" ◌ {place}: loading…"),
            model.theme.style(Tone::Dim),
        )),
        WatchStatus::Cut {
            why,
            since,
            retry_at,
        } => {
            let again = age(retry_at.duration_since(model.now));
            let since = age_since(*since, model.now);
            let stands = if cluster.rollouts.is_empty() {
                format!("no answer for {since}")
            } else {
                format!("as of {since} ago")
            };
            let text = format!(" ⚠ {place}: {stands}, retry in {again} (Ctrl-R now): {why}");
            Some(Line::styled(text, model.theme.style(Tone::Warn)))
        }
        WatchStatus::Live => None,
    }
}

/// Draws the lines at the top of `area`; returns the rest of it.
pub(super) fn draw_troubles(model: &Model, frame: &mut Frame<'_>, area: Rect) -> Rect {
    let lines = troubles(model);
    let rest = below_troubles(area, lines.len());
    let visible = usize::from(area.height - rest.height);
    for (y, line) in (area.y..).zip(lines.iter().take(visible)) {
        frame.render_widget(
            table::clip_line(line, usize::from(area.width)),
            Rect {
                y,
                height: 1,
                ..area
            },
        );
    }
    rest
}

/// The area below so many lines; at least half of it.
pub(super) fn below_troubles(area: Rect, lines: usize) -> Rect {
    let taken = u16::try_from(lines)
        .unwrap_or(u16::MAX)
        .min(area.height / 2);
    Rect {
        y: area.y + taken,
        height: area.height - taken,
        ..area
    }
}
