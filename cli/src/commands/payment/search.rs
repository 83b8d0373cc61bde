//! `payops payment search` and `list`: the search index, and the primary store where the index
//! may be behind.

use clap::Args;
use payops_core::domain::search::FIELDS;
use payops_core::port::Freshness;
use payops_core::usecase::SearchResult;
use payops_ops::error::OpsResult;
use payops_ops::payments::{self, PaymentHit};
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Cell, Column, InEnv, Row, Style, Table, Tone, count};

/// `payops payment search`
#[derive(Clone, Debug, Args)]
pub(crate) struct SearchArgs {
    /// Words and `field:value` terms, all of which must match; prefix a term with - to exclude it
    #[arg(required_unless_present = "fields")]
    query: Vec<String>,
    /// Maximum number of payments
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// List the fields that a query can use and their values
    #[arg(long)]
    fields: bool,
}

/// `payops payment list`
#[derive(Clone, Debug, Args)]
pub(crate) struct PaymentListArgs {
    /// Maximum number of payments
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
}

impl Row for PaymentHit {
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

    fn cells(&self, style: &Style) -> Vec<Cell> {
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
            Cell::from(style.ago(self.created_at)),
            Cell::maybe(card),
            Cell::maybe(self.failure.as_ref()),
            Cell::from(&self.merchant),
            Cell::from(style.ago(self.updated_at)),
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

    fn cells(&self, _: &Style) -> Vec<Cell> {
        vec![Cell::from(self.field), Cell::from(self.takes)]
    }
}

pub(crate) async fn run(context: &Context, args: &SearchArgs) -> OpsResult<Exit> {
    if args.fields {
        let fields: Vec<InEnv<Field>> = FIELDS
            .iter()
            .map(|(field, takes)| InEnv {
                env: String::new(),
                value: Field { field, takes },
            })
            .collect();
        context.printer.list(&fields, false)?;
        return Ok(Exit::Done);
    }
    search(context, &minus(&args.query.join(" ")), args.limit).await
}

pub(crate) async fn list(context: &Context, args: &PaymentListArgs) -> OpsResult<Exit> {
    search(context, "", args.limit).await
}

async fn search(context: &Context, text: &str, limit: usize) -> OpsResult<Exit> {
    payments::check_query(text)?;
    let fan = context
        .ask_each(async |session| {
            let found = payments::search(&session, text, limit).await?;
            say_found(context, session.name(), &found);
            let hit = |doc| PaymentHit::new(doc, context.privacy);
            Ok(found.docs.iter().map(hit).collect::<Vec<PaymentHit>>())
        })
        .await?;
    let (exit, many) = (fan.exit(&context.console), fan.many);
    context.printer.list(&fan.rows(), many)?;
    Ok(exit)
}

fn say_found(context: &Context, env: &str, found: &SearchResult) {
    let shown = u64::try_from(found.docs.len()).unwrap_or(u64::MAX);
    let more = if found.total > shown {
        format!(", showing the newest {shown}")
    } else {
        String::new()
    };
    let from_index = if found.from_store { 0 } else { found.total };
    context.console.say(format!(
        "{env}: {} found{more}; {}",
        count(from_index, "payment"),
        freshness_text(&found.freshness, &context.printer.style)
    ));
    if found.from_store {
        context
            .console
            .say("not in the index yet; found in the payment store");
    } else if found.total == 0 {
        explain(context, found);
    }
}

fn freshness_text(freshness: &Freshness, style: &Style) -> String {
    let newest = freshness.newest.map_or_else(
        || "empty".to_owned(),
        |newest| format!("newest change {} ago", style.ago(newest)),
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
            .console
            .say("the index is empty; no payment has been indexed yet");
    } else if found.parts.is_empty() {
        context
            .console
            .say("no payments match; fields match by prefix, for example reference:INV-");
    } else {
        let mut table = Table::new([Column::text("TERM BY ITSELF"), Column::number("PAYMENTS")]);
        for (part, total) in &found.parts {
            table.row([
                Cell::from(context.privacy.text(part)),
                Cell::from(total.to_string()),
            ]);
        }
        context.console.say(format!(
            "no payment matches all terms:\n{}",
            table.render(&Style {
                color: false,
                ..context.printer.style.clone()
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
    use payops_core::domain::privacy::Privacy;
    use payops_testkit::sample;

    use super::*;

    #[test]
    fn hits_are_masked_and_line_up() {
        let hit = PaymentHit::new(&sample::doc(7), Privacy { reveal: false });
        insta::assert_json_snapshot!(hit);
        let rows = [
            InEnv {
                env: "prod".to_owned(),
                value: hit.clone(),
            },
            InEnv {
                env: "test".to_owned(),
                value: PaymentHit { dead: true, ..hit },
            },
        ];
        let columns = [Column::text("ENV")]
            .into_iter()
            .chain(PaymentHit::COLUMNS.iter().copied());
        let mut table = Table::new(columns);
        for row in &rows {
            table.row(
                [Cell::from(&row.env)]
                    .into_iter()
                    .chain(row.value.cells(&Style::plain())),
            );
        }
        insta::assert_snapshot!(table.render(&Style::plain()));
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
