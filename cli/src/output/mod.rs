//! Printing: stdout is data, stderr is console. One printer, six formats, nothing else writes.
//!
//! JSON keeps the members of each output type as they are declared. It is one line when it is
//! piped and indented at a terminal. With several environments each document gets an `env` member.

mod console;
mod format;
mod human;

use std::io::{IsTerminal as _, Write as _};

use serde::Serialize;
use serde_json::{Map, Value};

use payops_ops::error::{OpsError, OpsResult};

pub(crate) use console::Console;
pub(crate) use format::Format;
pub(crate) use human::{Cell, Column, Style, Table, Tone, details, moment};
pub(crate) use payops_core::domain::display::count;
pub(crate) use payops_ops::json::json_text;

/// A row of a list: its JSON shape is its `Serialize`, its columns are here.
pub(crate) trait Row: Serialize {
    const COLUMNS: &'static [Column];
    /// The members of its JSON, in order: the header of a CSV that has no rows.
    const FIELDS: &'static [&'static str];
    fn cells(&self, style: &Style) -> Vec<Cell>;
}

/// One document: its JSON shape is its `Serialize`, what people see is here.
pub(crate) trait Document: Serialize {
    /// The member that holds the rows, for `csv` and `ndjson`; `None`: the document is the row.
    const ROWS: Option<&'static str> = None;
    /// The members of a row, in order: the header of a CSV that has no rows.
    const FIELDS: &'static [&'static str] = &[];
    fn human(&self, style: &Style) -> String;
}

#[derive(Clone, Debug)]
pub(crate) struct InEnv<T> {
    /// The environment; shown only when several were asked.
    pub(crate) env: String,
    pub(crate) value: T,
}

#[derive(Clone, Debug)]
pub(crate) struct Printer {
    pub(crate) format: Format,
    /// Members asked for with `--json`; empty for all.
    pub(crate) fields: Vec<String>,
    pub(crate) style: Style,
    pub(crate) pretty: bool,
}

impl Printer {
    pub(crate) fn is_for_programs(&self) -> bool {
        !matches!(self.format, Format::Table | Format::Wide)
    }

    /// Prints a list of rows; `many`: several environments were asked.
    pub(crate) fn list<T: Row>(&self, rows: &[InEnv<T>], many: bool) -> OpsResult<()> {
        if !self.is_for_programs() {
            return write(&human::list(rows, many, &self.style));
        }
        let values = rows
            .iter()
            .map(|row| with_env(&row.value, &row.env, many))
            .collect::<OpsResult<Vec<Value>>>()?;
        let values = self.select(values)?;
        self.values(values, &self.header(T::FIELDS, many))
    }

    /// Prints one document of each environment: the document itself when one was asked, else
    /// an array.
    pub(crate) fn documents<T: Document>(
        &self,
        documents: &[InEnv<T>],
        many: bool,
    ) -> OpsResult<()> {
        match documents {
            [one] if !many => self.document(&one.value),
            _ if !self.is_for_programs() => {
                let parts = documents
                    .iter()
                    .map(|each| format!("[{}]\n{}", each.env, each.value.human(&self.style)));
                write(&parts.collect::<Vec<_>>().join("\n"))
            }
            _ => {
                let values = documents
                    .iter()
                    .map(|each| with_env(&each.value, &each.env, true))
                    .collect::<OpsResult<Vec<Value>>>()?;
                let values = self.select(values)?;
                self.values(values, &[])
            }
        }
    }

    pub(crate) fn document<T: Document>(&self, document: &T) -> OpsResult<()> {
        if !self.is_for_programs() {
            return write(&document.human(&self.style));
        }
        let value = to_value(document)?;
        let rows = T::ROWS
            .and_then(|rows| value.get(rows))
            .and_then(Value::as_array)
            .cloned();
        if let (Format::Csv | Format::Ndjson, Some(rows)) = (self.format, rows) {
            let rows = self.select(rows)?;
            return self.values(rows, &self.header(T::FIELDS, false));
        }
        let one = self
            .select(vec![value])?
            .into_iter()
            .next()
            .unwrap_or(Value::Null);
        write(&match self.format {
            Format::Yaml => format::yaml(&one)?,
            Format::Csv => format::csv(std::slice::from_ref(&one), &[])?,
            Format::Ndjson => format!("{}\n", json_text(&one, false)),
            _ => format!("{}\n", json_text(&one, self.pretty)),
        })
    }

    /// Prints one line of a stream and flushes it: JSON for programs, `text` for people.
    pub(crate) fn stream(&self, value: &Value, text: &str) -> OpsResult<()> {
        match self.format {
            Format::Table | Format::Wide => write(text),
            Format::Yaml => write(&format!("---\n{}", format::yaml(value)?)),
            Format::Json | Format::Ndjson | Format::Csv => {
                write(&format!("{}\n", json_text(value, false)))
            }
        }
    }

