//! One payment: what it is now, and what happened to it.

use std::time::Duration;

use jiff::SignedDuration;
use payops_core::Timestamp;
use payops_core::domain::event::{Event, EventKind};
use payops_core::domain::id::PaymentId;
use payops_core::domain::mask;
use payops_core::domain::money::major;
use payops_core::domain::payment::{Payment, RefundState, Status};
use payops_core::domain::privacy::Privacy;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::dead_letters::shown;
use super::letter::{detail, draw_lines, pretty};
use super::payments::sign;
use super::{Freshness, View, opened, rollouts};
use crate::effect::{Ask, Effect};
use crate::keymap::{Binding, Command, Key};
use crate::model::{Cursor, ItemKey, Model, Notice, Overlay, Pane, Route};
use crate::msg::PaymentSeen;
use crate::theme::Tone;
use crate::widgets::state;
use crate::widgets::table::{self, Column};
use crate::widgets::words::{age, count, wrap};

/// How often it is read again while it is on its way.
const EVERY: Duration = Duration::from_secs(2);
/// For so long after its last change postings, index and mails may still come.
const SETTLES: SignedDuration = SignedDuration::from_mins(1);

/// Lines that a reason takes at most.
const REASON_LINES: usize = 2;

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) seen: Pane<Option<PaymentSeen>>,
    of: Option<(String, PaymentId)>,
    cursor: Cursor,
}

pub(crate) struct Detail;

const KEYS: &[Binding] = &[
    Binding::shown(
        &[Key::code(crossterm::event::KeyCode::Enter)],
        Command::Enter,
        "event",
    ),
    Binding::shown(&[Key::ch('d')], Command::ToLetter, "dead letter"),
    Binding::shown(&[Key::ch('y')], Command::Copy, "copy id"),
];

const COLUMNS: &[Column] = &[
    Column::number("SEQ", 3),
    Column::number("AGE", 4),
    Column::text("TIME (UTC)", 19).rank(2),
    Column::text("KIND", 16),
    Column::text("DETAIL", 20).flex(1),
];

fn id(model: &Model) -> Option<PaymentId> {
    if let Route::Payment(id) = model.route() {
        Some(id.clone())
    } else {
        None
    }
}

fn seen(model: &Model) -> Option<&PaymentSeen> {
    model.payment.seen.value()?.as_ref()
}

/// How often it is read again; not at all when it has come to rest.
fn every(model: &Model) -> Option<Duration> {
    let Some(seen) = seen(model) else {
        return Some(EVERY);
    };
    let payment = &seen.payment;
    let pending = payment
        .refunds
        .iter()
        .any(|refund| refund.state == RefundState::Pending);
    let moving = payment.status == Status::Processing && payment.dead.is_none();
    let lately = model.now.duration_since(payment.updated_at) < SETTLES;
    (moving || pending || lately).then_some(EVERY)
}

