//! Writes. Accepting, changing and noting are one transaction each, whose conditions decide;
//! what DynamoDB says of a canceled one becomes the port's answers here.

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, DeleteRequest, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
    Update, WriteRequest,
};
use payops_core::Timestamp;
use payops_core::domain::apikey::ApiKeyRow;
use payops_core::domain::event::{NewEvent, Note};
use payops_core::domain::id::PaymentId;
use payops_core::domain::outbox::OutboxEvent;
use payops_core::port::{
    Acceptance, Accepted, Change, Committed, ErrorKind, IdempotencyRow, IdempotencyScope, Noted,
    PortError, PortResult, Precondition,
};

use super::DynamoStore;
use super::item::{self, Item, PAYMENT, number};
use crate::fail::Call;

/// Items of one transaction, and its size, that DynamoDB takes.
const ITEMS_MAX: usize = 100;
const BYTES_MAX: usize = 4 * 1024 * 1024;
const ITEM_BYTES_MAX: usize = 400 * 1024;
const TRIES_MAX: u32 = 20;
/// Deletes that one `BatchWriteItem` takes.
const DELETE_MAX: usize = 25;

const FRESH: &str = "attribute_not_exists(pk)";
/// The idempotency key is not taken: no row, or one that has expired.
const FREE: &str = "attribute_not_exists(pk) OR expires_at_ms <= :now";
/// The payment is as it was decided on, and its timeline ends where it was read to end.
const CURRENT: &str = "#version = :version AND #fence = :fence AND #seq = :seq";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Key,
    Payment,
    Marker,
    Event,
    Outbox,
}

struct Plan<'a> {
    call: Call,
    table: &'a str,
    items: Vec<TransactWriteItem>,
    roles: Vec<Role>,
    bytes: usize,
}

/// Why a transaction was canceled, item by item: code, and the item that stands there.
struct Cancellation(Vec<(Role, String, Option<Item>)>);

impl Cancellation {
    /// Whether the condition on an item of that role failed.
    fn condition_failed(&self, role: Role) -> bool {
        self.0
            .iter()
            .any(|(of, code, _)| *of == role && code == "ConditionalCheckFailed")
    }

    /// The idempotency row that stands in the way, when DynamoDB returned it.
    fn conflicting_key(&self) -> Option<&Item> {
        self.0
            .iter()
            .find(|(of, ..)| *of == Role::Key)
            .and_then(|(.., item)| item.as_ref())
    }

    /// Whether it met another transaction, or too many: trying again may work.
    fn is_busy(&self) -> bool {
        const BUSY: [&str; 5] = [
            "TransactionConflict",
            "ThrottlingError",
            "ThrottlingException",
            "ProvisionedThroughputExceeded",
            "RequestLimitExceeded",
        ];
        self.0
            .iter()
            .any(|(_, code, _)| BUSY.contains(&code.as_str()))
    }

    fn into_error(self, call: &Call) -> PortError {
        if self.condition_failed(Role::Event) {
            return call.error(
                ErrorKind::Corrupt,
                "the timeline holds an event with a later sequence number than the payment",
            );
        }
        let codes: Vec<String> = self
            .0
            .into_iter()
            .map(|(role, code, _)| format!("{role:?} {code}"))
            .collect();
        call.error(
            ErrorKind::Permanent,
            format!("canceled: {}", codes.join(", ")),
        )
    }
}

impl<'a> Plan<'a> {
    fn new(store: &'a DynamoStore) -> Self {
        let call = store.write_call("dynamodb:TransactWriteItems");
        Self {
            call,
            table: &store.table,
            items: Vec::new(),
            roles: Vec::new(),
            bytes: 0,
        }
    }

