//! Lines of the record that were not shipped yet, read on from where shipping stands, each checked.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};

use payops_core::domain::audit::{
    AuditEntry, ChainBreak, ChainBreakKind, Head, ShippedLine, Verifier,
};

use super::FileAuditLog;
use super::cursor::Cursor;

#[derive(Clone, Debug)]
pub struct EntryOwner {
    pub names: Vec<String>,
    /// Its account: another project may have an environment of the same name in another one.
    pub account: Option<String>,
}

impl EntryOwner {
    fn owns(&self, entry: &AuditEntry) -> bool {
        let other_account = entry.account.is_some() && entry.account != self.account;
        !other_account && self.names.contains(&entry.env)
    }
}

#[derive(Clone, Debug)]
pub struct Position {
    pub head: Head,
    pub line: u64,
    pub offset: u64,
}

#[derive(Clone, Debug, Default)]
pub struct Segment {
    pub lines: Vec<(ShippedLine, Position)>,
    /// The last line that was looked at; `None` when there was none.
    pub end: Option<Position>,
    /// The hash of the record's first line.
    pub chain: String,
    /// Where the record stops being what was written: what follows is not in `lines`.
    pub broken: Option<ChainBreak>,
}

impl FileAuditLog {
    /// Reads on after `from`, at most `limit` lines of `owner`, and none at or after the line
    /// number `before`. What is being written now is left for the next time.
    pub fn segment(
        &self,
        from: Option<&Cursor>,
        owner: &EntryOwner,
        limit: usize,
        before: Option<u64>,
    ) -> std::io::Result<Segment> {
        let mut file = match File::open(self.path()) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Segment {
                    broken: from.map(|cursor| missing_line(cursor, 0)),
                    ..Segment::default()
                });
            }
            Err(error) => return Err(error),
        };
        // A line that is being written now is not a break.
        file.lock_shared()?;
        let mut out = Segment {
            chain: from.map(|cursor| cursor.chain.clone()).unwrap_or_default(),
            ..Segment::default()
        };
        let mut after = from.and_then(|cursor| cursor.shipped.clone());
        let (mut line, mut offset) = from.map_or((0, 0), |cursor| (cursor.line, cursor.offset));
        let length = file.metadata()?.len();
        if let Some(cursor) = from.filter(|cursor| cursor.offset > length) {
            out.broken = Some(missing_line(cursor, line));
            return Ok(out);
        }
        let mut verifier = from.map_or_else(Verifier::default, |cursor| {
            Verifier::after(cursor.seen.clone(), line)
        });
        file.seek(SeekFrom::Start(offset))?;
        let mut reader = BufReader::new(file);
        let mut bytes = Vec::new();
        while out.lines.len() < limit {
            bytes.clear();
            let read = reader.read_until(b'\n', &mut bytes)?;
            if bytes.pop() != Some(b'\n') {
                break;
            }
            line = line.saturating_add(1);
            offset = offset.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
            if before.is_some_and(|before| line >= before) {
                break;
            }
            verifier.line(line, &bytes);
            if let Some(broken) = verifier.broken() {
                out.broken = Some(broken.clone());
                break;
            }
            // Lines older than the chain are bound by its first line, and have no hash of their
            // own.
            let Some(head) = verifier.last().cloned() else {
                continue;
            };
            if out.chain.is_empty() {
                out.chain.clone_from(&head.hash);
            }
            let place = Position {
                head: head.clone(),
                line,
                offset,
            };
            out.end = Some(place.clone());
            if let Some((text, entry)) = whole(&bytes).filter(|(_, entry)| owner.owns(entry)) {
                let shipped = ShippedLine {
                    chain: out.chain.clone(),
                    after: after.replace(head.clone()),
                    head,
                    entry,
                    line: text,
                };
                out.lines.push((shipped, place));
            }
        }
        Ok(out)
    }
}

/// Lines that were shipped are not in the record any more.
fn missing_line(cursor: &Cursor, line: u64) -> ChainBreak {
    ChainBreak {
        line,
        seq: cursor.seen.seq,
        kind: ChainBreakKind::Truncated {
            missing: if line == 0 { cursor.seen.seq } else { 1 },
        },
    }
}

fn whole(bytes: &[u8]) -> Option<(String, AuditEntry)> {
    let text = String::from_utf8(bytes.to_vec()).ok()?;
    let entry = serde_json::from_str(&text).ok()?;
    Some((text, entry))
}
