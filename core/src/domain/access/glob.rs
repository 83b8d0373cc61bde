//! Patterns of the policy file: `*` stands for any text, none included.

/// Whether `text` is like `pattern`.
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    let Some((first, mut pattern)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(first) else {
        return false;
    };
    while let Some((part, rest)) = pattern.split_once('*') {
        let Some((_, after)) = text.split_once(part) else {
            return false;
        };
        (pattern, text) = (rest, after);
    }
    text.ends_with(pattern)
}

pub(super) fn matches_any(patterns: &[String], text: &str) -> bool {
    patterns.iter().any(|pattern| glob(pattern, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, text: &str, expected: bool) {
        assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
    }

    #[test]
    fn a_star_is_any_text() {
        check("dlq.*", "dlq.replay", true);
        check("dlq.*", "rollout.abort", false);
        check("*", "", true);
        check("*@example.com", "anna@example.com", true);
        check("*.re*", "dlq.replay", true);
        check("a*a", "a", false);
        check("a*b*c", "a-b-b-c", true);
        check("a*b*c", "acb", false);
        check("**", "x", true);
    }

    #[test]
    fn without_a_star_it_is_the_text_itself() {
        check("prod", "prod", true);
        check("prod", "preprod", false);
        check("prod", "production", false);
        check("", "prod", false);
    }
}
