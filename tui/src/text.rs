//! Numbers, times and names in few characters.

use jiff::SignedDuration;
use payops_core::Timestamp;
use payops_core::domain::rollout::{ContainerImage, Rollout, Waiting};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::theme::Tone;

/// An age in two or three characters: `12s`, `4m`, `2h`, `3d`.
pub(crate) fn short_duration(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// How long ago `at` was.
pub(crate) fn age(at: Timestamp, now: Timestamp) -> String {
    short_duration(now.duration_since(at))
}

/// A countdown: `12:41`, `1:02:03`.
pub(crate) fn countdown(left: SignedDuration) -> String {
    let seconds = left.as_secs().max(0);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// Thousandths as percent: `25 %`, `23.8 %`.
pub(crate) fn percent(thousandths: u32) -> String {
    match (thousandths / 10, thousandths % 10) {
        (whole, 0) => format!("{whole} %"),
        (whole, tenth) => format!("{whole}.{tenth} %"),
    }
}

/// A number and its thing, such as `1 rollout` or `2 rollouts`.
pub(crate) fn count(number: usize, thing: &str) -> String {
    if number == 1 {
        format!("1 {thing}")
    } else {
        format!("{number} {thing}s")
    }
}

/// A number with its thousands apart: `4,512`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

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
                .map(|since| format!(" {}", age(since, now)))
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
    fn times_are_short() {
        let seconds = SignedDuration::from_secs;
        assert_eq!(
            [0, 59, 60, 7200, 200_000].map(|s| short_duration(seconds(s))),
            ["0s", "59s", "1m", "2h", "2d"]
        );
        assert_eq!(
            [-1, 61, 761, 3723].map(|s| countdown(seconds(s))),
            ["0:00", "1:01", "12:41", "1:02:03"]
        );
        assert_eq!([0, 250, 238].map(percent), ["0 %", "25 %", "23.8 %"]);
    }

    #[test]
    fn text_is_clipped_by_width() {
        assert_eq!(clip("payments", 20), "payments");
        assert_eq!(clip("payments", 5), "paym…");
        assert_eq!(clip("決済決済", 5), "決済…");
        assert_eq!(clip("ab", 0), "");
    }

    #[test]
    fn thousands_are_apart() {
        assert_eq!(
            [0, 999, 4512, 1_234_567].map(thousands),
            ["0", "999", "4,512", "1,234,567"]
        );
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
