//! The table: its keys, its indexes, and making it where Terraform has not.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, TableStatus, TimeToLiveSpecification,
};
use payops_core::port::{ErrorKind, PortResult};

use super::item::{PK, SK};
use crate::fail::{Call, code};

pub(super) const DUE: &str = "due";
/// Outbox rows that are not done, by shard and time. Sparse.
pub(super) const OUTBOX: &str = "outbox";
pub(super) const MERCHANT: &str = "merchant";

/// How often to look whether a new table is ready, one look each 200 ms.
const LOOKS_MAX: u32 = 150;

/// Makes the table with its indexes, paid per request, and switches expiry on; fine if it is there.
/// Returns when it can be used. For tests and the emulator: production has it from Terraform.
pub async fn create_table(client: &Client, table: &str) -> PortResult<()> {
    let call = Call::write("dynamodb:CreateTable", format!("table {table}"));
    let text = ScalarAttributeType::S;
    let attributes = [
        (PK, text.clone()),
        (SK, text.clone()),
        ("due_pk", text.clone()),
        ("due_at_ms", ScalarAttributeType::N),
        ("outbox_pk", text.clone()),
        ("outbox_order", text.clone()),
        ("merchant_pk", text.clone()),
        ("id", text),
    ];
    let mut request = client
        .create_table()
        .table_name(table)
        .billing_mode(BillingMode::PayPerRequest);
    for (name, kind) in attributes {
        request = request.attribute_definitions(
            call.check_built(
                AttributeDefinition::builder()
                    .attribute_name(name)
                    .attribute_type(kind)
                    .build(),
            )?,
        );
    }
    for part in keys(&call, PK, SK)? {
        request = request.key_schema(part);
    }
    let indexes = [
        (DUE, "due_pk", "due_at_ms", ProjectionType::KeysOnly),
        (OUTBOX, "outbox_pk", "outbox_order", ProjectionType::All),
        (MERCHANT, "merchant_pk", "id", ProjectionType::All),
    ];
    for (name, partition, sort, projection) in indexes {
        let projection = Projection::builder().projection_type(projection).build();
        let index = GlobalSecondaryIndex::builder()
            .index_name(name)
            .set_key_schema(Some(keys(&call, partition, sort)?))
            .projection(projection);
        request = request.global_secondary_indexes(call.check_built(index.build())?);
    }
    match request
        .customize()
        .interceptor(call.track_attempts())
        .send()
        .await
    {
        Err(error) if code(&error) != "ResourceInUseException" => return Err(call.to_error(error)),
        _ => {}
    }
    await_table(client, table).await?;
    expire(client, table).await
}

fn keys(call: &Call, partition: &str, sort: &str) -> PortResult<Vec<KeySchemaElement>> {
    let part = |name: &str, kind| {
        call.check_built(
            KeySchemaElement::builder()
                .attribute_name(name)
                .key_type(kind)
                .build(),
        )
    };
    Ok(vec![
        part(partition, KeyType::Hash)?,
        part(sort, KeyType::Range)?,
    ])
}

async fn await_table(client: &Client, table: &str) -> PortResult<()> {
    let call = Call::read("dynamodb:DescribeTable", format!("table {table}"));
    for _ in 0..LOOKS_MAX {
        let answer = client
            .describe_table()
            .table_name(table)
            .send()
            .await
            .map_err(|error| call.to_error(error))?;
        if answer.table().and_then(|table| table.table_status()) == Some(&TableStatus::Active) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Err(call.error(
        ErrorKind::Unavailable,
        "the table did not become active in time",
    ))
}

async fn expire(client: &Client, table: &str) -> PortResult<()> {
    let call = Call::write("dynamodb:UpdateTimeToLive", format!("table {table}"));
    let rule = call.check_built(
        TimeToLiveSpecification::builder()
            .attribute_name("ttl")
            .enabled(true)
            .build(),
    )?;
    let request = client
        .update_time_to_live()
        .table_name(table)
        .time_to_live_specification(rule);
    match request
        .customize()
        .interceptor(call.track_attempts())
        .send()
        .await
    {
        // It is on already: AWS calls that a validation error.
        Err(error) if code(&error) != "ValidationException" => Err(call.to_error(error)),
        _ => Ok(()),
    }
}
