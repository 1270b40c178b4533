//! What reviewers work with: the queue, the events of a claim, and the requests that were carried
//! out.

use std::collections::BTreeMap;

use super::conn::{Conn, Sql, bulk, on};
use super::error::StoreError;
use super::read::{self, select_claims};
use super::rows::{
    PastEvent, QueueCursor, QueueFilter, QueueOrder, QueueRow, RequestRow, ReserveRow,
};
use super::{Store, Tx};
use crate::core::claim::{Claim, ClaimId};
use crate::core::day::{Day, Moment};
use crate::core::decision::code;
use crate::core::event::Event;
use crate::core::money::Fen;

/// What has no clock comes behind everything that has one: more than a century, in µs.
const NO_CLOCK: i64 = 4_000_000_000_000_000;

/// A page of what waits for a person. Every condition is off while its parameter is null.
macro_rules! select_queue {
    ($after:expr, $order:expr) => {
        select_claims!(
            "(select * from claim c where c.pend_time_us is not null \
             and (cast($1 as text) is null or c.state = $1) \
             and (cast($2 as text) is null or c.plan_id = $2) \
             and (cast($3 as text) is null or c.hospital_code = $3) \
             and (cast($4 as text) is null or c.reason_codes like '%,' || $4 || ',%') \
             and (cast($5 as text) is null or c.assignee = $5) \
             and (cast($6 as integer) is null or c.assignee is null) \
             and c.payout_fen >= $7 and c.payout_fen <= $8 and ",
            $after,
            " order by ",
            $order,
            " limit $12) c"
        )
    };
}

const BY_DUE: &str = select_queue!(
    "(coalesce(c.due_time_us, c.pend_time_us + 4000000000000000), c.lane, c.claim_no) \
     > ($9, $10, $11)",
    "coalesce(c.due_time_us, c.pend_time_us + 4000000000000000), c.lane, c.claim_no"
);
const BY_AGE: &str = select_queue!(
    "(c.pend_time_us, c.lane, c.claim_no) > ($9, $10, $11)",
    "c.pend_time_us, c.lane, c.claim_no"
);
const BY_AMOUNT: &str = select_queue!(
    "(c.payout_fen < $9 or (c.payout_fen = $9 and (c.lane, c.claim_no) > ($10, $11)))",
    "c.payout_fen desc, c.lane, c.claim_no"
);

const STORED_REQUESTS: Sql = Sql {
    sqlite: "select r.request_id, r.digest, r.lane, r.claim_no, r.first_position, r.last_position \
             from jsonb_each($1) v cross join request r on r.request_id = v.value ->> 0",
    postgres: "select r.request_id, r.digest, r.lane, r.claim_no, r.first_position, \
               r.last_position from unnest($1::text[]) v (request_id) \
               join request r on r.request_id = v.request_id",
};

const REQUESTS: Sql = Sql {
    sqlite: "insert into request (request_id, digest, lane, claim_no, first_position, \
             last_position) \
             select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5 \
             from jsonb_each($1) where true on conflict do nothing returning request_id",
    postgres: "insert into request (request_id, digest, lane, claim_no, first_position, \
               last_position) \
               select * from unnest($1::text[], $2::text[], $3::int[], $4::bigint[], \
               $5::bigint[], $6::bigint[]) on conflict do nothing returning request_id",
};

/// The events of a claim with the words beside them, in order.
const HISTORY: &str = "select e.position, e.time_us, e.body, f.body as facts from \
     (select position from claim_event where lane = $1 and claim_no = $2 \
     union all select revision from claim where lane = $1 and claim_no = $2) p \
     join event e on e.lane = $1 and e.position = p.position \
     left join fact f on f.lane = $1 and f.position = p.position order by e.position";

/// What claims under review hold, by plan, and what was let through on top of it.
const RESERVES: &str = "select c.plan_id, count(*), cast(sum(c.payout_fen) as bigint), \
     min(c.pend_time_us), count(c.assignee), cast(coalesce(sum((\
     select sum(l.payout_fen) from claim l where l.member_id = c.member_id \
     and l.lane = c.lane and l.plan_id = c.plan_id and l.claim_no > c.claim_no \
     and l.state in ('APPROVED', 'PAID') and not exists (\
     select 1 from claim o where o.member_id = c.member_id and o.lane = c.lane \
     and o.plan_id = c.plan_id and o.pend_time_us is not null \
     and o.claim_no > c.claim_no and o.claim_no < l.claim_no)\
     )), 0) as bigint) \
     from claim c where c.pend_time_us is not null group by c.plan_id \
     order by c.plan_id nulls first";

/// Members with claims that no version of a plan decided, on days of a new one.
const UNCOVERED: &str = "select distinct c.lane, c.member_id from claim c \
     where c.state = 'DENIED' and c.plan_id is null and c.attribution_date >= $1 \
     and c.attribution_date < $2 order by c.lane, c.member_id";

type RequestRecord = (String, String, i32, i64, i64, i64);
type ReserveRecord = (Option<String>, i64, i64, i64, i64, i64);
type PastRecord = (i64, i64, String, Option<String>);

