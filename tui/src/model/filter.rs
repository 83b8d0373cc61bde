//! Narrowing a list: fuzzy words, all of which must match; `!word` must not.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use tui_input::Input;

#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub(crate) input: Input,
    pub(crate) open: bool,
}

impl Filter {
    pub(crate) fn text(&self) -> &str {
        self.input.value()
    }

    pub(crate) fn is_on(&self) -> bool {
        !self.text().trim().is_empty()
    }
}

/// The places of the texts that match, in their order.
pub(crate) fn match_places<'a>(
    pattern: &str,
    texts: impl Iterator<Item = (usize, &'a str)>,
) -> Vec<usize> {
    if pattern.trim().is_empty() {
        return texts.map(|(place, _)| place).collect();
    }
    let pattern = Pattern::parse(pattern, CaseMatching::Smart, Normalization::Smart);
    let mut matcher = Matcher::new(Config::DEFAULT);
    let mut buffer = Vec::new();
    texts
        .filter(|(_, text)| {
            pattern
                .score(Utf32Str::new(text, &mut buffer), &mut matcher)
                .is_some()
        })
        .map(|(place, _)| place)
        .collect()
}

pub(crate) fn rank_places<'a>(
    pattern: &str,
    texts: impl Iterator<Item = (usize, &'a str)>,
) -> Vec<usize> {
    let pattern = Pattern::parse(pattern, CaseMatching::Ignore, Normalization::Smart);
    let mut matcher = Matcher::new(Config::DEFAULT);
    let mut buffer = Vec::new();
    let mut scored: Vec<(u32, usize)> = texts
        .filter_map(|(place, text)| {
            Some((
                pattern.score(Utf32Str::new(text, &mut buffer), &mut matcher)?,
                place,
            ))
        })
        .collect();
    scored.sort_by_key(|(score, place)| (std::cmp::Reverse(*score), *place));
    scored.into_iter().map(|(_, place)| place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, expected: &[&str]) {
        let texts = [
            "payments-api prod Healthy",
            "payments-worker prod Paused",
            "notifier test Healthy",
        ];
        let found: Vec<&str> = match_places(pattern, texts.iter().copied().enumerate())
            .into_iter()
            .map(|place| texts[place])
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn words_are_fuzzy_and_all_must_match() {
        check(
            "",
            &[
                "payments-api prod Healthy",
                "payments-worker prod Paused",
                "notifier test Healthy",
            ],
        );
        check("pmtwrk", &["payments-worker prod Paused"]);
        check("health prod", &["payments-api prod Healthy"]);
    }

    #[test]
    fn an_exclamation_mark_excludes() {
        check("!healthy", &["payments-worker prod Paused"]);
        check("prod !paused", &["payments-api prod Healthy"]);
    }
}
