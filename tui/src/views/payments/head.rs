//! Above the list of payments: the box, a hint or a problem, and which store answered.

use payops_core::domain::display::{age_since, thousands};
use payops_core::domain::mask;
use payops_core::domain::pan::contains_card_number;
use payops_core::usecase::SearchResult;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::model::Model;
use crate::redact::redact;
use crate::search_hint::hint;
use crate::theme::Tone;
use crate::widgets::pane;
use crate::widgets::table::{self, draw_lines};

const HEAD: u16 = 4;

const PROMPT: &str = " search › ";

pub(super) fn below(area: Rect) -> Rect {
    let head = HEAD.min(area.height);
    Rect {
        y: area.y + head,
        height: area.height - head,
        ..area
    }
}

/// Draws the box, a hint or a problem, and which store answered. The lines are always there, so
/// that nothing below moves.
pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let (theme, state) = (model.theme, &model.payments);
    let width = usize::from(area.width);
    let text = state.filter.text();
    // A card number that was typed or pasted is never drawn.
    let card = contains_card_number(text).then(|| mask::tail(text, 4));
    let drawn = card.as_deref().unwrap_or(text);
    let room = width.saturating_sub(PROMPT.chars().count() + 1);
    let scroll = state.filter.input.visual_scroll(room);
    let typed = if text.is_empty() && !state.filter.open {
        Span::styled(
            "press / to search: id, e-mail, last4, amount, reference, field:value",
            theme.style(Tone::Dim),
        )
    } else {
        Span::raw(mask::terminal(
            &drawn.chars().skip(scroll).collect::<String>(),
        ))
    };
    let tone = if state.filter.open {
        Tone::Accent
    } else {
        Tone::Strong
    };
    let first = Line::from(vec![Span::styled(PROMPT, theme.style(tone)), typed]);
    let second = match &state.problem {
        Some(problem) => Line::styled(format!(" ✖ {problem}"), theme.style(Tone::Bad)),
        None if state.filter.open => {
            Line::styled(format!(" {}", hint(text)), theme.style(Tone::Dim))
        }
        None => Line::default(),
    };
    for (y, line) in (area.y..area.bottom()).zip([first, second, answer_line(model)]) {
        frame.render_widget(
            table::clip_line(&line, width),
            Rect {
                y,
                height: 1,
                ..area
            },
        );
    }
    if state.filter.open {
        let place =
            state.filter.input.visual_cursor().saturating_sub(scroll) + PROMPT.chars().count();
        let x = area.x
            + u16::try_from(place)
                .unwrap_or(u16::MAX)
                .min(area.width.saturating_sub(1));
        frame.set_cursor_position((x, area.y));
    }
}

/// How many were found, which store answered and how fresh that is.
fn answer_line(model: &Model) -> Line<'static> {
    let theme = model.theme;
    let Some(found) = model.payments.results.value() else {
        return Line::default();
    };
    let listed = u64::try_from(found.docs.len()).unwrap_or(u64::MAX);
    let total = if found.total == 1 {
        "1 payment".to_owned()
    } else {
        format!("{} payments", thousands(found.total))
    };
    let more = if found.total > listed {
        format!(", newest {} shown", thousands(listed))
    } else {
        String::new()
    };
    let mut spans = vec![Span::raw(" ")];
    if !model.search_is_current() {
        let waiting = if model.payments.problem.is_some() {
            "for the previous text: "
        } else {
            "◌ "
        };
        spans.push(Span::styled(waiting, theme.style(Tone::Accent)));
    }
    spans.push(Span::styled(
        format!("{total}{more}"),
        theme.style(Tone::Strong),
    ));
    let newest = found.freshness.newest.map_or_else(
        || "empty".to_owned(),
        |newest| format!("newest {}", age_since(newest, model.now)),
    );
    let store = format!(
        " · {} · {} documents · {newest}",
        found.freshness.store,
        thousands(found.freshness.documents)
    );
    if found.from_store {
        spans.push(Span::styled(
            " · not indexed yet; from the primary store",
            theme.style(Tone::Warn),
        ));
    } else {
        spans.push(Span::styled(store, theme.style(Tone::Dim)));
    }
    Line::from(spans)
}

pub(super) fn draw_no_match(
    model: &Model,
    frame: &mut Frame<'_>,
    area: Rect,
    found: &SearchResult,
) {
    if found.freshness.documents == 0 {
        pane::draw_empty(
            model,
            frame,
            area,
            false,
            "the index is empty: no payments have been indexed yet",
        );
        return;
    }
    if found.parts.is_empty() {
        pane::draw_empty(
            model,
            frame,
            area,
            false,
            "no payments match; fields match by prefix, for example reference:INV-",
        );
        return;
    }
    pane::draw_empty(
        model,
        frame,
        area,
        false,
        "no payment matches all terms; each term alone matches:",
    );
    let parts = found.parts.iter().map(|(part, total)| {
        // A term without matches is why there is no result.
        let tone = if *total == 0 { Tone::Bad } else { Tone::Plain };
        (tone, format!("{:>9}  {}", thousands(*total), redact(part)))
    });
    let area = Rect {
        y: area.y.saturating_add(1),
        height: area.height.saturating_sub(1),
        ..area
    };
    draw_lines(model, frame, area, &parts.collect::<Vec<_>>(), 0);
}
