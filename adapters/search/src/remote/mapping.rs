//! The index's mapping: which fields a document has in OpenSearch.

use payops_core::domain::doc::PaymentDoc;
use payops_core::port::{ErrorKind, PortError, PortResult};
use serde_json::{Map, Value, json};

use crate::text::{floor_ms, fold_case};

/// The version of the mapping below; changing it means a new index and a reindex.
pub(super) const SCHEMA_VERSION: u64 = 1;

/// What an index is made with. Fields are told in full, so that a mistake is refused rather than
/// guessed at.
pub(super) fn index_body(alias: Option<&str>) -> Value {
    let keyword = json!({"type": "keyword"});
    let long = json!({"type": "long"});
    let flag = json!({"type": "boolean"});
    // For people who look at the index with other tools; nothing here searches by it.
    let date = json!({"type": "date", "ignore_malformed": true});
    let mut body = json!({
        "mappings": {
            "dynamic": "strict",
            "_meta": {"schema_version": SCHEMA_VERSION},
            "properties": {
                "id": keyword, "version": long, "merchant": keyword, "live": flag,
                "status": keyword,
                "amount_minor": long, "currency": keyword, "refunded_minor": long,
                "email": keyword, "email_folded": keyword, "reference": keyword,
                "reference_folded": keyword,
                "brand": keyword, "last4": keyword, "failure": keyword, "dead": flag,
                "created_at": date, "created_ms": long, "updated_at": date, "updated_ms": long,
            },
        },
    });
    if let Some(alias) = alias {
        body["aliases"] = json!({ alias: {} });
    }
    body
}

/// What is stored for `doc`: all of it, and what it is searched and sorted by. Texts are folded
/// here rather than by a normalizer of the index, whose rules for some letters are not the
/// domain's.
pub(super) fn source(doc: &PaymentDoc) -> PortResult<Map<String, Value>> {
    let wrong = |error| {
        PortError::because(
            ErrorKind::Permanent,
            "a document cannot be written as JSON",
            error,
        )
    };
    let Value::Object(mut source) = serde_json::to_value(doc).map_err(wrong)? else {
        return Err(PortError::new(
            ErrorKind::Permanent,
            "a document is not a JSON object",
        ));
    };
    source.insert("email_folded".to_owned(), json!(fold_case(&doc.email)));
    source.insert(
        "reference_folded".to_owned(),
        json!(doc.reference.as_deref().map(fold_case)),
    );
    source.insert("created_ms".to_owned(), json!(floor_ms(doc.created_at)));
    source.insert("updated_ms".to_owned(), json!(floor_ms(doc.updated_at)));
    Ok(source)
}

/// The document that was stored; the fields it is searched by are ignored.
pub(super) fn doc(hit: &Value) -> PortResult<PaymentDoc> {
    let parsed = serde_json::from_value(hit.get("_source").cloned().unwrap_or_default());
    parsed.map_err(|error| {
        PortError::because(
            ErrorKind::Corrupt,
            "a document in the search index cannot be read",
            error,
        )
    })
}

#[cfg(test)]
mod tests {
    use payops_testkit::sample;

    use super::*;

    #[test]
    fn every_stored_field_is_mapped_and_every_document_comes_back() {
        let mapping = index_body(None);
        let doc = sample::doc(3);
        let source = source(&doc).expect("JSON");
        for field in source.keys() {
            assert!(
                mapping["mappings"]["properties"].get(field).is_some(),
                "{field} is not mapped"
            );
        }
        assert_eq!(super::doc(&json!({"_source": source})).expect("reads"), doc);
    }
}
