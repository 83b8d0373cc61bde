//! Changing a body before it is sent again, and showing what was changed.

mod diff;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::work_item::{WorkItemError, parse};

pub use diff::{DiffLine, LineChange};

const DEPTH_MAX: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Set {
    /// Where: a JSON pointer (RFC 6901), such as `/detail/amount`. What stands there is replaced; a
    /// member that is not there yet is added to its object, and `-` adds to the end of a list.
    pub pointer: String,
    pub value: Value,
}

/// A change of a body: `{"set":[{"pointer":"/detail/amount","value":1250}]}`, or `{"body":"…"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edit {
    Set(Vec<Set>),
    Body(String),
}

impl Edit {
    /// What it does, in a line; it may hold personal data.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Set(sets) => sets
                .iter()
                .map(|set| format!("{}={}", set.pointer, set.value))
                .collect::<Vec<_>>()
                .join(" "),
            Self::Body(body) => format!("the whole body, {} bytes", body.len()),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    pub body: String,
    /// What was changed, line by line. Safe to show: see [`DiffLine::text`].
    pub diff: Vec<DiffLine>,
}

/// Why a body cannot be edited so. Quotes pointers, never a body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    #[error("expected an edit such as /detail/amount=1250")]
    Form,
    /// The body is packed or is no JSON: nothing can be put into it.
    #[error("the body is not JSON, so no value can be set in it; provide a complete new body")]
    NotJson,
    #[error("cannot set {pointer} in the body: {why}")]
    Place { pointer: String, why: &'static str },
    #[error("the edit changes nothing")]
    Unchanged,
    #[error("no consumer would accept the edited body")]
    Schema(#[from] WorkItemError),
}

impl Set {
    /// Reads `/detail/amount=1250`: behind the first `=` stands JSON, or else a text.
    pub fn parse(text: &str) -> Result<Self, EditError> {
        let (pointer, value) = text
            .split_once('=')
            .filter(|(pointer, _)| pointer.starts_with('/'))
            .ok_or(EditError::Form)?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        Ok(Self {
            pointer: pointer.to_owned(),
            value,
        })
    }
}

/// Edits `body`. The result must be a message that [`parse`] takes. When values are put into it,
/// the rest is written anew: without spaces between its parts, members in their order.
pub fn apply_edit(body: &str, edit: &Edit) -> Result<Edited, EditError> {
    let edited = match edit {
        Edit::Body(whole) => whole.clone(),
        Edit::Set(sets) => {
            let mut value: Value = serde_json::from_str(body).map_err(|_| EditError::NotJson)?;
            for set in sets {
                put(&mut value, set)?;
            }
            value.to_string()
        }
    };
    let diff = diff::diff_bodies(body, &edited);
    if edited == body
        || (matches!(edit, Edit::Set(_)) && diff.iter().all(|line| line.change == LineChange::Same))
    {
        return Err(EditError::Unchanged);
    }
    parse(&edited)?;
    Ok(Edited { body: edited, diff })
}

fn put(body: &mut Value, set: &Set) -> Result<(), EditError> {
    let place = |why| EditError::Place {
        pointer: set.pointer.clone(),
        why,
    };
    let (parent, name) = set
        .pointer
        .rsplit_once('/')
        .ok_or_else(|| place("a JSON pointer starts with /"))?;
    if set.pointer.split('/').count() > DEPTH_MAX {
        return Err(place("it is deeper than 64 levels"));
    }
    let name = name.replace("~1", "/").replace("~0", "~");
    match body.pointer_mut(parent) {
        None => Err(place("its parent does not exist")),
        Some(Value::Object(members)) => {
            members.insert(name, set.value.clone());
            Ok(())
        }
        Some(Value::Array(items)) if name == "-" => {
            items.push(set.value.clone());
            Ok(())
        }
        Some(Value::Array(items)) => {
            let item = name
                .parse::<usize>()
                .ok()
                .and_then(|at| items.get_mut(at))
                .ok_or_else(|| place("the list has no such index"))?;
            *item = set.value.clone();
            Ok(())
        }
        Some(_) => Err(place("its parent is neither an object nor a list")),
    }
}

#[cfg(test)]
mod tests;
