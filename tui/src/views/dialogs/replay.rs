//! How a replay is reviewed before anything is sent.

use payops_core::domain::display::{age_since, count};
use payops_core::operations::ReplayReview;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::confirmation::{self, BOTTOM_ROWS};
use super::reading::draw_lines;
use crate::model::{Model, Overlay, PlanState, ReplayDialog, ReplayOption, remaining_messages};
use crate::redact::redact;
use crate::text::{clip, wrap};
use crate::theme::Tone;
use crate::views::popup::{draw_input, draw_popup, fact_lines, facts_room, line_at, split_bottom};

pub(crate) fn draw_replay(model: &Model, frame: &mut Frame<'_>, area: Rect, dialog: &ReplayDialog) {
    let theme = model.theme;
    let lines = replay_lines(model, dialog, area);
    let height = u16::try_from(lines.len())
        .unwrap_or(u16::MAX)
        .min(area.height.saturating_sub(BOTTOM_ROWS + 4));
    let number = if let PlanState::Ready(reviewed) = &dialog.plan {
        remaining_messages(&reviewed.review)
    } else {
        dialog.letters.len()
    };
    let title = format!(
        "Replay {} in {}",
        count(number, "dead letter"),
        dialog.env.to_uppercase()
    );
    let rows = dialog
        .confirmation
        .as_ref()
        .map_or(BOTTOM_ROWS, |typed| confirmation::rows(typed, area));
    let inner = draw_popup(model, frame, area, &title, height.saturating_add(rows));
    let (top, bottom) = split_bottom(inner, rows.min(inner.height));
    let last = lines.len().saturating_sub(usize::from(top.height));
    draw_lines(frame, top, &lines, dialog.top.min(last));
    if let Some(typed) = &dialog.confirmation {
        confirmation::draw(model, frame, bottom, typed);
        return;
    }
    if let Some((option, input)) = &dialog.option {
        let label = match option {
            ReplayOption::Canary => "canary: messages to send first (empty: none)  ",
            ReplayOption::Rate => "messages per second at most (empty: no limit)  ",
            ReplayOption::Set => "set /pointer=JSON  ",
        };
        draw_input(model, frame, line_at(bottom, 1), label, input, true);
        if let Some(Err(problem)) = &dialog.note {
            let text = clip(&format!("✖ {}", redact(problem)), usize::from(bottom.width));
            frame.render_widget(
                Line::styled(text, theme.style(Tone::Bad)),
                line_at(bottom, 2),
            );
        }
        return;
    }
    if last > 0 {
        let words = format!(
            "↑↓ lines {}-{} of {}",
            dialog.top.min(last) + 1,
            dialog.top.min(last) + usize::from(top.height),
            lines.len()
        );
        frame.render_widget(
            Line::styled(words, theme.style(Tone::Dim)),
            line_at(bottom, 0),
        );
    }
    if let Some(note) = &dialog.note {
        let (text, tone) = match note {
            Ok(text) => (text.clone(), Tone::Good),
            Err(text) => (format!("✖ {text}"), Tone::Bad),
        };
        for (y, part) in (1..3).zip(wrap(&redact(&text), usize::from(bottom.width), 2)) {
            frame.render_widget(Line::styled(part, theme.style(tone)), line_at(bottom, y));
        }
    }
    let keys = match &dialog.plan {
        PlanState::None | PlanState::Requested(_) => "Esc cancels".to_owned(),
        PlanState::Failed(_) => "r plans again · Esc cancels".to_owned(),
        PlanState::Ready(reviewed) => ready_keys(&reviewed.review),
    };
    for (y, part) in (3..5).zip(wrap(&keys, usize::from(bottom.width), 2)) {
        frame.render_widget(
            Line::styled(part, theme.style(Tone::Strong)),
            line_at(bottom, y),
        );
    }
}

fn ready_keys(review: &ReplayReview) -> String {
    if review.plan.messages.is_empty() {
        return "nothing to send · Esc cancels".to_owned();
    }
    let goes = if review.refusal.is_some() {
        ""
    } else {
        "Enter continues · "
    };
    let options = if review.settled.is_none() {
        "c canary · t rate · o safe only · w save plan to file · "
    } else {
        ""
    };
    format!("{goes}{options}r plan again · Esc cancels")
}

pub(crate) fn replay_scroll_max(model: &Model) -> usize {
    let Some(Overlay::Replay(dialog)) = &model.overlay else {
        return 0;
    };
    let area = model.area();
    let lines = replay_lines(model, dialog, area).len();
    lines.saturating_sub(usize::from(area.height.saturating_sub(BOTTOM_ROWS + 4)))
}

/// The plan in lines that fit, or why there is none.
fn replay_lines(model: &Model, dialog: &ReplayDialog, area: Rect) -> Vec<Line<'static>> {
    let (theme, room) = (model.theme, facts_room(area));
    match &dialog.plan {
        PlanState::None => vec![Line::styled("no plan yet", theme.style(Tone::Dim))],
        PlanState::Requested(_) => vec![Line::styled(
            "◌ planning: checking each payment…",
            theme.style(Tone::Dim),
        )],
        PlanState::Failed(fault) => {
            let mut lines = fact_lines(theme, room, "✖ no plan", &redact(&fault.text), Tone::Bad);
            lines.extend(fact_lines(theme, room, "", fault.hint(), Tone::Dim));
            lines
        }
        PlanState::Ready(reviewed) => {
            let review = &reviewed.review;
            let mut lines: Vec<Line<'static>> = reviewed
                .facts
                .iter()
                .flat_map(|fact| {
                    fact_lines(theme, room, fact.label, &redact(&fact.text), fact.tone)
                })
                .collect();
            if let Some(settled) = review.settled {
                let plan = &review.plan;
                let words = format!(
                    "started by {} {} ago and interrupted: {settled} of {} are settled; finish it \
                        before a new replay",
                    plan.by,
                    age_since(plan.at, model.now),
                    plan.messages.len()
                );
                let first = fact_lines(theme, room, "resumes", &redact(&words), Tone::Warn);
                lines.splice(0..0, first);
            }
            lines
        }
    }
}
