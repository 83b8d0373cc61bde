//! An object whose pod template a rollout uses.

use std::cell::RefCell;

use payops_core::domain::rollout::{Workload, WorkloadRef};
use serde_json::Value;

use super::fields::{Damage, Fields, Meta};
use super::rollout::images;

/// Where the pod template of an object of that kind is, as a JSON pointer.
pub(crate) fn template_at(kind: &str) -> &'static str {
    if kind == "PodTemplate" {
        "/template"
    } else {
        "/spec/template"
    }
}

pub(crate) fn workload(reference: &WorkloadRef, value: &Value) -> Workload {
    let damage: Damage = RefCell::default();
    let meta = Meta::new(Fields::new("object", value, &damage));
    let template = value
        .pointer(template_at(&reference.kind))
        .unwrap_or(&Value::Null);
    let generation = meta.fields.number("generation").unwrap_or_default();
    Workload {
        reference: reference.clone(),
        uid: meta.fields.string("uid"),
        resource_version: meta.fields.string("resourceVersion"),
        generation: u64::try_from(generation).unwrap_or_default(),
        images: images(Fields::new("template", template, &damage)),
    }
}
