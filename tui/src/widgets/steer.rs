//! How elevations, replays and discards are asked.

use std::collections::BTreeMap;

use payops_core::domain::access::AccessLevel;
use payops_core::domain::replay::{Disposition, Preflight, ReplayPlan, estimate};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use unicode_width::UnicodeWidthStr as _;

use super::overlays::{
    facts_room, input_line, line_at, pair, popup, popup_width, scroll_hint, split,
};
use super::words::{age, clip, count, short, thousands};
use crate::environments::ReplayReview;
use crate::model::{
    Agreeing, Consent, ConsentField, ElevateField, Elevating, Model, Number, Overlay, Planning,
    Replaying,
};
use crate::theme::Tone;
use crate::views::dead_letters::shown;

const CAUSES_NAMED: usize = 5;
/// Rows below what is read: a note, keys, and what is typed.
const BOTTOM: u16 = 5;

/// Messages of a plan that are still to be sent.
pub(crate) fn left(review: &ReplayReview) -> usize {
    review
        .plan
        .messages
        .len()
        .saturating_sub(review.settled.unwrap_or(0))
}

pub(super) fn elevate(model: &Model, frame: &mut Frame<'_>, area: Rect, dialog: &Elevating) {
    let theme = model.theme;
    let (lines, rows) = (elevate_lines(model, dialog, area), elevate_rows(dialog));
    let title = format!("Elevate in {}", dialog.env.to_uppercase());
    let bottom = read_above(model, frame, area, &title, (&lines, dialog.top), rows);
    let focus = |field| dialog.field == field && dialog.asked.is_none();
    input_line(
        model,
        frame,
        line_at(bottom, 1),
        "why (kept)  ",
        &dialog.reason,
        focus(ElevateField::Reason),
    );
    input_line(
        model,
        frame,
        line_at(bottom, 2),
        "ticket      ",
        &dialog.ticket,
        focus(ElevateField::Ticket),
    );
    if let Some(code) = &dialog.code {
        // A code is shown as it is typed, and is good for once and half a minute.
        input_line(
            model,
            frame,
            line_at(bottom, 3),
            "MFA code    ",
            code,
            focus(ElevateField::Code),
        );
    }
    let last = line_at(bottom, rows - 1);
    let (text, tone) = match (&dialog.problem, dialog.asked) {
        (Some(problem), _) => (format!("✖ {}", shown(problem)), Tone::Bad),
        (None, Some(_)) => ("◌ asking…".to_owned(), Tone::Dim),
        (None, None) => {
            let held = model
                .env_named(&dialog.env)
                .and_then(|env| env.left(model.now))
                .is_some();
            let back = if held {
                " · Ctrl-G gives back what you have"
            } else {
                ""
            };
            (
                format!("Enter begins it · Ctrl-T the other duty{back} · Esc leaves"),
                Tone::Dim,
            )
        }
    };
    frame.render_widget(
        Line::styled(clip(&text, usize::from(last.width)), theme.style(tone)),
        last,
    );
}

fn elevate_rows(dialog: &Elevating) -> u16 {
    5 + u16::from(dialog.code.is_some())
}

/// What is told of an elevation: the one that is asked for, then the one that holds.
fn elevate_lines(model: &Model, dialog: &Elevating, area: Rect) -> Vec<Line<'static>> {
    let (theme, room) = (model.theme, facts_room(area));
    let (duty, words, tone) = match dialog.duty {
        AccessLevel::BreakGlass => (
            "break-glass",
            "acts in a freeze too; a banner stands on the screen, and everybody is told",
            Tone::Bad,
        ),
        duty => (
            duty.as_str(),
            "changes what the rules allow, for 15 minutes",
            Tone::Strong,
        ),
    };
    let mut lines = pair(theme, room, "duty", duty, tone);
    lines.extend(pair(theme, room, "", words, Tone::Dim));
    let env = model.env_named(&dialog.env);
    let held = env.and_then(|env| env.standing.value().zip(env.left(model.now)));
    if let Some((standing, left)) = held {
        let why = standing
            .reason
            .as_deref()
            .map(|reason| format!(": {}", shown(reason)))
            .unwrap_or_default();
        let words = format!("{}, {} left{why}", standing.duty, short(left));
        lines.extend(pair(theme, room, "you have", &words, Tone::Plain));
    }
    lines
}

