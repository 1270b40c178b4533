//! Writing: one statement for each table, whatever the number of rows.

use super::conn::{Conn, Sql, bulk};
use super::error::StoreError;
use super::rows::{
    ClaimRow, CounterRow, EventRow, FactRow, KeyRow, LaneHead, MemberRow, PayoutRow,
};
use crate::core::claim::ClaimId;
use crate::core::day::Moment;
use crate::core::decision::code;
use crate::core::route::Reason;

const HEADS: Sql = Sql {
    sqlite: "update lane set position = v.value ->> 1, hash = v.value ->> 2, \
             time_us = v.value ->> 3, claims = v.value ->> 4, documents_revision = v.value ->> 5 \
             from jsonb_each($1) v where lane.lane = v.value ->> 0",
    postgres: "update lane set position = v.position, hash = v.hash, time_us = v.time_us, \
               claims = v.claims, documents_revision = v.documents_revision \
               from unnest($1::int[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], \
               $6::bigint[]) v (lane, position, hash, time_us, claims, documents_revision) \
               where lane.lane = v.lane",
};

pub(super) async fn heads(conn: Conn<'_>, rows: &[LaneHead]) -> Result<(), StoreError> {
    let written = bulk!(write HEADS, conn, rows, |row| [
        i32::from(row.lane), row.position, row.hash.as_str(), row.time.micros(), row.claims,
        row.documents_revision,
    ])?;
    // A head that is not there would let the next batch use its positions again.
    if written == rows.len() as u64 {
        Ok(())
    } else {
        Err(StoreError::corrupt("lane", format!("{written} of {} written", rows.len())))
    }
}

const EVENTS: Sql = Sql {
    sqlite: "insert into event (lane, position, time_us, hash, body) \
             select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 \
             from jsonb_each($1)",
    postgres: "insert into event (lane, position, time_us, hash, body) \
               select * from unnest($1::int[], $2::bigint[], $3::bigint[], $4::text[], $5::text[])",
};

pub(super) async fn events(conn: Conn<'_>, rows: &[EventRow]) -> Result<(), StoreError> {
    bulk!(write EVENTS, conn, rows, |row| [
        i32::from(row.lane), row.position, row.time.micros(), row.hash.as_str(), row.body.as_str(),
    ])?;
    Ok(())
}

const FACTS: Sql = Sql {
    sqlite: "insert into fact (lane, position, salt, body) \
             select value ->> 0, value ->> 1, value ->> 2, value ->> 3 from jsonb_each($1)",
    postgres: "insert into fact (lane, position, salt, body) \
               select * from unnest($1::int[], $2::bigint[], $3::text[], $4::text[])",
};

pub(super) async fn facts(conn: Conn<'_>, rows: &[FactRow]) -> Result<(), StoreError> {
    bulk!(write FACTS, conn, rows, |row| [
        i32::from(row.lane), row.position, row.salt.as_str(), row.body.as_str(),
    ])?;
    Ok(())
}

/// Everything but what never changes: key, member, settlement and first time. Facts position 0
/// means: where they lay before.
macro_rules! upsert_claims {
    ($from:expr) => {
        concat!(
            "insert into claim (lane, claim_no, member_id, source, settlement_id, visit_id, \
             hospital_code, invoice_no, plan_id, plan_version, attribution_date, state, route, \
             payout_fen, facts_position, decision_position, revision, create_time_us, \
             update_time_us, assignee, pend_time_us, reason_codes, stay_start, stay_end, \
             due_clock, warn_time_us, due_time_us) ",
            $from,
            " on conflict (lane, claim_no) do update set \
             visit_id = excluded.visit_id, hospital_code = excluded.hospital_code, \
             invoice_no = excluded.invoice_no, plan_id = excluded.plan_id, \
             plan_version = excluded.plan_version, attribution_date = excluded.attribution_date, \
             state = excluded.state, route = excluded.route, payout_fen = excluded.payout_fen, \
             facts_position = coalesce(nullif(excluded.facts_position, 0), claim.facts_position), \
             decision_position = \
             coalesce(nullif(excluded.decision_position, 0), claim.decision_position), \
             revision = excluded.revision, update_time_us = excluded.update_time_us, \
             assignee = excluded.assignee, pend_time_us = excluded.pend_time_us, \
             reason_codes = excluded.reason_codes, stay_start = excluded.stay_start, \
             stay_end = excluded.stay_end, \
             due_clock = excluded.due_clock, warn_time_us = excluded.warn_time_us, \
             due_time_us = excluded.due_time_us"
        )
    };
}

