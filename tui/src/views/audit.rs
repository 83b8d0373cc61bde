//! Who did what, when and why.

use std::time::Duration;

use payops_core::Timestamp;
use payops_core::domain::audit::{AuditEntry, AuditOutcome};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::dead_letters::shown;
use super::{Freshness, View, opened, rollouts};
use crate::effect::{Ask, Effect};
use crate::keymap::{Binding, Command, Key};
use crate::model::{Cursor, Filter, ItemKey, Model, Overlay, Pane, matching};
use crate::theme::Tone;
use crate::widgets::state;
use crate::widgets::table::{self, Column};
use crate::widgets::words::{age, count};

/// How often it is read again while it is on screen.
const EVERY: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) seen: Pane<(Vec<AuditEntry>, u64)>,
    of: Option<String>,
    cursor: Cursor,
    filter: Filter,
    places: Vec<usize>,
}

pub(crate) struct Audit;

const KEYS: &[Binding] = &[
    Binding::shown(
        &[Key::code(crossterm::event::KeyCode::Enter)],
        Command::Enter,
        "whole entry",
    ),
    Binding::shown(&[Key::ch('y')], Command::Copy, "copy"),
];

const COLUMNS: &[Column] = &[
    Column::number("AGE", 4),
    Column::text("TIME (UTC)", 19).rank(4),
    Column::text("WHO", 8),
    Column::text("ENV", 7).rank(3),
    Column::text("WHAT", 17),
    Column::text("TO WHAT", 14).flex(2),
    Column::text("WHY", 12).flex(2).rank(1),
];

fn entries(model: &Model) -> &[AuditEntry] {
    model
        .audit
        .seen
        .value()
        .map_or(&[], |(entries, _)| entries.as_slice())
}

/// What an entry is found by, and what is copied of it: what is on screen, and no more.
fn words(entry: &AuditEntry) -> String {
    let some = |text: &Option<String>| text.clone().unwrap_or_default();
    shown(&format!(
        "{} {} {} {} {}",
        entry.who,
        entry.env,
        entry.action,
        some(&entry.subject),
        some(&entry.reason)
    ))
}

/// Lines above the list: one when lines of the record are damaged.
fn damaged(model: &Model) -> u64 {
    model.audit.seen.value().map_or(0, |(_, damaged)| *damaged)
}

fn below_damage(model: &Model, area: Rect) -> Rect {
    let taken = u16::from(damaged(model) > 0).min(area.height);
    Rect {
        y: area.y + taken,
        height: area.height - taken,
        ..area
    }
}

