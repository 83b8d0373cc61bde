//! The search index in OpenSearch: one index behind an alias, versioned by the payments' own
//! versions.

mod admin;
mod api;
mod mapping;
mod query;
mod rebuild;

use async_trait::async_trait;
use payops_core::domain::doc::PaymentDoc;
use payops_core::domain::id::PaymentId;
use payops_core::domain::search::SearchQuery;
use payops_core::port::{
    ErrorKind, Freshness, Hits, Index, IndexPage, PortError, PortResult, UpsertOutcome,
};
use reqwest::Method;
use serde_json::{Value, json};

pub use api::Credentials;
use api::{Api, Effect, failure};
pub use rebuild::{RebuildProgress, UnfinishedIndex};

/// Hits that OpenSearch gives by offset at most (`index.max_result_window`); beyond, pages are
/// walked.
const WINDOW: usize = 10_000;
/// Documents and bytes of one bulk call at most; OpenSearch advises 5 to 15 MB.
const BULK_DOCS_MAX: usize = 1_000;
const BULK_BYTES_MAX: usize = 5_000_000;
/// What a server answers whose own limit is below that: managed ones have theirs by size.
const TOO_LARGE: u16 = 413;
const IDS_MAX: usize = 1_000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Visibility {
    /// After the index's next refresh, within a second or so.
    #[default]
    Eventually,
    Waited,
    /// When the call returns; costs a refresh per call, for tests.
    AtOnce,
}

impl Visibility {
    fn parameter(self) -> &'static str {
        match self {
            Self::Eventually => "false",
            Self::Waited => "wait_for",
            Self::AtOnce => "true",
        }
    }
}

#[derive(Clone, Debug)]
pub struct OpenSearchIndex {
    api: Api,
    target: String,
    is_alias: bool,
    visibility: Visibility,
}

impl OpenSearchIndex {
    /// The index behind `alias` at `url`. Nothing is sent yet; see
    /// [`OpenSearchIndex::ensure_index`].
    ///
    /// [`ErrorKind::Permanent`] for an address or alias that cannot be one.
    pub fn connect(url: &str, alias: &str, credentials: Option<&Credentials>) -> PortResult<Self> {
        let fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        if alias.is_empty() || !alias.bytes().all(fine) || alias.starts_with(['-', '_']) {
            return Err(PortError::new(
                ErrorKind::Permanent,
                "an alias consists of a-z, 0-9, - and _, and starts with a letter or digit",
            ));
        }
        Ok(Self {
            api: Api::new(url, credentials)?,
            target: alias.to_owned(),
            is_alias: true,
            visibility: Visibility::default(),
        })
    }

    /// The alias, or the index that stands for it.
    #[must_use]
    pub fn alias(&self) -> &str {
        &self.target
    }

    /// The same; written documents can be found when a call returns if `refresh`, else soon after.
    #[must_use]
    pub fn with_refresh(self, refresh: bool) -> Self {
        self.with_visibility(if refresh {
            Visibility::AtOnce
        } else {
            Visibility::Eventually
        })
    }

    /// The same, with another promise of when written documents can be found.
    #[must_use]
    pub fn with_visibility(self, visibility: Visibility) -> Self {
        Self { visibility, ..self }
    }

    async fn run_search(&self, body: &Value) -> PortResult<Found> {
        let answer = self
            .api
            .call(
                Method::POST,
                &format!("/{}/_search", self.target),
                &[],
                Some(body),
                Effect::Reads,
            )
            .await?;
        let mut body = answer.into_body()?;
        // Shards that fail are left out of a good answer: what is missing would pass for not there.
        if body["timed_out"] == true
            || body["_shards"]["failed"]
                .as_u64()
                .is_some_and(|failed| failed > 0)
        {
            return Err(PortError::new(
                ErrorKind::Unavailable,
                "OpenSearch answered only in part: it timed out, or shards failed",
            ));
        }
        let total = body["hits"]["total"]["value"].as_u64().unwrap_or_default();
        let Value::Array(hits) = body["hits"]["hits"].take() else {
            return Err(PortError::new(
                ErrorKind::Unavailable,
                "the answer from OpenSearch has no hits",
            ));
        };
        Ok(Found { hits, total })
    }

