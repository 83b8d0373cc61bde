//! The payment search: one box, answers while one types.

use std::time::Duration;

use payops_core::Timestamp;
use payops_core::domain::doc::PaymentDoc;
use payops_core::domain::money::major;
use payops_core::domain::payment::Status;
use payops_core::domain::privacy::Privacy;
use payops_core::domain::search::Query;
use payops_core::usecase::Found;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::dead_letters::shown;
use super::{Freshness, View, rollouts};
use crate::effect::{Ask, Effect};
use crate::keymap::{Binding, Command, Key};
use crate::model::{Cursor, Filter, ItemKey, Model, Pane, Route, after};
use crate::theme::Tone;
use crate::update::global;
use crate::widgets::state;
use crate::widgets::table::{self, Column};
use crate::widgets::words::{age, count};

/// How long nothing must be typed before the question is put.
const TYPING: Duration = Duration::from_millis(120);
/// How often the answer on screen is asked for again.
const EVERY: Duration = Duration::from_secs(3);
/// Lines above the list.
const HEAD: u16 = 2;

/// What the view keeps.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) found: Pane<Found>,
    /// Environment and text that the last question was about.
    asked: Option<(String, String)>,
    /// The text as it was last seen, and since when.
    typed: Option<(String, Timestamp)>,
    /// Why the text is no query.
    problem: Option<String>,
    filter: Filter,
    cursor: Cursor,
}

/// The view.
pub(crate) struct Payments;

const KEYS: &[Binding] = &[Binding::shown(&[Key::ch('/'), Key::ch('s')], Command::Filter, "search")];

const COLUMNS: &[Column] = &[
    Column::text("PAYMENT", 30),
    Column::text("STATUS", 14),
    Column::number("AMOUNT", 12),
    Column::text("CUR", 3),
    Column::number("AGE", 4),
    Column::text("REFERENCE", 12).flex(1).rank(1),
    Column::text("EMAIL", 14).flex(1).rank(2),
    Column::text("CARD", 16).rank(3),
    Column::text("FAILURE", 18).rank(4),
    Column::text("MERCHANT", 10).rank(5),
];

/// Sign and tone of a payment's status.
pub(super) fn sign(status: Status, dead: bool) -> (&'static str, Tone) {
    match status {
        _ if dead => ("✖", Tone::Bad),
        Status::Completed | Status::Refunded | Status::PartiallyRefunded => ("✔", Tone::Good),
        Status::Processing => ("◌", Tone::Accent),
        Status::Failed => ("✖", Tone::Bad),
        Status::Review => ("⚠", Tone::Warn),
        Status::Canceled => ("○", Tone::Dim),
    }
}

/// Whether the text on screen has been asked about.
fn is_current(model: &Model) -> bool {
    model.payments.asked.as_ref().is_some_and(|(env, text)| Some(env) == model.open_env().as_ref() && text == model.payments.filter.text())
}

impl View for Payments {
    fn bindings(&self) -> &'static [Binding] {
        KEYS
    }

    fn act(&self, model: &mut Model, command: Command) -> Vec<Effect> {
        let doc = model.payments.found.value().and_then(|found| found.docs.get(model.payments.cursor.row));
        let Some(id) = doc.map(|doc| doc.id.clone()) else { return Vec::new() };
        match command {
            Command::Enter => global::push(model, Route::Payment(id)),
            Command::Copy => return vec![Effect::Copy(id.to_string())],
            _ => {}
        }
        Vec::new()
    }

    fn poll(&self, model: &mut Model) -> Vec<Effect> {
        let Some(env) = model.open_env() else { return Vec::new() };
        let (now, text) = (model.now, model.payments.filter.text().to_owned());
        let changed = model.payments.typed.as_ref().is_none_or(|(typed, _)| *typed != text);
        if changed {
            model.payments.problem = Query::parse(&text, now).err().map(|error| error.to_string());
            model.payments.typed = Some((text.clone(), now));
        }
        if model.payments.problem.is_some() {
            return Vec::new();
        }
        let state = &mut model.payments;
        let quiet = state.typed.as_ref().is_none_or(|(text, since)| text.is_empty() || after(*since, TYPING) <= now);
        let other = state.asked.as_ref() != Some(&(env.clone(), text.clone()));
        if other && state.asked.as_ref().is_some_and(|(asked, _)| *asked != env) {
            state.found.clear();
        }
        if !((other && quiet) || (!other && state.found.is_due(now, Some(EVERY)))) {
            return Vec::new();
        }
        let request = model.next_request();
        model.payments.asked = Some((env.clone(), text.clone()));
        model.payments.found.ask(request);
        vec![Effect::Ask { request, env, ask: Box::new(Ask::Search { text }) }]
    }

    fn wake(&self, model: &Model) -> Option<Timestamp> {
        let state = &model.payments;
        let typed = state.typed.as_ref().filter(|_| !is_current(model) && state.problem.is_none()).map(|(_, since)| after(*since, TYPING));
        let due = model.open_env().filter(|_| state.problem.is_none()).and_then(|_| state.found.due_at(Some(EVERY)));
        [typed, due, Some(rollouts::next_second(model))].into_iter().flatten().min()
    }

    fn refresh(&self, model: &mut Model) {
        model.payments.found.refresh();
    }

    fn freshness(&self, model: &Model) -> Vec<(&'static str, Freshness)> {
        vec![("search", model.payments.found.at().map_or(Freshness::Loading, Freshness::At))]
    }

    fn filter<'a>(&self, model: &'a Model) -> Option<&'a Filter> {
        Some(&model.payments.filter)
    }

    fn filter_mut<'a>(&self, model: &'a mut Model) -> Option<&'a mut Filter> {
        Some(&mut model.payments.filter)
    }

    fn list(&self, model: &Model, body: Rect) -> Option<(Rect, usize)> {
        let area = below_head(state::rest(body, &model.payments.found.look()));
        Some((table::rows_area(area), model.payments.found.value().map_or(0, |found| found.docs.len())))
    }

    fn item(&self, model: &Model, row: usize) -> Option<ItemKey> {
        let doc = model.payments.found.value()?.docs.get(row)?;
        Some(ItemKey::from(format!("payment:{}", doc.id)))
    }

    fn cursor_mut<'a>(&self, model: &'a mut Model) -> Option<&'a mut Cursor> {
        Some(&mut model.payments.cursor)
    }

    fn draw(&self, model: &Model, frame: &mut Frame<'_>, body: Rect) {
        let Some((found, area)) = state::ready(model, frame, body, "payments", model.payments.found.look()) else { return };
        for (y, line) in (area.y..area.bottom().min(area.y + HEAD)).zip(head(model, found)) {
            frame.render_widget(table::clipped(&line, usize::from(area.width)), Rect { y, height: 1, ..area });
        }
        let area = below_head(area);
        if found.docs.is_empty() {
            nothing(model, frame, area, found);
            return;
        }
        let list = (&model.payments.cursor, found.docs.len());
        let dim = !is_current(model);
        table::draw(model, frame, area, COLUMNS, list, |row| found.docs.get(row).map(|doc| cells(model, doc, dim)).unwrap_or_default());
    }
}

