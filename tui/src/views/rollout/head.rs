//! The state of a rollout: phase, weights, versions, steps.

use payops_core::domain::display::{age_since, countdown, percent};
use payops_core::domain::mask;
use payops_core::domain::rollout::{Rollout, Step, StepState, Strategy, Waiting};
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr as _;

use crate::model::{Model, RolloutId};
use crate::signs::phase_sign;
use crate::text::short_images;
use crate::theme::Tone;
use crate::widgets::table::clip_line;

/// The lines, none wider than `width`.
pub(super) fn lines(model: &Model, width: usize) -> Vec<Line<'static>> {
    let Some(id) = model.rollout_route() else {
        return Vec::new();
    };
    let Some(rollout) = model.find_rollout(id) else {
        return Vec::new();
    };
    let mut out = vec![clip_line(&phase(model, id, &rollout), width)];
    out.extend(
        weights(model, &rollout)
            .iter()
            .map(|line| clip_line(line, width)),
    );
    if let Some((fault, since)) = &model.rollout.watch_fault {
        let text = format!(
            " ⚠ tree as of {} ago: {}",
            age_since(*since, model.now),
            fault.text
        );
        out.push(clip_line(
            &Line::styled(text, model.theme.style(Tone::Warn)),
            width,
        ));
    }
    out.push(Line::default());
    out.extend(steps(model, &rollout, width));
    out.push(Line::default());
    out
}

fn phase(model: &Model, id: &RolloutId, rollout: &Rollout) -> Line<'static> {
    let theme = model.theme;
    let (phase, message) = rollout.phase();
    let (glyph, tone) = phase_sign(phase);
    let mut parts = Vec::new();
    match rollout.wait_state() {
        Waiting::Time { until } => {
            parts.push((
                Tone::Strong,
                format!("resumes in {}", countdown(until.duration_since(model.now))),
            ));
        }
        Waiting::Human { why, since } => {
            let since = since
                .map(|since| format!(" for {}", age_since(since, model.now)))
                .unwrap_or_default();
            parts.push((Tone::Warn, format!("{why}{since}")));
        }
        Waiting::No => {}
    }
    if rollout.promoting_full {
        parts.push((Tone::Warn, "full promotion".to_owned()));
    }
    parts.push((
        Tone::Plain,
        format!(
            "{} of {} pods updated",
            rollout.replicas.updated, rollout.replicas.desired
        ),
    ));
    if !message.is_empty() {
        parts.push((Tone::Dim, mask::terminal(message)));
    }
    parts.push((
        Tone::Dim,
        format!("{} {}", id.env.to_uppercase(), id.cluster),
    ));
    let marked = model.marks.is_marked(&id.item(), "phase");
    let mut spans = vec![Span::styled(
        format!(" {glyph} {}", phase.as_str()),
        theme.style(if marked { Tone::Mark } else { tone }),
    )];
    for (tone, text) in parts {
        spans.push(Span::styled(" · ", theme.style(Tone::Dim)));
        spans.push(Span::styled(text, theme.style(tone)));
    }
    Line::from(spans)
}

