//! No personal value in any error and in any log line, however much is logged.

use std::time::Duration;

use greenlane::pb;
use greenlane::pb::member_service_client::MemberServiceClient;
use greenlane::pb::plan_service_client::PlanServiceClient;
use greenlane::pb::review_service_client::ReviewServiceClient;
use tonic::Status;

use super::desk::{answer, approve_amount, ask, by, comment, deny};
use crate::process::Process;
use crate::serving::{connect, message, message_of, stay, submit};
use crate::support::on_every_backend;
use crate::world::{fixture, shipped_plan};

/// Names, certificates, person numbers, accounts, diagnoses and items of everything sent here.
const PERSONAL: [&str; 12] = [
    "测试员",
    "370299194903120017",
    "370299196008050031",
    "370299195211200029",
    "370299194801010036",
    "370299195001010016",
    "3702009990000000000",
    "6200000000000000",
    "心力衰竭",
    "I50.9",
    "主动脉",
    "陪护床",
];

#[track_caller]
fn assert_nothing_personal(what: &str, text: &str) {
    for value in PERSONAL {
        if let Some(at) = text.find(value) {
            let line = text[..at].matches('\n').count();
            panic!("{what} tells {value}: {}", text.lines().nth(line).unwrap_or_default());
        }
    }
}

fn assert_clean(status: &Status) {
    let details = String::from_utf8_lossy(status.details()).into_owned();
    assert_nothing_personal("an error", &format!("{status:?} {} {details}", status.message()));
}

const SAMPLES: [&str; 15] = [
    "01_2304_case_a_stay1",
    "02_2304_case_a_stay2",
    "03_2304_case_a_stay3",
    "04_2304_case_b",
    "05a_2304_original_to_be_reversed",
    "05b_2305_reversal_negative_amounts",
    "06_5203_cross_region",
    "09_2304_error_response",
    "17_2304_duplicate_resend_of_02",
    "18_composite_ingest_case_a_stay1",
    "18b_composite_case_a_stay2",
    "18c_composite_case_a_stay3",
    "18d_composite_case_b_with_lines",
    "20_2304_person_without_coverage",
    "21_2304_above_green_ceiling",
];

/// Samples made wrong in ways that bring the wrong value close to an error text.
fn spoilt() -> Vec<String> {
    let sample = fixture("messages/18d_composite_case_b_with_lines.json");
    let swap = |from: &str, to: &str| {
        assert!(sample.contains(from), "{from}");
        sample.replace(from, to)
    };
    vec![
        swap("\"psn_name\": \"测试员乙\"", "\"psn_name\": \"测试员乙\\u0000\""),
        swap("\"certno\": \"370299196008050031\"", "\"certno\": [\"370299196008050031\"]"),
        swap("\"psn_part_amt\": 57703.94", "\"psn_part_amt\": \"测试员乙\""),
        swap("2024-10-19 11:20:33", "370299196008050031"),
        swap("\"infno\": \"2304\"", "\"infno\": \"370299196008050031\""),
        swap("\"record_type\": \"original\"", "\"record_type\": \"测试员乙\""),
        swap("\"certno\": \"370299196008050031\"", "\"certno\": \"370299194903120017\""),
        swap("\"medfee_sumamt\": 168320.75", "\"medfee_sumamt\": 168321.75"),
        sample.chars().take(sample.chars().count() / 2).collect(),
        sample.replace(": ", " "),
        "\"370299196008050031\"".to_owned(),
    ]
}

async fn send_messages(process: &Process) -> usize {
    let mut client = process.settlements().await;
    let mut errors = 0;
    let mut check = |answer: Result<_, Status>| {
        if let Err(status) = answer {
            assert_clean(&status);
            errors += 1;
        }
    };
    for _ in 0..2 {
        for file in SAMPLES {
            let infno = String::new();
            let own_infno = pb::SubmitMessageRequest { infno, ..message(file) };
            check(client.submit_message(message(file)).await);
            check(client.submit_message(own_infno).await);
        }
        for payload in spoilt() {
            check(client.submit_message(message_of(payload)).await);
        }
    }
    let odd_infno = pb::SubmitMessageRequest {
        infno: "3702991".to_owned(),
        request_payload: "测试员乙".into(),
        ..message(SAMPLES[0])
    };
    check(client.submit_message(odd_infno).await);
    let mut bad = stay("370200G0000008800001", "370299194903120017", 1);
    bad.member.as_mut().unwrap().psn_no.push_str("37020099900000000001\0");
    let conflict = stay("370200G0000008800001", "370299194903120017", 1);
    for settlement in [bad, conflict] {
        assert_clean(&client.submit_settlement(submit(settlement)).await.unwrap_err());
    }
    errors
}

