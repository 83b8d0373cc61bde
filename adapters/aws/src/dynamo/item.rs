//! Values as items of the table and back. Scalars are attributes of their own, so that they can be
//! read in the console and used in conditions; nested parts are JSON text. Times are milliseconds.

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;

use aws_sdk_dynamodb::types::AttributeValue;
use payops_core::Timestamp;
use payops_core::domain::apikey::ApiKeyRow;
use payops_core::domain::event::{Event, EventKind, NewEvent};
use payops_core::domain::id::PaymentId;
use payops_core::domain::money::Money;
use payops_core::domain::outbox::{OutboxEvent, OutboxKind};
use payops_core::domain::payment::{ArchiveRef, Payment, Status};
use payops_core::port::{
    ErrorKind, IdempotencyRow, IdempotencyScope, KeyedRequest, PortError, PortResult,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

pub(super) type Item = HashMap<String, AttributeValue>;

/// The layout that this code writes, and the newest it reads.
const LAYOUT: u32 = 1;

pub(super) const PK: &str = "pk";
pub(super) const SK: &str = "sk";
pub(super) const PAYMENT: &str = "PAY";
pub(super) const EVENTS: &str = "EVT#";

/// The partition key of a payment and all that hangs on it.
pub(super) fn payment_pk(id: &PaymentId) -> String {
    format!("PAY#{id}")
}

pub(super) fn due_pk(shard: u8) -> String {
    format!("PENDING#{shard:02}")
}

pub(super) fn outbox_pk(shard: u8) -> String {
    format!("OUTBOX#{shard:02}")
}

pub(super) fn merchant_pk(merchant: &str, live: bool) -> String {
    format!("{merchant}#{}", if live { "live" } else { "test" })
}

/// The partition key of an idempotency row. Hashed: a client's key may be as long as a key may be.
pub(super) fn idempotency_pk(scope: &IdempotencyScope) -> String {
    let parts = serde_json::json!([
        scope.merchant,
        scope.live,
        scope.request.stored_name(),
        scope.key
    ]);
    format!("IDEM#{}", hex::encode(Sha256::digest(parts.to_string())))
}

pub(super) fn key(pk: &str, sk: &str) -> Item {
    HashMap::from([(PK.to_owned(), text(pk)), (SK.to_owned(), text(sk))])
}

pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(super) fn number(value: impl Into<i128>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}

struct Draft(Item);

impl Draft {
    fn new(pk: &str, sk: &str) -> Self {
        let mut item = key(pk, sk);
        item.insert("layout".to_owned(), number(LAYOUT));
        Self(item)
    }

    fn text(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.insert(name.to_owned(), text(value));
        self
    }

    fn number(mut self, name: &str, value: impl Into<i128>) -> Self {
        self.0.insert(name.to_owned(), number(value));
        self
    }

    fn at(self, name: &str, value: Timestamp) -> Self {
        self.number(name, value.as_millisecond())
    }

    fn flag(mut self, name: &str, value: bool) -> Self {
        self.0.insert(name.to_owned(), AttributeValue::Bool(value));
        self
    }

    fn json<T: Serialize>(self, name: &str, value: &T) -> PortResult<Self> {
        let json = serde_json::to_string(value);
        let json = json.map_err(|error| {
            PortError::because(
                ErrorKind::Permanent,
                format!("`{name}` cannot be written as JSON"),
                error,
            )
        })?;
        Ok(self.text(name, json))
    }

    fn json_if<T: Serialize>(self, name: &str, value: Option<&T>) -> PortResult<Self> {
        match value {
            Some(value) => self.json(name, value),
            None => Ok(self),
        }
    }
}

/// The item of a payment; `event_seq` is the number of its last event.
pub(super) fn from_payment(payment: &Payment, event_seq: u64) -> PortResult<Item> {
    let mut draft = Draft::new(&payment_pk(&payment.id), PAYMENT)
        .text("id", payment.id.as_str())
        .text("merchant", payment.merchant.as_str())
        .text(
            "merchant_pk",
            merchant_pk(payment.merchant.as_str(), payment.live),
        )
        .flag("live", payment.live)
        .text("status", payment.status.as_str())
        .number("version", payment.version)
        .number("fence", payment.fence)
        .number("event_seq", event_seq)
        .number("amount_minor", payment.money.minor())
        .text("currency", payment.money.currency().code())
        .number("refundable_minor", payment.refundable_minor)
        .text("source", payment.source.as_str())
        .text("email", payment.email.as_str())
        .at("created_at_ms", payment.created_at)
        .at("updated_at_ms", payment.updated_at)
        .number("redrives", payment.redrives)
        .text("archive_key", payment.archive.key.as_str())
        .text("archive_sha256", payment.archive.sha256.as_str())
        .number("archive_bytes", payment.archive.bytes)
        .json("metadata", &payment.metadata)?
        .json("refunds", &payment.refunds)?
        .json_if("lease", payment.lease.as_ref())?
        .json_if("attempt", payment.attempt.as_ref())?
        .json_if("charge", payment.charge.as_ref())?
        .json_if("failure", payment.failure.as_ref())?
        .json_if("dead", payment.dead.as_ref())?;
    if let Some(reference) = &payment.reference {
        draft = draft.text("reference", reference.as_str());
    }
    if let Some(due) = payment.due_at {
        // Only what is pending has these two, and so only that is in the due index.
        draft = draft
            .text("due_pk", due_pk(payment.id.shard()))
            .at("due_at_ms", due);
    }
    Ok(draft.0)
}

pub(super) fn to_payment(item: &Item) -> PortResult<Payment> {
    let row = ItemReader::open(item)?;
    let money = Money::new(row.number("amount_minor")?, row.parse("currency")?);
    Ok(Payment {
        id: row.parse("id")?,
        merchant: row.parse("merchant")?,
        live: row.flag("live")?,
        status: Status::from_name(row.text("status")?).ok_or_else(|| row.corrupt("status"))?,
        version: row.number("version")?,
        fence: row.number("fence")?,
        event_seq: row.number("event_seq")?,
        money: money.map_err(|_| row.corrupt("amount_minor"))?,
        source: row.parse("source")?,
        reference: row
            .has("reference")
            .then(|| row.parse("reference"))
            .transpose()?,
        email: row.parse("email")?,
        metadata: row.json::<BTreeMap<String, String>>("metadata")?,
        created_at: row.at("created_at_ms")?,
        updated_at: row.at("updated_at_ms")?,
        due_at: row
            .has("due_at_ms")
            .then(|| row.at("due_at_ms"))
            .transpose()?,
        redrives: row.number("redrives")?,
        archive: ArchiveRef {
            key: row.text("archive_key")?.to_owned(),
            sha256: row.text("archive_sha256")?.to_owned(),
            bytes: row.number("archive_bytes")?,
        },
        lease: row.json_if("lease")?,
        attempt: row.json_if("attempt")?,
        charge: row.json_if("charge")?,
        failure: row.json_if("failure")?,
        dead: row.json_if("dead")?,
        refunds: row.json("refunds")?,
        refundable_minor: row.number("refundable_minor")?,
    })
}

/// The payment's version, fence and number of the last event, as an item says.
pub(super) fn to_counts(item: &Item) -> PortResult<(u64, u64, u64)> {
    let row = ItemReader::open(item)?;
    Ok((
        row.number("version")?,
        row.number("fence")?,
        row.number("event_seq")?,
    ))
}

/// The item of an event. Numbers are padded so that they sort as text.
pub(super) fn from_event(
    payment: &PaymentId,
    seq: u64,
    version: u64,
    event: &NewEvent,
) -> PortResult<Item> {
    let draft = Draft::new(&payment_pk(payment), &format!("{EVENTS}{seq:012}"))
        .number("seq", seq)
        .number("version", version)
        .text("kind", event.kind.as_str())
        .at("at_ms", event.at)
        .json("detail", &event.detail)?;
    Ok(draft.0)
}

pub(super) fn to_event(item: &Item) -> PortResult<Event> {
    let row = ItemReader::open(item)?;
    Ok(Event {
        seq: row.number("seq")?,
        at: row.at("at_ms")?,
        kind: EventKind::from_name(row.text("kind")?).ok_or_else(|| row.corrupt("kind"))?,
        version: row.number("version")?,
        detail: row.json("detail")?,
    })
}

/// The marker that keeps a note from being written twice.
pub(super) fn from_note(payment: &PaymentId, once: &str, seq: u64) -> Item {
    Draft::new(&payment_pk(payment), &format!("ONCE#{once}"))
        .number("seq", seq)
        .0
}

pub(super) fn outbox_sk(event: &OutboxEvent) -> String {
    format!("OUT#{}", event.id)
}

/// The item of an outbox row. It is in the outbox index until it is deleted.
pub(super) fn from_outbox(event: &OutboxEvent) -> PortResult<Item> {
    let at_ms = event.at.as_millisecond();
    let order = format!(
        "{at_ms:015}#{}#{:012}#{}",
        event.payment, event.version, event.id
    );
    let draft = Draft::new(&payment_pk(&event.payment), &outbox_sk(event))
        .text("outbox_pk", outbox_pk(event.payment.shard()))
        .text("outbox_order", order)
        .text("id", event.id.as_str())
        .text("payment", event.payment.as_str())
        .number("version", event.version)
        .text("kind", event.kind.as_str())
        .at("at_ms", event.at)
        .json_if("refund", event.refund.as_ref())?
        .json_if("payload", event.payload.as_ref())?;
    Ok(draft.0)
}

pub(super) fn to_outbox(item: &Item) -> PortResult<OutboxEvent> {
    let row = ItemReader::open(item)?;
    Ok(OutboxEvent {
        id: row.text("id")?.to_owned(),
        payment: row.parse("payment")?,
        version: row.number("version")?,
        kind: OutboxKind::from_name(row.text("kind")?).ok_or_else(|| row.corrupt("kind"))?,
        refund: row.json_if("refund")?,
        payload: row.json_if("payload")?,
        at: row.at("at_ms")?,
    })
}

/// The item of an idempotency row. `ttl` lets DynamoDB delete it some time after it has expired;
/// whether it has is decided by `expires_at_ms` alone.
pub(super) fn from_idempotency(held: &IdempotencyRow) -> Item {
    let ttl = held.expires_at.as_second().saturating_add(1);
    Draft::new(&idempotency_pk(&held.scope), "IDEM")
        .text("merchant", held.scope.merchant.as_str())
        .flag("live", held.scope.live)
        .text("route", held.scope.request.stored_name())
        .text("idempotency_key", held.scope.key.as_str())
        .text("fingerprint", held.fingerprint.as_str())
        .text("payment", held.payment.as_str())
        .number("status", held.scope.request.stored_status())
        .text("response", held.response.as_str())
        .at("expires_at_ms", held.expires_at)
        .number("ttl", ttl)
        .0
}

pub(super) fn to_idempotency(item: &Item) -> PortResult<IdempotencyRow> {
    let row = ItemReader::open(item)?;
    Ok(IdempotencyRow {
        scope: IdempotencyScope {
            merchant: row.parse("merchant")?,
            live: row.flag("live")?,
            request: KeyedRequest::from_stored_name(row.text("route")?)
                .ok_or_else(|| row.corrupt("route"))?,
            key: row.parse("idempotency_key")?,
        },
        fingerprint: row.text("fingerprint")?.to_owned(),
        payment: row.parse("payment")?,
        response: row.text("response")?.to_owned(),
        expires_at: row.at("expires_at_ms")?,
    })
}

pub(super) fn api_key_pk(hash: &str) -> String {
    format!("KEY#{hash}")
}

pub(super) fn from_api_key(held: &ApiKeyRow) -> Item {
    let draft = Draft::new(&api_key_pk(&held.hash), "KEY")
        .text("hash", held.hash.as_str())
        .text("prefix", held.prefix.as_str())
        .text("merchant", held.merchant.as_str())
        .flag("live", held.live)
        .at("created_at_ms", held.created_at);
    match held.revoked_at {
        Some(at) => draft.at("revoked_at_ms", at).0,
        None => draft.0,
    }
}

pub(super) fn to_api_key(item: &Item) -> PortResult<ApiKeyRow> {
    let row = ItemReader::open(item)?;
    Ok(ApiKeyRow {
        hash: row.text("hash")?.to_owned(),
        prefix: row.text("prefix")?.to_owned(),
        merchant: row.parse("merchant")?,
        live: row.flag("live")?,
        created_at: row.at("created_at_ms")?,
        revoked_at: row
            .has("revoked_at_ms")
            .then(|| row.at("revoked_at_ms"))
            .transpose()?,
    })
}

/// The size that DynamoDB counts for an item: names and values, nothing else of note.
pub(super) fn size(item: &Item) -> usize {
    item.iter()
        .map(|(name, value)| name.len() + value_size(value))
        .sum()
}

fn value_size(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => text.len(),
        _ => 1,
    }
}

