//! What a payment is now, in lines.

use payops_core::Timestamp;
use payops_core::domain::display::{age_since, count};
use payops_core::domain::mask;
use payops_core::domain::money::major;
use payops_core::domain::payment::{Payment, Refund, RefundState};
use payops_core::domain::privacy::Privacy;

use crate::redact::redact;
use crate::signs::payment_sign;
use crate::text::wrap;
use crate::theme::Tone;

/// Lines that a reason takes at most.
const REASON_LINES: usize = 2;

/// The lines. Parts that do not fit into one line of `width` continue in the next.
pub(super) fn lines(payment: &Payment, now: Timestamp, width: u16) -> Vec<(Tone, String)> {
    let (glyph, tone) = payment_sign(payment.status, payment.dead.is_some());
    let dead = if payment.dead.is_some() {
        " (dead)"
    } else {
        ""
    };
    let amount = money(payment, payment.money.minor());
    let mut out = vec![(tone, format!("{glyph} {}{dead}   {amount}", payment.status))];
    let width = usize::from(width).saturating_sub(2);
    let parts = wrap_parts(parts(payment, now), width);
    out.extend(parts.into_iter().map(|line| (Tone::Plain, line)));
    let failure = payment
        .failure
        .as_ref()
        .map(|failure| format!("✖ {}: {}", redact(&failure.code), redact(&failure.message)));
    let dead = payment.dead.as_ref().map(|dead| {
        format!(
            "✖ dead-lettered in {} {} ago: {} {}",
            dead.queue,
            age_since(dead.at, now),
            redact(&dead.class),
            redact(&dead.reason)
        )
    });
    for why in [failure, dead].into_iter().flatten() {
        let lines = wrap(&why, width, REASON_LINES);
        out.extend(lines.into_iter().map(|line| (Tone::Bad, line)));
    }
    let refunds = payment.refunds.iter();
    out.extend(refunds.map(|refund| refund_line(payment, refund, now)));
    out
}

fn money(payment: &Payment, minor: i64) -> String {
    let currency = payment.money.currency();
    format!("{} {currency}", major(minor, currency))
}

fn parts(payment: &Payment, now: Timestamp) -> impl Iterator<Item = String> {
    let card = payment
        .charge
        .as_ref()
        .and_then(|charge| charge.card.as_ref());
    let email = Privacy::default().email(payment.email.as_str());
    let live = if payment.live { "live" } else { "test" };
    let redrives = usize::try_from(payment.redrives).unwrap_or(usize::MAX);
    [
        payment
            .reference
            .as_ref()
            .map(|reference| format!("reference {}", redact(reference.as_str()))),
        Some(format!("customer {}", mask::terminal(&email))),
        card.map(|card| format!("card {} …{}", redact(&card.brand), redact(&card.last4))),
        Some(format!("merchant {} ({live})", payment.merchant)),
        Some(format!(
            "accepted {} ago",
            age_since(payment.created_at, now)
        )),
        Some(format!(
            "changed {} ago",
            age_since(payment.updated_at, now)
        )),
        Some(format!("version {}", payment.version)),
        (redrives > 0).then(|| format!("redriven {}", count(redrives, "time"))),
        (payment.refundable_minor > 0)
            .then(|| format!("refundable {}", money(payment, payment.refundable_minor))),
    ]
    .into_iter()
    .flatten()
}

fn refund_line(payment: &Payment, refund: &Refund, now: Timestamp) -> (Tone, String) {
    let (glyph, tone) = match refund.state {
        RefundState::Pending => ("◌", Tone::Accent),
        RefundState::Succeeded => ("✔", Tone::Good),
        RefundState::Failed => ("✖", Tone::Bad),
    };
    let why = refund
        .reason
        .as_deref()
        .map(|why| format!(": {}", redact(why)))
        .unwrap_or_default();
    let text = format!(
        "{glyph} refund {} {} by {} {}{why}",
        money(payment, refund.minor),
        refund.state.as_str(),
        redact(&refund.by),
        age_since(refund.at, now)
    );
    (tone, text)
}

/// Parts with three spaces between them, in lines of at most `width`.
fn wrap_parts(parts: impl Iterator<Item = String>, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 3 + part.chars().count() <= width => {
                line.push_str("   ");
                line.push_str(&part);
            }
            _ => lines.push(part),
        }
    }
    lines
}
