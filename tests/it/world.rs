//! A small world for the ledger: the shipped plan, the sample persons, the sample messages.

use std::path::Path;

use greenlane::clock;
use greenlane::core::day::Moment;
use greenlane::core::member::Roster;
use greenlane::core::settlement::Settlement;
use greenlane::intake::{self, Message, Reading};
use greenlane::ledger::{Clock, DirectoryKey, ImpactBound, Ledger, Mode};
use greenlane::store::{Options, Store};

use crate::support::{Database, on_every_backend, on_postgres};

/// The key under which the tests hash identities.
pub fn directory_key() -> DirectoryKey {
    DirectoryKey::new([7; 32])
}

pub fn fixture(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The shipped plan as it is.
pub fn whole_shipped_plan() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/plans/qingdao-rongjun.toml");
    std::fs::read_to_string(path).unwrap()
}

/// The benefits of the shipped plan, without its rules and clocks, which have tests of their own:
/// most tests send stays that no hospital would.
pub fn shipped_plan() -> String {
    let whole = whole_shipped_plan();
    let (benefits, _) = whole.split_once("\n[rules.").expect("the plan has rules");
    benefits.to_owned()
}

/// A person on the roster, covered by the shipped plan the whole time, with a known account.
pub fn enrolled(external_id: &str, cert_no: &str) -> Roster {
    serde_json::from_value(serde_json::json!({
        "external_id": external_id, "cert_type": "01", "cert_no": cert_no, "name": "测试员",
        "coverages": [{"plan_id": "qingdao-rongjun", "start": "2023-07-01"}],
        "payee": {"kind": "MEMBER", "account_name": "测试员", "account_no": "62", "bank_code": ""},
    }))
    .unwrap()
}

/// The persons of the samples who are on the roster: 甲, 乙, 丙 and 己.
pub fn sample_roster() -> Vec<Roster> {
    ["370299194903120017", "370299196008050031", "370299195211200029", "370299194801010036"]
        .iter()
        .map(|cert_no| enrolled(&format!("RJ-{}", &cert_no[14..]), cert_no))
        .collect()
}

/// The certificate of one of ten thousand invented persons.
pub fn cert_no(person: u32) -> String {
    format!("37029919500101{person:04}")
}

/// An invented person, on the roster.
pub fn covered(person: u32) -> Roster {
    enrolled(&format!("RJ-{person}"), &cert_no(person))
}

/// The settlement of a stay of an invented person.
pub fn stay(person: u32, settlement_id: &str, burden_fen: i64) -> Settlement {
    let fund_total_fen = 100_000;
    serde_json::from_value(serde_json::json!({
        "source": "370200", "settlement_id": settlement_id,
        "visit_id": format!("visit-{settlement_id}"),
        "person": {"cert_type": "01", "cert_no": cert_no(person), "psn_no": format!("{person:011}")},
        "hospital_code": "H37020000123", "insured_region": "370200", "medical_category": "21",
        "admission_date": "2024-03-01", "discharge_date": "2024-03-15",
        "settle_time": 1_710_468_906_000_000_i64,
        "invoice_no": format!("invoice-{settlement_id}"),
        "amounts": {"total": fund_total_fen + burden_fen, "fund_total": fund_total_fen,
            "personal_total": burden_fen},
    }))
    .unwrap()
}

/// Opens the database as a server would.
pub async fn start_ledger(database: &Database) -> Ledger {
    start_ledger_with(database, clock::now).await
}

pub async fn start_ledger_with(database: &Database, clock: Clock) -> Ledger {
    Ledger::start(open_store(database).await, directory_key(), clock).await.unwrap()
}

pub async fn open_store(database: &Database) -> Store {
    let check = directory_key().check();
    let options = Options { lanes: 8, directory_key_check: check, readers_max: 4 };
    Store::open(&database.url, &options).await.unwrap()
}

/// A clock that is an hour slow.
fn slow_clock() -> Moment {
    Moment::from_micros(clock::now().micros() - 3_600_000_000)
}

/// Runs one contract on every backend with one server, and on PostgreSQL with two that share the
/// database and disagree on the time. The shipped plan is in force.
pub async fn on_every_setting(contract: impl AsyncFn(&Database, &[Ledger])) {
    on_every_backend(async |database| {
        let ledger = open_ledger(&database, &[]).await;
        contract(&database, std::slice::from_ref(&ledger)).await;
        ledger.drain().await;
    })
    .await;
    on_postgres(async |database| {
        let ledgers =
            [open_ledger(&database, &[]).await, start_ledger_with(&database, slow_clock).await];
        contract(&database, &ledgers).await;
        for ledger in &ledgers {
            ledger.drain().await;
        }
    })
    .await;
}

/// Puts these persons on the roster.
pub async fn enrol(ledger: &Ledger, persons: impl IntoIterator<Item = u32>) {
    for person in persons {
        ledger.enrol(covered(person), Mode::Record).await.unwrap().outcome().await.unwrap();
    }
}

/// A ledger with the shipped plan in force and these persons on the roster.
pub async fn open_ledger(database: &Database, roster: &[Roster]) -> Ledger {
    let ledger = start_ledger(database).await;
    ledger.publish(shipped_plan(), Mode::Record, ImpactBound::NONE).await.unwrap();
    for person in roster {
        ledger.enrol(person.clone(), Mode::Record).await.unwrap().outcome().await.unwrap();
    }
    ledger
}

/// Reads a sample as a hospital sent it.
pub fn read_sample(file: &str) -> Settlement {
    let payload = fixture(&format!("messages/{file}.json"));
    let message = Message {
        sender: "hospital",
        payload: payload.as_bytes(),
        infno: Some("2304"),
        request_payload: None,
    };
    match intake::read(&message, &intake::Profile::national()).unwrap() {
        Reading::Settlement(settlement) => *settlement,
        other => panic!("{file} is {other:?}"),
    }
}
