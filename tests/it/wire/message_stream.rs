//! `SubmitSettlements` with messages in it: read as a call of its own would, answered in its place.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use greenlane::pb;
use greenlane::pb::submit_settlements_response::Outcome;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::serving::{CERT_A, Hold, Served, message, message_of, stay, submit, told};
use crate::support::{on_every_backend, on_postgres};
use crate::world::{fixture, sample_roster};

pub(super) fn settlement_item(settlement: pb::Settlement) -> pb::SubmitSettlementsRequest {
    pb::SubmitSettlementsRequest {
        settlement: Some(settlement),
        ..pb::SubmitSettlementsRequest::default()
    }
}

pub(super) fn message_item(message: pb::SubmitMessageRequest) -> pb::SubmitSettlementsRequest {
    pb::SubmitSettlementsRequest {
        message: Some(message),
        ..pb::SubmitSettlementsRequest::default()
    }
}

pub(super) async fn stream(
    served: &Served,
    requests: Vec<pb::SubmitSettlementsRequest>,
) -> Vec<pb::SubmitSettlementsResponse> {
    let count = requests.len();
    let answers = served.settlements().submit_settlements(tokio_stream::iter(requests)).await;
    let mut answers = answers.unwrap().into_inner();
    let mut read = Vec::new();
    while let Some(answer) = answers.message().await.unwrap() {
        assert_eq!(usize::try_from(answer.index).unwrap(), read.len());
        read.push(answer);
    }
    assert_eq!(read.len(), count, "one answer for each request");
    read
}

/// The claim without what differs between two ledgers: its ids and its times, also since when it
/// waits for a person.
fn bare(claim: pb::Claim) -> pb::Claim {
    let mut claim = pb::Claim {
        claim_id: String::new(),
        member_id: String::new(),
        revision: String::new(),
        create_time: None,
        update_time: None,
        // Since when it waits is a time as well.
        review: claim.review.map(|it| pb::Review { pend_time: None, ..it }),
        ..claim
    };
    for payout in &mut claim.payouts {
        payout.payout_id = String::new();
        payout.create_time = None;
    }
    claim
}

#[track_caller]
pub(super) fn accepted(answer: &pb::SubmitSettlementsResponse) -> &pb::AcceptedSettlement {
    let Some(Outcome::Accepted(accepted)) = &answer.outcome else { panic!("{answer:?}") };
    accepted
}

#[track_caller]
pub(super) fn refusal(answer: &pb::SubmitSettlementsResponse) -> (pb::ErrorReason, Vec<&str>) {
    let Some(Outcome::Refused(refusal)) = &answer.outcome else { panic!("{answer:?}") };
    let fields = refusal.field_violations.iter().map(|it| it.field.as_str()).collect();
    (refusal.reason(), fields)
}

const FILES: [&str; 6] = [
    "18_composite_ingest_case_a_stay1",
    "02_2304_case_a_stay2",
    "18c_composite_case_a_stay3",
    "18d_composite_case_b_with_lines",
    "20_2304_person_without_coverage",
    "21_2304_above_green_ceiling",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_mixed_stream_makes_the_same_claims_as_calls_of_their_own() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let mut requests = Vec::new();
        for (index, file) in FILES.iter().enumerate() {
            requests.push(message_item(message(file)));
            requests.push(settlement_item(stay(&format!("S-{index}"), CERT_A, 70_000)));
        }
        let streamed = stream(&served, requests.clone()).await;
        served.stop().await;
        let empty = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/ledger.db", empty.path().display());
        let other = crate::support::Database { url, is_postgres: false };
        let served = Served::start(&other, &sample_roster()).await;
        for (answer, request) in streamed.iter().zip(requests) {
            let mut settlements = served.settlements();
            let claim = match (request.message, request.settlement) {
                (Some(message), _) => {
                    settlements.submit_message(message).await.unwrap().into_inner().claim
                }
                (_, Some(settlement)) => {
                    let answer = settlements.submit_settlement(submit(settlement)).await;
                    answer.unwrap().into_inner().claim
                }
                _ => unreachable!(),
            };
            let (claim, streamed) = (claim.unwrap(), accepted(answer).claim.clone().unwrap());
            let settlement = claim.settlement.as_ref().unwrap();
            assert_eq!(answer.settlement_id, settlement.settlement_id, "as read from it");
            assert_eq!(answer.source, settlement.source);
            assert!(!accepted(answer).replayed);
            assert_eq!(bare(streamed), bare(claim));
        }
        served.stop().await;
    })
    .await;
}