fn weights(model: &Model, rollout: &Rollout) -> Vec<Line<'static>> {
    let theme = model.theme;
    let dim = |text: &str| Span::styled(text.to_owned(), theme.style(Tone::Dim));
    let images = short_images(&rollout.images);
    let mut versions = vec![dim(" versions ")];
    let stable = stable_images(model, rollout);
    if let Some(stable) = stable {
        versions.extend([dim("stable "), Span::raw(format!("{stable}   "))]);
    }
    if rollout.is_fully_promoted() {
        return vec![Line::from(vec![dim(" images   "), Span::raw(images)])];
    }
    let revision = rollout
        .revision
        .map(|revision| format!("   revision {revision}"))
        .unwrap_or_default();
    versions.extend([dim("canary "), Span::raw(images), dim(&revision)]);
    if let Some(blue_green) = rollout
        .blue_green()
        .filter(|_| rollout.taken_up && rollout.invalid.is_none())
    {
        let services = blue_green.describe(rollout, model.rollout.related.value());
        return vec![
            Line::from(vec![
                dim(" services "),
                Span::raw(mask::terminal(&services)),
            ]),
            Line::from(versions),
        ];
    }
    let counted = match model.rollout.related.value() {
        Some(related) => rollout.clone().count_canary(related),
        None => rollout.clone(),
    };
    let Some(weights) = counted.weights() else {
        let why = mask::terminal(rollout.phase().1);
        return vec![
            Line::from(vec![dim(" weight   "), Span::raw(format!("– {why}"))]),
            Line::from(versions),
        ];
    };
    let observed = weights
        .observed
        .map_or_else(|| "unknown".to_owned(), percent);
    let marked = model
        .rollout_route()
        .is_some_and(|id| model.marks.is_marked(&id.item(), "weight"));
    let set = Span::styled(
        percent(weights.set),
        theme.style(if marked { Tone::Mark } else { Tone::Strong }),
    );
    let differs = weights
        .observed
        .is_some_and(|observed| observed.abs_diff(weights.set) > 50);
    let observed = Span::styled(
        observed,
        theme.style(if differs { Tone::Warn } else { Tone::Strong }),
    );
    let desired = Span::styled(percent(weights.desired), theme.style(Tone::Strong));
    vec![
        Line::from(vec![
            dim(" weight   desired "),
            desired,
            dim("   set "),
            set,
            dim("   observed "),
            observed,
        ]),
        Line::from(versions),
    ]
}

fn stable_images(model: &Model, rollout: &Rollout) -> Option<String> {
    let set = model
        .rollout
        .related
        .value()?
        .replica_sets
        .iter()
        .find(|set| set.hash == rollout.stable_hash)?;
    Some(short_images(&set.images))
}

fn steps(model: &Model, rollout: &Rollout, width: usize) -> Vec<Line<'static>> {
    const LABEL: &str = " steps    ";
    let theme = model.theme;
    if rollout.steps().is_empty() {
        let text = if rollout.has_router() || matches!(rollout.strategy, Strategy::Canary { .. }) {
            "none: updates all pods at once"
        } else {
            "none: blue-green"
        };
        return vec![Line::styled(
            format!("{LABEL}{text}"),
            theme.style(Tone::Dim),
        )];
    }
    let states = rollout.step_states();
    let mut lines = Vec::new();
    let mut spans = vec![Span::styled(LABEL, theme.style(Tone::Dim))];
    let mut used = LABEL.len();
    for (place, (step, state)) in rollout.steps().iter().zip(states).enumerate() {
        let (glyph, tone) = match state {
            StepState::Done => ("✔", Tone::Good),
            StepState::Current => ("◐", Tone::Accent),
            StepState::Failed => ("✖", Tone::Bad),
            StepState::Ahead => ("○", Tone::Dim),
        };
        let left = match (state, step) {
            (StepState::Current, Step::Pause(_)) => rollout
                .pause_left(model.now)
                .map(|left| format!(" ({} left)", countdown(left))),
            _ => None,
        };
        let text = format!("{glyph} {step}{}", left.unwrap_or_default());
        let wide = text.width();
        let joint = if place == 0 { "" } else { " ─ " };
        if used + wide + joint.len() > width && used > LABEL.len() {
            lines.push(Line::from(std::mem::replace(
                &mut spans,
                vec![Span::raw(" ".repeat(LABEL.len()))],
            )));
            used = LABEL.len();
        } else if place > 0 {
            spans.push(Span::styled(joint, theme.style(Tone::Dim)));
            used += 3;
        }
        spans.push(Span::styled(text, theme.style(tone)));
        used += wide;
    }
    lines.push(Line::from(spans));
    lines
}
