//! What comes about a settlement apart from it, and what cannot be used, as callers meet them.

use greenlane::pb;
use greenlane::pb::admin_service_client::AdminServiceClient;
use greenlane::pb::intake_service_client::IntakeServiceClient;
use tonic::Code;
use tonic::transport::Channel;

use crate::serving::{CERT_A, Served, message_of, refused, stay, submit, told};
use crate::support::on_every_backend;
use crate::world::{enrolled, sample_roster};

fn intake(served: &Served) -> IntakeServiceClient<Channel> {
    IntakeServiceClient::new(served.channel.clone())
}

fn reversal(settlement_id: &str, total_fen: i64) -> pb::ReverseSettlementRequest {
    pb::ReverseSettlementRequest {
        reversal: Some(pb::Reversal {
            source: "370200".into(),
            settlement_id: settlement_id.into(),
            reversal_id: format!("R-{settlement_id}"),
            total_fen,
            ..pb::Reversal::default()
        }),
        validate_only: false,
    }
}

fn supplement(settlement_id: &str, visit_id: &str) -> pb::SupplementSettlementRequest {
    pb::SupplementSettlementRequest {
        settlement: Some(pb::Settlement {
            source: "370200".into(),
            settlement_id: settlement_id.into(),
            visit_id: visit_id.into(),
            ..pb::Settlement::default()
        }),
        validate_only: false,
    }
}

async fn rejects(served: &Served) -> Vec<pb::Reject> {
    let request = pb::ListRejectsRequest { include_payload: true, ..Default::default() };
    intake(served).list_rejects(request).await.unwrap().into_inner().rejects
}

async fn parked(served: &Served) -> Vec<pb::ParkedMessage> {
    let request = pb::ListParkedRequest::default();
    intake(served).list_parked(request).await.unwrap().into_inner().parked
}

#[tokio::test]
async fn a_settlement_is_reversed_once_and_its_later_claims_are_told() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let mut client = served.settlements();
        for (id, burden) in [("a", 600_000), ("b", 300_000)] {
            client.submit_settlement(submit(stay(id, CERT_A, burden))).await.unwrap();
        }
        let trial = pb::ReverseSettlementRequest { validate_only: true, ..reversal("a", 650_000) };
        let trial = client.reverse_settlement(trial).await.unwrap().into_inner();
        assert_eq!(trial.claim.unwrap().state(), pb::ClaimState::Voided);
        let error = client.reverse_settlement(reversal("a", 600_000)).await.unwrap_err();
        let told = told(&error);
        assert_eq!((told.code, &*told.reason), (Code::FailedPrecondition, "REVERSAL_DIFFERS"));
        assert_eq!(told.metadata["field"], "total_fen");
        assert!(told.has_precondition && told.metadata.contains_key("reject_id"), "{told:?}");

        let answer = client.reverse_settlement(reversal("a", 650_000)).await.unwrap().into_inner();
        let claim = answer.claim.unwrap();
        assert_eq!((claim.state(), answer.replayed), (pb::ClaimState::Voided, false));
        assert_eq!(claim.next_step(), pb::NextStep::None);
        assert_eq!(claim.reversal.as_ref().unwrap().reversal_id, "R-a");
        assert_eq!(claim.payouts[0].state(), pb::PayoutState::Cancelled);
        let again = client.reverse_settlement(reversal("a", 650_000)).await.unwrap().into_inner();
        assert_eq!((again.claim.as_ref(), again.replayed), (Some(&claim), true));

        let request = pb::ListClaimsRequest { settlement_id: "b".into(), ..Default::default() };
        let later = served.claims().list_claims(request).await.unwrap().into_inner();
        let decision = later.claims[0].decision.as_ref().unwrap();
        assert_eq!((decision.payout_fen, decision.deductible_fen), (0, 300_000));
        let kept = rejects(&served).await;
        assert_eq!(kept[0].refusal.as_ref().unwrap().reason(), pb::ErrorReason::ReversalDiffers);
        assert_eq!(kept[0].settlement_id, "a");
        served.stop().await;
    })
    .await;
}

