//! Everything that can happen to the screen.

use crossterm::event::{KeyEvent, MouseEvent};
use payops_core::Timestamp;
use payops_core::domain::audit::AuditEntry;
use payops_core::domain::event::Event;
use payops_core::domain::payment::Payment;
use payops_core::domain::rollout::{Related, Rollout, RolloutKey};
use payops_core::port::{Executed, QueueStats, Watched};
use payops_core::usecase::{DeadLetterList, Opened, SearchResult};

use crate::environments::{ReplayReview, Standing};
use crate::fault::Fault;
use crate::model::RolloutId;

#[derive(Clone, Debug)]
pub enum Msg {
    Key(KeyEvent),
    Mouse(MouseEvent),
    Paste(String),
    Resize(u16, u16),
    Tick(Timestamp),
    /// What came of [`crate::Effect::Ask`].
    Answer {
        request: u64,
        env: String,
        answer: Box<Answer>,
    },
    Watch {
        env: String,
        cluster: String,
        told: Watched<Rollout, RolloutKey>,
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
    LettersGone {
        env: String,
        ids: Vec<String>,
    },
    Shutdown,
    /// The process was asked to stop for a while (SIGTSTP).
    Suspend,
    /// The process goes on after a stop; the terminal was set up again.
    Resumed,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenedInfo {
    pub who: String,
    /// Its clusters: name, driver, and the actions that the driver can do.
    pub clusters: Vec<(String, String, Vec<&'static str>)>,
    /// Whether dead letters are steered there, and one can elevate.
    pub steers: bool,
}

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
    /// To [`crate::Ask::DeadLetters`].
    DeadLetters(Result<DeadLetterList, Fault>),
    /// To [`crate::Ask::DeadLetter`].
    Letter(Result<Box<Opened>, Fault>),
    /// To [`crate::Ask::Search`].
    Search(Result<Box<SearchResult>, Fault>),
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

#[derive(Clone, Debug)]
pub struct PaymentSeen {
    pub payment: Payment,
    pub events: Vec<Event>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskUpdate {
    Progress {
        done: u64,
        total: Option<u64>,
        /// More to say of it; empty when there is nothing.
        note: String,
    },
    /// It came to its end; what came of it, in words. Lines after the first are what it found.
    Done(String),
    /// It was stopped by the user; what is left, in words.
    Canceled(String),
    Failed(Fault),
}
