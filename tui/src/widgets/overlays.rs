//! What lies over a view: palette, help, questions.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Padding, Paragraph, Wrap};
use tui_input::Input;
use unicode_width::UnicodeWidthStr as _;

use super::steer;
use super::words::{age, clip, fitting};
use crate::keymap::GLOBAL;
use crate::model::{Choice, Confirm, Field, Model, Overlay, Prompt};
use crate::palette;
use crate::theme::{Theme, Tone};

pub(crate) const PALETTE_ROWS: usize = 10;

pub(crate) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    match &model.overlay {
        None => {}
        Some(Overlay::Palette { input, chosen }) => {
            draw_palette(model, frame, area, input, *chosen)
        }
        Some(Overlay::Help { top }) => {
            let lines = reading(model, area).unwrap_or_default().0;
            read(model, frame, area, "Keys", &lines, *top);
        }
        Some(Overlay::Text { title, top, .. }) => {
            let lines = reading(model, area).unwrap_or_default().0;
            read(model, frame, area, title, &lines, *top);
        }
        Some(Overlay::Choose(choice)) => choose(model, frame, area, choice),
        Some(Overlay::Prompt(prompt)) => draw_prompt(model, frame, area, prompt),
        Some(Overlay::Confirm(confirm)) => draw_confirm(model, frame, area, confirm),
        Some(Overlay::Elevate(dialog)) => steer::elevate(model, frame, area, dialog),
        Some(Overlay::Replay(dialog)) => steer::replay(model, frame, area, dialog),
        Some(Overlay::Agree(dialog)) => steer::agree(model, frame, area, dialog),
        Some(Overlay::Refused { what, refusal }) => {
            let lines = vec![
                Line::styled(format!("✖ {}", refusal.why), model.theme.style(Tone::Bad)),
                Line::from(vec![
                    Span::styled("  instead   ", model.theme.style(Tone::Dim)),
                    Span::raw(refusal.instead.clone()),
                ]),
                Line::default(),
                Line::styled(
                    "Nothing was done. Esc goes back.",
                    model.theme.style(Tone::Dim),
                ),
            ];
            let inner = popup(model, frame, area, what, lines_height(&lines, area));
            frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), inner);
        }
    }
}

pub(super) fn popup_width(area: Rect) -> u16 {
    area.width.saturating_sub(4).clamp(1, 100).min(area.width)
}