    fn put(
        &mut self,
        role: Role,
        item: Item,
        condition: &str,
        values: &[(&str, AttributeValue)],
    ) -> PortResult<()> {
        let bytes = item::size(&item);
        if bytes > ITEM_BYTES_MAX {
            let words =
                format!("the {role:?} item is {bytes} bytes, over the limit of {ITEM_BYTES_MAX}");
            return Err(self.call.error(ErrorKind::Permanent, words));
        }
        let mut put = Put::builder().table_name(self.table).set_item(Some(item));
        if !condition.is_empty() {
            put = put
                .condition_expression(condition)
                .return_values_on_condition_check_failure(
                    ReturnValuesOnConditionCheckFailure::AllOld,
                );
        }
        for (name, value) in values {
            put = put.expression_attribute_values(*name, value.clone());
        }
        for (name, attribute) in NAMES.iter().filter(|(name, _)| condition.contains(name)) {
            put = put.expression_attribute_names(*name, *attribute);
        }
        self.items.push(
            TransactWriteItem::builder()
                .put(self.call.check_built(put.build())?)
                .build(),
        );
        self.roles.push(role);
        self.bytes += bytes;
        Ok(())
    }

    fn key(&mut self, row: &IdempotencyRow, now: Timestamp) -> PortResult<()> {
        self.put(
            Role::Key,
            item::from_idempotency(row),
            FREE,
            &[(":now", number(now.as_millisecond()))],
        )
    }

    fn events(
        &mut self,
        payment: &PaymentId,
        last_seq: u64,
        version: u64,
        events: &[NewEvent],
    ) -> PortResult<()> {
        for (seq, event) in (last_seq + 1..).zip(events) {
            self.put(
                Role::Event,
                item::from_event(payment, seq, version, event)?,
                FRESH,
                &[],
            )?;
        }
        Ok(())
    }

    fn outbox(&mut self, rows: &[OutboxEvent]) -> PortResult<()> {
        for (place, row) in rows.iter().enumerate() {
            // Two rows of one name are one event, and a transaction takes an item only once.
            if rows.iter().take(place).all(|before| before.id != row.id) {
                self.put(Role::Outbox, item::from_outbox(row)?, "", &[])?;
            }
        }
        Ok(())
    }

    fn check(&self) -> PortResult<()> {
        let (items, bytes) = (self.items.len(), self.bytes);
        if items > ITEMS_MAX || bytes > BYTES_MAX {
            let words = format!(
                "{items} items of {bytes} bytes, over the limit of {ITEMS_MAX} items and \
                    {BYTES_MAX} bytes"
            );
            return Err(self.call.error(ErrorKind::Permanent, words));
        }
        Ok(())
    }

    /// `None` when it was written.
    async fn run(&self, store: &DynamoStore) -> PortResult<Option<Cancellation>> {
        self.check()?;
        // The SDK gives each call a token of its own and repeats it with the attempt: an attempt
        // whose answer was lost is not done twice. A token of the content would make one of two
        // equal changes by two processes look written when it was not.
        let request = store
            .client
            .transact_write_items()
            .set_transact_items(Some(self.items.clone()));
        let Err(error) = request
            .customize()
            .interceptor(self.call.track_attempts())
            .send()
            .await
        else {
            return Ok(None);
        };
        match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(canceled)) => {
                let reasons = canceled.cancellation_reasons().iter().zip(&self.roles);
                let told = |code: Option<&str>| code.unwrap_or("None").to_owned();
                Ok(Some(Cancellation(
                    reasons
                        .map(|(reason, role)| (*role, told(reason.code()), reason.item.clone()))
                        .collect(),
                )))
            }
            _ => Err(self.call.to_error(error)),
        }
    }

    fn contention_error(&self) -> PortError {
        self.call.error(
            ErrorKind::Unavailable,
            format!(
                "gave up after {TRIES_MAX} attempts: other writers keep changing the same items"
            ),
        )
    }
}

/// Placeholders of conditions and the attributes they stand for: some words are reserved.
const NAMES: [(&str, &str); 3] = [
    ("#version", "version"),
    ("#fence", "fence"),
    ("#seq", "event_seq"),
];

