//! Follow-ups that wait for their settlement, and whose that may be. Outside the lanes.

use super::conn::{Conn, Sql, bulk, on};
use super::error::StoreError;
use super::rows::{Backlog, Delivery, ParkedRow};
use super::{Store, Tx};
use crate::core::day::Moment;

macro_rules! parked_columns {
    ($rest:expr) => {
        concat!(
            "select p.parked_id, p.digest, p.source, p.settlement_id, p.visit_id, p.kind, p.body, \
             p.sender, p.format, p.infno, p.receive_time_us from ",
            $rest
        )
    };
}

#[derive(sqlx::FromRow)]
struct ParkedRecord {
    parked_id: String,
    digest: String,
    source: String,
    settlement_id: Option<String>,
    visit_id: Option<String>,
    kind: String,
    body: String,
    sender: String,
    format: String,
    infno: String,
    receive_time_us: i64,
}

impl From<ParkedRecord> for ParkedRow {
    fn from(row: ParkedRecord) -> ParkedRow {
        let ParkedRecord { sender, format, infno, .. } = row;
        ParkedRow {
            parked_id: row.parked_id,
            digest: row.digest,
            source: row.source,
            settlement_id: row.settlement_id,
            visit_id: row.visit_id,
            kind: row.kind,
            body: row.body,
            delivery: Delivery { sender, format, infno, ..Delivery::default() },
            receive_time: Moment::from_micros(row.receive_time_us),
        }
    }
}

/// What waits for a settlement: it names it, or its stay.
const PARKED_OF: Sql = Sql {
    sqlite: concat!(
        parked_columns!(
            "jsonb_each($1) v cross join parked p \
             on p.settlement_id = v.value ->> 1 and p.source = v.value ->> 0 union "
        ),
        parked_columns!(
            "jsonb_each($1) v cross join parked p \
             on p.visit_id = v.value ->> 2 and p.source = v.value ->> 0"
        )
    ),
    postgres: concat!(
        parked_columns!(
            "unnest($1::text[], $2::text[], $3::text[]) v (source, settlement_id, visit_id) \
             join parked p on p.settlement_id = v.settlement_id and p.source = v.source union "
        ),
        parked_columns!(
            "unnest($1::text[], $2::text[], $3::text[]) v (source, settlement_id, visit_id) \
             join parked p on p.visit_id = v.visit_id and p.source = v.source"
        )
    ),
};

/// A settlement as what waits may name it.
#[derive(Debug, Clone)]
pub struct Named<'a> {
    /// The platform.
    pub source: &'a str,
    /// The settlement.
    pub settlement_id: &'a str,
    /// The stay.
    pub visit_id: Option<&'a str>,
}

async fn parked_of(conn: Conn<'_>, named: &[Named<'_>]) -> Result<Vec<ParkedRow>, StoreError> {
    let rows: Vec<ParkedRecord> = bulk!(read PARKED_OF, conn, named, |it| [
        it.source, it.settlement_id, it.visit_id,
    ])?;
    let mut rows: Vec<ParkedRow> = rows.into_iter().map(ParkedRow::from).collect();
    rows.sort_by(|one, other| one.parked_id.cmp(&other.parked_id));
    Ok(rows)
}

impl Tx {
    /// What waits for any of these settlements, oldest first.
    pub async fn parked_of(&mut self, named: &[Named<'_>]) -> Result<Vec<ParkedRow>, StoreError> {
        // Mostly nothing waits at all, and then hundreds of look-ups are spared.
        const ANY: &str = "select parked_id from parked order by parked_id limit 1";
        if named.is_empty() {
            return Ok(Vec::new());
        }
        let any: Result<Option<(String,)>, _> =
            on!(self.next(), conn => sqlx::query_as(ANY).fetch_optional(conn).await);
        if self.done(any.map_err(StoreError::from))?.is_none() {
            return Ok(Vec::new());
        }
        let outcome = parked_of(self.next(), named).await;
        self.done(outcome)
    }

    /// Parks a follow-up. The same one again keeps its row; gives the id it has.
    pub async fn park(&mut self, row: &ParkedRow) -> Result<String, StoreError> {
        const SQL: &str = "insert into parked (parked_id, digest, source, settlement_id, \
             visit_id, kind, body, sender, format, infno, payload, request_payload, \
             receive_time_us) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
             on conflict (digest) do update set digest = excluded.digest returning parked_id";
        let it = &row.delivery;
        let id = on!(self.next(), conn => {
            sqlx::query_scalar(SQL)
                .bind(&row.parked_id).bind(&row.digest).bind(&row.source)
                .bind(&row.settlement_id).bind(&row.visit_id).bind(&row.kind).bind(&row.body)
                .bind(&it.sender).bind(&it.format).bind(&it.infno)
                .bind(&it.payload).bind(&it.request_payload)
                .bind(row.receive_time.micros())
                .fetch_one(conn).await
        });
        self.done(id.map_err(StoreError::from))
    }

    /// The bytes of what waits, to be kept as a reject; `None` when it is gone.
    pub async fn parked_bytes(
        &mut self,
        id: &str,
    ) -> Result<Option<(Vec<u8>, Vec<u8>)>, StoreError> {
        const SQL: &str = "select payload, request_payload from parked where parked_id = $1";
        let bytes = on!(self.next(), conn => {
            sqlx::query_as(SQL).bind(id).fetch_optional(conn).await
        });
        self.done(bytes.map_err(StoreError::from))
    }

    /// Takes what waited out, by id, sorted; what is gone already is no harm.
    pub async fn unpark(&mut self, ids: &[String]) -> Result<(), StoreError> {
        const SQL: &str = "delete from parked where parked_id = $1";
        for id in ids {
            let gone = on!(self.next(), conn => {
                sqlx::query(SQL).bind(id).execute(conn).await.map(|_| ())
            });
            self.done(gone.map_err(StoreError::from))?;
        }
        Ok(())
    }
}

impl Store {
    /// At most `limit` parked follow-ups behind one, by id, which is by the time they came.
    pub async fn parked_page(
        &self,
        sender: Option<&str>,
        visit_id: Option<&str>,
        after: &str,
        limit: u32,
    ) -> Result<Vec<ParkedRow>, StoreError> {
        const SQL: &str = parked_columns!(
            "parked p where p.parked_id > $1 and (cast($2 as text) is null or p.sender = $2) \
             and (cast($3 as text) is null or p.visit_id = $3) order by p.parked_id limit $4"
        );
        let mut held = self.reader().await?;
        let rows: Result<Vec<ParkedRecord>, _> = on!(held.conn(), conn => {
            sqlx::query_as(SQL)
                .bind(after).bind(sender).bind(visit_id).bind(i64::from(limit))
                .persistent(false).fetch_all(conn).await
        });
        Ok(rows?.into_iter().map(ParkedRow::from).collect())
    }

