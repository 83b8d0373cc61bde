//! What lies over a view: palette, help, text to read, questions.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};
use tui_input::Input;

use super::dialogs;
use super::popup::{
    draw_input, draw_popup, draw_scroll_hint, fact_lines, facts_room, line_at, lines_height,
    popup_width, split_bottom, wrap_words,
};
use crate::keymap::{Binding, Command, GLOBAL, SEARCH_PAYMENTS, view_bindings};
use crate::model::{Model, Overlay, Prompt};
use crate::palette;
use crate::theme::Tone;
use crate::widgets::table::clip_line;

const PALETTE_ROWS: usize = 10;

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    match &model.overlay {
        None => {}
        Some(Overlay::Palette { input, chosen }) => {
            draw_palette(model, frame, area, input, *chosen);
        }
        Some(Overlay::Help { top }) => {
            let lines = reading_lines(model, area).unwrap_or_default().0;
            draw_reading(model, frame, area, "Keys", &lines, *top);
        }
        Some(Overlay::Text { title, top, .. }) => {
            let lines = reading_lines(model, area).unwrap_or_default().0;
            draw_reading(model, frame, area, title, &lines, *top);
        }
        Some(Overlay::Environments { chosen }) => draw_environments(model, frame, area, *chosen),
        Some(Overlay::Prompt(prompt)) => draw_prompt(model, frame, area, prompt),
        Some(Overlay::Rollout(dialog)) => dialogs::draw_rollout(model, frame, area, dialog),
        Some(Overlay::Elevate(dialog)) => dialogs::draw_elevate(model, frame, area, dialog),
        Some(Overlay::Replay(dialog)) => dialogs::draw_replay(model, frame, area, dialog),
        Some(Overlay::Confirm(dialog)) => dialogs::draw_confirm(model, frame, area, dialog),
        Some(Overlay::Refused { title, refusal }) => {
            let (theme, room) = (model.theme, facts_room(area));
            let mut lines = fact_lines(theme, room, "✖ refused", &refusal.why, Tone::Bad);
            let instead = fact_lines(theme, room, "instead", &refusal.instead, Tone::Plain);
            lines.extend(instead);
            lines.extend([
                Line::default(),
                Line::styled("Nothing was done. Esc goes back.", theme.style(Tone::Dim)),
            ]);
            let inner = draw_popup(model, frame, area, title, lines_height(&lines, area));
            frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), inner);
        }
    }
}

fn draw_palette(model: &Model, frame: &mut Frame<'_>, area: Rect, input: &Input, chosen: usize) {
    let matches = palette::find_entries(model, input.value());
    let rows = PALETTE_ROWS.min(usize::from(area.height.saturating_sub(4)));
    let inner = draw_popup(
        model,
        frame,
        area,
        "Command",
        u16::try_from(rows + 1).unwrap_or(1),
    );
    draw_input(model, frame, line_at(inner, 0), ": ", input, true);
    if matches.is_empty() {
        let words = palette::explain_no_match(input.value());
        frame.render_widget(
            Line::styled(words, model.theme.style(Tone::Warn)),
            line_at(inner, 1),
        );
    }
    let first = (chosen + 1).saturating_sub(rows);
    for (y, (place, entry)) in (1..).zip(matches.iter().enumerate().skip(first).take(rows)) {
        let names = if entry.aliases.is_empty() {
            String::new()
        } else {
            format!("  ({})", entry.aliases.join(", "))
        };
        let line = Line::from(vec![
            Span::raw(if place == chosen { "▸ " } else { "  " }),
            Span::styled(entry.name.clone(), model.theme.style(Tone::Strong)),
            Span::styled(names, model.theme.style(Tone::Dim)),
            Span::styled(format!("  {}", entry.words), model.theme.style(Tone::Dim)),
        ]);
        let place_of = line_at(inner, y);
        frame.render_widget(line, place_of);
        if place == chosen {
            frame
                .buffer_mut()
                .set_style(place_of, model.theme.style(Tone::Selected));
        }
    }
}

/// The keys of the view on screen, then those that work everywhere.
fn help_lines(model: &Model) -> Vec<Line<'static>> {
    let theme = model.theme;
    let own = view_bindings(model.route());
    let row = |binding: &Binding| {
        let keys = binding
            .keys
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" ");
        let words = if binding.command == Command::Filter && model.filter().is_none() {
            SEARCH_PAYMENTS
        } else {
            binding.words
        };
        Line::from(vec![
            Span::styled(format!("{keys:<14}"), theme.style(Tone::Accent)),
            Span::raw(words),
        ])
    };
    let mut lines = Vec::new();
    if !own.is_empty() {
        lines.push(Line::styled(
            format!("In {}", model.route().tab().as_str()),
            theme.style(Tone::Strong),
        ));
        lines.extend(own.iter().map(row));
        lines.push(Line::default());
    }
    lines.push(Line::styled("Everywhere", theme.style(Tone::Strong)));
    lines.extend(GLOBAL.iter().map(row));
    lines.push(Line::default());
    lines.push(Line::raw(
        "A filter matches all words fuzzily; !word excludes, 'word matches exactly.",
    ));
    lines
}

