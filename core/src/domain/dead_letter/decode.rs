//! What a body is: step by step from the outside in, with a bound on every step. Nothing here is
//! masked: that is for whoever shows it.

use std::borrow::Cow;
use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::domain::bus::Envelope;

pub const LAYERS_MAX: usize = 8;
/// How much is unpacked, in bytes: what a gzip bomb costs at most.
pub const UNPACKED_MAX: usize = 4 * 1024 * 1024;
const DEPTH_MAX: usize = 64;
/// The least length of a text that base64 is believed to hold.
const TEXT_MIN: usize = 16;

/// What bytes are, without what they hold.
#[derive(Debug, PartialEq)]
pub(super) enum Decoded {
    /// An event of `EventBridge`.
    Event(Box<Envelope>),
    /// A notification of S3.
    S3(Value),
    /// A notification of SNS, without its message, and the message.
    Sns(Value, String),
    Json(Value),
    /// Base64, and what it holds.
    Base64(Vec<u8>),
    /// gzip, and what it holds, or why that is not known.
    Gzip(Result<Vec<u8>, &'static str>),
    /// None of these, and why it is not JSON.
    Text(&'static str),
}

/// Says what `bytes` are.
pub(super) fn decode(bytes: &[u8]) -> Decoded {
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return Decoded::Gzip(unpack(bytes));
    }
    if depth(bytes) > DEPTH_MAX && starts_like_json(bytes) {
        return Decoded::Text("JSON deeper than 64 levels");
    }
    if let Ok(value) = serde_json::from_slice::<Value>(bytes) {
        return look_at_json(value);
    }
    if let Some(held) = from_base64(bytes) {
        return Decoded::Base64(held);
    }
    Decoded::Text(if std::str::from_utf8(bytes).is_ok() {
        "not JSON"
    } else {
        "not UTF-8"
    })
}

fn look_at_json(value: Value) -> Decoded {
    let is = |name: &str, text: &str| value.get(name).and_then(Value::as_str) == Some(text);
    if is("Type", "Notification") && value.get("Message").is_some_and(Value::is_string) {
        let mut head = value;
        let message = head
            .as_object_mut()
            .and_then(|members| members.shift_remove("Message"));
        let message = message
            .as_ref()
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        return Decoded::Sns(head, message);
    }
    if value.pointer("/Records/0/s3").is_some_and(Value::is_object) {
        return Decoded::S3(value);
    }
    // An envelope has five members: without the first, the copy need not be made.
    match value
        .get("detail-type")
        .map(|_| serde_json::from_value::<Envelope>(value.clone()))
    {
        Some(Ok(envelope)) => Decoded::Event(Box::new(envelope)),
        _ => Decoded::Json(value),
    }
}

fn starts_like_json(bytes: &[u8]) -> bool {
    matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// How deep the brackets of `bytes` are nested, those within strings left out.
fn depth(bytes: &[u8]) -> usize {
    let (mut open, mut most) = (0_usize, 0_usize);
    let (mut within, mut escaped) = (false, false);
    for byte in bytes {
        match (within, byte) {
            (true, b'\\') => escaped = !escaped,
            (true, b'"') if !escaped => within = false,
            (true, _) => escaped = false,
            (false, b'"') => (within, escaped) = (true, false),
            (false, b'{' | b'[') => open = open.saturating_add(1),
            (false, b'}' | b']') => open = open.saturating_sub(1),
            (false, _) => {}
        }
        most = most.max(open);
    }
    most
}

/// What base64 holds, if `bytes` are base64 (of either alphabet, padded or not, in lines or not)
/// and hold something that is surely meant: JSON, gzip, or a text that is long enough.
fn from_base64(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok()?.trim();
    let lines: Cow<'_, str> = if text.contains(['\n', '\r']) {
        text.split(['\n', '\r']).collect::<String>().into()
    } else {
        text.into()
    };
    let alphabet =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=');
    if lines.len() < 8
        || lines.len() > UNPACKED_MAX.saturating_mul(2)
        || !lines.bytes().all(alphabet)
    {
        return None;
    }
    let engines = [&STANDARD, &URL_SAFE, &STANDARD_NO_PAD, &URL_SAFE_NO_PAD];
    let held = engines
        .iter()
        .find_map(|engine| engine.decode(lines.as_bytes()).ok())?;
    let printable = |text: &str| {
        text.len() >= TEXT_MIN
            && !text
                .chars()
                .any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
    };
    let json = || {
        starts_like_json(&held)
            && depth(&held) <= DEPTH_MAX
            && serde_json::from_slice::<serde::de::IgnoredAny>(&held).is_ok()
    };
    let meant = held.starts_with(&[0x1f, 0x8b])
        || json()
        || std::str::from_utf8(&held).is_ok_and(printable);
    meant.then_some(held)
}

/// What gzip holds, as long as it is no more than [`UNPACKED_MAX`].
fn unpack(bytes: &[u8]) -> Result<Vec<u8>, &'static str> {
    let limit = u64::try_from(UNPACKED_MAX)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    let mut out = Vec::new();
    let read = flate2::read::MultiGzDecoder::new(bytes)
        .take(limit)
        .read_to_end(&mut out);
    if out.len() > UNPACKED_MAX {
        return Err("more than 4 MiB when decompressed");
    }
    read.map(|_| out)
        .map_err(|_| "damaged or truncated gzip data")
}

