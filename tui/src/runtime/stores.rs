//! Questions about payments, dead letters and the audit.

use futures::future::try_join;
use payops_core::domain::id::PaymentId;
use payops_core::domain::privacy::Privacy;
use payops_core::port::{Clock, ErrorKind, PortError, PortResult};
use payops_core::usecase::{DeadLetters, DeadLettersError, PaymentSearch, SearchError};

use crate::effect::Ask;
use crate::environments::Opened;
use crate::fault::Fault;
use crate::msg::{Answer, PaymentSeen};

/// Payments that a search shows at most.
pub(crate) const HITS_MAX: usize = 500;
/// Dead letters that a look shows at most, of each queue.
const LETTERS_MAX: usize = 10_000;
/// Entries of the audit that are shown at most.
const AUDIT_MAX: usize = 1_000;

/// Answers a question; personal data leaves here masked or is masked when it is drawn.
pub(super) async fn answer(opened: PortResult<Opened>, ask: Ask, clock: &dyn Clock) -> Answer {
    match ask {
        Ask::DeadLetters { queue } => Answer::DeadLetters(
            async {
                let letters = DeadLetters::from(&opened?.ports);
                let queues = letters.queues(queue.as_deref()).await.map_err(not_read)?;
                letters.look(&queues, LETTERS_MAX).await
            }
            .await
            .map_err(Fault::from),
        ),
        Ask::DeadLetter(letter) => {
            let read = async {
                DeadLetters::from(&opened?.ports)
                    .open(&letter, Privacy::default())
                    .await
            };
            Answer::Letter(read.await.map(Box::new).map_err(Fault::from))
        }
        Ask::Search { text } => {
            let read = async {
                PaymentSearch::from(&opened?.ports)
                    .run(&text, clock.now(), HITS_MAX)
                    .await
                    .map_err(not_found)
            };
            Answer::Search(read.await.map(Box::new).map_err(Fault::from))
        }
        Ask::Payment(id) => Answer::Payment(
            async { payment(&opened?, &id).await }
                .await
                .map_err(Fault::from),
        ),
        Ask::Audit => Answer::Audit(
            async { opened?.audit.newest(AUDIT_MAX).await }
                .await
                .map_err(Fault::from),
        ),
        _ => Answer::Audit(Err(Fault::new(
            ErrorKind::Permanent,
            "this question is not for the stores",
        ))),
    }
}

async fn payment(opened: &Opened, id: &PaymentId) -> PortResult<Option<Box<PaymentSeen>>> {
    let store = &opened.ports.store;
    let (payment, events) = try_join(store.get(id), store.events(id)).await?;
    Ok(payment.map(|payment| Box::new(PaymentSeen { payment, events })))
}

fn not_read(error: DeadLettersError) -> PortError {
    match error {
        DeadLettersError::Port(error) => error,
        DeadLettersError::NotADeadLetterQueue { .. } => {
            PortError::new(ErrorKind::NotFound, error.to_string())
        }
    }
}

fn not_found(error: SearchError) -> PortError {
    match error {
        SearchError::Port(error) => error,
        SearchError::Query(error) => {
            PortError::because(ErrorKind::Permanent, "this is not a query", error)
        }
    }
}
