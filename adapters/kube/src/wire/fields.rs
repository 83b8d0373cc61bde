//! Reading fields of an object that may be damaged, foreign or of a newer version.
//!
//! Nothing here fails: an absent field is its default, a field of the wrong type is its default and
//! noted as damage, so that one bad object never hides the others.

use std::cell::RefCell;

use payops_core::Timestamp;
use serde_json::{Map, Value};

/// What could not be read, by path.
pub(super) type Damage = RefCell<Vec<String>>;

#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    at: &'static str,
    members: Option<&'a Map<String, Value>>,
    damage: &'a Damage,
}

impl<'a> Fields<'a> {
    /// The fields of `value`, which is called `at` when something in it is damaged.
    pub(super) fn new(at: &'static str, value: &'a Value, damage: &'a Damage) -> Self {
        if !value.is_object() && !value.is_null() {
            damage.borrow_mut().push(at.to_owned());
        }
        Self {
            at,
            members: value.as_object(),
            damage,
        }
    }

    pub(super) fn is_present(self) -> bool {
        self.members.is_some()
    }

    /// Whether `key` is there and not null.
    pub(super) fn has(self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// The name of its first field.
    pub(super) fn first_key(self) -> Option<&'a str> {
        self.members?.keys().next().map(String::as_str)
    }

    /// Any value; `None` when absent or null.
    pub(super) fn value(self, key: &str) -> Option<&'a Value> {
        self.members?.get(key).filter(|value| !value.is_null())
    }

    fn note_damage(self, key: &str) {
        let at = if self.at.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.at)
        };
        self.damage.borrow_mut().push(at);
    }

    pub(super) fn child(self, key: &'static str) -> Self {
        Self::new(key, self.value(key).unwrap_or(&Value::Null), self.damage)
    }

    pub(super) fn list(self, key: &str) -> &'a [Value] {
        match self.value(key) {
            None => &[],
            Some(Value::Array(items)) => items,
            Some(_) => {
                self.note_damage(key);
                &[]
            }
        }
    }

    /// The objects of a list in it; each is called by the list's name.
    pub(super) fn objects(self, key: &'static str) -> impl Iterator<Item = Fields<'a>> {
        self.list(key)
            .iter()
            .map(move |value| Fields::new(key, value, self.damage))
    }

    pub(super) fn text(self, key: &str) -> &'a str {
        match self.value(key) {
            None => "",
            Some(Value::String(text)) => text,
            Some(_) => {
                self.note_damage(key);
                ""
            }
        }
    }

    pub(super) fn string(self, key: &str) -> String {
        self.text(key).to_owned()
    }

    /// A flag; `None` when absent.
    pub(super) fn flag(self, key: &str) -> Option<bool> {
        let value = self.value(key)?;
        if !value.is_boolean() {
            self.note_damage(key);
        }
        value.as_bool()
    }

    pub(super) fn is_set(self, key: &str) -> bool {
        self.flag(key).unwrap_or(false)
    }

    /// A whole number, written as a number or as a text (`IntOrString`).
    pub(super) fn number(self, key: &str) -> Option<i64> {
        match self.value(key)? {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => {
                self.note_damage(key);
                None
            }
        }
    }

    /// A count: a whole number from 0 up, cut off at the largest that fits.
    pub(super) fn count(self, key: &str) -> Option<u32> {
        let number = self.number(key)?;
        Some(u32::try_from(number.max(0)).unwrap_or(u32::MAX))
    }

    /// A point in time; one that cannot be read is as one that is not there.
    pub(super) fn time(self, key: &str) -> Option<Timestamp> {
        self.text(key).parse().ok()
    }
}

pub(super) struct Meta<'a> {
    pub(super) fields: Fields<'a>,
    pub(super) labels: Fields<'a>,
    pub(super) annotations: Fields<'a>,
}

impl<'a> Meta<'a> {
    pub(super) fn new(object: Fields<'a>) -> Self {
        let fields = object.child("metadata");
        Self {
            fields,
            labels: fields.child("labels"),
            annotations: fields.child("annotations"),
        }
    }

    /// The name; an object without one is shown all the same.
    pub(super) fn name(&self) -> String {
        let name = self.fields.text("name");
        if name.is_empty() {
            "(unnamed)".to_owned()
        } else {
            name.to_owned()
        }
    }

    pub(super) fn revision(&self) -> Option<u64> {
        self.annotations
            .text("rollout.argoproj.io/revision")
            .parse()
            .ok()
    }

    pub(super) fn hash(&self) -> String {
        self.labels.string(super::HASH_LABEL)
    }
}
