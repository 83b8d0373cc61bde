//! The payment search: one box, and results while the query is typed.

mod head;

use payops_core::domain::display::age_since;
use payops_core::domain::doc::PaymentDoc;
use payops_core::domain::mask;
use payops_core::domain::money::major;
use payops_core::domain::payment::Status;
use payops_core::domain::privacy::Privacy;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::environment::ready_env;
use super::view::{Freshness, View};
use crate::model::{Model, PaneState, payment_item};
use crate::redact::redact;
use crate::signs::payment_sign;
use crate::text::short_id;
use crate::theme::Tone;
use crate::widgets::pane;
use crate::widgets::table::{self, Column};

/// Screens of so many columns have room for whole payment ids.
const WIDE: u16 = 100;

const COLUMNS: &[Column] = &[
    Column::text("PAYMENT", 30),
    Column::text("STATUS", 20),
    Column::number("AMOUNT", 13),
    Column::number("AGE", 4),
    Column::text("REFERENCE", 12).flex(2).rank(1),
    Column::text("EMAIL", 14).flex(1).rank(2),
    Column::text("CARD", 10).flex(1).rank(3),
    Column::text("FAILURE", 18).rank(4),
    Column::text("MERCHANT", 10).rank(5),
];

/// The same where there is no room for whole ids.
const COLUMNS_NARROW: &[Column] = &[
    Column::text("PAYMENT", 13),
    Column::text("STATUS", 13).flex(1),
    Column::number("AMOUNT", 12),
    Column::number("AGE", 4),
    Column::text("REFERENCE", 13).flex(2).rank(1),
    Column::text("EMAIL", 13).flex(1).rank(2),
];

pub(super) struct PaymentsView;

impl View for PaymentsView {
    fn freshness(&self, model: &Model) -> Vec<(&'static str, Freshness)> {
        vec![("search", Freshness::from(model.payments.results.state()))]
    }

    fn draws_filter(&self) -> bool {
        true
    }

    fn list(&self, model: &Model, body: Rect) -> Option<(Rect, usize)> {
        let area = pane::value_area(head::below(body), &model.payments.results.state());
        Some((
            table::rows_area(area),
            model
                .payments
                .results
                .value()
                .map_or(0, |found| found.docs.len()),
        ))
    }

    fn draw(&self, model: &Model, frame: &mut Frame<'_>, body: Rect) {
        head::draw(model, frame, body);
        let area = head::below(body);
        if ready_env(model, frame, area).is_none() {
            return;
        }
        if model.payments.problem.is_some()
            && matches!(model.payments.results.state(), PaneState::Loading)
        {
            return;
        }
        let Some((found, area)) = pane::draw_unless_ready(
            model,
            frame,
            area,
            "payments",
            model.payments.results.state(),
        ) else {
            return;
        };
        let dim = !model.search_is_current();
        if found.docs.is_empty() {
            if dim && model.payments.problem.is_none() {
                pane::draw_loading(model, frame, area, "searching");
            } else if !dim {
                head::draw_no_match(model, frame, area, found);
            }
            return;
        }
        let list = (&model.payments.cursor, found.docs.len());
        let wide = body.width >= WIDE;
        let columns = if wide { COLUMNS } else { COLUMNS_NARROW };
        table::draw(model, frame, area, columns, list, |row| {
            found
                .docs
                .get(row)
                .map(|doc| cells(model, doc, wide, dim))
                .unwrap_or_default()
        });
    }
}

fn cells(model: &Model, doc: &PaymentDoc, wide: bool, dim: bool) -> Vec<Line<'static>> {
    let theme = model.theme;
    let (glyph, tone) = payment_sign(doc.status, doc.dead);
    let word = if doc.dead && doc.status == Status::Processing {
        "dead"
    } else {
        doc.status.as_str()
    };
    let plain = |text: String| {
        if dim {
            Line::styled(text, theme.style(Tone::Dim))
        } else {
            Line::raw(text)
        }
    };
    let card = doc
        .brand
        .as_ref()
        .zip(doc.last4.as_ref())
        .map(|(brand, last4)| format!("…{last4} {brand}"))
        .unwrap_or_default();
    let tone = match (dim, model.marks.is_marked(&payment_item(doc), "status")) {
        (true, _) => Tone::Dim,
        (false, true) => Tone::Mark,
        (false, false) => tone,
    };
    vec![
        plain(if wide {
            doc.id.to_string()
        } else {
            short_id(doc.id.as_str())
        }),
        Line::styled(format!("{glyph} {word}"), theme.style(tone)),
        plain(format!(
            "{} {}",
            major(doc.amount_minor, doc.currency),
            doc.currency
        )),
        plain(age_since(doc.created_at, model.now)),
        plain(doc.reference.as_deref().map(redact).unwrap_or_default()),
        plain(mask::terminal(&Privacy::default().email(&doc.email))),
        plain(redact(&card)),
        plain(doc.failure.as_deref().map(redact).unwrap_or_default()),
        plain(doc.merchant.to_string()),
    ]
}
