//! One connection of either database, and the two ways to run a statement on it: `on!` where the
//! text is the same, `bulk!` where many rows go in as one parameter list.

use serde::Serialize;
use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres, Sqlite, SqliteConnection, Transaction};

/// A borrowed connection.
pub(super) enum Conn<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

/// A connection held for a while: one read, or one transaction.
pub(super) enum Held {
    SqliteRead(PoolConnection<Sqlite>),
    PostgresRead(PoolConnection<Postgres>),
    SqliteTx(Transaction<'static, Sqlite>),
    PostgresTx(Transaction<'static, Postgres>),
}

impl Held {
    pub(super) fn conn(&mut self) -> Conn<'_> {
        match self {
            Held::SqliteRead(conn) => Conn::Sqlite(conn),
            Held::PostgresRead(conn) => Conn::Postgres(conn),
            Held::SqliteTx(tx) => Conn::Sqlite(tx),
            Held::PostgresTx(tx) => Conn::Postgres(tx),
        }
    }
}

/// A statement whose texts differ: PostgreSQL takes one array for each column, SQLite one JSON
/// text with an array for each row. `jsonb_each` rather than `json_each`: the latter would parse
/// a row again for each of its columns.
pub(super) struct Sql {
    pub(super) sqlite: &'static str,
    pub(super) postgres: &'static str,
}

/// Runs one expression on whichever database `$conn` is.
macro_rules! on {
    ($conn:expr, $it:ident => $query:expr) => {
        match $conn {
            Conn::Sqlite($it) => $query,
            Conn::Postgres($it) => $query,
        }
    };
}

/// Runs a statement of [`Sql`] over `$rows`: `write` gives the number of rows written, `read` the
/// rows read. The columns are named once and in the order of the text.
macro_rules! bulk {
    (write $sql:expr, $conn:expr, $rows:expr, |$row:ident| [$($column:expr),+ $(,)?]) => {
        match $conn {
            Conn::Sqlite(conn) => {
                let json = $crate::store::conn::Json::of($rows, |$row, json| {
                    $(json.put(&$column);)+
                });
                sqlx::query($sql.sqlite).bind(json).execute(conn).await.map(|it| it.rows_affected())
            }
            Conn::Postgres(conn) => sqlx::query($sql.postgres)
                $(.bind($rows.iter().map(|$row| $column).collect::<Vec<_>>()))+
                .execute(conn).await.map(|it| it.rows_affected()),
        }
    };
    (read $sql:expr, $conn:expr, $rows:expr, |$row:ident| [$($column:expr),+ $(,)?]) => {
        match $conn {
            Conn::Sqlite(conn) => {
                let json = $crate::store::conn::Json::of($rows, |$row, json| {
                    $(json.put(&$column);)+
                });
                sqlx::query_as($sql.sqlite).bind(json).fetch_all(conn).await
            }
            Conn::Postgres(conn) => sqlx::query_as($sql.postgres)
                $(.bind($rows.iter().map(|$row| $column).collect::<Vec<_>>()))+
                .fetch_all(conn).await,
        }
    };
}

pub(super) use {bulk, on};

/// Rows as one JSON text: an array of arrays.
pub(super) struct Json(Vec<u8>);

impl Json {
    pub(super) fn of<T>(rows: &[T], put: impl Fn(&T, &mut Json)) -> String {
        let mut json = Json(Vec::with_capacity(rows.len() * 64 + 2));
        json.0.push(b'[');
        for (index, row) in rows.iter().enumerate() {
            json.0.extend_from_slice(if index == 0 { b"[" } else { b",[" });
            put(row, &mut json);
            json.0.push(b']');
        }
        json.0.push(b']');
        String::from_utf8(json.0).expect("serde_json writes UTF-8")
    }

    pub(super) fn put<T: Serialize>(&mut self, value: &T) {
        if self.0.last() != Some(&b'[') {
            self.0.push(b',');
        }
        serde_json::to_writer(&mut self.0, value).expect("texts and integers are always JSON");
    }
}
