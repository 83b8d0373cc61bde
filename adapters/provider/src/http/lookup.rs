//! Finding the intents of a payment and the refunds of an intent, and listing all of both.

use payops_core::domain::id::PaymentId;
use payops_core::domain::reconcile::{ProviderEntry, ProviderListed};
use payops_core::port::{ErrorKind, PortError, PortResult, ProviderPage};
use reqwest::StatusCode;

use super::api::Answer;
use super::units::from_stripe;
use super::wire::{Expandable, Intent, Page, RefundObject};
use super::{EXPAND, HttpProvider};

const PAGE: &str = "100";
const PAGE_MAX: usize = 100;
/// Objects to be told in full with each intent of a page.
const EXPAND_EACH: [(&str, &str); 2] = [
    ("expand[]", "data.latest_charge"),
    ("expand[]", "data.payment_method"),
];
/// After so many pages a listing is given up on: an incomplete one must not pass for "not found".
const PAGES_MAX: usize = 1_000;
/// How far our clock, which dates payments, may be ahead of the provider's.
const SKEW_S: u64 = 24 * 60 * 60;

impl HttpProvider {
    /// Every intent that was made for the payment, as it stands now.
    pub(super) async fn intents(&self, payment: &PaymentId) -> PortResult<Vec<Intent>> {
        let Some(found) = self.search(payment).await? else {
            return self.list(payment).await;
        };
        let mut intents = Vec::with_capacity(found.len());
        for intent in found {
            // What the search knows of an intent may be old, except that success is final.
            intents.push(if intent.status == "succeeded" {
                intent
            } else {
                self.read_again(intent).await?
            });
        }
        Ok(intents)
    }

