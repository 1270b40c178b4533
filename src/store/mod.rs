//! The ledger on disk: SQLite when embedded, PostgreSQL when shared.
//!
//! One schema and nearly one text for both; only bulk writing and look-ups of many keys differ.
//! This module knows rows and the types of `core` they hold. It decides nothing, and it knows
//! nothing of lanes as tasks, of callers or of the wire.
//!
//! Writing goes through [`Tx`] only. Reading on the side goes through [`Store`]: each answer is
//! one statement, hence of one moment.

mod conn;
mod error;
mod figures;
mod invoices;
mod log;
mod parked;
pub mod postgres;
mod pulls;
mod read;
mod rejects;
mod reviews;
mod rows;
pub mod scratch;
mod sqlite;
mod stays;
mod tx;
mod write;

use std::sync::Arc;

use sqlx::postgres::PgPool;
use sqlx::sqlite::SqlitePool;

use self::conn::{Conn, Held, on};
use crate::core::book::Book;
use crate::core::claim::{Claim, ClaimId};

pub use self::error::StoreError;
pub use self::parked::Named;
pub use self::pulls::{Lease, PullProgress};
pub use self::rejects::RejectKey;
pub use self::rows::{
    Backlog, ClaimCursor, ClaimFilter, ClaimRow, ClockRow, CounterRow, Delivery, DocumentRow, Due,
    EventRow, FactRow, InvoiceRow, KeyRow, LaneHead, MemberRow, ParkedRow, PastEvent, PayoutRow,
    PullRow, QueueCursor, QueueFilter, QueueOrder, QueueRow, RejectFilter, RejectRow, RequestRow,
    ReserveRow, Rows, StayRow,
};
pub use self::tx::Tx;

/// How a database is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many lanes a new database gets; an existing one keeps its own.
    pub lanes: u16,
    /// Tells databases made with another directory key.
    pub directory_key_check: String,
    /// How many connections read at a time.
    pub readers_max: u32,
}

/// An open database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pools: Pools,
    identity: Arc<Identity>,
}

#[derive(Clone)]
enum Pools {
    Sqlite { writer: SqlitePool, reader: SqlitePool },
    Postgres { writer: PgPool, reader: PgPool },
}

/// What a database is.
struct Identity {
    ledger_id: String,
    lanes: u16,
}

impl Store {
    /// Opens `sqlite://path` or `postgres://…`, brings the schema up to date and, when the
    /// database is new, makes it a ledger. A SQLite file is created, a PostgreSQL database is not.
    pub async fn open(url: &str, options: &Options) -> Result<Store, StoreError> {
        if options.lanes == 0 {
            let (what, found) = ("the number of lanes", "0".to_owned());
            return Err(StoreError::Unsupported { what, found, needed: "at least 1" });
        }
        if url.starts_with("sqlite://") {
            let (writer, reader, identity) = sqlite::open(url, options).await?;
            Ok(Store { pools: Pools::Sqlite { writer, reader }, identity: Arc::new(identity) })
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let (writer, reader, identity) = postgres::open(url, options).await?;
            Ok(Store { pools: Pools::Postgres { writer, reader }, identity: Arc::new(identity) })
        } else {
            Err(StoreError::BadUrl("must begin with sqlite:// or postgres://"))
        }
    }

    /// Names the database, for ever.
    pub fn ledger_id(&self) -> &str {
        &self.identity.ledger_id
    }

    /// How many lanes it has, for ever.
    pub fn lanes(&self) -> u16 {
        self.identity.lanes
    }

    /// Whether there is one writer for all lanes, in one transaction at a time.
    pub fn shares_one_writer(&self) -> bool {
        matches!(self.pools, Pools::Sqlite { .. })
    }

