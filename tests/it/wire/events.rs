//! Events without a bill: recorded once, decided like any claim, and never paid unseen.

use greenlane::ledger::{ImpactBound, Mode};
use greenlane::pb;
use greenlane::server::Limits;
use tonic::Code;

use crate::serving::{CERT_A, CERT_E, Served, on_sqlite, stay, submit, told};
use crate::support::{Database, on_every_backend};
use crate::world::{enrolled, open_ledger, sample_roster};

/// A plan of fixed sums: one for a death by accident, one for a disability by its grade.
const FIXED_SUMS: &str = r#"
plan_id = "fixed-sums"
version = "2024.1"
name = "定额给付"
start_date = "2023-07-01"
period_start = "01-01"
attribution = "settlement"
payment_mode = "transfer"

[routing]
green_ceiling = "100000.00"

[[responsibilities]]
id = "accidental_death"
name = "意外身故保险金"
when = { causes = ["accident"] }
fixed_sum = { event = "death", amount = "17000.00" }

[[responsibilities]]
id = "accidental_disability"
name = "意外伤残保险金"
when = { causes = ["accident"] }
fixed_sum = { event = "disability", amount = "17000.00", grades = ["1", "0.9", "0.8"] }
"#;

/// Where the sender of these events keeps its documents: a value about a person.
const REFERENCE: &str = "archive/测试员甲/17.pdf";

fn event(event_id: &str, cert_no: &str, kind: &str) -> pb::InsuredEvent {
    pb::InsuredEvent {
        source: "370200".to_owned(),
        event_id: event_id.to_owned(),
        member: Some(pb::MemberIdentity {
            cert_no: cert_no.to_owned(),
            ..pb::MemberIdentity::default()
        }),
        kind: kind.to_owned(),
        event_date: "2024-09-11".to_owned(),
        cause: pb::Cause::Accident.into(),
        documents: vec![pb::DocumentReference {
            kind: "accident_report".to_owned(),
            reference: REFERENCE.to_owned(),
        }],
        ..pb::InsuredEvent::default()
    }
}

fn request(event: pb::InsuredEvent) -> pb::SubmitEventRequest {
    pb::SubmitEventRequest { event: Some(event), validate_only: false }
}

async fn report(served: &Served, event: pb::InsuredEvent) -> pb::SubmitEventResponse {
    served.settlements().submit_event(request(event)).await.unwrap().into_inner()
}

