//! How texts and times are put into an index, the same for both. Knows no index.

use payops_core::Timestamp;

/// The form in which addresses and references are compared: that of `Term::matches`.
pub(crate) fn fold_case(text: &str) -> String {
    text.to_lowercase()
}

/// The least text that is greater than every text that starts with `prefix`; `None` when there is
/// none.
///
/// UTF-8 sorts as its characters do, so it is `prefix` with its last character raised by one.
pub(crate) fn after_prefix(prefix: &str) -> Option<String> {
    let mut rest = prefix.to_owned();
    while let Some(last) = rest.pop() {
        // Surrogates are not characters: the one after U+D7FF is U+E000.
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            rest.push(next);
            return Some(rest);
        }
    }
    None
}

/// Milliseconds since 1970, rounded down: what is stored of a time.
pub(crate) fn floor_ms(at: Timestamp) -> i64 {
    i64::try_from(at.as_nanosecond().div_euclid(1_000_000)).unwrap_or(i64::MAX)
}

/// The first whole millisecond that is not before `at`: where a range of stored times starts.
pub(crate) fn ceil_ms(at: Timestamp) -> i64 {
    i64::try_from(-(-at.as_nanosecond()).div_euclid(1_000_000)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_after_a_prefix_is_just_beyond_it() {
        assert_eq!(after_prefix("ab").as_deref(), Some("ac"));
        assert_eq!(after_prefix("a\u{D7FF}").as_deref(), Some("a\u{E000}"));
        assert_eq!(after_prefix("a\u{10FFFF}").as_deref(), Some("b"));
        assert_eq!(after_prefix("\u{10FFFF}"), None);
        assert_eq!(after_prefix(""), None);
    }

    #[test]
    fn times_between_milliseconds_round_apart() {
        let at: Timestamp = "1969-12-31T23:59:59.9995Z".parse().expect("a time");
        assert_eq!((floor_ms(at), ceil_ms(at)), (-1, 0));
        let whole: Timestamp = "2026-11-22T00:00:00.001Z".parse().expect("a time");
        assert_eq!(floor_ms(whole), ceil_ms(whole));
    }
}
