//! The roster over the wire, and what a person is entitled to.

use greenlane::pb;
use greenlane::pb::ErrorReason as R;
use tonic::Code;

use crate::serving::{CERT_A, CERT_E, Served, message, refused, stay, submit};
use crate::support::on_every_backend;
use crate::world::sample_roster;

fn row(external_id: &str, cert_no: &str) -> pb::Member {
    pb::Member {
        external_id: external_id.to_owned(),
        cert_no: cert_no.to_owned(),
        name: "测试员".to_owned(),
        coverages: vec![coverage("2024-01-01", "2024-12-31")],
        payee: Some(pb::Payee {
            kind: pb::PayeeKind::Member.into(),
            account_name: "测试员".to_owned(),
            account_no: "6200000000000000001".to_owned(),
            bank_code: String::new(),
        }),
        ..pb::Member::default()
    }
}

fn coverage(start: &str, end: &str) -> pb::Coverage {
    pb::Coverage {
        plan_id: "qingdao-rongjun".to_owned(),
        start_date: start.to_owned(),
        end_date: end.to_owned(),
    }
}

async fn import(served: &Served, rows: Vec<pb::Member>) -> pb::ImportMembersResponse {
    let rows = rows
        .into_iter()
        .map(|member| pb::ImportMembersRequest { member: Some(member), ..Default::default() });
    let rows: Vec<_> = rows.collect();
    served.members().import_members(tokio_stream::iter(rows)).await.unwrap().into_inner()
}

fn counts(answer: &pb::ImportMembersResponse) -> [i64; 3] {
    [answer.created_count, answer.changed_count, answer.unchanged_count]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_counts_what_it_did_and_names_what_it_refused() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &[]).await;
        let many: Vec<_> =
            (0..300).map(|n| row(&format!("R-{n}"), &crate::serving::cert(n))).collect();
        assert_eq!(counts(&import(&served, many.clone()).await), [300, 0, 0]);
        assert_eq!(counts(&import(&served, many).await), [0, 0, 300]);
        let renamed =
            pb::Member { name: "改名".to_owned(), ..row("R-0", &crate::serving::cert(0)) };
        let overlapping = pb::Member {
            coverages: vec![coverage("2024-01-01", ""), coverage("2024-07-01", "")],
            ..row("R-301", &crate::serving::cert(301))
        };
        let unknown_plan = pb::Member {
            coverages: vec![pb::Coverage {
                plan_id: "other".to_owned(),
                ..coverage("2024-01-01", "")
            }],
            ..row("R-302", &crate::serving::cert(302))
        };
        let bad = pb::Member {
            name: String::new(),
            coverages: vec![coverage("2024-13-01", "")],
            ..row("R-303", "3702\0")
        };
        // R-1's key with the certificate of R-2.
        let other_person = row("R-1", &crate::serving::cert(2));
        let rows = vec![
            renamed,
            overlapping,
            unknown_plan,
            bad,
            other_person,
            row("R-400", &crate::serving::cert(400)),
        ];
        let answer = import(&served, rows).await;
        assert_eq!(counts(&answer), [1, 1, 0]);
        let refused: Vec<_> = answer
            .refused
            .iter()
            .map(|it| {
                let refusal = it.refusal.as_ref().unwrap();
                let code = Code::from(refusal.code);
                (it.index, &*it.external_id, code, refusal.reason())
            })
            .collect();
        assert_eq!(
            refused,
            [
                (1, "R-301", Code::FailedPrecondition, R::CoverageOverlap),
                (2, "R-302", Code::NotFound, R::PlanNotFound),
                (3, "R-303", Code::InvalidArgument, R::InvalidField),
                (4, "R-1", Code::AlreadyExists, R::IdentityConflict),
            ]
        );
        let invalid = answer.refused[2].refusal.as_ref().unwrap();
        let fields: Vec<_> = invalid.field_violations.iter().map(|it| &*it.field).collect();
        let expected = ["member.cert_no", "member.name", "member.coverages[0].start_date"];
        assert_eq!(fields, expected);
        let selector = pb::get_member_request::Selector::ExternalId("R-0".to_owned());
        let request = pb::GetMemberRequest { selector: Some(selector) };
        let member = served.members().get_member(request).await.unwrap().into_inner().member;
        assert_eq!(member.unwrap().name, "改名");
        served.stop().await;
    })
    .await;
}