const CLAIMS: Sql = Sql {
    sqlite: upsert_claims!(
        "select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, \
         value ->> 6, value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11, \
         value ->> 12, value ->> 13, value ->> 14, value ->> 15, value ->> 16, value ->> 17, \
         value ->> 18, value ->> 19, value ->> 20, value ->> 21, value ->> 22, value ->> 23, \
         value ->> 24, value ->> 25, value ->> 26 from jsonb_each($1) where true"
    ),
    postgres: upsert_claims!(
        "select v.lane, v.claim_no, v.member_id, v.source, v.settlement_id, v.visit_id, \
         v.hospital_code, v.invoice_no, v.plan_id, v.plan_version, v.attribution_date, v.state, \
         v.route, v.payout_fen, v.facts_position, v.decision_position, v.revision, \
         v.create_time_us, v.update_time_us, v.assignee, v.pend_time_us, v.reason_codes, \
         v.stay_start, v.stay_end, v.due_clock, v.warn_time_us, v.due_time_us \
         from unnest($1::int[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], \
         $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], \
         $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[], \
         $19::bigint[], $20::text[], $21::bigint[], $22::text[], $23::text[], $24::text[], \
         $25::text[], $26::bigint[], $27::bigint[]) \
         v (lane, claim_no, member_id, source, settlement_id, visit_id, hospital_code, \
         invoice_no, plan_id, plan_version, attribution_date, state, route, payout_fen, \
         facts_position, decision_position, revision, create_time_us, update_time_us, assignee, \
         pend_time_us, reason_codes, stay_start, stay_end, due_clock, warn_time_us, \
         due_time_us)"
    ),
};

pub(super) async fn claims(conn: Conn<'_>, rows: &[ClaimRow]) -> Result<(), StoreError> {
    bulk!(write CLAIMS, conn, rows, |row| [
        i32::from(row.claim.id.lane),
        row.claim.id.number,
        row.claim.member_id.as_str(),
        row.claim.settlement.source.as_str(),
        row.claim.settlement.settlement_id.as_str(),
        row.claim.settlement.visit_id.as_deref(),
        row.claim.settlement.hospital_code.as_deref(),
        row.claim.settlement.invoice_no.as_deref(),
        row.claim.evaluation.plan.as_ref().map(|plan| plan.plan_id.as_str()),
        row.claim.evaluation.plan.as_ref().map(|plan| plan.version.as_str()),
        row.claim.evaluation.decision.as_ref().map(|it| it.attribution_date.to_string()),
        code(&row.claim.evaluation.state),
        code(&row.claim.evaluation.route),
        row.claim.payout().fen(),
        row.facts_position.unwrap_or(0),
        row.decision_position.unwrap_or(0),
        row.revision,
        row.claim.create_time.micros(),
        row.claim.update_time.micros(),
        row.claim.review.assignee.as_deref(),
        row.claim.review.since.map(Moment::micros),
        reason_codes(&row.claim.evaluation.reasons),
        row.claim.settlement.stay().map(|stay| stay.start.to_string()),
        row.claim.settlement.stay().and_then(|stay| stay.end).map(|day| day.to_string()),
        row.due.map(|due| code(&due.clock)),
        row.due.map(|due| due.warn.micros()),
        row.due.map(|due| due.time.micros()),
    ])?;
    Ok(())
}

