//! What can go wrong with the database, as far as a caller can act on it. The texts name no value:
//! values could be personal. What the driver said is in the source.

use sqlx::error::DatabaseError;

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database, the way to it or its disk failed. Nothing was written.
    #[error("the database cannot be reached")]
    Unreachable(#[source] sqlx::Error),
    /// Another transaction was in the way. Nothing was written; the same again may succeed.
    #[error("another transaction is in the way")]
    Contended(#[source] sqlx::Error),
    /// The commit failed on the way: everything was written, or nothing.
    #[error("the outcome of the commit is unknown")]
    CommitUnknown(#[source] sqlx::Error),
    /// The database belongs to servers with another directory key.
    #[error("the database was made with another directory key")]
    WrongDirectoryKey,
    /// The database's software, or an option, is not supported.
    #[error("{what} is {found}, but must be {needed}")]
    Unsupported {
        /// What is not supported.
        what: &'static str,
        /// What it is.
        found: String,
        /// What it must be.
        needed: &'static str,
    },
    /// The text names no database.
    #[error("the database URL {0}")]
    BadUrl(&'static str),
    /// The schema could not be brought up to date.
    #[error("the database schema cannot be migrated")]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// What is stored breaks an invariant.
    #[error("stored data is corrupt: {table} {key}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The row's key; never a value.
        key: String,
    },
    /// A statement failed for a reason of its own: repeating it changes nothing, a part of its
    /// rows may.
    #[error("a statement failed")]
    Statement(#[source] sqlx::Error),
}

impl StoreError {
    /// Whether the connection failed rather than what was asked of it, so that asking for less
    /// cannot help.
    pub fn is_connection(&self) -> bool {
        matches!(self, StoreError::Unreachable(_) | StoreError::CommitUnknown(_))
    }

    pub(super) fn corrupt(table: &'static str, key: impl Into<String>) -> StoreError {
        StoreError::Corrupt { table, key: key.into() }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> StoreError {
        match &error {
            sqlx::Error::Database(cause) => match meaning(cause.as_ref()) {
                Meaning::Unreachable => StoreError::Unreachable(error),
                Meaning::Contended => StoreError::Contended(error),
                Meaning::Statement => StoreError::Statement(error),
            },
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed => StoreError::Unreachable(error),
            _ => StoreError::Statement(error),
        }
    }
}

enum Meaning {
    Unreachable,
    Contended,
    Statement,
}

/// Reads the code only: texts differ between versions and languages.
fn meaning(error: &dyn DatabaseError) -> Meaning {
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
        // Extended codes keep the primary one in their lowest byte.
        return match code.parse::<u32>().unwrap_or_default() & 0xff {
            // SQLITE_BUSY, SQLITE_LOCKED
            5 | 6 => Meaning::Contended,
            // SQLITE_IOERR, SQLITE_FULL, SQLITE_CANTOPEN
            10 | 13 | 14 => Meaning::Unreachable,
            _ => Meaning::Statement,
        };
    }
    match code.as_ref() {
        // serialization_failure, deadlock_detected, lock_not_available
        "40001" | "40P01" | "55P03" => Meaning::Contended,
        // idle_in_transaction_session_timeout, too_many_connections, disk_full, read_only
        "25P03" | "53300" | "53100" | "25006" => Meaning::Unreachable,
        // Connection lost, refused or wrong credentials, no such database, server going down.
        code if ["08", "28", "3D", "57P"].iter().any(|class| code.starts_with(class)) => {
            Meaning::Unreachable
        }
        _ => Meaning::Statement,
    }
}
