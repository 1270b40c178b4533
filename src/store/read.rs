//! Reading: rows back into the types of `core`. One statement for each question, so each answer is
//! of one moment without a transaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as NoName, StrDeserializer};

use super::conn::{Conn, Sql, bulk, on};
use super::error::StoreError;
use super::rows::{ClaimCursor, ClaimFilter, DocumentRow, LaneHead};
use crate::core::book::Book;
use crate::core::claim::{Claim, ClaimId};
use crate::core::day::{Day, Moment};
use crate::core::decision::{CounterKey, Counters, code};
use crate::core::event::{ClaimEvent, Event};
use crate::core::money::Fen;
use crate::core::payout::{Payout, PayoutRef};
use crate::core::review::Review;

/// A claim with its decision, facts and payouts. `$from` yields the claims as `c`. A claim with
/// several payouts comes in several rows. The joins are outer ones so that a lost row is noticed.
macro_rules! select_claims {
    ($($from:expr),+) => {
        concat!(
            "select c.lane, c.claim_no, c.member_id, c.source, c.settlement_id, c.state, \
             c.revision, c.create_time_us, c.update_time_us, c.pend_time_us, c.due_time_us, \
             e.body as event, d.body as decision, \
             f.body as facts, p.number, p.kind, p.amount_fen, p.state as payout_state, \
             p.create_time_us as payout_time_us, p.offset_lane, p.offset_claim_no, \
             p.offset_number from ",
            $($from,)+
            " left join event e on e.lane = c.lane and e.position = c.revision \
             left join event d on d.lane = c.lane and d.position = c.decision_position \
             and c.decision_position <> c.revision \
             left join fact f on f.lane = c.lane and f.position = c.facts_position \
             left join payout p on p.lane = c.lane and p.claim_no = c.claim_no"
        )
    };
}

pub(super) use select_claims;

const BY_ID: Sql = Sql {
    sqlite: select_claims!(
        "jsonb_each($1) k cross join claim c \
         on c.lane = k.value ->> 0 and c.claim_no = k.value ->> 1"
    ),
    postgres: select_claims!(
        "unnest($1::int[], $2::bigint[]) k (lane, claim_no) \
         join claim c on c.lane = k.lane and c.claim_no = k.claim_no"
    ),
};

const BY_MEMBER: Sql = Sql {
    sqlite: select_claims!(
        "jsonb_each($1) k cross join claim c \
         on c.lane = k.value ->> 0 and c.member_id = k.value ->> 1"
    ),
    postgres: select_claims!(
        "unnest($1::int[], $2::text[]) k (lane, member_id) \
         join claim c on c.lane = k.lane and c.member_id = k.member_id"
    ),
};

/// A page. Every condition is in the text and is off while its parameter is null; `$drive` repeats
/// the one whose index shall be used, without the null, because SQLite plans a text once and for
/// all parameters.
macro_rules! select_page {
    ($drive:expr) => {
        select_claims!(
            "(select * from claim c where \
             (cast($1 as text) is null or cast($1 as text) like '%,' || c.state || ',%') \
             and (cast($2 as integer) is null or (c.lane = $2 and c.member_id = $3)) \
             and (cast($4 as text) is null or c.hospital_code = $4) \
             and (cast($5 as text) is null or c.plan_id = $5) \
             and (cast($6 as text) is null or c.invoice_no = $6) \
             and (cast($7 as text) is null or c.visit_id = $7) \
             and (cast($8 as text) is null or c.settlement_id = $8) \
             and (cast($9 as text) is null or c.source = $9) \
             and c.create_time_us < $10 \
             and (c.create_time_us, c.lane, c.claim_no) > ($11, $12, $13)",
            $drive,
            " order by c.create_time_us, c.lane, c.claim_no limit $14) c"
        )
    };
}

