//! The payment search.

use payops_core::Timestamp;
use payops_core::domain::doc::PaymentDoc;
use payops_core::usecase::SearchResult;

use super::{Cursor, Filter, ItemKey, Model, Pane};

#[derive(Debug, Default)]
pub(crate) struct PaymentsState {
    pub(crate) results: Pane<SearchResult>,
    /// Environment and text of the last search that was sent.
    pub(crate) sent_query: Option<(String, String)>,
    /// Environment and text that `results` answer.
    pub(crate) answered_query: Option<(String, String)>,
    /// The text as it was last seen, and since when.
    pub(crate) last_edit: Option<(String, Timestamp)>,
    /// Why the text is not searched for.
    pub(crate) problem: Option<String>,
    pub(crate) filter: Filter,
    pub(crate) cursor: Cursor,
}

pub(crate) fn payment_item(doc: &PaymentDoc) -> ItemKey {
    ItemKey::from(format!("payment:{}", doc.id))
}

impl PaymentsState {
    pub(crate) fn docs(&self) -> &[PaymentDoc] {
        self.results
            .value()
            .map_or(&[], |found| found.docs.as_slice())
    }
}

impl Model {
    /// Whether the results answer the text in the box.
    pub(crate) fn search_is_current(&self) -> bool {
        let matches = |(env, text): &(String, String)| {
            Some(env) == self.open_env().as_ref() && text == self.payments.filter.text()
        };
        self.payments.answered_query.as_ref().is_some_and(matches)
    }
}
