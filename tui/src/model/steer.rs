//! Dialogs of elevation and of dead letters: what is asked before something is done.

use std::sync::Arc;

use payops_core::domain::access::AccessLevel;
use payops_core::usecase::DeadLetter;
use tui_input::Input;

use crate::effect::Job;
use crate::environments::{ReplayReview, ReplayWanted};
use crate::fault::Fault;
use crate::theme::Tone;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ElevateField {
    Reason,
    Ticket,
    Code,
}

#[derive(Clone, Debug)]
pub(crate) struct Elevating {
    pub(crate) env: String,
    pub(crate) duty: AccessLevel,
    pub(crate) reason: Input,
    pub(crate) ticket: Input,
    /// The code, as typed, once it was asked for.
    pub(crate) code: Option<Input>,
    pub(crate) field: ElevateField,
    /// What is wrong, or was refused.
    pub(crate) problem: Option<String>,
    /// The question that is not answered yet.
    pub(crate) asked: Option<u64>,
    pub(crate) top: usize,
}

#[derive(Clone, Debug)]
pub(crate) enum Planning {
    Not,
    Asked(u64),
    Failed(Fault),
    Ready(Box<Reviewed>),
}

/// A plan, and what is told of it: made once, not for each frame.
#[derive(Clone, Debug)]
pub(crate) struct Reviewed {
    pub(crate) review: ReplayReview,
    pub(crate) told: Vec<(&'static str, String, Tone)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Number {
    /// How many are sent first and watched.
    Canary,
    /// How many are sent in a second at most.
    Rate,
    /// Not a number: what is put into the body, as `/pointer=value`.
    Set,
}

#[derive(Clone, Debug)]
pub(crate) struct Replaying {
    pub(crate) env: String,
    /// Whether queue, count and a reason must be typed.
    pub(crate) protected: bool,
    pub(crate) letters: Arc<[DeadLetter]>,
    pub(crate) wanted: ReplayWanted,
    pub(crate) plan: Planning,
    pub(crate) number: Option<(Number, Input)>,
    /// The yes that is being typed; until then the plan is read.
    pub(crate) consent: Option<Consent>,
    pub(crate) note: Option<Result<String, String>>,
    pub(crate) top: usize,
}

/// Something to say yes or no to, before it is begun as a task.
#[derive(Clone, Debug)]
pub(crate) struct Agreeing {
    pub(crate) env: String,
    pub(crate) title: &'static str,
    pub(crate) told: Vec<(&'static str, String, Tone)>,
    pub(crate) consent: Consent,
    /// The task, by its name, without the reason.
    pub(crate) task: String,
    pub(crate) job: Job,
    pub(crate) top: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ConsentField {
    #[default]
    Reason,
    Words,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Consent {
    /// What must be typed to go on; `None` where a key is enough.
    pub(crate) expected: Option<String>,
    /// Whether there must be a reason.
    pub(crate) needs_reason: bool,
    pub(crate) reason: Input,
    pub(crate) words: Input,
    pub(crate) field: ConsentField,
    pub(crate) problem: Option<String>,
}

impl Consent {
    /// One that wants `words` typed where writes are protected.
    pub(crate) fn new(words: &str, protected: bool, needs_reason: bool) -> Self {
        Self {
            expected: protected.then(|| words.to_owned()),
            needs_reason: needs_reason || protected,
            ..Self::default()
        }
    }
}
