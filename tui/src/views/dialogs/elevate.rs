//! How an elevation is asked for.

use payops_core::domain::access::AccessLevel;
use payops_core::domain::display::age;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::reading::draw_above;
use crate::model::{ElevateDialog, ElevateField, Model};
use crate::redact::redact;
use crate::text::clip;
use crate::theme::Tone;
use crate::views::popup::{draw_input, fact_lines, facts_room, line_at};

pub(crate) fn draw_elevate(
    model: &Model,
    frame: &mut Frame<'_>,
    area: Rect,
    dialog: &ElevateDialog,
) {
    let theme = model.theme;
    let (lines, rows) = (elevate_lines(model, dialog, area), elevate_rows(dialog));
    let title = format!("Elevate in {}", dialog.env.to_uppercase());
    let bottom = draw_above(model, frame, area, &title, (&lines, dialog.top), rows);
    let focus = |field| dialog.field == field && dialog.pending.is_none();
    draw_input(
        model,
        frame,
        line_at(bottom, 1),
        "reason      ",
        &dialog.reason,
        focus(ElevateField::Reason),
    );
    draw_input(
        model,
        frame,
        line_at(bottom, 2),
        "ticket      ",
        &dialog.ticket,
        focus(ElevateField::Ticket),
    );
    if let Some(code) = &dialog.code {
        // A code is shown as it is typed: it is valid once, and for half a minute.
        draw_input(
            model,
            frame,
            line_at(bottom, 3),
            "MFA code    ",
            code,
            focus(ElevateField::Code),
        );
    }
    let last = line_at(bottom, rows - 1);
    let (text, tone) = match (&dialog.problem, dialog.pending) {
        (Some(problem), _) => (format!("✖ {}", redact(problem)), Tone::Bad),
        (None, Some(_)) => ("◌ elevating…".to_owned(), Tone::Dim),
        (None, None) => {
            let elevation = model
                .env_named(&dialog.env)
                .and_then(|env| env.elevation_remaining(model.now))
                .is_some();
            let back = if elevation {
                " · Ctrl-G ends elevation"
            } else {
                ""
            };
            (
                format!("Enter elevates · Ctrl-T level{back} · Esc cancels"),
                Tone::Dim,
            )
        }
    };
    frame.render_widget(
        Line::styled(clip(&text, usize::from(last.width)), theme.style(tone)),
        last,
    );
}

pub(super) fn elevate_rows(dialog: &ElevateDialog) -> u16 {
    5 + u16::from(dialog.code.is_some())
}

/// The elevation that is requested, then the one that holds.
pub(super) fn elevate_lines(
    model: &Model,
    dialog: &ElevateDialog,
    area: Rect,
) -> Vec<Line<'static>> {
    let (theme, room) = (model.theme, facts_room(area));
    let (level, words, tone) = match dialog.level {
        AccessLevel::BreakGlass => (
            "break-glass",
            "works during a freeze; shows a banner, and everybody is notified",
            Tone::Bad,
        ),
        level => (
            level.as_str(),
            "may change what the rules allow, for 15 minutes",
            Tone::Strong,
        ),
    };
    let mut lines = fact_lines(theme, room, "access", level, tone);
    lines.extend(fact_lines(theme, room, "", words, Tone::Dim));
    let env = model.env_named(&dialog.env);
    let elevation = env.and_then(|env| env.access.value().zip(env.elevation_remaining(model.now)));
    if let Some((access, left)) = elevation {
        let why = access
            .reason
            .as_deref()
            .map(|reason| format!(": {}", redact(reason)))
            .unwrap_or_default();
        let words = format!("{}, {} left{why}", access.level, age(left));
        lines.extend(fact_lines(theme, room, "you have", &words, Tone::Plain));
    }
    lines
}