fn below_head(area: Rect) -> Rect {
    let head = HEAD.min(area.height);
    Rect { y: area.y + head, height: area.height - head, ..area }
}

/// The box, and below it what is wrong with it, or who answered and how fresh that is.
fn head(model: &Model, found: &Found) -> Vec<Line<'static>> {
    let (theme, state) = (model.theme, &model.payments);
    let text = state.filter.text();
    let typed = if text.is_empty() {
        Span::styled("the newest; press / and type an e-mail, id, last4, amount, reference, or field:value", theme.style(Tone::Dim))
    } else {
        Span::raw(text.to_owned())
    };
    let first = Line::from(vec![Span::styled(" / ", theme.style(Tone::Accent)), typed]);
    if let Some(problem) = &state.problem {
        return vec![first, Line::styled(format!(" ✖ {problem}"), theme.style(Tone::Bad))];
    }
    let waiting = if is_current(model) { "" } else { "◌ " };
    let total = count(usize::try_from(found.total).unwrap_or(usize::MAX), "payment");
    let shown = if found.total > u64::try_from(found.docs.len()).unwrap_or(u64::MAX) {
        format!(", the newest {} shown", found.docs.len())
    } else {
        String::new()
    };
    let newest = found.freshness.newest.map_or_else(|| "empty".to_owned(), |newest| format!("newest change {}", age(newest, model.now)));
    let store = if found.from_store {
        "the index has not heard of it yet; the primary store answered".to_owned()
    } else {
        format!("{} answered, {} documents, {newest}", found.freshness.store, found.freshness.documents)
    };
    vec![first, Line::styled(format!(" {waiting}{total}{shown} · {store}"), theme.style(Tone::Dim))]
}

/// Why nothing was found.
fn nothing(model: &Model, frame: &mut Frame<'_>, area: Rect, found: &Found) {
    if found.freshness.documents == 0 {
        state::empty(model, frame, area, false, "the index is empty: no payment has been written to it yet");
        return;
    }
    if found.parts.is_empty() {
        state::empty(model, frame, area, false, "no payment is so; a field takes the start of a value, such as reference:INV-");
        return;
    }
    state::empty(model, frame, area, false, "no payment has all of it; each part alone has:");
    let parts: Vec<(Tone, String)> =
        found.parts.iter().map(|(part, total)| (Tone::Plain, format!("{total:>8}  {}", shown(part)))).collect();
    let area = Rect { y: area.y.saturating_add(1), height: area.height.saturating_sub(1), ..area };
    super::letter::draw_lines(model, frame, area, &parts, 0);
}

fn cells(model: &Model, doc: &PaymentDoc, dim: bool) -> Vec<Line<'static>> {
    let theme = model.theme;
    let (glyph, tone) = sign(doc.status, doc.dead);
    let dead = if doc.dead { " (dead)" } else { "" };
    let plain = |text: String| if dim { Line::styled(text, theme.style(Tone::Dim)) } else { Line::raw(text) };
    let card = doc.brand.as_ref().zip(doc.last4.as_ref()).map(|(brand, last4)| format!("{brand} …{last4}")).unwrap_or_default();
    vec![
        plain(doc.id.to_string()),
        Line::styled(format!("{glyph} {}{dead}", doc.status), theme.style(if dim { Tone::Dim } else { tone })),
        plain(major(doc.amount_minor, doc.currency)),
        plain(doc.currency.code().to_owned()),
        plain(age(doc.created_at, model.now)),
        plain(doc.reference.as_deref().map(shown).unwrap_or_default()),
        plain(Privacy::default().email(&doc.email)),
        plain(card),
        plain(doc.failure.clone().unwrap_or_default()),
        plain(doc.merchant.to_string()),
    ]
}