/// A plan that requires the stay and all fee lines.
fn demanding_plan() -> String {
    let plan = crate::world::shipped_plan();
    let plan = plan.replace("plan_id = \"qingdao-rongjun\"", "plan_id = \"demanding\"");
    plan.replace("required_facts = []", "required_facts = [\"stay\", \"lines\"]")
}

fn line(line_no: &str, total_fen: i64) -> pb::Line {
    pb::Line { line_no: line_no.into(), total_fen, ..pb::Line::default() }
}

/// In any order, before and after the settlement: an incomplete claim holds nothing, and is decided
/// in its place once the last fact is there.
#[tokio::test]
async fn a_claim_waits_for_the_facts_its_plan_requires() {
    let mut days = supplement("", "V-a");
    let facts = days.settlement.as_mut().unwrap();
    facts.admission_date = "2024-03-01".into();
    facts.discharge_date = "2024-03-15".into();
    let mut some_lines = supplement("a", "");
    some_lines.settlement.as_mut().unwrap().lines = vec![line("1", 500_000)];
    let mut all_lines = supplement("a", "V-a");
    all_lines.settlement.as_mut().unwrap().lines = vec![line("1", 500_000), line("2", 150_000)];
    let parts = [days, some_lines, all_lines];
    for before in 0..=parts.len() {
        on_every_backend(async |database| {
            let served = Served::start(&database, &[]).await;
            let publish = pb::PublishPlanRequest {
                document: demanding_plan(),
                ..pb::PublishPlanRequest::default()
            };
            served.plans().publish_plan(publish).await.unwrap();
            let mut person = enrolled("RJ-1", CERT_A);
            person.coverages[0].plan_id = "demanding".into();
            served.enrol(person).await;
            let mut client = served.settlements();
            for part in &parts[..before] {
                let answer = client.supplement_settlement(part.clone()).await.unwrap().into_inner();
                assert!(answer.claim.is_none() && !answer.parked_id.is_empty());
            }
            assert_eq!(parked(&served).await.len(), before);
            let settled = submit(stay("a", CERT_A, 600_000));
            let answer = client.submit_settlement(settled.clone()).await.unwrap().into_inner();
            let mut claim = answer.claim.unwrap();
            assert_eq!(parked(&served).await, []);
            for part in &parts[before..] {
                assert_eq!(claim.state(), pb::ClaimState::Incomplete, "{before} came before");
                assert!(claim.decision.is_none());
                assert_eq!(claim.next_step(), pb::NextStep::SendMissingFacts);
                let answer = client.supplement_settlement(part.clone()).await.unwrap().into_inner();
                claim = answer.claim.unwrap();
            }
            assert_eq!(claim.state(), pb::ClaimState::Approved, "{before} came before");
            assert_eq!(claim.decision.as_ref().unwrap().payout_fen, 100_000);
            assert_eq!(claim.settlement.as_ref().unwrap().lines.len(), 2);
            let again = client.submit_settlement(settled).await.unwrap().into_inner();
            assert!(again.replayed);
            served.stop().await;
        })
        .await;
    }
}

