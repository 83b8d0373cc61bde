//! Keys while something lies over the view.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{access, commands, confirm, confirmation, edit, navigate, replay, rollout_actions};
use crate::effect::Effect;
use crate::model::{Model, Overlay};
use crate::palette::{self, PaletteAction};
use crate::views::{facts_above, reading_lines};

pub(super) fn handle_key(model: &mut Model, event: &KeyEvent) -> Vec<Effect> {
    let control_c =
        event.code == KeyCode::Char('c') && event.modifiers.contains(KeyModifiers::CONTROL);
    if event.code == KeyCode::Esc || control_c {
        if let Some(Overlay::Replay(dialog)) = &mut model.overlay
            && !control_c
            && (dialog.option.take().is_some() | dialog.confirmation.take().is_some())
        {
            // Back to the plan.
            return Vec::new();
        }
        model.overlay = None;
        return Vec::new();
    }
    if event.code == KeyCode::Char('z') && event.modifiers.contains(KeyModifiers::CONTROL) {
        return vec![Effect::Suspend];
    }
    if ignores_keys(model) || scroll_above(model, event) {
        return Vec::new();
    }
    match &model.overlay {
        Some(Overlay::Palette { .. }) => handle_palette_key(model, event),
        Some(Overlay::Help { .. } | Overlay::Text { .. }) => {
            let last = reading_lines(model, model.area()).unwrap_or_default().1;
            if let Some(Overlay::Help { top } | Overlay::Text { top, .. }) = &mut model.overlay
                && !scroll(top, last, event)
            {
                model.overlay = None;
            }
            Vec::new()
        }
        Some(Overlay::Environments { .. }) => handle_environments_key(model, event),
        Some(Overlay::Prompt(_)) => handle_prompt_key(model, event),
        Some(Overlay::Rollout(_)) => rollout_actions::handle_key(model, event),
        Some(Overlay::Elevate(_)) => access::handle_key(model, event),
        Some(Overlay::Replay(_)) => replay::handle_key(model, event),
        Some(Overlay::Confirm(_)) => confirm::handle_key(model, event),
        Some(Overlay::Refused { .. }) | None => {
            model.overlay = None;
            Vec::new()
        }
    }
}

/// Whether a question on screen is too new to have been read: the key was meant for the view below.
fn ignores_keys(model: &Model) -> bool {
    let confirmation = match &model.overlay {
        Some(Overlay::Rollout(dialog)) => Some(&dialog.confirmation),
        Some(Overlay::Confirm(dialog)) => Some(&dialog.confirmation),
        Some(Overlay::Replay(dialog)) => dialog.confirmation.as_ref(),
        _ => None,
    };
    confirmation.is_some_and(|confirmation| confirmation.ignores_keys(model.now))
}

/// Pastes into the line that is typed in; `false` when there is no overlay.
pub(super) fn handle_paste(model: &mut Model, text: &str) -> bool {
    if ignores_keys(model) {
        return true;
    }
    match &mut model.overlay {
        None => return false,
        Some(Overlay::Palette { input, .. }) => edit::paste(input, text),
        Some(Overlay::Prompt(prompt)) => edit::paste(&mut prompt.input, text),
        Some(Overlay::Rollout(dialog)) if dialog.confirmation.phrase.is_some() => {
            confirmation::handle_paste(&mut dialog.confirmation, text);
        }
        Some(Overlay::Elevate(dialog)) => edit::paste(access::input_mut(dialog), text),
        Some(Overlay::Confirm(dialog)) => {
            confirmation::handle_paste(&mut dialog.confirmation, text);
        }
        Some(Overlay::Replay(dialog)) => match (&mut dialog.confirmation, &mut dialog.option) {
            (Some(typed), _) => confirmation::handle_paste(typed, text),
            (None, Some((_, input))) => edit::paste(input, text),
            (None, None) => {}
        },
        Some(_) => {}
    }
    true
}