impl View for Detail {
    fn bindings(&self) -> &'static [Binding] {
        KEYS
    }

    fn act(&self, model: &mut Model, command: Command) -> Vec<Effect> {
        let Some(id) = id(model) else {
            return Vec::new();
        };
        match command {
            Command::Copy => return vec![Effect::Copy(id.to_string())],
            Command::ToLetter => match seen(model).map(|seen| seen.payment.dead.clone()) {
                Some(Some(dead)) => super::dead_letters::only_of(model, &id, &dead.queue),
                Some(None) => model.say(Notice::new(
                    Tone::Dim,
                    "no message of this payment lies in a dead-letter queue",
                    model.now,
                )),
                None => {}
            },
            Command::Enter => {
                let event = seen(model).and_then(|seen| seen.events.get(model.payment.cursor.row));
                if let Some(event) = event {
                    let title = format!("{} {} of {id}", event.seq, event.kind.as_str());
                    let mut lines = vec![(
                        Tone::Dim,
                        format!(
                            "{} · {} ago · version {}",
                            event.at,
                            age(event.at, model.now),
                            event.version
                        ),
                    )];
                    lines.extend(pretty(&Privacy::default().json(&event.detail)));
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
        let (Some(env), Some(id)) = (model.open_env(), id(model)) else {
            return Vec::new();
        };
        let of = Some((env.clone(), id.clone()));
        if model.payment.of != of {
            model.payment = State {
                of,
                ..State::default()
            };
        }
        if !model.payment.seen.is_due(model.now, every(model)) {
            return Vec::new();
        }
        let request = model.next_request();
        model.payment.seen.ask(request);
        vec![Effect::Ask {
            request,
            env,
            ask: Box::new(Ask::Payment(id)),
        }]
    }

    fn wake(&self, model: &Model) -> Option<Timestamp> {
        model.open_env()?;
        [
            model.payment.seen.due_at(every(model)),
            Some(rollouts::next_second(model)),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn refresh(&self, model: &mut Model) {
        model.payment.seen.refresh();
    }

    fn freshness(&self, model: &Model) -> Vec<(&'static str, Freshness)> {
        vec![("payment", opened::freshness(model.payment.seen.look()))]
    }

    fn list(&self, model: &Model, body: Rect) -> Option<(Rect, usize)> {
        let area = state::rest(body, &model.payment.seen.look());
        let head = seen(model).map_or(0, |seen| head(&seen.payment, model.now, area.width).len());
        Some((
            table::rows_area(below(area, head)),
            seen(model).map_or(0, |seen| seen.events.len()),
        ))
    }

    fn item(&self, model: &Model, row: usize) -> Option<ItemKey> {
        Some(ItemKey::from(format!(
            "event:{}",
            seen(model)?.events.get(row)?.seq
        )))
    }

    fn cursor_mut<'a>(&self, model: &'a mut Model) -> Option<&'a mut Cursor> {
        Some(&mut model.payment.cursor)
    }

    fn draw(&self, model: &Model, frame: &mut Frame<'_>, body: Rect) {
        let Some(env) = opened::env(model, frame, body) else {
            return;
        };
        let Some((found, area)) =
            state::ready(model, frame, body, "the payment", model.payment.seen.look())
        else {
            return;
        };
        let Some(PaymentSeen { payment, events }) = found else {
            let why = format!(
                "there is no such payment in {}; e chooses another environment, Esc goes back",
                env.info.name.to_uppercase()
            );
            state::empty(model, frame, area, false, &why);
            return;
        };
        let lines = head(payment, model.now, area.width);
        draw_lines(model, frame, area, &lines, 0);
        let area = below(area, lines.len());
        if events.is_empty() {
            state::empty(
                model,
                frame,
                area,
                false,
                "it has no timeline: that is damage, :reconcile names it",
            );
            return;
        }
        table::draw(
            model,
            frame,
            area,
            COLUMNS,
            (&model.payment.cursor, events.len()),
            |row| {
                events
                    .get(row)
                    .map(|event| cells(model, event))
                    .unwrap_or_default()
            },
        );
    }
}

fn below(area: Rect, lines: usize) -> Rect {
    // One empty line between what it is and what happened.
    let taken = u16::try_from(lines)
        .unwrap_or(u16::MAX)
        .saturating_add(u16::from(lines > 0))
        .min(area.height);
    Rect {
        y: area.y + taken,
        height: area.height - taken,
        ..area
    }
}

/// What it is now. Parts that do not fit into one line of `width` go on in the next.
fn head(payment: &Payment, now: Timestamp, width: u16) -> Vec<(Tone, String)> {
    let (glyph, tone) = sign(payment.status, payment.dead.is_some());
    let currency = payment.money.currency();
    let money = |minor: i64| format!("{} {currency}", major(minor, currency));
    let dead = if payment.dead.is_some() {
        " (dead)"
    } else {
        ""
    };
    let mut out = vec![(
        tone,
        format!(
            "{glyph} {}{dead}   {}",
            payment.status,
            money(payment.money.minor())
        ),
    )];
    let card = payment
        .charge
        .as_ref()
        .and_then(|charge| charge.card.as_ref());
    let live = if payment.live { "live" } else { "test" };
    let parts = [
        payment
            .reference
            .as_ref()
            .map(|reference| format!("reference {}", shown(reference.as_str()))),
        Some(format!(
            "customer {}",
            mask::terminal(&Privacy::default().email(payment.email.as_str()))
        )),
        card.map(|card| format!("card {} …{}", shown(&card.brand), shown(&card.last4))),
        Some(format!("merchant {} ({live})", payment.merchant)),
        Some(format!("accepted {} ago", age(payment.created_at, now))),
        Some(format!("changed {} ago", age(payment.updated_at, now))),
        Some(format!("version {}", payment.version)),
        (payment.redrives > 0).then(|| {
            format!(
                "sent again {}",
                count(
                    usize::try_from(payment.redrives).unwrap_or(usize::MAX),
                    "time"
                )
            )
        }),
        (payment.refundable_minor > 0)
            .then(|| format!("refundable {}", money(payment.refundable_minor))),
    ];
    let width = usize::from(width).saturating_sub(2);
    out.extend(
        wrapped(parts.into_iter().flatten(), width)
            .into_iter()
            .map(|line| (Tone::Plain, line)),
    );
    if let Some(failure) = &payment.failure {
        let why = format!("✖ {}: {}", shown(&failure.code), shown(&failure.message));
        out.extend(
            wrap(&why, width, REASON_LINES)
                .into_iter()
                .map(|line| (Tone::Bad, line)),
        );
    }
    if let Some(dead) = &payment.dead {
        let why = format!(
            "✖ dead in {} for {}: {} {}",
            dead.queue,
            age(dead.at, now),
            shown(&dead.class),
            shown(&dead.reason)
        );
        out.extend(
            wrap(&why, width, REASON_LINES)
                .into_iter()
                .map(|line| (Tone::Bad, line)),
        );
    }
    for refund in &payment.refunds {
        let (glyph, tone) = match refund.state {
            RefundState::Pending => ("◌", Tone::Accent),
            RefundState::Succeeded => ("✔", Tone::Good),
            RefundState::Failed => ("✖", Tone::Bad),
        };
        let why = refund
            .reason
            .as_deref()
            .map(|why| format!(": {}", shown(why)))
            .unwrap_or_default();
        let text = format!(
            "{glyph} refund {} {} by {} {}{why}",
            money(refund.minor),
            refund.state.as_str(),
            shown(&refund.by),
            age(refund.at, now)
        );
        out.push((tone, text));
    }
    out
}

/// Parts with three spaces between them, in lines of at most `width`.
fn wrapped(parts: impl Iterator<Item = String>, width: usize) -> Vec<String> {
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

fn cells(model: &Model, event: &Event) -> Vec<Line<'static>> {
    let tone = match event.kind {
        EventKind::Completed | EventKind::RefundSucceeded => Tone::Good,
        EventKind::Failed
        | EventKind::DeadLettered
        | EventKind::Review
        | EventKind::RefundFailed
        | EventKind::MailUnconfirmed => Tone::Bad,
        EventKind::AttemptFailed | EventKind::AttemptUnknown | EventKind::MailRefused => Tone::Warn,
        _ => Tone::Plain,
    };
    let at = event.at.strftime("%Y-%m-%d %H:%M:%S").to_string();
    vec![
        Line::styled(event.seq.to_string(), model.theme.style(Tone::Dim)),
        Line::raw(age(event.at, model.now)),
        Line::styled(at, model.theme.style(Tone::Dim)),
        Line::styled(event.kind.as_str(), model.theme.style(tone)),
        Line::raw(detail(event)),
    ]
}
