//! Throw-away ledgers beside a database, and what they take on disk: for measuring.
//!
//! Touches nothing that exists: on SQLite it makes a directory beside the file, on PostgreSQL a
//! schema in the database. It never opens the database it was given as a ledger.

use std::path::Path;
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;

use super::error::StoreError;

/// A place for one throw-away ledger. [`Scratch::remove`] takes it away with everything in it.
pub struct Scratch {
    url: String,
    place: Place,
}

enum Place {
    /// Removed on drop as well.
    Directory(TempDir),
    /// Stays until it is removed: a drop cannot wait for a server.
    Schema { admin_url: String, name: String },
}

/// What one table takes with its indexes and everything stored out of line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableBytes {
    /// The table.
    pub table: String,
    /// Its bytes on disk.
    pub bytes: u64,
}

impl Scratch {
    /// Makes an empty place beside `url`. On PostgreSQL `name` becomes the schema's name, so it
    /// must be a plain word that no other schema has.
    pub async fn make(url: &str, name: &str) -> Result<Scratch, StoreError> {
        let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        assert!(is_plain, "the name goes into a statement");
        if let Some(path) = url.strip_prefix("sqlite://") {
            let beside = match Path::new(path).parent() {
                Some(parent) if parent != Path::new("") => parent,
                _ => Path::new("."),
            };
            let directory = tempfile::Builder::new().prefix(name).tempdir_in(beside);
            let directory = directory.map_err(|error| StoreError::Unreachable(error.into()))?;
            let url = format!("sqlite://{}", directory.path().join("ledger.db").display());
            return Ok(Scratch { url, place: Place::Directory(directory) });
        }
        let mut admin = admin(url).await?;
        sqlx::query(AssertSqlSafe(format!("create schema {name}"))).execute(&mut admin).await?;
        admin.close().await?;
        let joint = if url.contains('?') { '&' } else { '?' };
        let place = Place::Schema { admin_url: url.to_owned(), name: name.to_owned() };
        Ok(Scratch { url: format!("{url}{joint}options[search_path]={name}"), place })
    }

    /// The URL of the ledger that may be made here.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What every table takes. Call it when nobody has the ledger open: on SQLite it first brings
    /// the write-ahead log into the file.
    pub async fn table_bytes(&self) -> Result<Vec<TableBytes>, StoreError> {
        const SQLITE: &str = "select s.tbl_name, sum(d.pgsize) from dbstat d \
             join sqlite_schema s on s.name = d.name group by s.tbl_name order by s.tbl_name";
        const POSTGRES: &str = "select c.relname::text, pg_total_relation_size(c.oid) \
             from pg_class c join pg_namespace n on n.oid = c.relnamespace \
             where n.nspname = current_schema() and c.relkind in ('r', 'm') order by 1";
        let rows: Vec<(String, i64)> = match &self.place {
            Place::Directory(_) => {
                let mut conn = self.sqlite().await?;
                let rows = sqlx::query_as(SQLITE).fetch_all(&mut conn).await?;
                conn.close().await?;
                rows
            }
            Place::Schema { .. } => {
                let mut conn = admin(&self.url).await?;
                let rows = sqlx::query_as(POSTGRES).fetch_all(&mut conn).await?;
                conn.close().await?;
                rows
            }
        };
        let row = |(table, bytes)| TableBytes { table, bytes: u64::try_from(bytes).unwrap_or(0) };
        Ok(rows.into_iter().map(row).collect())
    }

    async fn sqlite(&self) -> Result<SqliteConnection, StoreError> {
        let mut conn = SqliteConnectOptions::from_str(&self.url)?.connect().await?;
        sqlx::query("pragma wal_checkpoint(truncate)").execute(&mut conn).await?;
        Ok(conn)
    }

    /// Takes the place away. Doing it twice is no error.
    pub async fn remove(&self) -> Result<(), StoreError> {
        match &self.place {
            Place::Directory(directory) => match std::fs::remove_dir_all(directory.path()) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(StoreError::Unreachable(error.into()))
                }
                _ => Ok(()),
            },
            Place::Schema { admin_url, name } => {
                let mut admin = admin(admin_url).await?;
                let drop = AssertSqlSafe(format!("drop schema if exists {name} cascade"));
                sqlx::query(drop).execute(&mut admin).await?;
                Ok(admin.close().await?)
            }
        }
    }
}

/// Opens a session and looks at the process that serves it. `None` for a PostgreSQL that is not on
/// this machine, as far as it can tell, and for SQLite, which has no processes.
///
/// A server in a container may still give a number that means another process here, so `look`
/// makes sure of what it sees.
pub async fn look_at_backend<T>(
    url: &str,
    look: impl FnOnce(u32) -> Option<T>,
) -> Result<Option<T>, StoreError> {
    const SQL: &str = "select pg_backend_pid(), inet_server_addr() is null \
         or inet_server_addr() << '127.0.0.0/8' or inet_server_addr() = '::1'";
    if url.starts_with("sqlite://") {
        return Ok(None);
    }
    let mut session = admin(url).await?;
    let (pid, is_local): (i32, bool) = sqlx::query_as(SQL).fetch_one(&mut session).await?;
    let seen = u32::try_from(pid).ok().filter(|_| is_local).and_then(look);
    session.close().await?;
    Ok(seen)
}

async fn admin(url: &str) -> Result<PgConnection, StoreError> {
    Ok(PgConnectOptions::from_str(url)?.application_name("greenlane bench").connect().await?)
}
