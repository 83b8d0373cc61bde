//! What the acquirer lists: charges, and refunds that were paid out.

use payops_core::domain::reconcile::{ProviderEntry, ProviderListed, ProviderRefund};
use payops_core::port::{ErrorKind, PortError, PortResult, ProviderPage};

use super::file::query_error;
use super::{CHARGE_PREFIX, REFUND_PREFIX, SimulatedAcquirer};

type Row = (i64, i64, Option<String>, Option<String>);

impl SimulatedAcquirer {
    /// A page of all charges, oldest first.
    pub(super) async fn list_charges(
        &self,
        from: Option<&str>,
        limit: usize,
    ) -> PortResult<ProviderPage> {
        let query =
            "SELECT id, minor, currency, payment FROM charges WHERE id > ? ORDER BY id LIMIT ?";
        self.list(query, CHARGE_PREFIX, from, limit).await
    }

    /// A page of all refunds, oldest first; the payment is that of the charge.
    pub(super) async fn list_refunds(
        &self,
        from: Option<&str>,
        limit: usize,
    ) -> PortResult<ProviderPage> {
        let query = "SELECT r.id, r.minor, c.currency, c.payment FROM refunds r \
            LEFT JOIN charges c ON c.id = r.charge_id \
                     WHERE r.id > ? ORDER BY r.id LIMIT ?";
        self.list(query, REFUND_PREFIX, from, limit).await
    }

    async fn list(
        &self,
        query: &'static str,
        prefix: &str,
        from: Option<&str>,
        limit: usize,
    ) -> PortResult<ProviderPage> {
        let after: i64 = match from {
            Some(from) => from.parse().map_err(|_| {
                PortError::new(
                    ErrorKind::Permanent,
                    "not a valid cursor of the acquirer's list",
                )
            })?,
            None => 0,
        };
        let limit = limit.max(1);
        let bound = i64::try_from(limit).unwrap_or(i64::MAX);
        let query = sqlx::query_as(query).bind(after).bind(bound);
        let rows: Vec<Row> = query
            .fetch_all(&mut *self.lock().await)
            .await
            .map_err(query_error)?;
        let next = rows
            .last()
            .filter(|_| rows.len() >= limit)
            .map(|(id, ..)| id.to_string());
        let listed = |(id, minor, currency, payment): Row| ProviderListed {
            entry: ProviderEntry {
                id: format!("{prefix}{id}"),
                minor,
                currency: currency.unwrap_or_default(),
            },
            payment,
        };
        Ok(ProviderPage {
            entries: rows.into_iter().map(listed).collect(),
            next,
        })
    }

    pub(super) async fn refunds_of(&self, charge_id: &str) -> PortResult<Vec<ProviderRefund>> {
        let charge_id = charge_id
            .strip_prefix(CHARGE_PREFIX)
            .and_then(|id| id.parse::<i64>().ok());
        let query = "SELECT r.id, r.refund, r.minor, c.currency FROM refunds r \
            JOIN charges c ON c.id = r.charge_id \
                     WHERE r.charge_id = ? ORDER BY r.id";
        let query = sqlx::query_as(query).bind(charge_id);
        let rows: Vec<(i64, String, i64, String)> = query
            .fetch_all(&mut *self.lock().await)
            .await
            .map_err(query_error)?;
        let refund = |(id, refund, minor, currency)| ProviderRefund {
            entry: ProviderEntry {
                id: format!("{REFUND_PREFIX}{id}"),
                minor,
                currency,
            },
            refund: Some(refund),
            paid: true,
        };
        Ok(rows.into_iter().map(refund).collect())
    }
}
