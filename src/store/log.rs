//! Reading the logs of the lanes, for those who watch them.

use super::conn::{Conn, Sql, bulk, on};
use super::error::StoreError;
use super::rows::{EventRow, LaneHead};
use super::{Store, read};
use crate::core::day::Moment;

const HASHES: Sql = Sql {
    sqlite: "select e.lane, e.position, e.hash from jsonb_each($1) k \
             cross join event e on e.lane = k.value ->> 0 and e.position = k.value ->> 1",
    postgres: "select e.lane, e.position, e.hash \
               from unnest($1::int[], $2::bigint[]) k (lane, position) \
               join event e on e.lane = k.lane and e.position = k.position",
};

impl Store {
    /// Where every lane ends, in their order.
    pub async fn heads(&self) -> Result<Vec<LaneHead>, StoreError> {
        const SQL: &str = "select lane, position, hash, time_us, claims, documents_revision \
             from lane order by lane";
        let mut held = self.reader().await?;
        let rows: Result<Vec<read::HeadRecord>, _> =
            on!(held.conn(), conn => sqlx::query_as(SQL).fetch_all(conn).await);
        rows?.into_iter().map(read::head).collect()
    }

    /// At most `limit` events of a lane behind a position, in order.
    pub async fn events_after(
        &self,
        lane: u16,
        position: i64,
        limit: u32,
    ) -> Result<Vec<EventRow>, StoreError> {
        const SQL: &str = "select position, time_us, hash, body from event \
             where lane = $1 and position > $2 order by position limit $3";
        let mut held = self.reader().await?;
        let rows: Result<Vec<(i64, i64, String, String)>, _> = on!(held.conn(), conn => {
            sqlx::query_as(SQL)
                .bind(i32::from(lane)).bind(position).bind(i64::from(limit))
                .fetch_all(conn).await
        });
        let row = |(position, time, hash, body)| {
            let time = Moment::from_micros(time);
            EventRow { lane, position, time, hash, body }
        };
        Ok(rows?.into_iter().map(row).collect())
    }

    /// The hashes of those of these events, `(lane, position)`, that exist.
    pub async fn event_hashes(
        &self,
        events: &[(u16, i64)],
    ) -> Result<Vec<(u16, i64, String)>, StoreError> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let mut held = self.reader().await?;
        let rows: Result<Vec<(i32, i64, String)>, StoreError> = hashes(held.conn(), events).await;
        let row = |(lane, position, hash)| Ok((read::lane(lane, "event")?, position, hash));
        rows?.into_iter().map(row).collect()
    }
}

async fn hashes(
    conn: Conn<'_>,
    events: &[(u16, i64)],
) -> Result<Vec<(i32, i64, String)>, StoreError> {
    Ok(bulk!(read HASHES, conn, events, |event| [i32::from(event.0), event.1])?)
}
