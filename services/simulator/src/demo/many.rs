//! Thousands of rollouts, to measure how a tool copes.

use sha2::{Digest as _, Sha256};

use super::seed;
use crate::ApiError;
use crate::controller::hash;
use crate::controller::json::text;
use crate::store::Cluster;

const NAMESPACES: usize = 20;
const NAMESPACE: &str = "model-namespace";
const NAME: &str = "model-rollout";

/// A piece of the template's text: literal, or different in each copy.
enum TemplatePiece {
    Literal(String),
    Name,
    Namespace,
    Hash(usize),
    Uid(usize),
}

/// Adds `count` healthy rollouts, each with two `ReplicaSets` and three pods, in twenty namespaces.
///
/// The controller brings one of them there; the others are copies with their own names, uids and
/// hashes, on which the controller has nothing to do.
pub fn seed_many(cluster: &Cluster, count: usize) -> Result<(), ApiError> {
    let objects = seed::build_plain_rollout(cluster, NAMESPACE, NAME, cluster.now())?;
    let uids: Vec<&str> = objects
        .iter()
        .map(|object| text(object, "/metadata/uid"))
        .collect();
    let sets: Vec<_> = objects
        .iter()
        .filter(|object| text(object, "/kind") == "ReplicaSet")
        .collect();
    let hashes: Vec<&str> = sets
        .iter()
        .filter_map(|set| set["metadata"]["labels"][hash::LABEL].as_str())
        .collect();
    let models: Vec<Vec<TemplatePiece>> = objects
        .iter()
        .map(|object| split_template(&object.to_string(), &uids, &hashes))
        .collect();
    let templates: Vec<String> = sets
        .iter()
        .map(|set| set["spec"]["template"].to_string())
        .collect();
    let templates: Vec<Vec<TemplatePiece>> = templates
        .iter()
        .map(|template| split_template(template, &[], &[]))
        .collect();
    for number in 0..count {
        let (name, namespace) = (
            format!("service-{number:05}"),
            format!("team-{:02}", number % NAMESPACES),
        );
        let render = |pieces: &[TemplatePiece], hashes: &[String]| {
            let mut text = String::new();
            for piece in pieces {
                match piece {
                    TemplatePiece::Literal(piece) => text.push_str(piece),
                    TemplatePiece::Name => text.push_str(&name),
                    TemplatePiece::Namespace => text.push_str(&namespace),
                    TemplatePiece::Hash(at) => {
                        text.push_str(hashes.get(*at).map_or("", String::as_str));
                    }
                    TemplatePiece::Uid(at) => text.push_str(&new_uid(cluster.name(), number, *at)),
                }
            }
            serde_json::from_str::<serde_json::Value>(&text).map_err(|error| {
                ApiError::bad_request(format!("a copy is not valid JSON: {error}"))
            })
        };
        let own_templates = templates.iter().map(|template| render(template, &[]));
        let own_hashes =
            own_templates.map(|template| template.map(|template| hash::of_template(&template)));
        let own_hashes: Vec<String> = own_hashes.collect::<Result<_, _>>()?;
        for model in &models {
            cluster.import(render(model, &own_hashes)?);
        }
    }
    Ok(())
}

/// Splits a text at everything that differs between copies.
fn split_template(text: &str, uids: &[&str], hashes: &[&str]) -> Vec<TemplatePiece> {
    let (mut out, mut rest) = (Vec::new(), text);
    loop {
        let words = [NAME, NAMESPACE]
            .into_iter()
            .chain(uids.iter().copied())
            .chain(hashes.iter().copied());
        let next = words
            .enumerate()
            .filter_map(|(which, word)| Some((rest.find(word)?, which, word.len())))
            .min();
        let Some((at, which, length)) = next else {
            out.push(TemplatePiece::Literal(rest.to_owned()));
            return out;
        };
        let (before, after) = rest.split_at(at);
        out.push(TemplatePiece::Literal(before.to_owned()));
        out.push(match which {
            0 => TemplatePiece::Name,
            1 => TemplatePiece::Namespace,
            which if which - 2 < uids.len() => TemplatePiece::Uid(which - 2),
            which => TemplatePiece::Hash(which - 2 - uids.len()),
        });
        rest = after.get(length..).unwrap_or_default();
    }
}

fn new_uid(cluster: &str, number: usize, at: usize) -> String {
    let digest = hex::encode(Sha256::digest(format!("{cluster}/many/{number}/{at}")));
    format!(
        "{}-{}-4{}-8{}-{}",
        &digest[..8],
        &digest[8..12],
        &digest[13..16],
        &digest[17..20],
        &digest[20..32]
    )
}