const PAGE: &str = select_page!("");
const PAGE_OF_MEMBER: &str = select_page!(" and c.lane = $2 and c.member_id = $3");
const PAGE_OF_HOSPITAL: &str = select_page!(" and c.hospital_code = $4");
const PAGE_OF_INVOICE: &str = select_page!(" and c.invoice_no = $6");
const PAGE_OF_VISIT: &str = select_page!(" and c.visit_id = $7");
const PAGE_OF_SETTLEMENT: &str = select_page!(
    " and (c.lane, c.claim_no) in \
     (select k.lane, k.claim_no from settlement_key k where k.settlement_id = $8)"
);

#[derive(sqlx::FromRow)]
pub(super) struct ClaimRecord {
    pub(super) lane: i32,
    pub(super) claim_no: i64,
    member_id: String,
    source: String,
    settlement_id: String,
    state: String,
    revision: i64,
    create_time_us: i64,
    update_time_us: i64,
    pub(super) pend_time_us: Option<i64>,
    pub(super) due_time_us: Option<i64>,
    event: Option<String>,
    /// Where the decision was made before the last event.
    decision: Option<String>,
    facts: Option<String>,
    number: Option<i32>,
    kind: Option<String>,
    amount_fen: Option<i64>,
    payout_state: Option<String>,
    payout_time_us: Option<i64>,
    offset_lane: Option<i32>,
    offset_claim_no: Option<i64>,
    offset_number: Option<i64>,
}

/// The claims that exist, by id.
pub(super) async fn claims(conn: Conn<'_>, ids: &[ClaimId]) -> Result<Vec<Claim>, StoreError> {
    let rows = bulk!(read BY_ID, conn, ids, |id| [i32::from(id.lane), id.number]);
    assemble(rows?)
}

/// All claims of members, by id.
pub(super) async fn history(
    conn: Conn<'_>,
    members: &[(u16, &str)],
) -> Result<Vec<Claim>, StoreError> {
    let rows = bulk!(read BY_MEMBER, conn, members, |it| [i32::from(it.0), it.1]);
    assemble(rows?)
}

/// One page of claims, by time and id.
pub(super) async fn page(
    conn: Conn<'_>,
    filter: &ClaimFilter,
    after: Option<ClaimCursor>,
    limit: u32,
) -> Result<Vec<Claim>, StoreError> {
    let text = if filter.settlement_id.is_some() {
        PAGE_OF_SETTLEMENT
    } else if filter.visit_id.is_some() {
        PAGE_OF_VISIT
    } else if filter.invoice_no.is_some() {
        PAGE_OF_INVOICE
    } else if filter.member.is_some() {
        PAGE_OF_MEMBER
    } else if filter.hospital_code.is_some() {
        PAGE_OF_HOSPITAL
    } else {
        PAGE
    };
    let states = filter.states.iter().map(code).fold(String::from(","), |all, it| all + &it + ",");
    let states = (!filter.states.is_empty()).then_some(states);
    let (lane, member) = filter.member.as_ref().map(|(lane, id)| (i32::from(*lane), id)).unzip();
    let until = filter.created_until.map_or(i64::MAX, Moment::micros);
    // Both are lower bounds of the same order; the later one counts.
    let from = filter.created_from.map_or((i64::MIN, 0, 0), |it| (it.micros(), -1, 0));
    let after = after.map_or((i64::MIN, 0, 0), |it| {
        (it.create_time.micros(), i32::from(it.id.lane), it.id.number)
    });
    let (after_time, after_lane, after_number) = from.max(after);
    let rows = on!(conn, conn => {
        sqlx::query_as(text)
            .bind(states).bind(lane).bind(member)
            .bind(&filter.hospital_code).bind(&filter.plan_id).bind(&filter.invoice_no)
            .bind(&filter.visit_id).bind(&filter.settlement_id).bind(&filter.source)
            .bind(until).bind(after_time).bind(after_lane).bind(after_number)
            .bind(i64::from(limit))
            // Planned anew each time, for what the tables hold by now: here the order of the page
            // is a second way to find it, and while the table is empty it looks as good.
            .persistent(false)
            .fetch_all(conn).await
    });
    let mut claims = assemble(rows?)?;
    claims.sort_by_key(|claim| (claim.create_time, claim.id));
    Ok(claims)
}

