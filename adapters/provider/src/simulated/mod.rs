//! An acquirer that keeps its books in a file of its own, with the habits of real ones: it knows
//! keys for a day and payments not at all, it may charge and not answer, and it fails on demand.
//! Several processes may share the file.

mod file;
mod list;
mod token;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use payops_core::Timestamp;
use payops_core::domain::id::PaymentId;
use payops_core::domain::payment::{Card, Charge, Failure};
use payops_core::domain::reconcile::{ProviderEntry, ProviderRefund};
use payops_core::domain::text::Source;
use payops_core::port::{
    ChargeOutcome, ChargeRequest, Clock, ErrorKind, PortError, PortResult, Provider, ProviderPage,
    RefundOutcome, RefundRequest,
};
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, SqliteTransaction};
use tokio::sync::{Mutex, MutexGuard};

use file::{commit_failed, query_error};
use token::Behaviour;

/// How long a key is known; the same key later is a new charge, as at Stripe.
const KEY_KEPT_MS: i64 = 24 * 60 * 60 * 1_000;
/// How often the flaky token fails per key.
const FLAKY_FAILURES: i64 = 2;
const CHARGE_PREFIX: &str = "ch_sim_";
const REFUND_PREFIX: &str = "re_sim_";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcquirerOptions {
    /// How long `tok_slow` takes to be charged.
    pub slow: Duration,
    /// After how long `tok_timeout_charged` is given up on.
    pub timeout: Duration,
}

