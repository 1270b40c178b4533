//! The write transaction. Explicit: whoever writes holds one, and it ends where they say so.

use std::collections::HashSet;

use super::conn::{Conn, Held, Sql, bulk, on};
use super::error::StoreError;
use super::rows::{DocumentRow, InvoiceRow, KeyRow, LaneHead, Rows};
use super::{invoices, read, stays, write};
use crate::core::book::Book;
use crate::core::claim::{Claim, ClaimId};
use crate::core::day::Day;

/// A write transaction. Rolled back when dropped without [`Tx::commit`].
pub struct Tx {
    held: Held,
    /// Statements begun, and those that succeeded. Where they differ one failed or its future was
    /// dropped, and the transaction must not be committed: PostgreSQL would answer with a silent
    /// rollback, SQLite would commit the half.
    begun: u32,
    succeeded: u32,
}

const LOCK: Sql = Sql {
    sqlite: "select lane, position, hash, time_us, claims, documents_revision from lane \
             where lane in (select value ->> 0 from jsonb_each($1)) order by lane",
    // Rows are locked as they leave the sort, hence in ascending order: nobody can deadlock.
    postgres: "select lane, position, hash, time_us, claims, documents_revision from lane \
               where lane = any($1::int[]) order by lane for update",
};

const STORED_KEYS: Sql = Sql {
    sqlite: "select k.source, k.settlement_id, k.lane, k.claim_no, k.member_id \
             from jsonb_each($1) v cross join settlement_key k \
             on k.settlement_id = v.value ->> 1 and k.source = v.value ->> 0",
    postgres: "select k.source, k.settlement_id, k.lane, k.claim_no, k.member_id \
               from unnest($1::text[], $2::text[]) v (source, settlement_id) \
               join settlement_key k \
               on k.settlement_id = v.settlement_id and k.source = v.source",
};

impl Tx {
    pub(super) fn new(held: Held) -> Tx {
        Tx { held, begun: 0, succeeded: 0 }
    }

