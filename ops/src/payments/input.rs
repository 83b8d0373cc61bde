//! Reading a file of payments, line by line, without ever holding more than a few of them.
//! A line that is no request is reported with its number; the rest goes on.

use std::fmt;
use std::io::BufRead;

use payops_core::domain::request::BODY_BYTES_MAX;
use payops_core::domain::text::IdempotencyKey;
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PaymentLine {
    /// From 1.
    pub(super) number: u64,
    pub(super) key: String,
    /// The body: the line without the key, its values byte for byte.
    pub(super) body: String,
}

/// Why a line was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LineError {
    /// The number of the line, from 1.
    pub line: u64,
    pub code: String,
    pub message: String,
    pub param: Option<String>,
}

impl LineError {
    pub(super) fn new(
        line: u64,
        code: &str,
        message: impl Into<String>,
        param: Option<&str>,
    ) -> Self {
        Self {
            line,
            code: code.to_owned(),
            message: message.into(),
            param: param.map(str::to_owned),
        }
    }
}

pub(super) type ReadLine = Result<PaymentLine, LineError>;

/// Reads lines until the input ends or `take` returns `false`. Blank lines are skipped and counted.
pub(super) fn read_lines(
    mut input: impl BufRead,
    mut take: impl FnMut(ReadLine) -> bool,
) -> std::io::Result<()> {
    let mut number = 0_u64;
    let mut line = Vec::new();
    loop {
        line.clear();
        let Some(whole) = read_line(&mut input, &mut line)? else {
            return Ok(());
        };
        number = number.saturating_add(1);
        let bytes = if number == 1 {
            line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line)
        } else {
            &line
        };
        let bytes = bytes.trim_ascii();
        if bytes.is_empty() {
            continue;
        }
        let read = if whole {
            parse(number, bytes)
        } else {
            Err(too_long(number))
        };
        if !take(read) {
            return Ok(());
        }
    }
}

/// Reads one line without keeping more of it than is allowed: `Some(false)` for one that is too
/// long, `None` at the end.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<Option<bool>> {
    let mut whole = true;
    let mut any = false;
    loop {
        let buffer = match input.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if buffer.is_empty() {
            return Ok(any.then_some(whole));
        }
        any = true;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let part = buffer
            .get(..end.unwrap_or(buffer.len()))
            .unwrap_or_default();
        // A little more than allowed, so that a carriage return does not count.
        if line.len().saturating_add(part.len()) <= BODY_BYTES_MAX.saturating_add(1) {
            line.extend_from_slice(part);
        } else {
            whole = false;
            // Enough to see that the line is not blank.
            if line.is_empty() {
                line.push(b'x');
            }
        }
        let used = part.len().saturating_add(usize::from(end.is_some()));
        input.consume(used);
        if end.is_some() {
            return Ok(Some(whole));
        }
    }
}

fn too_long(number: u64) -> LineError {
    LineError::new(
        number,
        "line_too_long",
        format!("the line is longer than {BODY_BYTES_MAX} bytes"),
        None,
    )
}

fn parse(number: u64, bytes: &[u8]) -> ReadLine {
    if bytes.len() > BODY_BYTES_MAX {
        return Err(too_long(number));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|_| LineError::new(number, "invalid_utf8", "the line is not UTF-8", None))?;
    let members: Members = serde_json::from_str(text).map_err(|error| {
        // The parser's own words may quote the line; the place is enough.
        let (code, message) = if error.is_data() {
            ("not_an_object", "the line is not a JSON object")
        } else {
            ("invalid_json", "the line is not valid JSON")
        };
        LineError::new(
            number,
            code,
            format!("{message}, at column {}", error.column()),
            None,
        )
    })?;
    let param = Some("idempotency_key");
    let (mut keys, others): (Vec<_>, Vec<_>) = members
        .0
        .into_iter()
        .partition(|(name, _)| name == "idempotency_key");
    let value = match (keys.pop(), keys.is_empty()) {
        (Some((_, value)), true) => value,
        (Some(_), false) => {
            return Err(LineError::new(
                number,
                "duplicate_field",
                "duplicate field",
                param,
            ));
        }
        (None, _) => {
            return Err(LineError::new(
                number,
                "missing_field",
                "`idempotency_key` is missing; without it, a second run could charge twice",
                param,
            ));
        }
    };
    let wrong = |message: String| LineError::new(number, "invalid_idempotency_key", message, param);
    let key: String = serde_json::from_str(value.get())
        .map_err(|_| wrong("`idempotency_key` must be a string".to_owned()))?;
    let key: IdempotencyKey = key
        .parse()
        .map_err(|error| wrong(format!("`idempotency_key` {error}")))?;
    let mut body = String::with_capacity(bytes.len());
    for (name, value) in others {
        body.push(if body.is_empty() { '{' } else { ',' });
        body.push_str(&serde_json::Value::String(name).to_string());
        body.push(':');
        body.push_str(value.get());
    }
    body.push_str(if body.is_empty() { "{}" } else { "}" });
    Ok(PaymentLine {
        number,
        key: key.as_str().to_owned(),
        body,
    })
}

