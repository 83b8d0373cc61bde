//! Formats for programs: JSON, YAML and CSV texts of a value.

use std::collections::BTreeSet;

use clap::ValueEnum;
use payops_core::domain::mask::terminal;
use payops_ops::json::json_text;
use serde_json::{Map, Value};

use payops_ops::error::{OpsError, OpsResult};

/// How data is written to stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people.
    Table,
    /// More columns.
    Wide,
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
    /// Comma-separated values with a header.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

/// The YAML text of `value`; ends with a line break.
pub(crate) fn yaml(value: &Value) -> OpsResult<String> {
    let mut text = serde_saphyr::to_string(&tame(value)).map_err(|error| {
        OpsError::failed("the output could not be written as YAML").because(error)
    })?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

fn tame(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(terminal(text)),
        Value::Array(items) => items.iter().map(tame).collect(),
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, member)| (terminal(name), tame(member)))
                .collect(),
        ),
        other => other.clone(),
    }
}

/// The CSV text of `rows`, with a header of every member that any row has, and of `without_rows`
/// when there is none. Nested members are compact JSON.
pub(crate) fn csv(rows: &[Value], without_rows: &[&str]) -> OpsResult<String> {
    let mut seen = BTreeSet::new();
    let names = rows.iter().filter_map(Value::as_object).flat_map(Map::keys);
    let mut header: Vec<&str> = names
        .map(String::as_str)
        .filter(|name| seen.insert(*name))
        .collect();
    if rows.is_empty() {
        header = without_rows.to_vec();
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |error: csv::Error| {
        OpsError::failed("the output could not be written as CSV").because(error)
    };
    if !header.is_empty() {
        writer.write_record(&header).map_err(failed)?;
    }
    for row in rows {
        let cells = header.iter().map(|name| csv_cell(row.get(*name)));
        writer.write_record(cells).map_err(failed)?;
    }
    let bytes = writer.into_inner().map_err(|error| {
        OpsError::failed("the output could not be written as CSV").because(error.into_error())
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn csv_cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => unformulaic(&terminal(text)),
        Some(other) => match other {
            Value::Array(_) | Value::Object(_) => json_text(other, false),
            simple => simple.to_string(),
        },
    }
}

/// Spreadsheets run texts that start so as formulas; a quotation mark in front stops them.
fn unformulaic(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@']) && text.parse::<f64>().is_err();
    if formula {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_cannot_steer_a_terminal_and_means_the_same() {
        let value = json!({"a": "x\u{9b}31m\u{202e}y\u{1b}"});
        let text = json_text(&value, false);
        assert_eq!(text, r#"{"a":"x\u009b31m\u202ey\u001b"}"#);
        assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), value);
    }

    #[test]
    fn csv_has_every_member_and_no_formulas() {
        let rows = [
            json!({"a": 1, "b": "=cmd()"}),
            json!({"a": -2, "c": {"d": [1]}, "b": "x, \"y\""}),
        ];
        insta::assert_snapshot!(csv(&rows, &["other"]).expect("CSV"), @r#"
        a,b,c
        1,'=cmd(),
        -2,"x, ""y""","{""d"":[1]}"
        "#);
    }

    #[test]
    fn csv_without_rows_is_its_header() {
        assert_eq!(csv(&[], &["a", "b"]).expect("CSV"), "a,b\n");
        assert_eq!(csv(&[], &[]).expect("CSV"), "");
    }

    #[test]
    fn yaml_keeps_the_order_of_members() {
        let value = json!([{"id": "pay_1", "at": "2026-11-22T12:00:00Z", "ok": true, "n": null, "text": "a: \u{1b}b"}]);
        insta::assert_snapshot!(yaml(&value).expect("YAML"));
    }
}