/// Rows in which `lines` are read, above `rows` that are always on screen: one at least.
fn rows_above(area: Rect, lines: usize, rows: u16) -> u16 {
    let room = area.height.saturating_sub(rows + 2).max(1);
    u16::try_from(lines).unwrap_or(u16::MAX).min(room)
}

/// A pop-up with lines to read from `top` on; what is below them, for what is typed.
fn read_above(
    model: &Model,
    frame: &mut Frame<'_>,
    area: Rect,
    title: &str,
    (lines, top): (&[Line<'static>], usize),
    rows: u16,
) -> Rect {
    let above = rows_above(area, lines.len(), rows);
    let inner = popup(model, frame, area, title, above.saturating_add(rows));
    let (read, bottom) = split(inner, inner.height.saturating_sub(above));
    let top = top.min(lines.len().saturating_sub(usize::from(above)));
    draw_lines(frame, read, lines, top);
    scroll_hint(model, frame, inner, (top, above), lines.len());
    bottom
}

/// Lines of the dialog in which something is typed below them, and in how many rows they are read.
pub(crate) fn above(model: &Model) -> (usize, usize) {
    let area = Rect {
        x: 0,
        y: 0,
        width: model.size.width,
        height: model.size.height,
    };
    let (lines, rows) = match &model.overlay {
        Some(Overlay::Elevate(dialog)) => (
            elevate_lines(model, dialog, area).len(),
            elevate_rows(dialog),
        ),
        Some(Overlay::Agree(dialog)) => (
            agree_lines(model, dialog, area).len(),
            consent_rows(&dialog.consent, area),
        ),
        _ => return (0, 0),
    };
    (lines, usize::from(rows_above(area, lines, rows)))
}

pub(super) fn agree(model: &Model, frame: &mut Frame<'_>, area: Rect, dialog: &Agreeing) {
    let (lines, rows) = (
        agree_lines(model, dialog, area),
        consent_rows(&dialog.consent, area),
    );
    let title = format!("{} in {}", dialog.title, dialog.env.to_uppercase());
    let bottom = read_above(model, frame, area, &title, (&lines, dialog.top), rows);
    consent(model, frame, bottom, &dialog.consent);
}

fn agree_lines(model: &Model, dialog: &Agreeing, area: Rect) -> Vec<Line<'static>> {
    let (theme, room) = (model.theme, facts_room(area));
    dialog
        .told
        .iter()
        .flat_map(|(label, text, tone)| pair(theme, room, label, &shown(text), *tone))
        .collect()
}

pub(super) fn replay(model: &Model, frame: &mut Frame<'_>, area: Rect, dialog: &Replaying) {
    let theme = model.theme;
    let lines = replay_lines(model, dialog, area);
    let wanted = u16::try_from(lines.len())
        .unwrap_or(u16::MAX)
        .min(area.height.saturating_sub(BOTTOM + 4));
    let number = if let Planning::Ready(reviewed) = &dialog.plan {
        left(&reviewed.review)
    } else {
        dialog.letters.len()
    };
    let title = format!(
        "Replay {} in {}",
        count(number, "dead letter"),
        dialog.env.to_uppercase()
    );
    let rows = dialog
        .consent
        .as_ref()
        .map_or(BOTTOM, |typed| consent_rows(typed, area));
    let inner = popup(model, frame, area, &title, wanted.saturating_add(rows));
    let (top, bottom) = split(inner, rows.min(inner.height));
    let last = lines.len().saturating_sub(usize::from(top.height));
    draw_lines(frame, top, &lines, dialog.top.min(last));
    if let Some(consent_typed) = &dialog.consent {
        consent(model, frame, bottom, consent_typed);
        return;
    }
    if let Some((number, input)) = &dialog.number {
        let label = match number {
            Number::Canary => "first so many, then watched (empty: none)  ",
            Number::Rate => "at most so many a second (empty: no limit)  ",
            Number::Set => "put /pointer=JSON  ",
        };
        input_line(model, frame, line_at(bottom, 1), label, input, true);
        if let Some(Err(problem)) = &dialog.note {
            let text = clip(&format!("✖ {}", shown(problem)), usize::from(bottom.width));
            frame.render_widget(
                Line::styled(text, theme.style(Tone::Bad)),
                line_at(bottom, 2),
            );
        }
        return;
    }
    if last > 0 {
        let words = format!(
            "↑↓ lines {}-{} of {}",
            dialog.top.min(last) + 1,
            dialog.top.min(last) + usize::from(top.height),
            lines.len()
        );
        frame.render_widget(
            Line::styled(words, theme.style(Tone::Dim)),
            line_at(bottom, 0),
        );
    }
    if let Some(note) = &dialog.note {
        let (text, tone) = match note {
            Ok(text) => (text.clone(), Tone::Good),
            Err(text) => (format!("✖ {text}"), Tone::Bad),
        };
        for (y, part) in (1..3).zip(super::words::wrap(
            &shown(&text),
            usize::from(bottom.width),
            2,
        )) {
            frame.render_widget(Line::styled(part, theme.style(tone)), line_at(bottom, y));
        }
    }
    let keys = match &dialog.plan {
        Planning::Not | Planning::Asked(_) => "Esc leaves it".to_owned(),
        Planning::Failed(_) => "r plans again · Esc leaves it".to_owned(),
        Planning::Ready(reviewed) => ready_keys(&reviewed.review),
    };
    for (y, part) in (3..5).zip(super::words::wrap(&keys, usize::from(bottom.width), 2)) {
        frame.render_widget(
            Line::styled(part, theme.style(Tone::Strong)),
            line_at(bottom, y),
        );
    }
}

fn ready_keys(review: &ReplayReview) -> String {
    if review.plan.messages.is_empty() {
        return "there is nothing to send · Esc leaves it".to_owned();
    }
    let goes = if review.refusal.is_some() {
        ""
    } else {
        "Enter goes on · "
    };
    let steers = if review.settled.is_none() {
        "c canary · t rate · o only safe ones · w write the plan · "
    } else {
        ""
    };
    format!("{goes}{steers}r plan again · Esc leaves it")
}

pub(crate) fn replay_lines_max(model: &Model) -> usize {
    let Some(Overlay::Replay(dialog)) = &model.overlay else {
        return 0;
    };
    let area = Rect {
        x: 0,
        y: 0,
        width: model.size.width,
        height: model.size.height,
    };
    let lines = replay_lines(model, dialog, area).len();
    lines.saturating_sub(usize::from(area.height.saturating_sub(BOTTOM + 4)))
}

/// What is known of a replay, in lines that fit.
fn replay_lines(model: &Model, dialog: &Replaying, area: Rect) -> Vec<Line<'static>> {
    let (theme, room) = (model.theme, facts_room(area));
    match &dialog.plan {
        Planning::Not => vec![Line::styled(
            "nothing is planned yet",
            theme.style(Tone::Dim),
        )],
        Planning::Asked(_) => vec![Line::styled(
            "◌ planning: looking each payment up…",
            theme.style(Tone::Dim),
        )],
        Planning::Failed(fault) => {
            let mut lines = pair(theme, room, "✖ no plan", &shown(&fault.text), Tone::Bad);
            lines.extend(pair(theme, room, "", fault.hint(), Tone::Dim));
            lines
        }
        Planning::Ready(reviewed) => {
            let review = &reviewed.review;
            let mut lines: Vec<Line<'static>> = reviewed
                .told
                .iter()
                .flat_map(|(label, text, tone)| pair(theme, room, label, &shown(text), *tone))
                .collect();
            if let Some(settled) = review.settled {
                let plan = &review.plan;
                let words = format!(
                    "{} began this {} ago and it was cut off: {settled} of {} are settled; it must \
                        be finished first, all of it",
                    plan.by,
                    age(plan.at, model.now),
                    plan.messages.len()
                );
                let first = pair(theme, room, "goes on", &shown(&words), Tone::Warn);
                lines.splice(0..0, first);
            }
            lines
        }
    }
}