async fn eligible(served: &Served, cert_no: &str, date: &str) -> pb::CheckEligibilityResponse {
    let identity = pb::Identity { cert_no: cert_no.to_owned(), ..pb::Identity::default() };
    let request = pb::CheckEligibilityRequest {
        selector: Some(pb::check_eligibility_request::Selector::Identity(identity)),
        plan_id: "qingdao-rongjun".to_owned(),
        date: date.to_owned(),
    };
    served.members().check_eligibility(request).await.unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn eligibility_is_that_of_the_day() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &[]).await;
        import(&served, vec![row("R-1", CERT_A)]).await;
        for (date, is_eligible, reason) in [
            ("2023-12-31", false, "BEFORE_COVERAGE"),
            ("2024-01-01", true, ""),
            ("2024-12-31", true, ""),
            ("2025-01-01", false, "AFTER_COVERAGE"),
        ] {
            let answer = eligible(&served, CERT_A, date).await;
            assert_eq!((answer.eligible, &*answer.reason_code), (is_eligible, reason), "{date}");
            assert!(!answer.member_id.is_empty());
            assert!(!answer.text_zh.is_empty() && !answer.text_en.is_empty());
            assert_eq!(answer.coverages.len(), usize::from(is_eligible), "{date}");
        }
        let unknown = eligible(&served, CERT_E, "2024-06-01").await;
        assert_eq!((unknown.eligible, &*unknown.reason_code), (false, "NOT_ELIGIBLE"));
        assert_eq!(unknown.member_id, "");
        let nobody = pb::CheckEligibilityRequest::default();
        let invalid = (Code::InvalidArgument, "INVALID_FIELD".to_owned());
        assert_eq!(refused(served.members().check_eligibility(nobody).await), invalid);
        served.stop().await;
    })
    .await;
}

async fn balance(served: &Served, date: &str) -> Vec<pb::Balance> {
    let identity = pb::Identity {
        psn_no: "37020099900000000001".to_owned(),
        region: "370200".to_owned(),
        ..pb::Identity::default()
    };
    let request = pb::GetBalanceRequest {
        selector: Some(pb::get_balance_request::Selector::Identity(identity)),
        date: date.to_owned(),
        ..pb::GetBalanceRequest::default()
    };
    served.members().get_balance(request).await.unwrap().into_inner().balances
}

#[tokio::test(flavor = "multi_thread")]
async fn a_balance_is_what_the_claims_of_the_year_left() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        for file in ["01_2304_case_a_stay1", "02_2304_case_a_stay2"] {
            served.settlements().submit_message(message(file)).await.unwrap();
        }
        let balances = balance(&served, "2024-12-31").await;
        let [balance_2024] = &balances[..] else { panic!("{balances:?}") };
        assert_eq!(balance_2024.period_start, "2024-01-01");
        assert_eq!(balance_2024.period_end, "2024-12-31");
        let deductible = balance_2024.deductible.unwrap();
        assert_eq!((deductible.used_fen, deductible.left_fen), (500_000, Some(0)));
        let paid = balance_2024.paid.unwrap();
        assert_eq!((paid.limit_fen, paid.used_fen), (Some(30_000_000), 8_039_442));
        assert_eq!(paid.left_fen, Some(30_000_000 - 8_039_442));
        let fresh = &balance(&served, "2025-01-01").await[0];
        assert_eq!(fresh.paid.unwrap().used_fen, 0, "another year begins anew");
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_enrolled_later_has_the_denied_claim_approved() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &[]).await;
        let request = message("20_2304_person_without_coverage");
        let answer = served.settlements().submit_message(request.clone()).await.unwrap();
        let denied = answer.into_inner().claim.unwrap();
        assert_eq!(denied.state(), pb::ClaimState::Denied);
        assert_eq!(denied.denial_reason, "NOT_ELIGIBLE");
        assert_eq!(denied.next_step(), pb::NextStep::CollectWholeBurden);
        assert_eq!(counts(&import(&served, vec![row("RJ-5", CERT_E)]).await), [1, 0, 0]);
        let id = pb::GetClaimRequest { claim_id: denied.claim_id.clone(), ..Default::default() };
        let claim = served.claims().get_claim(id).await.unwrap().into_inner().claim.unwrap();
        assert_eq!(claim.state(), pb::ClaimState::Approved);
        assert_eq!(claim.member_id, denied.member_id, "the home it had from the first");
        assert_eq!(claim.decision.as_ref().unwrap().payout_fen, 3_220_718);
        assert_ne!(claim.revision, denied.revision);
        let again = served.settlements().submit_message(request).await.unwrap().into_inner();
        assert_eq!((again.replayed, again.claim), (true, Some(claim)));
        let later = submit(stay("S-1", CERT_E, 1_000));
        let later = served.settlements().submit_settlement(later).await.unwrap().into_inner();
        let payout = later.claim.unwrap().decision.unwrap().payout_fen;
        assert_eq!(payout, 1_000, "the deductible was taken once");
        served.stop().await;
    })
    .await;
}
