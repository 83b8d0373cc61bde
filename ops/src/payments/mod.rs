//! Payments: finding, creating, changing and comparing them. Looking needs a session alone; every
//! change is one act of [`Session::act`](crate::session::Session::act).

mod batch;
mod change;
mod create;
mod file;
mod find;
mod input;
mod reconcile;
mod refund;
mod resolve;
mod view;
mod wait;

#[cfg(test)]
mod tests;

pub use batch::{AcceptedLine, LoadTally};
pub use change::{Cancel, ChangedPayment, idempotency_key};
pub use create::{CreatedPayment, Creator, LoadResult, NewPayment};
pub use file::{FileContents, PaymentFile, Sums};
pub use find::{check_query, get, no_payment, parse_payment_id, search, timeline};
pub use input::LineError;
pub use reconcile::{ReconcileStep, reconcile};
pub use refund::{Refund, RefundApproval, read_refund_plan};
pub use resolve::Resolve;
pub use view::{PaymentHit, PaymentView};
pub use wait::{PaymentEnds, PaymentWatcher};
