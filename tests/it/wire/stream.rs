//! `SubmitSettlements`: thousands in, their answers out in the same order.

use std::collections::HashMap;
use std::time::Duration;

use greenlane::pb;
use greenlane::pb::submit_settlements_response::Outcome;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use crate::serving::{Served, cert, persons, refused, stay};
use crate::support::on_every_backend;

const MEMBERS: usize = 20;

fn item(settlement: pb::Settlement) -> pb::SubmitSettlementsRequest {
    pb::SubmitSettlementsRequest {
        settlement: Some(settlement),
        ..pb::SubmitSettlementsRequest::default()
    }
}

fn nth(n: usize) -> pb::Settlement {
    stay(&format!("S-{n}"), &cert(n % MEMBERS), 30_000)
}

#[track_caller]
fn refusal(answer: &pb::SubmitSettlementsResponse) -> (Code, pb::ErrorReason, Vec<&str>) {
    let Some(Outcome::Refused(refusal)) = &answer.outcome else { panic!("{answer:?}") };
    let fields = refusal.field_violations.iter().map(|it| it.field.as_str()).collect();
    assert!(!refusal.message.is_empty());
    (Code::from(refusal.code), refusal.reason(), fields)
}

/// What stands at these places instead of a settlement of its own.
fn requests() -> Vec<pb::SubmitSettlementsRequest> {
    let mut requests: Vec<_> = (0..3000).map(|n| item(nth(n))).collect();
    requests[1500] = item(pb::Settlement { total_fen: -5, ..nth(1500) });
    requests[1501] = pb::SubmitSettlementsRequest::default();
    requests[2000] = item(nth(100));
    // Beside its first, so that both are decided in one transaction.
    requests[2001] = item(nth(2002));
    let conflict = nth(200);
    requests[2500] = item(pb::Settlement {
        total_fen: conflict.total_fen + 7,
        personal_total_fen: Some(30_007),
        ..conflict
    });
    requests
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_are_answered_in_order_and_a_refusal_ends_nothing() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &persons(MEMBERS)).await;
        let requests = requests();
        let sent = tokio_stream::iter(requests.clone());
        let answers = served.settlements().submit_settlements(sent).await.unwrap();
        let mut answers = answers.into_inner();
        let mut read = Vec::new();
        while let Some(answer) = answers.message().await.unwrap() {
            read.push(answer);
        }
        assert_eq!(read.len(), requests.len(), "the half-close ends it after the last answer");
        let mut claims: HashMap<&str, &str> = HashMap::new();
        for (index, (answer, request)) in read.iter().zip(&requests).enumerate() {
            assert_eq!(usize::try_from(answer.index).unwrap(), index);
            let asked = request.settlement.clone().unwrap_or_default();
            assert_eq!(answer.settlement_id, asked.settlement_id);
            assert_eq!(answer.source, asked.source);
            if [1500, 1501, 2500].contains(&index) {
                continue;
            }
            let Some(Outcome::Accepted(accepted)) = &answer.outcome else { panic!("{answer:?}") };
            assert_eq!(accepted.replayed, [2000, 2002].contains(&index), "{index}");
            let claim = accepted.claim.as_ref().unwrap();
            assert_eq!(claim.settlement.as_ref().unwrap().settlement_id, asked.settlement_id);
            let first = claims.entry(&answer.settlement_id).or_insert(&claim.claim_id);
            assert_eq!(*first, claim.claim_id);
        }
        let invalid = (Code::InvalidArgument, pb::ErrorReason::InvalidField);
        assert_eq!(refusal(&read[1500]), (invalid.0, invalid.1, vec!["settlement.total_fen"]));
        assert_eq!(refusal(&read[1501]), (invalid.0, invalid.1, vec!["settlement"]));
        let fields = vec!["settlement.personal_total_fen", "settlement.total_fen"];
        let conflict = (Code::AlreadyExists, pb::ErrorReason::SettlementConflict, fields);
        assert_eq!(refusal(&read[2500]), conflict);
        let counted = "select cast(count(*) as text) from claim";
        assert_eq!(database.text(counted).await, (3000 - 5 + 1 - 1).to_string());
        served.stop().await;
    })
    .await;
}

/// A hospital's feed stays open for days: each answer comes when it is decided.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_answers_while_it_stays_open_and_its_server_ends_it() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &persons(1)).await;
        let (sender, receiver) = mpsc::channel(1);
        let requests = ReceiverStream::new(receiver);
        let answers = served.settlements().submit_settlements(requests).await.unwrap();
        let mut answers = answers.into_inner();
        for n in 0..5 {
            sender.send(item(stay(&format!("S-{n}"), &cert(0), 100))).await.unwrap();
            let answer = answers.message().await.unwrap().unwrap();
            assert_eq!(answer.index, n);
        }
        served.tell_to_stop();
        let ended = tokio::time::timeout(Duration::from_secs(5), answers.message()).await;
        let ended = ended.expect("the server ends it although its caller never will");
        assert_eq!(refused(ended), (Code::Unavailable, "SHUTTING_DOWN".to_owned()));
        served.stop().await;
    })
    .await;
}
