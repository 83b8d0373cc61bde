//! One payment and what happened to it.

use payops_core::domain::event::Event;
use payops_core::domain::id::PaymentId;
use payops_core::domain::payment::Payment;

use super::{Cursor, Model, Pane, Route};

#[derive(Debug, Default)]
pub(crate) struct PaymentState {
    /// `None` inside when there is no such payment.
    pub(crate) details: Pane<Option<PaymentDetails>>,
    /// Environment and id that `details` belong to.
    pub(crate) subject: Option<(String, PaymentId)>,
    pub(crate) cursor: Cursor,
}

#[derive(Clone, Debug)]
pub struct PaymentDetails {
    pub payment: Payment,
    pub events: Vec<Event>,
}

impl PaymentState {
    pub(crate) fn payment_details(&self) -> Option<&PaymentDetails> {
        self.details.value()?.as_ref()
    }
}

impl Model {
    pub(crate) fn payment_route(&self) -> Option<PaymentId> {
        if let Route::Payment(id) = self.route() {
            Some(id.clone())
        } else {
            None
        }
    }
}
