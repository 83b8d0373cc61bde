//! Names, lines and bars cut to the columns there are.

use payops_core::Timestamp;
use payops_core::domain::display::{age_since, countdown};
use payops_core::domain::rollout::{ContainerImage, Rollout, Waiting};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::theme::Tone;

/// `text` in at most `width` columns, with `…` where it is cut.
pub(crate) fn clip(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide + 1 > width {
            break;
        }
        used += wide;
        out.push(c);
    }
    if width > 0 {
        out.push('…');
    }
    out
}

/// `text` in at most `width` columns. A path at its end is cut at its beginning, so that the name
/// of the file stays.
pub(crate) fn clip_before_name(text: &str, width: usize) -> String {
    let Some(place) = text.find(" /").filter(|_| text.width() > width) else {
        return clip(text, width);
    };
    let (head, path) = text.split_at(place.saturating_add(1));
    let room = width.saturating_sub(head.width() + 1);
    let tails = path.match_indices('/').map(|(from, _)| &path[from..]);
    match tails.into_iter().find(|tail| tail.width() <= room) {
        Some(tail) => format!("{head}…{tail}"),
        None => clip(text, width),
    }
}

/// `text` in at most `lines` lines of `width` columns, cut at spaces where there are any near the
/// end, with `…` where it is cut.
pub(crate) fn wrap(text: &str, width: usize, lines: usize) -> Vec<String> {
    let width = width.max(1);
    let mut rest = text;
    let mut out = Vec::new();
    while out.len() < lines && (out.is_empty() || !rest.is_empty()) {
        if out.len() + 1 == lines {
            out.push(clip(rest, width));
            break;
        }
        let part = fit_prefix(rest, width);
        rest = rest.get(part.len()..).unwrap_or_default().trim_start();
        out.push(part.to_owned());
    }
    out
}

/// The beginning of `text` that fits; at least one character, so that wrapping comes to an end.
pub(crate) fn fit_prefix(text: &str, width: usize) -> &str {
    let mut used = 0;
    let end = text.char_indices().find(|(place, c)| {
        used += c.width().unwrap_or(0);
        used > width && *place > 0
    });
    let Some((end, _)) = end else { return text };
    let whole = text.get(..end).unwrap_or(text);
    match whole.rfind(' ') {
        Some(space) if space >= end / 2 => whole.get(..space).unwrap_or(whole),
        _ => whole,
    }
}

/// An image without its registry and path: `payments-api:1.9.0`, and only the beginning of a
/// digest.
fn short_image(image: &str) -> String {
    let name = image.rsplit('/').next().unwrap_or(image);
    match name.split_once("@sha256:") {
        Some((name, digest)) => format!("{name}@{}…", digest.get(..4).unwrap_or(digest)),
        None => name.to_owned(),
    }
}

/// Images in one line, each as [`short_image`] has it.
pub(crate) fn short_images(images: &[ContainerImage]) -> String {
    images
        .iter()
        .map(|image| short_image(&image.image))
        .collect::<Vec<_>>()
        .join(" ")
}

/// An id of which beginning and end are enough to tell it from others: `pay_01JD…X8Q2`.
pub(crate) fn short_id(id: &str) -> String {
    match (id.get(..8), id.get(id.len().saturating_sub(4)..)) {
        (Some(start), Some(end)) if id.len() > 13 => format!("{start}…{end}"),
        _ => id.to_owned(),
    }
}

/// What a rollout waits for, in a few words, and how urgent that is.
pub(crate) fn waits_for(rollout: &Rollout, now: Timestamp) -> (String, Tone) {
    match rollout.wait_state() {
        Waiting::No => (String::new(), Tone::Plain),
        Waiting::Time { until } => (
            format!("resumes in {}", countdown(until.duration_since(now))),
            Tone::Plain,
        ),
        Waiting::Human { why, since } => {
            let since = since
                .map(|since| format!(" {}", age_since(since, now)))
                .unwrap_or_default();
            (format!("{why}{since}"), Tone::Warn)
        }
    }
}

/// `3/7`; nothing without steps.
pub(crate) fn step(rollout: &Rollout) -> String {
    let count = rollout.steps().len();
    match rollout.step_index {
        Some(index) if count > 0 => format!("{}/{count}", (index + 1).min(count)),
        _ => String::new(),
    }
}

/// Values as a line of bars; the largest is the highest, and zero is the lowest.
pub(crate) fn sparkline(values: &[f64], width: usize) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let visible = values
        .get(values.len().saturating_sub(width)..)
        .unwrap_or(values);
    let top = visible
        .iter()
        .copied()
        .filter(|value| value.is_finite())
        .fold(0.0_f64, f64::max);
    let bar = |value: &f64| {
        let share = if top > 0.0 && value.is_finite() {
            (value / top).clamp(0.0, 1.0)
        } else {
            0.0
        };
        let place = BARS
            .iter()
            .enumerate()
            .take_while(|(place, _)| {
                share * 7.0 >= f64::from(u8::try_from(*place).unwrap_or(7)) - 0.5
            })
            .last();
        place.map_or(' ', |(_, bar)| *bar)
    };
    visible.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_clipped_by_width() {
        assert_eq!(clip("payments", 20), "payments");
        assert_eq!(clip("payments", 5), "paym…");
        assert_eq!(clip("決済決済", 5), "決済…");
        assert_eq!(clip("ab", 0), "");
    }

    #[test]
    fn a_path_keeps_its_end() {
        let text = "exported 1 of 5 to /var/lib/payops/a.jsonl";
        assert_eq!(clip_before_name(text, 60), text);
        assert_eq!(
            clip_before_name(text, 35),
            "exported 1 of 5 to …/payops/a.jsonl"
        );
        assert_eq!(clip_before_name(text, 30), "exported 1 of 5 to …/a.jsonl");
        assert_eq!(clip_before_name(text, 10), "exported …");
        assert_eq!(clip_before_name("no path", 4), "no …");
    }

    #[test]
    fn text_is_wrapped_at_spaces() {
        assert_eq!(wrap("no answer from it", 10, 3), ["no answer", "from it"]);
        assert_eq!(wrap("abcdefghijkl", 5, 2), ["abcde", "fghi…"]);
        assert_eq!(wrap("決済決済", 1, 9), ["決", "済", "決", "済"]);
        assert_eq!(wrap("", 5, 2), [""]);
        assert!(wrap("abc", 5, 0).is_empty());
    }

    #[test]
    fn images_are_short() {
        assert_eq!(
            short_image("registry.example.com/pay/payments-api:1.9.0"),
            "payments-api:1.9.0"
        );
        assert_eq!(short_image("r/pay/api@sha256:9c1f00aa"), "api@9c1f…");
    }

    #[test]
    fn bars_stand_for_values() {
        assert_eq!(sparkline(&[0.0, 1.0, 2.0], 20), "▁▅█");
        assert_eq!(sparkline(&[], 20), "");
        assert_eq!(sparkline(&[0.0, 0.0], 1), "▁");
    }
}
