//! Filling a new index behind the alias while payments go on being written, in steps that another
//! process can go on with: how far it came stands in the new index itself.

use payops_core::Timestamp;
use payops_core::domain::id::PaymentId;
use payops_core::port::{ErrorKind, PortError, PortResult};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::OpenSearchIndex;
use super::api::Effect;
use super::mapping::{SCHEMA_VERSION, index_body};

/// Added to the alias, the name by which an index that is being filled is found.
const UNFINISHED: &str = "-rebuilding";
const PAGE: usize = 1_000;

/// How far a rebuild has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RebuildProgress {
    pub started_at: Timestamp,
    /// Where the scan of the payments goes on; `None` at its beginning.
    pub from: Option<String>,
    pub payments: u64,
}

/// An index that is being filled.
#[derive(Clone, Debug)]
pub struct UnfinishedIndex {
    pub name: String,
    pub progress: RebuildProgress,
    /// Whether another run began it.
    pub is_resumed: bool,
}

impl OpenSearchIndex {
    /// The index that an interrupted rebuild left, or a new one, empty and behind no alias.
    pub async fn begin_rebuild(&self, now: Timestamp) -> PortResult<UnfinishedIndex> {
        let unfinished = format!("{}{UNFINISHED}", self.target);
        if let Some(found) = self.find_unfinished(&unfinished).await? {
            return Ok(found);
        }
        let millis = now.as_millisecond().rem_euclid(1000);
        let second = now.strftime("%Y%m%d-%H%M%S");
        let name = format!("{}-{second}-{millis:03}", self.target);
        let progress = RebuildProgress {
            started_at: now,
            from: None,
            payments: 0,
        };
        let mut body = index_body(Some(&unfinished));
        body["mappings"]["_meta"] = meta(Some(&progress))?;
        self.call(
            Method::PUT,
            &format!("/{name}"),
            Some(&body),
            Effect::Writes,
        )
        .await?;
        Ok(UnfinishedIndex {
            name,
            progress,
            is_resumed: false,
        })
    }

    async fn find_unfinished(&self, alias: &str) -> PortResult<Option<UnfinishedIndex>> {
        let answer = self
            .api
            .call(
                Method::GET,
                &format!("/{alias}/_mapping"),
                &[],
                None,
                Effect::Reads,
            )
            .await?;
        if answer.status == 404 {
            return Ok(None);
        }
        let body = answer.into_body()?;
        let Some((name, index)) = body.as_object().and_then(|all| all.iter().next()) else {
            return Ok(None);
        };
        let told = index["mappings"]["_meta"]["rebuild"].clone();
        let progress = serde_json::from_value(told).map_err(|error| {
            let words = format!("how far the index {name} is filled cannot be read");
            PortError::because(ErrorKind::Corrupt, words, error)
        })?;
        Ok(Some(UnfinishedIndex {
            name: name.clone(),
            progress,
            is_resumed: true,
        }))
    }

    /// Notes how far the index is filled.
    pub async fn note_progress(&self, index: &UnfinishedIndex) -> PortResult<()> {
        self.put_meta(&index.name, Some(&index.progress)).await
    }

    async fn put_meta(&self, name: &str, progress: Option<&RebuildProgress>) -> PortResult<()> {
        let body = json!({"_meta": meta(progress)?});
        let path = format!("/{name}/_mapping");
        self.call(Method::PUT, &path, Some(&body), Effect::Writes)
            .await
            .map(drop)
    }

    /// Lets the alias mean the filled index, in one step, and returns those that it meant before.
    /// They are kept: somebody may want to go back.
    pub async fn finish_rebuild(&self, index: &UnfinishedIndex) -> PortResult<Vec<String>> {
        let name = &index.name;
        self.refresh(name).await?;
        let old: Vec<String> = self.indexes().await?;
        let old: Vec<String> = old.into_iter().filter(|old| old != name).collect();
        let unfinished = format!("{}{UNFINISHED}", self.target);
        let mut actions: Vec<Value> = old
            .iter()
            .map(|old| json!({"remove": {"index": old, "alias": self.target}}))
            .collect();
        actions.push(json!({"add": {"index": name, "alias": self.target}}));
        actions.push(json!({"remove": {"index": name, "alias": unfinished}}));
        self.change_aliases(&actions).await?;
        self.put_meta(name, None).await?;
        Ok(old)
    }

    /// Payments whose document in the index `name` is of `since` or later.
    pub async fn updated_since(&self, name: &str, since: Timestamp) -> PortResult<Vec<PaymentId>> {
        self.refresh(name).await?;
        let at = self.at(name);
        let mut ids = Vec::new();
        let mut after: Option<Value> = None;
        loop {
            let mut body = json!({
                "query": {"range": {"updated_ms": {"gte": since.as_millisecond()}}},
                "sort": [{"id": "asc"}], "size": PAGE,
            });
            if let Some(after) = &after {
                body["search_after"] = after.clone();
            }
            let found = at.run_search(&body).await?;
            let is_last = found.hits.len() < PAGE;
            after = found.hits.last().and_then(|hit| hit.get("sort").cloned());
            ids.extend(found.docs()?.into_iter().map(|doc| doc.id));
            if is_last {
                return Ok(ids);
            }
        }
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        effect: Effect,
    ) -> PortResult<Value> {
        self.api
            .call(method, path, &[], body, effect)
            .await?
            .into_body()
    }
}

fn meta(progress: Option<&RebuildProgress>) -> PortResult<Value> {
    let mut meta = json!({"schema_version": SCHEMA_VERSION});
    if let Some(progress) = progress {
        meta["rebuild"] = serde_json::to_value(progress).map_err(|error| {
            let words = "how far the index is filled cannot be written as JSON";
            PortError::because(ErrorKind::Permanent, words, error)
        })?;
    }
    Ok(meta)
}