    /// The connection for the next statement; [`Tx::done`] takes its outcome.
    pub(super) fn next(&mut self) -> Conn<'_> {
        self.begun += 1;
        self.held.conn()
    }

    pub(super) fn done<T>(&mut self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        self.succeeded += u32::from(outcome.is_ok());
        outcome
    }

    /// Locks lanes, in ascending order, and reads their heads. The lock on a lane orders all its
    /// writers, in this process and in others.
    pub async fn lock_lanes(&mut self, lanes: &[u16]) -> Result<Vec<LaneHead>, StoreError> {
        let rows = bulk!(read LOCK, self.next(), lanes, |lane| [i32::from(*lane)]);
        let rows: Vec<read::HeadRecord> = self.done(rows.map_err(StoreError::from))?;
        if rows.len() != lanes.len() {
            return Err(StoreError::corrupt("lane", format!("one of {lanes:?} is not there")));
        }
        rows.into_iter().map(read::head).collect()
    }

    /// The newest revision of published documents. Fixed while any lane is locked, because who
    /// publishes locks all of them.
    pub async fn ledger_documents_revision(&mut self) -> Result<i64, StoreError> {
        const SQL: &str = "select documents_revision from ledger";
        let revision = on!(self.next(), conn => sqlx::query_scalar(SQL).fetch_one(conn).await);
        self.done(revision.map_err(StoreError::from))
    }

    /// Takes the keys that are free, first insert wins, waiting for whoever is about to take one.
    /// Gives the stored rows of the others. `keys` are sorted and distinct, in the same order
    /// everywhere and once in a transaction, so that two batches never wait for each other.
    pub async fn insert_keys(&mut self, keys: &[KeyRow]) -> Result<Vec<KeyRow>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let free = write::keys(self.next(), keys).await;
        let free = self.done(free)?;
        if free.len() == keys.len() {
            return Ok(Vec::new());
        }
        let free: HashSet<(String, String)> = free.into_iter().collect();
        let is_taken =
            |key: &&KeyRow| !free.contains(&(key.source.clone(), key.settlement_id.clone()));
        let taken: Vec<&KeyRow> = keys.iter().filter(is_taken).collect();
        let stored = bulk!(read STORED_KEYS, self.next(), &taken, |key| [
            key.source.as_str(), key.settlement_id.as_str(),
        ]);
        let stored: Vec<(String, String, i32, i64, String)> =
            self.done(stored.map_err(StoreError::from))?;
        if stored.len() != taken.len() {
            // Keys are deleted by the transaction that inserted them, so a taken one stays.
            return Err(StoreError::corrupt("settlement_key", "a taken key is not there"));
        }
        let key = |(source, settlement_id, lane, number, member_id)| {
            let claim_id = ClaimId { lane: read::lane(lane, "settlement_key")?, number };
            Ok(KeyRow { source, settlement_id, claim_id, member_id })
        };
        stored.into_iter().map(key).collect()
    }

    /// Gives keys back, `(source, settlement_id)`, that this transaction took.
    pub async fn delete_keys(&mut self, keys: &[(String, String)]) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        let outcome = write::delete_keys(self.next(), keys).await;
        self.done(outcome)
    }

    /// The books of those members, `(lane, member_id)`, that are recorded; without claims.
    pub async fn books(&mut self, members: &[(u16, String)]) -> Result<Vec<Book>, StoreError> {
        if members.is_empty() {
            return Ok(Vec::new());
        }
        let members: Vec<(u16, &str)> =
            members.iter().map(|(lane, member)| (*lane, member.as_str())).collect();
        let outcome = read::books(self.next(), &members).await;
        self.done(outcome)
    }

    /// Those of these claims that exist, by id.
    pub async fn claims(&mut self, ids: &[ClaimId]) -> Result<Vec<Claim>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let outcome = read::claims(self.next(), ids).await;
        self.done(outcome)
    }

    /// All claims of a member, by number.
    pub async fn history(&mut self, lane: u16, member_id: &str) -> Result<Vec<Claim>, StoreError> {
        let outcome = read::history(self.next(), &[(lane, member_id)]).await;
        self.done(outcome)
    }

    /// The claims with these invoices, sorted and distinct, that were not taken back. The invoices
    /// are held until the transaction ends, so that another one looks only when this one is through.
    pub async fn claims_with_invoices(
        &mut self,
        numbers: &[&str],
    ) -> Result<Vec<InvoiceRow>, StoreError> {
        if numbers.is_empty() {
            return Ok(Vec::new());
        }
        let outcome = invoices::hold(self.next(), numbers).await;
        self.done(outcome)?;
        let outcome = invoices::claims(self.next(), numbers).await;
        self.done(outcome)
    }

    /// Those of these spans, `(member_id, first day, last day)`, with which a stay of the member that
    /// was not taken back shares a day: by their places.
    pub async fn with_neighbours(
        &mut self,
        spans: &[(&str, Day, Day)],
    ) -> Result<HashSet<usize>, StoreError> {
        if spans.is_empty() {
            return Ok(HashSet::new());
        }
        let outcome = stays::with_neighbours(self.next(), spans).await;
        self.done(outcome)
    }

    /// Writes a batch: one statement for each list that is not empty.
    pub async fn write(&mut self, rows: &Rows) -> Result<(), StoreError> {
        macro_rules! each {
            ($($table:ident),+) => {$(
                if !rows.$table.is_empty() {
                    let outcome = write::$table(self.next(), &rows.$table).await;
                    self.done(outcome)?;
                }
            )+};
        }
        each!(heads, events, facts, claims, earlier, members, counters, payouts);
        Ok(())
    }

    /// Records which member each identity means, `(hash, member_id)`, sorted and distinct by hash.
    /// First insert wins; gives what is stored now for all of them.
    pub async fn insert_identities(
        &mut self,
        rows: &[(String, String)],
    ) -> Result<Vec<(String, String)>, StoreError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let free = write::identities(self.next(), rows).await;
        if self.done(free)? == rows.len() as u64 {
            return Ok(rows.to_vec());
        }
        let hashes: Vec<&str> = rows.iter().map(|(hash, _)| hash.as_str()).collect();
        let outcome = read::identities(self.next(), &hashes).await;
        self.done(outcome)
    }

    /// Which member each of these identity hashes means: `(hash, member_id)`, as far as known.
    pub async fn identities(
        &mut self,
        hashes: &[&str],
    ) -> Result<Vec<(String, String)>, StoreError> {
        if hashes.is_empty() {
            return Ok(Vec::new());
        }
        let outcome = read::identities(self.next(), hashes).await;
        self.done(outcome)
    }

    /// One document.
    pub async fn document(
        &mut self,
        kind: &str,
        id: &str,
        version: &str,
    ) -> Result<Option<DocumentRow>, StoreError> {
        let outcome = read::document(self.next(), kind, id, version).await;
        self.done(outcome)
    }

    /// Publishes a document; its revision becomes the ledger's.
    pub async fn insert_document(&mut self, row: &DocumentRow) -> Result<(), StoreError> {
        const INSERT: &str = "insert into document (kind, id, version, start_date, body, hash, \
             revision, publish_time_us) values ($1, $2, $3, $4, $5, $6, $7, $8)";
        const REVISION: &str = "update ledger set documents_revision = $1";
        let inserted = on!(self.next(), conn => {
            sqlx::query(INSERT)
                .bind(&row.kind).bind(&row.id).bind(&row.version).bind(row.start_date.to_string())
                .bind(&row.body).bind(&row.hash).bind(row.revision)
                .bind(row.publish_time.micros())
                .execute(conn).await.map(|_| ())
        });
        self.done(inserted.map_err(StoreError::from))?;
        let set = on!(self.next(), conn => {
            sqlx::query(REVISION).bind(row.revision).execute(conn).await.map(|_| ())
        });
        self.done(set.map_err(StoreError::from))
    }

    /// The latest attribution date, `from` or later and before `until`, of a claim of this plan
    /// that still counts.
    pub async fn last_decided_day(
        &mut self,
        plan_id: &str,
        from: Day,
        until: Option<Day>,
    ) -> Result<Option<Day>, StoreError> {
        const SQL: &str = "select attribution_date from claim \
             where plan_id = $1 and attribution_date >= $2 and attribution_date < $3 \
             and state <> 'VOIDED' order by attribution_date desc limit 1";
        // Days are ISO text, so they compare as text; "9" lies after every day.
        let (from, until) =
            (from.to_string(), until.map_or_else(|| "9".to_owned(), |day| day.to_string()));
        let day = on!(self.next(), conn => {
            sqlx::query_scalar(SQL).bind(plan_id).bind(&from).bind(&until).fetch_optional(conn).await
        });
        let day: Option<String> = self.done(day.map_err(StoreError::from))?;
        let corrupt = || StoreError::corrupt("claim", format!("a day of plan {plan_id}"));
        day.map(|day| Day::parse(&day).ok_or_else(corrupt)).transpose()
    }

    /// Commits. After an error nobody knows whether it happened.
    pub async fn commit(self) -> Result<(), StoreError> {
        assert_eq!(self.begun, self.succeeded, "a statement failed: nothing may be committed");
        match self.held {
            Held::SqliteTx(tx) => tx.commit().await.map_err(StoreError::CommitUnknown),
            Held::PostgresTx(tx) => tx.commit().await.map_err(StoreError::CommitUnknown),
            Held::SqliteRead(_) | Held::PostgresRead(_) => {
                unreachable!("a write transaction holds a transaction")
            }
        }
    }
}
