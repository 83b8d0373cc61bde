//! Expressions over dead letters, saved by name.

use std::collections::BTreeMap;
use std::path::PathBuf;

use payops_core::domain::filter::Filter;
use payops_system::private_file;

use crate::environment::Settings;
use crate::equivalent::word;
use crate::error::{OpsError, OpsResult};

/// The filters that a person saved.
#[derive(Clone, Debug)]
pub struct SavedFilters {
    path: PathBuf,
}

impl SavedFilters {
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        Self {
            path: settings.state_dir.join("filters.json"),
        }
    }

    /// All of them, by name.
    pub fn read(&self) -> OpsResult<BTreeMap<String, String>> {
        let path = self.path.display();
        match std::fs::read(&self.path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| OpsError::failed(format!("{path} is damaged")).because(error)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(error) => Err(OpsError::failed(format!("cannot read {path}")).because(error)),
        }
    }

    fn write(&self, filters: &BTreeMap<String, String>) -> OpsResult<()> {
        let write = || {
            if let Some(dir) = self.path.parent() {
                std::fs::create_dir_all(dir)?;
            }
            private_file::write(&self.path, &serde_json::to_vec_pretty(filters)?)
        };
        write().map_err(|error: std::io::Error| {
            OpsError::failed(format!("cannot write {}", self.path.display())).because(error)
        })
    }

    /// Saves an expression under a name; in place of an earlier one.
    pub fn save(&self, name: String, expression: String) -> OpsResult<()> {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if name.is_empty() || !name.chars().all(is_allowed) {
            return Err(
                OpsError::usage(format!("`{name}` is not a valid filter name"))
                    .hint("use letters, digits, - and _"),
            );
        }
        parse_filter(&expression)?;
        let mut filters = self.read()?;
        filters.insert(name, expression);
        self.write(&filters)
    }

    pub fn remove(&self, name: &str) -> OpsResult<()> {
        let mut filters = self.read()?;
        if filters.remove(name).is_none() {
            return Err(
                OpsError::not_found(format!("saved filter {name} not found"))
                    .hint("payops dlq filter list"),
            );
        }
        self.write(&filters)
    }

    /// The filters that were given, those by `@NAME` looked up.
    pub fn resolve(&self, given: &[String]) -> OpsResult<Vec<Filter>> {
        let resolve_one = |text: &String| {
            let Some(name) = text.strip_prefix('@') else {
                return parse_filter(text);
            };
            let filters = self.read()?;
            let expression = filters.get(name).ok_or_else(|| {
                let names: Vec<&str> = filters.keys().map(String::as_str).collect();
                let hint = if names.is_empty() {
                    format!(
                        "no filters are saved; save one with: payops dlq filter save {} 'age > \
                            duration(\"1h\")'",
                        word(name)
                    )
                } else {
                    format!("saved filters are {}", names.join(", "))
                };
                OpsError::not_found(format!("saved filter {name} not found")).hint(hint)
            })?;
            parse_filter(expression)
        };
        given.iter().map(resolve_one).collect()
    }
}

fn parse_filter(expression: &str) -> OpsResult<Filter> {
    Filter::parse(expression).map_err(|error| {
        OpsError::usage(format!("`{expression}` is not a valid filter"))
            .because(error)
            .hint("list the names that it can use with: payops dlq filter names")
    })
}
