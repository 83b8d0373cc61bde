//! The notifier: every mail that a payment owes goes out, and one whose fate is unknown is sent
//! again at most once.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::consume::Handler;
use super::project::note_dead;
use crate::domain::bus::NOTIFICATIONS;
use crate::domain::event::{Event, EventKind, NewEvent, Note};
use crate::domain::id::PaymentId;
use crate::domain::limits::PaymentLimits;
use crate::domain::mail::{Mail, owed_mails};
use crate::domain::work_item::{HandlerOutcome, parse};
use crate::port::{Clock, ErrorKind, Mailer, Noted, PaymentStore, PortError, PortResult, Received};

#[derive(Clone)]
pub struct Notifier {
    pub store: Arc<dyn PaymentStore>,
    pub mailer: Arc<dyn Mailer>,
    pub clock: Arc<dyn Clock>,
    pub limits: PaymentLimits,
}

#[async_trait]
impl Handler for Notifier {
    async fn handle(&self, message: &Received) -> HandlerOutcome {
        match parse(&message.body) {
            Ok(item) => self.notify(item.payment()).await,
            Err(error) => HandlerOutcome::Dead {
                class: error.class().to_owned(),
                reason: error.to_string(),
            },
        }
    }

    async fn mark_dead(&self, message: &Received, class: &str, reason: &str) -> PortResult<()> {
        note_dead(
            &*self.store,
            &*self.clock,
            NOTIFICATIONS,
            message,
            class,
            reason,
        )
        .await
    }
}

#[derive(Default)]
struct Tries {
    tried: u64,
    refused: u64,
    closed: bool,
    /// When the last try was made, unless its refusal is known.
    open_since: Option<crate::Timestamp>,
}

fn retry(what: &str, error: &PortError) -> HandlerOutcome {
    HandlerOutcome::Retry {
        class: format!("{what}_{}", error.class()),
        reason: format!("{what}: {}", error.chain()),
        after: None,
    }
}

impl Notifier {
    /// Sends every mail that the payment owes and that has not gone out.
    pub async fn notify(&self, id: &PaymentId) -> HandlerOutcome {
        let payment = match self.store.get(id).await {
            Ok(Some(payment)) => payment,
            Ok(None) => {
                return HandlerOutcome::Retry {
                    class: "orphan".to_owned(),
                    reason: format!("no payment {id}"),
                    after: None,
                };
            }
            Err(error) => return retry("store", &error),
        };
        let events = match self.store.events(id).await {
            Ok(events) => events,
            Err(error) => return retry("store", &error),
        };
        for mail in owed_mails(&payment) {
            let outcome = self.send(id, &mail, &tries(&events, &mail)).await;
            if outcome != HandlerOutcome::Done {
                return outcome;
            }
        }
        HandlerOutcome::Done
    }

    async fn send(&self, id: &PaymentId, mail: &Mail, tries: &Tries) -> HandlerOutcome {
        if tries.closed {
            return HandlerOutcome::Done;
        }
        // Another notifier may be sending it at this moment (the event came twice, or two events of
        // one payment): only a try that is older than a lease counts as one whose fate is unknown.
        let now = self.clock.now();
        if tries
            .open_since
            .is_some_and(|since| now.duration_since(since) < self.limits.lease)
        {
            let reason = "it is being sent, or its outcome is not known yet".to_owned();
            return HandlerOutcome::Retry {
                class: "leased".to_owned(),
                reason,
                after: None,
            };
        }
        let next = tries.tried.saturating_add(1);
        if tries.tried.saturating_sub(tries.refused) >= u64::from(self.limits.mail_tries_max) {
            let note = self.note(
                mail,
                EventKind::MailUnconfirmed,
                "unconfirmed",
                json!({"tries": tries.tried}),
            );
            return self
                .write_note(id, &note)
                .await
                .map_or_else(|error| retry("store", &error), |_| HandlerOutcome::Done);
        }
        // Written before the mail goes: a crash after it counts as a try whose fate is unknown.
        let attempt = self.note(
            mail,
            EventKind::MailAttempt,
            &format!("try:{next}"),
            json!({"try": next}),
        );
        match self.write_note(id, &attempt).await {
            Ok(Noted::Written) => {}
            Ok(_) => {
                return HandlerOutcome::Retry {
                    class: "contended".to_owned(),
                    reason: "another notifier is sending it".to_owned(),
                    after: None,
                };
            }
            Err(error) => return retry("store", &error),
        }
        match self.mailer.send(mail).await {
            Ok(message_id) => {
                let done = self.note(
                    mail,
                    mail.kind.event(),
                    "sent",
                    json!({"message_id": message_id, "try": next}),
                );
                self.write_note(id, &done)
                    .await
                    .map_or_else(|error| retry("store", &error), |_| HandlerOutcome::Done)
            }
            Err(error) if error.kind == ErrorKind::Ambiguous => retry("mail", &error),
            Err(error) => {
                let refused = self.note(
                    mail,
                    EventKind::MailRefused,
                    &format!("refused:{next}"),
                    json!({"try": next, "why": error.chain()}),
                );
                if let Err(error) = self.write_note(id, &refused).await {
                    return retry("store", &error);
                }
                if error.kind == ErrorKind::Permanent {
                    return HandlerOutcome::Dead {
                        class: "mail_permanent".to_owned(),
                        reason: format!("mail: {}", error.chain()),
                    };
                }
                retry("mail", &error)
            }
        }
    }

    fn note(&self, mail: &Mail, kind: EventKind, what: &str, mut detail: Value) -> Note {
        let base = base(mail);
        if let Some(members) = detail.as_object_mut() {
            members.insert("mail".to_owned(), json!(base));
        }
        Note {
            once: format!("{base}:{what}"),
            event: NewEvent::new(self.clock.now(), kind, detail),
        }
    }

    async fn write_note(&self, id: &PaymentId, note: &Note) -> PortResult<Noted> {
        self.store.note(id, note).await
    }
}

fn base(mail: &Mail) -> String {
    format!("mail:{}:{}", mail.kind.as_str(), mail.name)
}

fn tries(events: &[Event], mail: &Mail) -> Tries {
    let base = base(mail);
    let ours = events
        .iter()
        .filter(|event| event.detail.get("mail").and_then(Value::as_str) == Some(base.as_str()));
    let mut tries = Tries::default();
    for event in ours {
        match event.kind {
            EventKind::MailAttempt => {
                tries.tried = tries.tried.saturating_add(1);
                tries.open_since = Some(event.at);
            }
            EventKind::MailRefused => {
                tries.refused = tries.refused.saturating_add(1);
                tries.open_since = None;
            }
            _ => tries.closed = true,
        }
    }
    tries
}
