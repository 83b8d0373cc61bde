//! Everything that can happen to the screen.

use std::collections::BTreeMap;

use crossterm::event::{KeyEvent, MouseEvent};
use payops_core::Timestamp;
use payops_core::domain::audit::AuditEntry;
use payops_core::domain::rollout::{Related, Rollout, RolloutKey};
use payops_core::operations::{AccessStatus, ReplayReview};
use payops_core::port::{Executed, QueueStats, Watched};
use payops_core::usecase::{DeadLetterContents, DeadLetterList, SearchResult};

use crate::fault::Fault;
use crate::model::{EnvDetails, PaymentDetails, RolloutId, TaskUpdate};

#[derive(Clone, Debug)]
pub enum Msg {
    Key(KeyEvent),
    Mouse(MouseEvent),
    Paste(String),
    Resize(u16, u16),
    Tick(Timestamp),
    /// The answer to [`crate::Effect::Request`] with that id.
    Answer {
        id: u64,
        env: String,
        answer: Box<Answer>,
    },
    Watch {
        env: String,
        cluster: String,
        event: Watched<Rollout, RolloutKey>,
    },
    /// Something that belongs to a rollout changed, or the watch of it was cut.
    RelatedChanged {
        id: RolloutId,
        fault: Option<Fault>,
    },
    Task {
        id: u64,
        update: TaskUpdate,
    },
    /// Dead letters are not in their queue any more.
    DeadLettersGone {
        env: String,
        message_ids: Vec<String>,
    },
    /// A word for the operator from something that is under way.
    Notice(String),
    Shutdown,
    /// The process was asked to stop for a while (SIGTSTP).
    Suspend,
    /// The process was continued (SIGCONT), and the terminal set up again.
    Resumed,
}

/// Answers, each to the [`crate::Request`] of its name where nothing else is said.
#[derive(Clone, Debug)]
pub enum Answer {
    OpenEnvironment(Result<EnvDetails, Fault>),
    Related(Result<Related, Fault>),
    ExecuteRollout(Result<Executed, Fault>),
    Equivalent(Result<String, Fault>),
    /// The actions that are denied, each with why.
    Rights(Result<BTreeMap<&'static str, String>, Fault>),
    Queues(Result<Vec<QueueStats>, Fault>),
    DeadLetters(Result<DeadLetterList, Fault>),
    DeadLetter(Result<Box<DeadLetterContents>, Fault>),
    Search(Result<Box<SearchResult>, Fault>),
    /// `None` when there is no such payment.
    Payment(Result<Option<Box<PaymentDetails>>, Fault>),
    /// Entries, newest first, and how many lines could not be read.
    Audit(Result<(Vec<AuditEntry>, u64), Fault>),
    /// To [`crate::Request::Access`] and [`crate::Request::Elevate`].
    Access(Result<AccessStatus, Fault>),
    EndElevation(Result<AccessStatus, Fault>),
    PlanReplay(Result<Box<ReplayReview>, Fault>),
    /// The path of the file.
    SavePlan(Result<String, Fault>),
}
