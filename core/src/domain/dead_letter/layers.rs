//! A body as it is shown: layer by layer from the outside in, masked.

use serde::Serialize;
use serde_json::{Value, json};

use super::decode::{Decoded, LAYERS_MAX, decode};
use crate::domain::bus::{ARCHIVE_SOURCE, Envelope};
use crate::domain::privacy::Privacy;

/// How much of a text is shown, in bytes.
pub const SHOWN_MAX: usize = 256 * 1024;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Layer {
    /// `envelope`, `detail`, `sns`, `s3 event`, `base64`, `gzip`, `archived request`; `json` or
    /// `text` for a body of no known shape.
    #[serde(rename = "layer")]
    pub name: &'static str,
    /// What it holds; `null` when it could not be read. Of packing (`base64`, `gzip`) only the
    /// sizes.
    pub content: Value,
    pub problem: Option<String>,
}

impl Layer {
    fn new(name: &'static str, content: Value) -> Self {
        Self {
            name,
            content,
            problem: None,
        }
    }

    fn with_problem(name: &'static str, content: Value, problem: &str) -> Self {
        Self {
            name,
            content,
            problem: Some(problem.to_owned()),
        }
    }
}

/// The layers of a body: the event envelope and its detail, or what it is instead. Base64, gzip
/// and notifications of SNS and S3 are taken off, at most [`LAYERS_MAX`] layers in all.
#[must_use]
pub fn body_layers(body: &str, privacy: Privacy) -> Vec<Layer> {
    let mut out = Vec::new();
    let mut inner: Option<Vec<u8>> = None;
    loop {
        let bytes = inner.as_deref().unwrap_or(body.as_bytes());
        if out.len() >= LAYERS_MAX {
            out.push(Layer::with_problem(
                "text",
                Value::Null,
                "more than 8 layers",
            ));
            return out;
        }
        inner = match decode(bytes) {
            Decoded::Sns(head, message) => {
                out.push(Layer::new("sns", privacy.json(&head)));
                Some(message.into_bytes())
            }
            Decoded::Base64(held) => {
                out.push(Layer::new("base64", sizes(bytes.len(), Some(held.len()))));
                Some(held)
            }
            Decoded::Gzip(Ok(held)) => {
                out.push(Layer::new("gzip", sizes(bytes.len(), Some(held.len()))));
                Some(held)
            }
            last => {
                out.extend(read_innermost(last, bytes, privacy));
                return out;
            }
        };
    }
}

/// The last layers: what holds nothing else.
fn read_innermost(found: Decoded, bytes: &[u8], privacy: Privacy) -> Vec<Layer> {
    match found {
        Decoded::Event(envelope) => event_layers(&envelope, privacy),
        Decoded::S3(value) => vec![s3_layer(&value, privacy)],
        Decoded::Json(value) if bytes.len() > SHOWN_MAX => {
            vec![text_layer(
                "json",
                &privacy.json(&value).to_string(),
                "not an event envelope",
                privacy,
            )]
        }
        Decoded::Json(value) => vec![Layer::with_problem(
            "json",
            privacy.json(&value),
            "not an event envelope",
        )],
        Decoded::Gzip(Err(problem)) => vec![Layer::with_problem(
            "gzip",
            sizes(bytes.len(), None),
            problem,
        )],
        Decoded::Text(problem) => vec![text_layer(
            "text",
            &String::from_utf8_lossy(bytes),
            problem,
            privacy,
        )],
        // These hold something, and were taken off.
        Decoded::Sns(..) | Decoded::Base64(_) | Decoded::Gzip(Ok(_)) => Vec::new(),
    }
}

fn sizes(packed: usize, unpacked: Option<usize>) -> Value {
    json!({"bytes": packed, "bytes_unpacked": unpacked})
}

