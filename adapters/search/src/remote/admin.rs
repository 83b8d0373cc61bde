//! Making indexes, and moving the alias from one to another without a gap in what can be found.

use payops_core::port::{ErrorKind, Index as _, PortError, PortResult};
use reqwest::Method;
use serde_json::{Value, json};

use super::OpenSearchIndex;
use super::api::Effect;
use super::mapping::{SCHEMA_VERSION, index_body};

const COPY_PAGE: usize = 1_000;

impl OpenSearchIndex {
    /// Makes the index `<alias>-v1` behind the alias unless the alias is there. Several processes
    /// may do so at once.
    ///
    /// [`ErrorKind::Corrupt`] when what is there is of a newer schema version.
    pub async fn ensure_index(&self) -> PortResult<()> {
        if !self.indexes().await?.is_empty() {
            return self.check_version().await;
        }
        let name = format!("{}-v1", self.target);
        let body = index_body(Some(&self.target));
        let answer = self
            .api
            .call(
                Method::PUT,
                &format!("/{name}"),
                &[],
                Some(&body),
                Effect::Writes,
            )
            .await?;
        if answer.error_type() == "resource_already_exists_exception" {
            // Another process was quicker, or it stands there without the alias: adding that twice
            // is once.
            self.change_aliases(&[json!({"add": {"index": name, "alias": self.target}})])
                .await?;
            return self.check_version().await;
        }
        answer.into_body().map(|_| ())
    }

    /// Makes an empty index of that name, with no alias.
    pub async fn create_index(&self, name: &str) -> PortResult<()> {
        let answer = self
            .api
            .call(
                Method::PUT,
                &format!("/{name}"),
                &[],
                Some(&index_body(None)),
                Effect::Writes,
            )
            .await?;
        answer.into_body().map(|_| ())
    }

    /// The same service, but reading and writing the index of that name instead of the alias: to
    /// fill a new index from the primary store before [`OpenSearchIndex::swap_alias`].
    #[must_use]
    pub fn at(&self, name: &str) -> Self {
        Self {
            target: name.to_owned(),
            is_alias: false,
            ..self.clone()
        }
    }

    /// Lets the alias mean the index of that name, and no other, in one step.
    pub async fn swap_alias(&self, name: &str) -> PortResult<()> {
        let old = self.indexes().await?;
        let remove = old
            .iter()
            .filter(|old| *old != name)
            .map(|old| json!({"remove": {"index": old, "alias": self.target}}));
        let actions: Vec<Value> = remove
            .chain([json!({"add": {"index": name, "alias": self.target}})])
            .collect();
        self.change_aliases(&actions).await
    }

    /// Makes the index `name`, copies every document into it and lets the alias mean it; the number
    /// of documents is returned. The old index stays, for [`OpenSearchIndex::swap_alias`] to go
    /// back to.
    ///
    /// Documents are copied twice: before the swap, so that nothing is missing after it, and after
    /// it, because writes went to the old index meanwhile. Versions decide, so no copy undoes a
    /// write.
    pub async fn reindex_into(&self, name: &str) -> PortResult<u64> {
        let old = self.indexes().await?;
        self.create_index(name).await?;
        for old in &old {
            self.copy(old, name).await?;
        }
        self.swap_alias(name).await?;
        for old in &old {
            self.copy(old, name).await?;
        }
        self.refresh(name).await?;
        Ok(self.at(name).freshness().await?.documents)
    }

    async fn copy(&self, from: &str, to: &str) -> PortResult<()> {
        self.refresh(from).await?;
        let (from, to) = (self.at(from), self.at(to));
        let mut next: Option<String> = None;
        loop {
            let page = from.scan(next.as_deref(), COPY_PAGE).await?;
            to.upsert(&page.docs).await?;
            next = page.next;
            if next.is_none() {
                return Ok(());
            }
        }
    }

    async fn refresh(&self, name: &str) -> PortResult<()> {
        self.api
            .call(
                Method::POST,
                &format!("/{name}/_refresh"),
                &[],
                None,
                Effect::Writes,
            )
            .await?
            .into_body()
            .map(|_| ())
    }

    /// The indexes behind the alias: one, but for a mistake.
    async fn indexes(&self) -> PortResult<Vec<String>> {
        let answer = self
            .api
            .call(
                Method::GET,
                &format!("/_alias/{}", self.target),
                &[],
                None,
                Effect::Reads,
            )
            .await?;
        if answer.status == 404 {
            return Ok(Vec::new());
        }
        let body = answer.into_body()?;
        Ok(body
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name.clone())
            .collect())
    }

    async fn change_aliases(&self, actions: &[Value]) -> PortResult<()> {
        let body = json!({ "actions": actions });
        self.api
            .call(Method::POST, "/_aliases", &[], Some(&body), Effect::Writes)
            .await?
            .into_body()
            .map(|_| ())
    }

    async fn check_version(&self) -> PortResult<()> {
        let body = self
            .api
            .call(
                Method::GET,
                &format!("/{}/_mapping", self.target),
                &[],
                None,
                Effect::Reads,
            )
            .await?
            .into_body()?;
        for (name, index) in body.as_object().into_iter().flatten() {
            let version = index["mappings"]["_meta"]["schema_version"].as_u64();
            let Some(version) = version else {
                return Err(PortError::new(
                    ErrorKind::Corrupt,
                    format!("the index {name} is not a payments index"),
                ));
            };
            if version > SCHEMA_VERSION {
                let message = format!(
                    "the index {name} has schema version {version}; this payops supports versions \
                        up to {SCHEMA_VERSION}"
                );
                return Err(PortError::new(ErrorKind::Corrupt, message));
            }
        }
        Ok(())
    }
}
