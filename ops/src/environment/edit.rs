//! Settings written into the text of a `payops.toml`: what else stands in it stays as it is,
//! comments too.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use toml_edit::{ArrayOfTables, DocumentMut, InlineTable, Item, Table, TableLike, Value};

use super::outputs::{Held, Outputs};
use crate::error::{OpsError, OpsResult};

/// The text with what the outputs say of the environment `env`.
pub fn merged(text: &str, path: &Path, env: &str, outputs: &Outputs) -> OpsResult<String> {
    let unread = |error| OpsError::usage(format!("{} is not valid", path.display())).because(error);
    let mut document: DocumentMut = text
        .parse()
        .map_err(|error: toml_edit::TomlError| unread(error))?;
    let odd = |what: &str| OpsError::usage(format!("{}: {what} is not a table", path.display()));
    let environments = document.entry("environments").or_insert_with(implicit);
    let environments = environments
        .as_table_like_mut()
        .ok_or_else(|| odd("environments"))?;
    let table = environments
        .entry(env)
        .or_insert_with(|| Item::Table(Table::new()));
    let table = table.as_table_like_mut().ok_or_else(|| odd(env))?;
    match table.get("kind").and_then(Item::as_str) {
        Some("aws") => {}
        None => put(table, "kind", Value::from("aws")),
        Some(kind) => {
            let message = format!(
                "environments.{env} is of kind {kind}, and these are outputs of an environment in \
                    AWS"
            );
            return Err(OpsError::usage(message).hint("use another name with --env"));
        }
    }
    for fact in &outputs.facts {
        let value = match &fact.held {
            Held::Text(text) => Value::from(text.as_str()),
            Held::Flag(flag) => Value::from(*flag),
            Held::Number(number) => Value::from(i64::from(*number)),
        };
        set(table, &fact.path, value).ok_or_else(|| odd(&fact.path.join(".")))?;
    }
    for (name, eks) in &outputs.clusters {
        cluster(table, name, eks).ok_or_else(|| {
            OpsError::usage(format!(
                "{}: clusters is not a list of tables",
                path.display()
            ))
        })?;
    }
    Ok(document.to_string())
}

/// A table that has no head of its own, only tables inside.
fn implicit() -> Item {
    let mut table = Table::new();
    table.set_implicit(true);
    Item::Table(table)
}

/// Sets the value at the end of a path; `None` when something on it is no table.
fn set(table: &mut dyn TableLike, path: &[&str], value: Value) -> Option<()> {
    match path {
        [] => None,
        [name] => {
            put(table, name, value);
            Some(())
        }
        [name, rest @ ..] => {
            let inner = table.entry(name).or_insert_with(|| match rest.len() {
                // `queues = { prefix = … }`, but `[….roles.view]`.
                1 if *name == "queues" => Item::Value(Value::InlineTable(InlineTable::new())),
                1 => Item::Table(Table::new()),
                _ => implicit(),
            });
            set(inner.as_table_like_mut()?, rest, value)
        }
    }
}

/// Sets one value; what stands around the old one stays, and one that is the same is not touched.
fn put(table: &mut dyn TableLike, name: &str, mut value: Value) {
    if let Some(Item::Value(old)) = table.get_mut(name) {
        if !same(old, &value) {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        return;
    }
    table.insert(name, Item::Value(value));
}

fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::String(one), Value::String(other)) => one.value() == other.value(),
        (Value::Boolean(one), Value::Boolean(other)) => one.value() == other.value(),
        (Value::Integer(one), Value::Integer(other)) => one.value() == other.value(),
        _ => false,
    }
}

/// Adds a cluster. One of that name that is there is reached as it says.
fn cluster(table: &mut dyn TableLike, name: &str, eks: &str) -> Option<()> {
    let clusters = table
        .entry("clusters")
        .or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    let named = |held: &dyn TableLike| held.get("name").and_then(Item::as_str) == Some(name);
    let reached = |held: &dyn TableLike| {
        ["context", "argocd_url"]
            .iter()
            .any(|way| held.contains_key(way))
    };
    match clusters {
        Item::ArrayOfTables(tables) => {
            if let Some(held) = tables
                .iter_mut()
                .find(|held| named(*held as &dyn TableLike))
            {
                if !reached(held) {
                    put(held, "eks", Value::from(eks));
                }
                return Some(());
            }
            let mut added = Table::new();
            put(&mut added, "name", Value::from(name));
            put(&mut added, "eks", Value::from(eks));
            tables.push(added);
        }
        Item::Value(Value::Array(array)) => {
            if let Some(held) = array
                .iter_mut()
                .filter_map(Value::as_inline_table_mut)
                .find(|held| named(*held as &dyn TableLike))
            {
                if !reached(held) {
                    put(held, "eks", Value::from(eks));
                }
                return Some(());
            }
            array.push(InlineTable::from_iter([("name", name), ("eks", eks)]));
        }
        _ => return None,
    }
    Some(())
}

