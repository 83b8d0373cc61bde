//! Which fields a document has in the index, and how documents go in and come out.

use payops_core::domain::doc::PaymentDoc;
use payops_core::domain::id::PaymentId;
use payops_core::port::{ErrorKind, PortError, PortResult};
use tantivy::schema::{FAST, Field, INDEXED, STORED, STRING, Schema, Value as _};
use tantivy::{SegmentReader, TantivyDocument, Term};

use crate::text::{floor_ms, fold_case};

/// Names of the fields that are read by document number.
pub(super) const CREATED: &str = "created_ms";
pub(super) const UPDATED: &str = "updated_ms";
pub(super) const VERSION: &str = "version";
const ID_HIGH: &str = "id_high";
const ID_LOW: &str = "id_low";

/// The fields. Texts are indexed whole; those that are compared without regard to case are folded
/// first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields {
    pub(super) id: Field,
    pub(super) id_high: Field,
    pub(super) id_low: Field,
    pub(super) version: Field,
    pub(super) merchant: Field,
    pub(super) live: Field,
    pub(super) status: Field,
    pub(super) amount: Field,
    pub(super) currency: Field,
    pub(super) email: Field,
    pub(super) reference: Field,
    pub(super) last4: Field,
    pub(super) failure: Field,
    pub(super) dead: Field,
    pub(super) created: Field,
    pub(super) updated: Field,
    pub(super) doc: Field,
}

/// The schema. Changing it means a new `SCHEMA_VERSION` in `open`.
pub(super) fn schema() -> (Schema, Fields) {
    let mut schema = Schema::builder();
    let fields = Fields {
        id: schema.add_text_field("id", STRING),
        id_high: schema.add_u64_field(ID_HIGH, FAST),
        id_low: schema.add_u64_field(ID_LOW, FAST),
        version: schema.add_u64_field(VERSION, FAST),
        merchant: schema.add_text_field("merchant", STRING),
        live: schema.add_bool_field("live", INDEXED),
        status: schema.add_text_field("status", STRING),
        amount: schema.add_i64_field("amount_minor", INDEXED | FAST),
        currency: schema.add_text_field("currency", STRING),
        email: schema.add_text_field("email_folded", STRING),
        reference: schema.add_text_field("reference_folded", STRING),
        last4: schema.add_text_field("last4", STRING),
        failure: schema.add_text_field("failure", STRING),
        dead: schema.add_bool_field("dead", INDEXED),
        created: schema.add_i64_field(CREATED, INDEXED | FAST),
        updated: schema.add_i64_field(UPDATED, FAST),
        doc: schema.add_text_field("doc", STORED),
    };
    (schema.build(), fields)
}

impl Fields {
    pub(super) fn id_term(&self, id: &PaymentId) -> Term {
        Term::from_field_text(self.id, id.as_str())
    }

    /// What is put into the index for `doc`.
    pub(super) fn to_document(self, doc: &PaymentDoc) -> PortResult<TantivyDocument> {
        let json = serde_json::to_string(doc).map_err(|error| {
            PortError::because(
                ErrorKind::Permanent,
                "a document cannot be written as JSON",
                error,
            )
        })?;
        let (high, low) = split_id(&doc.id);
        let mut out = TantivyDocument::default();
        out.add_text(self.id, doc.id.as_str());
        out.add_u64(self.id_high, high);
        out.add_u64(self.id_low, low);
        out.add_u64(self.version, doc.version);
        out.add_text(self.merchant, doc.merchant.as_str());
        out.add_bool(self.live, doc.live);
        out.add_text(self.status, doc.status.as_str());
        out.add_i64(self.amount, doc.amount_minor);
        out.add_text(self.currency, doc.currency.code());
        out.add_text(self.email, fold_case(&doc.email));
        for (field, text) in [(self.last4, &doc.last4), (self.failure, &doc.failure)] {
            if let Some(text) = text {
                out.add_text(field, text);
            }
        }
        if let Some(reference) = &doc.reference {
            out.add_text(self.reference, fold_case(reference));
        }
        out.add_bool(self.dead, doc.dead);
        out.add_i64(self.created, floor_ms(doc.created_at));
        out.add_i64(self.updated, floor_ms(doc.updated_at));
        out.add_text(self.doc, json);
        Ok(out)
    }

    pub(super) fn payment_doc(self, stored: &TantivyDocument) -> PortResult<PaymentDoc> {
        let corrupt = || {
            PortError::new(
                ErrorKind::Corrupt,
                "a document in the search index cannot be read",
            )
        };
        let json = stored
            .get_first(self.doc)
            .and_then(|value| value.as_str())
            .ok_or_else(corrupt)?;
        serde_json::from_str(json).map_err(|error| {
            PortError::because(
                ErrorKind::Corrupt,
                "a document in the search index cannot be read",
                error,
            )
        })
    }
}

/// What search results are sorted by, greatest first: when a payment was accepted, then its id.
pub(super) fn newest_first(
    segment: &SegmentReader,
) -> impl Fn(u32) -> (Option<i64>, Option<u64>, Option<u64>) + use<> {
    let fast = segment.fast_fields();
    let (created, high, low) = (
        fast.i64(CREATED).ok(),
        fast.u64(ID_HIGH).ok(),
        fast.u64(ID_LOW).ok(),
    );
    move |doc| {
        let created = created.as_ref().and_then(|column| column.first(doc));
        (
            created,
            high.as_ref().and_then(|column| column.first(doc)),
            low.as_ref().and_then(|column| column.first(doc)),
        )
    }
}

/// An id's 128 bits in two numbers that sort as ids do.
fn split_id(id: &PaymentId) -> (u64, u64) {
    const ALPHABET: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let digits = id
        .as_str()
        .strip_prefix(PaymentId::PREFIX)
        .unwrap_or_default()
        .bytes();
    let value = digits.fold(0_u128, |value, digit| {
        let digit = ALPHABET
            .iter()
            .position(|known| *known == digit)
            .and_then(|place| u128::try_from(place).ok());
        (value << 5) | digit.unwrap_or_default()
    });
    let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or_default();
    (half(value >> 64), half(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_ids_sort_as_ids_do() {
        let ids = [
            (0, 0),
            (0, 1),
            (0, u128::from(u64::MAX)),
            (0, 1 << 64),
            (1, 0),
            (1 << 47, 5),
            (1 << 47, 1 << 79),
        ];
        let ids: Vec<PaymentId> = ids
            .into_iter()
            .map(|(at, random)| PaymentId::from_parts(at, random))
            .collect();
        assert!(ids.is_sorted());
        assert!(
            ids.iter()
                .map(split_id)
                .collect::<Vec<_>>()
                .is_sorted_by(|a, b| a < b)
        );
    }
}
