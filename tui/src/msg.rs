//! Everything that can happen to the screen.

use crossterm::event::{KeyEvent, MouseEvent};
use payops_core::Timestamp;
use payops_core::domain::audit::AuditEntry;
use payops_core::domain::event::Event;
use payops_core::domain::payment::Payment;
use payops_core::domain::rollout::{Related, Rollout, RolloutKey};
use payops_core::port::{Executed, QueueStats, Watched};
use payops_core::usecase::{Found, LettersSeen, Opened};

use crate::environments::{ReplayReview, Standing};
use crate::fault::Fault;
use crate::model::RolloutId;

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Msg {
    /// A key was pressed.
    Key(KeyEvent),
    /// The mouse did something.
    Mouse(MouseEvent),
    /// Text was pasted.
    Paste(String),
    /// The terminal has another size: columns, rows.
    Resize(u16, u16),
    /// Time went on.
    Tick(Timestamp),
    /// What came of [`crate::Effect::Ask`].
    Answer {
        /// The number that the question had.
        request: u64,
        /// The environment that was asked.
        env: String,
        /// The answer.
        answer: Box<Answer>,
    },
    /// A cluster told something of its rollouts.
    Watch {
        /// The environment.
        env: String,
        /// The cluster.
        cluster: String,
        /// What it told.
        told: Watched<Rollout, RolloutKey>,
    },
    /// Something that belongs to a rollout changed, or the watch of it was cut.
    RelatedChanged {
        /// Which rollout.
        id: RolloutId,
        /// Why the watch was cut.
        fault: Option<Fault>,
    },
    /// A background task got further.
    Task {
        /// Which.
        id: u64,
        /// How.
        update: TaskUpdate,
    },
    /// Dead letters are not in their queue any more.
    LettersGone {
        /// The environment.
        env: String,
        /// Their message ids.
        ids: Vec<String>,
    },
    /// The process was asked to end.
    Shutdown,
    /// The process was asked to stop for a while (SIGTSTP).
    Suspend,
    /// The process goes on after a stop; the terminal was set up again.
    Resumed,
}

/// What an environment told when it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenedInfo {
    /// Who the user is there.
    pub who: String,
    /// Its clusters: name, driver, and the actions that the driver can do.
    pub clusters: Vec<(String, String, Vec<&'static str>)>,
    /// Whether dead letters are steered there, and one can elevate.
    pub steers: bool,
}

/// An answer.
#[derive(Clone, Debug)]
pub enum Answer {
    /// To [`crate::Ask::Open`].
    Opened(Result<OpenedInfo, Fault>),
    /// To [`crate::Ask::Related`].
    Related(Result<Related, Fault>),
    /// To [`crate::Ask::Execute`].
    Executed(Result<Executed, Fault>),
    /// To [`crate::Ask::Queues`].
    Queues(Result<Vec<QueueStats>, Fault>),
    /// To [`crate::Ask::Letters`].
    Letters(Result<LettersSeen, Fault>),
    /// To [`crate::Ask::Letter`].
    Letter(Result<Box<Opened>, Fault>),
    /// To [`crate::Ask::Search`].
    Search(Result<Box<Found>, Fault>),
    /// To [`crate::Ask::Payment`]; `None` when there is no such payment.
    Payment(Result<Option<Box<PaymentSeen>>, Fault>),
    /// To [`crate::Ask::Audit`]: entries, newest first, and how many lines could not be read.
    Audit(Result<(Vec<AuditEntry>, u64), Fault>),
    /// To [`crate::Ask::Standing`] and [`crate::Ask::Elevate`].
    Standing(Result<Standing, Fault>),
    /// To [`crate::Ask::Lower`].
    Lowered(Result<Standing, Fault>),
    /// To [`crate::Ask::PlanReplay`].
    ReplayPlanned(Result<Box<ReplayReview>, Fault>),
    /// To [`crate::Ask::SavePlan`]: where it was written.
    PlanSaved(Result<String, Fault>),
}

/// A payment as it was read.
#[derive(Clone, Debug)]
pub struct PaymentSeen {
    /// The payment.
    pub payment: Payment,
    /// Its timeline, in order.
    pub events: Vec<Event>,
}

/// How a background task got further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskUpdate {
    /// So much is done.
    Progress {
        /// Done so far.
        done: u64,
        /// Of how many, when that is known.
        total: Option<u64>,
        /// More to say of it; empty when there is nothing.
        note: String,
    },
    /// It came to its end; what came of it, in words. Lines after the first are what it found.
    Done(String),
    /// It was stopped by the user; what is left, in words.
    Canceled(String),
    /// It failed.
    Failed(Fault),
}
