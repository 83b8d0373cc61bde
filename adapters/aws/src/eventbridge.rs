//! The bus on EventBridge. A put can fail in part although the call succeeds.

use async_trait::async_trait;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::{PutEventsRequestEntry, PutEventsResultEntry};
use payops_core::domain::bus::BusEvent;
use payops_core::port::{Bus, ErrorKind, PortResult};

use crate::fail::{Call, kind_of};

const EVENTS_MAX: usize = 10;
/// What the sources of AWS's own events begin with; it takes them from nobody else.
const RESERVED: &str = "aws.";

#[derive(Clone, Debug)]
pub struct EventBridgeBus {
    client: Client,
    bus: String,
}

impl EventBridgeBus {
    /// The bus of that name, which must be there, with rules that lead to the queues.
    #[must_use]
    pub fn new(client: Client, bus: impl Into<String>) -> Self {
        Self {
            client,
            bus: bus.into(),
        }
    }

    fn entry(&self, event: &BusEvent) -> PutEventsRequestEntry {
        PutEventsRequestEntry::builder()
            .event_bus_name(&self.bus)
            .source(&event.source)
            .detail_type(&event.detail_type)
            .detail(event.detail.to_string())
            .time(DateTime::from_millis(event.at.as_millisecond()))
            .build()
    }

    async fn put_entries(
        &self,
        call: &Call,
        entries: Vec<PutEventsRequestEntry>,
    ) -> PortResult<Vec<PutEventsResultEntry>> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let request = self.client.put_events().set_entries(Some(entries));
        let answer = request
            .customize()
            .interceptor(call.track_attempts())
            .send()
            .await
            .map_err(|error| call.to_error(error))?;
        Ok(answer.entries.unwrap_or_default())
    }
}

#[async_trait]
impl Bus for EventBridgeBus {
    async fn put(&self, events: &[BusEvent]) -> PortResult<Vec<PortResult<()>>> {
        let call = Call::write("events:PutEvents", format!("bus {}", self.bus));
        if events.len() > EVENTS_MAX {
            return Err(call.error(
                ErrorKind::Permanent,
                format!(
                    "{} events in one call, over the limit of {EVENTS_MAX}",
                    events.len()
                ),
            ));
        }
        // One event that AWS would refuse for its name must not take the others along.
        let ours = |event: &&BusEvent| !event.source.starts_with(RESERVED);
        let entries: Vec<PutEventsRequestEntry> = events
            .iter()
            .filter(ours)
            .map(|event| self.entry(event))
            .collect();
        let mut told = self.put_entries(&call, entries).await?.into_iter();
        let reserved = || {
            Err(call.error(
                ErrorKind::Denied,
                format!("event sources starting with `{RESERVED}` are reserved for AWS"),
            ))
        };
        let each = events.iter().map(|event| {
            if ours(&event) {
                result(&call, told.next())
            } else {
                reserved()
            }
        });
        Ok(each.collect())
    }
}

fn result(call: &Call, entry: Option<PutEventsResultEntry>) -> PortResult<()> {
    let Some(entry) = entry else {
        return Err(call.error(
            ErrorKind::Ambiguous,
            "EventBridge did not report a result for the event",
        ));
    };
    match entry.error_code {
        None if entry.event_id.is_some() => Ok(()),
        None => Err(call.error(
            ErrorKind::Ambiguous,
            "EventBridge returned neither an event id nor an error",
        )),
        Some(code) => {
            // What is wrong with an event stays wrong. Any other code is EventBridge's own trouble.
            let known = kind_of(&code, 400) != ErrorKind::Permanent
                || matches!(code.as_str(), "MalformedDetail" | "InvalidArgument");
            let status = if known { 400 } else { 503 };
            Err(call.service_error(&code, entry.error_message.as_deref(), status, None))
        }
    }
}