/// The roads to one ledger are one road: what came as a message is replayed as a settlement.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_in_a_stream_is_a_replay_of_the_same_facts() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let first = served.settlements().submit_message(message("04_2304_case_b")).await.unwrap();
        let claim = first.into_inner().claim.unwrap();
        let facts = settlement_item(claim.settlement.clone().unwrap());
        let again = vec![message_item(message("04_2304_case_b")), facts];
        for answer in stream(&served, again).await {
            assert!(accepted(&answer).replayed);
            assert_eq!(accepted(&answer).claim.as_ref().unwrap().claim_id, claim.claim_id);
        }
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_used_is_refused_with_its_fields_and_ends_nothing() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let sample = || message("04_2304_case_b");
        let unreadable = fixture("messages/04_2304_case_b.json").replace("168320.75", "\"viel\"");
        assert!(unreadable.contains("viel"), "the sample has changed");
        let both = pb::SubmitSettlementsRequest {
            settlement: Some(stay("S-1", CERT_A, 100)),
            message: Some(sample()),
            ..pb::SubmitSettlementsRequest::default()
        };
        let answers = stream(
            &served,
            vec![
                message_item(message_of("no message")),
                message_item(message_of(unreadable.clone())),
                message_item(message_of("")),
                message_item(pb::SubmitMessageRequest { validate_only: true, ..sample() }),
                both,
                pb::SubmitSettlementsRequest::default(),
                message_item(sample()),
            ],
        )
        .await;
        let (invalid, no_message) =
            (pb::ErrorReason::InvalidField, pb::ErrorReason::MessageUnreadable);
        assert_eq!(refusal(&answers[0]), (no_message, vec!["payload"]));
        let (reason, fields) = refusal(&answers[1]);
        assert_eq!((reason, &fields[..1]), (invalid, &["output.setlinfo.medfee_sumamt"][..]));
        let alone = served.settlements().submit_message(message_of(unreadable)).await;
        let alone = told(&alone.unwrap_err()).violations;
        assert_eq!(fields.len(), alone.len(), "as many as a call of its own is told: {alone:?}");
        assert_eq!(refusal(&answers[2]), (invalid, vec!["payload"]));
        assert_eq!(refusal(&answers[3]), (invalid, vec!["validate_only"]));
        assert_eq!(refusal(&answers[4]), (invalid, vec!["message"]));
        assert_eq!(answers[4].settlement_id, "S-1");
        assert_eq!(refusal(&answers[5]), (invalid, vec!["settlement"]));
        assert!(!accepted(&answers[6]).replayed, "nothing before it was recorded");
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_transaction_and_a_quote_hold_no_settlement() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let quote =
            pb::SubmitMessageRequest { infno: "2303".to_owned(), ..message("04_2304_case_b") };
        let failed = message("09_2304_error_response");
        let answers = stream(&served, vec![message_item(failed), message_item(quote)]).await;
        let detail = |answer: &pb::SubmitSettlementsResponse| match &answer.outcome {
            Some(Outcome::NoSettlement(it)) => it.detail.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(detail(&answers[0]), "the platform answered infcode -1");
        assert_eq!(answers[0].settlement_id, "");
        assert_eq!(detail(&answers[1]), "the answer to 2303 is a quote and settles nothing");
        assert_eq!(answers[1].settlement_id, "370200G0000008800004", "as read from it");
        let claims = database.text("select cast(count(*) as text) from claim").await;
        assert_eq!(claims, "0");
        served.stop().await;
    })
    .await;
}

/// Thirty megabytes may be in flight. What one stream has sent beyond that, and what the transport
/// holds, stays with the caller until answers go out.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_waits_when_the_bytes_of_its_messages_fill_the_stream() {
    const COUNT: usize = 24;
    const TAKEN_MAX: usize = 16;
    on_postgres(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let mut payload = fixture("messages/04_2304_case_b.json").into_bytes();
        payload.resize(4_000_000, b' ');
        let hold = Hold::every_lane(&database).await;
        let (sender, receiver) = mpsc::channel(1);
        let taken = Arc::new(AtomicUsize::new(0));
        let counter = taken.clone();
        let mut sending = tokio::spawn(async move {
            for _ in 0..COUNT {
                sender.send(message_item(message_of(payload.clone()))).await.unwrap();
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
        let answers = served.settlements().submit_settlements(ReceiverStream::new(receiver)).await;
        let mut answers = answers.unwrap().into_inner();
        let all_sent = tokio::time::timeout(Duration::from_secs(3), &mut sending).await;
        assert!(all_sent.is_err(), "no answer can have gone out");
        let taken = taken.load(Ordering::Relaxed);
        assert!(taken < TAKEN_MAX, "{taken} messages were taken");
        hold.let_go().await;
        for index in 0..COUNT {
            let answer = answers.message().await.unwrap().unwrap();
            assert_eq!(usize::try_from(answer.index).unwrap(), index);
            assert_eq!(accepted(&answer).replayed, 0 < index);
        }
        assert!(answers.message().await.unwrap().is_none());
        sending.await.unwrap();
        served.stop().await;
    })
    .await;
}
