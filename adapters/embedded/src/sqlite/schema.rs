//! Which version a file's tables are of, and bringing them up to the newest.

use std::path::Path;

use payops_core::port::{ErrorKind, PortError, PortResult};
use payops_system::SqliteMark;
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::query_error;

#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) kind: &'static str,
    /// What such a file says it is: SQLite's `application_id`.
    pub(crate) application: i64,
    /// Scripts; the first makes version 1, each later one the next version.
    pub(crate) scripts: &'static [&'static str],
}

impl Schema {
    fn newest(&self) -> i64 {
        super::int(self.scripts.len())
    }

    /// Brings the file's tables up to the newest version, in one transaction: of several
    /// processes that open it at once, one does.
    pub(super) async fn bring_up(
        &self,
        connection: &mut SqliteConnection,
        path: &Path,
    ) -> PortResult<()> {
        let what = format!(
            "bringing {} up to version {}",
            path.display(),
            self.newest()
        );
        if self.version(connection, path).await? == self.newest() {
            return Ok(());
        }
        execute(connection, "BEGIN IMMEDIATE")
            .await
            .map_err(|error| query_error(&what, error))?;
        let done = self.run_scripts(connection, path, &what).await;
        let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = execute(connection, end)
            .await
            .map_err(|error| query_error(&what, error));
        done.and(ended)
    }

    async fn run_scripts(
        &self,
        connection: &mut SqliteConnection,
        path: &Path,
        what: &str,
    ) -> PortResult<()> {
        let version = self.version(connection, path).await?;
        let done = usize::try_from(version).unwrap_or(0);
        for script in self.scripts.iter().skip(done) {
            execute(connection, script)
                .await
                .map_err(|error| query_error(what, error))?;
        }
        let marks = format!(
            "PRAGMA application_id = {}; PRAGMA user_version = {}",
            self.application,
            self.newest()
        );
        execute(connection, &marks)
            .await
            .map_err(|error| query_error(what, error))
    }

    /// Refuses a file that is not of the newest version.
    pub(super) async fn check(
        &self,
        connection: &mut SqliteConnection,
        path: &Path,
    ) -> PortResult<()> {
        let version = self.version(connection, path).await?;
        if version == self.newest() {
            return Ok(());
        }
        let text = format!(
            "{} is a {} of version {version}, and this payops reads version {}: run any command \
                that writes to it to upgrade it",
            path.display(),
            self.kind,
            self.newest()
        );
        Err(PortError::new(ErrorKind::Corrupt, text))
    }

    /// The file's version, 0 when it is new; refused when it is newer than this program or is
    /// something else.
    async fn version(&self, connection: &mut SqliteConnection, path: &Path) -> PortResult<i64> {
        let fail =
            |error| query_error(&format!("reading the version of {}", path.display()), error);
        let (version, application, _): (i64, i64, i64) = sqlx::query_as(SqliteMark::READ)
            .fetch_one(&mut *connection)
            .await
            .map_err(fail)?;
        if application != self.application && (application, version) != (0, 0) {
            return Err(PortError::new(
                ErrorKind::Corrupt,
                format!("{} is not a {}", path.display(), self.kind),
            ));
        }
        if version > self.newest() {
            let text = format!(
                "{} is a {} of version {version}, and this payops supports versions up to {}: use \
                    the newer payops that wrote it, or another data directory",
                path.display(),
                self.kind,
                self.newest()
            );
            return Err(PortError::new(ErrorKind::Corrupt, text));
        }
        Ok(version)
    }
}

async fn execute(connection: &mut SqliteConnection, sql: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(connection)
        .await
        .map(drop)
}
