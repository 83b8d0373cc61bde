//! Which build this is.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Characters of a commit that tell it apart.
const COMMIT_LENGTH: usize = 12;

/// The version with the commit and its date, which the release workflow sets for the build.
#[must_use]
pub fn version() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        describe(
            env!("CARGO_PKG_VERSION"),
            option_env!("PAYOPS_COMMIT"),
            option_env!("SOURCE_DATE_EPOCH"),
        )
    });
    &TEXT
}

fn describe(version: &str, commit: Option<&str>, epoch: Option<&str>) -> String {
    let Some(commit) = commit.filter(|commit| !commit.is_empty()) else {
        return format!("{version} (unreleased)");
    };
    let commit = commit.get(..COMMIT_LENGTH).unwrap_or(commit);
    let second = epoch.and_then(|epoch| epoch.parse().ok());
    match second.and_then(|second| Timestamp::from_second(second).ok()) {
        Some(at) => {
            let date = at.to_zoned(TimeZone::UTC).date();
            format!("{version} ({commit} {date})")
        }
        None => format!("{version} ({commit})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_says_its_commit_and_date() {
        let commit = Some("0123456789abcdef0123456789abcdef01234567");
        for (commit, epoch, told) in [
            (
                commit,
                Some("1795348800"),
                "1.2.0 (0123456789ab 2026-11-22)",
            ),
            (commit, None, "1.2.0 (0123456789ab)"),
            (commit, Some(""), "1.2.0 (0123456789ab)"),
            (Some("abc"), Some("0"), "1.2.0 (abc 1970-01-01)"),
            (Some(""), Some("1795348800"), "1.2.0 (unreleased)"),
            (None, None, "1.2.0 (unreleased)"),
        ] {
            assert_eq!(describe("1.2.0", commit, epoch), told);
        }
    }
}