/// An item being read. What is wrong with it is told by the attribute's name, never by its value.
struct ItemReader<'a>(&'a Item);

impl<'a> ItemReader<'a> {
    fn open(item: &'a Item) -> PortResult<Self> {
        let row = Self(item);
        let layout: u32 = row.number("layout")?;
        if layout > LAYOUT {
            let words = format!(
                "item layout {layout} is newer than this payops supports ({LAYOUT}); upgrade payops"
            );
            return Err(PortError::new(ErrorKind::Corrupt, words));
        }
        Ok(row)
    }

    fn corrupt(&self, name: &str) -> PortError {
        let of = |name: &str| {
            self.0
                .get(name)
                .and_then(|value| value.as_s().ok())
                .map_or("?", String::as_str)
        };
        PortError::new(
            ErrorKind::Corrupt,
            format!("item {}/{}: `{name}` cannot be read", of(PK), of(SK)),
        )
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn text(&self, name: &str) -> PortResult<&'a str> {
        let held = self.0.get(name).and_then(|value| value.as_s().ok());
        held.map(String::as_str).ok_or_else(|| self.corrupt(name))
    }

    fn parse<T: FromStr>(&self, name: &str) -> PortResult<T> {
        self.text(name)?.parse().map_err(|_| self.corrupt(name))
    }

    fn number<T: FromStr>(&self, name: &str) -> PortResult<T> {
        let held = self.0.get(name).and_then(|value| value.as_n().ok());
        held.and_then(|held| held.parse().ok())
            .ok_or_else(|| self.corrupt(name))
    }

    fn at(&self, name: &str) -> PortResult<Timestamp> {
        Timestamp::from_millisecond(self.number(name)?).map_err(|_| self.corrupt(name))
    }

    fn flag(&self, name: &str) -> PortResult<bool> {
        let held = self.0.get(name).and_then(|value| value.as_bool().ok());
        held.copied().ok_or_else(|| self.corrupt(name))
    }

    fn json<T: DeserializeOwned>(&self, name: &str) -> PortResult<T> {
        serde_json::from_str(self.text(name)?).map_err(|_| self.corrupt(name))
    }

    fn json_if<T: DeserializeOwned>(&self, name: &str) -> PortResult<Option<T>> {
        self.has(name).then(|| self.json(name)).transpose()
    }
}