/// Rows to claims, by id. The rows of one claim need not lie together.
pub(super) fn assemble(rows: Vec<ClaimRecord>) -> Result<Vec<Claim>, StoreError> {
    let mut claims: BTreeMap<ClaimId, Claim> = BTreeMap::new();
    for mut row in rows {
        let id = ClaimId { lane: lane(row.lane, "claim")?, number: row.claim_no };
        let payout = row.payout(id)?;
        let claim = match claims.entry(id) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::btree_map::Entry::Vacant(new) => new.insert(row.claim(id)?),
        };
        claim.payouts.extend(payout);
    }
    for claim in claims.values_mut() {
        claim.payouts.sort_by_key(|payout| payout.number);
    }
    Ok(claims.into_values().collect())
}

impl ClaimRecord {
    fn claim(&mut self, id: ClaimId) -> Result<Claim, StoreError> {
        let corrupt = |table| move || StoreError::corrupt(table, format!("of claim {id}"));
        let event = claim_event(self.event.take()).ok_or_else(corrupt("event"))?;
        let facts = self.facts.take().ok_or_else(corrupt("fact"))?;
        let facts: crate::core::settlement::Settlement =
            serde_json::from_str(&facts).map_err(|_| corrupt("fact")())?;
        if event.claim != id.number || event.member != self.member_id {
            return Err(corrupt("event")());
        }
        if facts.settlement_id != self.settlement_id || facts.source != self.source {
            return Err(corrupt("fact")());
        }
        let (person_unclear, moved_to) = (event.person_unclear, event.moved_to);
        let (invoice_of, timeline) = (event.invoice_of, event.timeline.clone());
        let (reversal, review) = (event.reversal.clone(), event.review.clone());
        let since = self.pend_time_us.map(Moment::from_micros);
        let review = Review { since, ..review };
        let has_earlier = event.figures.is_some();
        let mut evaluation = event.into_evaluation();
        evaluation.state = named(&self.state).ok_or_else(corrupt("claim"))?;
        if has_earlier {
            let earlier = claim_event(self.decision.take()).ok_or_else(corrupt("event"))?;
            evaluation.decision = earlier.decision;
        }
        Ok(Claim {
            id,
            member_id: std::mem::take(&mut self.member_id),
            settlement: Arc::new(facts),
            person_unclear,
            invoice_of,
            timeline,
            reversal,
            moved_to,
            review,
            evaluation,
            payouts: Vec::new(),
            create_time: Moment::from_micros(self.create_time_us),
            update_time: Moment::from_micros(self.update_time_us),
            revision: self.revision,
        })
    }

    fn payout(&self, id: ClaimId) -> Result<Option<Payout>, StoreError> {
        let Some(number) = self.number else { return Ok(None) };
        let payout = || {
            Some(Payout {
                number: number.try_into().ok()?,
                kind: named(self.kind.as_deref()?)?,
                amount: Fen::new(self.amount_fen?)?,
                state: named(self.payout_state.as_deref()?)?,
                create_time: Moment::from_micros(self.payout_time_us?),
                offset_with: match self.offset_number {
                    None => None,
                    Some(number) => Some(PayoutRef {
                        claim: ClaimId {
                            lane: self.offset_lane?.try_into().ok()?,
                            number: self.offset_claim_no?,
                        },
                        number: number.try_into().ok()?,
                    }),
                },
            })
        };
        let corrupt = || StoreError::corrupt("payout", format!("{id}/{number}"));
        payout().map(Some).ok_or_else(corrupt)
    }
}