impl Default for AcquirerOptions {
    fn default() -> Self {
        Self {
            slow: Duration::from_secs(5),
            timeout: Duration::from_secs(10),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AcquirerStats {
    pub charges: u64,
    pub declines: u64,
    pub refunds: u64,
    pub charged_minor: BTreeMap<String, i64>,
    pub refunded_minor: BTreeMap<String, i64>,
}

/// The simulated acquirer. See the module's tokens: `tok_visa`, `tok_mastercard`, `tok_declined`,
/// `tok_timeout_charged`, `tok_slow`, `tok_flaky`, `tok_poison`; every other one is unknown.
///
/// A call that is dropped while `tok_slow` waits was never taken; one dropped later may have
/// charged.
pub struct SimulatedAcquirer {
    // One connection: calls of one process queue here in order rather than poll for the file's
    // lock.
    db: Mutex<SqliteConnection>,
    clock: Arc<dyn Clock>,
    options: AcquirerOptions,
}

impl std::fmt::Debug for SimulatedAcquirer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimulatedAcquirer")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl SimulatedAcquirer {
    /// Opens the acquirer's file, making it if it is not there.
    ///
    /// [`ErrorKind::Corrupt`] for a file of another kind or of a newer schema version.
    pub async fn open(
        path: &Path,
        clock: Arc<dyn Clock>,
        options: AcquirerOptions,
    ) -> PortResult<Self> {
        Ok(Self {
            db: Mutex::new(file::open(path).await?),
            clock,
            options,
        })
    }

    /// Opens the acquirer's file for reading only: every charge and refund is
    /// [`ErrorKind::NotWritable`].
    pub async fn open_read_only(path: &Path, clock: Arc<dyn Clock>) -> PortResult<Self> {
        Ok(Self {
            db: Mutex::new(file::open_read_only(path).await?),
            clock,
            options: AcquirerOptions::default(),
        })
    }

    /// Repairs `tok_poison`: from now on it is charged. Survives restarts.
    pub async fn fix_poison(&self) -> PortResult<()> {
        self.set_poison_fixed(true).await
    }

    pub async fn break_poison(&self) -> PortResult<()> {
        self.set_poison_fixed(false).await
    }

    async fn set_poison_fixed(&self, fixed: bool) -> PortResult<()> {
        let update =
            sqlx::query("UPDATE settings SET value = ? WHERE name = 'poison_fixed'").bind(fixed);
        update
            .execute(&mut *self.lock().await)
            .await
            .map_err(query_error)?;
        Ok(())
    }

    pub async fn stats(&self) -> PortResult<AcquirerStats> {
        let mut db = self.lock().await;
        // One transaction, so that all numbers are of one moment.
        let mut tx = db.begin().await.map_err(query_error)?;
        let charged: Vec<(String, i64, i64)> =
            sqlx::query_as("SELECT currency, count(*), sum(minor) FROM charges GROUP BY currency")
                .fetch_all(&mut *tx)
                .await
                .map_err(query_error)?;
        let refunded: Vec<(String, i64, i64)> = sqlx::query_as(
            "SELECT c.currency, count(*), sum(r.minor) FROM refunds r JOIN charges c ON c.id = \
                r.charge_id GROUP BY c.currency",
        )
        .fetch_all(&mut *tx)
        .await
        .map_err(query_error)?;
        let declines: i64 = sqlx::query_scalar("SELECT count(*) FROM declines")
            .fetch_one(&mut *tx)
            .await
            .map_err(query_error)?;
        let count = |rows: &[(String, i64, i64)]| {
            rows.iter().map(|(_, count, _)| count.unsigned_abs()).sum()
        };
        let sums = |rows: Vec<(String, i64, i64)>| {
            rows.into_iter()
                .map(|(currency, _, minor)| (currency, minor))
                .collect()
        };
        Ok(AcquirerStats {
            charges: count(&charged),
            declines: declines.unsigned_abs(),
            refunds: count(&refunded),
            charged_minor: sums(charged),
            refunded_minor: sums(refunded),
        })
    }

    async fn lock(&self) -> MutexGuard<'_, SqliteConnection> {
        self.db.lock().await
    }

    fn now_ms(&self) -> i64 {
        self.clock.now().as_millisecond()
    }

    /// What was answered to the key before, if that is still known.
    async fn read_answer(&self, request: &ChargeRequest) -> PortResult<Option<ChargeOutcome>> {
        let now_ms = self.now_ms();
        let mut db = self.lock().await;
        let mut tx = db.begin().await.map_err(query_error)?;
        answer(&mut tx, request, now_ms).await
    }

    async fn decide(
        &self,
        request: &ChargeRequest,
        behaviour: Behaviour,
    ) -> PortResult<ChargeOutcome> {
        let mut db = self.lock().await;
        let mut tx = db
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(query_error)?;
        let now_ms = self.now_ms();
        if let Some(known) = answer(&mut tx, request, now_ms).await? {
            return Ok(known);
        }
        sqlx::query("DELETE FROM answers WHERE at_ms <= ?")
            .bind(now_ms - KEY_KEPT_MS)
            .execute(&mut *tx)
            .await
            .map_err(query_error)?;
        if let Some(failure) = fail_on_demand(&mut tx, request, behaviour).await? {
            tx.commit().await.map_err(commit_failed)?;
            return Err(failure);
        }
        let (charge_id, failure) = match behaviour.result() {
            Ok(card) => (
                Some(insert_charge(&mut tx, request, &card, now_ms).await?),
                None,
            ),
            Err(failure) => (None, Some(failure)),
        };
        if let Some(failure) = &failure {
            let decline =
                sqlx::query("INSERT INTO declines (payment, code, at_ms) VALUES (?, ?, ?)");
            decline
                .bind(request.payment.as_str())
                .bind(&failure.code)
                .bind(now_ms)
                .execute(&mut *tx)
                .await
                .map_err(query_error)?;
        }
        sqlx::query(
            "INSERT INTO answers (key, payment, minor, currency, source, charge_id, code, message, \
                at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&request.key)
        .bind(request.payment.as_str())
        .bind(request.money.minor())
        .bind(request.money.currency().code())
        .bind(request.source.as_str())
        .bind(charge_id)
        .bind(failure.as_ref().map(|failure| &failure.code))
        .bind(failure.as_ref().map(|failure| &failure.message))
        .bind(now_ms)
        .execute(&mut *tx)
        .await
        .map_err(query_error)?;
        let outcome = answer(&mut tx, request, now_ms).await?;
        tx.commit().await.map_err(commit_failed)?;
        outcome
            .ok_or_else(|| PortError::new(ErrorKind::Ambiguous, "the acquirer lost its own answer"))
    }
}

/// What was answered to the request's key within the time that keys are known.
async fn answer(
    tx: &mut SqliteTransaction<'_>,
    request: &ChargeRequest,
    now_ms: i64,
) -> PortResult<Option<ChargeOutcome>> {
    type Row = (
        String,
        i64,
        String,
        String,
        Option<i64>,
        Option<String>,
        Option<String>,
    );
    let row: Option<Row> = sqlx::query_as(
        "SELECT payment, minor, currency, source, charge_id, code, message FROM \
            answers WHERE key = ? AND at_ms > ?",
    )
    .bind(&request.key)
    .bind(now_ms - KEY_KEPT_MS)
    .fetch_optional(&mut **tx)
    .await
    .map_err(query_error)?;
    let Some((payment, minor, currency, source, charge_id, code, message)) = row else {
        return Ok(None);
    };
    let money = request.money;
    let same = (payment.as_str(), minor, currency.as_str())
        == (
            request.payment.as_str(),
            money.minor(),
            money.currency().code(),
        );
    if !same || source != request.source.as_str() {
        return Err(PortError::new(
            ErrorKind::Permanent,
            "this idempotency key was used for a different request",
        ));
    }
    let Some(charge_id) = charge_id else {
        let failure = Failure {
            code: code.unwrap_or_default(),
            message: message.unwrap_or_default(),
        };
        return Ok(Some(ChargeOutcome::Declined {
            failure,
            soft: false,
        }));
    };
    let row: ChargeRow = sqlx::query_as("SELECT id, brand, last4, at_ms FROM charges WHERE id = ?")
        .bind(charge_id)
        .fetch_one(&mut **tx)
        .await
        .map_err(query_error)?;
    charge_of(row).map(|charge| Some(ChargeOutcome::Approved(charge)))
}

/// The failure that the token asks for, if it does so this time; nothing is charged then.
async fn fail_on_demand(
    tx: &mut SqliteTransaction<'_>,
    request: &ChargeRequest,
    behaviour: Behaviour,
) -> PortResult<Option<PortError>> {
    match behaviour {
        Behaviour::Poison => {
            let fixed: bool =
                sqlx::query_scalar("SELECT value FROM settings WHERE name = 'poison_fixed'")
                    .fetch_one(&mut **tx)
                    .await
                    .map_err(query_error)?;
            Ok((!fixed).then(|| {
                PortError::new(
                    ErrorKind::Unavailable,
                    "the provider had an internal error before it charged anything",
                )
            }))
        }
        Behaviour::Flaky => {
            let count = "INSERT INTO failures (key, count) VALUES (?, 1) ON CONFLICT (key) DO \
                UPDATE SET count = count + 1 RETURNING count";
            let count: i64 = sqlx::query_scalar(count)
                .bind(&request.key)
                .fetch_one(&mut **tx)
                .await
                .map_err(query_error)?;
            Ok((count <= FLAKY_FAILURES)
                .then(|| PortError::new(ErrorKind::Unavailable, "the provider answered HTTP 503")))
        }
        _ => Ok(None),
    }
}

async fn insert_charge(
    tx: &mut SqliteTransaction<'_>,
    request: &ChargeRequest,
    card: &Card,
    now_ms: i64,
) -> PortResult<i64> {
    let insert = "INSERT INTO charges (payment, key, minor, currency, brand, last4, at_ms) VALUES \
        (?, ?, ?, ?, ?, ?, ?) RETURNING id";
    let insert = sqlx::query_scalar(insert)
        .bind(request.payment.as_str())
        .bind(&request.key)
        .bind(request.money.minor());
    let insert = insert
        .bind(request.money.currency().code())
        .bind(&card.brand)
        .bind(&card.last4)
        .bind(now_ms);
    insert.fetch_one(&mut **tx).await.map_err(query_error)
}

type ChargeRow = (i64, String, String, i64);

fn charge_of((id, brand, last4, at_ms): ChargeRow) -> PortResult<Charge> {
    let at = Timestamp::from_millisecond(at_ms).map_err(|error| {
        PortError::because(
            ErrorKind::Corrupt,
            "a charge in the acquirer file has no valid time",
            error,
        )
    })?;
    Ok(Charge {
        id: format!("{CHARGE_PREFIX}{id}"),
        card: Some(Card { brand, last4 }),
        at,
    })
}

#[async_trait]
impl Provider for SimulatedAcquirer {
    async fn knows_source(&self, source: &Source) -> PortResult<bool> {
        Ok(Behaviour::from_source(source) != Behaviour::Unknown)
    }

    async fn charge(&self, request: &ChargeRequest) -> PortResult<ChargeOutcome> {
        let behaviour = Behaviour::from_source(&request.source);
        if let Some(known) = self.read_answer(request).await? {
            return Ok(known);
        }
        if behaviour == Behaviour::Slow {
            tokio::time::sleep(self.options.slow).await;
        }
        let outcome = self.decide(request, behaviour).await?;
        if behaviour == Behaviour::TimeOutCharged {
            // The charge stands in the file; only its answer is lost.
            tokio::time::sleep(self.options.timeout).await;
            return Err(PortError::new(
                ErrorKind::Ambiguous,
                "the provider did not answer in time",
            ));
        }
        Ok(outcome)
    }

    async fn find_charge(&self, payment: &PaymentId) -> PortResult<Option<Charge>> {
        let query = sqlx::query_as(
            "SELECT id, brand, last4, at_ms FROM charges WHERE payment = ? ORDER BY id LIMIT 1",
        );
        let row: Option<ChargeRow> = query
            .bind(payment.as_str())
            .fetch_optional(&mut *self.lock().await)
            .await
            .map_err(query_error)?;
        row.map(charge_of).transpose()
    }

    async fn refund(&self, request: &RefundRequest) -> PortResult<RefundOutcome> {
        let refused = |code: &str, message: &str| {
            Ok(RefundOutcome::Refused(Failure {
                code: code.to_owned(),
                message: message.to_owned(),
            }))
        };
        let mut db = self.lock().await;
        let mut tx = db
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(query_error)?;
        let charge_id = request
            .charge_id
            .strip_prefix(CHARGE_PREFIX)
            .and_then(|id| id.parse::<i64>().ok());
        let known: Option<(i64, i64, i64)> =
            sqlx::query_as("SELECT id, charge_id, minor FROM refunds WHERE refund = ?")
                .bind(request.refund.as_str())
                .fetch_optional(&mut *tx)
                .await
                .map_err(query_error)?;
        if let Some((id, known_charge, minor)) = known {
            if Some(known_charge) != charge_id || minor != request.money.minor() {
                return Err(PortError::new(
                    ErrorKind::Permanent,
                    "this refund id was used for a different request",
                ));
            }
            return Ok(RefundOutcome::Paid {
                provider_id: format!("{REFUND_PREFIX}{id}"),
            });
        }
        let query = sqlx::query_as("SELECT payment, minor, currency FROM charges WHERE id = ?")
            .bind(charge_id);
        let charge: Option<(String, i64, String)> =
            query.fetch_optional(&mut *tx).await.map_err(query_error)?;
        let Some((_, captured, currency)) =
            charge.filter(|(payment, ..)| payment == request.payment.as_str())
        else {
            return refused(
                "unknown_charge",
                "the payment has no such charge at the provider",
            );
        };
        if currency != request.money.currency().code() {
            return refused("currency_mismatch", "the charge is in another currency");
        }
        let paid: i64 =
            sqlx::query_scalar("SELECT coalesce(sum(minor), 0) FROM refunds WHERE charge_id = ?")
                .bind(charge_id)
                .fetch_one(&mut *tx)
                .await
                .map_err(query_error)?;
        if paid.saturating_add(request.money.minor()) > captured {
            return refused(
                "refund_too_large",
                "the refund exceeds the refundable amount of the charge",
            );
        }
        let insert = sqlx::query_scalar(
            "INSERT INTO refunds (refund, charge_id, minor, at_ms) VALUES (?, ?, ?, ?) RETURNING \
                id",
        );
        let insert = insert
            .bind(request.refund.as_str())
            .bind(charge_id)
            .bind(request.money.minor())
            .bind(self.now_ms());
        let id: i64 = insert.fetch_one(&mut *tx).await.map_err(query_error)?;
        tx.commit().await.map_err(commit_failed)?;
        Ok(RefundOutcome::Paid {
            provider_id: format!("{REFUND_PREFIX}{id}"),
        })
    }

    async fn find_refund(&self, request: &RefundRequest) -> PortResult<Option<RefundOutcome>> {
        let query = sqlx::query_scalar("SELECT id FROM refunds WHERE refund = ?")
            .bind(request.refund.as_str());
        let id: Option<i64> = query
            .fetch_optional(&mut *self.lock().await)
            .await
            .map_err(query_error)?;
        Ok(id.map(|id| RefundOutcome::Paid {
            provider_id: format!("{REFUND_PREFIX}{id}"),
        }))
    }

    async fn charges(&self, payment: &PaymentId) -> PortResult<Vec<ProviderEntry>> {
        let query =
            sqlx::query_as("SELECT id, minor, currency FROM charges WHERE payment = ? ORDER BY id")
                .bind(payment.as_str());
        let rows: Vec<(i64, i64, String)> = query
            .fetch_all(&mut *self.lock().await)
            .await
            .map_err(query_error)?;
        Ok(rows
            .into_iter()
            .map(|(id, minor, currency)| ProviderEntry {
                id: format!("{CHARGE_PREFIX}{id}"),
                minor,
                currency,
            })
            .collect())
    }

    async fn refunds(&self, charge_id: &str) -> PortResult<Vec<ProviderRefund>> {
        self.refunds_of(charge_id).await
    }

    async fn scan_charges(&self, from: Option<&str>, limit: usize) -> PortResult<ProviderPage> {
        self.list_charges(from, limit).await
    }

    async fn scan_refunds(&self, from: Option<&str>, limit: usize) -> PortResult<ProviderPage> {
        self.list_refunds(from, limit).await
    }
}
