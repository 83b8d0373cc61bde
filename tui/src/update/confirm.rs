//! Saying yes or no to a plan.

use crossterm::event::{KeyCode, KeyEvent};
use payops_core::domain::pan::contains_card_number;

use crate::effect::{Ask, Effect};
use crate::model::{Confirm, Field, Model, Notice, Overlay, Write};
use crate::theme::Tone;
use crate::widgets::edit;

pub(crate) fn key(model: &mut Model, event: &KeyEvent) -> Vec<Effect> {
    let Some(Overlay::Confirm(confirm)) = &mut model.overlay else {
        return Vec::new();
    };
    if !confirm.protected {
        return match event.code {
            KeyCode::Enter | KeyCode::Char('y') => go(model),
            KeyCode::Char('n') => {
                model.overlay = None;
                Vec::new()
            }
            _ => Vec::new(),
        };
    }
    match event.code {
        KeyCode::Tab | KeyCode::BackTab | KeyCode::Up | KeyCode::Down => {
            confirm.field = if confirm.field == Field::Name {
                Field::Reason
            } else {
                Field::Name
            };
            Vec::new()
        }
        KeyCode::Enter => match problem(confirm) {
            None => go(model),
            Some((field, problem)) => {
                // Enter in the first line goes on to the second.
                confirm.problem = if confirm.field == Field::Reason && field == Field::Name {
                    None
                } else {
                    Some(problem)
                };
                confirm.field = field;
                Vec::new()
            }
        },
        _ => {
            let input = if confirm.field == Field::Name {
                &mut confirm.name
            } else {
                &mut confirm.reason
            };
            if edit::key(input, event) {
                confirm.problem = None;
            }
            Vec::new()
        }
    }
}

fn problem(confirm: &Confirm) -> Option<(Field, String)> {
    let (reason, name) = (confirm.reason.value().trim(), confirm.name.value().trim());
    if reason.is_empty() {
        return Some((Field::Reason, "say why: it is kept in the audit".to_owned()));
    }
    if contains_card_number(reason) {
        return Some((
            Field::Reason,
            "the reason holds what looks like a card number; say why without it".to_owned(),
        ));
    }
    if name != confirm.plan.key.name {
        return Some((
            Field::Name,
            format!("that is not the name: {}", confirm.plan.key.name),
        ));
    }
    None
}

fn go(model: &mut Model) -> Vec<Effect> {
    let Some(Overlay::Confirm(confirm)) = model.overlay.take() else {
        return Vec::new();
    };
    let request = model.next_request();
    let Confirm {
        id,
        plan,
        seen,
        reason,
        ..
    } = *confirm;
    let words = format!(
        "{} {} in {}: sent…",
        plan.action.as_str(),
        plan.key,
        id.env.to_uppercase()
    );
    model.say(Notice::new(Tone::Plain, words, model.now));
    model.writes.insert(
        request,
        Write {
            id: id.clone(),
            plan: plan.clone(),
            seen,
        },
    );
    model.leaving = false;
    let reason = Some(reason.value().trim().to_owned()).filter(|reason| !reason.is_empty());
    let ask = Ask::Execute {
        cluster: id.cluster,
        plan: Box::new(plan),
        reason,
    };
    vec![Effect::Ask {
        request,
        env: id.env,
        ask: Box::new(ask),
    }]
}