    /// One page after the sort values `after`, newest first.
    async fn page(
        &self,
        query: &Value,
        after: Option<&Value>,
        size: usize,
        with_source: bool,
    ) -> PortResult<Found> {
        let mut body = json!({
            "query": query, "sort": [{"created_ms": "desc"}, {"id": "desc"}], "size": size,
            "track_total_hits": true, "_source": with_source,
        });
        if let Some(after) = after {
            body["search_after"] = after.clone();
        }
        self.run_search(&body).await
    }

    /// Offsets that OpenSearch refuses: pages are walked from the start, without their documents at
    /// first.
    async fn walk(&self, query: &Value, offset: usize, limit: usize) -> PortResult<Hits> {
        let mut after: Option<Value> = None;
        let (mut skip, mut want) = (offset, limit);
        let mut docs = Vec::new();
        loop {
            let size = if skip > 0 {
                skip.min(WINDOW)
            } else {
                want.min(WINDOW)
            };
            let found = self.page(query, after.as_ref(), size, skip == 0).await?;
            let ended = found.hits.len() < size;
            if skip > 0 {
                skip -= size;
            } else {
                want -= size;
                docs.extend(found.docs()?);
            }
            after = found.hits.last().and_then(|hit| hit.get("sort").cloned());
            if ended || want == 0 || after.is_none() {
                return Ok(Hits {
                    docs,
                    total: found.total,
                });
            }
        }
    }

    async fn bulk(&self, lines: String, count: usize) -> PortResult<Vec<UpsertOutcome>> {
        // Without this a write before `ensure_index` makes an index of guessed types in the alias's
        // place.
        let is_alias = if self.is_alias { "true" } else { "false" };
        let parameters = [
            ("refresh", self.visibility.parameter()),
            ("require_alias", is_alias),
        ];
        let path = format!("/{}/_bulk", self.target);
        let mut outcomes = Vec::with_capacity(count);
        let mut parts = vec![(lines, count)];
        while let Some((lines, count)) = parts.pop() {
            let answer = self.api.lines(&path, &parameters, lines.clone()).await?;
            if answer.status == TOO_LARGE && count > 1 {
                let (head, tail) = halve(&lines, count);
                parts.push((tail.to_owned(), count - count / 2));
                parts.push((head.to_owned(), count / 2));
                continue;
            }
            outcomes.extend(read_outcomes(&answer.into_body()?, count)?);
        }
        Ok(outcomes)
    }
}

/// The lines of the first half of the documents, and those of the others; each has two.
fn halve(lines: &str, count: usize) -> (&str, &str) {
    let ends = lines.match_indices('\n').map(|(at, _)| at + 1);
    let end = ends.take(count / 2 * 2).last().unwrap_or_default();
    lines.split_at(end)
}

fn read_outcomes(body: &Value, count: usize) -> PortResult<Vec<UpsertOutcome>> {
    let items = body["items"]
        .as_array()
        .filter(|items| items.len() == count);
    let items = items.ok_or_else(|| {
        PortError::new(
            ErrorKind::Ambiguous,
            "OpenSearch did not answer for every document",
        )
    })?;
    let mut outcomes = Vec::with_capacity(count);
    let mut failures = Vec::new();
    for item in items {
        let item = &item["index"];
        match item["status"]
            .as_u64()
            .and_then(|status| u16::try_from(status).ok())
            .unwrap_or_default()
        {
            200 | 201 => outcomes.push(UpsertOutcome::Applied),
            409 => outcomes.push(UpsertOutcome::Stale),
            status => failures.push(failure(status, &item["error"], Effect::Writes)),
        }
    }
    match worst(failures) {
        None => Ok(outcomes),
        // Those that were taken are taken; writing all of them again is harmless.
        Some((error, of)) => Err(PortError::because(
            error.kind,
            format!("OpenSearch did not index {of} of {count} documents"),
            error,
        )),
    }
}

