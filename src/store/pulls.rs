//! Who fetches from which sender, and how far that has come. Outside the lanes.

use super::conn::{Conn, on};
use super::error::StoreError;
use super::rows::PullRow;
use super::{Store, Tx};
use crate::core::day::Moment;

/// What the holder of a lease tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PullProgress {
    /// Where to go on; empty: where it was.
    pub cursor: String,
    /// Whether everything that was there has been fetched.
    pub caught_up: bool,
    /// Why the attempt failed; empty: it did not.
    pub failure: String,
    /// How many records were handed over.
    pub records: i64,
}

/// A lease that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The sender.
    pub sender: String,
    /// The lease that is held, and renewed where it still is; empty: none is.
    pub held_id: String,
    /// The id of a new one, if that is granted.
    pub lease_id: String,
    /// Which process asks.
    pub holder: String,
    /// Until when.
    pub expire_time: Moment,
}

macro_rules! pull_columns {
    () => {
        "sender, lease_id, holder, lease_expire_time_us, cursor, pause_time_us, create_time_us, \
         caught_up_time_us, failure, failures, records, update_time_us"
    };
}

#[derive(sqlx::FromRow)]
struct PullRecord {
    sender: String,
    lease_id: String,
    holder: String,
    lease_expire_time_us: i64,
    cursor: String,
    pause_time_us: Option<i64>,
    create_time_us: i64,
    caught_up_time_us: Option<i64>,
    failure: String,
    failures: i64,
    records: i64,
    update_time_us: i64,
}

impl From<PullRecord> for PullRow {
    fn from(row: PullRecord) -> PullRow {
        PullRow {
            sender: row.sender,
            lease_id: row.lease_id,
            holder: row.holder,
            lease_expire_time: Moment::from_micros(row.lease_expire_time_us),
            cursor: row.cursor,
            pause_time: row.pause_time_us.map(Moment::from_micros),
            create_time: Moment::from_micros(row.create_time_us),
            caught_up_time: row.caught_up_time_us.map(Moment::from_micros),
            failure: row.failure,
            failures: row.failures,
            records: row.records,
            update_time: Moment::from_micros(row.update_time_us),
        }
    }
}

impl Tx {
    /// Makes the row of a sender if there is none.
    pub async fn make_pull(&mut self, sender: &str, now: Moment) -> Result<(), StoreError> {
        const SQL: &str = "insert into pull (sender, lease_id, holder, lease_expire_time_us, \
             cursor, create_time_us, failure, failures, records, update_time_us) \
             values ($1, '', '', 0, '', $2, '', 0, 0, $2) on conflict do nothing";
        let made = on!(self.next(), conn => {
            sqlx::query(SQL).bind(sender).bind(now.micros()).execute(conn).await.map(|_| ())
        });
        self.done(made.map_err(StoreError::from))
    }

    /// Grants a lease where nobody holds one and nobody has paused the sender.
    pub async fn lease_pull(&mut self, lease: &Lease, now: Moment) -> Result<(), StoreError> {
        // The row is locked and looked at again, so of two who ask at once one gets it.
        // A lease that was another's meanwhile is never taken up again: its cursor is an old one.
        const SQL: &str = "update pull set \
             lease_id = case when lease_id = $6 and lease_id <> '' then $6 else $2 end, \
             holder = $3, lease_expire_time_us = $4, update_time_us = $5 where sender = $1 \
             and pause_time_us is null \
             and (lease_id in ('', $6) or lease_expire_time_us <= $5)";
        let granted = on!(self.next(), conn => {
            sqlx::query(SQL)
                .bind(&lease.sender).bind(&lease.lease_id).bind(&lease.holder)
                .bind(lease.expire_time.micros()).bind(now.micros()).bind(&lease.held_id)
                .execute(conn).await.map(|_| ())
        });
        self.done(granted.map_err(StoreError::from))
    }

    /// Writes what the holder of a lease tells, and renews the lease. Whoever is not the holder any
    /// more changes nothing.
    pub async fn record_pull(
        &mut self,
        lease: &Lease,
        progress: &PullProgress,
        now: Moment,
    ) -> Result<(), StoreError> {
        const SQL: &str = "update pull set lease_expire_time_us = $3, \
             cursor = case when $4 = '' then cursor else $4 end, \
             caught_up_time_us = case when $5 = 1 then $8 else caught_up_time_us end, \
             failure = $6, failures = case when $6 = '' then 0 else failures + 1 end, \
             records = records + $7, update_time_us = $8 \
             where sender = $1 and lease_id = $2";
        let recorded = on!(self.next(), conn => {
            sqlx::query(SQL)
                .bind(&lease.sender).bind(&lease.held_id).bind(lease.expire_time.micros())
                .bind(&progress.cursor).bind(i64::from(progress.caught_up))
                .bind(&progress.failure).bind(progress.records).bind(now.micros())
                .execute(conn).await.map(|_| ())
        });
        self.done(recorded.map_err(StoreError::from))
    }

    /// Ends a lease.
    pub async fn release_pull(&mut self, lease: &Lease, now: Moment) -> Result<(), StoreError> {
        const SQL: &str = "update pull set lease_id = '', update_time_us = $3 \
             where sender = $1 and lease_id = $2";
        let released = on!(self.next(), conn => {
            sqlx::query(SQL).bind(&lease.sender).bind(&lease.held_id).bind(now.micros())
                .execute(conn).await.map(|_| ())
        });
        self.done(released.map_err(StoreError::from))
    }

    /// Pauses a sender since that time, or lets it go on. What is paused stays so since when it was.
    pub async fn pause_pull(
        &mut self,
        sender: &str,
        since: Option<Moment>,
        now: Moment,
    ) -> Result<(), StoreError> {
        const SQL: &str = "update pull set \
             pause_time_us = case when cast($2 as bigint) is null then null \
             else coalesce(pause_time_us, $2) end, \
             update_time_us = $3 where sender = $1";
        let since = since.map(Moment::micros);
        let paused = on!(self.next(), conn => {
            sqlx::query(SQL).bind(sender).bind(since).bind(now.micros())
                .execute(conn).await.map(|_| ())
        });
        self.done(paused.map_err(StoreError::from))
    }

    /// The row of a sender, as this transaction leaves it.
    pub async fn pull(&mut self, sender: &str) -> Result<Option<PullRow>, StoreError> {
        const SQL: &str = concat!("select ", pull_columns!(), " from pull where sender = $1");
        let row: Result<Option<PullRecord>, _> = on!(self.next(), conn => {
            sqlx::query_as(SQL).bind(sender).fetch_optional(conn).await
        });
        let row = self.done(row.map_err(StoreError::from))?;
        Ok(row.map(PullRow::from))
    }
}

impl Store {
    /// Every sender that was ever fetched from or paused, by name.
    pub async fn pulls(&self) -> Result<Vec<PullRow>, StoreError> {
        const SQL: &str = concat!("select ", pull_columns!(), " from pull order by sender");
        let mut held = self.reader().await?;
        let rows: Result<Vec<PullRecord>, _> = on!(held.conn(), conn => {
            sqlx::query_as(SQL).fetch_all(conn).await
        });
        Ok(rows?.into_iter().map(PullRow::from).collect())
    }
}
