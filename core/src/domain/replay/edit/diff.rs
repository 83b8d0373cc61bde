//! What differs between two bodies, line by line, without what must not be shown.

use serde_json::Value;

use crate::domain::privacy::Privacy;

/// How many pairs of lines are compared; two bodies that differ in more are shown one after the
/// other.
const PAIRS_MAX: usize = 1_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LineChange {
    Same,
    /// It is in the old body only.
    Removed,
    /// It is in the new body only.
    Added,
}

/// A line of a body that is written out, with personal data masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiffLine {
    pub change: LineChange,
    masked: String,
    revealed: String,
}

impl DiffLine {
    /// The line as it may be shown: personal data only when it is revealed, card numbers never. Two
    /// lines that differ in what is masked look alike, and yet one is removed and the other added.
    #[must_use]
    pub fn shown(&self, privacy: Privacy) -> &str {
        if privacy.reveal {
            &self.revealed
        } else {
            &self.masked
        }
    }
}

/// A line as it is, for comparing, and as it may be shown.
struct Line {
    raw: String,
    masked: String,
    revealed: String,
}

impl Line {
    fn told(&self, change: LineChange) -> DiffLine {
        DiffLine {
            change,
            masked: self.masked.clone(),
            revealed: self.revealed.clone(),
        }
    }
}

/// The lines of both bodies, each JSON that is written out or a text as it is.
pub(super) fn between(old: &str, new: &str) -> Vec<DiffLine> {
    let (old, new) = (lines(old), lines(new));
    let same = |(one, two): &(&Line, &Line)| one.raw == two.raw;
    let start = old.iter().zip(&new).take_while(same).count();
    let rest = old.len().min(new.len()).saturating_sub(start);
    let end = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take(rest)
        .take_while(same)
        .count();
    let middle = |lines: &'_ [Line]| start..lines.len().saturating_sub(end);
    let (left, right) = (
        old.get(middle(&old)).unwrap_or_default(),
        new.get(middle(&new)).unwrap_or_default(),
    );
    let mut out: Vec<DiffLine> = old
        .iter()
        .take(start)
        .map(|line| line.told(LineChange::Same))
        .collect();
    out.extend(changed(left, right));
    out.extend(
        old.iter()
            .skip(old.len().saturating_sub(end))
            .map(|line| line.told(LineChange::Same)),
    );
    out
}

/// The lines of a body. Masking keeps the shape of JSON, so the lines of the masked document stand
/// beside those of the raw one; should they not, each line is masked by itself.
fn lines(body: &str) -> Vec<Line> {
    const MASKED: Privacy = Privacy { reveal: false };
    const REVEALED: Privacy = Privacy { reveal: true };
    let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap_or_default();
    let split = |text: &str| text.split('\n').map(str::to_owned).collect::<Vec<_>>();
    let Ok(value) = serde_json::from_str::<Value>(body) else {
        let line = |raw: &str| Line {
            raw: raw.to_owned(),
            masked: MASKED.text(raw),
            revealed: REVEALED.text(raw),
        };
        return body.split('\n').map(line).collect();
    };
    let raw = split(&pretty(&value));
    let (masked, revealed) = (
        split(&pretty(&MASKED.json(&value))),
        split(&pretty(&REVEALED.json(&value))),
    );
    if masked.len() == raw.len() && revealed.len() == raw.len() {
        let both = masked.into_iter().zip(revealed);
        return raw
            .into_iter()
            .zip(both)
            .map(|(raw, (masked, revealed))| Line {
                raw,
                masked,
                revealed,
            })
            .collect();
    }
    let hidden = || "•••".to_owned();
    raw.into_iter()
        .map(|raw| Line {
            raw,
            masked: hidden(),
            revealed: hidden(),
        })
        .collect()
}

/// Removed, added and common lines, by the longest common subsequence.
fn changed(old: &[Line], new: &[Line]) -> Vec<DiffLine> {
    let removed = || old.iter().map(|line| line.told(LineChange::Removed));
    let added = || new.iter().map(|line| line.told(LineChange::Added));
    if old.is_empty() || new.is_empty() || old.len().saturating_mul(new.len()) > PAIRS_MAX {
        return removed().chain(added()).collect();
    }
    let lengths = lengths(old, new);
    let length = |row: usize, column: usize| {
        lengths
            .get(row)
            .and_then(|row| row.get(column))
            .copied()
            .unwrap_or(0)
    };
    let (mut row, mut column) = (0_usize, 0_usize);
    let mut out = Vec::new();
    loop {
        match (old.get(row), new.get(column)) {
            (Some(one), Some(two)) if one.raw == two.raw => {
                out.push(one.told(LineChange::Same));
                (row, column) = (row.saturating_add(1), column.saturating_add(1));
            }
            (Some(one), two)
                if two.is_none()
                    || length(row.saturating_add(1), column)
                        >= length(row, column.saturating_add(1)) =>
            {
                out.push(one.told(LineChange::Removed));
                row = row.saturating_add(1);
            }
            (_, Some(two)) => {
                out.push(two.told(LineChange::Added));
                column = column.saturating_add(1);
            }
            _ => return out,
        }
    }
}

/// For each pair of places, how many lines what follows has in common.
fn lengths(old: &[Line], new: &[Line]) -> Vec<Vec<u32>> {
    let mut below = vec![0_u32; new.len().saturating_add(1)];
    let mut out = vec![below.clone()];
    for one in old.iter().rev() {
        let mut row = vec![0_u32; new.len().saturating_add(1)];
        let mut right = 0_u32;
        for (column, two) in new.iter().enumerate().rev() {
            let at = |place: usize| below.get(place).copied().unwrap_or(0);
            let length = if one.raw == two.raw {
                at(column.saturating_add(1)).saturating_add(1)
            } else {
                at(column).max(right)
            };
            if let Some(place) = row.get_mut(column) {
                *place = length;
            }
            right = length;
        }
        below.clone_from(&row);
        out.push(row);
    }
    out.reverse();
    out
}