pub(crate) fn told(review: &ReplayReview) -> Vec<(&'static str, String, Tone)> {
    let plan = &review.plan;
    let sent = plan.to_send();
    let mut out = vec![
        (
            "from",
            format!("{}, {}", plan.queue, count(plan.messages.len(), "message")),
            Tone::Plain,
        ),
        (
            "to",
            format!("{}: {sent} to be sent", plan.target),
            Tone::Strong,
        ),
    ];
    for line in &review.diff {
        let tone = match line.as_bytes().first() {
            Some(b'+') => Tone::Good,
            Some(b'-') => Tone::Bad,
            _ => Tone::Dim,
        };
        out.push(("edit", line.clone(), tone));
    }
    let mut skipped: BTreeMap<&str, usize> = BTreeMap::new();
    let mut parked = 0_usize;
    for message in &plan.messages {
        match &message.verdict {
            Disposition::Send => {}
            Disposition::Skip { why } => *skipped.entry(why).or_default() += 1,
            Disposition::Park { .. } => parked += 1,
        }
    }
    out.extend(
        skipped
            .into_iter()
            .map(|(why, number)| ("left out", format!("{number}: {why}"), Tone::Warn)),
    );
    if parked > 0 {
        let to = plan.parking.as_deref().unwrap_or("nowhere");
        out.push((
            "parked",
            format!(
                "{parked} go to {to}: replayed {} times already",
                plan.replays_max
            ),
            Tone::Warn,
        ));
    }
    out.push(("payments", flight(plan), Tone::Plain));
    let causes: Vec<String> = plan
        .causes
        .iter()
        .take(CAUSES_NAMED)
        .map(|cause| format!("{}({})", cause.class, cause.count))
        .collect();
    let more = plan.causes.len().saturating_sub(CAUSES_NAMED);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    out.push((
        "died of",
        format!("{}{more}", causes.join(" ")),
        Tone::Plain,
    ));
    let groups = plan
        .messages
        .iter()
        .filter_map(|message| message.group.as_deref())
        .collect::<std::collections::BTreeSet<_>>()
        .len();
    if groups > 0 {
        out.push((
            "FIFO",
            format!("{}: each keeps its order", count(groups, "group")),
            Tone::Plain,
        ));
    }
    let canary = plan.canary.map(|first| {
        format!(
            "{first} first, then watched: it stops itself if they die again or an alarm goes off"
        )
    });
    out.push((
        "canary",
        canary.unwrap_or_else(|| "none: c sets one".to_owned()),
        if plan.canary.is_some() {
            Tone::Strong
        } else {
            Tone::Dim
        },
    ));
    let seconds = thousands(estimate(sent, plan.rate_per_second).as_secs());
    let rate = plan.rate_per_second.map_or_else(
        || "no limit".to_owned(),
        |rate| format!("{rate}/s, about {seconds} s"),
    );
    out.push(("rate", rate, Tone::Plain));
    out.extend(
        review
            .warnings
            .iter()
            .map(|warning| ("⚠ warning", warning.clone(), Tone::Warn)),
    );
    out.extend(
        review
            .refusal
            .iter()
            .map(|refusal| ("✖ rules", refusal.clone(), Tone::Bad)),
    );
    out.push((
        "bound to",
        "message id and body hash: a letter that changed is not sent".to_owned(),
        Tone::Plain,
    ));
    out.push(("same as", review.same_as.clone(), Tone::Dim));
    out
}

