//! Looking at dead letters: which there are, what each is about and why it died. Nothing is
//! changed, but a look may cost receives: it says so.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::domain::bus::{dead_letter_queue, source_of};
use crate::domain::dead_letter::{
    Layer, NO_REASON, Sighting, UNKNOWN, archived_layer, body_layers, consumer_of, last_failure,
    payment_of,
};
use crate::domain::event::Event;
use crate::domain::id::PaymentId;
use crate::domain::payment::Payment;
use crate::domain::privacy::Privacy;
use crate::domain::work_item::{archive_key, attribute};
use crate::port::{
    Archive, Browsed, PaymentStore, PortError, PortResult, Ports, QueueAdmin, Received,
};

/// Dead letters whose timelines are read at once.
const AT_ONCE: usize = 16;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    pub queue: String,
    pub message: Received,
    pub payment: Option<PaymentId>,
    pub class: String,
    pub reason: String,
    pub first_seen: Timestamp,
    /// How often it was received: by its consumer, if that wrote it down.
    pub receive_count: u32,
    /// When the queue drops it, if the queue service says for how long messages are kept.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}

impl DeadLetter {
    #[must_use]
    pub fn sighting(&self) -> Sighting<'_> {
        Sighting {
            message_id: &self.message.message_id,
            class: &self.class,
            reason: &self.reason,
            consumer: consumer_of(&self.message.attributes),
            at: self.first_seen,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetterList {
    pub letters: Vec<DeadLetter>,
    pub complete: bool,
    /// Why they may not be, queue by queue.
    pub doubts: Vec<String>,
    pub receives_spent: u64,
    /// For how long each was hidden from others at most.
    pub hidden: Duration,
    /// Groups of FIFO queues of which nothing could be received meanwhile.
    pub groups_locked: u64,
}

/// One dead letter with everything that is known of it, masked.
#[derive(Clone, Debug)]
pub struct DeadLetterContents {
    /// Its body from the outside in, and the archived request.
    pub layers: Vec<Layer>,
    pub payment: Option<Payment>,
    pub events: Vec<Event>,
}

#[derive(Debug, thiserror::Error)]
pub enum DeadLettersError {
    /// Not a dead-letter queue, nor a queue that has one.
    #[error("{queue} has no dead-letter queue")]
    NotADeadLetterQueue { queue: String, known: Vec<String> },
    #[error("cannot read the dead letters")]
    Port(#[from] PortError),
}

#[derive(Clone)]
pub struct DeadLetters {
    pub queue_admin: Arc<dyn QueueAdmin>,
    pub store: Arc<dyn PaymentStore>,
    pub archive: Arc<dyn Archive>,
}

impl From<&Ports> for DeadLetters {
    fn from(ports: &Ports) -> Self {
        Self {
            queue_admin: Arc::clone(&ports.queue_admin),
            store: Arc::clone(&ports.store),
            archive: Arc::clone(&ports.archive),
        }
    }
}

impl DeadLetters {
    /// The dead-letter queues: all, or the one that `queue` (or its source) names.
    pub async fn queues(&self, queue: Option<&str>) -> Result<Vec<String>, DeadLettersError> {
        let names = self.queue_admin.names().await?;
        let known: Vec<String> = names
            .into_iter()
            .filter(|name| source_of(name).is_some())
            .collect();
        let Some(queue) = queue else { return Ok(known) };
        let wanted = dead_letter_queue(source_of(queue).as_deref().unwrap_or(queue));
        if known.contains(&wanted) {
            return Ok(vec![wanted]);
        }
        Err(DeadLettersError::NotADeadLetterQueue {
            queue: queue.to_owned(),
            known,
        })
    }

    /// Looks into `queues`, at most `limit` messages of each.
    pub async fn look(&self, queues: &[String], limit: usize) -> PortResult<DeadLetterList> {
        let mut out = DeadLetterList {
            complete: true,
            ..DeadLetterList::default()
        };
        for queue in queues {
            let retention = self
                .queue_admin
                .stats(queue)
                .await?
                .retention
                .and_then(|kept| SignedDuration::try_from(kept).ok());
            let Browsed {
                messages,
                complete,
                doubt,
                receives_spent,
                hidden,
                groups_locked,
            } = self.queue_admin.browse(queue, limit).await?;
            out.complete &= complete;
            out.doubts
                .extend(doubt.map(|doubt| format!("{queue}: {doubt}")));
            out.receives_spent = out.receives_spent.saturating_add(receives_spent);
            out.hidden = out.hidden.max(hidden);
            out.groups_locked = out.groups_locked.saturating_add(groups_locked);
            let letters = stream::iter(messages)
                .map(|message| self.letter(queue, message, retention))
                .buffered(AT_ONCE);
            out.letters
                .extend(letters.try_collect::<Vec<DeadLetter>>().await?);
        }
        Ok(out)
    }

    /// The dead letter of that id, looked for in `queues` among at most `limit` of each.
    pub async fn find(
        &self,
        queues: &[String],
        message_id: &str,
        limit: usize,
    ) -> PortResult<Option<DeadLetter>> {
        for queue in queues {
            let seen = self.look(std::slice::from_ref(queue), limit).await?;
            if let Some(letter) = seen
                .letters
                .into_iter()
                .find(|letter| letter.message.message_id == message_id)
            {
                return Ok(Some(letter));
            }
        }
        Ok(None)
    }

    /// Decodes a dead letter down to the archived request, and reads its payment.
    pub async fn open(
        &self,
        letter: &DeadLetter,
        privacy: Privacy,
    ) -> PortResult<DeadLetterContents> {
        let mut out = DeadLetterContents {
            layers: body_layers(&letter.message.body, privacy),
            payment: None,
            events: Vec::new(),
        };
        if let Some(id) = &letter.payment {
            let key = archive_key(id);
            out.layers.push(archived_layer(
                &key,
                self.archive.get(&key).await?.as_deref(),
                privacy,
            ));
            out.payment = self.store.get(id).await?;
            out.events = self.store.events(id).await?;
        }
        Ok(out)
    }

    async fn letter(
        &self,
        queue: &str,
        message: Received,
        retention: Option<SignedDuration>,
    ) -> PortResult<DeadLetter> {
        let attribute = |name: &str| {
            message
                .attributes
                .get(name)
                .filter(|value| !value.is_empty())
                .cloned()
        };
        let payment = payment_of(&message.body);
        let mut class = attribute(attribute::CLASS);
        let mut reason = attribute(attribute::REASON);
        if let (None, Some(id)) = (&reason, &payment) {
            // The queue service gave up on it and not our consumer: the timeline may know why.
            if let Some((last_class, last_reason)) = last_failure(&self.store.events(id).await?) {
                reason = Some(last_reason);
                class = class.or(last_class);
            }
        }
        let first_seen = attribute(attribute::FIRST_SEEN).and_then(|at| at.parse().ok());
        Ok(DeadLetter {
            queue: queue.to_owned(),
            class: class.unwrap_or_else(|| UNKNOWN.to_owned()),
            reason: reason.unwrap_or_else(|| NO_REASON.to_owned()),
            first_seen: first_seen.unwrap_or(message.sent_at),
            receive_count: attribute(attribute::RECEIVES)
                .and_then(|count| count.parse().ok())
                .unwrap_or(message.receive_count),
            payment,
            expires_at: retention.and_then(|kept| message.sent_at.checked_add(kept).ok()),
            message,
        })
    }
}
