//! Figures over the whole book: what stays cost, who shares an account, how clocks stand.

use super::conn::{Conn, Sql, bulk, on};
use super::error::StoreError;
use super::read::{self, select_claims};
use super::rows::{ClockRow, Due, StayRow};
use super::{Store, Tx};
use crate::core::claim::{Claim, ClaimId};
use crate::core::day::{Day, Moment};
use crate::core::decision::code;
use crate::core::money::Fen;

/// Stays that ended in a span and count, by claim. Interim settlements are parts of a stay.
macro_rules! select_stays {
    ($admission:expr, $discharge:expr, $total:expr, $whole:expr) => {
        concat!(
            "select c.lane, c.claim_no, c.hospital_code, ",
            $admission,
            ", ",
            $discharge,
            ", ",
            $total,
            " from claim c join fact f on f.lane = c.lane and f.position = c.facts_position \
             where (c.lane, c.claim_no) > ($1, $2) and c.hospital_code is not null \
             and c.stay_end >= $3 and c.stay_end <= $4 and c.state in ('APPROVED', 'PAID') and ",
            $whole,
            " order by c.lane, c.claim_no limit $5"
        )
    };
}

const STAYS: Sql = Sql {
    sqlite: select_stays!(
        "f.body ->> '$.admission_date'",
        "f.body ->> '$.discharge_date'",
        "f.body ->> '$.amounts.total'",
        "f.body ->> '$.interim' is not 1"
    ),
    postgres: select_stays!(
        "f.body::json ->> 'admission_date'",
        "f.body::json ->> 'discharge_date'",
        "(f.body::json -> 'amounts' ->> 'total')::bigint",
        "(f.body::json ->> 'interim') is distinct from 'true'"
    ),
};

/// Members who have one account together. Who proved to be another member is left out.
const SHARED_ACCOUNTS: Sql = Sql {
    sqlite: "select group_concat(m.member_id, ',') from member m \
             join fact f on f.lane = m.lane and f.position = m.facts_position \
             where m.merged_into is null and f.body ->> '$.payee.account_no' is not null \
             group by f.body ->> '$.payee.account_no' having count(*) >= $1 \
             order by min(m.member_id)",
    postgres: "select string_agg(m.member_id, ',' order by m.member_id) from member m \
               join fact f on f.lane = m.lane and f.position = m.facts_position \
               where m.merged_into is null \
               and f.body::json -> 'payee' ->> 'account_no' is not null \
               group by f.body::json -> 'payee' ->> 'account_no' having count(*) >= $1 \
               order by min(m.member_id)",
};

/// Claims by the clock that runs out first, and how it stands.
const CLOCKS: &str = "select due_clock, cast(count(*) as bigint), \
     cast(sum(case when warn_time_us <= $1 and due_time_us > $1 then 1 else 0 end) as bigint), \
     cast(sum(case when due_time_us <= $1 then 1 else 0 end) as bigint) \
     from claim where due_clock is not null group by due_clock order by due_clock";

/// Claims whose clocks may run.
const OPEN: &str = select_claims!(
    "(select * from claim c where (c.pend_time_us is not null or c.due_clock is not null) \
     and (c.lane, c.claim_no) > ($1, $2) order by c.lane, c.claim_no limit $3) c"
);

const SET_DUE: Sql = Sql {
    sqlite: "update claim set due_clock = v.value ->> 2, warn_time_us = v.value ->> 3, \
             due_time_us = v.value ->> 4 from jsonb_each($1) v \
             where claim.lane = v.value ->> 0 and claim.claim_no = v.value ->> 1",
    postgres: "update claim set due_clock = v.due_clock, warn_time_us = v.warn_time_us, \
               due_time_us = v.due_time_us \
               from unnest($1::int[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[]) \
               v (lane, claim_no, due_clock, warn_time_us, due_time_us) \
               where claim.lane = v.lane and claim.claim_no = v.claim_no",
};

type StayRecord = (i32, i64, String, Option<String>, Option<String>, i64);

