//! Making the index, and what is behind the alias.

use payops_core::port::{ErrorKind, PortError, PortResult};
use reqwest::Method;
use serde_json::{Value, json};

use super::OpenSearchIndex;
use super::api::Effect;
use super::mapping::{SCHEMA_VERSION, index_body};

impl OpenSearchIndex {
    /// Makes the index `<alias>-v1` behind the alias unless the alias is there. Several processes
    /// may do so at once.
    ///
    /// [`ErrorKind::Corrupt`] when what is there is of a newer schema version, or when that index
    /// stands there without the alias: a rebuild may have set it aside, so it is nobody's guess
    /// which index the alias meant.
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
            // Another process that was quicker made both in one step.
            if self.indexes().await?.is_empty() {
                let words = format!(
                    "the index {name} is there, but the alias {} is not; add the alias to the \
                     index that it belongs to, or fill a new one: payops index rebuild",
                    self.target
                );
                return Err(PortError::new(ErrorKind::Corrupt, words));
            }
            return self.check_version().await;
        }
        answer.into_body().map(|_| ())
    }

    /// The same service, but reading and writing the index of that name instead of the alias.
    #[must_use]
    pub fn at(&self, name: &str) -> Self {
        Self {
            target: name.to_owned(),
            is_alias: false,
            ..self.clone()
        }
    }

    pub(super) async fn refresh(&self, name: &str) -> PortResult<()> {
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
    pub(super) async fn indexes(&self) -> PortResult<Vec<String>> {
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

    pub(super) async fn change_aliases(&self, actions: &[Value]) -> PortResult<()> {
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
