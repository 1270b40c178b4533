//! The status stream, held to its six guarantees: one by one, and all at once under kills.

pub mod client;
mod command;
mod endings;
mod guarantees;
mod honesty;
mod robustness;
mod validators;

use greenlane::pb;
use tonic::transport::Channel;

use crate::process::item;
use crate::serving::{Served, cert, stay};

/// Hospitals of the workload.
const HOSPITALS: usize = 5;

/// The hospital in which a stay takes place.
fn hospital(n: usize) -> String {
    format!("H3702999900{}", n % HOSPITALS)
}

/// The nth stay of a workload over so many members, in one of a few hospitals.
fn nth(n: usize, members: usize) -> pb::Settlement {
    pb::Settlement {
        hospital_code: hospital(n),
        ..stay(&format!("W-{n}"), &cert(n % members), 60_000)
    }
}

/// The same stay with a fact more: its claim is decided again.
fn supplemented(n: usize, members: usize) -> pb::Settlement {
    pb::Settlement { invoice_no: format!("invoice-{n}"), ..nth(n, members) }
}

/// Streams settlements and waits for all answers, each of which must accept.
async fn send(channel: &Channel, settlements: impl IntoIterator<Item = pb::Settlement>) {
    let items: Vec<_> = settlements.into_iter().map(item).collect();
    let count = items.len();
    let mut client = pb::settlement_service_client::SettlementServiceClient::new(channel.clone());
    let answers = client.submit_settlements(tokio_stream::iter(items)).await.unwrap();
    let mut answers = answers.into_inner();
    let mut accepted = 0;
    while let Some(answer) = answers.message().await.unwrap() {
        let outcome = answer.outcome.unwrap();
        assert!(matches!(outcome, pb::submit_settlements_response::Outcome::Accepted(_)));
        accepted += 1;
    }
    assert_eq!(accepted, count);
}

/// Puts a person on the roster after the fact.
async fn enrol(served: &Served, n: usize) {
    let member = pb::Member {
        external_id: format!("P-{n}"),
        cert_type: "01".to_owned(),
        cert_no: cert(n),
        name: "测试员".to_owned(),
        coverages: vec![pb::Coverage {
            plan_id: "qingdao-rongjun".to_owned(),
            start_date: "2023-07-01".to_owned(),
            end_date: String::new(),
        }],
        payee: Some(pb::Payee {
            kind: pb::PayeeKind::Member.into(),
            account_name: "测试员".to_owned(),
            account_no: "62".to_owned(),
            bank_code: String::new(),
        }),
        ..pb::Member::default()
    };
    let rows = tokio_stream::iter([pb::ImportMembersRequest {
        member: Some(member),
        ..Default::default()
    }]);
    let answer = served.members().import_members(rows).await.unwrap().into_inner();
    assert_eq!(answer.created_count, 1, "{answer:?}");
}