/// A text, masked as a whole before it is cut: half a card number would not be known as one.
fn text_layer(name: &'static str, text: &str, problem: &str, privacy: Privacy) -> Layer {
    let masked = privacy.text(text);
    if masked.len() <= SHOWN_MAX {
        return Layer::with_problem(name, Value::String(masked), problem);
    }
    let cut = masked
        .get(..masked.floor_char_boundary(SHOWN_MAX))
        .unwrap_or_default()
        .to_owned();
    Layer::with_problem(
        name,
        Value::String(cut),
        &format!(
            "{problem}; truncated: showing the first 256 KiB of {} bytes",
            text.len()
        ),
    )
}

fn event_layers(envelope: &Envelope, privacy: Privacy) -> Vec<Layer> {
    let head = json!({
        "id": privacy.text(&envelope.id), "source": privacy.text(&envelope.source),
        "detail-type": privacy.text(&envelope.detail_type), "time": envelope.time,
    });
    let mut detail = privacy.json(&envelope.detail);
    if envelope.source == ARCHIVE_SOURCE {
        show_bucket(&envelope.detail, &mut detail, "/bucket/name", privacy);
    }
    vec![
        Layer::new("envelope", head),
        clip_layer(Layer::new("detail", detail), privacy),
    ]
}

fn s3_layer(value: &Value, privacy: Privacy) -> Layer {
    let mut shown = privacy.json(value);
    let records = value
        .get("Records")
        .and_then(Value::as_array)
        .map_or(0, Vec::len);
    for place in 0..records {
        show_bucket(
            value,
            &mut shown,
            &format!("/Records/{place}/s3/bucket/name"),
            privacy,
        );
    }
    clip_layer(Layer::new("s3 event", shown), privacy)
}

fn show_bucket(value: &Value, shown: &mut Value, pointer: &str, privacy: Privacy) {
    let bucket = value
        .pointer(pointer)
        .and_then(Value::as_str)
        .map(|name| privacy.text(name));
    if let (Some(place), Some(bucket)) = (shown.pointer_mut(pointer), bucket) {
        *place = Value::String(bucket);
    }
}

/// The layer, or its text cut when that is longer than can be shown.
fn clip_layer(layer: Layer, privacy: Privacy) -> Layer {
    let text = layer.content.to_string();
    if text.len() <= SHOWN_MAX {
        return layer;
    }
    let mut cut = text_layer(layer.name, &text, "", privacy);
    cut.problem = cut
        .problem
        .map(|problem| problem.trim_start_matches("; ").to_owned());
    cut
}

/// The layer of an archived request; `None` when there is no object `key`.
#[must_use]
pub fn archived_layer(key: &str, bytes: Option<&[u8]>, privacy: Privacy) -> Layer {
    const NAME: &str = "archived request";
    let Some(bytes) = bytes else {
        return Layer::with_problem(NAME, Value::Null, &format!("object {key} not found"));
    };
    if let Ok(value) = serde_json::from_slice::<Value>(bytes) {
        return Layer::new(NAME, privacy.json(&value));
    }
    Layer::with_problem(
        NAME,
        Value::String(privacy.text(&String::from_utf8_lossy(bytes))),
        "not JSON",
    )
}

#[cfg(test)]
mod tests {
    use super::super::decode::tests::gzip;
    use super::*;
    use crate::Timestamp;
    use crate::domain::bus::{envelope, object_created};
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    const MASKED: Privacy = Privacy { reveal: false };

    #[track_caller]
    fn check(body: &str, expected: &[(&str, Option<&str>)]) -> Vec<Layer> {
        let layers = body_layers(body, MASKED);
        let found: Vec<_> = layers
            .iter()
            .map(|layer| (layer.name, layer.problem.as_deref()))
            .collect();
        assert_eq!(found, expected);
        layers
    }

    const NO_EVENT: Option<&str> = Some("not an event envelope");

