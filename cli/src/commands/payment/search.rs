//! `payops payment search` and `list`: the search index, and the primary store where the index
//! may be behind.

use clap::Args;
use jiff::Timestamp;
use payops_core::domain::doc::PaymentDoc;
use payops_core::domain::money::major;
use payops_core::domain::search::{FIELDS, QueryError, SearchQuery};
use payops_core::port::{Freshness, Ports};
use payops_core::usecase::{PaymentSearch, SearchError, SearchResult};
use serde::Serialize;

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::output::{Cell, Column, Look, Of, Row, Table, Tone, count};
use payops_core::domain::privacy::Privacy;

/// `payops payment search`
#[derive(Clone, Debug, Args)]
pub(crate) struct SearchArgs {
    /// Words and `field:value`, joined by AND; `-` in front of one turns it round
    #[arg(required_unless_present = "fields")]
    query: Vec<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// List the fields that a query can ask, and what each takes
    #[arg(long)]
    fields: bool,
}

/// `payops payment list`
#[derive(Clone, Debug, Args)]
pub(crate) struct ListArgs {
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
}

/// A payment that was found. Amounts are integers in minor units of `currency`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Hit {
    id: String,
    status: &'static str,
    amount: i64,
    currency: &'static str,
    version: u64,
    reference: Option<String>,
    merchant: String,
    live: bool,
    email: String,
    brand: Option<String>,
    last4: Option<String>,
    failure: Option<String>,
    dead: bool,
    refunded: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
    #[serde(skip)]
    amount_text: String,
}

impl Hit {
    fn new(doc: &PaymentDoc, privacy: Privacy) -> Self {
        Self {
            id: doc.id.to_string(),
            status: doc.status.as_str(),
            amount: doc.amount_minor,
            currency: doc.currency.code(),
            version: doc.version,
            reference: doc
                .reference
                .as_deref()
                .map(|reference| privacy.text(reference)),
            merchant: doc.merchant.to_string(),
            live: doc.live,
            email: privacy.email(&doc.email),
            brand: doc.brand.clone(),
            last4: doc.last4.clone(),
            failure: doc.failure.clone(),
            dead: doc.dead,
            refunded: doc.refunded_minor,
            created_at: doc.created_at,
            updated_at: doc.updated_at,
            amount_text: major(doc.amount_minor, doc.currency),
        }
    }
}

impl Row for Hit {
    const FIELDS: &'static [&'static str] = &[
        "id",
        "status",
        "amount",
        "currency",
        "version",
        "reference",
        "merchant",
        "live",
        "email",
        "brand",
        "last4",
        "failure",
        "dead",
        "refunded",
        "created_at",
        "updated_at",
    ];
    const COLUMNS: &'static [Column] = &[
        Column::text("PAYMENT"),
        Column::text("STATUS"),
        Column::number("AMOUNT"),
        Column::text("CUR"),
        Column::text("REFERENCE"),
        Column::text("EMAIL"),
        Column::number("AGE"),
        Column::text("CARD").wide(),
        Column::text("FAILURE").wide(),
        Column::text("MERCHANT").wide(),
        Column::number("CHANGED").wide(),
    ];

    fn cells(&self, look: &Look) -> Vec<Cell> {
        let status = if self.dead {
            format!("{} (dead)", self.status)
        } else {
            self.status.to_owned()
        };
        let tone = Tone::of_status(if self.dead { "dead" } else { self.status });
        let card = self
            .brand
            .as_ref()
            .zip(self.last4.as_ref())
            .map(|(brand, last4)| format!("{brand} …{last4}"));
        vec![
            Cell::from(&self.id),
            Cell::toned(status, tone),
            Cell::from(&self.amount_text),
            Cell::from(self.currency),
            Cell::maybe(self.reference.as_ref()),
            Cell::from(&self.email),
            Cell::from(look.ago(self.created_at)),
            Cell::maybe(card),
            Cell::maybe(self.failure.as_ref()),
            Cell::from(&self.merchant),
            Cell::from(look.ago(self.updated_at)),
        ]
    }
}

/// A field that a query can ask: `{"field":…,"takes":…}`.
#[derive(Clone, Debug, Serialize)]
struct Field {
    field: &'static str,
    takes: &'static str,
}

impl Row for Field {
    const FIELDS: &'static [&'static str] = &["field", "takes"];
    const COLUMNS: &'static [Column] = &[Column::text("FIELD"), Column::text("TAKES")];

    fn cells(&self, _: &Look) -> Vec<Cell> {
        vec![Cell::from(self.field), Cell::from(self.takes)]
    }
}

/// Runs `payops payment search`.
pub(crate) async fn run(context: &Context, args: &SearchArgs) -> CliResult<Exit> {
    if args.fields {
        let fields: Vec<Of<Field>> = FIELDS
            .iter()
            .map(|(field, takes)| Of {
                env: String::new(),
                value: Field { field, takes },
            })
            .collect();
        context.printer.list(&fields, false)?;
        return Ok(Exit::Done);
    }
    search(context, &minus(&args.query.join(" ")), args.limit).await
}

/// Runs `payops payment list`.
pub(crate) async fn list(context: &Context, args: &ListArgs) -> CliResult<Exit> {
    search(context, "", args.limit).await
}

