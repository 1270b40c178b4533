//! Databases for tests, and a claim to put into them.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use greenlane::core::book::{Book, Command, Effect, Seen};
use greenlane::core::claim::ClaimId;
use greenlane::core::day::Moment;
use greenlane::core::event::{ClaimEvent, Event};
use greenlane::core::member::Roster;
use greenlane::core::money::Fen;
use greenlane::core::plan::Plans;
use greenlane::core::plan::document;
use greenlane::core::settlement::Settlement;
use greenlane::store::{
    ClaimRow, CounterRow, EventRow, FactRow, KeyRow, LaneHead, MemberRow, Options, PayoutRow, Rows,
    Store, StoreError,
};
use sqlx::postgres::{PgConnectOptions, PgRow};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, FromRow};

/// An empty database of one test.
pub(crate) struct Database {
    pub(crate) url: String,
    pub(crate) is_postgres: bool,
}

impl Database {
    /// Opens it as most tests want it.
    pub(crate) async fn open(&self) -> Store {
        self.open_with(&options()).await.unwrap()
    }

    pub(crate) async fn open_with(&self, options: &Options) -> Result<Store, StoreError> {
        Store::open(&self.url, options).await
    }

    /// Does to the database what the store never would.
    pub(crate) async fn execute(&self, sql: &'static str) {
        self.execute_text(sql.to_owned()).await;
    }

    /// The same with a text that the test made.
    pub(crate) async fn execute_text(&self, sql: String) {
        let sql = AssertSqlSafe(sql);
        if self.is_postgres {
            let mut conn = sqlx::PgConnection::connect(&self.url).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
        } else {
            let mut conn = sqlx::SqliteConnection::connect(&self.url).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
        }
    }
}

impl Database {
    /// One text, read past the store.
    pub(crate) async fn text(&self, sql: &'static str) -> String {
        if self.is_postgres {
            let mut conn = sqlx::PgConnection::connect(&self.url).await.unwrap();
            sqlx::query_scalar(sql).fetch_one(&mut conn).await.unwrap()
        } else {
            let mut conn = sqlx::SqliteConnection::connect(&self.url).await.unwrap();
            sqlx::query_scalar(sql).fetch_one(&mut conn).await.unwrap()
        }
    }
}

impl Database {
    /// Rows, read past the store on a connection that saw nothing before.
    pub(crate) async fn rows<T>(&self, sql: &'static str) -> Vec<T>
    where
        T: Send + Unpin + for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow>,
    {
        if self.is_postgres {
            let mut conn = sqlx::PgConnection::connect(&self.url).await.unwrap();
            sqlx::query_as(sql).fetch_all(&mut conn).await.unwrap()
        } else {
            let mut conn = sqlx::SqliteConnection::connect(&self.url).await.unwrap();
            sqlx::query_as(sql).fetch_all(&mut conn).await.unwrap()
        }
    }
}

/// Dice for a workload. The seed is printed; `SEED=` replays it.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn seeded() -> Dice {
        let seed = std::env::var("SEED").map_or(7, |seed| seed.parse().unwrap());
        eprintln!("SEED={seed}");
        Dice(seed)
    }

    /// Dice of one of many who must not roll alike, from the same seed.
    pub(crate) fn seeded_with(of: u64) -> Dice {
        let seed = std::env::var("SEED").map_or(7, |seed| seed.parse().unwrap());
        Dice(Dice(seed).roll(u64::MAX) ^ Dice(of).roll(u64::MAX))
    }

    /// A number from 0 to `sides - 1` (`SplitMix64`).
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.roll(last as u64 + 1);
            items.swap(last, usize::try_from(other).unwrap());
        }
    }
}

pub(crate) fn options() -> Options {
    Options { lanes: 4, directory_key_check: "check".into(), readers_max: 4 }
}

/// Where PostgreSQL is. `None` where the tests may do without.
pub(crate) fn postgres_url() -> Option<String> {
    let url = std::env::var("TEST_POSTGRES_URL").ok();
    let is_required = std::env::var("GREENLANE_TEST_REQUIRE_POSTGRES").is_ok_and(|it| it == "1");
    assert!(url.is_some() || !is_required, "TEST_POSTGRES_URL is required and not set");
    url
}