#[tokio::test]
async fn what_contradicts_is_kept_with_both_values_and_can_be_sent_again() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let mut client = served.settlements();
        client.submit_settlement(submit(stay("a", CERT_A, 600_000))).await.unwrap();
        let error = client.submit_settlement(submit(stay("a", CERT_A, 700_000))).await.unwrap_err();
        let told = told(&error);
        assert_eq!((told.code, &*told.reason), (Code::AlreadyExists, "SETTLEMENT_CONFLICT"));
        let kept = rejects(&served).await;
        assert_eq!(kept[0].reject_id, told.metadata["reject_id"]);
        let refusal = kept[0].refusal.as_ref().unwrap();
        assert_eq!(refusal.code, Code::AlreadyExists as i32);
        let fields: Vec<&str> =
            refusal.field_violations.iter().map(|it| it.field.as_str()).collect();
        assert_eq!(fields, ["settlement.personal_total_fen", "settlement.total_fen"]);
        let sent: pb::Settlement = prost::Message::decode(&*kept[0].payload).unwrap();
        assert_eq!(sent, stay("a", CERT_A, 700_000));

        let retry = |reject_id: &str, payload: Vec<u8>| pb::RetryRejectRequest {
            reject_id: reject_id.into(),
            payload,
            ..pb::RetryRejectRequest::default()
        };
        let reject_id = kept[0].reject_id.clone();
        let again = intake(&served).retry_reject(retry(&reject_id, vec![])).await;
        assert_eq!(refused(again), (Code::AlreadyExists, "SETTLEMENT_CONFLICT".into()));
        assert_eq!(rejects(&served).await[0].attempts, 2);
        let another = prost::Message::encode_to_vec(&stay("b", CERT_A, 700_000));
        let again = intake(&served).retry_reject(retry(&reject_id, another)).await.unwrap();
        assert_eq!(again.get_ref().claim.as_ref().unwrap().state(), pb::ClaimState::Approved);
        assert_eq!(rejects(&served).await.len(), 1, "another settlement makes it no good");
        let corrected = prost::Message::encode_to_vec(&stay("a", CERT_A, 600_000));
        let again = intake(&served).retry_reject(retry(&reject_id, corrected)).await.unwrap();
        assert!(again.get_ref().replayed);
        assert_eq!(rejects(&served).await, []);
        let gone = intake(&served).retry_reject(retry(&reject_id, vec![])).await;
        assert_eq!(refused(gone), (Code::NotFound, "REJECT_NOT_FOUND".into()));
        served.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_message_that_cannot_be_used_is_kept_as_it_came_until_it_is_made_good() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let mut client = served.settlements();
        let good = crate::world::fixture("messages/04_2304_case_b.json");
        let bad = good.replace("168320.75", "\"many\"");
        for _ in 0..2 {
            let error = client.submit_message(message_of(bad.clone())).await.unwrap_err();
            assert_eq!(told(&error).reason, "INVALID_FIELD");
        }
        let garbage = vec![0xff, 0, b'{'];
        client.submit_message(message_of(garbage.clone())).await.unwrap_err();
        let only_tried = pb::SubmitMessageRequest { validate_only: true, ..message_of("[") };
        client.submit_message(only_tried).await.unwrap_err();

        let kept = rejects(&served).await;
        assert_eq!(kept.len(), 2, "the same bytes are one reject, a trial is none");
        assert_eq!((kept[0].attempts, kept[0].payload.as_slice()), (2, bad.as_bytes()));
        assert_eq!((&*kept[0].sender, &*kept[0].infno), ("hospital", "2304"));
        assert_eq!(kept[0].form(), pb::RejectForm::Message);
        assert_eq!(kept[1].payload, garbage);
        let refusal = kept[1].refusal.as_ref().unwrap();
        assert_eq!(refusal.reason(), pb::ErrorReason::MessageUnreadable);
        let filter = pb::ListRejectsRequest {
            reason: pb::ErrorReason::InvalidField.into(),
            page_size: 1,
            ..Default::default()
        };
        let listed = intake(&served).list_rejects(filter).await.unwrap().into_inner();
        assert_eq!((listed.rejects.len(), &*listed.next_page_token), (1, ""));
        assert!(listed.rejects[0].payload.is_empty(), "bytes are personal, and not asked for");

        client.submit_message(message_of(good)).await.unwrap();
        let left = rejects(&served).await;
        let left: Vec<&str> = left.iter().map(|it| it.reject_id.as_str()).collect();
        assert_eq!(left, [&*kept[1].reject_id], "the corrected message makes its reject good");
        served.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_a_stream_cannot_use_is_kept() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let of = |settlement| pb::SubmitSettlementsRequest {
            settlement: Some(settlement),
            ..pb::SubmitSettlementsRequest::default()
        };
        let message = |payload: &str| pb::SubmitSettlementsRequest {
            message: Some(message_of(payload)),
            ..pb::SubmitSettlementsRequest::default()
        };
        let nameless = pb::Settlement { member: None, ..stay("n", CERT_A, 1) };
        let requests = vec![
            of(stay("a", CERT_A, 600_000)),
            of(nameless.clone()),
            of(stay("a", CERT_A, 700_000)),
            message("{"),
        ];
        let answers =
            served.settlements().submit_settlements(futures::stream::iter(requests)).await;
        let mut answers = answers.unwrap().into_inner();
        let mut told = Vec::new();
        while let Some(answer) = answers.message().await.unwrap() {
            told.push(match answer.outcome.unwrap() {
                pb::submit_settlements_response::Outcome::Accepted(_) => String::new(),
                pb::submit_settlements_response::Outcome::Refused(refusal) => refusal.reject_id,
                other => panic!("{other:?}"),
            });
        }
        assert_eq!(told[0], "");
        let kept = rejects(&served).await;
        let ids: std::collections::BTreeSet<_> =
            kept.iter().map(|it| it.reject_id.clone()).collect();
        assert_eq!(ids, told[1..].iter().cloned().collect());
        let find = |id: &String| kept.iter().find(|it| it.reject_id == *id).unwrap();
        let sent: pb::Settlement = prost::Message::decode(&*find(&told[1]).payload).unwrap();
        assert_eq!(sent, nameless);
        assert_eq!(find(&told[3]).payload, b"{");
        served.stop().await;
    })
    .await;
}

