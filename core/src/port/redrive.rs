//! Moving a whole dead-letter queue by the queue service itself.

use crate::Timestamp;

/// Messages that the queue service moves in a second at most: SQS's limit
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html>).
pub const REDRIVE_RATE_MAX: u32 = 500;

/// How a redrive stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedriveStatus {
    /// It is moving messages.
    Running,
    /// All that was there is moved.
    Completed,
    /// It was asked to stop.
    Canceling,
    /// It stopped; what is moved stays moved.
    Canceled,
    /// It stopped with an error; see [`Redrive::reason`].
    Failed,
}

impl RedriveStatus {
    /// The word for it in output and JSON; it must not change.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Canceling => "canceling",
            Self::Canceled => "canceled",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing more will happen.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Canceled | Self::Failed)
    }
}

/// A redrive of a dead-letter queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redrive {
    /// What it is canceled by; told only while it runs.
    pub handle: Option<String>,
    /// Whether it runs, and how it ended.
    pub status: RedriveStatus,
    /// Messages moved so far; the queue service counts approximately.
    pub moved: u64,
    /// Messages there were when it began, approximately; `None` when nobody says.
    pub planned: Option<u64>,
    /// Where they go; `None` when each goes where it came from.
    pub target: Option<String>,
    /// Messages a second at most; `None` when the service chooses.
    pub rate_per_second: Option<u32>,
    /// When it began, by the clock of the queue service.
    pub started_at: Timestamp,
    /// Why it failed, in the words of the queue service.
    pub reason: Option<String>,
}
