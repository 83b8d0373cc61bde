//! A payment as people see it.

use payops_core::domain::money::major;
pub(crate) use payops_ops::payments::PaymentView;

use crate::output::{Cell, Document, Style, Tone, count, details, moment};

impl Document for PaymentView {
    fn human(&self, style: &Style) -> String {
        let currency = self.currency.parse().ok();
        let money = |minor: i64| {
            currency.map_or_else(
                || minor.to_string(),
                |currency| format!("{} {}", major(minor, currency), self.currency),
            )
        };
        let card = self
            .charge
            .as_ref()
            .map(|charge| match (&charge.brand, &charge.last4) {
                (Some(brand), Some(last4)) => format!("{}  {brand} …{last4}", charge.id),
                _ => charge.id.clone(),
            });
        let attempt = self.attempt.as_ref().map(|attempt| {
            format!(
                "{}, {}, {}",
                attempt.number,
                attempt.state,
                count(attempt.calls, "call")
            )
        });
        let failure = self.failure.as_ref().map(|failure| {
            Cell::toned(format!("{}: {}", failure.code, failure.message), Tone::Bad)
        });
        let dead = self.dead.as_ref().map(|dead| {
            Cell::toned(
                format!(
                    "{} in {}: {} ({} ago)",
                    dead.class,
                    dead.queue,
                    dead.reason,
                    style.ago(dead.at)
                ),
                Tone::Bad,
            )
        });
        let mut pairs = vec![
            ("payment", Some(Cell::from(&self.id))),
            (
                "status",
                Some(Cell::toned(self.status, Tone::of_status(self.status))),
            ),
            ("amount", Some(Cell::from(&self.amount_text))),
            (
                "refunded",
                (self.refunded > 0).then(|| Cell::from(money(self.refunded))),
            ),
            (
                "refundable",
                (self.refundable > 0).then(|| Cell::from(money(self.refundable))),
            ),
            ("reference", self.reference.as_ref().map(Cell::from)),
            ("email", Some(Cell::from(&self.email))),
            ("source", Some(Cell::from(&self.source))),
            (
                "merchant",
                Some(Cell::from(format!(
                    "{} ({})",
                    self.merchant,
                    if self.live { "live" } else { "test" }
                ))),
            ),
            ("accepted", Some(moment(style, self.created_at))),
            ("changed", Some(moment(style, self.updated_at))),
            ("attempt", attempt.map(Cell::from)),
            ("charge", card.map(Cell::from)),
            ("failure", failure),
            ("dead", dead),
            (
                "version",
                style.wide.then(|| Cell::from(self.version.to_string())),
            ),
            ("archive", style.wide.then(|| Cell::from(&self.archive_key))),
        ];
        for refund in &self.refunds {
            let reason = refund
                .reason
                .as_deref()
                .map(|reason| format!(" ({reason})"))
                .unwrap_or_default();
            let text = format!(
                "{}  {}  {}  by {}{reason}",
                refund.id,
                money(refund.amount),
                refund.state,
                refund.by
            );
            pairs.push(("refund", Some(Cell::from(text))));
        }
        for (name, value) in self.metadata.as_object().into_iter().flatten() {
            let value = value.as_str().unwrap_or_default();
            pairs.push(("metadata", Some(Cell::from(format!("{name} = {value}")))));
        }
        details(style, pairs)
    }
}

#[cfg(test)]
mod tests {
    use payops_core::domain::privacy::Privacy;
    use payops_testkit::sample;

    use super::*;

    #[test]
    fn a_payment_is_shown_masked() {
        let view = PaymentView::new(&sample::completed(7), Privacy { reveal: false });
        insta::assert_json_snapshot!(view);
        insta::assert_snapshot!(view.human(&Style::plain()));
        let open = PaymentView::new(&sample::completed(7), Privacy { reveal: true });
        assert!(
            open.email.contains('@')
                && !open.email.contains('•')
                && open.source.starts_with("tok_")
                && !open.source.contains('•')
        );
    }
}