impl View for Audit {
    fn bindings(&self) -> &'static [Binding] {
        KEYS
    }

    fn act(&self, model: &mut Model, command: Command) -> Vec<Effect> {
        let entry = model
            .audit
            .places
            .get(model.audit.cursor.row)
            .and_then(|place| entries(model).get(*place));
        match (command, entry) {
            (Command::Copy, Some(entry)) => {
                return vec![Effect::Copy(format!("{} {}", entry.at, words(entry)))];
            }
            (Command::Enter, Some(entry)) => {
                let part =
                    |label: &str, text: &str| (Tone::Plain, format!("{label:<8} {}", shown(text)));
                let lines = vec![
                    (
                        Tone::Plain,
                        format!(
                            "{:<8} {} ({} ago)",
                            "when",
                            entry.at,
                            age(entry.at, model.now)
                        ),
                    ),
                    part("who", &entry.who),
                    part("where", &entry.env),
                    part("what", &entry.action),
                    part("to", entry.subject.as_deref().unwrap_or("nothing is named")),
                    part(
                        "why",
                        entry.reason.as_deref().unwrap_or("no reason was asked for"),
                    ),
                ];
                let more = [
                    ("became", entry.outcome.map(|outcome| sign(outcome).1)),
                    ("role", entry.role.as_deref()),
                    ("account", entry.account.as_deref()),
                    ("session", entry.session.as_deref()),
                    ("ticket", entry.ticket.as_deref()),
                    ("same as", entry.same_as.as_deref()),
                ];
                let more = more
                    .into_iter()
                    .filter_map(|(label, text)| Some(part(label, text?)));
                let detail = entry.detail.iter().map(|(name, text)| part(name, text));
                let lines = lines.into_iter().chain(more).chain(detail).collect();
                model.overlay = Some(Overlay::Text {
                    title: shown(&entry.action),
                    lines,
                    top: 0,
                });
            }
            _ => {}
        }
        Vec::new()
    }

    fn poll(&self, model: &mut Model) -> Vec<Effect> {
        let Some(env) = model.open_env() else {
            return Vec::new();
        };
        if model.audit.of.as_ref() != Some(&env) {
            model.audit.of = Some(env.clone());
            model.audit.seen.clear();
        }
        if !model.audit.seen.is_due(model.now, Some(EVERY)) {
            return Vec::new();
        }
        let request = model.next_request();
        model.audit.seen.ask(request);
        vec![Effect::Ask {
            request,
            env,
            ask: Box::new(Ask::Audit),
        }]
    }

    fn wake(&self, model: &Model) -> Option<Timestamp> {
        let due = model
            .open_env()
            .and_then(|_| model.audit.seen.due_at(Some(EVERY)));
        [due, Some(rollouts::next_second(model))]
            .into_iter()
            .flatten()
            .min()
    }

    fn refresh(&self, model: &mut Model) {
        model.audit.seen.refresh();
    }

    fn freshness(&self, model: &Model) -> Vec<(&'static str, Freshness)> {
        vec![("audit", opened::freshness(model.audit.seen.look()))]
    }

    fn filter<'a>(&self, model: &'a Model) -> Option<&'a Filter> {
        Some(&model.audit.filter)
    }

    fn filter_mut<'a>(&self, model: &'a mut Model) -> Option<&'a mut Filter> {
        Some(&mut model.audit.filter)
    }

    fn prepare(&self, model: &mut Model) {
        let texts: Vec<String> = entries(model).iter().map(words).collect();
        model.audit.places = matching(
            model.audit.filter.text(),
            texts.iter().map(String::as_str).enumerate(),
        );
    }

    fn list(&self, model: &Model, body: Rect) -> Option<(Rect, usize)> {
        let area = below_damage(model, state::rest(body, &model.audit.seen.look()));
        Some((table::rows_area(area), model.audit.places.len()))
    }

    fn item(&self, model: &Model, row: usize) -> Option<ItemKey> {
        let entry = entries(model).get(*model.audit.places.get(row)?)?;
        Some(ItemKey::from(format!(
            "audit:{} {}",
            entry.at,
            words(entry)
        )))
    }

    fn cursor_mut<'a>(&self, model: &'a mut Model) -> Option<&'a mut Cursor> {
        Some(&mut model.audit.cursor)
    }

    fn draw(&self, model: &Model, frame: &mut Frame<'_>, body: Rect) {
        if opened::env(model, frame, body).is_none() {
            return;
        }
        let Some(((entries, damaged), area)) =
            state::ready(model, frame, body, "the audit", model.audit.seen.look())
        else {
            return;
        };
        if *damaged > 0 {
            let lines = count(usize::try_from(*damaged).unwrap_or(usize::MAX), "line");
            let line = Line::styled(
                format!(" ⚠ {lines} of the record cannot be read"),
                model.theme.style(Tone::Bad),
            );
            frame.render_widget(line, Rect { height: 1, ..area });
        }
        let area = below_damage(model, area);
        if model.audit.places.is_empty() {
            let (good, why) = if entries.is_empty() {
                (
                    true,
                    "nothing was done by hand yet: every cancel, refund, replay and rollout action \
                        is recorded here",
                )
            } else {
                (false, "none matches; Esc takes the filter away")
            };
            state::empty(model, frame, area, good, why);
            return;
        }
        let list = (&model.audit.cursor, model.audit.places.len());
        table::draw(model, frame, area, COLUMNS, list, |row| {
            let entry = model
                .audit
                .places
                .get(row)
                .and_then(|place| entries.get(*place));
            entry.map(|entry| cells(model, entry)).unwrap_or_default()
        });
    }
}

fn sign(outcome: AuditOutcome) -> (&'static str, &'static str, Tone) {
    match outcome {
        AuditOutcome::Begun => ("◌ ", "begun; another entry says how it ended", Tone::Dim),
        AuditOutcome::Done => ("✔ ", "done", Tone::Good),
        AuditOutcome::Failed => ("✖ ", "failed", Tone::Bad),
        AuditOutcome::Refused => ("⊘ ", "refused: nothing was done", Tone::Warn),
    }
}

fn cells(model: &Model, entry: &AuditEntry) -> Vec<Line<'static>> {
    let outcome = entry.outcome.map(sign);
    let at = entry.at.strftime("%Y-%m-%d %H:%M:%S").to_string();
    vec![
        Line::raw(age(entry.at, model.now)),
        Line::styled(at, model.theme.style(Tone::Dim)),
        Line::raw(shown(&entry.who)),
        Line::raw(shown(&entry.env).to_uppercase()),
        Line::from(vec![
            Span::styled(
                outcome.map_or("  ", |(glyph, ..)| glyph),
                model
                    .theme
                    .style(outcome.map_or(Tone::Plain, |(.., tone)| tone)),
            ),
            Span::styled(shown(&entry.action), model.theme.style(Tone::Strong)),
        ]),
        Line::raw(shown(entry.subject.as_deref().unwrap_or_default())),
        Line::raw(shown(entry.reason.as_deref().unwrap_or_default())),
    ]
}
