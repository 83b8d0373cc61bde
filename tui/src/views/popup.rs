//! A box over the view, and what is drawn in it: facts, lines to type in.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Padding};
use tui_input::Input;
use unicode_width::UnicodeWidthStr as _;

use crate::model::Model;
use crate::text::{clip, fit_prefix};
use crate::theme::{Theme, Tone};

pub(super) fn popup_width(area: Rect) -> u16 {
    area.width.saturating_sub(4).clamp(1, 100).min(area.width)
}

pub(super) fn lines_height(lines: &[Line<'_>], area: Rect) -> u16 {
    let width = popup_width(area).saturating_sub(4).max(1);
    let rows: usize = lines
        .iter()
        .map(|line| line.width().max(1).div_ceil(usize::from(width)))
        .sum();
    u16::try_from(rows).unwrap_or(u16::MAX)
}

/// Draws an empty box with a title; returns the area inside it.
pub(super) fn draw_popup(
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

/// Draws a line to type in, with its label, and puts the cursor there.
pub(super) fn draw_input(
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
    let visible: String = input.value().chars().skip(scroll).collect();
    let line = Line::from(vec![
        Span::styled(label.to_owned(), model.theme.style(Tone::Dim)),
        Span::raw(clip(&visible, room)),
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
pub(super) fn split_bottom(inner: Rect, rows: u16) -> (Rect, Rect) {
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

/// Columns of the names on the left of a plan.
const LABEL: usize = 11;

/// `text` in lines of at most `width` columns, broken between words where there are any.
pub(super) fn wrap_words(text: &str, width: usize) -> Vec<String> {
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
                let rest = word.split_off(fit_prefix(&word, width).len());
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

/// A labelled text: it continues below itself, not below its label.
pub(super) fn fact_lines(
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
    labels.zip(wrap_words(text, room)).map(line).collect()
}

/// On the lower edge of a pop-up: which of its lines are on screen, when not all are.
pub(super) fn draw_scroll_hint(
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_wider_than_a_line_goes_on_in_the_next() {
        assert_eq!(
            wrap_words("ab abcdef 決済決済", 5),
            ["ab", "abcde", "f", "決済", "決済"]
        );
        assert_eq!(wrap_words("決済", 1), ["決", "済"]);
        assert_eq!(wrap_words("", 5), [""]);
    }
}
