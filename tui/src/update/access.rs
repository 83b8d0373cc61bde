//! The access level of the operator, and elevations.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use payops_core::Timestamp;
use payops_core::domain::access::AccessLevel;
use payops_core::domain::display::age;
use payops_core::operations::{AccessStatus, ElevationRequest};
use tui_input::Input;

use super::confirmation::find_reason_problem;
use super::edit;
use crate::effect::{Effect, Request};
use crate::fault::Fault;
use crate::model::{ElevateDialog, ElevateField, EnvState, Model, Overlay, Pane};
use crate::theme::Tone;

/// How often the access level is read.
const EVERY: Duration = Duration::from_secs(15);

fn env_on_screen(model: &Model) -> Option<&EnvState> {
    let place = model.env_on_screen()?;
    model.envs.get(place).filter(|env| env.is_open())
}

pub(super) fn poll(model: &mut Model) -> Option<Effect> {
    let (place, now) = (model.env_on_screen()?, model.now);
    let id = model.next_request();
    let env = model.envs.get_mut(place).filter(|env| env.is_open())?;
    if !env.access.is_due(now, Some(EVERY)) {
        return None;
    }
    env.access.start(id);
    Some(Effect::request(id, env.info.name.clone(), Request::Access))
}

pub(super) fn due_at(model: &Model) -> Option<Timestamp> {
    env_on_screen(model)?.access.due_at(Some(EVERY))
}

/// Makes the access level due: something was written, and may have elevated.
pub(super) fn refresh(model: &mut Model, env: &str) {
    if let Some(env) = model.env_named_mut(env) {
        env.access.refresh();
    }
}

pub(super) fn open_dialog(model: &mut Model) {
    if model.read_only {
        model.notify(Tone::Warn, "this screen is read-only");
        return;
    }
    let Some(env) = env_on_screen(model) else {
        model.notify(Tone::Warn, "this environment is not open yet");
        return;
    };
    let level = if env.info.protected {
        AccessLevel::Operate
    } else {
        AccessLevel::BreakGlass
    };
    let dialog = ElevateDialog {
        env: env.info.name.clone(),
        level,
        reason: Input::default(),
        ticket: Input::default(),
        code: None,
        field: ElevateField::Reason,
        problem: None,
        pending: None,
        top: 0,
    };
    model.overlay = Some(Overlay::Elevate(Box::new(dialog)));
}

pub(super) fn end_elevation(model: &mut Model) -> Vec<Effect> {
    let Some(env) = env_on_screen(model).map(|env| env.info.name.clone()) else {
        return Vec::new();
    };
    vec![Effect::request(
        model.next_request(),
        env,
        Request::EndElevation,
    )]
}

pub(super) fn handle_key(model: &mut Model, event: &KeyEvent) -> Vec<Effect> {
    let id = model.next_request();
    let Some(Overlay::Elevate(dialog)) = &mut model.overlay else {
        return Vec::new();
    };
    if event.code == KeyCode::Char('t') && event.modifiers.contains(KeyModifiers::CONTROL) {
        dialog.level = if dialog.level == AccessLevel::BreakGlass {
            AccessLevel::Operate
        } else {
            AccessLevel::BreakGlass
        };
        return Vec::new();
    }
    if event.code == KeyCode::Char('g') && event.modifiers.contains(KeyModifiers::CONTROL) {
        model.overlay = None;
        return end_elevation(model);
    }
    match event.code {
        KeyCode::Tab | KeyCode::Down => dialog.field = neighbour(dialog, true),
        KeyCode::BackTab | KeyCode::Up => dialog.field = neighbour(dialog, false),
        KeyCode::Enter if dialog.pending.is_none() => {
            let reason = dialog.reason.value().trim().to_owned();
            if let Some(problem) = find_reason_problem(&reason, true) {
                (dialog.problem, dialog.field) = (Some(problem), ElevateField::Reason);
                return Vec::new();
            }
            let text = |input: &Input| {
                Some(input.value().trim().to_owned()).filter(|text| !text.is_empty())
            };
            let request = ElevationRequest {
                level: dialog.level,
                reason,
                ticket: text(&dialog.ticket),
                mfa_code: dialog.code.as_ref().and_then(text),
            };
            (dialog.problem, dialog.pending) = (None, Some(id));
            return vec![Effect::request(
                id,
                dialog.env.clone(),
                Request::Elevate(request),
            )];
        }
        _ => {
            if edit::handle_key(input_mut(dialog), event) {
                dialog.problem = None;
            }
        }
    }
    Vec::new()
}

/// The line that is typed in.
pub(super) fn input_mut(dialog: &mut ElevateDialog) -> &mut Input {
    match dialog.field {
        ElevateField::Reason => &mut dialog.reason,
        ElevateField::Ticket => &mut dialog.ticket,
        ElevateField::Code => dialog.code.get_or_insert_default(),
    }
}

fn neighbour(dialog: &ElevateDialog, forward: bool) -> ElevateField {
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

/// Takes the access level: polled, or after an elevation.
pub(super) fn handle_answer(
    model: &mut Model,
    id: u64,
    env: &str,
    result: Result<AccessStatus, Fault>,
) {
    let now = model.now;
    let is_of_dialog =
        matches!(&model.overlay, Some(Overlay::Elevate(dialog)) if dialog.pending == Some(id));
    if !is_of_dialog {
        if let Some(state) = model.env_named_mut(env) {
            state.access.answer(id, result, now);
        }
        return;
    }
    match result {
        Ok(status) => {
            model.overlay = None;
            set_access(model, env, status);
        }
        Err(fault) => {
            let Some(Overlay::Elevate(dialog)) = &mut model.overlay else {
                return;
            };
            dialog.pending = None;
            if fault.text.contains("MFA") {
                dialog.code = Some(Input::default());
                dialog.field = ElevateField::Code;
            }
            dialog.problem = Some(fault.text);
        }
    }
}

pub(super) fn handle_elevation_end(
    model: &mut Model,
    env: &str,
    result: Result<AccessStatus, Fault>,
) {
    match result {
        Ok(status) => set_access(model, env, status),
        Err(fault) => model.notify(Tone::Bad, format!("✖ {}", fault.text)),
    }
}

fn set_access(model: &mut Model, env: &str, status: AccessStatus) {
    let now = model.now;
    let remaining = status
        .until
        .map(|until| format!(" for {}", age(until.duration_since(now))))
        .unwrap_or_default();
    let words = format!("{} in {}{remaining}", status.level, env.to_uppercase());
    if let Some(state) = model.env_named_mut(env) {
        state.access = Pane::ready(status, now);
    }
    model.notify(Tone::Good, words);
}
