//! Settings from environment variables: one table per service, read at once, every problem
//! reported.

use std::fmt::Write as _;
use std::str::FromStr;
use std::time::Duration;

/// What happens when a variable is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenUnset {
    Required,
    Default(&'static str),
    Optional,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable {
    pub name: &'static str,
    pub when_unset: WhenUnset,
    /// One line for `--help`.
    pub help: &'static str,
}

impl Variable {
    #[must_use]
    pub const fn required(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            when_unset: WhenUnset::Required,
            help,
        }
    }

    #[must_use]
    pub const fn default(name: &'static str, default: &'static str, help: &'static str) -> Self {
        Self {
            name,
            when_unset: WhenUnset::Default(default),
            help,
        }
    }

    #[must_use]
    pub const fn optional(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            when_unset: WhenUnset::Optional,
            help,
        }
    }
}

/// Every problem of the settings, one a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid settings:\n{}", .0.join("\n"))]
pub struct SettingsError(pub Vec<String>);

/// Reads variables and collects problems. An invalid value reads as its type's default, so that
/// the others are read too; [`SettingsReader::finish`] then returns all problems.
pub struct SettingsReader<'a> {
    tables: &'a [&'a [Variable]],
    lookup: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<String>,
}

impl<'a> SettingsReader<'a> {
    /// Reads the variables of `tables`. An empty value counts as not set.
    #[must_use]
    pub fn new(tables: &'a [&'a [Variable]], lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            tables,
            lookup,
            problems: Vec::new(),
        }
    }

    /// Returns the value, else the default, else `None`.
    pub fn optional(&mut self, name: &str) -> Option<String> {
        let Some(variable) = self
            .tables
            .iter()
            .flat_map(|table| table.iter())
            .find(|variable| variable.name == name)
        else {
            self.problem(name, "is not a variable of this service");
            return None;
        };
        let value = (self.lookup)(name)
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty());
        match (value, variable.when_unset) {
            (Some(value), _) => Some(value),
            (None, WhenUnset::Default(default)) => Some(default.to_owned()),
            (None, WhenUnset::Optional) => None,
            (None, WhenUnset::Required) => {
                let problem = format!("is not set: {}", variable.help);
                self.problem(name, &problem);
                None
            }
        }
    }

    pub fn text(&mut self, name: &str) -> String {
        self.optional(name).unwrap_or_default()
    }

    /// Parses the value as a `T`. `expected` describes one, for the message.
    pub fn parse<T: FromStr + Default>(&mut self, name: &str, expected: &str) -> T {
        let Some(text) = self.optional(name) else {
            return T::default();
        };
        text.parse().unwrap_or_else(|_| {
            self.problem(name, &format!("must be {expected}"));
            T::default()
        })
    }

    /// Reads a whole number of at least one.
    pub fn count(&mut self, name: &str) -> usize {
        let count = self.parse(name, "a whole number");
        if count == 0 && !self.has_problem(name) {
            self.problem(name, "must be at least 1");
        }
        count
    }

    /// Reads a whole number with a unit: `ms`, `s`, `m` or `h`.
    pub fn duration(&mut self, name: &str) -> Duration {
        let Some(text) = self.optional(name) else {
            return Duration::ZERO;
        };
        parse_duration(&text).unwrap_or_else(|| {
            self.problem(name, "must be a duration such as 500ms, 10s, 3m or 1h");
            Duration::ZERO
        })
    }

    pub fn problem(&mut self, name: &str, what: &str) {
        self.problems.push(format!("  {name} {what}"));
    }

    pub(crate) fn has_problem(&self, name: &str) -> bool {
        self.problems
            .iter()
            .any(|problem| problem.starts_with(&format!("  {name} ")))
    }

    /// Returns `value` if there were no problems.
    pub fn finish<T>(self, value: T) -> Result<T, SettingsError> {
        if self.problems.is_empty() {
            Ok(value)
        } else {
            Err(SettingsError(self.problems))
        }
    }
}

/// Parses what [`SettingsReader::duration`] reads.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.strip_prefix(digits)?;
    let number: u64 = digits.trim().parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        "h" => number.checked_mul(3600).map(Duration::from_secs),
        _ => None,
    }
}

/// Renders `--help`: what the program is for, and its variables.
#[must_use]
pub fn render_help(program: &str, purpose: &str, tables: &[&[Variable]]) -> String {
    let variables: Vec<&Variable> = tables.iter().flat_map(|table| table.iter()).collect();
    let width = variables
        .iter()
        .map(|variable| variable.name.len())
        .max()
        .unwrap_or(0);
    let mut text =
        format!("{program}: {purpose}\n\nTakes no arguments. Environment variables:\n\n");
    for Variable {
        name,
        when_unset,
        help,
    } in variables
    {
        let note = match when_unset {
            WhenUnset::Required => "required".to_owned(),
            WhenUnset::Default(default) => format!("default {default}"),
            WhenUnset::Optional => "optional".to_owned(),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {name:width$}  {help} ({note})");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[Variable] = &[
        Variable::required("PAYOPS_TABLE", "the table"),
        Variable::default("PAYOPS_WAIT", "20s", "how long"),
        Variable::default("PAYOPS_COUNT", "4", "how many"),
        Variable::optional("PAYOPS_ENDPOINT", "where"),
    ];

    fn read(
        set: &[(&str, &str)],
    ) -> Result<(String, Duration, usize, Option<String>), SettingsError> {
        let lookup = |name: &str| {
            set.iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        };
        let mut reader = SettingsReader::new(&[TABLE], &lookup);
        let all = (
            reader.text("PAYOPS_TABLE"),
            reader.duration("PAYOPS_WAIT"),
            reader.count("PAYOPS_COUNT"),
            reader.optional("PAYOPS_ENDPOINT"),
        );
        reader.finish(all)
    }

    #[test]
    fn defaults_fill_in() {
        assert_eq!(
            read(&[("PAYOPS_TABLE", " t ")]),
            Ok(("t".to_owned(), Duration::from_secs(20), 4, None))
        );
    }

    #[test]
    fn every_problem_is_reported_at_once() {
        let SettingsError(problems) = read(&[
            ("PAYOPS_WAIT", "soon"),
            ("PAYOPS_COUNT", "0"),
            ("PAYOPS_TABLE", ""),
        ])
        .expect_err("three problems");
        assert_eq!(problems.len(), 3, "{problems:?}");
        for name in [
            "PAYOPS_TABLE is not set",
            "PAYOPS_WAIT must be a duration",
            "PAYOPS_COUNT must be",
        ] {
            assert!(
                problems.iter().any(|problem| problem.contains(name)),
                "{name} in {problems:?}"
            );
        }
    }

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(parse_duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(parse_duration("3m"), Some(Duration::from_mins(3)));
        for bad in ["10", "s", "-1s", "1.5s", "1d", ""] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn help_names_every_variable() {
        let text = render_help("payops-x", "does x", &[TABLE]);
        assert!(
            TABLE.iter().all(|variable| text.contains(variable.name)),
            "{text}"
        );
    }
}
