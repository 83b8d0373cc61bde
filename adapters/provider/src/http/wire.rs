//! The parts of Stripe's objects that are read: <https://docs.stripe.com/api>. Unknown members are
//! ignored.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub(super) struct Page<T> {
    pub(super) data: Vec<T>,
    #[serde(default)]
    pub(super) has_more: bool,
    /// Search only: the next page's name.
    #[serde(default, rename = "next_page")]
    pub(super) next: Option<String>,
}

impl<T> Page<T> {
    /// The id to start the next page of a list after; `None` at the list's end.
    pub(super) fn find_next_start(&self, id: impl Fn(&T) -> &String) -> Option<String> {
        let last = self.data.last().filter(|_| self.has_more)?;
        Some(id(last).clone())
    }
}

/// A payment intent: at most one successful charge.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Intent {
    pub(super) id: String,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) created: i64,
    pub(super) status: String,
    #[serde(default)]
    pub(super) metadata: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) latest_charge: Option<Expandable<ChargeObject>>,
    #[serde(default)]
    pub(super) payment_method: Option<Expandable<MethodDetails>>,
    #[serde(default)]
    pub(super) last_payment_error: Option<ApiError>,
}

/// An object, or its name alone where it was not asked to be expanded.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Expandable<T> {
    Object(Box<T>),
    Name(serde::de::IgnoredAny),
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct ChargeObject {
    pub(super) created: i64,
    #[serde(default)]
    pub(super) payment_method_details: Option<MethodDetails>,
}

/// A payment method, or what a charge tells of the one it was made with.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct MethodDetails {
    #[serde(default)]
    pub(super) card: Option<CardDetails>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct CardDetails {
    #[serde(default)]
    pub(super) brand: Option<String>,
    #[serde(default)]
    pub(super) last4: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct RefundObject {
    pub(super) id: String,
    #[serde(default)]
    pub(super) status: Option<String>,
    #[serde(default)]
    pub(super) failure_reason: Option<String>,
    #[serde(default)]
    pub(super) amount: i64,
    #[serde(default)]
    pub(super) currency: String,
    #[serde(default)]
    pub(super) metadata: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) payment_intent: Option<Expandable<Labels>>,
}

/// An object of which only the metadata matters.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Labels {
    #[serde(default)]
    pub(super) metadata: BTreeMap<String, String>,
}

impl<T> Expandable<T> {
    pub(super) fn object(&self) -> Option<&T> {
        match self {
            Self::Object(object) => Some(object),
            Self::Name(_) => None,
        }
    }
}

/// Any object: only that it is there matters.
#[derive(Debug, Deserialize)]
pub(super) struct AnyObject {}

#[derive(Debug, Deserialize)]
pub(super) struct ErrorBody {
    #[serde(rename = "error")]
    pub(super) cause: ApiError,
}

/// Why not: <https://docs.stripe.com/api/errors>.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct ApiError {
    #[serde(default)]
    pub(super) code: Option<String>,
    #[serde(default)]
    pub(super) decline_code: Option<String>,
    #[serde(default)]
    pub(super) param: Option<String>,
    #[serde(default)]
    pub(super) message: Option<String>,
}