fn lines_height(lines: &[Line<'_>], area: Rect) -> u16 {
    let width = popup_width(area).saturating_sub(4).max(1);
    let rows: usize = lines
        .iter()
        .map(|line| line.width().max(1).div_ceil(usize::from(width)))
        .sum();
    u16::try_from(rows).unwrap_or(u16::MAX)
}

/// An empty box with a title, and what is inside it.
pub(super) fn popup(
    model: &Model,
    frame: &mut Frame<'_>,
    area: Rect,
    title: &str,
    height: u16,
) -> Rect {
    let width = popup_width(area);
    let height = height.saturating_add(2).min(area.height);
    let x = area.x + area.width.saturating_sub(width) / 2;
    let y = area.y + area.height.saturating_sub(height) / 3;
    let place = Rect {
        x,
        y,
        width,
        height,
    };
    frame.render_widget(Clear, place);
    let block = Block::bordered()
        .title(Line::styled(
            format!(" {} ", clip(title, usize::from(width.saturating_sub(4)))),
            model.theme.style(Tone::Strong),
        ))
        .border_style(model.theme.style(Tone::Dim))
        .padding(Padding::horizontal(1));
    let inner = block.inner(place);
    frame.render_widget(block, place);
    inner
}

/// A line to type in, with its label; puts the cursor there.
pub(super) fn input_line(
    model: &Model,
    frame: &mut Frame<'_>,
    area: Rect,
    label: &str,
    input: &Input,
    focused: bool,
) {
    let label_width = u16::try_from(label.width()).unwrap_or(0);
    let room = usize::from(area.width.saturating_sub(label_width + 1)).max(1);
    let scroll = input.visual_scroll(room);
    let shown: String = input.value().chars().skip(scroll).collect();
    let line = Line::from(vec![
        Span::styled(label.to_owned(), model.theme.style(Tone::Dim)),
        Span::raw(clip(&shown, room)),
    ]);
    frame.render_widget(line, area);
    if focused {
        let x = area.x
            + label_width
            + u16::try_from(input.visual_cursor().saturating_sub(scroll)).unwrap_or(0);
        frame.set_cursor_position((x.min(area.right().saturating_sub(1)), area.y));
    }
}

/// The lines of a pop-up, split from its last `rows` rows.
pub(super) fn split(inner: Rect, rows: u16) -> (Rect, Rect) {
    let top = inner.height.saturating_sub(rows);
    (
        Rect {
            height: top,
            ..inner
        },
        Rect {
            y: inner.y + top,
            height: inner.height - top,
            ..inner
        },
    )
}

pub(super) fn line_at(area: Rect, y: u16) -> Rect {
    Rect {
        y: area.y + y.min(area.height.saturating_sub(1)),
        height: 1.min(area.height),
        ..area
    }
}

fn draw_palette(model: &Model, frame: &mut Frame<'_>, area: Rect, input: &Input, chosen: usize) {
    let matches = palette::matches(model, input.value());
    let rows = PALETTE_ROWS.min(usize::from(area.height.saturating_sub(4)));
    let inner = popup(
        model,
        frame,
        area,
        "Command",
        u16::try_from(rows + 1).unwrap_or(1),
    );
    input_line(model, frame, line_at(inner, 0), ": ", input, true);
    if matches.is_empty() {
        frame.render_widget(
            Line::styled("no command of that name", model.theme.style(Tone::Warn)),
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
pub(crate) fn help_lines(model: &Model) -> Vec<Line<'static>> {
    let theme = model.theme;
    let own = crate::views::of(model.route()).bindings();
    let row = |binding: &crate::keymap::Binding| {
        let keys = binding
            .keys
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" ");
        Line::from(vec![
            Span::styled(format!("{keys:<14}"), theme.style(Tone::Accent)),
            Span::raw(binding.words),
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
        "A filter is words that must all match, fuzzily; !word must not, 'word exactly.",
    ));
    lines
}

fn read_height(area: Rect) -> u16 {
    area.height.saturating_sub(4)
}

/// What an overlay gives to read, in lines as wide as the screen lets them be; and how far it can
/// be scrolled.
pub(crate) fn reading(model: &Model, area: Rect) -> Option<(Vec<Line<'static>>, usize)> {
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
        .flat_map(|line| broken(line, width))
        .collect();
    let last = lines.len().saturating_sub(usize::from(read_height(area)));
    Some((lines, last))
}

/// A line in as many as it needs; one of several styles is clipped instead.
fn broken(line: Line<'static>, width: usize) -> Vec<Line<'static>> {
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
            let lines = wrap(&one.content, width.saturating_sub(indent.len()).max(1));
            lines
                .into_iter()
                .map(|text| Line::styled(format!("{indent}{text}"), style))
                .collect()
        }
        _ => vec![super::table::clipped(&line, width)],
    }
}

/// Something to read, scrolled by `top` lines.
fn read(
    model: &Model,
    frame: &mut Frame<'_>,
    area: Rect,
    title: &str,
    lines: &[Line<'static>],
    top: usize,
) {
    let wanted = u16::try_from(lines.len())
        .unwrap_or(u16::MAX)
        .min(read_height(area))
        .max(1);
    let inner = popup(model, frame, area, title, wanted);
    let last = lines.len().saturating_sub(usize::from(inner.height));
    let shown: Vec<Line<'static>> = lines.iter().skip(top.min(last)).cloned().collect();
    frame.render_widget(Paragraph::new(shown), inner);
    if inner.bottom() < area.bottom() {
        scroll_hint(
            model,
            frame,
            inner,
            (top.min(last), inner.height),
            lines.len(),
        );
    }
}

/// On the lower edge of a pop-up: which of its lines are on screen, when not all are.
pub(super) fn scroll_hint(
    model: &Model,
    frame: &mut Frame<'_>,
    inner: Rect,
    (top, rows): (usize, u16),
    lines: usize,
) {
    let rows = usize::from(rows);
    if rows < lines {
        let hint = format!(" ↑↓ {}-{} of {lines} ", top + 1, top + rows);
        let x = inner
            .right()
            .saturating_sub(u16::try_from(hint.width()).unwrap_or(0))
            .max(inner.x);
        frame.buffer_mut().set_stringn(
            x,
            inner.bottom(),
            hint,
            usize::from(inner.width),
            model.theme.style(Tone::Dim),
        );
    }
}

fn choose(model: &Model, frame: &mut Frame<'_>, area: Rect, choice: &Choice) {
    let inner = popup(
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
        let stands = if env.is_open() { "" } else { "not open yet" };
        let line = Line::from(vec![
            Span::raw(if place == choice.chosen { "▸ " } else { "  " }),
            Span::styled(
                format!("▌{}▐", env.info.name.to_uppercase()),
                model.theme.environment(&env.info.name, env.info.protected),
            ),
            Span::raw(format!("  {account}  ")),
            Span::styled(stands, model.theme.style(Tone::Dim)),
        ]);
        frame.render_widget(line, line_at(inner, y));
    }
}

fn draw_prompt(model: &Model, frame: &mut Frame<'_>, area: Rect, prompt: &Prompt) {
    let lines = vec![Line::raw(prompt.words.clone())];
    let inner = popup(model, frame, area, "Type", lines_height(&lines, area) + 2);
    let (top, bottom) = split(inner, 2);
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), top);
    input_line(model, frame, line_at(bottom, 0), "> ", &prompt.input, true);
    if let Some(problem) = &prompt.problem {
        frame.render_widget(
            Line::styled(format!("✖ {problem}"), model.theme.style(Tone::Bad)),
            line_at(bottom, 1),
        );
    }
}

/// Columns of the names on the left of a plan.
const LABEL: usize = 11;

/// `text` in lines of at most `width` columns, broken between words where there are any.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let mut word = word.to_owned();
        while let Some(last) = lines.last_mut() {
            let gap = usize::from(!last.is_empty());
            if last.width() + gap + word.width() <= width {
                last.push_str(if gap > 0 { " " } else { "" });
                last.push_str(&word);
                break;
            }
            if last.is_empty() {
                // A word wider than a line is cut.
                let rest = word.split_off(fitting(&word, width).len());
                last.push_str(&word);
                word = rest;
                if word.is_empty() {
                    break;
                }
            }
            lines.push(String::new());
        }
    }
    lines
}

