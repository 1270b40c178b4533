//! What came in and cannot be used, as it came. Outside the lanes.

use super::conn::{Conn, on};
use super::error::StoreError;
use super::rows::{Delivery, RejectFilter, RejectRow};
use super::{Store, Tx};
use crate::core::day::Moment;

impl Tx {
    /// Keeps a reject. The same bytes again keep their row and get the new reasons; gives the id.
    pub async fn keep_reject(&mut self, row: &RejectRow) -> Result<String, StoreError> {
        const SQL: &str = "insert into reject (reject_id, digest, sender, format, infno, source, \
             settlement_id, topic, reason, problems, payload, request_payload, create_time_us, \
             update_time_us, attempts) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, 1) \
             on conflict (digest) do update set source = excluded.source, \
             settlement_id = excluded.settlement_id, topic = excluded.topic, reason = excluded.reason, \
             problems = excluded.problems, update_time_us = excluded.update_time_us, \
             attempts = reject.attempts + 1 returning reject_id";
        let it = &row.delivery;
        let id = on!(self.next(), conn => {
            sqlx::query_scalar(SQL)
                .bind(&row.reject_id).bind(&row.digest).bind(&it.sender).bind(&it.format)
                .bind(&it.infno).bind(&row.source).bind(&row.settlement_id).bind(&row.topic)
                .bind(&row.reason)
                .bind(&row.problems).bind(&it.payload).bind(&it.request_payload)
                .bind(row.update_time.micros())
                .fetch_one(conn).await
        });
        self.done(id.map_err(StoreError::from))
    }

    /// Puts what was to correct a reject, and is refused as well, in its place: under its id, so that
    /// there are not two of one thing. False where that one is gone or about another settlement,
    /// and where another reject keeps the same bytes: then nothing may be lost with it.
    pub async fn replace_reject(
        &mut self,
        reject_id: &str,
        row: &RejectRow,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "update reject set digest = $2, sender = $3, format = $4, infno = $5, \
             source = $6, settlement_id = $7, topic = $8, reason = $9, problems = $10, \
             payload = $11, request_payload = $12, update_time_us = $13, attempts = attempts + 1 \
             where reject_id = $1 and (settlement_id is null or cast($7 as text) is null \
             or settlement_id = $7) and not exists (select 1 from reject other \
             where other.digest = $2 and other.reject_id <> $1)";
        let it = &row.delivery;
        let count = on!(self.next(), conn => {
            sqlx::query(SQL)
                .bind(reject_id).bind(&row.digest).bind(&it.sender).bind(&it.format)
                .bind(&it.infno).bind(&row.source).bind(&row.settlement_id).bind(&row.topic)
                .bind(&row.reason)
                .bind(&row.problems).bind(&it.payload).bind(&it.request_payload)
                .bind(row.update_time.micros())
                .execute(conn).await.map(|done| done.rows_affected())
        });
        Ok(self.done(count.map_err(StoreError::from))? == 1)
    }

    /// Takes a reject out.
    pub async fn drop_reject(&mut self, reject_id: &str) -> Result<(), StoreError> {
        const SQL: &str = "delete from reject where reject_id = $1";
        let gone = on!(self.next(), conn => {
            sqlx::query(SQL).bind(reject_id).execute(conn).await.map(|_| ())
        });
        self.done(gone.map_err(StoreError::from))
    }

    /// Takes out rejects of settlements that were recorded after them, by whichever server: all but
    /// contradictions.
    pub async fn drop_recorded_rejects(
        &mut self,
        but_reasons: [&str; 2],
    ) -> Result<(), StoreError> {
        const SQL: &str = "delete from reject where topic = 'SETTLEMENT' and reason <> $1 \
             and reason <> $2 and exists (select 1 from settlement_key k join claim c \
             on c.lane = k.lane and c.claim_no = k.claim_no \
             where k.settlement_id = reject.settlement_id and k.source = reject.source \
             and c.create_time_us >= reject.update_time_us)";
        let gone = on!(self.next(), conn => {
            sqlx::query(SQL).bind(but_reasons[0]).bind(but_reasons[1])
                .execute(conn).await.map(|_| ())
        });
        self.done(gone.map_err(StoreError::from))
    }

    /// Takes out what a success has made good: these bytes, and what was refused about this
    /// settlement under the same topic, but for contradictions, which a person has to look at.
    pub async fn drop_rejects_of(
        &mut self,
        digest: &str,
        about: Option<(&str, &str, &str)>,
        but_reasons: [&str; 2],
    ) -> Result<(), StoreError> {
        const SAME: &str = "delete from reject where digest = $1";
        const ABOUT: &str = "delete from reject where settlement_id = $1 and source = $2 \
             and topic = $3 and reason <> $4 and reason <> $5";
        let gone = on!(self.next(), conn => {
            sqlx::query(SAME).bind(digest).execute(conn).await.map(|_| ())
        });
        self.done(gone.map_err(StoreError::from))?;
        if let Some((source, settlement_id, topic)) = about {
            let gone = on!(self.next(), conn => {
                sqlx::query(ABOUT).bind(settlement_id).bind(source).bind(topic)
                    .bind(but_reasons[0]).bind(but_reasons[1])
                    .execute(conn).await.map(|_| ())
            });
            self.done(gone.map_err(StoreError::from))?;
        }
        Ok(())
    }
}