/// Runs one contract on every backend at hand, each on an empty database.
///
/// SQLite always runs. PostgreSQL runs where `TEST_POSTGRES_URL` points at one, and the whole
/// check sets it, so a contract that holds on one backend only cannot merge.
pub(crate) async fn on_every_backend(contract: impl AsyncFn(Database)) {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/ledger.db", directory.path().display());
    // Boxed: a test of many calls is a large future.
    Box::pin(contract(Database { url, is_postgres: false })).await;
    eprintln!("held on sqlite");
    on_postgres(contract).await;
}

/// Runs one contract on PostgreSQL, in a schema of its own.
pub(crate) async fn on_postgres(contract: impl AsyncFn(Database)) {
    static SERIAL: AtomicU32 = AtomicU32::new(0);
    let Some(admin_url) = postgres_url() else { return };
    let schema = format!("t{}_{}", std::process::id(), SERIAL.fetch_add(1, Ordering::Relaxed));
    let mut admin = sqlx::PgConnection::connect(&admin_url).await.unwrap();
    let create = AssertSqlSafe(format!("create schema {schema}"));
    sqlx::query(create).execute(&mut admin).await.unwrap();
    let joint = if admin_url.contains('?') { '&' } else { '?' };
    let url = format!("{admin_url}{joint}options[search_path]={schema}");
    Box::pin(contract(Database { url, is_postgres: true })).await;
    let drop = AssertSqlSafe(format!("drop schema {schema} cascade"));
    sqlx::query(drop).execute(&mut admin).await.unwrap();
    eprintln!("held on postgres");
}

/// Runs one contract on PostgreSQL, in a database of its own: where the server's own statistics and
/// sessions are looked at, and no other test's may be among them.
pub(crate) async fn on_own_postgres(contract: impl AsyncFn(Database)) {
    static SERIAL: AtomicU32 = AtomicU32::new(0);
    let Some(admin_url) = postgres_url() else { return };
    let name = format!("d{}_{}", std::process::id(), SERIAL.fetch_add(1, Ordering::Relaxed));
    let mut admin = sqlx::PgConnection::connect(&admin_url).await.unwrap();
    let create = AssertSqlSafe(format!("create database {name}"));
    sqlx::query(create).execute(&mut admin).await.unwrap();
    let own = PgConnectOptions::from_str(&admin_url).unwrap().database(&name);
    contract(Database { url: own.to_url_lossy().to_string(), is_postgres: true }).await;
    let drop = AssertSqlSafe(format!("drop database {name} with (force)"));
    sqlx::query(drop).execute(&mut admin).await.unwrap();
    eprintln!("held on postgres");
}

pub(crate) const PLAN: &str = r#"
plan_id = "rongjunbao"
version = "2024"
name = "荣军保"
start_date = "2024-01-01"
period_start = "01-01"
attribution = "settlement"
payment_mode = "hospital_deducts"
routing.green_ceiling = "300000.00"

[[responsibilities]]
id = "inpatient"
name = "住院医疗补充保障"
base = ["over_limit", "advance_self_pay", "basic_deductible", "in_scope_copay"]
deductible = { amount = "5000.00", per = "period" }
rate = "1"
limits = [{ amount = "300000.00", per = "period" }]
"#;

pub(crate) fn plans() -> Plans {
    let mut plans = Plans::default();
    plans.publish(Arc::new(document::read(PLAN).unwrap()));
    plans
}

pub(crate) fn roster() -> Roster {
    serde_json::from_value(serde_json::json!({
        "external_id": "bureau-1", "cert_type": "01", "cert_no": "370299194903120017",
        "name": "甲", "classes": [{"class_code": "A", "grade": 5, "start": "2020-01-01"}],
        "coverages": [{"plan_id": "rongjunbao", "start": "2024-01-01"}],
    }))
    .unwrap()
}

/// A settlement as a hospital would send it, with a burden above the deductible.
pub(crate) fn settlement(id: &str) -> Arc<Settlement> {
    Arc::new(
        serde_json::from_value(serde_json::json!({
            "source": "370200", "settlement_id": id, "visit_id": format!("visit-{id}"),
            "person": {"cert_type": "01", "cert_no": "370299194903120017", "psn_no": "37020000001",
                "name": "甲"},
            "hospital_code": "H37020000123", "hospital_level": "01", "region": "370200",
            "insured_region": "370200", "insurance_type": "310", "medical_category": "21",
            "admission_date": "2024-03-01", "discharge_date": "2024-03-15",
            "settle_time": 1_710_468_906_000_000_i64,
            "diagnoses": [{"code": "I50.9", "name": "心力衰竭"}, {"code": "E11", "name": "糖尿病"}],
            "invoice_no": format!("invoice-{id}"),
            "amounts": {"total": 6_841_236, "out_of_catalogue": 120_000, "over_limit": 12_345,
                "advance_self_pay": 345_678, "in_scope": 6_363_213, "basic_deductible": 80_000,
                "fund_total": 4_841_236, "personal_total": 2_000_000, "account": 100_000,
                "cash": 1_900_000},
            "funds": [{"fund_code": "310100", "amount": 4_000_000},
                {"fund_code": "330100", "amount": 841_236}],
        }))
        .unwrap(),
    )
}

