//! SQLite: one writer connection, and a pool that cannot write beside it.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use super::conn::Conn;
use super::error::StoreError;
use super::{Identity, Options, identify};

/// Older ones can corrupt a database in WAL mode, and lack `jsonb_each` (3.51).
const VERSION_MIN: (u32, u32, u32) = (3, 51, 3);

/// The writer waits for itself only, in the pool; this is for a backup or a person with a shell.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The writer's own settings.
const WRITER: [(&str, &str); 3] = [
    // 64 MiB: with the 2 MiB that are usual a batch writes pages out and reads them again.
    ("cache_size", "-65536"),
    // 64 MiB of log before pages go to their place: each goes there less often.
    ("wal_autocheckpoint", "16384"),
    // A statement of many rows keeps what it may have to undo in memory, not in a file.
    ("temp_store", "memory"),
];

/// How long a caller waits for a connection. Longer than any batch, shorter than a caller's
/// patience.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens, creates and migrates a database file.
pub(super) async fn open(
    url: &str,
    options: &Options,
) -> Result<(SqlitePool, SqlitePool, Identity), StoreError> {
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err(StoreError::BadUrl("must name a file: writer and readers share it"));
    }
    let connect = SqliteConnectOptions::from_str(url)
        .map_err(|_| StoreError::BadUrl("must be such as sqlite:///var/lib/greenlane/ledger.db"))?
        .journal_mode(SqliteJournalMode::Wal)
        // A power cut must not take back what was acknowledged.
        .synchronous(SqliteSynchronous::Full)
        // There are none in the schema.
        .foreign_keys(false)
        .busy_timeout(BUSY_TIMEOUT)
        .thread_name(|number| format!("sqlite-{number}"));
    make_private(connect.get_filename()).map_err(|error| StoreError::Unreachable(error.into()))?;
    let pool = || SqlitePoolOptions::new().acquire_timeout(ACQUIRE_TIMEOUT);
    let writing =
        WRITER.into_iter().fold(connect.clone(), |it, (key, value)| it.pragma(key, value));
    let writer = pool().max_connections(1).connect_with(writing).await?;
    let mut held = writer.acquire().await?;
    let version: String =
        sqlx::query_scalar("select sqlite_version()").fetch_one(&mut *held).await?;
    if parsed(&version) < Some(VERSION_MIN) {
        let (what, needed) = ("the SQLite library", "3.51.3 or newer");
        return Err(StoreError::Unsupported { what, found: version, needed });
    }
    sqlx::migrate!("migrations/sqlite").run(&mut *held).await.map_err(StoreError::Migration)?;
    let identity = identify(Conn::Sqlite(&mut held), options).await?;
    drop(held);
    let reader = pool()
        .max_connections(options.readers_max.max(1))
        .connect_with(connect.read_only(true))
        .await?;
    Ok((writer, reader, identity))
}

/// Makes a new database file that only its owner may read: it names persons. SQLite gives the
/// files beside it the same mode. One that exists keeps what its operator gave it.
fn make_private(path: &Path) -> std::io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn parsed(version: &str) -> Option<(u32, u32, u32)> {
    let mut parts = version.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??, parts.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        assert!(parsed("3.9.0") < Some(VERSION_MIN));
        assert!(parsed("3.51.2") < Some(VERSION_MIN));
        assert!(parsed("3.51.3") >= Some(VERSION_MIN));
        assert!(parsed("3.100.0") > Some(VERSION_MIN));
        assert!(parsed("unknown") < Some(VERSION_MIN));
    }
}
