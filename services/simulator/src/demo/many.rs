//! Very many rollouts at once, to see how a tool bears that.

use sha2::{Digest as _, Sha256};

use super::seed;
use crate::ApiError;
use crate::controller::hash;
use crate::controller::json::text;
use crate::store::Cluster;

const NAMESPACES: usize = 20;
const NAMESPACE: &str = "model-namespace";
const NAME: &str = "model-rollout";

/// A piece of the model's text: as it is, or one that each copy has its own of.
enum Piece {
    Text(String),
    Name,
    Namespace,
    Hash(usize),
    Uid(usize),
}

/// Adds `count` healthy rollouts, each with two `ReplicaSets` and three pods, in twenty namespaces.
///
/// One is played through by the controller, the others are copies of it with their own names,
/// uids and hashes: the controller finds nothing to do on them.
pub fn seed_many(cluster: &Cluster, count: usize) -> Result<(), ApiError> {
    let objects = seed::plain(cluster, NAMESPACE, NAME, cluster.now())?;
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
    let models: Vec<Vec<Piece>> = objects
        .iter()
        .map(|object| pieces(&object.to_string(), &uids, &hashes))
        .collect();
    let templates: Vec<String> = sets
        .iter()
        .map(|set| set["spec"]["template"].to_string())
        .collect();
    let templates: Vec<Vec<Piece>> = templates
        .iter()
        .map(|template| pieces(template, &[], &[]))
        .collect();
    for number in 0..count {
        let (name, namespace) = (
            format!("service-{number:05}"),
            format!("team-{:02}", number % NAMESPACES),
        );
        let own = |pieces: &[Piece], hashes: &[String]| {
            let mut text = String::new();
            for piece in pieces {
                match piece {
                    Piece::Text(piece) => text.push_str(piece),
                    Piece::Name => text.push_str(&name),
                    Piece::Namespace => text.push_str(&namespace),
                    Piece::Hash(at) => text.push_str(hashes.get(*at).map_or("", String::as_str)),
                    Piece::Uid(at) => text.push_str(&uid(cluster.name(), number, *at)),
                }
            }
            serde_json::from_str::<serde_json::Value>(&text)
                .map_err(|error| ApiError::bad_request(format!("a copy is no object: {error}")))
        };
        let own_templates = templates.iter().map(|template| own(template, &[]));
        let own_hashes =
            own_templates.map(|template| template.map(|template| hash::of_template(&template)));
        let own_hashes: Vec<String> = own_hashes.collect::<Result<_, _>>()?;
        for model in &models {
            cluster.adopt(own(model, &own_hashes)?);
        }
    }
    Ok(())
}

/// Cuts a text at everything that copies have their own of.
fn pieces(text: &str, uids: &[&str], hashes: &[&str]) -> Vec<Piece> {
    let (mut out, mut rest) = (Vec::new(), text);
    loop {
        let words = [NAME, NAMESPACE]
            .into_iter()
            .chain(uids.iter().copied())
            .chain(hashes.iter().copied());
        let found = words
            .enumerate()
            .filter_map(|(which, word)| Some((rest.find(word)?, which, word.len())))
            .min();
        let Some((at, which, length)) = found else {
            out.push(Piece::Text(rest.to_owned()));
            return out;
        };
        let (before, after) = rest.split_at(at);
        out.push(Piece::Text(before.to_owned()));
        out.push(match which {
            0 => Piece::Name,
            1 => Piece::Namespace,
            which if which - 2 < uids.len() => Piece::Uid(which - 2),
            which => Piece::Hash(which - 2 - uids.len()),
        });
        rest = after.get(length..).unwrap_or_default();
    }
}

fn uid(cluster: &str, number: usize, at: usize) -> String {
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