impl DynamoStore {
    pub(super) async fn write_acceptance(&self, acceptance: &Acceptance) -> PortResult<Accepted> {
        let payment = &acceptance.payment;
        let seq = u64::try_from(acceptance.events.len()).unwrap_or(u64::MAX);
        let mut plan = Plan::new(self);
        plan.key(&acceptance.idempotency, acceptance.now)?;
        plan.put(Role::Payment, item::from_payment(payment, seq)?, FRESH, &[])?;
        plan.events(&payment.id, 0, payment.version, &acceptance.events)?;
        plan.outbox(&acceptance.outbox)?;
        for tries in 0..TRIES_MAX {
            let Some(canceled) = plan.run(self).await? else {
                return Ok(Accepted::New);
            };
            if canceled.condition_failed(Role::Key) {
                if let Some(row) = self
                    .idempotency_row(
                        canceled.conflicting_key(),
                        &acceptance.idempotency.scope,
                        acceptance.now,
                    )
                    .await?
                {
                    return Ok(Accepted::KeyTaken(Box::new(row)));
                }
            } else if !canceled.is_busy() {
                if canceled.condition_failed(Role::Payment) {
                    return Ok(Accepted::IdTaken);
                }
                return Err(canceled.into_error(&plan.call));
            }
            self.pause(tries).await;
        }
        Err(plan.contention_error())
    }

    pub(super) async fn write_change(&self, change: &Change) -> PortResult<Committed> {
        let payment = &change.payment;
        let added = u64::try_from(change.events.len()).unwrap_or(u64::MAX);
        for tries in 0..TRIES_MAX {
            // Notes move the end of the timeline without a new version, so it is read afresh.
            let Some(seq) = self.current_seq(&payment.id, change.expect).await? else {
                return self.resolve_stale(change).await;
            };
            let mut plan = Plan::new(self);
            if let Some(row) = &change.idempotency {
                plan.key(row, change.now)?;
            }
            let values = [
                (":version", number(change.expect.version)),
                (":fence", number(change.expect.fence)),
                (":seq", number(seq)),
            ];
            plan.put(
                Role::Payment,
                item::from_payment(payment, seq + added)?,
                CURRENT,
                &values,
            )?;
            plan.events(&payment.id, seq, payment.version, &change.events)?;
            plan.outbox(&change.outbox)?;
            let Some(canceled) = plan.run(self).await? else {
                return Ok(Committed::Done);
            };
            if let Some(wanted) = change
                .idempotency
                .as_ref()
                .filter(|_| canceled.condition_failed(Role::Key))
            {
                if let Some(row) = self
                    .idempotency_row(canceled.conflicting_key(), &wanted.scope, change.now)
                    .await?
                {
                    return Ok(Committed::KeyTaken(Box::new(row)));
                }
            } else if !canceled.condition_failed(Role::Payment) && !canceled.is_busy() {
                return Err(canceled.into_error(&plan.call));
            }
            self.pause(tries).await;
        }
        Err(Plan::new(self).contention_error())
    }

    /// The number of the payment's last event, if it is as expected.
    async fn current_seq(&self, id: &PaymentId, expect: Precondition) -> PortResult<Option<u64>> {
        let Some(held) = self.read(item::key(&item::payment_pk(id), PAYMENT)).await? else {
            return Ok(None);
        };
        let (version, fence, seq) = item::to_counts(&held)?;
        Ok((version == expect.version && fence == expect.fence).then_some(seq))
    }

    /// The payment is past the expected version: that the key is taken tells the caller more.
    async fn resolve_stale(&self, change: &Change) -> PortResult<Committed> {
        let Some(row) = &change.idempotency else {
            return Ok(Committed::Stale);
        };
        let held = self.read_idempotency(&row.scope, change.now).await?;
        Ok(held.map_or(Committed::Stale, |row| Committed::KeyTaken(Box::new(row))))
    }

    /// The idempotency row that stood in the way: as returned with the cancellation, else read.
    async fn idempotency_row(
        &self,
        held: Option<&Item>,
        scope: &IdempotencyScope,
        now: Timestamp,
    ) -> PortResult<Option<IdempotencyRow>> {
        match held {
            Some(held) => item::to_idempotency(held).map(Some),
            None => self.read_idempotency(scope, now).await,
        }
    }

