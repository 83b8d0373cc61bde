//! `payops payment search` and `list`: the search index, and the primary store where the index
//! may be behind.

use clap::Args;
use jiff::Timestamp;
use payops_core::domain::doc::PaymentDoc;
use payops_core::domain::id::PaymentId;
use payops_core::domain::money::major;
use payops_core::domain::search::{FIELDS, Query, Term};
use payops_core::port::{Freshness, Ports};
use serde::Serialize;

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::output::{Cell, Column, Look, Of, Row, Table, Tone, count};
use crate::privacy::Privacy;

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
            reference: doc.reference.as_deref().map(|reference| privacy.text(reference)),
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
        let status = if self.dead { format!("{} (dead)", self.status) } else { self.status.to_owned() };
        let tone = Tone::of_status(if self.dead { "dead" } else { self.status });
        let card = self.brand.as_ref().zip(self.last4.as_ref()).map(|(brand, last4)| format!("{brand} …{last4}"));
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
        let fields: Vec<Of<Field>> = FIELDS.iter().map(|(field, takes)| Of { env: String::new(), value: Field { field, takes } }).collect();
        context.printer.list(&fields, false)?;
        return Ok(Exit::Done);
    }
    search(context, &minus(&args.query.join(" ")), args.limit).await
}

/// Runs `payops payment list`.
pub(crate) async fn list(context: &Context, args: &ListArgs) -> CliResult<Exit> {
    search(context, "", args.limit).await
}

async fn search(context: &Context, text: &str, limit: usize) -> CliResult<Exit> {
    let wrong =
        |error| CliError::usage("this is not a query").because(error).hint("payops payment search --fields lists what can be asked");
    let query = Query::parse(text, Context::now()).map_err(wrong)?;
    let fan = context.each_env(|target, ports| {
        let query = query.clone();
        async move {
            let docs = in_one(context, &target.name, &ports, &query, text, limit).await?;
            Ok(docs.iter().map(|doc| Hit::new(doc, context.privacy)).collect::<Vec<Hit>>())
        }
    });
    let fan = fan.await?;
    let (exit, many) = (fan.exit(&context.talk), fan.many);
    context.printer.list(&fan.rows(), many)?;
    Ok(exit)
}

async fn in_one(context: &Context, env: &str, ports: &Ports, query: &Query, text: &str, limit: usize) -> CliResult<Vec<PaymentDoc>> {
    let failed = |error| CliError::port("the search index did not answer", error);
    let hits = ports.index.search(query, 0, limit).await.map_err(failed)?;
    let freshness = ports.index.freshness().await.map_err(failed)?;
    let shown = u64::try_from(hits.docs.len()).unwrap_or(u64::MAX);
    let more = if hits.total > shown { format!(", the newest {shown} shown") } else { String::new() };
    context.talk.say(format!("{env}: {} found{more}; {}", count(hits.total, "payment"), told(&freshness, &context.printer.look)));
    if hits.total > 0 {
        return Ok(hits.docs);
    }
    let in_store = from_store(ports, text).await?;
    if in_store.is_empty() {
        explain(context, ports, query, &freshness).await?;
    } else {
        context.talk.say("the index has not heard of it yet; the primary store answered");
    }
    Ok(in_store)
}

fn told(freshness: &Freshness, look: &Look) -> String {
    let newest = freshness.newest.map_or_else(|| "empty".to_owned(), |newest| format!("newest change {} ago", look.ago(newest)));
    format!("{} answered, {}, {newest}", freshness.store, count(freshness.documents, "document"))
}

/// Payments whose whole id stands in the query: the primary store knows them before the index does.
async fn from_store(ports: &Ports, text: &str) -> CliResult<Vec<PaymentDoc>> {
    let ids: Vec<PaymentId> = text.split_whitespace().filter_map(|word| word.strip_prefix("id:").unwrap_or(word).parse().ok()).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let payments = ports.store.get_many(&ids).await.map_err(|error| CliError::port("the payment could not be read", error))?;
    let query = Query::parse(text, Context::now()).unwrap_or_default();
    Ok(payments.iter().map(PaymentDoc::from).filter(|doc| query.matches(doc)).collect())
}