    /// Begins a write transaction. On SQLite it is the only one from here on; on PostgreSQL the
    /// locks on lanes order those that would meet.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        const READ_COMMITTED: &str = "begin isolation level read committed";
        Ok(Tx::new(match &self.pools {
            // At once, because a lock that is taken later cannot be waited for.
            Pools::Sqlite { writer, .. } => {
                Held::SqliteTx(writer.begin_with("begin immediate").await?)
            }
            Pools::Postgres { writer, .. } => {
                Held::PostgresTx(writer.begin_with(READ_COMMITTED).await?)
            }
        }))
    }

    /// Closes all connections, after those in use have come back.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { writer, reader } => {
                reader.close().await;
                writer.close().await;
            }
            Pools::Postgres { writer, reader } => {
                reader.close().await;
                writer.close().await;
            }
        }
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        const SQL: &str = "select lanes from ledger";
        let mut held = self.reader().await?;
        on!(held.conn(), conn => sqlx::query(SQL).fetch_one(conn).await.map(|_| ()))?;
        Ok(())
    }

    /// A claim, if it exists.
    pub async fn claim(&self, id: ClaimId) -> Result<Option<Claim>, StoreError> {
        let mut held = self.reader().await?;
        Ok(read::claims(held.conn(), &[id]).await?.pop())
    }

    /// At most `limit` claims after a cursor, by time and then by id.
    pub async fn claims_page(
        &self,
        filter: &ClaimFilter,
        after: Option<ClaimCursor>,
        limit: u32,
    ) -> Result<Vec<Claim>, StoreError> {
        let mut held = self.reader().await?;
        read::page(held.conn(), filter, after, limit).await
    }

    /// The book of a member, if recorded; without claims.
    pub async fn book(&self, lane: u16, member_id: &str) -> Result<Option<Book>, StoreError> {
        let mut held = self.reader().await?;
        Ok(read::books(held.conn(), &[(lane, member_id)]).await?.pop())
    }

    /// Which member each of these identity hashes means: `(hash, member_id)`, as far as known.
    pub async fn identities(&self, hashes: &[String]) -> Result<Vec<(String, String)>, StoreError> {
        let mut held = self.reader().await?;
        let hashes: Vec<&str> = hashes.iter().map(String::as_str).collect();
        read::identities(held.conn(), &hashes).await
    }

    /// Documents published after a revision, in order.
    pub async fn documents_since(&self, revision: i64) -> Result<Vec<DocumentRow>, StoreError> {
        let mut held = self.reader().await?;
        read::documents_since(held.conn(), revision).await
    }

    async fn reader(&self) -> Result<Held, StoreError> {
        Ok(match &self.pools {
            Pools::Sqlite { reader, .. } => Held::SqliteRead(reader.acquire().await?),
            Pools::Postgres { reader, .. } => Held::PostgresRead(reader.acquire().await?),
        })
    }
}

/// Makes a new database a ledger, whoever comes first, and tells what an existing one is.
async fn identify(mut conn: Conn<'_>, options: &Options) -> Result<Identity, StoreError> {
    const LEDGER_SQLITE: &str = "insert into ledger (ledger_id, lanes, directory_key_check, \
         create_time_us, documents_revision) \
         select $1, $2, $3, cast(unixepoch('subsec') * 1000000 as integer), 0 \
         where true on conflict do nothing";
    const LEDGER_POSTGRES: &str = "insert into ledger (ledger_id, lanes, directory_key_check, \
         create_time_us, documents_revision) \
         values ($1, $2, $3, (extract(epoch from now()) * 1000000)::bigint, 0) \
         on conflict do nothing";
    // From the stored number: of two servers that start together one has set it.
    const LANES: &str = "insert into lane (lane, position, hash, time_us, claims, \
         documents_revision) \
         with recursive n (lane, lanes) as (select 0, lanes from ledger union all \
         select lane + 1, lanes from n where lane + 1 < lanes) \
         select lane, 0, '', 0, 0, 0 from n where true on conflict do nothing";
    const READ: &str = "select ledger_id, lanes, directory_key_check from ledger";
    let ledger_id = uuid::Uuid::now_v7().to_string();
    let (lanes, key_check) = (i32::from(options.lanes), &options.directory_key_check);
    match &mut conn {
        Conn::Sqlite(conn) => {
            let query = sqlx::query(LEDGER_SQLITE).bind(ledger_id).bind(lanes).bind(key_check);
            query.execute(&mut **conn).await?;
        }
        Conn::Postgres(conn) => {
            let query = sqlx::query(LEDGER_POSTGRES).bind(ledger_id).bind(lanes).bind(key_check);
            query.execute(&mut **conn).await?;
        }
    }
    on!(&mut conn, conn => sqlx::query(LANES).execute(&mut **conn).await.map(|_| ()))?;
    let (ledger_id, lanes, stored_check): (String, i32, String) =
        on!(&mut conn, conn => sqlx::query_as(READ).fetch_one(&mut **conn).await)?;
    if stored_check != *key_check {
        return Err(StoreError::WrongDirectoryKey);
    }
    Ok(Identity { ledger_id, lanes: read::lane(lanes, "ledger")? })
}