    #[test]
    fn an_event_has_two_layers() {
        let body = envelope(
            "e-1",
            &object_created("archive", "payments/pay_1.json", 10, Timestamp::UNIX_EPOCH),
        );
        let layers = check(&body, &[("envelope", None), ("detail", None)]);
        assert_eq!(layers[1].content["bucket"]["name"], "archive");
        let sns = json!({"Type": "Notification", "TopicArn": "arn", "Message": STANDARD.encode(gzip(body.as_bytes()))}).to_string();
        let layers = check(
            &sns,
            &[
                ("sns", None),
                ("base64", None),
                ("gzip", None),
                ("envelope", None),
                ("detail", None),
            ],
        );
        assert_eq!(
            layers[0].content,
            json!({"Type": "Notification", "TopicArn": "arn"})
        );
        assert_eq!(layers[2].content["bytes_unpacked"], body.len());
    }

    #[test]
    fn a_notification_of_s3_shows_bucket_and_key() {
        let record = json!({"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "archive"}, "object": {"key": "payments/a.json"}}});
        let layers = check(
            &json!({"Records": [record]}).to_string(),
            &[("s3 event", None)],
        );
        assert_eq!(layers[0].content["Records"][0], record);
    }

    #[test]
    fn plain_bodies_are_what_they_are() {
        check("{}", &[("json", NO_EVENT)]);
        check("[[[[", &[("text", Some("not JSON"))]);
        check("", &[("text", Some("not JSON"))]);
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let layers = check(&deep, &[("text", Some("JSON deeper than 64 levels"))]);
        assert_eq!(layers[0].content, deep);
    }

    #[test]
    fn packed_people_and_cards_are_masked() {
        let person = json!({"customer": {"email": "anna@example.com"}, "note": "4242424242424242"})
            .to_string();
        for body in [
            STANDARD.encode(&person),
            STANDARD.encode(gzip(person.as_bytes())),
        ] {
            let shown = format!("{:?}", body_layers(&body, MASKED));
            assert!(
                !shown.contains("anna") && !shown.contains("4242") && !shown.contains(&body),
                "{shown}"
            );
        }
        let text = STANDARD.encode("please write to anna@example.com");
        let layers = check(&text, &[("base64", None), ("text", Some("not JSON"))]);
        assert_eq!(layers[1].content, "please write to a•••@e•••.com");
    }

    #[test]
    fn what_cannot_be_read_is_shown_as_far_as_it_can() {
        let broken = STANDARD.encode(gzip(b"caf\xe9 is not UTF-8"));
        let layers = check(
            &broken,
            &[
                ("base64", None),
                ("gzip", None),
                ("text", Some("not UTF-8")),
            ],
        );
        assert_eq!(layers[2].content, "caf\u{fffd} is not UTF-8");
        let bomb = STANDARD.encode(gzip(&vec![0_u8; super::super::UNPACKED_MAX + 1]));
        check(
            &bomb,
            &[
                ("base64", None),
                ("gzip", Some("more than 4 MiB when decompressed")),
            ],
        );
    }

    #[test]
    fn long_bodies_are_cut() {
        let layers = body_layers(&"ä ".repeat(SHOWN_MAX), MASKED);
        assert_eq!(
            layers[0].problem.as_deref(),
            Some("not JSON; truncated: showing the first 256 KiB of 786432 bytes")
        );
        assert!(
            layers[0]
                .content
                .as_str()
                .is_some_and(|text| text.len() <= SHOWN_MAX)
        );
        let long = json!({"note": "x ".repeat(SHOWN_MAX)}).to_string();
        let layers = body_layers(&long, MASKED);
        assert!(
            layers[0]
                .problem
                .as_deref()
                .is_some_and(|problem| problem.contains("not an event envelope; truncated")),
            "{layers:?}"
        );
    }

    #[test]
    fn a_body_packed_too_often_is_not_shown() {
        let mut body = json!({"a": "a text of some length"}).to_string();
        for _ in 0..=LAYERS_MAX {
            body = STANDARD.encode(&body);
        }
        let layers = body_layers(&body, MASKED);
        assert_eq!(
            layers
                .last()
                .map(|layer| (layer.content.clone(), layer.problem.as_deref())),
            Some((Value::Null, Some("more than 8 layers")))
        );
    }
}
