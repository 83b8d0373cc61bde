//! The selection in a list. It is an item, not a row number: rows may come and go.

use std::sync::Arc;

pub(crate) type ItemKey = Arc<str>;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) key: Option<ItemKey>,
    pub(crate) row: usize,
    pub(crate) top: usize,
    /// Whether the user has moved it; until then it is the first row, whatever that is.
    pub(crate) chosen: bool,
}

impl Cursor {
    /// Moves to a row; the item there becomes the selection in [`Cursor::settle`].
    pub(crate) fn move_to(&mut self, row: usize) {
        self.row = row;
        self.key = None;
        self.chosen = true;
    }

    /// Keeps the selected item, even where nobody moved to it.
    pub(crate) fn pin(&mut self) {
        self.chosen |= self.key.is_some();
    }

    pub(crate) fn move_by(&mut self, by: isize) {
        self.move_to(self.row.saturating_add_signed(by));
    }

    /// Finds the selected item again after rows changed, and keeps it on screen. When it is
    /// gone, the selection is the item now in its row. `height` rows are on screen.
    pub(crate) fn settle(
        &mut self,
        rows: usize,
        height: usize,
        key: impl Fn(usize) -> Option<ItemKey>,
    ) {
        if self.chosen
            && let Some(selected) = &self.key
            && key(self.row).as_ref() != Some(selected)
            && let Some(row) = (0..rows).find(|row| key(*row).as_ref() == Some(selected))
        {
            // The item keeps its place on screen where possible.
            let place = self.row.saturating_sub(self.top);
            self.row = row;
            self.top = row.saturating_sub(place);
        }
        self.row = self.row.min(rows.saturating_sub(1));
        self.key = key(self.row);
        let height = height.max(1);
        self.top = self.top.min(self.row).min(rows.saturating_sub(height));
        if self.row >= self.top.saturating_add(height) {
            self.top = self.row.saturating_add(1).saturating_sub(height);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settle(cursor: &mut Cursor, rows: &[&str]) {
        cursor.settle(rows.len(), 3, |row| {
            rows.get(row).map(|key| ItemKey::from(*key))
        });
    }

    #[test]
    fn the_selection_follows_the_item() {
        let mut cursor = Cursor::default();
        settle(&mut cursor, &["a", "b", "c"]);
        cursor.move_by(1);
        settle(&mut cursor, &["a", "b", "c"]);
        settle(&mut cursor, &["x", "y", "z", "a", "b"]);
        assert_eq!((cursor.key.as_deref(), cursor.row), (Some("b"), 4));
        settle(&mut cursor, &["a", "c"]);
        assert_eq!((cursor.key.as_deref(), cursor.row), (Some("c"), 1));
        settle(&mut cursor, &[]);
        assert_eq!((cursor.key.as_deref(), cursor.row), (None, 0));
    }

    #[test]
    fn the_first_row_is_selected_until_it_moves() {
        let mut cursor = Cursor::default();
        settle(&mut cursor, &["m"]);
        settle(&mut cursor, &["a", "m"]);
        assert_eq!(cursor.key.as_deref(), Some("a"));
        cursor.pin();
        settle(&mut cursor, &["0", "a", "m"]);
        assert_eq!((cursor.key.as_deref(), cursor.row), (Some("a"), 1));
    }

    #[test]
    fn the_selection_stays_on_screen() {
        let rows = ["a", "b", "c", "d", "e"];
        let mut cursor = Cursor::default();
        cursor.move_by(4);
        settle(&mut cursor, &rows);
        assert_eq!(cursor.top, 2);
        cursor.move_by(-1);
        settle(&mut cursor, &rows);
        assert_eq!((cursor.row, cursor.top), (3, 2));
        cursor.move_by(-9);
        settle(&mut cursor, &rows);
        assert_eq!((cursor.row, cursor.top), (0, 0));
    }
}
