//! What payops processes tell each other, in the table of the environment: its freeze,
//! `OPS#freeze`, which every one reads before it changes anything, and approvals of plans.
//!
//! An approval's partition key is the person's name, so that a policy can bind it to the caller:
//! with `dynamodb:LeadingKeys` and `${aws:SourceIdentity}` nobody writes one under another name.

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use payops_core::domain::access::{ApprovalRow, Freeze};
use payops_core::port::{ApprovalStore, ErrorKind, FreezeStore, PortError, PortResult};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::item::{PK, SK};
use crate::fail::Call;
use crate::identity::label::source_identity;

const FREEZE: &str = "OPS#freeze";
const FREEZE_BODY: &str = "freeze";
/// What the partition keys of approvals begin with; the person's name follows. The sort key is the
/// plan's hash.
const APPROVAL: &str = "OPS#approval#";
const APPROVAL_BODY: &str = "approval";

#[derive(Clone, Debug)]
pub struct DynamoFreezeStore(JsonItems);

#[derive(Clone, Debug)]
pub struct DynamoApprovalStore(JsonItems);

impl DynamoFreezeStore {
    /// The freeze kept in `table`.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self(JsonItems {
            client,
            table: table.into(),
            body: FREEZE_BODY,
        })
    }
}

impl DynamoApprovalStore {
    /// The approvals kept in `table`.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self(JsonItems {
            client,
            table: table.into(),
            body: APPROVAL_BODY,
        })
    }
}

#[derive(Clone, Debug)]
struct JsonItems {
    client: Client,
    table: String,
    body: &'static str,
}

impl JsonItems {
    fn place(&self) -> String {
        format!("table {}", self.table)
    }

    async fn get<T: DeserializeOwned>(&self, pk: &str, sk: &str) -> PortResult<Option<T>> {
        let call = Call::read("dynamodb:GetItem", self.place());
        let request = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(PK, text(pk))
            .key(SK, text(sk))
            .consistent_read(true);
        let answer = request.send().await.map_err(|error| call.to_error(error))?;
        let Some(item) = answer.item else {
            return Ok(None);
        };
        let damaged = || format!("the {} cannot be read", self.body);
        let json = item
            .get(self.body)
            .and_then(|body| body.as_s().ok())
            .ok_or_else(|| call.error(ErrorKind::Corrupt, damaged()))?;
        serde_json::from_str(json)
            .map(Some)
            .map_err(|error| PortError::because(ErrorKind::Corrupt, damaged(), error))
    }

    async fn put(&self, pk: &str, sk: &str, value: &(impl Serialize + Sync)) -> PortResult<()> {
        let call = Call::write("dynamodb:PutItem", self.place());
        let json = serde_json::to_string(value);
        let unwritten = |error| {
            PortError::because(
                ErrorKind::Permanent,
                format!("the {} could not be written as JSON", self.body),
                error,
            )
        };
        let request = self
            .client
            .put_item()
            .table_name(&self.table)
            .item(PK, text(pk))
            .item(SK, text(sk));
        let request = request.item(self.body, AttributeValue::S(json.map_err(unwritten)?));
        request
            .customize()
            .interceptor(call.track_attempts())
            .send()
            .await
            .map(drop)
            .map_err(|error| call.to_error(error))
    }

    async fn delete(&self, pk: &str, sk: &str) -> PortResult<bool> {
        let call = Call::write("dynamodb:DeleteItem", self.place());
        let request = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key(PK, text(pk))
            .key(SK, text(sk));
        let request = request
            .return_values(ReturnValue::AllOld)
            .customize()
            .interceptor(call.track_attempts());
        Ok(request
            .send()
            .await
            .map_err(|error| call.to_error(error))?
            .attributes
            .is_some())
    }
}

/// The partition key of a person's approvals: the name as sessions have it for their source
/// identity.
fn approval_pk(by: &str) -> PortResult<String> {
    let name = source_identity(by).ok_or_else(|| {
        PortError::new(
            ErrorKind::Permanent,
            format!("{by:?} is not a valid AWS source identity"),
        )
    })?;
    Ok(format!("{APPROVAL}{name}"))
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

#[async_trait]
impl FreezeStore for DynamoFreezeStore {
    async fn current(&self) -> PortResult<Option<Freeze>> {
        self.0.get(FREEZE, FREEZE).await
    }

    async fn set(&self, freeze: &Freeze) -> PortResult<()> {
        self.0.put(FREEZE, FREEZE, freeze).await
    }

    async fn lift(&self) -> PortResult<bool> {
        self.0.delete(FREEZE, FREEZE).await
    }
}

#[async_trait]
impl ApprovalStore for DynamoApprovalStore {
    async fn keep(&self, row: &ApprovalRow) -> PortResult<()> {
        self.0
            .put(
                &approval_pk(&row.approval.by)?,
                &row.approval.plan_sha256,
                row,
            )
            .await
    }

    async fn find(&self, by: &str, plan_sha256: &str) -> PortResult<Option<ApprovalRow>> {
        let row: Option<ApprovalRow> = self.0.get(&approval_pk(by)?, plan_sha256).await?;
        // Two names may be one to STS.
        Ok(row.filter(|row| row.approval.by == by))
    }
}