/// Says why nothing was found: how many payments each part of the query has by itself.
async fn explain(context: &Context, ports: &Ports, query: &Query, freshness: &Freshness) -> CliResult<()> {
    if freshness.documents == 0 {
        context.talk.say("the index is empty: no payment has been written to it yet");
        return Ok(());
    }
    if query.clauses.len() < 2 {
        context.talk.say("no payment is so; a field takes the start of a value, such as reference:INV-");
        return Ok(());
    }
    let mut table = Table::new([Column::text("PART OF THE QUERY, ALONE"), Column::number("PAYMENTS")]);
    for clause in &query.clauses {
        let alone = Query { clauses: vec![clause.clone()] };
        let hits = ports.index.search(&alone, 0, 1).await.map_err(|error| CliError::port("the search index did not answer", error))?;
        let not = if clause.negated { "not: " } else { "" };
        table.row([Cell::from(context.privacy.text(&format!("{not}{}", described(&clause.term)))), Cell::from(hits.total.to_string())]);
    }
    context.talk.say(format!("no payment has all of it:\n{}", table.render(&Look { color: false, ..context.printer.look.clone() })));
    Ok(())
}

/// A minus that the command line's parser does not take for an option. See [`shield`].
const MINUS: char = '\u{2212}';

/// Makes an argument such as `-status:failed` one that is no option: a dash, a field and a colon.
pub(crate) fn shield(argument: std::ffi::OsString) -> std::ffi::OsString {
    let rest = argument.to_str().and_then(|text| text.strip_prefix('-'));
    let field = rest.and_then(|rest| Some((rest, rest.split_once(':')?.0)));
    match field {
        Some((rest, field)) if FIELDS.iter().any(|(known, _)| *known == field) => format!("{MINUS}{rest}").into(),
        _ => argument,
    }
}

/// Gives every word its own minus back.
fn minus(text: &str) -> String {
    text.split(' ')
        .map(|word| word.strip_prefix(MINUS).map_or_else(|| word.to_owned(), |rest| format!("-{rest}")))
        .collect::<Vec<_>>()
        .join(" ")
}

/// A part of a query in words.
fn described(term: &Term) -> String {
    match term {
        Term::Id(start) => format!("id starts with {start}"),
        Term::Email(start) => format!("email starts with {start}"),
        Term::Last4(last4) => format!("card ends with {last4}"),
        Term::Reference(start) => format!("reference starts with {start}"),
        Term::Status(status) => format!("status is {status}"),
        Term::Amount { min, max } if min == max => format!("amount is {min} minor units"),
        Term::Amount { min, max: i64::MAX } => format!("amount is at least {min} minor units"),
        Term::Amount { min, max } => format!("amount is {min} to {max} minor units"),
        Term::Currency(currency) => format!("currency is {currency}"),
        Term::Merchant(merchant) => format!("merchant is {merchant}"),
        Term::Created { from, to } if *to == Timestamp::MAX => format!("created at {from} or later"),
        Term::Created { from, to } if *from == Timestamp::MIN => format!("created before {to}"),
        Term::Created { from, to } => format!("created from {from} until before {to}"),
        Term::Failure(code) => format!("failure is {code}"),
        Term::Dead(dead) => format!("dead is {dead}"),
        Term::Live(live) => format!("live is {live}"),
        Term::Any(terms) => terms.iter().map(described).collect::<Vec<_>>().join(", or "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use payops_testkit::sample;

    #[test]
    fn hits_are_masked_and_line_up() {
        let hit = Hit::new(&sample::doc(7), Privacy { reveal: false });
        insta::assert_json_snapshot!(hit);
        let rows = [Of { env: "prod".to_owned(), value: hit.clone() }, Of { env: "test".to_owned(), value: Hit { dead: true, ..hit } }];
        let columns = [Column::text("ENV")].into_iter().chain(Hit::COLUMNS.iter().copied());
        let mut table = Table::new(columns);
        for row in &rows {
            table.row([Cell::from(&row.env)].into_iter().chain(row.value.cells(&Look::plain())));
        }
        insta::assert_snapshot!(table.render(&Look::plain()));
    }

    #[test]
    fn negated_fields_are_no_options() {
        let shielded = ["-status:failed", "-o", "--limit", "-x:1", "a"].map(|text| shield(text.into()).into_string().expect("UTF-8"));
        assert_eq!(shielded, ["\u{2212}status:failed", "-o", "--limit", "-x:1", "a"]);
        assert_eq!(minus(&format!("{} b", shielded[0])), "-status:failed b");
    }

    #[test]
    fn parts_of_a_query_are_said_in_words() {
        let query = Query::parse("amount:>10 created:yesterday 4242", "2026-11-22T12:00:00Z".parse().expect("a time")).expect("a query");
        let words: Vec<String> = query.clauses.iter().map(|clause| described(&clause.term)).collect();
        insta::assert_snapshot!(words.join("\n"), @r"
        amount is at least 11 minor units
        created from 2026-11-21T00:00:00Z until before 2026-11-22T00:00:00Z
        email starts with 4242, or reference starts with 4242, or card ends with 4242, or amount is 4242 minor units
        ");
    }
}