    /// Parked follow-ups behind one whose settlement, or one of whose stay, is there by now.
    pub async fn ripe_parked(&self, after: &str, limit: u32) -> Result<Vec<ParkedRow>, StoreError> {
        // Each half goes by one index from what waits, which is little.
        const SQL: &str = concat!(
            parked_columns!(
                "parked p join settlement_key k \
                 on k.settlement_id = p.settlement_id and k.source = p.source \
                 where p.parked_id > $1 union "
            ),
            parked_columns!(
                "parked p join claim c on c.visit_id = p.visit_id and c.source = p.source \
                 where p.parked_id > $1 order by 1 limit $2"
            )
        );
        let mut held = self.reader().await?;
        let rows: Result<Vec<ParkedRecord>, _> = on!(held.conn(), conn => {
            sqlx::query_as(SQL).bind(after).bind(i64::from(limit)).fetch_all(conn).await
        });
        Ok(rows?.into_iter().map(ParkedRow::from).collect())
    }

    /// Whose a settlement is, if it is recorded.
    pub async fn member_of_settlement(
        &self,
        source: &str,
        settlement_id: &str,
    ) -> Result<Option<String>, StoreError> {
        const SQL: &str =
            "select member_id from settlement_key where settlement_id = $1 and source = $2";
        let mut held = self.reader().await?;
        let member: Result<Option<String>, _> = on!(held.conn(), conn => {
            sqlx::query_scalar(SQL).bind(settlement_id).bind(source).fetch_optional(conn).await
        });
        Ok(member?)
    }

    /// Whose a stay is, and whether a settlement of it stands: mostly one member.
    pub async fn members_of_visit(
        &self,
        source: &str,
        visit_id: &str,
    ) -> Result<Vec<(String, bool)>, StoreError> {
        const SQL: &str = "select member_id, cast(max(case when state = 'VOIDED' then 0 else 1 end) \
             as bigint) from claim where visit_id = $1 and source = $2 \
             group by member_id order by member_id limit 10";
        let mut held = self.reader().await?;
        let rows: Result<Vec<(String, i64)>, _> = on!(held.conn(), conn => {
            sqlx::query_as(SQL).bind(visit_id).bind(source).fetch_all(conn).await
        });
        Ok(rows?.into_iter().map(|(member, stands)| (member, stands != 0)).collect())
    }

    /// How much waits and how much is rejected, by sender and kind or reason.
    pub async fn backlog(&self) -> Result<Backlog, StoreError> {
        const REJECTS: &str = "select sender, reason, cast(count(*) as bigint), \
             min(create_time_us) from reject group by sender, reason order by sender, reason";
        const PARKED: &str = "select sender, kind, cast(count(*) as bigint), \
             min(receive_time_us) from parked group by sender, kind order by sender, kind";
        let mut held = self.reader().await?;
        let rejects: Result<Vec<(String, String, i64, i64)>, _> =
            on!(held.conn(), conn => sqlx::query_as(REJECTS).fetch_all(conn).await);
        let parked: Result<Vec<(String, String, i64, i64)>, _> =
            on!(held.conn(), conn => sqlx::query_as(PARKED).fetch_all(conn).await);
        let count =
            |(sender, kind, count, oldest)| (sender, kind, count, Moment::from_micros(oldest));
        Ok(Backlog {
            rejects: rejects?.into_iter().map(count).collect(),
            parked: parked?.into_iter().map(count).collect(),
        })
    }
}
