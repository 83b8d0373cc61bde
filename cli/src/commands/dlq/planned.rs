//! A plan and what came of it, as they are shown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use payops_core::domain::dead_letter::classes;
use payops_core::domain::replay::{Disposition, Preflight, ReplayPlan, estimate};
use payops_core::usecase::ReplaySummary;
use serde::Serialize;

use crate::context::Context;
use crate::journal::FileJournal;
use crate::output::{Cell, Column, Document, Look, Table, Tone, count, details};
use crate::same_as;

/// Failures that are shown to people; all are in the JSON and the journal.
const FAILURES_SHOWN: usize = 50;

/// What a replay came to. Numbers include what was done before an interruption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Replayed {
    planned: usize,
    sent: usize,
    failed: usize,
    remaining: usize,
    /// The journal; `null` when nothing was to be done.
    journal: Option<String>,
    queue: String,
    target: String,
    /// Messages put into the parking queue: they were replayed too often.
    parked: usize,
    skipped: usize,
    /// Why the replay stopped itself after its first messages.
    stopped: Option<String>,
    resumed: bool,
    classes: BTreeMap<String, usize>,
    /// Dead letters of the plan by what is known of their payments.
    preflight: Flight,
    /// Messages that were not sent, and why.
    failures: Vec<FailureRow>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
struct Flight {
    safe: usize,
    /// They came to their end: the consumer will acknowledge the message and do nothing.
    already_final: usize,
    unknown: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct FailureRow {
    message_id: String,
    reason: String,
}

fn add(number: &mut usize) {
    *number = number.saturating_add(1);
}

impl Replayed {
    pub(super) fn new(
        plan: &ReplayPlan,
        summary: &ReplaySummary,
        journal: Option<&FileJournal>,
        resumed: bool,
    ) -> Self {
        let mut classes = BTreeMap::new();
        let mut preflight = Flight::default();
        for message in &plan.messages {
            add(classes.entry(message.class.clone()).or_insert(0_usize));
            add(match message.preflight {
                Preflight::Safe => &mut preflight.safe,
                Preflight::AlreadyFinal => &mut preflight.already_final,
                Preflight::Unknown => &mut preflight.unknown,
            });
        }
        let failures = summary.failed.iter().map(|(id, reason)| FailureRow {
            message_id: id.clone(),
            reason: reason.clone(),
        });
        Self {
            planned: summary.planned,
            sent: summary.sent,
            failed: summary.failed.len(),
            remaining: summary.remaining,
            journal: journal.map(|journal| journal.path().display().to_string()),
            queue: plan.queue.clone(),
            target: plan.target.clone(),
            parked: summary.parked,
            skipped: summary.skipped,
            stopped: summary.stopped.clone(),
            resumed,
            classes,
            preflight,
            failures: failures.collect(),
        }
    }
}

impl Document for Replayed {
    fn human(&self, look: &Look) -> String {
        let tone = |number: usize| if number > 0 { Tone::Bad } else { Tone::Plain };
        let some =
            |number: usize, tone| (number > 0).then(|| Cell::toned(number.to_string(), tone));
        let mut out = details(
            look,
            [
                ("planned", Some(Cell::from(self.planned.to_string()))),
                ("sent", Some(Cell::toned(self.sent.to_string(), Tone::Good))),
                ("parked", some(self.parked, Tone::Warn)),
                ("skipped", some(self.skipped, Tone::Warn)),
                (
                    "failed",
                    Some(Cell::toned(self.failed.to_string(), tone(self.failed))),
                ),
                (
                    "remaining",
                    Some(Cell::toned(
                        self.remaining.to_string(),
                        tone(self.remaining),
                    )),
                ),
                (
                    "stopped",
                    self.stopped.as_ref().map(|why| Cell::toned(why, Tone::Bad)),
                ),
                ("journal", self.journal.as_ref().map(Cell::from)),
            ],
        );
        out.push_str(&why_not(
            look,
            self.failures
                .iter()
                .map(|failure| (&failure.message_id, &failure.reason)),
        ));
        out
    }
}

/// Messages that stayed, and why: the first of them.
pub(super) fn why_not<'a>(
    look: &Look,
    failures: impl Iterator<Item = (&'a String, &'a String)>,
) -> String {
    let mut table = Table::new([Column::text("MESSAGE"), Column::text("WHY NOT")]);
    for (message, why) in failures.take(FAILURES_SHOWN) {
        table.row([Cell::from(message), Cell::from(why)]);
    }
    table.render(look)
}

pub(super) fn show(context: &Context, plan: &ReplayPlan) {
    if plan.messages.is_empty() {
        context.talk.say(format!(
            "nothing to replay in {} of {}",
            plan.queue, plan.env
        ));
        return;
    }
    let Flight {
        safe,
        already_final,
        unknown,
    } = Replayed::new(plan, &ReplaySummary::default(), None, false).preflight;
    let mut text = format!(
        "{} -> {} in {}: {}\n",
        plan.queue,
        plan.target,
        plan.env,
        count(plan.messages.len(), "message")
    );
    let _ = writeln!(
        text,
        "  died of     {}",
        classes(plan.messages.iter().map(|message| message.class.as_str()))
    );
    let _ = writeln!(
        text,
        "  payments    {safe} wait for it, {already_final} are at their end already, {unknown} not \
            known"
    );
    let parked = plan
        .messages
        .iter()
        .filter(|message| matches!(message.verdict, Disposition::Park { .. }))
        .count();
    let skipped = plan
        .messages
        .iter()
        .filter(|message| matches!(message.verdict, Disposition::Skip { .. }))
        .count();
    if parked > 0 {
        let _ = writeln!(
            text,
            "  parked      {parked} go to {}: replayed too often",
            plan.parking.as_deref().unwrap_or("nowhere")
        );
    }
    if skipped > 0 {
        let _ = writeln!(text, "  left out    {skipped}; the journal says why");
    }
    if let Some(canary) = plan.canary {
        let _ = writeln!(text, "  canary      {canary} first, then watched");
    }
    if let Some(rate) = plan.rate_per_second {
        let _ = writeln!(
            text,
            "  rate        {rate}/s, about {} s",
            estimate(plan.to_send(), Some(rate)).as_secs()
        );
    }
    for edit in &plan.edits {
        let _ = writeln!(
            text,
            "  CHANGED     {}: {}",
            edit.message_id,
            context.privacy.text(&edit.edit.words())
        );
    }
    let _ = writeln!(text, "  same as     {}", same_as::replay(plan));
    context.talk.say(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use payops_core::domain::replay::PlannedMessage;

    #[test]
    fn a_replay_has_the_names_scripts_read() {
        let message = |id: &str, class: &str, preflight| PlannedMessage {
            message_id: id.into(),
            class: class.into(),
            preflight,
            ..PlannedMessage::default()
        };
        let plan = ReplayPlan {
            id: "1-a".into(),
            env: "prod".into(),
            queue: "payments-work-dlq".into(),
            target: "payments-work".into(),
            by: "anna".into(),
            reason: "fixed".into(),
            messages: vec![
                message("a", "schema_error", Preflight::Safe),
                message("b", "schema_error", Preflight::AlreadyFinal),
            ],
            ..ReplayPlan::default()
        };
        let failed = BTreeMap::from([("b".into(), "gone".into())]);
        let summary = ReplaySummary {
            planned: 2,
            sent: 1,
            failed,
            ..ReplaySummary::default()
        };
        let result = Replayed::new(&plan, &summary, None, false);
        insta::assert_json_snapshot!(result);
        insta::assert_snapshot!(result.human(&Look::plain()));
    }
}
