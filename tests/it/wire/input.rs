//! Bad input: each kind has a name of its own, all bad fields are told at once, and what is merely
//! new or contradictory is no error.

use greenlane::pb;
use prost_types::Timestamp;
use serde_json::{Value, json};
use tonic::Code;

use crate::serving::{CERT_A, Served, message, message_of, on_sqlite, refused, stay, submit, told};
use crate::world::{fixture, sample_roster};

const SAMPLE: &str = "01_2304_case_a_stay1";

/// A sample with other values in `output.setlinfo`; null takes a field away.
fn sample_with(changes: &[(&str, Value)]) -> pb::SubmitMessageRequest {
    let mut message: Value =
        serde_json::from_str(&fixture(&format!("messages/{SAMPLE}.json"))).unwrap();
    for (name, value) in changes {
        message["output"]["setlinfo"][*name] = value.clone();
    }
    message_of(message.to_string())
}

/// One bad value of each kind, with what must be said of it.
fn bad_values() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("setl_id", json!("3".repeat(31)), "must be at most 30 characters"),
        ("psn_name", json!("甲".repeat(51)), "must be at most 50 characters"),
        ("mdtrt_id", json!("3702\u{0}00"), "must not contain control characters"),
        ("certno", json!("3702\u{0}9194903120017"), "must not contain control characters"),
        ("med_type", json!("2 1"), "must be ASCII letters, digits and signs without spaces"),
        ("insutype", json!([]), "must be a text or a number"),
        ("setl_time", json!("2024-02-30 10:15:06"), "must be a local time such as 2024-03-15"),
        ("medfee_sumamt", Value::Null, "is required"),
        ("psn_part_amt", json!("-37207.18"), "must not be negative"),
        ("act_pay_dedc", json!("800.005"), "must have at most two decimals"),
        ("inscp_scp_amt", json!("53,000.00"), "must be a plain decimal number of yuan"),
        ("overlmt_selfpay", json!("1830.22元"), "must be a plain decimal number of yuan"),
        ("hosp_part_amt", json!("10000000000.01"), "must be at most 10000000000.00"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_value_of_a_message_has_its_own_name() {
    on_sqlite(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        for (name, value, problem) in bad_values() {
            let request = sample_with(&[(name, value)]);
            let status = served.settlements().submit_message(request).await.unwrap_err();
            let told = told(&status);
            assert_eq!((told.code, &*told.reason), (Code::InvalidArgument, "INVALID_FIELD"));
            let field = format!("output.setlinfo.{name}");
            let [violation] = &told.violations[..] else { panic!("{name}: {told:?}") };
            assert!(violation.starts_with(&format!("{field} {problem}")), "{violation}");
            assert_eq!(told.metadata["fields"], field);
        }
        let list = served.claims().list_claims(pb::ListClaimsRequest::default()).await.unwrap();
        assert_eq!(list.into_inner().claims, [], "what is refused is not recorded");
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_bad_fields_of_a_message_are_told_at_once() {
    on_sqlite(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let bad = bad_values();
        let changes: Vec<_> = bad.iter().map(|(name, value, _)| (*name, value.clone())).collect();
        let status = served.settlements().submit_message(sample_with(&changes)).await;
        let told = told(&status.unwrap_err());
        assert_eq!(told.violations.len(), bad.len(), "{told:?}");
        for (name, _, problem) in bad {
            let start = format!("output.setlinfo.{name} {problem}");
            assert!(told.violations.iter().any(|it| it.starts_with(&start)), "{start}: {told:?}");
        }
        let nobody = sample_with(&[("certno", Value::Null), ("psn_no", Value::Null)]);
        let told = self::told(&served.settlements().submit_message(nobody).await.unwrap_err());
        assert_eq!(told.violations, ["output.setlinfo.certno is required, or psn_no"]);
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_bad_fields_of_a_settlement_are_told_at_once() {
    on_sqlite(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let mut client = served.settlements();
        let bad = pb::Settlement {
            source: "37020".to_owned(),
            settlement_id: "3".repeat(31),
            visit_id: "3702\0".to_owned(),
            member: Some(pb::MemberIdentity {
                name: "甲".repeat(51),
                ..pb::MemberIdentity::default()
            }),
            admission_date: "2024-03-15".to_owned(),
            discharge_date: "2024-02-30".to_owned(),
            settle_time: Some(Timestamp { seconds: 0, nanos: -1 }),
            total_fen: 0,
            cash_fen: Some(-1),
            account_fen: Some(i64::MAX),
            lines: vec![pb::Line { total_fen: -1, ..pb::Line::default() }],
            ..pb::Settlement::default()
        };
        let told = told(&client.submit_settlement(submit(bad)).await.unwrap_err());
        assert_eq!((told.code, &*told.reason), (Code::InvalidArgument, "INVALID_FIELD"));
        let mut violations = told.violations;
        violations.sort();
        assert_eq!(
            violations,
            [
                "settlement.account_fen must be at most 10000000000.00",
                "settlement.cash_fen must not be negative",
                "settlement.discharge_date must be a day such as 2024-03-15",
                "settlement.lines[0].line_no is required",
                "settlement.lines[0].total_fen must not be negative",
                "settlement.member must have a cert_no, a card_no or a psn_no",
                "settlement.member.name must be at most 50 characters",
                "settlement.settle_time must have nanos from 0 to 999999999",
                "settlement.settlement_id must be at most 30 characters",
                "settlement.source must be a region of six digits",
                "settlement.total_fen is required and must be above zero, unless personal_total_fen is \
                 zero",
                "settlement.visit_id must not contain control characters",
            ]
        );
        let missing = pb::SubmitSettlementRequest::default();
        let told = self::told(&client.submit_settlement(missing).await.unwrap_err());
        assert_eq!(told.violations, ["settlement is required"]);
        let backwards = pb::Settlement {
            admission_date: "2024-03-15".to_owned(),
            discharge_date: "2024-03-14".to_owned(),
            ..stay("S-1", CERT_A, 1)
        };
        let told = self::told(&client.submit_settlement(submit(backwards)).await.unwrap_err());
        let order = "settlement.discharge_date must not be before the first day of the stay";
        assert_eq!(told.violations, [order]);
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_message_is_unreadable() {
    on_sqlite(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let mut client = served.settlements();
        let unreadable = (Code::InvalidArgument, "MESSAGE_UNREADABLE".to_owned());
        for payload in ["{", "[]", "结算", "\"370299194903120017\""] {
            assert_eq!(refused(client.submit_message(message_of(payload)).await), unreadable);
        }
        let no_utf8 = message_of(vec![b'{', 0xff, b'}']);
        assert_eq!(refused(client.submit_message(no_utf8).await), unreadable);
        let foreign = pb::SubmitMessageRequest { infno: "3201".to_owned(), ..message(SAMPLE) };
        let told = told(&client.submit_message(foreign).await.unwrap_err());
        assert_eq!((told.code, told.reason), unreadable);
        assert_eq!(told.metadata["infno"], "3201");
        let invalid = (Code::InvalidArgument, "INVALID_FIELD".to_owned());
        assert_eq!(refused(client.submit_message(message_of("")).await), invalid);
        assert_eq!(refused(client.submit_message(message_of("{}")).await), invalid);
        let failed = client.submit_message(message("09_2304_error_response")).await.unwrap();
        let failed = failed.into_inner();
        assert_eq!(failed.outcome(), pb::MessageOutcome::NoSettlement);
        assert_eq!((failed.claim, &*failed.detail), (None, "the platform answered infcode -1"));
        served.stop().await;
    })
    .await;
}

/// The bytes of one message under the method of another.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_no_message_of_its_method_is_unreadable() {
    on_sqlite(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let mut raw = tonic::client::Grpc::new(served.channel.clone());
        raw.ready().await.unwrap();
        let codec =
            tonic_prost::ProstCodec::<pb::SubmitMessageRequest, pb::GetClaimResponse>::new();
        let path = "/greenlane.v1.SettlementService/SubmitSettlement";
        let path = tonic::codegen::http::uri::PathAndQuery::from_static(path);
        let answer = raw.unary(tonic::Request::new(message(SAMPLE)), path, codec).await;
        let unreadable = (Code::InvalidArgument, "MESSAGE_UNREADABLE".to_owned());
        assert_eq!(refused(answer), unreadable);
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_fields_of_a_message_are_tolerated() {
    on_sqlite(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let mut client = served.settlements();
        let file = "18d_composite_case_b_with_lines";
        let mut known: Value =
            serde_json::from_str(&fixture(&format!("messages/{file}.json"))).unwrap();
        let new = json!({"deep": [{"deeper": "新字段"}, null, 1e300, "\u{0}"]});
        for part in ["", "/source", "/mdtrtinfo", "/output", "/output/setlinfo", "/feedetail/0"] {
            known.pointer_mut(part).unwrap()["a_new_field"] = new.clone();
        }
        let extended = client.submit_message(message_of(known.to_string())).await.unwrap();
        let extended = extended.into_inner().claim.unwrap();
        assert_eq!(extended.decision.as_ref().unwrap().payout_fen, 5_258_294);
        let plain = client.submit_message(message(file)).await.unwrap().into_inner();
        assert!(plain.replayed, "what is not known is no fact");
        assert_eq!(plain.claim.unwrap(), extended);
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn amounts_that_contradict_each_other_wait_for_a_person() {
    on_sqlite(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let mut client = served.settlements();
        let unbalanced = sample_with(&[("medfee_sumamt", json!("68413.36"))]);
        let claim = client.submit_message(unbalanced).await.unwrap().into_inner().claim.unwrap();
        let by_fields = pb::Settlement { total_fen: 60_000, ..stay("S-1", CERT_A, 20_000) };
        let other = client.submit_settlement(submit(by_fields)).await.unwrap();
        for claim in [claim, other.into_inner().claim.unwrap()] {
            assert_eq!(claim.state(), pb::ClaimState::Pended);
            assert_eq!(claim.next_step(), pb::NextStep::AwaitReview);
            let [reason] = &claim.review_reasons[..] else { panic!("{claim:?}") };
            assert_eq!(reason.code, "AMOUNTS_CONTRADICT");
            assert!(!reason.text_zh.is_empty() && !reason.text_en.is_empty());
            assert!(reason.evidence.iter().any(|fact| fact.key == "i1_stated_fen"), "{reason:?}");
            assert_eq!(claim.payouts, []);
        }
        served.stop().await;
    })
    .await;
}
