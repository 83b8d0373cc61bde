//! Whether a record is still what was written; and if not, which line says so first.

use super::chain::{Head, Legacy, Line};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Lines at the beginning that are older than the chain.
    pub legacy: u64,
    pub entries: u64,
    /// Where it stands: what the next line follows, and what to keep elsewhere as an anchor.
    pub head: Head,
}

/// Where a record is not what was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {kind}")]
pub struct ChainBreak {
    /// Which line of the file, from 1; 0 in an empty file.
    pub line: u64,
    pub seq: u64,
    pub kind: ChainBreakKind,
}

/// What is wrong with a line, or with all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainBreakKind {
    /// The line's hash is not that of its content.
    #[error("was changed after it was written: its hash does not match its content")]
    Changed,
    /// Numbers are missing before the line, and stand nowhere after it.
    #[error("{missing} before it were removed")]
    Removed { missing: u64 },
    #[error("is out of order: the line that belongs here is further down")]
    Reordered,
    /// A number that was there already: one of the two was copied or put in.
    #[error("repeats the number {seq}: a line was copied or inserted")]
    Repeated { seq: u64 },
    /// The line does not name the hash of the line before: one of the two was written anew.
    #[error("does not follow the line before it: one of them was rewritten")]
    Unlinked,
    /// A line without a chain after the chain began.
    #[error("has no number and no hash: written by an older payops or manually")]
    Unchained,
    /// The lines that are older than the chain are not those that it began after.
    #[error(
        "starts the chain, but does not match the {legacy} lines before it: one of them was \
            changed, removed or inserted"
    )]
    LegacyChanged { legacy: u64 },
    #[error("is damaged: not a JSON object")]
    NotJson,
    /// The last line, and not a JSON object: its end is missing.
    #[error("is the last line and is truncated")]
    CutShort,
    #[error("is the last line, but the anchor shows that {missing} after it are missing")]
    Truncated {
        /// How many lines are missing at least.
        missing: u64,
    },
    /// Everything fits together, but the line is not the one that the anchor knows.
    #[error("does not match the anchor: the record was rewritten at least up to here")]
    Rewritten,
}

/// Checks a record one line after another, in memory that does not grow with it.
#[derive(Clone, Debug, Default)]
pub struct Verifier {
    anchor: Option<Head>,
    legacy: Legacy,
    /// The first line before the chain that is no JSON. The chain's first line may vouch for it.
    odd: Option<u64>,
    /// The last line of the chain so far.
    head: Option<Head>,
    line: u64,
    rewritten: Option<ChainBreak>,
    broken: Option<ChainBreak>,
}

impl Verifier {
    /// A check of a record; against what is known of it from elsewhere, if anything is.
    #[must_use]
    pub fn new(anchor: Option<&Head>) -> Self {
        Self {
            anchor: anchor.cloned(),
            ..Self::default()
        }
    }

    /// A check that goes on after a line of the chain that was checked before: `head` is what that
    /// line said, `line` its place in the file.
    #[must_use]
    pub fn after(head: Head, line: u64) -> Self {
        Self {
            head: Some(head),
            line,
            ..Self::default()
        }
    }

    /// The last line of the chain so far, if all lines up to it are right.
    #[must_use]
    pub fn last(&self) -> Option<&Head> {
        self.head.as_ref().filter(|_| self.broken.is_none())
    }

    /// Where the record is not what was written, as far as that is known yet: a line further down
    /// may tell more.
    #[must_use]
    pub fn broken(&self) -> Option<&ChainBreak> {
        self.broken.as_ref()
    }

    /// The next line, without its line feed. `number` is its place in the file, from 1.
    pub fn line(&mut self, number: u64, text: &[u8]) {
        self.line = number;
        match &mut self.broken {
            Some(broken) => explain(broken, text),
            None => self.broken = self.find_fault(number, text),
        }
    }

    pub fn end(self) -> Result<Verified, ChainBreak> {
        if let Some(broken) = self.broken {
            return Err(broken);
        }
        if let (Some(line), None) = (self.odd, &self.head) {
            let kind = if line == self.line {
                ChainBreakKind::CutShort
            } else {
                ChainBreakKind::NotJson
            };
            return Err(ChainBreak { line, seq: 1, kind });
        }
        let rewritten = if self.head.is_none() {
            self.check_anchor(self.line, &self.legacy.head())
        } else {
            None
        };
        if let Some(rewritten) = self.rewritten.or(rewritten) {
            return Err(rewritten);
        }
        let head = self.head.unwrap_or_else(|| self.legacy.head());
        let missing = self
            .anchor
            .map_or(0, |anchor| anchor.seq.saturating_sub(head.seq));
        if missing > 0 {
            return Err(ChainBreak {
                line: self.line,
                seq: head.seq.saturating_add(1),
                kind: ChainBreakKind::Truncated { missing },
            });
        }
        Ok(Verified {
            legacy: self.legacy.lines,
            entries: head.seq,
            head,
        })
    }