fn read_height(area: Rect) -> u16 {
    area.height.saturating_sub(4)
}

/// The text of an overlay in lines that fit the screen, and how far it can be scrolled.
pub(crate) fn reading_lines(model: &Model, area: Rect) -> Option<(Vec<Line<'static>>, usize)> {
    let lines = match &model.overlay {
        Some(Overlay::Help { .. }) => help_lines(model),
        Some(Overlay::Text { lines, .. }) => lines
            .iter()
            .map(|(tone, text)| Line::styled(text.clone(), model.theme.style(*tone)))
            .collect(),
        _ => return None,
    };
    let width = usize::from(popup_width(area).saturating_sub(4)).max(1);
    let lines: Vec<Line<'static>> = lines
        .into_iter()
        .flat_map(|line| break_line(line, width))
        .collect();
    let last = lines.len().saturating_sub(usize::from(read_height(area)));
    Some((lines, last))
}

/// Breaks a line into as many as it needs; one of several styles is clipped instead.
fn break_line(line: Line<'static>, width: usize) -> Vec<Line<'static>> {
    if line.width() <= width {
        return vec![line];
    }
    let style = line.style;
    match line.spans.as_slice() {
        [one] => {
            let (style, indent) = (
                style.patch(one.style),
                one.content.len() - one.content.trim_start().len(),
            );
            let indent = " ".repeat(indent.min(width / 2));
            let lines = wrap_words(&one.content, width.saturating_sub(indent.len()).max(1));
            lines
                .into_iter()
                .map(|text| Line::styled(format!("{indent}{text}"), style))
                .collect()
        }
        _ => vec![clip_line(&line, width)],
    }
}

/// Draws text to read, scrolled by `top` lines.
fn draw_reading(
    model: &Model,
    frame: &mut Frame<'_>,
    area: Rect,
    title: &str,
    lines: &[Line<'static>],
    top: usize,
) {
    let height = u16::try_from(lines.len())
        .unwrap_or(u16::MAX)
        .min(read_height(area))
        .max(1);
    let inner = draw_popup(model, frame, area, title, height);
    let last = lines.len().saturating_sub(usize::from(inner.height));
    let visible: Vec<Line<'static>> = lines.iter().skip(top.min(last)).cloned().collect();
    frame.render_widget(Paragraph::new(visible), inner);
    if inner.bottom() < area.bottom() {
        draw_scroll_hint(
            model,
            frame,
            inner,
            (top.min(last), inner.height),
            lines.len(),
        );
    }
}

fn draw_environments(model: &Model, frame: &mut Frame<'_>, area: Rect, chosen: usize) {
    let inner = draw_popup(
        model,
        frame,
        area,
        "Environment",
        u16::try_from(model.envs.len()).unwrap_or(u16::MAX).max(1),
    );
    for (place, env) in model.envs.iter().enumerate() {
        let Ok(y) = u16::try_from(place) else {
            continue;
        };
        if y >= inner.height {
            break;
        }
        let account = [env.info.account.as_deref(), env.info.region.as_deref()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" ");
        let status = if env.is_open() { "" } else { "not open yet" };
        let line = Line::from(vec![
            Span::raw(if place == chosen { "▸ " } else { "  " }),
            Span::styled(
                format!("▌{}▐", env.info.name.to_uppercase()),
                model.theme.environment(&env.info.name, env.info.protected),
            ),
            Span::raw(format!("  {account}  ")),
            Span::styled(status, model.theme.style(Tone::Dim)),
        ]);
        frame.render_widget(line, line_at(inner, y));
    }
}

fn draw_prompt(model: &Model, frame: &mut Frame<'_>, area: Rect, prompt: &Prompt) {
    let lines = vec![Line::raw(prompt.words.clone())];
    let inner = draw_popup(model, frame, area, "Type", lines_height(&lines, area) + 2);
    let (top, bottom) = split_bottom(inner, 2);
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), top);
    draw_input(model, frame, line_at(bottom, 0), "> ", &prompt.input, true);
    if let Some(problem) = &prompt.problem {
        frame.render_widget(
            Line::styled(format!("✖ {problem}"), model.theme.style(Tone::Bad)),
            line_at(bottom, 1),
        );
    }
}
