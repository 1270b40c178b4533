//! A small world for the ledger: the shipped plan, the sample persons, the sample messages.

use std::path::Path;

use greenlane::clock;
use greenlane::core::member::Roster;
use greenlane::intake::{self, Message, Reading};
use greenlane::ledger::{DirectoryKey, Ledger, Mode};
use greenlane::store::{Options, Store};

use crate::support::Database;

/// The key under which the tests hash identities.
pub fn directory_key() -> DirectoryKey {
    DirectoryKey::new([7; 32])
}

pub fn fixture(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub fn shipped_plan() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/plans/qingdao-rongjun.toml");
    std::fs::read_to_string(path).unwrap()
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
    ["370299194903120017", "370299196008050031", "370299195211200029", "370299194801010037"]
        .iter()
        .map(|cert_no| enrolled(&format!("RJ-{}", &cert_no[14..]), cert_no))
        .collect()
}

/// Opens the database as a server would.
pub async fn start_ledger(database: &Database) -> Ledger {
    let key = directory_key();
    let options = Options { lanes: 8, directory_key_check: key.check(), readers_max: 4 };
    let store = Store::open(&database.url, &options).await.unwrap();
    Ledger::start(store, key, clock::now).await.unwrap()
}

/// A ledger with the shipped plan in force and these persons on the roster.
pub async fn open_ledger(database: &Database, roster: &[Roster]) -> Ledger {
    let ledger = start_ledger(database).await;
    ledger.publish(shipped_plan(), Mode::Record).await.unwrap();
    for person in roster {
        ledger.enrol(person.clone()).await.unwrap().outcome().await.unwrap();
    }
    ledger
}

/// Reads a sample as a hospital sent it.
pub fn read_sample(file: &str) -> greenlane::core::settlement::Settlement {
    let payload = fixture(&format!("messages/{file}.json"));
    let message = Message {
        sender: "hospital",
        payload: payload.as_bytes(),
        infno: Some("2304"),
        request_payload: None,
    };
    match intake::read(&message).unwrap() {
        Reading::Settlement(settlement) => *settlement,
        other => panic!("{file} is {other:?}"),
    }
}