fn not_a_query(error: QueryError) -> CliError {
    CliError::usage("this is not a query")
        .because(error)
        .hint("payops payment search --fields lists what can be asked")
}

async fn search(context: &Context, text: &str, limit: usize) -> CliResult<Exit> {
    // A mistake is told once, not once for each environment.
    SearchQuery::parse(text, Context::now()).map_err(not_a_query)?;
    let fan = context.each_env(|target, ports| async move {
        let docs = in_one(context, &target.name, &ports, text, limit).await?;
        Ok(docs
            .iter()
            .map(|doc| Hit::new(doc, context.privacy))
            .collect::<Vec<Hit>>())
    });
    let fan = fan.await?;
    let (exit, many) = (fan.exit(&context.talk), fan.many);
    context.printer.list(&fan.rows(), many)?;
    Ok(exit)
}

async fn in_one(
    context: &Context,
    env: &str,
    ports: &Ports,
    text: &str,
    limit: usize,
) -> CliResult<Vec<PaymentDoc>> {
    let found = PaymentSearch::from(ports)
        .run(text, Context::now(), limit)
        .await
        .map_err(|error| match error {
            SearchError::Query(error) => not_a_query(error),
            SearchError::Port(error) => CliError::port("the search index did not answer", error),
        })?;
    let shown = u64::try_from(found.docs.len()).unwrap_or(u64::MAX);
    let more = if found.total > shown {
        format!(", the newest {shown} shown")
    } else {
        String::new()
    };
    let from_index = if found.from_store { 0 } else { found.total };
    context.talk.say(format!(
        "{env}: {} found{more}; {}",
        count(from_index, "payment"),
        told(&found.freshness, &context.printer.look)
    ));
    if found.from_store {
        context
            .talk
            .say("the index has not heard of it yet; the primary store answered");
    } else if found.total == 0 {
        explain(context, &found);
    }
    Ok(found.docs)
}

fn told(freshness: &Freshness, look: &Look) -> String {
    let newest = freshness.newest.map_or_else(
        || "empty".to_owned(),
        |newest| format!("newest change {} ago", look.ago(newest)),
    );
    format!(
        "{} answered, {}, {newest}",
        freshness.store,
        count(freshness.documents, "document")
    )
}

/// Says why nothing was found: how many payments each part of the query has by itself.
fn explain(context: &Context, found: &SearchResult) {
    if found.freshness.documents == 0 {
        context
            .talk
            .say("the index is empty: no payment has been written to it yet");
    } else if found.parts.is_empty() {
        context
            .talk
            .say("no payment is so; a field takes the start of a value, such as reference:INV-");
    } else {
        let mut table = Table::new([
            Column::text("PART OF THE QUERY, ALONE"),
            Column::number("PAYMENTS"),
        ]);
        for (part, total) in &found.parts {
            table.row([
                Cell::from(context.privacy.text(part)),
                Cell::from(total.to_string()),
            ]);
        }
        context.talk.say(format!(
            "no payment has all of it:\n{}",
            table.render(&Look {
                color: false,
                ..context.printer.look.clone()
            })
        ));
    }
}

/// A minus that the command line's parser does not take for an option. See [`shield`].
const MINUS: char = '\u{2212}';

/// Makes an argument such as `-status:failed` one that is no option: a dash, a field and a colon.
pub(crate) fn shield(argument: std::ffi::OsString) -> std::ffi::OsString {
    let rest = argument.to_str().and_then(|text| text.strip_prefix('-'));
    let field = rest.and_then(|rest| Some((rest, rest.split_once(':')?.0)));
    match field {
        Some((rest, field)) if FIELDS.iter().any(|(known, _)| *known == field) => {
            format!("{MINUS}{rest}").into()
        }
        _ => argument,
    }
}

/// Gives every word its own minus back.
fn minus(text: &str) -> String {
    text.split(' ')
        .map(|word| {
            word.strip_prefix(MINUS)
                .map_or_else(|| word.to_owned(), |rest| format!("-{rest}"))
        })
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use payops_testkit::sample;

    #[test]
    fn hits_are_masked_and_line_up() {
        let hit = Hit::new(&sample::doc(7), Privacy { reveal: false });
        insta::assert_json_snapshot!(hit);
        let rows = [
            Of {
                env: "prod".to_owned(),
                value: hit.clone(),
            },
            Of {
                env: "test".to_owned(),
                value: Hit { dead: true, ..hit },
            },
        ];
        let columns = [Column::text("ENV")]
            .into_iter()
            .chain(Hit::COLUMNS.iter().copied());
        let mut table = Table::new(columns);
        for row in &rows {
            table.row(
                [Cell::from(&row.env)]
                    .into_iter()
                    .chain(row.value.cells(&Look::plain())),
            );
        }
        insta::assert_snapshot!(table.render(&Look::plain()));
    }

    #[test]
    fn negated_fields_are_no_options() {
        let shielded = ["-status:failed", "-o", "--limit", "-x:1", "a"]
            .map(|text| shield(text.into()).into_string().expect("UTF-8"));
        assert_eq!(
            shielded,
            ["\u{2212}status:failed", "-o", "--limit", "-x:1", "a"]
        );
        assert_eq!(minus(&format!("{} b", shielded[0])), "-status:failed b");
    }
}