impl Store {
    /// At most `limit` claims of stays that ended from one day to another, behind a claim.
    pub async fn stays(
        &self,
        (from, until): (Day, Day),
        after: Option<ClaimId>,
        limit: u32,
    ) -> Result<Vec<StayRow>, StoreError> {
        let (lane, number) = after.map_or((-1, 0), |it| (i32::from(it.lane), it.number));
        let (from, until) = (from.to_string(), until.to_string());
        let mut held = self.reader().await?;
        let rows: Result<Vec<StayRecord>, _> = match held.conn() {
            Conn::Sqlite(conn) => {
                let query = sqlx::query_as(STAYS.sqlite).bind(lane).bind(number).bind(&from);
                query.bind(&until).bind(i64::from(limit)).fetch_all(conn).await
            }
            Conn::Postgres(conn) => {
                let query = sqlx::query_as(STAYS.postgres).bind(lane).bind(number).bind(&from);
                query.bind(&until).bind(i64::from(limit)).fetch_all(conn).await
            }
        };
        let row = |(lane, number, hospital_code, admission, discharge, total): StayRecord| {
            let total = Fen::new(total);
            Ok(StayRow {
                claim_id: ClaimId { lane: read::lane(lane, "claim")?, number },
                hospital_code,
                admission: admission.as_deref().and_then(Day::parse),
                discharge: discharge.as_deref().and_then(Day::parse),
                total: total.ok_or_else(|| StoreError::corrupt("fact", "a negative total"))?,
            })
        };
        let mut rows: Vec<StayRow> =
            rows?.into_iter().map(row).collect::<Result<_, StoreError>>()?;
        rows.sort_by_key(|row| row.claim_id);
        Ok(rows)
    }

    /// The members of each account that so many or more have.
    pub async fn shared_accounts(&self, least: u16) -> Result<Vec<Vec<String>>, StoreError> {
        let mut held = self.reader().await?;
        let rows: Result<Vec<(String,)>, _> = match held.conn() {
            Conn::Sqlite(conn) => {
                let query = sqlx::query_as(SHARED_ACCOUNTS.sqlite).bind(i64::from(least));
                query.fetch_all(conn).await
            }
            Conn::Postgres(conn) => {
                let query = sqlx::query_as(SHARED_ACCOUNTS.postgres).bind(i64::from(least));
                query.fetch_all(conn).await
            }
        };
        let members = |(members,): (String,)| {
            let mut members: Vec<String> = members.split(',').map(str::to_owned).collect();
            members.sort_unstable();
            members
        };
        Ok(rows?.into_iter().map(members).collect())
    }

    /// Claims by the clock that runs out first, and how it stands now.
    pub async fn clock_figures(&self, now: Moment) -> Result<Vec<ClockRow>, StoreError> {
        let mut held = self.reader().await?;
        let rows: Result<Vec<(String, i64, i64, i64)>, _> = on!(held.conn(), conn => {
            sqlx::query_as(CLOCKS).bind(now.micros()).fetch_all(conn).await
        });
        let row = |(clock, claims, warned, breached): (String, i64, i64, i64)| {
            let corrupt = || StoreError::corrupt("claim", "due_clock");
            let clock = read::named(&clock).ok_or_else(corrupt)?;
            Ok(ClockRow { clock, claims, warned, breached })
        };
        rows?.into_iter().map(row).collect()
    }
}

impl Tx {
    /// At most `limit` claims whose clocks may run, behind a claim.
    pub async fn open_claims(
        &mut self,
        after: Option<ClaimId>,
        limit: u32,
    ) -> Result<Vec<Claim>, StoreError> {
        let (lane, number) = after.map_or((-1, 0), |it| (i32::from(it.lane), it.number));
        let rows = on!(self.next(), conn => {
            sqlx::query_as(OPEN).bind(lane).bind(number).bind(i64::from(limit)).fetch_all(conn).await
        });
        let rows = self.done(rows.map_err(StoreError::from))?;
        read::assemble(rows)
    }

    /// When clocks of claims run out, by another calendar.
    pub async fn set_due(&mut self, rows: &[(ClaimId, Option<Due>)]) -> Result<(), StoreError> {
        let outcome = set_due(self.next(), rows).await;
        self.done(outcome)
    }
}

async fn set_due(conn: Conn<'_>, rows: &[(ClaimId, Option<Due>)]) -> Result<(), StoreError> {
    bulk!(write SET_DUE, conn, rows, |row| [
        i32::from(row.0.lane),
        row.0.number,
        row.1.map(|due| code(&due.clock)),
        row.1.map(|due| due.warn.micros()),
        row.1.map(|due| due.time.micros()),
    ])?;
    Ok(())
}