/// The JSON that a body carries, with base64, gzip and SNS taken off. An event's envelope stays
/// around its detail. `None` when there is no JSON in it.
#[must_use]
pub fn payload(body: &str) -> Option<Value> {
    let mut bytes = body.as_bytes().to_vec();
    for _ in 0..LAYERS_MAX {
        if !bytes.starts_with(&[0x1f, 0x8b]) && depth(&bytes) > DEPTH_MAX {
            return None;
        }
        bytes = match decode(&bytes) {
            Decoded::Event(_) => return serde_json::from_slice(&bytes).ok(),
            Decoded::S3(value) | Decoded::Json(value) => return Some(value),
            Decoded::Sns(_, message) => message.into_bytes(),
            Decoded::Base64(held) | Decoded::Gzip(Ok(held)) => held,
            Decoded::Gzip(Err(_)) | Decoded::Text(_) => return None,
        };
    }
    None
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::json;
    use std::io::Write as _;

    pub(in crate::domain::dead_letter) fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(bytes).expect("packed");
        packer.finish().expect("packed")
    }

    #[track_caller]
    fn check(body: &str, expected: Option<&Value>) {
        assert_eq!(payload(body).as_ref(), expected, "{body}");
    }

    #[test]
    fn packing_is_taken_off() {
        let inner = json!({"amount": 1250, "note": "ü"});
        let text = inner.to_string();
        check(&text, Some(&inner));
        for engine in [&STANDARD, &URL_SAFE, &STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            check(&engine.encode(&text), Some(&inner));
            check(&engine.encode(gzip(text.as_bytes())), Some(&inner));
        }
        let sns =
            json!({"Type": "Notification", "Message": STANDARD.encode(gzip(text.as_bytes()))});
        check(&sns.to_string(), Some(&inner));
        let lines: Vec<String> = STANDARD
            .encode(&text)
            .as_bytes()
            .chunks(10)
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect();
        check(&lines.join("\r\n"), Some(&inner));
        check("not JSON", None);
    }

    #[test]
    fn what_only_looks_like_base64_is_left_alone() {
        for word in [
            "thisisaplainwordoflength",
            "pay_01JD8Z6Q8Q2K3M4N5P6Q7R8S9T",
            "deadbeefdeadbeef",
            "12345678",
            "abcdefgh",
            "YWJjZA==",
        ] {
            assert!(
                matches!(decode(word.as_bytes()), Decoded::Text(_) | Decoded::Json(_)),
                "{word}"
            );
        }
    }

    #[test]
    fn a_bomb_costs_the_limit_and_no_more() {
        let bomb = gzip(&vec![0_u8; UNPACKED_MAX + 1]);
        assert_eq!(
            decode(&bomb),
            Decoded::Gzip(Err("more than 4 MiB when decompressed"))
        );
        assert!(matches!(
            decode(&gzip(&vec![b' '; UNPACKED_MAX])),
            Decoded::Gzip(Ok(_))
        ));
        assert_eq!(
            decode(&gzip(b"truncated")[..15]),
            Decoded::Gzip(Err("damaged or truncated gzip data"))
        );
        assert_eq!(
            decode(&[0x1f, 0x8b]),
            Decoded::Gzip(Err("damaged or truncated gzip data"))
        );
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(matches!(decode(nested(64).as_bytes()), Decoded::Json(_)));
        assert_eq!(
            decode(nested(65).as_bytes()),
            Decoded::Text("JSON deeper than 64 levels")
        );
        assert_eq!(
            decode(nested(100_000).as_bytes()),
            Decoded::Text("JSON deeper than 64 levels")
        );
        let brackets = json!({"text": "[".repeat(100) + "\\\""}).to_string();
        assert!(matches!(decode(brackets.as_bytes()), Decoded::Json(_)));
    }

    #[test]
    fn layers_are_bounded() {
        let mut body = json!({"a": 1}).to_string();
        for _ in 0..LAYERS_MAX {
            body = STANDARD.encode(&body);
        }
        assert_eq!(payload(&body), None);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_something(bytes: Vec<u8>) {
            let _ = decode(&bytes);
            let mut packed = vec![0x1f, 0x8b, 8, 0];
            packed.extend(&bytes);
            let _ = decode(&packed);
        }
    }
}
