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
    /// What changed in the old indexes before this moment is in the new one too.
    #[serde(default)]
    pub caught_up_at: Option<Timestamp>,
    /// The indexes that the alias meant before the new one; none before it means that.
    #[serde(default)]
    pub replaced: Vec<String>,
}

/// An index that is being filled, or whose last changes are still to be written.
#[derive(Clone, Debug)]
pub struct UnfinishedIndex {
    pub name: String,
    pub progress: RebuildProgress,
    /// Whether another run began it.
    pub is_resumed: bool,
}

impl OpenSearchIndex {
    fn unfinished_alias(&self) -> String {
        format!("{}{UNFINISHED}", self.target)
    }

    /// The index that an interrupted rebuild left, or a new one, empty and behind no alias.
    pub async fn begin_rebuild(&self, now: Timestamp) -> PortResult<UnfinishedIndex> {
        if let Some(found) = self.find_unfinished().await? {
            return Ok(found);
        }
        let millis = now.as_millisecond().rem_euclid(1000);
        let second = now.strftime("%Y%m%d-%H%M%S");
        let name = format!("{}-{second}-{millis:03}", self.target);
        let progress = RebuildProgress {
            started_at: now,
            from: None,
            payments: 0,
            caught_up_at: None,
            replaced: Vec::new(),
        };
        let mut body = index_body(Some(&self.unfinished_alias()));
        body["mappings"]["_meta"] = meta(Some(&progress))?;
        let path = format!("/{name}");
        self.call(Method::PUT, &path, Some(&body), Effect::Writes)
            .await?;
        // Another process may have begun one at the same moment: both go on with the same.
        match self.find_unfinished().await? {
            Some(found) if found.name != name => {
                self.call(Method::DELETE, &path, None, Effect::Writes)
                    .await?;
                Ok(found)
            }
            _ => Ok(UnfinishedIndex {
                name,
                progress,
                is_resumed: false,
            }),
        }
    }

    async fn find_unfinished(&self) -> PortResult<Option<UnfinishedIndex>> {
        let path = format!("/{}/_mapping", self.unfinished_alias());
        let answer = self
            .api
            .call(Method::GET, &path, &[], None, Effect::Reads)
            .await?;
        if answer.status == 404 {
            return Ok(None);
        }
        let body = answer.into_body()?;
        let Some((name, index)) = body
            .as_object()
            .and_then(|all| all.iter().min_by_key(|(name, _)| name.as_str()))
        else {
            return Ok(None);
        };
        let meta = &index["mappings"]["_meta"];
        if meta["schema_version"].as_u64() != Some(SCHEMA_VERSION) {
            let words = format!(
                "the unfinished index {name} has another mapping than this version makes; delete \
                 it to begin anew"
            );
            return Err(PortError::new(ErrorKind::Corrupt, words));
        }
        let progress = serde_json::from_value(meta["rebuild"].clone()).map_err(|error| {
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

    /// The indexes that the alias means beside the new one.
    pub async fn others(&self, index: &UnfinishedIndex) -> PortResult<Vec<String>> {
        let mut names = self.indexes().await?;
        names.retain(|name| *name != index.name);
        Ok(names)
    }

    /// Whether the alias means the new index already.
    pub async fn is_swapped(&self, index: &UnfinishedIndex) -> PortResult<bool> {
        Ok(self.indexes().await?.contains(&index.name))
    }

    /// Lets the alias mean the filled index instead of the others, in one step, and closes those to
    /// writes: what they hold then is all that they will. They are kept: somebody may want to go
    /// back.
    pub async fn swap_index(&self, index: &mut UnfinishedIndex) -> PortResult<()> {
        self.refresh(&index.name).await?;
        index.progress.replaced = self.others(index).await?;
        self.note_progress(index).await?;
        // Whoever swaps at the same moment fails: the alias then means another index.
        let remove = |old: &String| json!({"remove": {"index": old, "alias": self.target, "must_exist": true}});
        let add = json!({"add": {"index": index.name, "alias": self.target}});
        let actions: Vec<Value> = index
            .progress
            .replaced
            .iter()
            .map(remove)
            .chain([add])
            .collect();
        self.change_aliases(&actions).await
    }

    /// Closes the replaced indexes to writes. Returns when no write is under way any more.
    pub async fn close_replaced(&self, index: &UnfinishedIndex) -> PortResult<()> {
        for old in &index.progress.replaced {
            let path = format!("/{old}/_block/write");
            self.call(Method::PUT, &path, None, Effect::Writes).await?;
            self.refresh(old).await?;
        }
        Ok(())
    }

    /// The rebuild is over: the next one begins anew.
    pub async fn end_rebuild(&self, index: &UnfinishedIndex) -> PortResult<()> {
        self.put_meta(&index.name, None).await?;
        let alias = self.unfinished_alias();
        let remove = json!({"remove": {"index": index.name, "alias": alias}});
        self.change_aliases(&[remove]).await
    }

    /// Payments whose document in the index `name` is of `since` or later, in order of id, after
    /// the id `after`; and where to go on.
    pub async fn changed_since(
        &self,
        name: &str,
        since: Timestamp,
        after: Option<&str>,
    ) -> PortResult<(Vec<PaymentId>, Option<String>)> {
        if after.is_none() {
            self.refresh(name).await?;
        }
        let mut body = json!({
            "query": {"range": {"updated_ms": {"gte": since.as_millisecond()}}},
            "sort": [{"id": "asc"}], "size": PAGE, "_source": false,
        });
        if let Some(after) = after {
            body["search_after"] = json!([after]);
        }
        let found = self.at(name).run_search(&body).await?;
        // An id that is none belongs to no payment: there is nothing to write anew.
        let id = |hit: &Value| hit["_id"].as_str().map(str::to_owned);
        let next = found
            .hits
            .last()
            .filter(|_| found.hits.len() == PAGE)
            .and_then(id);
        let ids = found.hits.iter().filter_map(id);
        Ok((ids.filter_map(|id| id.parse().ok()).collect(), next))
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