/// A server with the plan of fixed sums, which covers 己.
async fn with_fixed_sums(database: &Database) -> Served {
    let ledger = open_ledger(database, &[]).await;
    ledger.publish(FIXED_SUMS.to_owned(), Mode::Record, ImpactBound::NONE).await.unwrap();
    let mut person = enrolled("RJ-E", CERT_E);
    for coverage in &mut person.coverages {
        "fixed-sums".clone_into(&mut coverage.plan_id);
    }
    ledger.enrol(person, Mode::Record).await.unwrap().outcome().await.unwrap();
    Served::of(ledger, Limits::default()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_recorded_once_and_reads_as_it_was_answered() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let tried = pb::SubmitEventRequest {
            validate_only: true,
            ..request(event("E-1", CERT_A, "death"))
        };
        let tried = served.settlements().submit_event(tried).await.unwrap().into_inner();
        assert_eq!(tried.claim.unwrap().claim_id, "", "nothing is recorded");
        let first = report(&served, event("E-1", CERT_A, "death")).await;
        assert!(!first.replayed);
        let claim = first.claim.unwrap();
        assert_eq!(claim.settlement, None);
        assert!(claim.event.as_ref() == Some(&event("E-1", CERT_A, "death")));
        let again = report(&served, event("E-1", CERT_A, "death")).await;
        assert!(again.replayed);
        assert!(again.claim.unwrap() == claim);
        let read = pb::GetClaimRequest { claim_id: claim.claim_id.clone(), ..Default::default() };
        let read = served.claims().get_claim(read).await.unwrap().into_inner();
        assert!(read.claim.unwrap() == claim);
        let own = pb::ListClaimsRequest {
            source: "370200".to_owned(),
            settlement_id: "E-1".to_owned(),
            ..pb::ListClaimsRequest::default()
        };
        let list = served.claims().list_claims(own).await.unwrap().into_inner().claims;
        assert!(list == [claim.clone()]);
        let watch =
            pb::WatchClaimsRequest { include_existing: true, ..pb::WatchClaimsRequest::default() };
        let mut watch = served.claims().watch_claims(watch).await.unwrap().into_inner();
        let told = loop {
            let item = watch.message().await.unwrap().unwrap().item;
            if let Some(pb::watch_claims_response::Item::Event(told)) = item {
                break told;
            }
        };
        assert_eq!((told.settlement_id, told.claim_id), ("E-1".to_owned(), claim.claim_id));
        drop(watch);
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_no_plan_knows_is_denied() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let claim = report(&served, event("E-1", CERT_A, "shipwreck")).await.claim.unwrap();
        assert_eq!(claim.state(), pb::ClaimState::Denied);
        assert_eq!(claim.denial_reason, "SERVICE_NOT_COVERED");
        assert_eq!(claim.payouts, []);
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_a_person_without_coverage_is_denied() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &[]).await;
        let claim = report(&served, event("E-1", CERT_A, "death")).await.claim.unwrap();
        assert_eq!(claim.state(), pb::ClaimState::Denied);
        assert_eq!(claim.denial_reason, "NOT_ELIGIBLE");
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_event_under_a_known_key_is_a_conflict() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let claim = report(&served, event("E-1", CERT_A, "death")).await.claim.unwrap();
        let mut client = served.settlements();
        let changed = pb::InsuredEvent {
            event_date: "2024-09-12".to_owned(),
            ..event("E-1", CERT_A, "death")
        };
        let conflict = told(&client.submit_event(request(changed)).await.unwrap_err());
        assert_eq!(
            (conflict.code, &*conflict.reason),
            (Code::AlreadyExists, "SETTLEMENT_CONFLICT")
        );
        assert_eq!(conflict.metadata["fields"], "event.event_date");
        assert_eq!(conflict.metadata["claim_id"], claim.claim_id);
        let bill = submit(stay("E-1", CERT_A, 1_000));
        let conflict = told(&client.submit_settlement(bill).await.unwrap_err());
        assert_eq!(conflict.reason, "SETTLEMENT_CONFLICT", "a settlement never joins an event");
        let stay = submit(stay("S-1", CERT_A, 1_000));
        client.submit_settlement(stay).await.unwrap();
        let late = request(event("S-1", CERT_A, "death"));
        let conflict = told(&client.submit_event(late).await.unwrap_err());
        assert_eq!(conflict.reason, "SETTLEMENT_CONFLICT", "an event never joins a settlement");
        assert_eq!(conflict.metadata["settlement_id"], "S-1");
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_bad_fields_of_an_event_are_told_at_once() {
    on_sqlite(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let mut client = served.settlements();
        let document = |kind: &str, reference: String| pb::DocumentReference {
            kind: kind.to_owned(),
            reference,
        };
        let bad = pb::InsuredEvent {
            source: "37020".to_owned(),
            event_id: "3".repeat(31),
            member: Some(pb::MemberIdentity {
                name: format!("测试员甲{}", "甲".repeat(50)),
                ..pb::MemberIdentity::default()
            }),
            insured_region: "青岛".to_owned(),
            kind: "Death".to_owned(),
            event_date: String::new(),
            cause: 7,
            disability_grade: 11,
            circumstances: vec!["driving".to_owned(), String::new(), "a".repeat(41)],
            documents: vec![
                document("", REFERENCE.repeat(20)),
                document("accident report", String::new()),
            ],
        };
        let status = client.submit_event(request(bad)).await.unwrap_err();
        let details = String::from_utf8_lossy(status.details()).into_owned();
        for personal in ["测试员甲", "archive"] {
            assert!(!format!("{status:?} {details}").contains(personal), "{status:?}");
        }
        let told = told(&status);
        assert_eq!((told.code, &*told.reason), (Code::InvalidArgument, "INVALID_FIELD"));
        let mut violations = told.violations;
        violations.sort();
        assert_eq!(
            violations,
            [
                "event.cause must be a known cause, or CAUSE_UNSPECIFIED",
                "event.circumstances[1] is required",
                "event.circumstances[2] must be at most 40 of a-z, 0-9 and _",
                "event.disability_grade must be 1 to 10, or 0 where there is none",
                "event.documents[0].kind is required",
                "event.documents[0].reference must be at most 200 characters",
                "event.documents[1].kind must be at most 40 of a-z, 0-9 and _",
                "event.documents[1].reference is required",
                "event.event_date is required",
                "event.event_id must be at most 30 characters",
                "event.insured_region must be a region of six digits",
                "event.kind must be at most 40 of a-z, 0-9 and _",
                "event.member must have a cert_no, a card_no or a psn_no",
                "event.member.name must be at most 50 characters",
                "event.source must be a region of six digits",
            ]
        );
        let missing = pb::SubmitEventRequest::default();
        let told = self::told(&client.submit_event(missing).await.unwrap_err());
        assert_eq!(told.violations, ["event is required"]);
        let many = pb::InsuredEvent {
            circumstances: vec!["driving".to_owned(); 11],
            documents: Vec::new(),
            ..event("E-1", CERT_A, "death")
        };
        let told = self::told(&client.submit_event(request(many)).await.unwrap_err());
        let mut violations = told.violations;
        violations.sort();
        assert_eq!(
            violations,
            ["event.circumstances must have at most 10 entries", "event.documents is required"]
        );
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fixed_sum_always_waits_for_a_person() {
    on_every_backend(async |database| {
        let served = with_fixed_sums(&database).await;
        let cases = [("death", 0, 1_700_000), ("disability", 2, 1_530_000)];
        for (kind, disability_grade, sum) in cases {
            let event =
                pb::InsuredEvent { disability_grade, ..event(&format!("E-{kind}"), CERT_E, kind) };
            let claim = report(&served, event).await.claim.unwrap();
            assert_eq!((claim.state(), claim.route()), (pb::ClaimState::Pended, pb::Route::Review));
            assert_eq!(claim.review_reasons[0].code, "EVENT_REPORTED");
            assert_eq!(claim.next_step(), pb::NextStep::AwaitReview);
            assert_eq!(claim.payouts, []);
            let decision = claim.decision.unwrap();
            let figures = [decision.payout_fen, decision.fixed_benefit_fen, decision.indemnity_fen];
            assert_eq!(figures, [sum, sum, 0]);
            assert_eq!((decision.burden_fen, decision.patient_share_fen), (0, 0));
            assert_eq!(decision.adjustments, []);
        }
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disability_without_its_grade_is_incomplete_until_it_is_reported_again_with_it() {
    on_every_backend(async |database| {
        let served = with_fixed_sums(&database).await;
        let claim = report(&served, event("E-1", CERT_E, "disability")).await.claim.unwrap();
        assert_eq!(claim.state(), pb::ClaimState::Incomplete);
        assert_eq!(claim.next_step(), pb::NextStep::SendMissingFacts);
        let [reason] = &claim.review_reasons[..] else { panic!("{claim:?}") };
        assert_eq!(reason.code, "FACT_MISSING");
        assert_eq!(reason.evidence[0].value, "disability_grade");
        assert_eq!(claim.decision, None);
        let graded = pb::InsuredEvent { disability_grade: 2, ..event("E-1", CERT_E, "disability") };
        let completed = report(&served, graded).await;
        assert!(!completed.replayed);
        let completed = completed.claim.unwrap();
        assert_eq!(completed.claim_id, claim.claim_id);
        assert_eq!(completed.state(), pb::ClaimState::Pended);
        assert_eq!(completed.decision.unwrap().payout_fen, 1_530_000);
        served.stop().await;
    })
    .await;
}
