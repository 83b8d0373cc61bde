//! The freeze of an environment: one item of the table, `OPS#freeze`, that every payops process reads
//! before it changes anything.

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use payops_core::domain::access::Freeze;
use payops_core::port::{ErrorKind, Freezes, PortError, PortResult};

use super::item::{PK, SK};
use crate::fail::Call;

/// The key of the item, both parts.
const KEY: &str = "OPS#freeze";
/// The attribute that holds it, as JSON.
const BODY: &str = "freeze";

/// The freeze that is kept in a table.
#[derive(Clone, Debug)]
pub struct DynamoFreezes {
    client: Client,
    table: String,
}

impl DynamoFreezes {
    /// The freeze kept in `table`.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    fn place(&self) -> String {
        format!("table {}", self.table)
    }
}

fn key() -> AttributeValue {
    AttributeValue::S(KEY.to_owned())
}

#[async_trait]
impl Freezes for DynamoFreezes {
    async fn current(&self) -> PortResult<Option<Freeze>> {
        let call = Call::read("dynamodb:GetItem", self.place());
        let request = self.client.get_item().table_name(&self.table).key(PK, key()).key(SK, key()).consistent_read(true);
        let answer = request.send().await.map_err(|error| call.failed(error))?;
        let Some(item) = answer.item else { return Ok(None) };
        let damaged = || call.error(ErrorKind::Corrupt, "the freeze cannot be read");
        let text = item.get(BODY).and_then(|body| body.as_s().ok()).ok_or_else(damaged)?;
        serde_json::from_str(text).map(Some).map_err(|error| PortError::because(ErrorKind::Corrupt, "the freeze cannot be read", error))
    }

    async fn set(&self, freeze: &Freeze) -> PortResult<()> {
        let call = Call::write("dynamodb:PutItem", self.place());
        let text = serde_json::to_string(freeze);
        let text = text.map_err(|error| PortError::because(ErrorKind::Permanent, "a freeze could not be written as JSON", error))?;
        let request = self.client.put_item().table_name(&self.table).item(PK, key()).item(SK, key()).item(BODY, AttributeValue::S(text));
        request.customize().interceptor(call.watch()).send().await.map(drop).map_err(|error| call.failed(error))
    }

    async fn lift(&self) -> PortResult<bool> {
        let call = Call::write("dynamodb:DeleteItem", self.place());
        let request = self.client.delete_item().table_name(&self.table).key(PK, key()).key(SK, key()).return_values(ReturnValue::AllOld);
        let answer = request.customize().interceptor(call.watch()).send().await.map_err(|error| call.failed(error))?;
        Ok(answer.attributes.is_some())
    }
}
