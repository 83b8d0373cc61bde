//! What people see: columns without borders, short ages, colours that only repeat what words say.

use comfy_table::{CellAlignment, ContentArrangement, Table as Grid, presets};
use jiff::Timestamp;
use payops_core::domain::display::age_since;
use payops_core::domain::mask::terminal;

use super::{InEnv, Row};

#[derive(Clone, Debug)]
pub(crate) struct Style {
    pub(crate) now: Timestamp,
    pub(crate) color: bool,
    pub(crate) wide: bool,
}

impl Style {
    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        Self {
            now: "2026-11-22T12:10:00Z".parse().expect("a time"),
            color: false,
            wide: false,
        }
    }

    /// How long ago `at` was: `12s`.
    pub(crate) fn ago(&self, at: Timestamp) -> String {
        age_since(at, self.now)
    }

    /// The text in the colour of its tone, where there are colours.
    pub(crate) fn paint(&self, text: &str, tone: Tone) -> String {
        let code = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Good => 32,
            Tone::Warn => 33,
            Tone::Bad => 31,
            Tone::Dim => 2,
        };
        if self.color {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

/// What a colour says; never anything that the words do not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    #[default]
    Plain,
    Good,
    Warn,
    Bad,
    Dim,
}

impl Tone {
    pub(crate) fn of_status(status: &str) -> Self {
        match status {
            "completed" | "refunded" | "partially_refunded" => Self::Good,
            "failed" | "review" | "dead" => Self::Bad,
            "processing" => Self::Warn,
            _ => Self::Plain,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    title: &'static str,
    right: bool,
    wide: bool,
}

impl Column {
    pub(crate) const fn text(title: &'static str) -> Self {
        Self {
            title,
            right: false,
            wide: false,
        }
    }

    pub(crate) const fn number(title: &'static str) -> Self {
        Self {
            title,
            right: true,
            wide: false,
        }
    }

    /// Shown with `-o wide` only.
    pub(crate) const fn wide(self) -> Self {
        Self {
            title: self.title,
            right: self.right,
            wide: true,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A cell with that tone; the text is made safe for a terminal.
    pub(crate) fn toned(text: impl AsRef<str>, tone: Tone) -> Self {
        Self {
            text: terminal(text.as_ref()),
            tone,
        }
    }

    pub(crate) fn maybe(text: Option<impl AsRef<str>>) -> Self {
        text.map_or_else(
            || Self::toned("-", Tone::Dim),
            |text| Self::from(text.as_ref()),
        )
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::toned(text, Tone::Plain)
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(crate) fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        Self {
            columns: columns.into_iter().collect(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The lines, header first; empty when there are no rows.
    pub(crate) fn render(&self, style: &Style) -> String {
        let shown = |place: &usize| {
            self.columns
                .get(*place)
                .is_some_and(|column| style.wide || !column.wide)
        };
        let places: Vec<usize> = (0..self.columns.len()).filter(shown).collect();
        if self.rows.is_empty() {
            return String::new();
        }
        let empty = Cell::from("");
        let rows: Vec<Vec<&Cell>> = self
            .rows
            .iter()
            .map(|row| {
                places
                    .iter()
                    .map(|place| row.get(*place).unwrap_or(&empty))
                    .collect()
            })
            .collect();
        let columns: Vec<&Column> = places
            .iter()
            .filter_map(|place| self.columns.get(*place))
            .collect();
        let mut grid = Grid::new();
        grid.load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled);
        grid.set_header(columns.iter().map(|column| column.title));
        for row in &rows {
            grid.add_row(row.iter().map(|cell| cell.text.as_str()));
        }
        for (place, column) in columns.iter().enumerate() {
            if let Some(grid) = grid.column_mut(place) {
                grid.set_padding((u16::from(place > 0), 1));
                grid.set_cell_alignment(if column.right {
                    CellAlignment::Right
                } else {
                    CellAlignment::Left
                });
            }
        }
        let mut out = String::new();
        for (number, line) in grid.lines().enumerate() {
            let cells = number.checked_sub(1).and_then(|number| rows.get(number));
            out.push_str(
                cells
                    .map_or_else(
                        || style.paint(line.trim_end(), Tone::Dim),
                        |cells| painted(line.trim_end(), cells, style),
                    )
                    .as_str(),
            );
            out.push('\n');
        }
        out
    }
}

/// Colours the cells of a finished line: colour codes must not take part in its spacing.
fn painted(line: &str, cells: &[&Cell], style: &Style) -> String {
    let (mut out, mut rest) = (String::new(), line);
    for cell in cells.iter().filter(|cell| !cell.text.is_empty()) {
        let Some((before, after)) = rest
            .find(cell.text.as_str())
            .and_then(|start| rest.split_at_checked(start))
        else {
            continue;
        };
        out.push_str(before);
        out.push_str(&style.paint(&cell.text, cell.tone));
        rest = after.strip_prefix(cell.text.as_str()).unwrap_or(after);
    }
    out.push_str(rest);
    out
}

/// A list with its header; with several environments the first column says which.
pub(super) fn list<T: Row>(rows: &[InEnv<T>], many: bool, style: &Style) -> String {
    let env = many.then_some(Column::text("ENV"));
    let mut table = Table::new(env.into_iter().chain(T::COLUMNS.iter().copied()));
    for row in rows {
        let env = many.then(|| Cell::from(&row.env));
        table.row(env.into_iter().chain(row.value.cells(style)));
    }
    table.render(style)
}

/// Names and values under each other; those without a value are left out.
pub(crate) fn details<'a>(
    style: &Style,
    pairs: impl IntoIterator<Item = (&'a str, Option<Cell>)>,
) -> String {
    let pairs: Vec<(&str, Cell)> = pairs
        .into_iter()
        .filter_map(|(name, cell)| Some((name, cell?)))
        .collect();
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line = |(name, cell): &(&str, Cell)| {
        format!(
            "{}  {}\n",
            style.paint(&format!("{name:<width$}"), Tone::Dim),
            style.paint(&cell.text, cell.tone)
        )
    };
    pairs.iter().map(line).collect()
}

/// A time with how long ago it was: `2026-11-22T12:00:00Z (10m ago)`.
pub(crate) fn moment(style: &Style, at: Timestamp) -> Cell {
    Cell::from(format!("{at} ({} ago)", style.ago(at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new([
            Column::text("ID"),
            Column::number("AMOUNT"),
            Column::text("STATUS"),
            Column::text("MORE").wide(),
        ]);
        table.row([
            Cell::from("a"),
            Cell::from("12.50"),
            Cell::toned("completed", Tone::Good),
            Cell::from("x"),
        ]);
        table.row([
            Cell::from("bbb\u{1b}[2J"),
            Cell::from("7"),
            Cell::toned("failed", Tone::Bad),
            Cell::maybe(None::<&str>),
        ]);
        table
    }

    #[test]
    fn columns_line_up_without_borders() {
        insta::assert_snapshot!(table().render(&Style::plain()));
        insta::assert_snapshot!(table().render(&Style {
            wide: true,
            ..Style::plain()
        }));
        assert_eq!(Table::new([Column::text("ID")]).render(&Style::plain()), "");
    }

    #[test]
    fn colours_leave_the_spacing_alone() {
        let text = table().render(&Style {
            color: true,
            ..Style::plain()
        });
        assert!(text.contains("\u{1b}[32mcompleted\u{1b}[0m"), "{text:?}");
        let mut plain = text;
        for code in ["\u{1b}[32m", "\u{1b}[31m", "\u{1b}[2m", "\u{1b}[0m"] {
            plain = plain.replace(code, "");
        }
        assert_eq!(plain, table().render(&Style::plain()));
    }
}