pub(super) fn facts_room(area: Rect) -> usize {
    usize::from(popup_width(area).saturating_sub(4))
        .saturating_sub(LABEL)
        .max(8)
}

/// Something that is told, with its label: the text goes on below itself, not below its label.
pub(super) fn pair(
    theme: Theme,
    room: usize,
    name: &str,
    text: &str,
    tone: Tone,
) -> Vec<Line<'static>> {
    let labels = std::iter::once(name).chain(std::iter::repeat(""));
    let line = |(label, text): (&str, String)| {
        Line::from(vec![
            Span::styled(format!("{label:<LABEL$}"), theme.style(Tone::Dim)),
            Span::styled(text, theme.style(tone)),
        ])
    };
    labels.zip(wrap(text, room)).map(line).collect()
}

fn draw_confirm(model: &Model, frame: &mut Frame<'_>, area: Rect, confirm: &Confirm) {
    let theme = model.theme;
    let plan = &confirm.plan;
    let room = facts_room(area);
    let pair = |name: &str, text: &str, tone: Tone| pair(theme, room, name, text, tone);
    let mut lines = pair("now", &plan.now, Tone::Plain);
    lines.extend(pair("after", &plan.after, Tone::Strong));
    lines.extend(
        plan.warnings
            .iter()
            .flat_map(|warning| pair("⚠ warning", warning, Tone::Warn)),
    );
    let bound = format!(
        "resourceVersion {} (seen {} ago): refused if anything moved",
        plan.resource_version,
        age(confirm.seen_at, model.now)
    );
    lines.extend(pair("bound to", &bound, Tone::Plain));
    lines.extend(pair("same as", &plan.same_as, Tone::Dim));
    let rows = if confirm.protected { 5 } else { 2 };
    let env = confirm.id.env.to_uppercase();
    let title = format!("{} {} in {env}", plan.action.as_str(), plan.key);
    let inner = popup(
        model,
        frame,
        area,
        &title,
        lines_height(&lines, area) + rows,
    );
    // However small the screen is, what is typed stays on it.
    let (top, bottom) = split(inner, rows.min(inner.height));
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), top);
    if !confirm.protected {
        frame.render_widget(
            Line::styled(
                "y or Enter goes on, Esc leaves it.",
                theme.style(Tone::Strong),
            ),
            line_at(bottom, 1),
        );
        return;
    }
    let say = clip(
        &format!("Type {} to go on, Esc to leave", plan.key.name),
        usize::from(bottom.width),
    );
    frame.render_widget(
        Line::styled(say, theme.style(Tone::Strong)),
        line_at(bottom, 1),
    );
    input_line(
        model,
        frame,
        line_at(bottom, 2),
        "why (kept)  ",
        &confirm.reason,
        confirm.field == Field::Reason,
    );
    input_line(
        model,
        frame,
        line_at(bottom, 3),
        "name        ",
        &confirm.name,
        confirm.field == Field::Name,
    );
    if let Some(problem) = &confirm.problem {
        frame.render_widget(
            Line::styled(format!("✖ {problem}"), theme.style(Tone::Bad)),
            line_at(bottom, 4),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_wider_than_a_line_goes_on_in_the_next() {
        assert_eq!(
            wrap("ab abcdef 決済決済", 5),
            ["ab", "abcde", "f", "決済", "決済"]
        );
        assert_eq!(wrap("決済", 1), ["決", "済"]);
        assert_eq!(wrap("", 5), [""]);
    }
}
