//! The chain: each line holds the hash of the line before it, so that a line cannot be changed,
//! taken out, put in or moved without the lines after it saying so.
//!
//! # The exact form
//!
//! A chained line is one JSON object on one line, without white space between its members, in
//! UTF-8:
//!
//! ```text
//! {"seq":2,<members of the entry>,"prev":"<64 hex digits>","hash":"<64 hex digits>"}
//! ```
//!
//! - `seq` counts from 1, without gaps.
//! - `prev` is the `hash` of the line before. In the first line it is 64 zeros, or, where older
//!   lines
//!   without a chain stand before it, the SHA-256 of those lines, each with its line feed.
//! - `hash` is the last member. It is the SHA-256 of the line without it and without the line feed,
//!   byte for byte as written: the line up to `,"hash":"`, and a `}`.
//! - Hex digits are lower-case.
//!
//! Since the bytes of the line are hashed and not its meaning, a member that this version does not
//! know is covered like any other. Without payops, the hash of line 7 is found by `sed -n 7p
//! audit.jsonl | sed 's/,"hash":"[0-9a-f]*"}$/}/' | tr -d '\n' | sha256sum`.
//!
//! The chain alone does not stop somebody who writes all of it anew; a [`Head`] that is kept
//! elsewhere does.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::AuditEntry;
use crate::domain::sha256_hex;

/// What the first line of a new record names as the hash before it.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

const HASH_MEMBER: &str = ",\"hash\":\"";
const HASH_END: &str = "\"}";
const HEX_DIGITS: usize = 64;

/// Where a chain stands: its last line's number and hash. Kept elsewhere, it is an anchor: no line
/// up to it can be changed or lost unseen.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Head {
    /// Number of the last line; 0 before the first.
    pub seq: u64,
    /// Its hash; before the first line what that line will name as `prev`.
    pub hash: String,
}

impl Head {
    #[must_use]
    pub fn genesis() -> Self {
        Self {
            seq: 0,
            hash: GENESIS.to_owned(),
        }
    }

    /// The head of a record whose lines, without their line feeds, are all older than the chain.
    #[must_use]
    pub fn after_legacy<L: AsRef<[u8]>>(lines: impl IntoIterator<Item = L>) -> Self {
        let mut legacy = Legacy::default();
        for line in lines {
            legacy.add(line.as_ref());
        }
        legacy.head()
    }

