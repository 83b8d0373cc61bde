//! One payment: what it is now, and what happened to it.

use std::time::Duration;

use payops_core::Timestamp;
use payops_core::domain::event::{Event, EventKind};
use payops_core::domain::id::PaymentId;
use payops_core::domain::money::major;
use payops_core::domain::payment::{Payment, Status};
use payops_core::domain::privacy::Privacy;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::dead_letters::shown;
use super::letter::{detail, draw_lines};
use super::payments::sign;
use super::{Freshness, View, rollouts};
use crate::effect::{Ask, Effect};
use crate::keymap::Command;
use crate::model::{Cursor, ItemKey, Model, Pane, Route};
use crate::msg::PaymentSeen;
use crate::theme::Tone;
use crate::widgets::state;
use crate::widgets::table::{self, Column};
use crate::widgets::words::age;

/// How often it is read again while it is on its way.
const EVERY_MOVING: Duration = Duration::from_secs(1);
/// How often it is read again when it has come to its end: refunds and mails still come.
const EVERY: Duration = Duration::from_secs(5);

/// What the view keeps.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) seen: Pane<Option<PaymentSeen>>,
    /// Of which environment and payment that is.
    of: Option<(String, PaymentId)>,
    cursor: Cursor,
}

/// The view.
pub(crate) struct Detail;

const COLUMNS: &[Column] = &[
    Column::number("SEQ", 3),
    Column::number("AGE", 4),
    Column::text("AT", 20).rank(2),
    Column::text("KIND", 14),
    Column::text("DETAIL", 20).flex(1),
];

fn id(model: &Model) -> Option<PaymentId> {
    if let Route::Payment(id) = model.route() { Some(id.clone()) } else { None }
}

fn seen(model: &Model) -> Option<&PaymentSeen> {
    model.payment.seen.value()?.as_ref()
}

fn every(model: &Model) -> Duration {
    let moving = seen(model).is_none_or(|seen| seen.payment.status == Status::Processing && seen.payment.dead.is_none());
    if moving { EVERY_MOVING } else { EVERY }
}

impl View for Detail {
    fn act(&self, model: &mut Model, command: Command) -> Vec<Effect> {
        match (command, id(model)) {
            (Command::Copy, Some(id)) => vec![Effect::Copy(id.to_string())],
            _ => Vec::new(),
        }
    }

    fn poll(&self, model: &mut Model) -> Vec<Effect> {
        let (Some(env), Some(id)) = (model.open_env(), id(model)) else { return Vec::new() };
        let of = Some((env.clone(), id.clone()));
        if model.payment.of != of {
            model.payment = State { of, ..State::default() };
        }
        if !model.payment.seen.is_due(model.now, Some(every(model))) {
            return Vec::new();
        }
        let request = model.next_request();
        model.payment.seen.ask(request);
        vec![Effect::Ask { request, env, ask: Box::new(Ask::Payment(id)) }]
    }

    fn wake(&self, model: &Model) -> Option<Timestamp> {
        let due = model.open_env().and_then(|_| model.payment.seen.due_at(Some(every(model))));
        [due, Some(rollouts::next_second(model))].into_iter().flatten().min()
    }

    fn refresh(&self, model: &mut Model) {
        model.payment.seen.refresh();
    }

    fn freshness(&self, model: &Model) -> Vec<(&'static str, Freshness)> {
        vec![("payment", model.payment.seen.at().map_or(Freshness::Loading, Freshness::At))]
    }

    fn list(&self, model: &Model, body: Rect) -> Option<(Rect, usize)> {
        let area = state::rest(body, &model.payment.seen.look());
        let head = seen(model).map_or(0, |seen| head(&seen.payment, model.now).len());
        Some((table::rows_area(below(area, head)), seen(model).map_or(0, |seen| seen.events.len())))
    }

    fn item(&self, model: &Model, row: usize) -> Option<ItemKey> {
        Some(ItemKey::from(format!("event:{}", seen(model)?.events.get(row)?.seq)))
    }

    fn cursor_mut<'a>(&self, model: &'a mut Model) -> Option<&'a mut Cursor> {
        Some(&mut model.payment.cursor)
    }

    fn draw(&self, model: &Model, frame: &mut Frame<'_>, body: Rect) {
        let Some((found, area)) = state::ready(model, frame, body, "the payment", model.payment.seen.look()) else { return };
        let Some(PaymentSeen { payment, events }) = found else {
            let env = model.env().map(|env| env.info.name.to_uppercase()).unwrap_or_default();
            state::empty(model, frame, area, false, &format!("there is no such payment in {env}; e chooses another environment"));
            return;
        };
        let lines = head(payment, model.now);
        draw_lines(model, frame, area, &lines, 0);
        let list = (&model.payment.cursor, events.len());
        table::draw(model, frame, below(area, lines.len()), COLUMNS, list, |row| {
            events.get(row).map(|event| cells(model, event)).unwrap_or_default()
        });
    }
}

fn below(area: Rect, lines: usize) -> Rect {
    // One empty line between what it is and what happened.
    let taken = u16::try_from(lines).unwrap_or(u16::MAX).saturating_add(u16::from(lines > 0)).min(area.height);
    Rect { y: area.y + taken, height: area.height - taken, ..area }
}

fn head(payment: &Payment, now: Timestamp) -> Vec<(Tone, String)> {
    let (glyph, tone) = sign(payment.status, payment.dead.is_some());
    let money = format!("{} {}", major(payment.money.minor(), payment.money.currency()), payment.money.currency());
    let reference = payment.reference.as_ref().map(|reference| format!("  {}", shown(reference.as_str()))).unwrap_or_default();
    let mut out = vec![(tone, format!("{glyph} {}  {money}{reference}", payment.status))];
    let card = payment.charge.as_ref().and_then(|charge| charge.card.as_ref());
    let card = card.map(|card| format!("  {} …{}", card.brand, card.last4)).unwrap_or_default();
    let email = Privacy::default().email(payment.email.as_str());
    let live = if payment.live { "live" } else { "test" };
    out.push((Tone::Plain, format!("merchant {} ({live})  customer {email}{card}", payment.merchant)));
    let refunded = payment.refunded_minor();
    let refunds = if refunded > 0 { format!("  refunded {}", major(refunded, payment.money.currency())) } else { String::new() };
    let since = format!("accepted {} ago, changed {} ago", age(payment.created_at, now), age(payment.updated_at, now));
    out.push((Tone::Dim, format!("version {}  {since}{refunds}", payment.version)));
    if let Some(failure) = &payment.failure {
        out.push((Tone::Bad, format!("failed: {} {}", failure.code, shown(&failure.message))));
    }
    if let Some(dead) = &payment.dead {
        out.push((Tone::Bad, format!("dead: {} {}", shown(&dead.class), shown(&dead.reason))));
    }
    out
}

fn cells(model: &Model, event: &Event) -> Vec<Line<'static>> {
    let tone = match event.kind {
        EventKind::Completed | EventKind::RefundSucceeded => Tone::Good,
        EventKind::Failed | EventKind::DeadLettered | EventKind::Review | EventKind::RefundFailed => Tone::Bad,
        EventKind::AttemptFailed | EventKind::AttemptUnknown => Tone::Warn,
        _ => Tone::Plain,
    };
    let at = event.at.strftime("%Y-%m-%d %H:%M:%S").to_string();
    vec![
        Line::raw(event.seq.to_string()),
        Line::raw(age(event.at, model.now)),
        Line::styled(at, model.theme.style(Tone::Dim)),
        Line::styled(event.kind.as_str(), model.theme.style(tone)),
        Line::raw(detail(event)),
    ]
}
