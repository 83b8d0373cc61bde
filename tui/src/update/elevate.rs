//! With which right the user acts, and asking for more of it.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use payops_core::domain::access::AccessLevel;
use tui_input::Input;

use super::consent::bad_reason;
use crate::effect::{Ask, Effect};
use crate::environments::{ElevationWanted, Standing};
use crate::fault::Fault;
use crate::model::{ElevateField, Elevating, Model, Notice, Overlay, Route};
use crate::theme::Tone;
use crate::widgets::edit;
use crate::widgets::words::short;

pub(crate) const EVERY: Duration = Duration::from_secs(15);

pub(crate) fn on_screen(model: &Model) -> Option<usize> {
    let name = if let Route::Rollout(id) = model.route() {
        Some(&id.env)
    } else {
        None
    };
    name.map_or(Some(model.active), |name| {
        model.envs.iter().position(|env| env.info.name == *name)
    })
}

pub(crate) fn poll(model: &mut Model) -> Option<Effect> {
    let (place, now) = (on_screen(model)?, model.now);
    let request = model.next_request();
    let env = model.envs.get_mut(place).filter(|env| env.steers())?;
    if !env.standing.is_due(now, Some(EVERY)) {
        return None;
    }
    env.standing.ask(request);
    Some(Effect::Ask {
        request,
        env: env.info.name.clone(),
        ask: Box::new(Ask::Standing),
    })
}

/// Asks it anew: something was written, and may have elevated.
pub(crate) fn again(model: &mut Model, env: &str) {
    if let Some(env) = model.env_named_mut(env) {
        env.standing.refresh();
    }
}

pub(crate) fn open(model: &mut Model) -> Vec<Effect> {
    let Some(env) = on_screen(model).and_then(|place| model.envs.get(place)) else {
        return Vec::new();
    };
    let (name, own) = (
        env.info.name.clone(),
        if env.info.protected {
            AccessLevel::View
        } else {
            AccessLevel::Operate
        },
    );
    if !env.steers() || model.read_only {
        let words = if model.read_only {
            "this screen is read-only"
        } else {
            "nobody elevates here"
        };
        model.say(Notice::new(Tone::Warn, words, model.now));
        return Vec::new();
    }
    let duty = if own == AccessLevel::Operate {
        AccessLevel::BreakGlass
    } else {
        AccessLevel::Operate
    };
    let (reason, ticket, field) = (Input::default(), Input::default(), ElevateField::Reason);
    let elevating = Elevating {
        env: name,
        duty,
        reason,
        ticket,
        code: None,
        field,
        problem: None,
        asked: None,
        top: 0,
    };
    model.overlay = Some(Overlay::Elevate(Box::new(elevating)));
    Vec::new()
}

pub(crate) fn lower(model: &mut Model) -> Vec<Effect> {
    let Some(env) = on_screen(model)
        .and_then(|place| model.envs.get(place))
        .filter(|env| env.steers())
    else {
        return Vec::new();
    };
    let name = env.info.name.clone();
    let request = model.next_request();
    vec![Effect::Ask {
        request,
        env: name,
        ask: Box::new(Ask::Lower),
    }]
}

pub(crate) fn key(model: &mut Model, event: &KeyEvent) -> Vec<Effect> {
    let request = model.next_request();
    let Some(Overlay::Elevate(dialog)) = &mut model.overlay else {
        return Vec::new();
    };
    if event.code == KeyCode::Char('t') && event.modifiers.contains(KeyModifiers::CONTROL) {
        dialog.duty = if dialog.duty == AccessLevel::BreakGlass {
            AccessLevel::Operate
        } else {
            AccessLevel::BreakGlass
        };
        return Vec::new();
    }
    if event.code == KeyCode::Char('g') && event.modifiers.contains(KeyModifiers::CONTROL) {
        model.overlay = None;
        return lower(model);
    }
    match event.code {
        KeyCode::Tab | KeyCode::Down => dialog.field = beside(dialog, true),
        KeyCode::BackTab | KeyCode::Up => dialog.field = beside(dialog, false),
        KeyCode::Enter if dialog.asked.is_none() => {
            let reason = dialog.reason.value().trim().to_owned();
            if let Some(problem) = bad_reason(&reason, true) {
                (dialog.problem, dialog.field) = (Some(problem), ElevateField::Reason);
                return Vec::new();
            }
            let text = |input: &Input| {
                Some(input.value().trim().to_owned()).filter(|text| !text.is_empty())
            };
            let wanted = ElevationWanted {
                duty: dialog.duty,
                reason,
                ticket: text(&dialog.ticket),
                mfa: dialog.code.as_ref().and_then(text),
            };
            (dialog.problem, dialog.asked) = (None, Some(request));
            return vec![Effect::Ask {
                request,
                env: dialog.env.clone(),
                ask: Box::new(Ask::Elevate(wanted)),
            }];
        }
        _ => {
            let input = match dialog.field {
                ElevateField::Reason => &mut dialog.reason,
                ElevateField::Ticket => &mut dialog.ticket,
                ElevateField::Code => dialog.code.get_or_insert_default(),
            };
            if edit::key(input, event) {
                dialog.problem = None;
            }
        }
    }
    Vec::new()
}

fn beside(dialog: &Elevating, forward: bool) -> ElevateField {
    let all = [
        ElevateField::Reason,
        ElevateField::Ticket,
        ElevateField::Code,
    ];
    let fields = all
        .get(..if dialog.code.is_some() { 3 } else { 2 })
        .unwrap_or(&all);
    let at = fields
        .iter()
        .position(|field| *field == dialog.field)
        .unwrap_or(0);
    let next = if forward {
        at + 1
    } else {
        at + fields.len() - 1
    } % fields.len();
    fields.get(next).copied().unwrap_or(ElevateField::Reason)
}

/// Takes how one stands: asked by the clock, or after an elevation.
pub(crate) fn answered(
    model: &mut Model,
    request: u64,
    env: &str,
    result: Result<Standing, Fault>,
) {
    let now = model.now;
    let is_of_dialog =
        matches!(&model.overlay, Some(Overlay::Elevate(dialog)) if dialog.asked == Some(request));
    if !is_of_dialog {
        if let Some(state) = model.env_named_mut(env) {
            state.standing.answer(request, result, now);
        }
        return;
    }
    match result {
        Ok(standing) => {
            model.overlay = None;
            stands(model, env, standing);
        }
        Err(fault) => {
            let Some(Overlay::Elevate(dialog)) = &mut model.overlay else {
                return;
            };
            dialog.asked = None;
            if fault.text.contains("MFA") {
                dialog.code = Some(Input::default());
                dialog.field = ElevateField::Code;
            }
            dialog.problem = Some(fault.text);
        }
    }
}

/// Takes how one stands after an elevation was given back.
pub(crate) fn lowered(model: &mut Model, env: &str, result: Result<Standing, Fault>) {
    match result {
        Ok(standing) => stands(model, env, standing),
        Err(fault) => model.say(Notice::new(
            Tone::Bad,
            format!("✖ {}", fault.text),
            model.now,
        )),
    }
}

fn stands(model: &mut Model, env: &str, standing: Standing) {
    let now = model.now;
    let left = standing
        .until
        .map(|until| format!(" for {}", short(until.duration_since(now))))
        .unwrap_or_default();
    let words = format!("{} in {}{left}", standing.duty, env.to_uppercase());
    if let Some(state) = model.env_named_mut(env) {
        state.standing = crate::model::Pane::ready(standing, now);
    }
    model.say(Notice::new(Tone::Good, words, now));
}
