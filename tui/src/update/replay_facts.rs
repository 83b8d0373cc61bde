//! A replay plan in words, as it is reviewed.

use std::collections::{BTreeMap, BTreeSet};

use payops_core::domain::display::{count, thousands};
use payops_core::domain::replay::{Disposition, Preflight, ReplayPlan, estimate};
use payops_core::operations::ReplayReview;

use crate::model::Fact;
use crate::theme::Tone;

const CAUSES_NAMED: usize = 5;

pub(super) fn describe_review(review: &ReplayReview) -> Vec<Fact> {
    let plan = &review.plan;
    let sent = plan.to_send();
    let mut out = vec![
        Fact::new(
            "from",
            format!("{}, {}", plan.queue, count(plan.messages.len(), "message")),
            Tone::Plain,
        ),
        Fact::new(
            "to",
            format!("{}, {}", plan.target, count(sent, "message")),
            Tone::Strong,
        ),
    ];
    out.extend(review.diff.iter().map(|line| {
        let tone = match line.as_bytes().first() {
            Some(b'+') => Tone::Good,
            Some(b'-') => Tone::Bad,
            _ => Tone::Dim,
        };
        Fact::new("edit", line.clone(), tone)
    }));
    out.extend(describe_unsent(plan));
    out.push(Fact::new("payments", describe_preflight(plan), Tone::Plain));
    out.push(Fact::new("causes", describe_causes(plan), Tone::Plain));
    let groups = plan
        .messages
        .iter()
        .filter_map(|message| message.group.as_deref())
        .collect::<BTreeSet<_>>()
        .len();
    if groups > 0 {
        let words = format!("{}: each keeps its order", count(groups, "group"));
        out.push(Fact::new("FIFO", words, Tone::Plain));
    }
    out.push(match plan.canary {
        Some(first) => {
            let words = format!(
                "sends {first} first and watches them: stops if they fail again or an alarm fires"
            );
            Fact::new("canary", words, Tone::Strong)
        }
        None => Fact::new("canary", "none: c sets one", Tone::Dim),
    });
    let seconds = thousands(estimate(sent, plan.rate_per_second).as_secs());
    let rate = plan.rate_per_second.map_or_else(
        || "no limit".to_owned(),
        |rate| format!("{rate}/s, about {seconds} s"),
    );
    out.push(Fact::new("rate", rate, Tone::Plain));
    let warnings = review.warnings.iter();
    out.extend(warnings.map(|warning| Fact::new("⚠ warning", warning.clone(), Tone::Warn)));
    let refusal = review.refusal.iter();
    out.extend(refusal.map(|refusal| Fact::new("✖ rules", refusal.clone(), Tone::Bad)));
    out.push(Fact::new(
        "bound to",
        "message id and body hash: messages that changed are not sent",
        Tone::Plain,
    ));
    out.push(Fact::new(
        "equivalent",
        review.equivalent.clone(),
        Tone::Dim,
    ));
    out
}

/// What is skipped or parked, and why.
fn describe_unsent(plan: &ReplayPlan) -> Vec<Fact> {
    let mut skipped: BTreeMap<&str, usize> = BTreeMap::new();
    let mut parked = 0_usize;
    for message in &plan.messages {
        match &message.disposition {
            Disposition::Send => {}
            Disposition::Skip { why } => *skipped.entry(why).or_default() += 1,
            Disposition::Park { .. } => parked += 1,
        }
    }
    let mut out: Vec<Fact> = skipped
        .into_iter()
        .map(|(why, number)| Fact::new("skips", format!("{number}: {why}"), Tone::Warn))
        .collect();
    if parked > 0 {
        let to = plan.parking.as_deref().unwrap_or("nowhere");
        let words = format!(
            "{parked} to {to}: already replayed {} times",
            plan.replays_max
        );
        out.push(Fact::new("parks", words, Tone::Warn));
    }
    out
}

fn describe_causes(plan: &ReplayPlan) -> String {
    let causes: Vec<String> = plan
        .causes
        .iter()
        .take(CAUSES_NAMED)
        .map(|cause| format!("{}({})", cause.class, cause.count))
        .collect();
    let more = plan.causes.len().saturating_sub(CAUSES_NAMED);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("{}{more}", causes.join(" "))
}

fn describe_preflight(plan: &ReplayPlan) -> String {
    let number = |preflight: Preflight| {
        plan.messages
            .iter()
            .filter(|message| message.preflight == preflight)
            .count()
    };
    format!(
        "{} still waiting · {} already final · {} unknown",
        number(Preflight::Safe),
        number(Preflight::AlreadyFinal),
        number(Preflight::Unknown),
    )
}