/// Scrolls; `false` when the key is not for that.
fn scroll(top: &mut usize, last: usize, event: &KeyEvent) -> bool {
    // The screen may have grown since.
    *top = (*top).min(last);
    *top = match event.code {
        KeyCode::Up | KeyCode::Char('k') => top.saturating_sub(1),
        KeyCode::Down | KeyCode::Char('j') => top.saturating_add(1).min(last),
        KeyCode::PageUp => top.saturating_sub(10),
        KeyCode::PageDown | KeyCode::Char(' ') => top.saturating_add(10).min(last),
        KeyCode::Home => 0,
        KeyCode::End => last,
        _ => return false,
    };
    true
}

/// Scrolls the facts above a line that is typed in, when not all of them are on screen. Letters,
/// Home and End are for the line.
fn scroll_above(model: &mut Model, event: &KeyEvent) -> bool {
    let (lines, rows) = facts_above(model);
    let last = lines.saturating_sub(rows);
    let top = match &mut model.overlay {
        Some(Overlay::Elevate(dialog)) => &mut dialog.top,
        Some(Overlay::Confirm(dialog)) => &mut dialog.top,
        _ => return false,
    };
    // The screen may have grown since.
    let from = (*top).min(last);
    *top = match event.code {
        _ if last == 0 => return false,
        KeyCode::Up => from.saturating_sub(1),
        KeyCode::Down => from.saturating_add(1).min(last),
        KeyCode::PageUp => from.saturating_sub(rows),
        KeyCode::PageDown => from.saturating_add(rows).min(last),
        _ => return false,
    };
    true
}

fn handle_palette_key(model: &mut Model, event: &KeyEvent) -> Vec<Effect> {
    let Some(Overlay::Palette { input, chosen }) = &mut model.overlay else {
        return Vec::new();
    };
    let (mut input, mut chosen) = (std::mem::take(input), *chosen);
    let matches = palette::find_entries(model, input.value());
    match event.code {
        KeyCode::Enter => {
            // Without a match the palette stays open: it says why.
            if let Some(entry) = matches.get(chosen) {
                model.overlay = None;
                return match &entry.action {
                    PaletteAction::Command(command) => commands::run(model, *command),
                    PaletteAction::Environment(name) => {
                        navigate::switch_env(model, name);
                        Vec::new()
                    }
                };
            }
        }
        KeyCode::Tab => {
            if let Some(entry) = matches.get(chosen) {
                input = entry.name.clone().into();
                chosen = 0;
            }
        }
        KeyCode::Up => chosen = chosen.saturating_sub(1),
        KeyCode::Down => chosen = (chosen + 1).min(matches.len().saturating_sub(1)),
        _ => {
            if edit::handle_key(&mut input, event) {
                chosen = 0;
            }
        }
    }
    model.overlay = Some(Overlay::Palette { input, chosen });
    Vec::new()
}

fn handle_environments_key(model: &mut Model, event: &KeyEvent) -> Vec<Effect> {
    let last = model.envs.len().saturating_sub(1);
    let Some(Overlay::Environments { chosen }) = &mut model.overlay else {
        return Vec::new();
    };
    match event.code {
        KeyCode::Up | KeyCode::Char('k') => *chosen = chosen.saturating_sub(1),
        KeyCode::Down | KeyCode::Char('j') => *chosen = (*chosen + 1).min(last),
        KeyCode::Enter => {
            let chosen = *chosen;
            model.overlay = None;
            if let Some(name) = model.envs.get(chosen).map(|env| env.info.name.clone()) {
                navigate::switch_env(model, &name);
            }
        }
        _ => {}
    }
    Vec::new()
}

fn handle_prompt_key(model: &mut Model, event: &KeyEvent) -> Vec<Effect> {
    let Some(Overlay::Prompt(prompt)) = &mut model.overlay else {
        return Vec::new();
    };
    if event.code == KeyCode::Enter {
        let prompt = prompt.clone();
        return rollout_actions::handle_prompt(model, prompt);
    }
    if edit::handle_key(&mut prompt.input, event) {
        prompt.problem = None;
    }
    Vec::new()
}
