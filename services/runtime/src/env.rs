//! Settings from environment variables: one table per service, read at once, every problem
//! reported.

use std::fmt::Write as _;
use std::str::FromStr;
use std::time::Duration;

/// What happens when a variable is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unset {
    Problem,
    Default(&'static str),
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable {
    pub name: &'static str,
    /// What happens when it is not set.
    pub unset: Unset,
    /// One line for `--help`.
    pub help: &'static str,
}

impl Variable {
    /// A variable that must be set.
    #[must_use]
    pub const fn required(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            unset: Unset::Problem,
            help,
        }
    }

    #[must_use]
    pub const fn default(name: &'static str, default: &'static str, help: &'static str) -> Self {
        Self {
            name,
            unset: Unset::Default(default),
            help,
        }
    }

    #[must_use]
    pub const fn optional(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            unset: Unset::Nothing,
            help,
        }
    }
}

/// The settings are not usable: every problem, one a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("these settings must be mended:\n{}", .0.join("\n"))]
pub struct Problems(pub Vec<String>);

/// Reads variables and collects problems. A value that is a problem reads as its type's default,
/// so that reading goes on; [`Reader::finish`] then refuses the whole.
pub struct Reader<'a> {
    tables: &'a [&'a [Variable]],
    lookup: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<String>,
}

impl<'a> Reader<'a> {
    /// A reader of the variables in `tables`; an empty value counts as not set.
    #[must_use]
    pub fn new(tables: &'a [&'a [Variable]], lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            tables,
            lookup,
            problems: Vec::new(),
        }
    }

    /// The value, its default, or `None`.
    pub fn optional(&mut self, name: &str) -> Option<String> {
        let Some(variable) = self
            .tables
            .iter()
            .flat_map(|table| table.iter())
            .find(|variable| variable.name == name)
        else {
            self.problem(name, "is not in the table of variables");
            return None;
        };
        let value = (self.lookup)(name)
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty());
        match (value, variable.unset) {
            (Some(value), _) => Some(value),
            (None, Unset::Default(default)) => Some(default.to_owned()),
            (None, Unset::Nothing) => None,
            (None, Unset::Problem) => {
                let problem = format!("is not set: {}", variable.help);
                self.problem(name, &problem);
                None
            }
        }
    }

    pub fn text(&mut self, name: &str) -> String {
        self.optional(name).unwrap_or_default()
    }

    /// The value read as a `T`; `expected` says what that is.
    pub fn parsed<T: FromStr + Default>(&mut self, name: &str, expected: &str) -> T {
        let Some(text) = self.optional(name) else {
            return T::default();
        };
        text.parse().unwrap_or_else(|_| {
            self.problem(name, &format!("is not {expected}"));
            T::default()
        })
    }

    /// A number of at least one.
    pub fn count(&mut self, name: &str) -> usize {
        let count = self.parsed(name, "a whole number");
        if count == 0 && !self.has_problem(name) {
            self.problem(name, "must be at least 1");
        }
        count
    }

    /// A length of time: a whole number and `ms`, `s`, `m` or `h`.
    pub fn duration(&mut self, name: &str) -> Duration {
        let Some(text) = self.optional(name) else {
            return Duration::ZERO;
        };
        duration(&text).unwrap_or_else(|| {
            self.problem(name, "is not a length of time such as 500ms, 10s, 3m or 1h");
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

    /// `value`, unless there were problems.
    pub fn finish<T>(self, value: T) -> Result<T, Problems> {
        if self.problems.is_empty() {
            Ok(value)
        } else {
            Err(Problems(self.problems))
        }
    }
}

/// Reads a length of time; see [`Reader::duration`].
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
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

/// The text of `--help`: what the program is for and its variables.
#[must_use]
pub fn help(program: &str, purpose: &str, tables: &[&[Variable]]) -> String {
    let variables: Vec<&Variable> = tables.iter().flat_map(|table| table.iter()).collect();
    let width = variables
        .iter()
        .map(|variable| variable.name.len())
        .max()
        .unwrap_or(0);
    let mut text =
        format!("{program}: {purpose}\n\nIt takes no arguments. Environment variables:\n\n");
    for Variable { name, unset, help } in variables {
        let note = match unset {
            Unset::Problem => "required".to_owned(),
            Unset::Default(default) => format!("default {default}"),
            Unset::Nothing => "optional".to_owned(),
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

    fn read(set: &[(&str, &str)]) -> Result<(String, Duration, usize, Option<String>), Problems> {
        let lookup = |name: &str| {
            set.iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        };
        let mut reader = Reader::new(&[TABLE], &lookup);
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
        let Problems(problems) = read(&[
            ("PAYOPS_WAIT", "soon"),
            ("PAYOPS_COUNT", "0"),
            ("PAYOPS_TABLE", ""),
        ])
        .expect_err("three problems");
        assert_eq!(problems.len(), 3, "{problems:?}");
        for name in [
            "PAYOPS_TABLE is not set",
            "PAYOPS_WAIT is not a length",
            "PAYOPS_COUNT must be",
        ] {
            assert!(
                problems.iter().any(|problem| problem.contains(name)),
                "{name} in {problems:?}"
            );
        }
    }

    #[test]
    fn lengths_of_time_need_a_unit() {
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(duration("3m"), Some(Duration::from_mins(3)));
        for bad in ["10", "s", "-1s", "1.5s", "1d", ""] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn help_names_every_variable() {
        let text = help("payops-x", "does x", &[TABLE]);
        assert!(
            TABLE.iter().all(|variable| text.contains(variable.name)),
            "{text}"
        );
    }
}