#[tokio::test]
async fn malformed_follow_ups_name_every_field() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &[]).await;
        let mut client = served.settlements();
        let empty = pb::ReverseSettlementRequest {
            reversal: Some(pb::Reversal { total_fen: -1, ..pb::Reversal::default() }),
            validate_only: false,
        };
        let error = client.reverse_settlement(empty).await.unwrap_err();
        let violations = told(&error).violations;
        assert_eq!(violations.len(), 4, "{violations:?}");
        assert!(violations.iter().any(|it| it.starts_with("reversal.source is required")));
        let error = client.supplement_settlement(supplement("", "")).await.unwrap_err();
        let expected = ["settlement.settlement_id is required, or visit_id"];
        assert_eq!(told(&error).violations, expected);
        assert_eq!(rejects(&served).await, [], "its caller has it");
        served.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_profile_is_published_once_and_in_force_at_once() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &[]).await;
        let mut client = AdminServiceClient::new(served.channel.clone());
        let publish = |content: &str, validate_only| pb::PublishDocumentRequest {
            kind: pb::DocumentKind::Profile.into(),
            content: content.into(),
            validate_only,
        };
        let first = "profile_id = \"H1\"\nversion = \"1\"\nname = \"一院\"\n";
        let tried = client.publish_document(publish(first, true)).await.unwrap().into_inner();
        assert!(tried.document.unwrap().publish_time.is_none());
        let published = client.publish_document(publish(first, false)).await.unwrap().into_inner();
        let document = published.document.unwrap();
        assert_eq!((&*document.document_id, &*document.version), ("H1", "1"));
        let again = client.publish_document(publish(first, false)).await.unwrap().into_inner();
        assert!(again.unchanged && !published.unchanged);
        let other = format!("{first}tolerance = \"0.02\"\n");
        let clash = client.publish_document(publish(&other, false)).await;
        assert_eq!(refused(clash), (Code::AlreadyExists, "DOCUMENT_VERSION_EXISTS".into()));
        let wrong = client.publish_document(publish("profile = 1", false)).await.unwrap_err();
        let told = told(&wrong);
        assert_eq!((told.code, &*told.reason), (Code::InvalidArgument, "DOCUMENT_INVALID"));
        assert!(!told.violations.is_empty());
        let second = first.replace("\"1\"", "\"2\"");
        client.publish_document(publish(&second, false)).await.unwrap();
        let list = |all_versions| pb::ListDocumentsRequest {
            kind: pb::DocumentKind::Profile.into(),
            all_versions,
            include_content: true,
        };
        let in_force = client.list_documents(list(false)).await.unwrap().into_inner().documents;
        assert_eq!((in_force.len(), &*in_force[0].version), (1, "2"));
        assert_eq!(in_force[0].content, second);
        let all = client.list_documents(list(true)).await.unwrap().into_inner().documents;
        assert_eq!(all.len(), 2);
        served.stop().await;
        crate::audit::audit(&database).await;
    })
    .await;
}