/// Each code between commas, so that one can be looked for as it is.
fn reason_codes(reasons: &[Reason]) -> String {
    let codes = reasons.iter().map(|reason| code(&reason.code) + ",");
    let codes: String = codes.collect();
    if codes.is_empty() { codes } else { format!(",{codes}") }
}

const EARLIER: Sql = Sql {
    sqlite: "insert into claim_event (lane, claim_no, position) \
             select value ->> 0, value ->> 1, value ->> 2 from jsonb_each($1)",
    postgres: "insert into claim_event (lane, claim_no, position) \
               select * from unnest($1::int[], $2::bigint[], $3::bigint[])",
};

/// Where claims that change again were before.
pub(super) async fn earlier(conn: Conn<'_>, rows: &[(ClaimId, i64)]) -> Result<(), StoreError> {
    bulk!(write EARLIER, conn, rows, |row| [i32::from(row.0.lane), row.0.number, row.1])?;
    Ok(())
}

macro_rules! upsert_members {
    ($from:expr) => {
        concat!(
            "insert into member (lane, member_id, facts_position, create_time_us, \
             update_time_us, has_voids, receivable_fen, merged_into) ",
            $from,
            " on conflict (lane, member_id) do update set \
             facts_position = coalesce(nullif(excluded.facts_position, 0), member.facts_position), \
             update_time_us = excluded.update_time_us, \
             has_voids = case when excluded.has_voids = 1 then 1 else member.has_voids end, \
             receivable_fen = excluded.receivable_fen, merged_into = excluded.merged_into"
        )
    };
}

const MEMBERS: Sql = Sql {
    sqlite: upsert_members!(
        "select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 3, value ->> 4, \
         value ->> 5, value ->> 6 from jsonb_each($1) where true"
    ),
    postgres: upsert_members!(
        "select v.lane, v.member_id, v.facts_position, v.time_us, v.time_us, v.has_voids, \
         v.receivable_fen, v.merged_into \
         from unnest($1::int[], $2::text[], $3::bigint[], $4::bigint[], $5::int[], \
         $6::bigint[], $7::text[]) \
         v (lane, member_id, facts_position, time_us, has_voids, receivable_fen, merged_into)"
    ),
};

pub(super) async fn members(conn: Conn<'_>, rows: &[MemberRow]) -> Result<(), StoreError> {
    bulk!(write MEMBERS, conn, rows, |row| [
        i32::from(row.lane), row.member_id.as_str(), row.facts_position.unwrap_or(0),
        row.time.micros(), i32::from(row.has_voids), row.receivable.fen(),
        row.merged_into.as_deref(),
    ])?;
    Ok(())
}

macro_rules! upsert_counters {
    ($from:expr) => {
        concat!(
            "insert into counter (lane, member_id, plan_id, period_start, responsibility, \
             deductible_fen, burden_fen, paid_fen, days) ",
            $from,
            " on conflict (lane, member_id, plan_id, period_start, responsibility) do update set \
             deductible_fen = excluded.deductible_fen, burden_fen = excluded.burden_fen, \
             paid_fen = excluded.paid_fen, days = excluded.days"
        )
    };
}

const COUNTERS: Sql = Sql {
    sqlite: upsert_counters!(
        "select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, \
         value ->> 6, value ->> 7, value ->> 8 from jsonb_each($1) where true"
    ),
    postgres: upsert_counters!(
        "select * from unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::text[], \
         $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[])"
    ),
};

pub(super) async fn counters(conn: Conn<'_>, rows: &[CounterRow]) -> Result<(), StoreError> {
    bulk!(write COUNTERS, conn, rows, |row| [
        i32::from(row.lane),
        row.member_id.as_str(),
        row.key.plan_id.as_str(),
        row.key.period_start.to_string(),
        row.key.responsibility.as_str(),
        row.counters.deductible.fen(),
        row.counters.burden.fen(),
        row.counters.paid.fen(),
        i64::from(row.counters.days),
    ])?;
    Ok(())
}

