//! `ApprovalStore` of plans, kept by the environment itself.

use async_trait::async_trait;

use super::PortResult;
use crate::domain::access::ApprovalRow;

/// Where the approvals of one environment's plans are kept, for whoever carries a plan out to ask.
/// A plan file only says who approved; that they did is what is asked here.
#[async_trait]
pub trait ApprovalStore: Send + Sync {
    /// Keeps it, in place of an earlier one of the same person and plan; everybody sees it when
    /// this returns.
    async fn keep(&self, row: &ApprovalRow) -> PortResult<()>;

    /// The approval that `by` gave of the plan of this hash, however old it is.
    async fn find(&self, by: &str, plan_sha256: &str) -> PortResult<Option<ApprovalRow>>;
}