/// What the file says now; nothing when it is not there.
pub fn read_or_empty(path: &Path) -> OpsResult<String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        text => text.map_err(|error| {
            OpsError::usage(format!("cannot read {}", path.display())).because(error)
        }),
    }
}

/// Writes the file whole or not at all, with the mode that it has. A link stays one.
pub fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    let (path, permissions) = match fs::metadata(path) {
        Ok(metadata) => (fs::canonicalize(path)?, Some(metadata.permissions())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => (path.to_owned(), None),
        Err(error) => return Err(error),
    };
    let beside = path.with_extension(format!("toml.{}.new", std::process::id()));
    let written = || {
        let mut file = fs::OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o644)
            .open(&beside)?;
        if let Some(permissions) = permissions {
            file.set_permissions(permissions)?;
        }
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        fs::rename(&beside, &path)
    };
    written().inspect_err(|_| drop(fs::remove_file(&beside)))
}

#[cfg(test)]
mod tests {
    use super::super::outputs::Fact;
    use super::*;

    fn outputs() -> Outputs {
        let fact = |path: &[&'static str], text: &str| Fact {
            path: path.to_vec(),
            held: Held::Text(text.to_owned()),
            output: "x".to_owned(),
        };
        Outputs {
            facts: vec![
                fact(&["region"], "eu-west-1"),
                fact(&["table"], "new"),
                fact(&["queues", "prefix"], "pp-"),
                fact(&["roles", "view", "arn"], "arn:aws:iam::1:role/v"),
            ],
            clusters: vec![("main".to_owned(), "eks-main".to_owned())],
            ..Outputs::default()
        }
    }

    fn merge(text: &str) -> String {
        merged(text, Path::new("payops.toml"), "preprod", &outputs()).expect("merged")
    }

    #[test]
    fn a_new_environment_reads_as_if_written_by_hand() {
        insta::assert_snapshot!(merge("# ours\ndefault_env = \"lab\"\n\n[environments.lab]\nkind = \"embedded\"\n"), @r#"
        # ours
        default_env = "lab"

        [environments.lab]
        kind = "embedded"

        [environments.preprod]
        kind = "aws"
        region = "eu-west-1"
        table = "new"
        queues = { prefix = "pp-" }

        [environments.preprod.roles.view]
        arn = "arn:aws:iam::1:role/v"

        [[environments.preprod.clusters]]
        name = "main"
        eks = "eks-main"
        "#);
    }

    #[test]
    fn what_else_stands_there_stays() {
        let text = "\
# Head.
[environments.preprod]   # the staging account
kind = \"aws\"
table = 'old' # was renamed in May
queues = { prefix = \"pp-\" } # same
region = 'eu-west-1'
roles = { view = { arn = \"arn:aws:iam::1:role/old\", mfa_serial = \"m\" } }
clusters = [{ name = \"main\", context = \"ctx\" }, { name = \"two\", eks = \"two\" }]

[environments.other] # untouched
kind = \"aws\"
";
        let expected = text
            .replace("'old' #", "\"new\" #")
            .replace("role/old", "role/v");
        assert_eq!(merge(text), expected);
        assert_eq!(merge(&expected), expected, "again changes nothing");
    }

    #[test]
    fn an_environment_of_another_kind_is_not_turned_into_one_in_aws() {
        let text = "[environments.preprod]\nkind = \"embedded\"\n";
        let error =
            merged(text, Path::new("payops.toml"), "preprod", &outputs()).expect_err("refused");
        assert!(
            error.kind == crate::error::Kind::Usage
                && error.message.contains("is of kind embedded"),
            "{}",
            error.message
        );
    }
}