fn request(row: RequestRecord) -> Result<RequestRow, StoreError> {
    let (request_id, digest, lane, number, first, last) = row;
    let claim_id = ClaimId { lane: read::lane(lane, "request")?, number };
    Ok(RequestRow { request_id, digest, claim_id, positions: (first, last) })
}

impl Store {
    /// At most `limit` claims that wait for a person, behind a cursor.
    pub async fn review_queue(
        &self,
        filter: &QueueFilter,
        after: Option<QueueCursor>,
        limit: u32,
    ) -> Result<Vec<QueueRow>, StoreError> {
        let (text, first) = match filter.order {
            QueueOrder::Due => (BY_DUE, i64::MIN),
            QueueOrder::Age => (BY_AGE, i64::MIN),
            QueueOrder::Amount => (BY_AMOUNT, i64::MAX),
        };
        let (key, lane, number) =
            after.map_or((first, -1, 0), |it| (it.key, i32::from(it.id.lane), it.id.number));
        let only_free = filter.only_free.then_some(1);
        let most = filter.amount_max.map_or(i64::MAX, Fen::fen);
        let mut held = self.reader().await?;
        let rows = on!(held.conn(), conn => {
            sqlx::query_as(text)
                .bind(filter.state.as_ref().map(code)).bind(&filter.plan_id)
                .bind(&filter.hospital_code).bind(filter.reason.as_ref().map(code))
                .bind(&filter.assignee).bind(only_free)
                .bind(filter.amount_min.unwrap_or_default().fen()).bind(most)
                .bind(key).bind(lane).bind(number).bind(i64::from(limit))
                .persistent(false)
                .fetch_all(conn).await
        });
        let rows: Vec<read::ClaimRecord> = rows?;
        let due = |row: &read::ClaimRecord| {
            let id = ClaimId { lane: read::lane(row.lane, "claim")?, number: row.claim_no };
            Ok((id, row.due_time_us))
        };
        let due: BTreeMap<ClaimId, Option<i64>> =
            rows.iter().map(due).collect::<Result<_, StoreError>>()?;
        let row = |claim: Claim| {
            let since = claim.review.since.map_or(0, Moment::micros);
            let key = match filter.order {
                QueueOrder::Due => due[&claim.id].unwrap_or(since + NO_CLOCK),
                QueueOrder::Age => since,
                QueueOrder::Amount => claim.payout().fen(),
            };
            QueueRow { claim, key }
        };
        let mut queue: Vec<QueueRow> = read::assemble(rows)?.into_iter().map(row).collect();
        let is_falling = filter.order == QueueOrder::Amount;
        queue.sort_by_key(|row| (if is_falling { -row.key } else { row.key }, row.claim.id));
        Ok(queue)
    }

    /// What claims under review hold, by plan.
    pub async fn reserves(&self) -> Result<Vec<ReserveRow>, StoreError> {
        let mut held = self.reader().await?;
        let rows: Result<Vec<ReserveRecord>, _> =
            on!(held.conn(), conn => sqlx::query_as(RESERVES).fetch_all(conn).await);
        let row = |(plan_id, claims, reserved, oldest, assigned, resting)| {
            let fen = |fen| Fen::new(fen).ok_or_else(|| StoreError::corrupt("claim", "payout_fen"));
            Ok(ReserveRow {
                plan_id,
                claims,
                reserved: fen(reserved)?,
                oldest: Moment::from_micros(oldest),
                assigned,
                resting: fen(resting)?,
            })
        };
        rows?.into_iter().map(row).collect()
    }

    /// Every event of a claim, in order.
    pub async fn claim_history(&self, id: ClaimId) -> Result<Vec<PastEvent>, StoreError> {
        let mut held = self.reader().await?;
        let rows: Result<Vec<PastRecord>, _> = on!(held.conn(), conn => {
            let query = sqlx::query_as(HISTORY).bind(i32::from(id.lane)).bind(id.number);
            query.fetch_all(conn).await
        });
        let past = |(position, time, body, facts): PastRecord| {
            let corrupt = || StoreError::corrupt("event", format!("{}/{position}", id.lane));
            let Ok(Event::Claim(event)) = serde_json::from_str(&body) else {
                return Err(corrupt());
            };
            let texts = match (&event.texts, facts) {
                (Some(_), Some(facts)) => {
                    Some(serde_json::from_str(&facts).map_err(|_| corrupt())?)
                }
                _ => None,
            };
            let time = Moment::from_micros(time);
            Ok(PastEvent { position, time, event: *event, texts })
        };
        rows?.into_iter().map(past).collect()
    }

    /// The member whose claim it is.
    pub async fn member_of_claim(&self, id: ClaimId) -> Result<Option<String>, StoreError> {
        const SQL: &str = "select member_id from claim where lane = $1 and claim_no = $2";
        let mut held = self.reader().await?;
        let row: Result<Option<(String,)>, _> = on!(held.conn(), conn => {
            let query = sqlx::query_as(SQL).bind(i32::from(id.lane)).bind(id.number);
            query.fetch_optional(conn).await
        });
        Ok(row?.map(|(member,)| member))
    }