async fn send_roster(process: &Process) {
    let mut members = MemberServiceClient::new(connect(&process.address).await);
    let row = |external_id: &str, cert_no: &str, account_no: &str| pb::Member {
        external_id: external_id.to_owned(),
        cert_no: cert_no.to_owned(),
        name: "测试员甲".to_owned(),
        coverages: vec![pb::Coverage {
            plan_id: "qingdao-rongjun".to_owned(),
            start_date: "2024-01-01".to_owned(),
            end_date: String::new(),
        }],
        payee: Some(pb::Payee {
            kind: pb::PayeeKind::Member.into(),
            account_name: "测试员甲".to_owned(),
            account_no: account_no.to_owned(),
            bank_code: String::new(),
        }),
        ..pb::Member::default()
    };
    let rows = [
        row("RJ-1", "370299194903120017", "6200000000000000001"),
        row("RJ-2", "370299196008050031", "6200000000000000002"),
        row("RJ-1", "370299196008050031", "6200000000000000001"),
        row("RJ-3", "370299194801010036", &"6200000000000000003".repeat(3)),
        row("RJ-4", "370299194801010036\0", "6200000000000000004"),
    ];
    let rows =
        rows.map(|member| pb::ImportMembersRequest { member: Some(member), ..Default::default() });
    let answer = members.import_members(tokio_stream::iter(rows)).await.unwrap().into_inner();
    assert_eq!(answer.refused.len(), 3);
    assert_nothing_personal("a refusal", &format!("{answer:?}"));
    let cert_no = "370299195001010016".to_owned();
    let identity = pb::Identity { cert_no, ..pb::Identity::default() };
    for region in ["", "370299195001010016"] {
        let identity = pb::Identity { region: region.to_owned(), ..identity.clone() };
        let selector = Some(pb::get_member_request::Selector::Identity(identity));
        let request = pb::GetMemberRequest { selector };
        assert_clean(&members.get_member(request).await.unwrap_err());
    }
}

/// Words of reviewers about persons, in acts that are carried out, and in ones that are refused.
async fn review(process: &Process) {
    let mut settlements = process.settlements().await;
    let mut reviews = ReviewServiceClient::new(connect(&process.address).await);
    let much = stay("much", "370299196008050031", 12_000_000);
    let claim = settlements.submit_settlement(submit(much)).await.unwrap().into_inner().claim;
    let claim = claim.unwrap();
    assert_eq!(claim.state(), pb::ClaimState::Pended);
    let request = pb::RequestInformationRequest {
        note: "请测试员乙补充".into(),
        items: vec!["心力衰竭的出院小结".into()],
        ..ask(&claim)
    };
    let asked = reviews.request_information(by("adjuster-7", request)).await.unwrap();
    let asked = asked.into_inner().claim.unwrap();
    let note = "测试员乙本人答复".to_owned();
    let documents = vec!["oss://claims/测试员乙.pdf".to_owned()];
    let request = pb::ProvideInformationRequest { note, documents, ..answer(&asked) };
    reviews.provide_information(by("hospital", request)).await.unwrap();
    // All that follows comes too late, or is wrong.
    let note = "测试员乙".to_owned();
    let request = pb::ApproveClaimRequest { note, ..approve_amount(&claim, 1) };
    assert_clean(&reviews.approve_claim(by("adjuster-7", request)).await.unwrap_err());
    let request = pb::DenyClaimRequest { reason_code: "心力衰竭".into(), ..deny(&claim) };
    assert_clean(&reviews.deny_claim(by("adjuster-7", request)).await.unwrap_err());
    let request = pb::CommentClaimRequest { note: "测试员乙\u{0}".into(), ..comment(&claim) };
    assert_clean(&reviews.comment_claim(by("adjuster-7", request)).await.unwrap_err());
    let claim_id = "370299196008050031".to_owned();
    let request = pb::CommentClaimRequest { claim_id, ..comment(&claim) };
    assert_clean(&reviews.comment_claim(by("adjuster-7", request)).await.unwrap_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_error_and_no_log_line_tells_who_it_is_about() {
    on_every_backend(async |database| {
        let process = Process::start(&database, &["--log", "trace"]).await;
        let mut plans = PlanServiceClient::new(connect(&process.address).await);
        let document = shipped_plan();
        plans
            .publish_plan(pb::PublishPlanRequest {
                document,
                validate_only: false,
                confirm_impact: false,
            })
            .await
            .unwrap();
        send_roster(&process).await;
        let errors = send_messages(&process).await;
        assert!(errors > 20, "the bad samples are refused: {errors}");
        review(&process).await;
        drop(plans);
        process.terminate().await;
        let (status, log) = process.ended_within(Duration::from_secs(10)).await;
        assert!(status.success());
        assert!(log.contains("TRACE") && log.contains("SubmitMessage"), "it logs indeed");
        assert!(log.contains("ProvideInformation"), "of the desk too");
        assert_nothing_personal("the log", &log);
    })
    .await;
}
