//! `payops audit export`: lines as they stand in the record, so that their hashes can be checked
//! elsewhere.
use clap::Args;
use payops_ops::error::OpsResult;

use super::{QueryArgs, records, unread};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::Printer;

/// `payops audit export`
#[derive(Clone, Debug, Args)]
pub(crate) struct AuditExportArgs {
    #[command(flatten)]
    query: QueryArgs,
}

pub(super) fn run(context: &Context, args: &AuditExportArgs) -> OpsResult<Exit> {
    let records = records(context)?;
    let queries: Vec<_> = records
        .envs
        .iter()
        .map(|env| args.query.query(env.clone()))
        .collect();
    for log in &records.logs {
        for line in log.lines().map_err(unread(log))? {
            let (text, entry) = line.map_err(unread(log))?;
            if entry.is_some_and(|entry| queries.iter().any(|query| query.matches(&entry))) {
                Printer::raw(format!("{text}\n").as_bytes())?;
            }
        }
    }
    Ok(Exit::Done)
}
