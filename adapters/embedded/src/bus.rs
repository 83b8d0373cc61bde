//! The bus: events go straight to the queues that the rules name.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::join_all;
use payops_core::domain::bus::{BusEvent, envelope, targets};
use payops_core::port::{Bus, Clock, ErrorKind, Outgoing, PortError, PortResult, Queues, Random};

use crate::ulids::new_ulid;

const PUT_MAX: usize = 10;

/// A bus whose rules are [`targets`]. An event that could not reach all its queues has failed,
/// and is put again by whoever put it: consumers see each event at least once.
pub struct EmbeddedBus {
    queues: Arc<dyn Queues>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl EmbeddedBus {
    /// A bus that leads to `queues`. Handing over to all queues at once lets queues that commit
    /// in groups write them all in one transaction.
    #[must_use]
    pub fn new(queues: Arc<dyn Queues>, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self {
            queues,
            clock,
            random,
        }
    }

    /// Sends to one queue; how it went for each event, by the event's place.
    async fn deliver(
        &self,
        queue: &str,
        bodies: &[String],
        places: &[usize],
    ) -> Vec<(usize, PortResult<()>)> {
        let messages = places
            .iter()
            .filter_map(|place| bodies.get(*place))
            .map(|body| Outgoing {
                body: body.clone(),
                ..Outgoing::default()
            });
        match self.queues.send_batch(queue, messages.collect()).await {
            Ok(results) => places
                .iter()
                .copied()
                .zip(results.into_iter().map(|result| result.map(drop)))
                .collect(),
            Err(error) => {
                let fail =
                    || PortError::new(error.kind, format!("sending to {queue}: {}", error.chain()));
                places.iter().map(|place| (*place, Err(fail()))).collect()
            }
        }
    }
}

#[async_trait]
impl Bus for EmbeddedBus {
    async fn put(&self, events: &[BusEvent]) -> PortResult<Vec<PortResult<()>>> {
        if events.len() > PUT_MAX {
            return Err(PortError::new(
                ErrorKind::Permanent,
                format!(
                    "{} events in one call, over the limit of {PUT_MAX}",
                    events.len()
                ),
            ));
        }
        let bodies: Vec<String> = events
            .iter()
            .map(|event| envelope(&new_ulid(&*self.clock, &*self.random), event))
            .collect();
        let mut by_queue: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (place, event) in events.iter().enumerate() {
            for queue in targets(&event.source, &event.detail_type) {
                by_queue.entry(queue).or_default().push(place);
            }
        }
        let deliveries = by_queue
            .iter()
            .map(|(queue, places)| self.deliver(queue, &bodies, places));
        let mut results: Vec<PortResult<()>> = events.iter().map(|_| Ok(())).collect();
        for (place, outcome) in join_all(deliveries).await.into_iter().flatten() {
            if let (Some(slot), Err(error)) = (results.get_mut(place), outcome) {
                *slot = Err(error);
            }
        }
        Ok(results)
    }
}
