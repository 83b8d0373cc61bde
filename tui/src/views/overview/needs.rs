//! One line for each thing that needs somebody.

use jiff::SignedDuration;
use payops_core::domain::alarm::Severity;
use payops_core::domain::display::{age, percent};
use payops_core::domain::mask;
use payops_core::domain::rollout::Waiting;
use ratatui::text::{Line, Span};

use crate::model::{Model, Need, RolloutRow};
use crate::signs::phase_sign;
use crate::text::{step, waits_for};
use crate::theme::Tone;

/// Screens of so many columns have room for all of a line.
const WIDE: usize = 100;
/// Below so many, a line says less, so that its reason is still on screen.
const NARROW: usize = 70;

/// The line of `need`, for `width` columns.
pub(super) fn line(model: &Model, need: &Need, width: usize) -> Line<'static> {
    match need {
        Need::Rollout(place) => model
            .rollouts
            .rows
            .get(*place)
            .map(|row| rollout_line(model, row, width))
            .unwrap_or_default(),
        Need::DeadLetters {
            env,
            queue,
            visible,
            approximate,
            oldest,
        } => {
            let about = if *approximate { "~" } else { "" };
            let oldest = oldest
                .and_then(|oldest| SignedDuration::try_from(oldest).ok())
                .map(|oldest| format!("   oldest {}", age(oldest)))
                .unwrap_or_default();
            let mut spans = head(model, ("✖", "dlq", Tone::Bad), env, width);
            spans.push(name(model, queue, width));
            spans.push(Span::styled(
                format!("{about}{visible} dead{oldest}"),
                model.theme.style(Tone::Bad),
            ));
            Line::from(spans)
        }
        Need::Alarm(alarm) => {
            let tone = if alarm.severity == Severity::Critical {
                Tone::Bad
            } else {
                Tone::Warn
            };
            let mut spans = head(model, ("⚠", "alarm", tone), &alarm.env, width);
            spans.push(Span::styled(
                mask::terminal(&alarm.what),
                model.theme.style(Tone::Strong),
            ));
            spans.push(Span::raw(format!("   {}", mask::terminal(&alarm.why))));
            Line::from(spans)
        }
    }
}

/// What kind of need it is, and in which environment.
fn head(
    model: &Model,
    (glyph, kind, tone): (&str, &str, Tone),
    env: &str,
    width: usize,
) -> Vec<Span<'static>> {
    let sign = if width < NARROW {
        format!(" {glyph} ")
    } else {
        format!(" {glyph} {kind:<9}")
    };
    let protected = model.env_named(env).is_some_and(|env| env.info.protected);
    let pad = " ".repeat(8_usize.saturating_sub(env.chars().count()));
    vec![
        Span::styled(sign, model.theme.style(tone)),
        Span::styled(
            format!("▌{}▐", env.to_uppercase()),
            model.theme.environment(env, protected),
        ),
        Span::raw(pad),
    ]
}

fn name(model: &Model, name: &str, width: usize) -> Span<'static> {
    let text = if width < NARROW {
        format!("{name}  ")
    } else {
        format!("{name:<24}  ")
    };
    Span::styled(text, model.theme.style(Tone::Strong))
}

fn rollout_line(model: &Model, row: &RolloutRow, width: usize) -> Line<'static> {
    let rollout = &row.rollout;
    let (glyph, tone) = phase_sign(rollout.phase().0);
    let mut spans = head(model, (glyph, "rollout", tone), &row.id.env, width);
    spans.push(name(model, &row.id.key.to_string(), width));
    if width >= NARROW {
        let step = step(rollout);
        let set = if width >= WIDE {
            let set = rollout
                .weights()
                .map_or_else(|| "–".to_owned(), |weights| percent(weights.set));
            format!("  {set:>6} set")
        } else {
            String::new()
        };
        spans.push(Span::raw(format!("step {step:<5}{set}  ")));
    }
    let (waits, _) = waits_for(rollout, model.now);
    let waits = if width < WIDE {
        // That it waits is clear from where it is listed.
        waits
            .strip_prefix("waits for ")
            .unwrap_or(&waits)
            .to_owned()
    } else {
        waits
    };
    let tone = if matches!(rollout.wait_state(), Waiting::Human { .. }) {
        Tone::Warn
    } else {
        Tone::Plain
    };
    spans.push(Span::styled(waits, model.theme.style(tone)));
    Line::from(spans)
}
