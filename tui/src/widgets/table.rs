//! A list in columns. Only rows on screen are computed; columns that do not fit are left out, the
//! least needed first.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr as _;

use crate::model::{Cursor, Model};
use crate::text::clip;
use crate::theme::Tone;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) title: &'static str,
    pub(crate) width: u16,
    pub(crate) flex: u16,
    pub(crate) right: bool,
    /// How dispensable it is: the highest goes first, 0 never.
    pub(crate) rank: u8,
}

impl Column {
    pub(crate) const fn text(title: &'static str, width: u16) -> Self {
        Self {
            title,
            width,
            flex: 0,
            right: false,
            rank: 0,
        }
    }

    pub(crate) const fn number(title: &'static str, width: u16) -> Self {
        Self {
            title,
            width,
            flex: 0,
            right: true,
            rank: 0,
        }
    }

    /// The same, taking a share of what is left over.
    pub(crate) const fn flex(self, flex: u16) -> Self {
        Self { flex, ..self }
    }

    pub(crate) const fn rank(self, rank: u8) -> Self {
        Self { rank, ..self }
    }
}

const GAP: u16 = 2;
/// Before the first and after the last.
const MARGIN: u16 = 1;

/// Where rows are when a table with a title row is drawn in `area`.
pub(crate) fn rows_area(area: Rect) -> Rect {
    Rect {
        y: area.y.saturating_add(1),
        height: area.height.saturating_sub(1),
        ..area
    }
}

/// Number, place and width of each column that fits into `width`.
pub(crate) fn arrange(columns: &[Column], width: u16) -> Vec<(usize, u16, u16)> {
    let room = width.saturating_sub(2 * MARGIN);
    let mut fitting: Vec<usize> = (0..columns.len()).collect();
    let of = |place: &usize| columns.get(*place);
    let needed = |fitting: &[usize]| -> u16 {
        let widths: u16 = fitting
            .iter()
            .filter_map(of)
            .map(|column| column.width)
            .sum();
        widths.saturating_add(
            GAP.saturating_mul(u16::try_from(fitting.len().saturating_sub(1)).unwrap_or(u16::MAX)),
        )
    };
    while needed(&fitting) > room {
        let worst = fitting
            .iter()
            .filter_map(|place| Some((columns.get(*place)?.rank, *place)))
            .filter(|(rank, _)| *rank > 0)
            .max();
        let Some((_, place)) = worst else { break };
        fitting.retain(|fitting| *fitting != place);
    }
    let spare = room.saturating_sub(needed(&fitting));
    let shares: u16 = fitting
        .iter()
        .filter_map(of)
        .map(|column| column.flex)
        .sum();
    let mut x = MARGIN;
    let mut out = Vec::new();
    for place in fitting {
        let Some(column) = columns.get(place) else {
            continue;
        };
        let more = spare
            .saturating_mul(column.flex)
            .checked_div(shares)
            .unwrap_or(0);
        let wide = column
            .width
            .saturating_add(more)
            .min(width.saturating_sub(x));
        out.push((place, x, wide));
        x = x.saturating_add(wide).saturating_add(GAP);
    }
    out
}

/// Draws titles and the rows on screen. `cells` gives the cells of a row, one for each column.
pub(crate) fn draw<'a>(
    model: &Model,
    frame: &mut Frame<'_>,
    area: Rect,
    columns: &[Column],
    list: (&Cursor, usize),
    cells: impl Fn(usize) -> Vec<Line<'a>>,
) {
    let (cursor, rows) = list;
    let places = arrange(columns, area.width);
    let buffer = frame.buffer_mut();
    for (column, x, width) in &places {
        let Some(column) = columns.get(*column) else {
            continue;
        };
        let title = Line::styled(column.title, model.theme.style(Tone::Dim));
        put(buffer, area, (*x, 0, *width), &title, column.right);
    }
    let body = rows_area(area);
    let end = rows.min(cursor.top.saturating_add(usize::from(body.height)));
    for (y, row) in (cursor.top..end).enumerate() {
        let y = u16::try_from(y).unwrap_or(u16::MAX);
        let line = Rect {
            y: body.y.saturating_add(y),
            height: 1,
            ..body
        };
        let cells = cells(row);
        for (column, x, width) in &places {
            let (Some(cell), Some(column)) = (cells.get(*column), columns.get(*column)) else {
                continue;
            };
            put(buffer, line, (*x, 0, *width), cell, column.right);
        }
        if row == cursor.row {
            mark_selected(buffer, line, model.theme.style(Tone::Selected));
        }
    }
    draw_range(model, buffer, area, (cursor.top, end, rows));
}

