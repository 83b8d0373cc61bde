//! Ages, counts and shares in few characters, as every surface shows them.

use jiff::SignedDuration;

use crate::Timestamp;

/// An age in one unit, rounded down: `12s`, `4m`, `47h`, `3d`. Hours go up to two days, because
/// `1d` would hide up to a day. A negative age is `0s`.
#[must_use]
pub fn age(length: SignedDuration) -> String {
    match length.as_secs().max(0) {
        seconds @ 0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", length.as_mins()),
        3_600..172_800 => format!("{}h", length.as_hours()),
        _ => format!("{}d", length.as_hours().checked_div(24).unwrap_or(0)),
    }
}

/// The [`age`] of something that happened at `at`.
#[must_use]
pub fn age_since(at: Timestamp, now: Timestamp) -> String {
    age(now.duration_since(at))
}

/// A countdown: `12:41`, `1:02:03`; `0:00` once it is over.
#[must_use]
pub fn countdown(left: SignedDuration) -> String {
    let total = left.as_secs().max(0);
    let at = |unit: i64| {
        total
            .checked_div(unit)
            .and_then(|whole| whole.checked_rem(60))
            .unwrap_or(0)
    };
    let (hours, minutes, seconds) = (total.checked_div(3_600).unwrap_or(0), at(60), at(1));
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// Thousandths as percent: `25 %`, `23.8 %`.
#[must_use]
pub fn percent(thousandths: u32) -> String {
    let whole = thousandths.checked_div(10).unwrap_or(0);
    match thousandths.checked_rem(10).unwrap_or(0) {
        0 => format!("{whole} %"),
        tenth => format!("{whole}.{tenth} %"),
    }
}

/// `1 payment`, `2 payments`: for things whose plural ends in `s`.
#[must_use]
pub fn count(number: impl TryInto<u64>, thing: &str) -> String {
    match number.try_into().unwrap_or(u64::MAX) {
        1 => format!("1 {thing}"),
        number => format!("{number} {thing}s"),
    }
}

/// A number with its thousands apart: `4,512`.
#[must_use]
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        let rest = digits.len().saturating_sub(place);
        if place > 0 && rest.is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A size in bytes, in the largest binary unit that it fills: `512 B`, `1.5 KiB`, `256 KiB`.
#[must_use]
pub fn bytes(size: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if size < 1_024 {
        return format!("{size} B");
    }
    let mut unit_size = 1_024_u64;
    let mut unit = "KiB";
    for larger in UNITS.iter().skip(1) {
        let next = unit_size.saturating_mul(1_024);
        if size < next {
            break;
        }
        (unit_size, unit) = (next, larger);
    }
    let whole = size.checked_div(unit_size).unwrap_or(0);
    let rest = size.checked_rem(unit_size).unwrap_or(0);
    match rest.saturating_mul(10).checked_div(unit_size).unwrap_or(0) {
        0 => format!("{whole} {unit}"),
        tenth => format!("{whole}.{tenth} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_one_unit() {
        let ages = [-5, 0, 59, 60, 3_599, 3_600, 172_799, 172_800, 259_200]
            .map(|seconds| age(SignedDuration::from_secs(seconds)));
        assert_eq!(
            ages,
            ["0s", "0s", "59s", "1m", "59m", "1h", "47h", "2d", "3d"]
        );
        let (at, now) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
        assert_eq!(age_since(at, now), "0s");
    }

    #[test]
    fn countdowns_show_hours_when_there_are_any() {
        let countdowns =
            [-1, 0, 61, 761, 3_723].map(|seconds| countdown(SignedDuration::from_secs(seconds)));
        assert_eq!(countdowns, ["0:00", "0:00", "1:01", "12:41", "1:02:03"]);
    }

    #[test]
    fn shares_are_percent() {
        assert_eq!(
            [0, 250, 238, 1_000].map(percent),
            ["0 %", "25 %", "23.8 %", "100 %"]
        );
    }

    #[test]
    fn counts_have_a_plural() {
        assert_eq!(count(1_usize, "payment"), "1 payment");
        assert_eq!(count(0_u64, "payment"), "0 payments");
        assert_eq!(
            [0, 999, 4_512, 1_234_567].map(thousands),
            ["0", "999", "4,512", "1,234,567"]
        );
    }

    #[test]
    fn sizes_take_the_largest_unit_that_they_fill() {
        let sizes = [0, 1_023, 1_024, 1_536, 262_144, 4_194_304, u64::MAX].map(bytes);
        assert_eq!(
            sizes,
            [
                "0 B",
                "1023 B",
                "1 KiB",
                "1.5 KiB",
                "256 KiB",
                "4 MiB",
                "16777215.9 TiB"
            ]
        );
    }
}