    /// A request that was carried out.
    pub async fn request(&self, request_id: &str) -> Result<Option<RequestRow>, StoreError> {
        const SQL: &str = "select request_id, digest, lane, claim_no, first_position, \
             last_position from request where request_id = $1";
        let mut held = self.reader().await?;
        let row: Result<Option<RequestRecord>, _> = on!(held.conn(), conn => {
            sqlx::query_as(SQL).bind(request_id).fetch_optional(conn).await
        });
        row?.map(request).transpose()
    }
}

impl Tx {
    /// Those of these requests, by id, that were carried out.
    pub async fn requests(&mut self, ids: &[&str]) -> Result<Vec<RequestRow>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let rows = stored_requests(self.next(), ids).await;
        self.done(rows)?.into_iter().map(request).collect()
    }

    /// Records requests, sorted by id, in the commit that carries them out. Gives whether all of
    /// them were new; else another server carried one out meanwhile, and nothing may be committed.
    pub async fn insert_requests(&mut self, rows: &[RequestRow]) -> Result<bool, StoreError> {
        if rows.is_empty() {
            return Ok(true);
        }
        let inserted = insert_requests(self.next(), rows).await;
        Ok(self.done(inserted)? == rows.len())
    }

    /// Members with claims that no version of a plan decided, with attribution dates from `from` on
    /// and before `until`.
    pub async fn uncovered_members(
        &mut self,
        from: Day,
        until: Option<Day>,
    ) -> Result<Vec<(u16, String)>, StoreError> {
        // Days are ISO text, so they compare as text; "9" lies after every day.
        let (from, until) =
            (from.to_string(), until.map_or_else(|| "9".to_owned(), |day| day.to_string()));
        let rows = on!(self.next(), conn => {
            sqlx::query_as(UNCOVERED).bind(&from).bind(&until).fetch_all(conn).await
        });
        let rows: Vec<(i32, String)> = self.done(rows.map_err(StoreError::from))?;
        let member = |(lane, member)| Ok((read::lane(lane, "claim")?, member));
        rows.into_iter().map(member).collect()
    }

    /// All identities of one member name another one from now on.
    pub async fn move_identities(&mut self, from: &str, into: &str) -> Result<(), StoreError> {
        const SQL: &str = "update directory set member_id = $2 where member_id = $1";
        let moved = on!(self.next(), conn => {
            sqlx::query(SQL).bind(from).bind(into).execute(conn).await.map(|_| ())
        });
        self.done(moved.map_err(StoreError::from))
    }

    /// The settlements of claims belong to the claims that took their place.
    pub async fn move_keys(
        &mut self,
        moved: &[(ClaimId, ClaimId)],
        into: &str,
    ) -> Result<(), StoreError> {
        if moved.is_empty() {
            return Ok(());
        }
        let outcome = move_keys(self.next(), moved, into).await;
        self.done(outcome)
    }
}

async fn stored_requests(conn: Conn<'_>, ids: &[&str]) -> Result<Vec<RequestRecord>, StoreError> {
    Ok(bulk!(read STORED_REQUESTS, conn, ids, |id| [*id])?)
}

async fn insert_requests(conn: Conn<'_>, rows: &[RequestRow]) -> Result<usize, StoreError> {
    let inserted: Vec<(String,)> = bulk!(read REQUESTS, conn, rows, |row| [
        row.request_id.as_str(), row.digest.as_str(), i32::from(row.claim_id.lane),
        row.claim_id.number, row.positions.0, row.positions.1,
    ])?;
    Ok(inserted.len())
}

const MOVED_KEYS: Sql = Sql {
    sqlite: "update settlement_key set lane = v.value ->> 2, claim_no = v.value ->> 3, \
             member_id = v.value ->> 4 from jsonb_each($1) v \
             where settlement_key.lane = v.value ->> 0 \
             and settlement_key.claim_no = v.value ->> 1 \
             and (settlement_key.settlement_id, settlement_key.source) in \
             (select c.settlement_id, c.source from claim c \
             where c.lane = v.value ->> 0 and c.claim_no = v.value ->> 1)",
    postgres: "update settlement_key k set lane = v.lane, claim_no = v.claim_no, \
               member_id = v.member_id \
               from unnest($1::int[], $2::bigint[], $3::int[], $4::bigint[], $5::text[]) \
               v (old_lane, old_claim_no, lane, claim_no, member_id) \
               join claim c on c.lane = v.old_lane and c.claim_no = v.old_claim_no \
               where k.settlement_id = c.settlement_id and k.source = c.source",
};

async fn move_keys(
    conn: Conn<'_>,
    moved: &[(ClaimId, ClaimId)],
    into: &str,
) -> Result<(), StoreError> {
    let rows: Vec<_> = moved.iter().map(|(old, new)| (old, new, into)).collect();
    bulk!(write MOVED_KEYS, conn, &rows, |it| [
        i32::from(it.0.lane), it.0.number, i32::from(it.1.lane), it.1.number, it.2,
    ])?;
    Ok(())
}
