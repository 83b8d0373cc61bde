//! Dialogs of elevation and of dead letters: what is asked before something is done.

use std::sync::Arc;

use payops_core::domain::access::Duty;
use payops_core::usecase::Letter;
use tui_input::Input;

use crate::effect::Job;
use crate::environments::{ReplayReview, ReplayWanted};
use crate::fault::Fault;
use crate::theme::Tone;

/// Which line of an elevation is typed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ElevateField {
    /// Why.
    Reason,
    /// The ticket.
    Ticket,
    /// The code of an MFA device.
    Code,
}

/// An elevation that is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Elevating {
    /// Where.
    pub(crate) env: String,
    /// To which duty.
    pub(crate) duty: Duty,
    /// Why, as typed.
    pub(crate) reason: Input,
    /// The ticket, as typed.
    pub(crate) ticket: Input,
    /// The code, as typed, once it was asked for.
    pub(crate) code: Option<Input>,
    /// Which line is typed in.
    pub(crate) field: ElevateField,
    /// What is wrong, or was refused.
    pub(crate) problem: Option<String>,
    /// The question that is not answered yet.
    pub(crate) asked: Option<u64>,
    /// The first line on screen.
    pub(crate) top: usize,
}

/// How far the planning of a replay is.
#[derive(Clone, Debug)]
pub(crate) enum Planning {
    /// Nothing was asked for yet.
    Not,
    /// It was asked for.
    Asked(u64),
    /// It could not be made.
    Failed(Fault),
    /// It is there.
    Ready(Box<Reviewed>),
}

/// A plan, and what is told of it: made once, not for each frame.
#[derive(Clone, Debug)]
pub(crate) struct Reviewed {
    /// The plan.
    pub(crate) review: ReplayReview,
    /// Label, text and tone.
    pub(crate) told: Vec<(&'static str, String, Tone)>,
}

/// What is typed into a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Number {
    /// How many are sent first and watched.
    Canary,
    /// How many are sent in a second at most.
    Rate,
    /// Not a number: what is put into the body, as `/pointer=value`.
    Set,
}

/// A replay of dead letters, before it is begun.
#[derive(Clone, Debug)]
pub(crate) struct Replaying {
    /// Where.
    pub(crate) env: String,
    /// Whether queue, count and a reason must be typed.
    pub(crate) protected: bool,
    /// The letters.
    pub(crate) letters: Arc<[Letter]>,
    /// How.
    pub(crate) wanted: ReplayWanted,
    /// The plan.
    pub(crate) plan: Planning,
    /// A number that is being typed.
    pub(crate) number: Option<(Number, Input)>,
    /// The yes that is being typed; until then the plan is read.
    pub(crate) consent: Option<Consent>,
    /// What is wrong, or what was done beside.
    pub(crate) note: Option<Result<String, String>>,
    /// The first line on screen.
    pub(crate) top: usize,
}

/// Something to say yes or no to, before it is begun as a task.
#[derive(Clone, Debug)]
pub(crate) struct Agreeing {
    /// Where.
    pub(crate) env: String,
    /// What, in a word.
    pub(crate) title: &'static str,
    /// What is told of it.
    pub(crate) told: Vec<(&'static str, String, Tone)>,
    /// The yes that is being typed.
    pub(crate) consent: Consent,
    /// The task, by its name, without the reason.
    pub(crate) task: String,
    /// What it does.
    pub(crate) job: Job,
    /// The first line on screen.
    pub(crate) top: usize,
}

/// Which line of a consent is typed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ConsentField {
    /// Why it is done.
    #[default]
    Reason,
    /// What must be typed.
    Words,
}

/// A yes that is typed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Consent {
    /// What must be typed to go on; `None` where a key is enough.
    pub(crate) expected: Option<String>,
    /// Whether there must be a reason.
    pub(crate) needs_reason: bool,
    /// The reason, as typed.
    pub(crate) reason: Input,
    /// What was typed.
    pub(crate) words: Input,
    /// Which line is typed in.
    pub(crate) field: ConsentField,
    /// What is wrong with it.
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
