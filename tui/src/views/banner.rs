//! The banner of an environment that is frozen, or in which break-glass access is used.

use payops_core::domain::access::AccessLevel;
use payops_core::domain::display::{age, age_since};
use ratatui::text::Line;

use crate::model::Model;
use crate::redact::redact;
use crate::text::clip;
use crate::theme::Tone;

pub(super) fn banner(model: &Model) -> Option<Line<'static>> {
    let env = model
        .env_on_screen()
        .and_then(|place| model.envs.get(place))?;
    let access = env.access.value()?;
    let mut words = Vec::new();
    if let Some(freeze) = access
        .freeze
        .as_ref()
        .filter(|freeze| freeze.is_active(model.now))
    {
        let until = freeze
            .until
            .map(|until| format!(", for {} more", age(until.duration_since(model.now))));
        let until = until.unwrap_or_default();
        words.push(format!(
            "■ FROZEN by {} {} ago{until}: {}",
            redact(&freeze.by),
            age_since(freeze.since, model.now),
            redact(&freeze.reason)
        ));
    }
    if let Some(left) = env
        .elevation_remaining(model.now)
        .filter(|_| access.level == AccessLevel::BreakGlass)
    {
        words.push(format!(
            "▲ BREAK-GLASS in {}: {} left, all actions are recorded",
            env.info.name.to_uppercase(),
            age(left)
        ));
    }
    let text = clip(
        &format!(" {} ", words.join(" · ")),
        usize::from(model.size.width),
    );
    (!words.is_empty()).then(|| Line::styled(text, model.theme.style(Tone::Banner)))
}