    /// By the search; `None` where it is not offered.
    async fn search(&self, payment: &PaymentId) -> PortResult<Option<Vec<Intent>>> {
        let query = format!("metadata['payment_id']:'{payment}'");
        let mut found = Vec::new();
        let mut next: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let mut parameters = vec![("query", query.as_str()), ("limit", PAGE)];
            parameters.extend(EXPAND_EACH);
            parameters.extend(next.as_deref().map(|page| ("page", page)));
            // Accounts of some countries have no search, nor have older servers of this shape.
            let Some(page) = self
                .get_page::<Intent>("/v1/payment_intents/search", &parameters)
                .await?
            else {
                return Ok(None);
            };
            found.extend(
                page.data
                    .into_iter()
                    .filter(|intent| is_of(intent, payment)),
            );
            match page.next.filter(|_| page.has_more) {
                Some(page) => next = Some(page),
                None => return Ok(Some(found)),
            }
        }
        Err(too_many_error())
    }

    async fn read_again(&self, intent: Intent) -> PortResult<Intent> {
        match self
            .api
            .get::<Intent>(&format!("/v1/payment_intents/{}", intent.id), &EXPAND)
            .await?
        {
            Answer::Done(fresh) => Ok(fresh),
            Answer::Refused(refused) => Err(refused.into_port()),
        }
    }

    /// By paging through all intents made since the payment was.
    async fn list(&self, payment: &PaymentId) -> PortResult<Vec<Intent>> {
        let since = (payment.created_ms() / 1_000)
            .saturating_sub(SKEW_S)
            .to_string();
        let mut filter = EXPAND_EACH.to_vec();
        filter.push(("created[gte]", &since));
        let mut all = self
            .pages::<Intent>("/v1/payment_intents", &filter, |intent| &intent.id)
            .await?;
        if all.is_none() {
            // Without the filter it takes longer and finds the same.
            all = self
                .pages::<Intent>("/v1/payment_intents", &EXPAND_EACH, |intent| &intent.id)
                .await?;
        }
        Ok(all
            .ok_or_else(no_list_error)?
            .into_iter()
            .filter(|intent| is_of(intent, payment))
            .collect())
    }

    pub(super) async fn refunds_of(&self, intent: &str) -> PortResult<Vec<RefundObject>> {
        let refunds = self
            .pages(
                "/v1/refunds",
                &[("payment_intent", intent)],
                |refund: &RefundObject| &refund.id,
            )
            .await?;
        // Not to be told from "there are none" would mean to pay out again.
        refunds.ok_or_else(|| {
            PortError::new(
                ErrorKind::Permanent,
                "the provider does not list the refunds of a charge",
            )
        })
    }

    /// All entries of a list; `None` where the list, or a filter of it, is not known.
    async fn pages<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        filter: &[(&str, &str)],
        id: impl Fn(&T) -> &String,
    ) -> PortResult<Option<Vec<T>>> {
        let mut all: Vec<T> = Vec::new();
        let mut after = None;
        for _ in 0..PAGES_MAX {
            let Some(page) = self.page(path, filter, after.as_deref(), PAGE).await? else {
                return Ok(None);
            };
            after = page.find_next_start(&id);
            all.extend(page.data);
            if after.is_none() {
                return Ok(Some(all));
            }
        }
        Err(too_many_error())
    }

    /// One page of a list; `None` where the list, or a filter of it, is not known.
    async fn page<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        filter: &[(&str, &str)],
        after: Option<&str>,
        limit: &str,
    ) -> PortResult<Option<Page<T>>> {
        let mut parameters = vec![("limit", limit)];
        parameters.extend(filter);
        parameters.extend(after.map(|after| ("starting_after", after)));
        self.get_page(path, &parameters).await
    }

    async fn get_page<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        parameters: &[(&str, &str)],
    ) -> PortResult<Option<Page<T>>> {
        match self.api.get::<Page<T>>(path, parameters).await? {
            Answer::Done(page) => Ok(Some(page)),
            Answer::Refused(refused)
                if matches!(
                    refused.status,
                    StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST
                ) =>
            {
                Ok(None)
            }
            Answer::Refused(refused) => Err(refused.into_port()),
        }
    }

    /// A page of all successful charges, newest first.
    pub(super) async fn list_charges(
        &self,
        from: Option<&str>,
        limit: usize,
    ) -> PortResult<ProviderPage> {
        let page = self
            .page::<Intent>("/v1/payment_intents", &[], from, &page_size(limit))
            .await?
            .ok_or_else(no_list_error)?;
        let next = page.find_next_start(|intent| &intent.id);
        let taken = page
            .data
            .into_iter()
            .filter(|intent| intent.status == "succeeded");
        let entries = taken.map(|intent| ProviderListed {
            payment: intent.metadata.get("payment_id").cloned(),
            entry: charge_entry(intent),
        });
        Ok(ProviderPage {
            entries: entries.collect(),
            next,
        })
    }

    /// A page of all refunds that are paid out or on their way, newest first.
    pub(super) async fn list_refunds(
        &self,
        from: Option<&str>,
        limit: usize,
    ) -> PortResult<ProviderPage> {
        let expand = [("expand[]", "data.payment_intent")];
        let page = self
            .page::<RefundObject>("/v1/refunds", &expand, from, &page_size(limit))
            .await?
            .ok_or_else(no_list_error)?;
        let next = page.find_next_start(|refund| &refund.id);
        let entries = page
            .data
            .into_iter()
            .filter(|refund| !has_failed(refund))
            .map(|refund| {
                // One made by hand at the provider has no labels of ours; its charge has.
                let charge = refund.payment_intent.as_ref().and_then(Expandable::object);
                let labels = charge.map(|charge| &charge.metadata);
                let payment = labels
                    .and_then(|labels| labels.get("payment_id"))
                    .or_else(|| refund.metadata.get("payment_id"))
                    .cloned();
                ProviderListed {
                    payment,
                    entry: refund_entry(&refund),
                }
            });
        Ok(ProviderPage {
            entries: entries.collect(),
            next,
        })
    }
}

pub(super) fn charge_entry(intent: Intent) -> ProviderEntry {
    let currency = intent.currency.to_uppercase();
    ProviderEntry {
        id: intent.id,
        minor: from_stripe(intent.amount, &currency),
        currency,
    }
}

pub(super) fn refund_entry(refund: &RefundObject) -> ProviderEntry {
    let currency = refund.currency.to_uppercase();
    ProviderEntry {
        id: refund.id.clone(),
        minor: from_stripe(refund.amount, &currency),
        currency,
    }
}

pub(super) fn has_failed(refund: &RefundObject) -> bool {
    matches!(refund.status.as_deref(), Some("failed" | "canceled"))
}

fn page_size(limit: usize) -> String {
    limit.clamp(1, PAGE_MAX).to_string()
}

fn is_of(intent: &Intent, payment: &PaymentId) -> bool {
    intent
        .metadata
        .get("payment_id")
        .is_some_and(|id| id == payment.as_str())
}

fn too_many_error() -> PortError {
    PortError::new(
        ErrorKind::Unavailable,
        "the provider lists more objects than payops reads",
    )
}

fn no_list_error() -> PortError {
    PortError::new(
        ErrorKind::Permanent,
        "the provider supports neither search nor lists of charges",
    )
}