    pub(crate) fn raw(text: &[u8]) -> OpsResult<()> {
        let mut out = std::io::stdout().lock();
        out.write_all(text)
            .and_then(|()| out.flush())
            .map_err(OpsError::output)
    }

    /// The header of a CSV without rows: the members asked for, else all.
    fn header<'a>(&'a self, fields: &[&'a str], many: bool) -> Vec<&'a str> {
        if self.fields.is_empty() {
            many.then_some("env")
                .into_iter()
                .chain(fields.iter().copied())
                .collect()
        } else {
            self.fields.iter().map(String::as_str).collect()
        }
    }

    fn values(&self, values: Vec<Value>, header: &[&str]) -> OpsResult<()> {
        write(&match self.format {
            Format::Yaml => format::yaml(&Value::Array(values))?,
            Format::Csv => format::csv(&values, header)?,
            Format::Ndjson => values
                .iter()
                .map(|value| format!("{}\n", json_text(value, false)))
                .collect::<Vec<_>>()
                .concat(),
            _ => format!("{}\n", json_text(&Value::Array(values), self.pretty)),
        })
    }

    /// Keeps the members asked for; a name that no row has is a mistake of the command line.
    fn select(&self, values: Vec<Value>) -> OpsResult<Vec<Value>> {
        if self.fields.is_empty() || values.is_empty() {
            return Ok(values);
        }
        for field in &self.fields {
            if values.iter().all(|value| pick(value, field).is_none()) {
                let known: Vec<&str> = values
                    .first()
                    .and_then(Value::as_object)
                    .into_iter()
                    .flat_map(Map::keys)
                    .map(String::as_str)
                    .collect();
                return Err(
                    OpsError::usage(format!("no field `{field}` in this output"))
                        .hint(format!("fields are {}", known.join(", "))),
                );
            }
        }
        let keep = |value: &Value| {
            let members = self.fields.iter().map(|field| {
                (
                    field.clone(),
                    pick(value, field).cloned().unwrap_or(Value::Null),
                )
            });
            Value::Object(members.collect())
        };
        Ok(values.iter().map(keep).collect())
    }
}

pub(crate) fn stdout_is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

fn pick<'a>(value: &'a Value, field: &str) -> Option<&'a Value> {
    field
        .split('.')
        .try_fold(value, |value, name| value.get(name))
}

fn with_env<T: Serialize>(value: &T, env: &str, many: bool) -> OpsResult<Value> {
    let value = to_value(value)?;
    if !many {
        return Ok(value);
    }
    let mut members = Map::new();
    members.insert("env".to_owned(), Value::String(env.to_owned()));
    if let Value::Object(own) = value {
        members.extend(own);
    }
    Ok(Value::Object(members))
}

fn to_value<T: Serialize>(value: &T) -> OpsResult<Value> {
    serde_json::to_value(value)
        .map_err(|error| OpsError::failed("the output could not be written as JSON").because(error))
}

fn write(text: &str) -> OpsResult<()> {
    Printer::raw(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn printer(fields: &[&str]) -> Printer {
        let fields = fields.iter().map(|field| (*field).to_owned()).collect();
        Printer {
            format: Format::Json,
            fields,
            style: Style::plain(),
            pretty: false,
        }
    }

    #[test]
    fn fields_are_kept_in_the_order_asked_for() {
        let row = json!({"id": "a", "status": "completed", "charge": {"last4": "4242"}});
        let kept = printer(&["charge.last4", "id"])
            .select(vec![row.clone()])
            .expect("known fields");
        assert_eq!(
            json_text(&Value::Array(kept), false),
            r#"[{"charge.last4":"4242","id":"a"}]"#
        );
        let error = printer(&["nope"]).select(vec![row]).expect_err("refused");
        assert_eq!(
            (
                crate::exit::Exit::from(error.kind).code(),
                error.hint.as_deref()
            ),
            (2, Some("fields are id, status, charge"))
        );
    }

    #[test]
    fn a_list_without_rows_still_has_its_header() {
        assert_eq!(
            printer(&[]).header(&["id", "status"], true),
            ["env", "id", "status"]
        );
        assert_eq!(
            printer(&[]).header(&["id", "status"], false),
            ["id", "status"]
        );
        assert_eq!(
            printer(&["charge.last4"]).header(&["id", "status"], true),
            ["charge.last4"]
        );
    }

    #[test]
    fn an_environment_comes_first_and_only_with_several() {
        let row = json!({"id": "a"});
        assert_eq!(
            json_text(&with_env(&row, "prod", true).expect("a value"), false),
            r#"{"env":"prod","id":"a"}"#
        );
        assert_eq!(
            json_text(&with_env(&row, "prod", false).expect("a value"), false),
            r#"{"id":"a"}"#
        );
    }
}
