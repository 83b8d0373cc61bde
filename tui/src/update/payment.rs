//! One payment and what happened to it.

use std::time::Duration;

use jiff::SignedDuration;
use payops_core::Timestamp;
use payops_core::domain::display::age_since;
use payops_core::domain::payment::{RefundState, Status};
use payops_core::domain::privacy::Privacy;

use super::controller::{Controller, next_second};
use super::dead_letters;
use crate::effect::{Effect, Request};
use crate::keymap::Command;
use crate::model::{Model, Overlay, PaymentState};
use crate::redact::pretty_json;
use crate::theme::Tone;

/// How often a payment is read while it can still change.
const EVERY: Duration = Duration::from_secs(2);

/// For this long after the last change, postings, index and mails may still follow.
const SETTLES: SignedDuration = SignedDuration::from_mins(1);

/// How often the payment is read; `None` once it has settled.
fn refresh_interval(model: &Model) -> Option<Duration> {
    let Some(details) = model.payment.payment_details() else {
        return Some(EVERY);
    };
    let payment = &details.payment;
    let pending = payment
        .refunds
        .iter()
        .any(|refund| refund.state == RefundState::Pending);
    let moving = payment.status == Status::Processing && payment.dead.is_none();
    let lately = model.now.duration_since(payment.updated_at) < SETTLES;
    (moving || pending || lately).then_some(EVERY)
}

pub(super) struct PaymentController;

impl Controller for PaymentController {
    fn run(&self, model: &mut Model, command: Command) -> Vec<Effect> {
        let Some(id) = model.payment_route() else {
            return Vec::new();
        };
        match command {
            Command::Copy => return vec![Effect::Copy(id.to_string())],
            Command::ToDeadLetter => {
                match model
                    .payment
                    .payment_details()
                    .map(|seen| seen.payment.dead.clone())
                {
                    Some(Some(dead)) => dead_letters::show_payment(model, &id, &dead.queue),
                    Some(None) => model.notify(Tone::Dim, "this payment has no dead letter"),
                    None => {}
                }
            }
            Command::Enter => {
                let event = model
                    .payment
                    .payment_details()
                    .and_then(|seen| seen.events.get(model.payment.cursor.row));
                if let Some(event) = event {
                    let title = format!("{} {} of {id}", event.seq, event.kind.as_str());
                    let mut lines = vec![(
                        Tone::Dim,
                        format!(
                            "{} · {} ago · version {}",
                            event.at,
                            age_since(event.at, model.now),
                            event.version
                        ),
                    )];
                    let detail = pretty_json(&Privacy::default().json(&event.detail));
                    lines.extend(detail.into_iter().map(|line| (Tone::Plain, line)));
                    model.overlay = Some(Overlay::Text {
                        title,
                        lines,
                        top: 0,
                    });
                }
            }
            _ => {}
        }
        Vec::new()
    }

    fn poll(&self, model: &mut Model) -> Vec<Effect> {
        let (Some(env), Some(id)) = (model.open_env(), model.payment_route()) else {
            return Vec::new();
        };
        let subject = Some((env.clone(), id.clone()));
        if model.payment.subject != subject {
            model.payment = PaymentState {
                subject,
                ..PaymentState::default()
            };
        }
        if !model
            .payment
            .details
            .is_due(model.now, refresh_interval(model))
        {
            return Vec::new();
        }
        let request_id = model.next_request();
        model.payment.details.start(request_id);
        vec![Effect::request(request_id, env, Request::Payment(id))]
    }

    fn wake_at(&self, model: &Model) -> Option<Timestamp> {
        model.open_env()?;
        [
            model.payment.details.due_at(refresh_interval(model)),
            Some(next_second(model)),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn refresh(&self, model: &mut Model) {
        model.payment.details.refresh();
    }
}
