//! Keys while something lies over the view.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{confirm, consent, elevate, global, letters, rollout};
use crate::effect::Effect;
use crate::model::{ElevateField, Field, Model, Overlay};
use crate::palette::{self, Does};
use crate::widgets::edit;
use crate::widgets::overlays::reading;
use crate::widgets::steer;
use ratatui::layout::Rect;

pub(crate) fn key(model: &mut Model, event: &KeyEvent) -> Vec<Effect> {
    let control_c =
        event.code == KeyCode::Char('c') && event.modifiers.contains(KeyModifiers::CONTROL);
    if event.code == KeyCode::Esc || control_c {
        if let Some(Overlay::Replay(dialog)) = &mut model.overlay
            && !control_c
            && (dialog.number.take().is_some() | dialog.consent.take().is_some())
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
    if scroll_above(model, event) {
        return Vec::new();
    }
    match &model.overlay {
        Some(Overlay::Palette { .. }) => palette_key(model, event),
        Some(Overlay::Help { .. } | Overlay::Text { .. }) => {
            let area = Rect {
                x: 0,
                y: 0,
                width: model.size.width,
                height: model.size.height,
            };
            let last = reading(model, area).unwrap_or_default().1;
            if let Some(Overlay::Help { top } | Overlay::Text { top, .. }) = &mut model.overlay
                && !scroll(top, last, event)
            {
                model.overlay = None;
            }
            Vec::new()
        }
        Some(Overlay::Choose(_)) => choose_key(model, event),
        Some(Overlay::Prompt(_)) => prompt_key(model, event),
        Some(Overlay::Confirm(_)) => confirm::key(model, event),
        Some(Overlay::Elevate(_)) => elevate::key(model, event),
        Some(Overlay::Replay(_)) => letters::replay_key(model, event),
        Some(Overlay::Agree(_)) => letters::agree_key(model, event),
        Some(Overlay::Refused { .. }) | None => {
            model.overlay = None;
            Vec::new()
        }
    }
}

/// Pastes into the line that is typed in; `false` when there is none.
pub(crate) fn paste(model: &mut Model, text: &str) -> bool {
    match &mut model.overlay {
        None => return false,
        Some(Overlay::Palette { input, .. }) => edit::paste(input, text),
        Some(Overlay::Prompt(prompt)) => edit::paste(&mut prompt.input, text),
        Some(Overlay::Confirm(confirm)) if confirm.protected => {
            // A name is typed, not pasted: that is what it is asked for.
            if confirm.field == Field::Reason {
                edit::paste(&mut confirm.reason, text);
            } else {
                confirm.problem = Some("type the name; it cannot be pasted".to_owned());
            }
        }
        Some(Overlay::Elevate(dialog)) => {
            let input = match dialog.field {
                ElevateField::Reason => &mut dialog.reason,
                ElevateField::Ticket => &mut dialog.ticket,
                ElevateField::Code => dialog.code.get_or_insert_default(),
            };
            edit::paste(input, text);
        }
        Some(Overlay::Agree(dialog)) => consent::paste(&mut dialog.consent, text),
        Some(Overlay::Replay(dialog)) => match (&mut dialog.consent, &mut dialog.number) {
            (Some(typed), _) => consent::paste(typed, text),
            (None, Some((_, input))) => edit::paste(input, text),
            (None, None) => {}
        },
        Some(_) => {}
    }
    true
}

/// Scrolls; `false` when the key is none for that.
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

/// Scrolls what stands above a line that is typed in, when not all of it is on screen. Letters,
/// Home and End are for the line.
fn scroll_above(model: &mut Model, event: &KeyEvent) -> bool {
    let (lines, rows) = steer::above(model);
    let last = lines.saturating_sub(rows);
    let top = match &mut model.overlay {
        Some(Overlay::Elevate(dialog)) => &mut dialog.top,
        Some(Overlay::Agree(dialog)) => &mut dialog.top,
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

fn palette_key(model: &mut Model, event: &KeyEvent) -> Vec<Effect> {
    let Some(Overlay::Palette { input, chosen }) = &mut model.overlay else {
        return Vec::new();
    };
    let (mut input, mut chosen) = (std::mem::take(input), *chosen);
    let matches = palette::matches(model, input.value());
    match event.code {
        KeyCode::Enter => {
            let does = matches.get(chosen).map(|entry| entry.does.clone());
            model.overlay = None;
            return match does {
                Some(Does::Command(command)) => global::run(model, command),
                Some(Does::Environment(name)) => {
                    global::switch(model, &name);
                    Vec::new()
                }
                None => Vec::new(),
            };
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
            if edit::key(&mut input, event) {
                chosen = 0;
            }
        }
    }
    model.overlay = Some(Overlay::Palette { input, chosen });
    Vec::new()
}

fn choose_key(model: &mut Model, event: &KeyEvent) -> Vec<Effect> {
    let last = model.envs.len().saturating_sub(1);
    let Some(Overlay::Choose(choice)) = &mut model.overlay else {
        return Vec::new();
    };
    match event.code {
        KeyCode::Up | KeyCode::Char('k') => choice.chosen = choice.chosen.saturating_sub(1),
        KeyCode::Down | KeyCode::Char('j') => choice.chosen = (choice.chosen + 1).min(last),
        KeyCode::Enter => {
            let chosen = choice.chosen;
            model.overlay = None;
            if let Some(name) = model.envs.get(chosen).map(|env| env.info.name.clone()) {
                global::switch(model, &name);
            }
        }
        _ => {}
    }
    Vec::new()
}

fn prompt_key(model: &mut Model, event: &KeyEvent) -> Vec<Effect> {
    let Some(Overlay::Prompt(prompt)) = &mut model.overlay else {
        return Vec::new();
    };
    if event.code == KeyCode::Enter {
        let prompt = prompt.clone();
        return rollout::prompted(model, prompt);
    }
    if edit::key(&mut prompt.input, event) {
        prompt.problem = None;
    }
    Vec::new()
}