    /// The head that a record has after `line`, if that is a chained line whose hash is that of its
    /// content.
    #[must_use]
    pub fn of_line(line: &[u8]) -> Option<Self> {
        match Line::read(line) {
            Line::Chained { head, .. } => Some(head),
            Line::Unchained | Line::Changed | Line::NotJson => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainedEntry {
    /// Its number, from 1.
    pub seq: u64,
    #[serde(flatten)]
    pub entry: AuditEntry,
    pub prev: String,
    pub hash: String,
}

#[derive(Serialize)]
struct Content<'a> {
    seq: u64,
    #[serde(flatten)]
    entry: &'a AuditEntry,
    prev: &'a str,
}

/// Why a line could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The entry could not be written as JSON.
    #[error("the entry could not be written as JSON")]
    Json(#[from] serde_json::Error),
    /// The last line bears the highest number there is.
    #[error("the record's last number is the highest there is: that line is damaged")]
    Full,
}

/// The line that follows `last` (`None` in an empty record), without a line feed, and the head
/// after it.
pub fn chain(entry: &AuditEntry, last: Option<&Head>) -> Result<(String, Head), ChainError> {
    let (seq, prev) = last.map_or((0, GENESIS), |head| (head.seq, head.hash.as_str()));
    let seq = seq.checked_add(1).ok_or(ChainError::Full)?;
    let content = serde_json::to_string(&Content { seq, entry, prev })?;
    let hash = sha256_hex(content.as_bytes());
    let open = content.strip_suffix('}').unwrap_or(&content);
    Ok((
        format!("{open}{HASH_MEMBER}{hash}{HASH_END}"),
        Head { seq, hash },
    ))
}

/// Adds up the lines that are older than the chain.
#[derive(Clone, Debug, Default)]
pub(super) struct Legacy {
    pub(super) lines: u64,
    hasher: Sha256,
}

impl Legacy {
    pub(super) fn add(&mut self, line: &[u8]) {
        self.lines = self.lines.saturating_add(1);
        self.hasher.update(line);
        self.hasher.update(b"\n");
    }

    pub(super) fn head(&self) -> Head {
        if self.lines == 0 {
            Head::genesis()
        } else {
            Head {
                seq: 0,
                hash: hex::encode(self.hasher.clone().finalize()),
            }
        }
    }
}

pub(super) enum Line {
    /// Of a chain, and its hash is that of its content.
    Chained {
        head: Head,
        prev: String,
    },
    Unchained,
    /// It has members of a chain, but they are not what was written.
    Changed,
    NotJson,
}

impl Line {
    pub(super) fn read(line: &[u8]) -> Self {
        let Ok(serde_json::Value::Object(members)) = serde_json::from_slice(line) else {
            return Self::NotJson;
        };
        if ["seq", "prev", "hash"]
            .iter()
            .all(|name| !members.contains_key(*name))
        {
            return Self::Unchained;
        }
        let seq = members.get("seq").and_then(serde_json::Value::as_u64);
        let prev = members.get("prev").and_then(serde_json::Value::as_str);
        match (seq, prev, hash_of(line)) {
            (Some(seq), Some(prev), Some(hash)) if is_hash(prev.as_bytes()) => Self::Chained {
                head: Head { seq, hash },
                prev: prev.to_owned(),
            },
            _ => Self::Changed,
        }
    }
}

/// The hash at the end of a line, if it is that of the line's content.
fn hash_of(line: &[u8]) -> Option<String> {
    let rest = line.strip_suffix(HASH_END.as_bytes())?;
    let (open, hash) = rest.split_at_checked(rest.len().checked_sub(HEX_DIGITS)?)?;
    let open = open.strip_suffix(HASH_MEMBER.as_bytes())?;
    let found = hex::encode(
        Sha256::new()
            .chain_update(open)
            .chain_update(b"}")
            .finalize(),
    );
    (found.as_bytes() == hash).then_some(found)
}

fn is_hash(text: &[u8]) -> bool {
    text.len() == HEX_DIGITS && text.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;

    fn entry() -> AuditEntry {
        AuditEntry::new(Timestamp::UNIX_EPOCH, "anna", "prod", "replay")
            .subject("payments-work-dlq")
            .detail("plan", "rp_1")
    }

    #[test]
    fn a_line_is_exactly_this() {
        let (line, head) = chain(&entry(), None).expect("a line");
        let open = format!(
            r#"{{"seq":1,"at":"1970-01-01T00:00:00Z","who":"anna","env":"prod","action":"replay","subject":"payments-work-dlq","reason":null,"detail":{{"plan":"rp_1"}},"prev":"{GENESIS}""#
        );
        let hash = sha256_hex(format!("{open}}}").as_bytes());
        assert_eq!(line, format!(r#"{open},"hash":"{hash}"}}"#));
        assert_eq!((head.seq, &head.hash), (1, &hash));
        assert_eq!(
            hash,
            "ae0e4081906039dc31d28944631de27f1c5c0b866ddc767a01b869cfeb859066"
        );
    }

    #[test]
    fn a_line_reads_back_and_names_the_one_before() {
        let (_, first) = chain(&entry(), None).expect("a line");
        let (line, head) = chain(&entry().reason("\"quoted\"\n"), Some(&first)).expect("a line");
        let read: ChainedEntry = serde_json::from_str(&line).expect("an entry");
        assert_eq!(read.entry, entry().reason("\"quoted\"\n"));
        assert_eq!(
            (read.seq, read.prev, read.hash),
            (2, first.hash, head.hash.clone())
        );
        assert_eq!(
            serde_json::from_str::<AuditEntry>(&line)
                .expect("an older payops reads it")
                .who,
            "anna"
        );
        assert_eq!(Head::of_line(line.as_bytes()), Some(head));
        assert_eq!(line.lines().count(), 1);
    }

    #[test]
    fn older_lines_are_bound_by_the_first_of_the_chain() {
        assert_eq!(
            Head::after_legacy(["a", "b"]),
            Head {
                seq: 0,
                hash: sha256_hex(b"a\nb\n")
            }
        );
        assert_eq!(Head::after_legacy::<&str>([]), Head::genesis());
    }

    #[test]
    fn a_chain_does_not_count_past_the_last_number() {
        let last = Head {
            seq: u64::MAX,
            hash: GENESIS.to_owned(),
        };
        assert!(matches!(
            chain(&entry(), Some(&last)),
            Err(ChainError::Full)
        ));
    }
}