/// Of several failures the one to act on: one that repetition cannot cure comes first, so that it
/// is not repeated for ever; then the one that asks for the longest patience.
fn worst(failures: Vec<PortError>) -> Option<(PortError, usize)> {
    let rank = |error: &PortError| match error.kind {
        ErrorKind::Throttled => 1,
        ErrorKind::Unavailable | ErrorKind::Ambiguous => 0,
        _ => 2,
    };
    let count = failures.len();
    failures
        .into_iter()
        .max_by_key(rank)
        .map(|error| (error, count))
}

struct Found {
    hits: Vec<Value>,
    total: u64,
}

impl Found {
    fn docs(&self) -> PortResult<Vec<PaymentDoc>> {
        self.hits.iter().map(mapping::doc).collect()
    }
}

#[async_trait]
impl Index for OpenSearchIndex {
    async fn upsert(&self, docs: &[PaymentDoc]) -> PortResult<Vec<UpsertOutcome>> {
        let mut outcomes = Vec::with_capacity(docs.len());
        let (mut lines, mut count) = (String::new(), 0);
        for doc in docs {
            let action = json!({"index": {"_id": doc.id.as_str(), "version": doc.version,
                "version_type": "external"}});
            let source = Value::Object(mapping::source(doc)?);
            for line in [action, source] {
                lines.push_str(&line.to_string());
                lines.push('\n');
            }
            count += 1;
            if count >= BULK_DOCS_MAX || lines.len() >= BULK_BYTES_MAX {
                outcomes.extend(
                    self.bulk(std::mem::take(&mut lines), std::mem::take(&mut count))
                        .await?,
                );
            }
        }
        if count > 0 {
            outcomes.extend(self.bulk(lines, count).await?);
        }
        Ok(outcomes)
    }

    async fn search(&self, query: &SearchQuery, offset: usize, limit: usize) -> PortResult<Hits> {
        let query = query::to_native(query);
        if limit > 0 && offset.saturating_add(limit) > WINDOW {
            return self.walk(&query, offset, limit).await;
        }
        let offset = if limit == 0 { 0 } else { offset };
        let sort = json!([{"created_ms": "desc"}, {"id": "desc"}]);
        let body = json!({"query": query, "sort": sort, "from": offset, "size": limit,
            "track_total_hits": true});
        let found = self.run_search(&body).await?;
        Ok(Hits {
            docs: found.docs()?,
            total: found.total,
        })
    }

    async fn of_payments(&self, payments: &[PaymentId]) -> PortResult<Vec<PaymentDoc>> {
        let mut docs = Vec::with_capacity(payments.len());
        for part in payments.chunks(IDS_MAX) {
            let ids: Vec<&str> = part.iter().map(PaymentId::as_str).collect();
            // Room for several documents of a payment: finding those is what this is asked for.
            docs.extend(
                self.run_search(&json!({"query": {"terms": {"id": ids}}, "size": WINDOW}))
                    .await?
                    .docs()?,
            );
        }
        Ok(docs)
    }

    async fn scan(&self, from: Option<&str>, limit: usize) -> PortResult<IndexPage> {
        let limit = limit.clamp(1, WINDOW - 1);
        let mut body =
            json!({"query": {"match_all": {}}, "sort": [{"id": "asc"}], "size": limit + 1});
        if let Some(from) = from {
            body["search_after"] = json!([from]);
        }
        let mut docs = self.run_search(&body).await?.docs()?;
        let more = docs.len() > limit;
        docs.truncate(limit);
        let next = docs
            .last()
            .filter(|_| more)
            .map(|doc| doc.id.as_str().to_owned());
        Ok(IndexPage { docs, next })
    }

    async fn freshness(&self) -> PortResult<Freshness> {
        let body = json!({"query": {"match_all": {}}, "sort": [{"updated_ms": "desc"}], "size": 1,
            "track_total_hits": true});
        let found = self.run_search(&body).await?;
        let newest = found.docs()?.first().map(|doc| doc.updated_at);
        Ok(Freshness {
            store: "opensearch",
            newest,
            documents: found.total,
        })
    }
}
