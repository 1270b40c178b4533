//! Requests of a stream that name the reject they correct.

use greenlane::pb;
use greenlane::pb::intake_service_client::IntakeServiceClient;
use greenlane::pb::submit_settlements_response::Outcome;

use super::message_stream::{accepted, message_item, refusal, settlement_item, stream};
use crate::serving::{CERT_A, Served, message, message_of, stay};
use crate::support::{Database, on_every_backend};
use crate::world::{fixture, sample_roster};

const UNKNOWN: &str = "01930d2c-6c1f-7a84-b7f3-5e0d3b1c9a42";

fn correcting(
    reject_id: &str,
    request: pb::SubmitSettlementsRequest,
) -> pb::SubmitSettlementsRequest {
    pb::SubmitSettlementsRequest { reject_id: reject_id.to_owned(), ..request }
}

fn settled(reject_id: &str, settlement_id: &str) -> pb::SubmitSettlementsRequest {
    correcting(reject_id, settlement_item(stay(settlement_id, CERT_A, 100)))
}

/// A stay whose amount cannot be used; with an empty id nobody knows which.
fn wrong(settlement_id: &str, total_fen: i64) -> pb::Settlement {
    pb::Settlement { total_fen, ..stay(settlement_id, CERT_A, 100) }
}

async fn rejects(served: &Served) -> Vec<pb::Reject> {
    let request = pb::ListRejectsRequest { include_payload: true, ..Default::default() };
    let mut client = IntakeServiceClient::new(served.channel.clone());
    client.list_rejects(request).await.unwrap().into_inner().rejects
}

async fn ids(served: &Served) -> Vec<String> {
    rejects(served).await.into_iter().map(|it| it.reject_id).collect()
}

#[track_caller]
fn kept_as(answer: &pb::SubmitSettlementsResponse) -> &str {
    let Some(Outcome::Refused(refusal)) = &answer.outcome else { panic!("{answer:?}") };
    &refusal.reject_id
}