/// The members of an object with their values unread: what is sent is what was written, a member
/// that stands twice included, so that the API and not this tool decides on it.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut out = Vec::new();
        while let Some(entry) = map.next_entry()? {
            out.push(entry);
        }
        Ok(Members(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &[u8]) -> Vec<ReadLine> {
        let mut out = Vec::new();
        // A small buffer, so that lines span several reads.
        let input = std::io::BufReader::with_capacity(7, input);
        read_lines(input, |read| {
            out.push(read);
            true
        })
        .expect("read");
        out
    }

    fn code(read: &ReadLine) -> (u64, &str) {
        match read {
            Ok(line) => (line.number, "ok"),
            Err(error) => (error.line, error.code.as_str()),
        }
    }

    #[test]
    fn the_body_is_the_line_without_its_key() {
        let input = b"\xef\xbb\xbf{\"amount\": 10 , \"idempotency_key\":\"k-1\",\"metadata\":{ \"a\":\"b\" },\"amount\":1e400}\r\n";
        let line = all(input).remove(0).expect("a line");
        assert_eq!(
            (line.key.as_str(), line.body.as_str()),
            (
                "k-1",
                r#"{"amount":10,"metadata":{ "a":"b" },"amount":1e400}"#
            )
        );
        assert_eq!(
            all(b"{\"idempotency_key\":\"k\"}")[0]
                .as_ref()
                .expect("a line")
                .body,
            "{}"
        );
    }

    #[test]
    fn bad_lines_are_named_and_the_rest_goes_on() {
        let mut input = b"{\"idempotency_key\":\"a\"}\n\n  \
            \nnonsense\n[1]\n\xff\xfe\n{\"amount\":1}\n{\"idempotency_key\":7}\n"
            .to_vec();
        input.extend(
            format!(
                "{{\"idempotency_key\":\"b\",\"x\":\"{}\"}}\n",
                "y".repeat(BODY_BYTES_MAX)
            )
            .bytes(),
        );
        input.extend(b"{\"idempotency_key\":\"a\",\"idempotency_key\":\"b\"}\n{\"idempotency_key\":\"last\"}");
        let reads = all(&input);
        let codes: Vec<_> = reads.iter().map(code).collect();
        let expected = [
            (1, "ok"),
            (4, "invalid_json"),
            (5, "not_an_object"),
            (6, "invalid_utf8"),
            (7, "missing_field"),
            (8, "invalid_idempotency_key"),
            (9, "line_too_long"),
            (10, "duplicate_field"),
            (11, "ok"),
        ];
        assert_eq!(codes, expected);
    }

    #[test]
    fn a_line_may_be_exactly_as_long_as_a_body() {
        let start = "{\"idempotency_key\":\"b\",\"x\":\"";
        let line =
            |length: usize| format!("{start}{}\"}}\r\n", "y".repeat(length - start.len() - 2));
        assert_eq!(code(&all(line(BODY_BYTES_MAX).as_bytes())[0]), (1, "ok"));
        assert_eq!(
            code(&all(line(BODY_BYTES_MAX + 1).as_bytes())[0]),
            (1, "line_too_long")
        );
    }

    #[test]
    fn errors_never_quote_a_line() {
        let reads = all(b"{\"card\": 4242424242424242,,\n\"4242424242424242\"\n");
        assert_eq!(reads.len(), 2);
        assert!(!format!("{reads:?}").contains("4242"), "{reads:?}");
    }

    #[test]
    fn reading_stops_when_nobody_takes_any_more() {
        let mut count = 0;
        read_lines(&b"{}\n{}\n{}\n"[..], |_| {
            count += 1;
            count < 2
        })
        .expect("read");
        assert_eq!(count, 2);
    }
}