    pub(super) async fn write_note(&self, id: &PaymentId, note: &Note) -> PortResult<Noted> {
        for tries in 0..TRIES_MAX {
            let Some(held) = self.read(item::key(&item::payment_pk(id), PAYMENT)).await? else {
                return Ok(Noted::NoPayment);
            };
            let (version, _, last_seq) = item::to_counts(&held)?;
            let seq = last_seq + 1;
            let mut plan = Plan::new(self);
            plan.put(
                Role::Marker,
                item::from_note(id, &note.once, seq),
                FRESH,
                &[],
            )?;
            plan.events(id, last_seq, version, std::slice::from_ref(&note.event))?;
            let raise = Update::builder()
                .table_name(&self.table)
                .set_key(Some(item::key(&item::payment_pk(id), PAYMENT)))
                .update_expression("SET #seq = :next")
                .condition_expression("#version = :version AND #seq = :seq")
                .expression_attribute_names("#version", "version")
                .expression_attribute_names("#seq", "event_seq")
                .expression_attribute_values(":version", number(version))
                .expression_attribute_values(":seq", number(last_seq))
                .expression_attribute_values(":next", number(seq));
            plan.items.push(
                TransactWriteItem::builder()
                    .update(plan.call.check_built(raise.build())?)
                    .build(),
            );
            plan.roles.push(Role::Payment);
            let Some(canceled) = plan.run(self).await? else {
                return Ok(Noted::Written);
            };
            if canceled.condition_failed(Role::Marker) {
                return Ok(Noted::Already);
            }
            if !canceled.condition_failed(Role::Payment) && !canceled.is_busy() {
                return Err(canceled.into_error(&plan.call));
            }
            self.pause(tries).await;
        }
        Err(Plan::new(self).contention_error())
    }

    /// Rows that are done are deleted, and with them the request that they carried.
    pub(super) async fn delete_outbox(&self, rows: &[OutboxEvent]) -> PortResult<()> {
        let call = self.write_call("dynamodb:BatchWriteItem");
        let mut keys: Vec<(String, String)> = rows
            .iter()
            .map(|row| (item::payment_pk(&row.payment), item::outbox_sk(row)))
            .collect();
        keys.sort_unstable();
        keys.dedup();
        for some in keys.chunks(DELETE_MAX) {
            let mut left = Vec::with_capacity(some.len());
            for (pk, sk) in some {
                let delete = call.check_built(
                    DeleteRequest::builder()
                        .set_key(Some(item::key(pk, sk)))
                        .build(),
                )?;
                left.push(WriteRequest::builder().delete_request(delete).build());
            }
            self.write_batch(&call, left).await?;
        }
        Ok(())
    }

    async fn write_batch(&self, call: &Call, mut left: Vec<WriteRequest>) -> PortResult<()> {
        for tries in 0..TRIES_MAX {
            let request = self
                .client
                .batch_write_item()
                .request_items(&self.table, left);
            let answer = request
                .customize()
                .interceptor(call.track_attempts())
                .send()
                .await
                .map_err(|error| call.to_error(error))?;
            left = answer
                .unprocessed_items
                .unwrap_or_default()
                .into_values()
                .flatten()
                .collect();
            if left.is_empty() {
                return Ok(());
            }
            self.pause(tries).await;
        }
        Err(call.error(
            ErrorKind::Throttled,
            format!(
                "{} rows still unwritten after {TRIES_MAX} attempts",
                left.len()
            ),
        ))
    }

    pub(super) async fn write_key(&self, row: &ApiKeyRow) -> PortResult<()> {
        let call = self.write_call("dynamodb:PutItem");
        let request = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item::from_api_key(row)));
        request
            .customize()
            .interceptor(call.track_attempts())
            .send()
            .await
            .map(drop)
            .map_err(|error| call.to_error(error))
    }
}