fn flight(plan: &ReplayPlan) -> String {
    let number = |wanted: Preflight| {
        plan.messages
            .iter()
            .filter(|message| message.preflight == wanted)
            .count()
    };
    let (safe, done, unknown) = (
        number(Preflight::Safe),
        number(Preflight::AlreadyFinal),
        number(Preflight::Unknown),
    );
    format!("{safe} wait for it · {done} at their end already · {unknown} not known")
}

/// What must be typed, in as many lines as it needs: nobody can type what is cut off.
fn consent_lines(consent: &Consent, width: usize) -> Vec<String> {
    let Some(expected) = &consent.expected else {
        return vec![clip("Enter goes on, Esc leaves it.", width)];
    };
    let mut lines = super::words::wrap(&format!("Type {expected}"), width, usize::MAX);
    if let Some(last) = lines.last_mut() {
        // Less than this would look like a part of what is typed.
        let room = width.saturating_sub(last.width());
        if room > " to go on".len() {
            last.push_str(&clip(" to go on, Esc to leave", room));
        }
    }
    lines
}

/// Rows of a reason, what must be typed, and what is wrong; with an empty one above them.
fn consent_rows(consent: &Consent, area: Rect) -> u16 {
    let width = usize::from(popup_width(area).saturating_sub(4));
    u16::try_from(consent_lines(consent, width).len())
        .unwrap_or(1)
        .saturating_add(BOTTOM - 1)
}

