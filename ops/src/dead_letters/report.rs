//! What a replay came to, as scripts read it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use payops_core::domain::dead_letter::classes;
use payops_core::domain::display::count;
use payops_core::domain::privacy::Privacy;
use payops_core::domain::replay::{Disposition, Preflight, ReplayPlan, estimate};
use payops_core::usecase::ReplaySummary;
use serde::Serialize;

use crate::equivalent;

/// What a replay came to. Numbers include what was done before an interruption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReplayReport {
    pub planned: usize,
    pub sent: usize,
    pub failed: usize,
    pub remaining: usize,
    /// The journal; `null` when nothing was to be done.
    pub journal: Option<String>,
    pub queue: String,
    pub target: String,
    /// Messages put into the parking queue: they were replayed too often.
    pub parked: usize,
    pub skipped: usize,
    /// Why the replay stopped itself after its first messages.
    pub stopped: Option<String>,
    pub resumed: bool,
    pub classes: BTreeMap<String, usize>,
    /// Dead letters of the plan by what is known of their payments.
    pub preflight: PreflightCounts,
    /// Messages that were not sent, and why.
    pub failures: Vec<MessageFailure>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PreflightCounts {
    pub safe: usize,
    /// Final: the consumer will acknowledge the message and do nothing.
    pub already_final: usize,
    pub unknown: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MessageFailure {
    pub message_id: String,
    pub reason: String,
}

impl PreflightCounts {
    #[must_use]
    pub fn of(plan: &ReplayPlan) -> Self {
        let mut counts = Self::default();
        for message in &plan.messages {
            increment(match message.preflight {
                Preflight::Safe => &mut counts.safe,
                Preflight::AlreadyFinal => &mut counts.already_final,
                Preflight::Unknown => &mut counts.unknown,
            });
        }
        counts
    }
}

fn increment(number: &mut usize) {
    *number = number.saturating_add(1);
}

impl ReplayReport {
    #[must_use]
    pub fn new(
        plan: &ReplayPlan,
        summary: &ReplaySummary,
        journal: Option<&Path>,
        resumed: bool,
    ) -> Self {
        let mut classes = BTreeMap::new();
        for message in &plan.messages {
            increment(classes.entry(message.class.clone()).or_insert(0_usize));
        }
        let failures = summary.failed.iter().map(|(id, reason)| MessageFailure {
            message_id: id.clone(),
            reason: reason.clone(),
        });
        Self {
            planned: summary.planned,
            sent: summary.sent,
            failed: summary.failed.len(),
            remaining: summary.remaining,
            journal: journal.map(|path| path.display().to_string()),
            queue: plan.queue.clone(),
            target: plan.target.clone(),
            parked: summary.parked,
            skipped: summary.skipped,
            stopped: summary.stopped.clone(),
            resumed,
            classes,
            preflight: PreflightCounts::of(plan),
            failures: failures.collect(),
        }
    }

    /// The report of a plan of which nothing was done.
    #[must_use]
    pub fn of_plan(plan: &ReplayPlan) -> Self {
        let summary = ReplaySummary {
            planned: plan.messages.len(),
            remaining: plan.messages.len(),
            ..ReplaySummary::default()
        };
        Self::new(plan, &summary, None, false)
    }
}

/// A plan in lines, to show before it is carried out.
#[must_use]
pub fn describe_plan(plan: &ReplayPlan, privacy: Privacy) -> String {
    let PreflightCounts {
        safe,
        already_final,
        unknown,
    } = PreflightCounts::of(plan);
    let mut text = format!(
        "{} -> {} in {}: {}\n",
        plan.queue,
        plan.target,
        plan.env,
        count(plan.messages.len(), "message")
    );
    let names = plan.messages.iter().map(|message| message.class.as_str());
    let _ = writeln!(text, "  classes     {}", classes(names));
    let _ = writeln!(
        text,
        "  payments    {safe} waiting for their message, {already_final} already final, {unknown} \
            unknown"
    );
    let count_of = |is: fn(&Disposition) -> bool| {
        let messages = plan.messages.iter();
        messages.filter(|message| is(&message.disposition)).count()
    };
    let parked = count_of(|verdict| matches!(verdict, Disposition::Park { .. }));
    if parked > 0 {
        let _ = writeln!(
            text,
            "  parked      {parked} will be moved to {}: replayed too often",
            plan.parking.as_deref().unwrap_or("nowhere")
        );
    }
    let skipped = count_of(|verdict| matches!(verdict, Disposition::Skip { .. }));
    if skipped > 0 {
        let _ = writeln!(text, "  skipped     {skipped}; see the journal for reasons");
    }
    if let Some(canary) = plan.canary {
        let _ = writeln!(
            text,
            "  canary      {canary} first, then watch their payments"
        );
    }
    if let Some(rate) = plan.rate_per_second {
        let seconds = estimate(plan.to_send(), Some(rate)).as_secs();
        let _ = writeln!(text, "  rate        {rate}/s, about {seconds} s");
    }
    for edit in &plan.edits {
        let words = privacy.text(&edit.edit.describe());
        let _ = writeln!(text, "  CHANGED     {}: {words}", edit.message_id);
    }
    let _ = writeln!(text, "  equivalent  {}", equivalent::replay(plan));
    text
}
