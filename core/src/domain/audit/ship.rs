//! A line of the record on its way to another place, and what it is called on a bus.
//!
//! # The event
//!
//! Its source is `payops`, its type `payops.audit`, its time that of the entry, and its detail:
//!
//! ```text
//! {"schema":1,"chain":"<hash of the record's first line>","after":{"seq":6,"hash":"…"},
//!  "entry":{<the members of the line, with seq, prev and hash>},"line":"<the line, byte for
//! byte>"}
//! ```
//!
//! - Several people's records reach one bus: `chain` tells them apart, `entry.seq` orders them.
//! - `line` is what the hash was taken of (see the chain's exact form), untouched by whatever
//!   writes JSON
//!   anew on the way. `entry` is the same for rules and filters to look into.
//! - `after` is the line that was shipped to this place before, `null` for the first. A record may
//!   hold lines of
//!   other environments, which go elsewhere: numbers have gaps then, and `after` says that nothing
//!   is missing.
//! - The same line may come twice. Its hash tells.

use serde_json::{Value, json};

use super::{AuditEntry, Head};
use crate::domain::bus::BusEvent;

pub const SHIP_SOURCE: &str = "payops";
pub const SHIP_DETAIL_TYPE: &str = "payops.audit";
const SCHEMA: u32 = 1;

/// A line that is to be kept in another place too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShippedLine {
    /// The hash of the first line of its record.
    pub chain: String,
    /// The line that was shipped to the same place before it.
    pub after: Option<Head>,
    pub head: Head,
    pub entry: AuditEntry,
    /// The line as it stands in the record, without a line feed.
    pub line: String,
}

impl ShippedLine {
    /// The event of the line; without its texts when it is longer than `bytes_max`. Its number and
    /// hash are still in it then, so that the line itself can be checked once it is shown.
    #[must_use]
    pub fn event(&self, bytes_max: usize) -> BusEvent {
        let whole = self.detail(
            &serde_json::from_str(&self.line).unwrap_or(Value::Null),
            Some(&self.line),
        );
        let detail = if whole.to_string().len() <= bytes_max {
            whole
        } else {
            self.detail(&self.abridge(), None)
        };
        BusEvent {
            source: SHIP_SOURCE.to_owned(),
            detail_type: SHIP_DETAIL_TYPE.to_owned(),
            detail,
            at: self.entry.at,
        }
    }

    fn detail(&self, entry: &Value, line: Option<&str>) -> Value {
        json!({
            "schema": SCHEMA, "chain": self.chain, "after": self.after, "entry": entry,
            "line": line,
        })
    }

    fn abridge(&self) -> Value {
        let AuditEntry {
            at,
            who,
            env,
            action,
            outcome,
            ..
        } = &self.entry;
        json!({
            "seq": self.head.seq, "at": at, "who": who, "env": env,
            "action": action, "outcome": outcome,
            "abridged_bytes": self.line.len(), "hash": self.head.hash,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::chain;
    use super::*;
    use crate::Timestamp;
    use crate::domain::sha256_hex;

    fn line(reason: &str) -> ShippedLine {
        let entry = AuditEntry::new(Timestamp::UNIX_EPOCH, "anna", "prod", "refund")
            .subject("pay_1")
            .reason(reason);
        let (line, head) = chain(&entry, None).expect("a line");
        ShippedLine {
            chain: head.hash.clone(),
            after: None,
            head,
            entry,
            line,
        }
    }

    #[test]
    fn the_receiver_can_check_the_hash() {
        let shipped = line("“quoted” \u{7f} \"so\"");
        let event = shipped.event(10_000);
        assert_eq!(
            (event.source.as_str(), event.detail_type.as_str(), event.at),
            ("payops", "payops.audit", Timestamp::UNIX_EPOCH)
        );
        let text: Value = serde_json::from_str(&event.detail.to_string()).expect("JSON");
        let line = text["line"].as_str().expect("a line");
        let hashed = format!("{}}}", line.split_once(",\"hash\":").expect("a hash").0);
        assert_eq!(text["entry"]["hash"], sha256_hex(hashed.as_bytes()));
        assert_eq!(
            (&text["entry"]["action"], &text["after"], &text["schema"]),
            (&json!("refund"), &Value::Null, &json!(1))
        );
    }

    #[test]
    fn a_line_that_is_too_long_goes_without_its_texts() {
        let shipped = line(&"x".repeat(5_000));
        let detail = shipped.event(2_000).detail;
        assert!(detail.to_string().len() < 2_000);
        assert_eq!(
            (&detail["line"], &detail["entry"]["hash"]),
            (&Value::Null, &json!(shipped.head.hash))
        );
        assert_eq!(detail["entry"]["abridged_bytes"], shipped.line.len());
    }
}