/// Digest, platform and settlement of a reject.
pub type RejectKey = (String, Option<String>, Option<String>);

#[derive(sqlx::FromRow)]
struct RejectRecord {
    reject_id: String,
    digest: String,
    sender: String,
    format: String,
    infno: String,
    source: Option<String>,
    settlement_id: Option<String>,
    topic: String,
    reason: String,
    problems: String,
    payload: Vec<u8>,
    request_payload: Vec<u8>,
    create_time_us: i64,
    update_time_us: i64,
    attempts: i64,
}

impl From<RejectRecord> for RejectRow {
    fn from(row: RejectRecord) -> RejectRow {
        let RejectRecord { sender, format, infno, payload, request_payload, .. } = row;
        RejectRow {
            reject_id: row.reject_id,
            digest: row.digest,
            delivery: Delivery { sender, format, infno, payload, request_payload },
            source: row.source,
            settlement_id: row.settlement_id,
            topic: row.topic,
            reason: row.reason,
            problems: row.problems,
            create_time: Moment::from_micros(row.create_time_us),
            update_time: Moment::from_micros(row.update_time_us),
            attempts: row.attempts,
        }
    }
}

macro_rules! reject_columns {
    ($bytes:expr, $rest:expr) => {
        concat!(
            "select reject_id, digest, sender, format, infno, source, settlement_id, topic, \
             reason, problems, ",
            $bytes,
            ", create_time_us, update_time_us, cast(attempts as bigint) as attempts from reject ",
            $rest
        )
    };
}

/// A page of rejects; their bytes are read only where they are asked for.
macro_rules! reject_page {
    ($bytes:expr) => {
        reject_columns!(
            $bytes,
            "where reject_id > $1 and (cast($2 as text) is null or sender = $2) \
             and (cast($3 as text) is null or reason = $3) \
             and (cast($4 as text) is null or settlement_id = $4) \
             and (cast($5 as text) is null or reject_id = $5) order by reject_id limit $6"
        )
    };
}

impl Store {
    /// At most `limit` rejects behind one, by id, which is by the time they came first.
    pub async fn rejects_page(
        &self,
        filter: &RejectFilter,
        after: &str,
        limit: u32,
        with_bytes: bool,
    ) -> Result<Vec<RejectRow>, StoreError> {
        const WITH: &str = reject_page!("payload, request_payload");
        const WITHOUT_SQLITE: &str = reject_page!("x'' as payload, x'' as request_payload");
        const WITHOUT_POSTGRES: &str =
            reject_page!("''::bytea as payload, ''::bytea as request_payload");
        let mut held = self.reader().await?;
        macro_rules! page {
            ($conn:expr, $without:expr) => {
                sqlx::query_as(if with_bytes { WITH } else { $without })
                    .bind(after)
                    .bind(&filter.sender)
                    .bind(&filter.reason)
                    .bind(&filter.settlement_id)
                    .bind(&filter.reject_id)
                    .bind(i64::from(limit))
                    .persistent(false)
                    .fetch_all($conn)
                    .await
            };
        }
        let rows: Result<Vec<RejectRecord>, _> = match held.conn() {
            Conn::Sqlite(conn) => page!(conn, WITHOUT_SQLITE),
            Conn::Postgres(conn) => page!(conn, WITHOUT_POSTGRES),
        };
        Ok(rows?.into_iter().map(RejectRow::from).collect())
    }

    /// What the newest rejects are: digest, platform, settlement.
    pub async fn reject_keys(&self, limit: u32) -> Result<Vec<RejectKey>, StoreError> {
        const SQL: &str = "select digest, source, settlement_id from reject \
             order by reject_id desc limit $1";
        let mut held = self.reader().await?;
        let rows: Result<Vec<RejectKey>, _> = on!(held.conn(), conn => {
            sqlx::query_as(SQL).bind(i64::from(limit)).fetch_all(conn).await
        });
        Ok(rows?)
    }

    /// A reject, if it is still there.
    pub async fn reject(&self, reject_id: &str) -> Result<Option<RejectRow>, StoreError> {
        const SQL: &str = reject_columns!("payload, request_payload", "where reject_id = $1");
        let mut held = self.reader().await?;
        let row: Result<Option<RejectRecord>, _> = on!(held.conn(), conn => {
            sqlx::query_as(SQL).bind(reject_id).fetch_optional(conn).await
        });
        Ok(row?.map(RejectRow::from))
    }
}
