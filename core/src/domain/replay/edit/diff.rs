//! What differs between two bodies, line by line, without what must not be shown.

use serde_json::Value;
use similar::{Algorithm, DiffTag, capture_diff_slices};

use crate::domain::privacy::Privacy;

/// How many pairs of lines are compared at most, so that two large bodies without anything in
/// common cost no minutes: they are shown one after the other.
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
    pub fn text(&self, privacy: Privacy) -> &str {
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
    fn with(&self, change: LineChange) -> DiffLine {
        DiffLine {
            change,
            masked: self.masked.clone(),
            revealed: self.revealed.clone(),
        }
    }
}

/// The lines of both bodies, each JSON that is written out or a text as it is.
pub(super) fn diff_bodies(old: &str, new: &str) -> Vec<DiffLine> {
    let (old, new) = (split_lines(old), split_lines(new));
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
    let (head, tail) = (
        old.get(..start).unwrap_or_default(),
        old.get(middle(&old).end..).unwrap_or_default(),
    );
    mark_lines(head, LineChange::Same)
        .chain(diff_lines(left, right))
        .chain(mark_lines(tail, LineChange::Same))
        .collect()
}

/// The lines of a body. Masking keeps the shape of JSON, so the lines of the masked document stand
/// beside those of the raw one; should they not, each line is masked by itself.
fn split_lines(body: &str) -> Vec<Line> {
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

/// Removed, added and common lines.
fn diff_lines(old: &[Line], new: &[Line]) -> Vec<DiffLine> {
    if old.len().saturating_mul(new.len()) > PAIRS_MAX {
        return mark_lines(old, LineChange::Removed)
            .chain(mark_lines(new, LineChange::Added))
            .collect();
    }
    let raw = |lines: &[Line]| {
        lines
            .iter()
            .map(|line| line.raw.clone())
            .collect::<Vec<_>>()
    };
    let ops = capture_diff_slices(Algorithm::Myers, &raw(old), &raw(new));
    let mut out = Vec::new();
    for op in ops {
        let (tag, from, to) = op.as_tag_tuple();
        let (from, to) = (
            old.get(from).unwrap_or_default(),
            new.get(to).unwrap_or_default(),
        );
        if tag == DiffTag::Equal {
            out.extend(mark_lines(from, LineChange::Same));
        } else {
            out.extend(
                mark_lines(from, LineChange::Removed).chain(mark_lines(to, LineChange::Added)),
            );
        }
    }
    out
}

fn mark_lines(lines: &[Line], change: LineChange) -> impl Iterator<Item = DiffLine> {
    lines.iter().map(move |line| line.with(change))
}