/// Marks the selected row: by a sign at its beginning too, not by its colour alone.
pub(crate) fn mark_selected(buffer: &mut Buffer, line: Rect, style: Style) {
    buffer.set_style(line, style);
    buffer.set_string(line.x, line.y, "▸", style);
}

/// Draws which rows are on screen, when not all are: at the end of the title row, or else of
/// another line above the rows, wherever that hides nothing.
fn draw_range(
    model: &Model,
    buffer: &mut Buffer,
    area: Rect,
    (top, end, rows): (usize, usize, usize),
) {
    if area.height == 0 || end <= top || (top == 0 && end >= rows) {
        return;
    }
    let text = format!(" {}-{end} of {rows} ", top.saturating_add(1));
    let width = u16::try_from(text.width()).unwrap_or(0);
    if width >= area.width {
        return;
    }
    let x = area.right().saturating_sub(width);
    let is_blank = |y: &u16| {
        (x..area.right()).all(|x| {
            buffer
                .cell((x, *y))
                .is_some_and(|cell| cell.symbol().trim().is_empty())
        })
    };
    let above = (buffer.area.top()..area.y).rev();
    let line = std::iter::once(area.y).chain(above).find(is_blank);
    // Rows out of sight must be known of, even where that hides a title.
    let y = line.unwrap_or(area.y);
    buffer.set_string(x, y, text, model.theme.style(Tone::Dim));
}

/// Puts a line in its place, clipped with `…`.
fn put(
    buffer: &mut Buffer,
    area: Rect,
    (x, y, width): (u16, u16, u16),
    line: &Line<'_>,
    right: bool,
) {
    if width == 0 || area.height <= y {
        return;
    }
    let line = clip_line(line, usize::from(width));
    let used = u16::try_from(line.width()).unwrap_or(width).min(width);
    let indent = if right { width.saturating_sub(used) } else { 0 };
    buffer.set_line(
        area.x.saturating_add(x).saturating_add(indent),
        area.y.saturating_add(y),
        &line,
        width,
    );
}

/// A line in at most `width` columns.
pub(crate) fn clip_line(line: &Line<'_>, width: usize) -> Line<'static> {
    let mut left = width;
    let mut spans = Vec::new();
    let fits = line.width() <= width;
    for span in &line.spans {
        let text = if fits {
            span.content.to_string()
        } else {
            clip(&span.content, left)
        };
        let cut = !fits && text.as_str() != span.content;
        left = left.saturating_sub(text.width());
        spans.push(Span::styled(text, line.style.patch(span.style)));
        if cut || (!fits && left == 0) {
            break;
        }
    }
    Line::from(spans)
}

/// Draws lines of text from `top` on.
pub(crate) fn draw_lines(
    model: &Model,
    frame: &mut Frame<'_>,
    area: Rect,
    lines: &[(Tone, String)],
    top: usize,
) {
    for (y, (tone, text)) in (area.y..area.bottom()).zip(lines.iter().skip(top)) {
        let line = Line::styled(format!(" {text}"), model.theme.style(*tone));
        frame.render_widget(
            clip_line(&line, usize::from(area.width)),
            Rect {
                y,
                height: 1,
                ..area
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_do_not_fit_go_by_rank() {
        let columns = [
            Column::text("A", 10).flex(1),
            Column::text("B", 10).rank(1),
            Column::text("C", 10).rank(2),
        ];
        let fitting = |width| {
            arrange(&columns, width)
                .into_iter()
                .map(|(place, _, _)| place)
                .collect::<Vec<_>>()
        };
        assert_eq!(fitting(36), [0, 1, 2]);
        assert_eq!(fitting(35), [0, 1]);
        assert_eq!(fitting(20), [0]);
        assert_eq!(arrange(&columns, 40)[0], (0, 1, 14));
        assert_eq!(arrange(&columns, 5), [(0, 1, 4)]);
    }
}
