//! Who did what, when and why.

use std::time::Duration;

use payops_core::Timestamp;
use payops_core::domain::audit::AuditOutcome;
use payops_core::domain::display::age_since;

use super::controller::{Controller, next_second};
use crate::effect::{Effect, Request};
use crate::keymap::Command;
use crate::model::{Model, Overlay, audit_text, match_places};
use crate::redact::redact;
use crate::theme::Tone;

/// How often the record is read while it is on screen.
const EVERY: Duration = Duration::from_secs(5);

fn outcome_words(outcome: AuditOutcome) -> &'static str {
    match outcome {
        AuditOutcome::Begun => "started; another entry has the outcome",
        AuditOutcome::Done => "done",
        AuditOutcome::Failed => "failed",
        AuditOutcome::Refused => "refused: nothing was done",
    }
}

pub(super) struct AuditController;

impl Controller for AuditController {
    fn run(&self, model: &mut Model, command: Command) -> Vec<Effect> {
        let entry = model.audit.entry(model.audit.cursor.row);
        match (command, entry) {
            (Command::Copy, Some(entry)) => {
                return vec![Effect::Copy(format!("{} {}", entry.at, audit_text(entry)))];
            }
            (Command::Enter, Some(entry)) => {
                let part = |label: &str, text: &str| {
                    (Tone::Plain, format!("{label:<10} {}", redact(text)))
                };
                let lines = vec![
                    (
                        Tone::Plain,
                        format!(
                            "{:<10} {} ({} ago)",
                            "when",
                            entry.at,
                            age_since(entry.at, model.now)
                        ),
                    ),
                    part("who", &entry.who),
                    part("env", &entry.env),
                    part("action", &entry.action),
                    part("subject", entry.subject.as_deref().unwrap_or("none")),
                    part("reason", entry.reason.as_deref().unwrap_or("none required")),
                ];
                let more = [
                    ("outcome", entry.outcome.map(outcome_words)),
                    ("role", entry.role.as_deref()),
                    ("account", entry.account.as_deref()),
                    ("session", entry.session.as_deref()),
                    ("ticket", entry.ticket.as_deref()),
                    ("equivalent", entry.equivalent.as_deref()),
                ];
                let more = more
                    .into_iter()
                    .filter_map(|(label, text)| Some(part(label, text?)));
                let detail = entry.detail.iter().map(|(name, text)| part(name, text));
                let lines = lines.into_iter().chain(more).chain(detail).collect();
                model.overlay = Some(Overlay::Text {
                    title: redact(&entry.action),
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
        if model.audit.env.as_ref() != Some(&env) {
            model.audit.env = Some(env.clone());
            model.audit.record.clear();
        }
        if !model.audit.record.is_due(model.now, Some(EVERY)) {
            return Vec::new();
        }
        let request_id = model.next_request();
        model.audit.record.start(request_id);
        vec![Effect::request(request_id, env, Request::Audit)]
    }

    fn wake_at(&self, model: &Model) -> Option<Timestamp> {
        let due = model
            .open_env()
            .and_then(|_| model.audit.record.due_at(Some(EVERY)));
        [due, Some(next_second(model))].into_iter().flatten().min()
    }

    fn refresh(&self, model: &mut Model) {
        model.audit.record.refresh();
    }

    fn prepare(&self, model: &mut Model) {
        let texts: Vec<String> = model.audit.entries().iter().map(audit_text).collect();
        model.audit.matching = match_places(
            model.audit.filter.text(),
            texts.iter().map(String::as_str).enumerate(),
        );
    }
}