/// A member on the roster with the claims of `settlements`, recorded as the ledger would: one
/// event for the member, one for each claim. Time is that many µs after the epoch.
pub(crate) fn recorded(head: &mut LaneHead, member: &str, settlements: &[Arc<Settlement>]) -> Rows {
    let mut rows = Rows::default();
    let mut book = Book::new(member.into());
    book.roster = Arc::new(roster());
    for settlement in settlements {
        let claim_id = ClaimId { lane: head.lane, number: head.claims + 1 };
        let settlement = settlement.clone();
        let command = Command::Submit { claim_id, settlement, seen: Seen::default() };
        let now = Moment::from_micros(head.position + 1);
        for effect in book.apply(&command, now, &plans()).unwrap() {
            append(&mut rows, head, member, &effect);
        }
    }
    let counter = |(key, counters): (&_, &_)| CounterRow {
        lane: head.lane,
        member_id: member.into(),
        key: Clone::clone(key),
        counters: *counters,
    };
    rows.counters = book.counters.iter().map(counter).collect();
    rows.heads = vec![head.clone()];
    rows
}

fn append(rows: &mut Rows, head: &mut LaneHead, member: &str, effect: &Effect) {
    let (lane, position) = (head.lane, head.position + 1);
    let time = Moment::from_micros(position);
    let facts = |body: String| FactRow { lane, position, salt: "5a17".repeat(8), body };
    let body = match effect {
        Effect::Member(roster) => {
            rows.facts.push(facts(serde_json::to_string(&**roster).unwrap()));
            let member_id = member.into();
            let facts_position = Some(position);
            let row = MemberRow {
                lane,
                member_id,
                facts_position,
                has_voids: false,
                receivable: Fen::ZERO,
                merged_into: None,
                time,
            };
            rows.members.push(row);
            r#"{"kind":"member","member":"m","facts":"digest"}"#.into()
        }
        Effect::Merged { .. } => unreachable!("nobody is merged here"),
        Effect::Claim(change) => {
            rows.facts.push(facts(serde_json::to_string(&*change.claim.settlement).unwrap()));
            let (claim, claim_id) = (change.claim.clone(), change.claim.id);
            rows.claims.push(ClaimRow {
                claim,
                facts_position: Some(position),
                decision_position: Some(position),
                revision: position,
                due: None,
            });
            let payouts = change.payouts.iter().cloned();
            rows.payouts.extend(payouts.map(|payout| PayoutRow { claim_id, payout }));
            head.claims = claim_id.number;
            let event = ClaimEvent::of(change, Some("f".repeat(64)), None);
            serde_json::to_string(&Event::Claim(Box::new(event))).unwrap()
        }
    };
    head.position = position;
    head.time = time;
    head.hash = format!("{position:064x}");
    rows.events.push(EventRow { lane, position, time, hash: head.hash.clone(), body });
}

/// Records claims in one transaction, with their keys.
pub(crate) async fn record(store: &Store, lane: u16, member: &str, ids: &[&str]) -> Rows {
    let mut tx = store.begin().await.unwrap();
    let mut head = tx.lock_lanes(&[lane]).await.unwrap().remove(0);
    let settlements: Vec<_> = ids.iter().map(|id| settlement(id)).collect();
    let rows = recorded(&mut head, member, &settlements);
    let keys: Vec<KeyRow> =
        rows.claims.iter().map(|row| key(&row.claim.settlement, row.claim.id, member)).collect();
    assert_eq!(tx.insert_keys(&keys).await.unwrap(), []);
    tx.write(&rows).await.unwrap();
    tx.commit().await.unwrap();
    rows
}

pub(crate) fn key(settlement: &Settlement, claim_id: ClaimId, member: &str) -> KeyRow {
    KeyRow {
        source: settlement.source.clone(),
        settlement_id: settlement.settlement_id.clone(),
        claim_id,
        member_id: member.into(),
    }
}