/// A reason, and what must be typed.
fn consent(model: &Model, frame: &mut Frame<'_>, area: Rect, consent: &Consent) {
    let theme = model.theme;
    let width = usize::from(area.width);
    let say = consent_lines(consent, width);
    // Where there are too few rows, the empty one is left out.
    let below = area.height.saturating_sub(3);
    let first = below.saturating_sub(u16::try_from(say.len()).unwrap_or(below));
    for (y, part) in (first..below).zip(say) {
        frame.render_widget(
            Line::styled(part, theme.style(Tone::Strong)),
            line_at(area, y),
        );
    }
    input_line(
        model,
        frame,
        line_at(area, below),
        "why (kept)  ",
        &consent.reason,
        consent.field == ConsentField::Reason,
    );
    if consent.expected.is_some() {
        input_line(
            model,
            frame,
            line_at(area, below + 1),
            "type it     ",
            &consent.words,
            consent.field == ConsentField::Words,
        );
    }
    if let Some(problem) = &consent.problem {
        frame.render_widget(
            Line::styled(clip(&format!("✖ {problem}"), width), theme.style(Tone::Bad)),
            line_at(area, below + 2),
        );
    }
}

fn draw_lines(frame: &mut Frame<'_>, area: Rect, lines: &[Line<'static>], top: usize) {
    for (y, line) in (area.y..area.bottom()).zip(lines.iter().skip(top)) {
        frame.render_widget(
            line.clone(),
            Rect {
                y,
                height: 1,
                ..area
            },
        );
    }
}

/// The banner of an environment that is frozen, or in which the glass is broken.
pub(crate) fn banner(model: &Model) -> Option<Line<'static>> {
    let env = crate::update::on_screen(model).and_then(|place| model.envs.get(place))?;
    let standing = env.standing.value()?;
    let mut words = Vec::new();
    if let Some(freeze) = standing
        .freeze
        .as_ref()
        .filter(|freeze| freeze.active(model.now))
    {
        let until = freeze
            .until
            .map(|until| format!(", for {} more", short(until.duration_since(model.now))));
        let until = until.unwrap_or_default();
        words.push(format!(
            "■ FROZEN by {} {} ago{until}: {}",
            shown(&freeze.by),
            age(freeze.since, model.now),
            shown(&freeze.reason)
        ));
    }
    if let Some(left) = env
        .left(model.now)
        .filter(|_| standing.duty == AccessLevel::BreakGlass)
    {
        words.push(format!(
            "▲ BREAK-GLASS in {}: {} left, everything is recorded",
            env.info.name.to_uppercase(),
            short(left)
        ));
    }
    let text = clip(
        &format!(" {} ", words.join(" · ")),
        usize::from(model.size.width),
    );
    (!words.is_empty()).then(|| Line::styled(text, model.theme.style(Tone::Banner)))
}