    /// Takes a line into the chain, or says what is wrong with it.
    fn find_fault(&mut self, line: u64, text: &[u8]) -> Option<ChainBreak> {
        let seq = self
            .head
            .as_ref()
            .map_or(1, |head| head.seq.saturating_add(1));
        let report = |kind| Some(ChainBreak { line, seq, kind });
        match (Line::read(text), &self.head) {
            (Line::Changed, _) => report(ChainBreakKind::Changed),
            (Line::Chained { head, prev }, last) => {
                if let Some(broken) = self.find_misplaced(line, seq, &head, &prev, last.as_ref()) {
                    return Some(broken);
                }
                let start = if self.head.is_none() {
                    self.check_anchor(line, &self.legacy.head())
                } else {
                    None
                };
                self.rewritten = self
                    .rewritten
                    .take()
                    .or(start)
                    .or_else(|| self.check_anchor(line, &head));
                self.head = Some(head);
                None
            }
            (Line::Unchained, Some(_)) => report(ChainBreakKind::Unchained),
            // Whether more lines follow is not known yet.
            (Line::NotJson, Some(_)) => report(ChainBreakKind::CutShort),
            (Line::Unchained, None) => {
                self.legacy.add(text);
                None
            }
            (Line::NotJson, None) => {
                self.odd = self.odd.or(Some(line));
                self.legacy.add(text);
                None
            }
        }
    }

    /// What is wrong with the place of a line whose hash is right.
    fn find_misplaced(
        &self,
        line: u64,
        seq: u64,
        found: &Head,
        prev: &str,
        last: Option<&Head>,
    ) -> Option<ChainBreak> {
        let report = |kind| Some(ChainBreak { line, seq, kind });
        match (found.seq.checked_sub(seq), last) {
            // The first lines of the chain may be the ones that are no JSON.
            (Some(missing), None) if missing > 0 => {
                let removed = ChainBreak {
                    line,
                    seq,
                    kind: ChainBreakKind::Removed { missing },
                };
                Some(self.odd.map_or(removed, |line| ChainBreak {
                    line,
                    seq,
                    kind: ChainBreakKind::NotJson,
                }))
            }
            (Some(missing), Some(_)) if missing > 0 => report(ChainBreakKind::Removed { missing }),
            (None, _) => report(ChainBreakKind::Repeated { seq: found.seq }),
            (_, Some(last)) if last.hash != prev => report(ChainBreakKind::Unlinked),
            (_, None) if self.legacy.head().hash != prev => report(ChainBreakKind::LegacyChanged {
                legacy: self.legacy.lines,
            }),
            _ => None,
        }
    }

    fn check_anchor(&self, line: u64, head: &Head) -> Option<ChainBreak> {
        let anchor = self.anchor.as_ref()?;
        (anchor.seq == head.seq && anchor.hash != head.hash).then_some(ChainBreak {
            line,
            seq: head.seq,
            kind: ChainBreakKind::Rewritten,
        })
    }
}

/// What a line further down tells of a break: whether the missing line only stands elsewhere.
fn explain(broken: &mut ChainBreak, text: &[u8]) {
    match broken.kind {
        ChainBreakKind::CutShort => broken.kind = ChainBreakKind::NotJson,
        ChainBreakKind::Removed { .. }
            if Head::of_line(text).is_some_and(|head| head.seq == broken.seq) =>
        {
            broken.kind = ChainBreakKind::Reordered;
        }
        _ => {}
    }
}

/// Checks all lines, each with its number in the file from 1 and without its line feed; the first
/// break is told.
///
/// Lines are split at line feeds alone: see `numbered`. `str::lines` drops a carriage return,
/// which is a change.
pub fn verify<L: AsRef<[u8]>>(
    lines: impl IntoIterator<Item = (u64, L)>,
    anchor: Option<&Head>,
) -> Result<Verified, ChainBreak> {
    let mut verifier = Verifier::new(anchor);
    for (number, line) in lines {
        verifier.line(number, line.as_ref());
    }
    verifier.end()
}

/// The lines of a file, with their numbers from 1. A line feed at the end begins no other line.
pub fn number_lines(text: &str) -> impl Iterator<Item = (u64, &str)> {
    (1_u64..).zip(text.split_terminator('\n'))
}
