//! Reads. Those of single payments are consistent; those over an index may be a little behind.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::KeysAndAttributes;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use payops_core::Timestamp;
use payops_core::domain::apikey::{ApiKeyRow, Caller};
use payops_core::domain::event::Event;
use payops_core::domain::id::PaymentId;
use payops_core::domain::outbox::OutboxEvent;
use payops_core::domain::payment::Payment;
use payops_core::port::{
    ErrorKind, IdempotencyRow, IdempotencyScope, PaymentPage, PortError, PortResult,
};

use super::DynamoStore;
use super::item::{self, EVENTS, Item, PAYMENT, PK, SK, number, text};
use super::table::{DUE, MERCHANT, OUTBOX};

/// Keys that one `BatchGetItem` takes.
const GET_MAX: usize = 100;
/// How often what a batch left undone is asked for again.
const TRIES_MAX: u32 = 8;
/// Items that one `Scan` looks at: only some of them are payments.
const SCAN_ITEMS: i32 = 1000;
/// Scans made for one page at most, so that a page of few payments ends.
const SCANS_MAX: u32 = 20;

impl DynamoStore {
    pub(super) async fn read(&self, key: Item) -> PortResult<Option<Item>> {
        let call = self.read_call("dynamodb:GetItem");
        let request = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key))
            .consistent_read(true);
        Ok(request
            .send()
            .await
            .map_err(|error| call.to_error(error))?
            .item)
    }

    pub(super) async fn read_payment(&self, id: &PaymentId) -> PortResult<Option<Payment>> {
        self.read(item::key(&item::payment_pk(id), PAYMENT))
            .await?
            .as_ref()
            .map(item::to_payment)
            .transpose()
    }

    pub(super) async fn read_payments(&self, ids: &[PaymentId]) -> PortResult<Vec<Payment>> {
        // The same key twice in one call is refused.
        let ids: Vec<&PaymentId> = ids.iter().collect::<BTreeSet<_>>().into_iter().collect();
        let mut payments = Vec::with_capacity(ids.len());
        for some in ids.chunks(GET_MAX) {
            let keys = some
                .iter()
                .map(|id| item::key(&item::payment_pk(id), PAYMENT))
                .collect();
            self.read_batch(keys, &mut payments).await?;
        }
        Ok(payments)
    }

    async fn read_batch(&self, mut keys: Vec<Item>, payments: &mut Vec<Payment>) -> PortResult<()> {
        let call = self.read_call("dynamodb:BatchGetItem");
        for tries in 0..TRIES_MAX {
            let wanted = call.check_built(
                KeysAndAttributes::builder()
                    .set_keys(Some(keys))
                    .consistent_read(true)
                    .build(),
            )?;
            let request = self
                .client
                .batch_get_item()
                .request_items(&self.table, wanted);
            let answer = request.send().await.map_err(|error| call.to_error(error))?;
            for found in answer.responses.unwrap_or_default().into_values().flatten() {
                payments.push(item::to_payment(&found)?);
            }
            keys = answer
                .unprocessed_keys
                .unwrap_or_default()
                .into_values()
                .flat_map(|left| left.keys)
                .collect();
            if keys.is_empty() {
                return Ok(());
            }
            self.pause(tries).await;
        }
        Err(call.error(
            ErrorKind::Throttled,
            format!(
                "{} keys still unread after {TRIES_MAX} attempts",
                keys.len()
            ),
        ))
    }

    pub(super) async fn read_idempotency(
        &self,
        scope: &IdempotencyScope,
        now: Timestamp,
    ) -> PortResult<Option<IdempotencyRow>> {
        let held = self
            .read(item::key(&item::idempotency_pk(scope), "IDEM"))
            .await?;
        let held = held.as_ref().map(item::to_idempotency).transpose()?;
        Ok(held.filter(|row| row.expires_at > now))
    }

    pub(super) async fn read_key(&self, hash: &str) -> PortResult<Option<ApiKeyRow>> {
        self.read(item::key(&item::api_key_pk(hash), "KEY"))
            .await?
            .as_ref()
            .map(item::to_api_key)
            .transpose()
    }

    pub(super) async fn read_events(&self, id: &PaymentId) -> PortResult<Vec<Event>> {
        let query = self
            .query()
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND begins_with(sk, :events)");
        let query = query
            .expression_attribute_values(":pk", text(item::payment_pk(id)))
            .expression_attribute_values(":events", text(EVENTS));
        self.all(query, usize::MAX)
            .await?
            .iter()
            .map(item::to_event)
            .collect()
    }

    pub(super) async fn query_merchant(
        &self,
        caller: &Caller,
        after: Option<&PaymentId>,
        limit: usize,
    ) -> PortResult<Vec<Payment>> {
        let mine = item::merchant_pk(caller.merchant.as_str(), caller.live);
        let query = self
            .query()
            .index_name(MERCHANT)
            .scan_index_forward(false)
            .expression_attribute_values(":mine", text(mine));
        let query = match after {
            Some(after) => query
                .key_condition_expression("merchant_pk = :mine AND id < :after")
                .expression_attribute_values(":after", text(after.as_str())),
            None => query.key_condition_expression("merchant_pk = :mine"),
        };
        self.all(query, limit)
            .await?
            .iter()
            .map(item::to_payment)
            .collect()
    }

    pub(super) async fn query_due(
        &self,
        shard: u8,
        now: Timestamp,
        limit: usize,
    ) -> PortResult<Vec<PaymentId>> {
        let query = self
            .query()
            .index_name(DUE)
            .key_condition_expression("due_pk = :shard AND due_at_ms <= :now");
        let query = query
            .expression_attribute_values(":shard", text(item::due_pk(shard)))
            .expression_attribute_values(":now", number(now.as_millisecond()));
        let of = |found: &Item| {
            let pk = found
                .get(PK)
                .and_then(|pk| pk.as_s().ok())
                .and_then(|pk| pk.strip_prefix("PAY#"));
            let corrupt = || {
                PortError::new(
                    ErrorKind::Corrupt,
                    "the due index holds an item that is not a payment",
                )
            };
            pk.and_then(|id| id.parse().ok()).ok_or_else(corrupt)
        };
        self.all(query, limit).await?.iter().map(of).collect()
    }

    pub(super) async fn query_outbox(
        &self,
        shard: u8,
        limit: usize,
    ) -> PortResult<Vec<OutboxEvent>> {
        let query = self
            .query()
            .index_name(OUTBOX)
            .key_condition_expression("outbox_pk = :shard");
        let query = query.expression_attribute_values(":shard", text(item::outbox_pk(shard)));
        self.all(query, limit)
            .await?
            .iter()
            .map(item::to_outbox)
            .collect()
    }

    fn query(&self) -> QueryFluentBuilder {
        self.client.query().table_name(&self.table)
    }

    /// The first `limit` items of a query, over as many pages as it takes.
    async fn all(&self, query: QueryFluentBuilder, limit: usize) -> PortResult<Vec<Item>> {
        let call = self.read_call("dynamodb:Query");
        let mut items: Vec<Item> = Vec::new();
        let mut from = None;
        while items.len() < limit {
            let left = i32::try_from(limit - items.len()).unwrap_or(i32::MAX);
            let page = query
                .clone()
                .limit(left)
                .set_exclusive_start_key(from)
                .send()
                .await
                .map_err(|error| call.to_error(error))?;
            items.extend(page.items.unwrap_or_default());
            from = page.last_evaluated_key;
            if from.is_none() {
                break;
            }
        }
        Ok(items)
    }

    /// Payments are found among all items, so one page may take several scans.
    pub(super) async fn scan_payments(
        &self,
        from: Option<&str>,
        limit: usize,
    ) -> PortResult<PaymentPage> {
        let call = self.read_call("dynamodb:Scan");
        let limit = limit.max(1);
        let mut from = from.map(open_cursor).transpose()?;
        let mut payments = Vec::new();
        for _ in 0..SCANS_MAX {
            let scan = self
                .client
                .scan()
                .table_name(&self.table)
                .consistent_read(true)
                .limit(SCAN_ITEMS);
            let scan = scan
                .filter_expression("sk = :payment")
                .expression_attribute_values(":payment", text(PAYMENT));
            let page = scan
                .set_exclusive_start_key(from)
                .send()
                .await
                .map_err(|error| call.to_error(error))?;
            from = page.last_evaluated_key;
            for found in page.items.unwrap_or_default() {
                if payments.len() == limit {
                    // The page goes on behind the last one that is told, not behind the last one
                    // seen.
                    let last = payments
                        .last()
                        .map(|last: &Payment| item::key(&item::payment_pk(&last.id), PAYMENT));
                    return Ok(PaymentPage {
                        next: last.as_ref().map(close_cursor),
                        payments,
                    });
                }
                payments.push(item::to_payment(&found)?);
            }
            if from.is_none() || payments.len() == limit {
                break;
            }
        }
        Ok(PaymentPage {
            payments,
            next: from.as_ref().map(close_cursor),
        })
    }
}

fn close_cursor(key: &Item) -> String {
    let part = |name: &str| {
        key.get(name)
            .and_then(|value| value.as_s().ok())
            .map_or("", String::as_str)
    };
    URL_SAFE_NO_PAD.encode(serde_json::json!([part(PK), part(SK)]).to_string())
}

fn open_cursor(cursor: &str) -> PortResult<Item> {
    let parts: Option<(String, String)> = URL_SAFE_NO_PAD
        .decode(cursor)
        .ok()
        .and_then(|json| serde_json::from_slice(&json).ok());
    let (pk, sk) = parts.ok_or_else(|| {
        PortError::new(ErrorKind::Permanent, "not a valid cursor of a payment scan")
    })?;
    Ok(item::key(&pk, &sk))
}
