//! What can be asked of one snapshot of the index.

use std::collections::BTreeMap;

use payops_core::domain::doc::PaymentDoc;
use payops_core::domain::id::PaymentId;
use payops_core::domain::search::SearchQuery;
use payops_core::port::{ErrorKind, Freshness, Hits, IndexPage, PortError, PortResult};
use tantivy::collector::{Count, TopDocs};
use tantivy::query::AllQuery;
use tantivy::schema::IndexRecordOption;
use tantivy::{
    DocAddress, DocSet as _, Order, Searcher, SegmentReader, TERMINATED, TantivyDocument,
};

use super::error::{file_error, port_error};
use super::fields::{Fields, UPDATED, newest_first};
use super::query::to_native;

/// The most documents that one page of a scan may hold, whatever was asked for.
const PAGE_MAX: usize = 10_000;

/// Documents that `query` holds for, newest first.
pub(super) fn search(
    searcher: &Searcher,
    fields: &Fields,
    query: &SearchQuery,
    offset: usize,
    limit: usize,
) -> PortResult<Hits> {
    let fail = |error| port_error("be searched", error);
    let query = to_native(fields, query);
    let total = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    // The collector sets room aside for all that it skips and gives, and no more can be found than
    // there is.
    let there = usize::try_from(searcher.num_docs()).unwrap_or(usize::MAX);
    let limit = limit.min(there.saturating_sub(offset));
    if limit == 0 {
        let count = searcher.search(&query, &Count).map_err(fail)?;
        return Ok(Hits {
            docs: Vec::new(),
            total: total(count),
        });
    }
    let top = TopDocs::with_limit(limit)
        .and_offset(offset)
        .order_by(newest_first);
    let (count, hits) = searcher.search(&query, &(Count, top)).map_err(fail)?;
    let docs = hits
        .into_iter()
        .map(|(_, address)| load(searcher, fields, address))
        .collect::<PortResult<_>>()?;
    Ok(Hits {
        docs,
        total: total(count),
    })
}

pub(super) fn of_payments(
    searcher: &Searcher,
    fields: &Fields,
    payments: &[PaymentId],
) -> PortResult<Vec<PaymentDoc>> {
    let mut docs = Vec::with_capacity(payments.len());
    let mut payments: Vec<&PaymentId> = payments.iter().collect();
    payments.sort();
    payments.dedup();
    for payment in payments {
        for address in addresses(searcher, fields, payment)? {
            docs.push(load(searcher, fields, address)?);
        }
    }
    Ok(docs)
}

/// A page in order of id, walked through the sorted term dictionaries of the segments: its cost
/// does not depend on how far into the index it is. All documents of one id come in one page, so
/// that one with several of them may be longer than `limit`.
pub(super) fn scan(
    searcher: &Searcher,
    fields: &Fields,
    from: Option<&str>,
    limit: usize,
) -> PortResult<IndexPage> {
    let limit = limit.clamp(1, PAGE_MAX);
    let mut found: BTreeMap<Vec<u8>, Vec<DocAddress>> = BTreeMap::new();
    for (segment_ord, segment) in (0..).zip(searcher.segment_readers()) {
        first_ids(segment, segment_ord, fields, from, limit + 1, &mut found)?;
    }
    let mut docs: Vec<PaymentDoc> = Vec::with_capacity(limit.min(found.len()));
    for addresses in found.values() {
        if !docs.is_empty() && docs.len() + addresses.len() > limit {
            let next = docs.last().map(|doc| doc.id.as_str().to_owned());
            return Ok(IndexPage { docs, next });
        }
        for address in addresses {
            docs.push(load(searcher, fields, *address)?);
        }
    }
    Ok(IndexPage { docs, next: None })
}

fn first_ids(
    segment: &SegmentReader,
    segment_ord: u32,
    fields: &Fields,
    from: Option<&str>,
    count: usize,
    found: &mut BTreeMap<Vec<u8>, Vec<DocAddress>>,
) -> PortResult<()> {
    let fail = |error| file_error("be read", error);
    let index = segment
        .inverted_index(fields.id)
        .map_err(|error| port_error("be read", error))?;
    let range = index.terms().range();
    let mut ids = from
        .map_or(range, |from| index.terms().range().gt(from))
        .into_stream()
        .map_err(fail)?;
    let mut taken = 0;
    while taken < count && ids.advance() {
        let mut postings = index
            .read_postings_from_terminfo(ids.value(), IndexRecordOption::Basic)
            .map_err(fail)?;
        let mut live = false;
        while postings.doc() != TERMINATED {
            if !segment.is_deleted(postings.doc()) {
                found
                    .entry(ids.key().to_vec())
                    .or_default()
                    .push(DocAddress::new(segment_ord, postings.doc()));
                live = true;
            }
            postings.advance();
        }
        taken += usize::from(live);
    }
    Ok(())
}

pub(super) fn addresses(
    searcher: &Searcher,
    fields: &Fields,
    payment: &PaymentId,
) -> PortResult<Vec<DocAddress>> {
    let term = fields.id_term(payment);
    let mut found = Vec::new();
    for (segment_ord, segment) in (0..).zip(searcher.segment_readers()) {
        let index = segment
            .inverted_index(fields.id)
            .map_err(|error| port_error("be read", error))?;
        let postings = index
            .read_postings(&term, IndexRecordOption::Basic)
            .map_err(|error| file_error("be read", error))?;
        let Some(mut postings) = postings else {
            continue;
        };
        while postings.doc() != TERMINATED {
            if !segment.is_deleted(postings.doc()) {
                found.push(DocAddress::new(segment_ord, postings.doc()));
            }
            postings.advance();
        }
    }
    Ok(found)
}

/// How new the newest document is, and how many there are.
pub(super) fn freshness(searcher: &Searcher, fields: &Fields) -> PortResult<Freshness> {
    let newest = TopDocs::with_limit(1).order_by_fast_field::<i64>(UPDATED, Order::Desc);
    let found = searcher
        .search(&AllQuery, &newest)
        .map_err(|error| port_error("be searched", error))?;
    let newest = found
        .first()
        .map(|(_, address)| load(searcher, fields, *address))
        .transpose()?;
    Ok(Freshness {
        store: "tantivy",
        newest: newest.map(|doc| doc.updated_at),
        documents: searcher.num_docs(),
    })
}

fn load(searcher: &Searcher, fields: &Fields, address: DocAddress) -> PortResult<PaymentDoc> {
    let stored: TantivyDocument = searcher.doc(address).map_err(|error| {
        PortError::because(
            ErrorKind::Corrupt,
            "a document in the search index cannot be read",
            error,
        )
    })?;
    fields.payment_doc(&stored)
}