macro_rules! upsert_payouts {
    ($from:expr) => {
        concat!(
            "insert into payout (lane, claim_no, number, kind, amount_fen, state, create_time_us, \
             offset_lane, offset_claim_no, offset_number) ",
            $from,
            " on conflict (lane, claim_no, number) do update set state = excluded.state, \
             amount_fen = excluded.amount_fen, offset_lane = excluded.offset_lane, \
             offset_claim_no = excluded.offset_claim_no, offset_number = excluded.offset_number"
        )
    };
}

const PAYOUTS: Sql = Sql {
    sqlite: upsert_payouts!(
        "select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, \
         value ->> 6, value ->> 7, value ->> 8, value ->> 9 from jsonb_each($1) where true"
    ),
    postgres: upsert_payouts!(
        "select * from unnest($1::int[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[], \
         $6::text[], $7::bigint[], $8::int[], $9::bigint[], $10::bigint[])"
    ),
};

pub(super) async fn payouts(conn: Conn<'_>, rows: &[PayoutRow]) -> Result<(), StoreError> {
    bulk!(write PAYOUTS, conn, rows, |row| [
        i32::from(row.claim_id.lane),
        row.claim_id.number,
        i64::from(row.payout.number),
        code(&row.payout.kind),
        row.payout.amount.fen(),
        code(&row.payout.state),
        row.payout.create_time.micros(),
        row.payout.offset_with.map(|with| i32::from(with.claim.lane)),
        row.payout.offset_with.map(|with| with.claim.number),
        row.payout.offset_with.map(|with| i64::from(with.number)),
    ])?;
    Ok(())
}

const KEYS: Sql = Sql {
    sqlite: "insert into settlement_key (source, settlement_id, lane, claim_no, member_id) \
             select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 \
             from jsonb_each($1) where true on conflict do nothing returning source, settlement_id",
    postgres: "insert into settlement_key (source, settlement_id, lane, claim_no, member_id) \
               select * from unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::text[]) \
               on conflict do nothing returning source, settlement_id",
};

/// Inserts the keys that are free; gives those that were.
pub(super) async fn keys(
    conn: Conn<'_>,
    rows: &[KeyRow],
) -> Result<Vec<(String, String)>, StoreError> {
    Ok(bulk!(read KEYS, conn, rows, |row| [
        row.source.as_str(),
        row.settlement_id.as_str(),
        i32::from(row.claim_id.lane),
        row.claim_id.number,
        row.member_id.as_str(),
    ])?)
}

const DELETE_KEYS: Sql = Sql {
    sqlite: "delete from settlement_key where (settlement_id, source) in \
             (select value ->> 1, value ->> 0 from jsonb_each($1))",
    postgres: "delete from settlement_key k \
               using unnest($1::text[], $2::text[]) v (source, settlement_id) \
               where k.settlement_id = v.settlement_id and k.source = v.source",
};

pub(super) async fn delete_keys(
    conn: Conn<'_>,
    keys: &[(String, String)],
) -> Result<(), StoreError> {
    bulk!(write DELETE_KEYS, conn, keys, |key| [key.0.as_str(), key.1.as_str()])?;
    Ok(())
}

const IDENTITIES: Sql = Sql {
    sqlite: "insert into directory (identity_hash, member_id) \
             select value ->> 0, value ->> 1 from jsonb_each($1) where true on conflict do nothing",
    postgres: "insert into directory (identity_hash, member_id) \
               select * from unnest($1::text[], $2::text[]) on conflict do nothing",
};

/// Inserts the identities that are free; gives their number.
pub(super) async fn identities(
    conn: Conn<'_>,
    rows: &[(String, String)],
) -> Result<u64, StoreError> {
    Ok(bulk!(write IDENTITIES, conn, rows, |row| [row.0.as_str(), row.1.as_str()])?)
}