/// A server, and the ids of rejects of these.
async fn refused(
    database: &Database,
    requests: Vec<pb::SubmitSettlementsRequest>,
) -> (Served, Vec<String>) {
    let served = Served::start(database, &sample_roster()).await;
    let answers = stream(&served, requests).await;
    let kept: Vec<String> = answers.iter().map(|it| kept_as(it).to_owned()).collect();
    assert_eq!(ids(&served).await, kept);
    (served, kept)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_accepted_or_replayed_or_parked_takes_out_the_reject_that_it_names() {
    on_every_backend(async |database| {
        let requests = ["{1", "{2", "{3", "{4"].map(|text| message_item(message_of(text)));
        let (served, kept) = refused(&database, requests.to_vec()).await;
        let reversal = message("05b_2305_reversal_negative_amounts");
        let requests = vec![
            settled(&kept[0], "S-1"),
            settled(&kept[1].to_uppercase(), "S-1"),
            correcting(&kept[2], message_item(reversal)),
            settled(UNKNOWN, "S-2"),
        ];
        let answers = stream(&served, requests).await;
        assert!(!accepted(&answers[0]).replayed && accepted(&answers[1]).replayed);
        assert!(matches!(answers[2].outcome, Some(Outcome::Parked(_))), "{:?}", answers[2]);
        assert!(!accepted(&answers[3]).replayed, "one that is gone is no error");
        assert_eq!(ids(&served).await, kept[3..]);
        served.stop().await;
    })
    .await;
}

/// F5: a negative total with no link is a reject, not a guess.
#[tokio::test(flavor = "multi_thread")]
async fn a_negative_total_without_a_link_is_kept_until_it_names_what_it_takes_back() {
    on_every_backend(async |database| {
        let text = fixture("messages/05b_2305_reversal_negative_amounts.json");
        let mut reversal: serde_json::Value = serde_json::from_str(&text).unwrap();
        reversal["output"]["setlinfo"].as_object_mut().unwrap().remove("mdtrt_id");
        let unlinked = message_item(message_of(reversal.to_string()));
        let (served, kept) = refused(&database, vec![unlinked]).await;
        let refusal = rejects(&served).await.remove(0).refusal.unwrap();
        assert_eq!(refusal.field_violations[0].field, "output.setlinfo.init_setl_id");
        reversal["output"]["setlinfo"]["init_setl_id"] = "370200G0000008800005".into();
        let linked = message_item(message_of(reversal.to_string()));
        let answers = stream(&served, vec![correcting(&kept[0], linked)]).await;
        assert!(matches!(answers[0].outcome, Some(Outcome::Parked(_))), "{:?}", answers[0]);
        assert_eq!(ids(&served).await, [""; 0]);
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contradiction_that_is_mended_is_taken_out() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let other = settlement_item(stay("S-1", CERT_A, 200));
        let answers = stream(&served, vec![settled("", "S-1"), other]).await;
        let reject_id = kept_as(&answers[1]);
        let answers = stream(&served, vec![settled("", "S-1")]).await;
        assert!(accepted(&answers[0]).replayed);
        assert_eq!(ids(&served).await, [reject_id], "nobody has said that it is mended");
        stream(&served, vec![settled(reject_id, "S-1")]).await;
        assert_eq!(ids(&served).await, [""; 0]);
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_about_another_settlement_or_about_none_leaves_the_reject_that_it_names() {
    on_every_backend(async |database| {
        let requests = ["S-1", "S-2", "S-3"].map(|id| settlement_item(wrong(id, -1)));
        let (served, kept) = refused(&database, requests.to_vec()).await;
        let before = rejects(&served).await;
        let nothing = message("09_2304_error_response");
        let requests = vec![
            settled(&kept[0], "S-9"),
            correcting(&kept[1], message_item(nothing)),
            correcting(&kept[2], settlement_item(wrong("S-9", -1))),
        ];
        let answers = stream(&served, requests).await;
        accepted(&answers[0]);
        assert!(matches!(answers[1].outcome, Some(Outcome::NoSettlement(_))), "{:?}", answers[1]);
        let after = rejects(&served).await;
        assert_eq!(after[..3], before);
        assert_eq!(after[3].reject_id, kept_as(&answers[2]), "kept by itself");
        assert_eq!(after.len(), 4);
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_again_takes_the_place_of_the_reject_that_it_names() {
    on_every_backend(async |database| {
        let requests = vec![
            settlement_item(wrong("", -1)),
            settlement_item(wrong("", -2)),
            message_item(message_of("{")),
        ];
        let (served, kept) = refused(&database, requests).await;
        let before = rejects(&served).await;
        let requests = vec![
            correcting(&kept[0], settlement_item(wrong("S-1", -1))),
            // The bytes that another one keeps: taken for it, one of the two would be lost.
            correcting(&kept[2], settlement_item(wrong("", -2))),
        ];
        let answers = stream(&served, requests).await;
        assert_eq!(kept_as(&answers[0]), kept[0]);
        assert_eq!(kept_as(&answers[1]), kept[1]);
        let after = rejects(&served).await;
        assert_eq!(ids(&served).await, kept);
        let sent: pb::Settlement = prost::Message::decode(&*after[0].payload).unwrap();
        assert_eq!(sent, wrong("S-1", -1));
        assert_eq!((&*after[0].settlement_id, after[0].attempts), ("S-1", 2));
        assert_eq!(after[0].create_time, before[0].create_time);
        let fields = |reject: &pb::Reject| reject.refusal.as_ref().unwrap().field_violations.len();
        assert!(fields(&after[0]) < fields(&before[0]), "the reasons are the new ones");
        assert_eq!(after[2], before[2]);
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_name_of_a_reject_is_a_violation_of_its_request_alone() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let sample = correcting("no id", message_item(message("04_2304_case_b")));
        let requests = vec![settled("370200", "S-1"), sample, settled("", "S-1")];
        let answers = stream(&served, requests).await;
        for answer in &answers[..2] {
            assert_eq!(refusal(answer), (pb::ErrorReason::InvalidField, vec!["reject_id"]));
        }
        assert_eq!(answers[0].settlement_id, "S-1");
        assert!(!accepted(&answers[2]).replayed, "nothing of it was recorded");
        let claims = database.text("select cast(count(*) as text) from claim").await;
        assert_eq!(claims, "1");
        served.stop().await;
    })
    .await;
}