/// The event of a claim from its stored bytes.
fn claim_event(body: Option<String>) -> Option<ClaimEvent> {
    match serde_json::from_str(&body?).ok()? {
        Event::Claim(event) => Some(*event),
        Event::Member(_) | Event::Document(_) | Event::Merge(_) => None,
    }
}

const BOOKS: Sql = Sql {
    sqlite: "select m.lane, m.member_id, m.has_voids, m.receivable_fen, m.merged_into, \
             f.body as roster, c.plan_id, c.period_start, \
             c.responsibility, c.deductible_fen, c.burden_fen, c.paid_fen, c.days \
             from jsonb_each($1) k \
             cross join member m on m.lane = k.value ->> 0 and m.member_id = k.value ->> 1 \
             left join fact f on f.lane = m.lane and f.position = m.facts_position \
             left join counter c on c.lane = m.lane and c.member_id = m.member_id",
    postgres: "select m.lane, m.member_id, m.has_voids, m.receivable_fen, m.merged_into, \
             f.body as roster, c.plan_id, c.period_start, \
               c.responsibility, c.deductible_fen, c.burden_fen, c.paid_fen, c.days \
               from unnest($1::int[], $2::text[]) k (lane, member_id) \
               join member m on m.lane = k.lane and m.member_id = k.member_id \
               left join fact f on f.lane = m.lane and f.position = m.facts_position \
               left join counter c on c.lane = m.lane and c.member_id = m.member_id",
};

#[derive(sqlx::FromRow)]
struct BookRecord {
    lane: i32,
    member_id: String,
    has_voids: i32,
    receivable_fen: i64,
    merged_into: Option<String>,
    roster: Option<String>,
    plan_id: Option<String>,
    period_start: Option<String>,
    responsibility: Option<String>,
    deductible_fen: Option<i64>,
    burden_fen: Option<i64>,
    paid_fen: Option<i64>,
    days: Option<i64>,
}

/// The books of those members that are recorded, without claims.
pub(super) async fn books(
    conn: Conn<'_>,
    members: &[(u16, &str)],
) -> Result<Vec<Book>, StoreError> {
    let rows: Vec<BookRecord> = bulk!(read BOOKS, conn, members, |it| [i32::from(it.0), it.1])?;
    let mut books: BTreeMap<String, Book> = BTreeMap::new();
    for mut row in rows {
        let counter = row.counter()?;
        let book = match books.entry(row.member_id) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::btree_map::Entry::Vacant(new) => {
                let roster = row.roster.and_then(|roster| serde_json::from_str(&roster).ok());
                let corrupt = || format!("of member {}/{}", row.lane, new.key());
                let roster = roster.ok_or_else(|| StoreError::corrupt("fact", corrupt()))?;
                let mut book = Book::new(new.key().clone());
                book.is_recorded = true;
                book.is_full = false;
                book.has_voids = row.has_voids != 0;
                let owed = Fen::new(row.receivable_fen);
                book.receivable = owed.ok_or_else(|| StoreError::corrupt("member", corrupt()))?;
                book.merged_into = row.merged_into;
                book.roster = Arc::new(roster);
                new.insert(book)
            }
        };
        book.counters.extend(counter);
    }
    Ok(books.into_values().collect())
}

impl BookRecord {
    fn counter(&mut self) -> Result<Option<(CounterKey, Counters)>, StoreError> {
        let Some(plan_id) = self.plan_id.take() else { return Ok(None) };
        let corrupt = || format!("{}/{}/{plan_id}", self.lane, self.member_id);
        let corrupt = StoreError::corrupt("counter", corrupt());
        let counter = || {
            let period_start = Day::parse(self.period_start.as_deref()?)?;
            let responsibility = self.responsibility.take()?;
            let counters = Counters {
                deductible: Fen::new(self.deductible_fen?)?,
                burden: Fen::new(self.burden_fen?)?,
                paid: Fen::new(self.paid_fen?)?,
                days: u32::try_from(self.days?).ok()?,
            };
            Some((CounterKey { plan_id, period_start, responsibility }, counters))
        };
        counter().map(Some).ok_or(corrupt)
    }
}

const IDENTITIES: Sql = Sql {
    sqlite: "select d.identity_hash, d.member_id from jsonb_each($1) k \
             cross join directory d on d.identity_hash = k.value ->> 0",
    postgres: "select d.identity_hash, d.member_id from unnest($1::text[]) k (identity_hash) \
               join directory d on d.identity_hash = k.identity_hash",
};

/// Which members these hashes mean, as far as known.
pub(super) async fn identities(
    conn: Conn<'_>,
    hashes: &[&str],
) -> Result<Vec<(String, String)>, StoreError> {
    Ok(bulk!(read IDENTITIES, conn, hashes, |hash| [*hash])?)
}

#[derive(sqlx::FromRow)]
struct DocumentRecord {
    kind: String,
    id: String,
    version: String,
    start_date: String,
    body: String,
    hash: String,
    revision: i64,
    publish_time_us: i64,
}

impl DocumentRecord {
    fn row(self) -> Result<DocumentRow, StoreError> {
        let corrupt = || format!("{}/{}/{}", self.kind, self.id, self.version);
        let start_date = Day::parse(&self.start_date)
            .ok_or_else(|| StoreError::corrupt("document", corrupt()))?;
        Ok(DocumentRow {
            kind: self.kind,
            id: self.id,
            version: self.version,
            start_date,
            body: self.body,
            hash: self.hash,
            revision: self.revision,
            publish_time: Moment::from_micros(self.publish_time_us),
        })
    }
}

/// Documents published after a revision, in order.
pub(super) async fn documents_since(
    conn: Conn<'_>,
    revision: i64,
) -> Result<Vec<DocumentRow>, StoreError> {
    const SQL: &str = "select kind, id, version, start_date, body, hash, revision, \
         publish_time_us from document where revision > $1 order by revision";
    let rows: Result<Vec<DocumentRecord>, _> =
        on!(conn, conn => sqlx::query_as(SQL).bind(revision).fetch_all(conn).await);
    rows?.into_iter().map(DocumentRecord::row).collect()
}

/// One document.
pub(super) async fn document(
    conn: Conn<'_>,
    kind: &str,
    id: &str,
    version: &str,
) -> Result<Option<DocumentRow>, StoreError> {
    const SQL: &str = "select kind, id, version, start_date, body, hash, revision, \
         publish_time_us from document where kind = $1 and id = $2 and version = $3";
    let row: Result<Option<DocumentRecord>, _> = on!(conn, conn => {
        sqlx::query_as(SQL).bind(kind).bind(id).bind(version).fetch_optional(conn).await
    });
    row?.map(DocumentRecord::row).transpose()
}

/// A lane's head as a row has it.
pub(super) type HeadRecord = (i32, i64, String, i64, i64, i64);

/// Reads a lane's head.
pub(super) fn head(row: HeadRecord) -> Result<LaneHead, StoreError> {
    let (lane, position, hash, time, claims, documents_revision) = row;
    let (lane, time) = (self::lane(lane, "lane")?, Moment::from_micros(time));
    Ok(LaneHead { lane, position, hash, time, claims, documents_revision })
}

/// A lane as a row has it.
pub(super) fn lane(lane: i32, table: &'static str) -> Result<u16, StoreError> {
    u16::try_from(lane).map_err(|_| StoreError::corrupt(table, format!("of lane {lane}")))
}

/// Reads an enum value by its stored name: the other way round of [`code`].
pub(super) fn named<'a, T: Deserialize<'a>>(name: &'a str) -> Option<T> {
    let name: StrDeserializer<'a, NoName> = name.into_deserializer();
    T::deserialize(name).ok()
}
