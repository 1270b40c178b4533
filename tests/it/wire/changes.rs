//! What a call changes besides: the member's later claims, told one by one, and large changes, which
//! ask first.

use greenlane::ledger::{ImpactBound, Mode};
use greenlane::pb;
use greenlane::pb::ClaimState as State;
use greenlane::server::Limits;
use tonic::{Code, Status};

use super::desk::{changed, claim_of, payout_of, pended, read, read_of, reversal};
use crate::serving::{CERT_A, Served, cert, persons, stay, submit, told};
use crate::support::{Database, on_every_backend};
use crate::world::{enrolled, open_ledger, shipped_plan, start_ledger};

/// The same change as if it were only tried: it has no place and no time.
fn unrecorded(event: &pb::ClaimEvent) -> pb::ClaimEvent {
    let payout = |it: &pb::Payout| pb::Payout {
        payout_id: String::new(),
        offset_payout_id: String::new(),
        create_time: None,
        ..it.clone()
    };
    pb::ClaimEvent {
        revision: String::new(),
        event_time: None,
        payouts: event.payouts.iter().map(payout).collect(),
        ..event.clone()
    }
}

#[track_caller]
fn assert_tried(tried: &[pb::ClaimEvent], recorded: &[pb::ClaimEvent]) {
    let as_tried: Vec<pb::ClaimEvent> = recorded.iter().map(unrecorded).collect();
    assert_eq!(tried, as_tried);
    assert!(recorded.iter().all(|it| !it.revision.is_empty() && it.event_time.is_some()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reversal_tells_which_later_claims_it_changed() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &persons(2)).await;
        let a = claim_of(&served, stay("a", &cert(0), 600_000)).await;
        let b = claim_of(&served, stay("b", &cert(0), 300_000)).await;
        claim_of(&served, stay("c", &cert(0), 900_000)).await;
        let bystander = claim_of(&served, stay("z", &cert(1), 600_000)).await;
        let mut client = served.settlements();
        let request = reversal(a.settlement.as_ref().unwrap());
        let tried = pb::ReverseSettlementRequest { validate_only: true, ..request.clone() };
        let tried = client.reverse_settlement(tried).await.unwrap().into_inner().changes;
        assert_eq!(read_of(&served, "b").await, b, "nothing was recorded");
        let answer = client.reverse_settlement(request.clone()).await.unwrap().into_inner();
        assert_eq!(changed(&answer.changes), [("b", 300_000, 0), ("c", 900_000, 700_000)]);
        assert_tried(&tried, &answer.changes);
        for change in &answer.changes {
            assert_eq!(change.trigger(), pb::ClaimEventTrigger::Claim);
            assert_eq!(change.trigger_claim_id, a.claim_id);
            assert_eq!(change.cause(), pb::ClaimEventCause::Redecided);
            assert_eq!(change.member_id, a.member_id);
            let stands = read(&served, &change.claim_id).await;
            assert_eq!(stands.revision, change.revision);
            assert_eq!(Some(payout_of(&stands)), change.payout_fen);
        }
        assert_eq!(read(&served, &bystander.claim_id).await, bystander);
        let again = client.reverse_settlement(request).await.unwrap().into_inner();
        assert_eq!((again.replayed, again.changes), (true, vec![]));
        served.stop().await;
        crate::audit::audit(&database).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fact_that_comes_later_tells_which_claims_it_changed() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &persons(1)).await;
        let whole = stay("a", &cert(0), 400_000);
        let brief =
            pb::Settlement { personal_total_fen: None, fund_total_fen: None, ..whole.clone() };
        let incomplete = claim_of(&served, brief).await;
        assert_eq!(incomplete.state(), State::Incomplete);
        claim_of(&served, stay("b", &cert(0), 600_000)).await;
        let mut client = served.settlements();
        let request = submit(whole);
        let tried = pb::SubmitSettlementRequest { validate_only: true, ..request.clone() };
        let tried = client.submit_settlement(tried).await.unwrap().into_inner();
        let answer = client.submit_settlement(request).await.unwrap().into_inner();
        assert_eq!(changed(&answer.changes), [("b", 100_000, 500_000)]);
        assert_tried(&tried.changes, &answer.changes);
        assert_eq!(answer.changes[0].trigger_claim_id, incomplete.claim_id);
        assert!(!answer.replayed);

        let late = pb::SupplementSettlementRequest {
            settlement: Some(pb::Settlement {
                source: "370200".into(),
                settlement_id: "a".into(),
                late_payments: vec![pb::LatePayment {
                    payment_id: "YLJZ-1".into(),
                    fund_code: "610100".into(),
                    amount_fen: 150_000,
                }],
                ..pb::Settlement::default()
            }),
            validate_only: false,
        };
        let answer = client.supplement_settlement(late.clone()).await.unwrap().into_inner();
        assert_eq!(changed(&answer.changes), [("b", 500_000, 350_000)]);
        let decision = answer.claim.unwrap().decision.unwrap();
        assert_eq!((decision.burden_fen, decision.payout_fen), (250_000, 0));
        let again = client.supplement_settlement(late).await.unwrap().into_inner();
        assert_eq!((again.replayed, again.changes), (true, vec![]));
        served.stop().await;
        crate::audit::audit(&database).await;
    })
    .await;
}

/// A plan that pays for one class only.
fn class_plan() -> String {
    let plan = shipped_plan().replace("plan_id = \"qingdao-rongjun\"", "plan_id = \"one-class\"");
    let when = "when = { medical_categories = [";
    assert!(plan.contains(when));
    plan.replace(when, "when = { classes = [{ class = \"disabled\" }], medical_categories = [")
}

fn member(n: usize, class_code: &str, since: &str) -> pb::Member {
    pb::Member {
        external_id: format!("P-{n}"),
        cert_no: cert(n),
        name: "测试员".to_owned(),
        classes: vec![pb::MemberClass {
            class_code: class_code.to_owned(),
            start_date: since.to_owned(),
            ..pb::MemberClass::default()
        }],
        coverages: vec![pb::Coverage {
            plan_id: "one-class".to_owned(),
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
    }
}

async fn import(
    served: &Served,
    rows: impl IntoIterator<Item = pb::Member>,
    first: pb::ImportMembersRequest,
) -> Result<pb::ImportMembersResponse, Status> {
    let rows = rows.into_iter().enumerate().map(|(n, member)| {
        let first = if n == 0 { first.clone() } else { pb::ImportMembersRequest::default() };
        pb::ImportMembersRequest { member: Some(member), ..first }
    });
    let rows: Vec<_> = rows.collect();
    Ok(served.members().import_members(tokio_stream::iter(rows)).await?.into_inner())
}

const MEMBERS: usize = 3;

/// A server whose plan pays for one class, with a claim of 50,000.00 for each of its members.
async fn with_classes(database: &Database) -> (Served, Vec<pb::Claim>) {
    let ledger = open_ledger(database, &[]).await;
    ledger.publish(class_plan(), Mode::Record, ImpactBound::NONE).await.unwrap();
    let served = Served::of(ledger, Limits::default()).await;
    let rows = (0..MEMBERS).map(|n| member(n, "disabled", "2020-01-01"));
    let answer = import(&served, rows, pb::ImportMembersRequest::default()).await.unwrap();
    assert_eq!((answer.created_count, answer.impact), (3, Some(pb::Impact::default())));
    let mut claims = Vec::new();
    for n in 0..MEMBERS {
        let claim = claim_of(&served, stay(&format!("S-{n}"), &cert(n), 5_500_000)).await;
        assert_eq!((claim.state(), payout_of(&claim)), (State::Approved, 5_000_000));
        claims.push(claim);
    }
    (served, claims)
}

async fn as_they_stand(served: &Served, claims: &[pb::Claim]) -> Vec<pb::Claim> {
    let mut found = Vec::new();
    for claim in claims {
        found.push(read(served, &claim.claim_id).await);
    }
    found
}

/// A file without the column of classes must not take 150,000.00 back unasked.
#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_changes_much_asks_first() {
    on_every_backend(async |database| {
        let (served, claims) = with_classes(&database).await;
        let rows = || (0..MEMBERS).map(|n| member(n, "", "2024-01-01"));
        let error = import(&served, rows(), pb::ImportMembersRequest::default()).await.unwrap_err();
        let refusal = told(&error);
        assert_eq!(
            (refusal.code, &*refusal.reason),
            (Code::FailedPrecondition, "IMPACT_UNCONFIRMED")
        );
        assert!(refusal.has_precondition);
        for (key, value) in [
            ("claim_count", "3"),
            ("member_count", "3"),
            ("increase_fen", "0"),
            ("decrease_fen", "15000000"),
        ] {
            assert_eq!(refusal.metadata[key], value, "{key}");
        }
        assert_eq!(as_they_stand(&served, &claims).await, claims);

        let try_only = pb::ImportMembersRequest { validate_only: true, ..Default::default() };
        let tried = import(&served, rows(), try_only).await.unwrap();
        let expected = pb::Impact {
            claim_count: 3,
            member_count: 3,
            increase_fen: 0,
            decrease_fen: 15_000_000,
        };
        assert_eq!((tried.changed_count, tried.impact), (3, Some(expected)));
        assert_eq!(as_they_stand(&served, &claims).await, claims, "only tried");
        let of_one = import(&served, rows().take(1), try_default()).await.unwrap();
        assert_eq!(changed(&of_one.changes), [("S-0", 5_000_000, 0)], "50,000.00 ask nobody");

        let confirmed = pb::ImportMembersRequest { confirm_impact: true, ..Default::default() };
        let done = import(&served, rows(), confirmed).await.unwrap();
        assert_eq!((done.changed_count, done.unchanged_count), (2, 1));
        assert_eq!(changed(&done.changes), [("S-1", 5_000_000, 0), ("S-2", 5_000_000, 0)]);
        assert_tried(&tried.changes[1..], &done.changes);
        for (change, claim) in done.changes.iter().zip(&claims[1..]) {
            assert_eq!(change.trigger(), pb::ClaimEventTrigger::Roster);
            assert_eq!(change.trigger_claim_id, "");
            let stands = read(&served, &claim.claim_id).await;
            assert_eq!(stands.revision, change.revision);
            assert_eq!(stands.state(), State::Pended, "no machine takes back what stood");
            assert_eq!(change.review_reason_codes, ["DECISION_WITHDRAWN"]);
        }
        served.stop().await;
        crate::audit::audit(&database).await;
    })
    .await;
}

fn try_default() -> pb::ImportMembersRequest {
    pb::ImportMembersRequest::default()
}

fn version(name: &str, start_date: &str) -> String {
    shipped_plan()
        .replace("version = \"2023.1\"", &format!("version = \"{name}\""))
        .replace("start_date = \"2023-07-01\"", &format!("start_date = \"{start_date}\""))
}

fn publish(document: String) -> pb::PublishPlanRequest {
    pb::PublishPlanRequest { document, ..pb::PublishPlanRequest::default() }
}

/// A stay before the shipped plan was in force.
fn early(id: &str, cert_no: &str, burden_fen: i64) -> pb::Settlement {
    // 2023-05-02.
    let settle_time = Some(prost_types::Timestamp { seconds: 1_683_000_000, nanos: 0 });
    pb::Settlement { settle_time, ..stay(id, cert_no, burden_fen) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_version_decides_what_was_denied_for_the_want_of_it() {
    on_every_backend(async |database| {
        let ledger = start_ledger(&database).await;
        ledger.publish(shipped_plan(), Mode::Record, ImpactBound::NONE).await.unwrap();
        for n in 0..MEMBERS {
            let mut person = enrolled(&format!("P-{n}"), &cert(n));
            person.coverages[0].span.start =
                greenlane::core::day::Day::parse("2020-01-01").unwrap();
            ledger.enrol(person, Mode::Record).await.unwrap().outcome().await.unwrap();
        }
        ledger.enrol(enrolled("A", CERT_A), Mode::Record).await.unwrap().outcome().await.unwrap();
        let served = Served::of(ledger, Limits::default()).await;
        let mut denied = Vec::new();
        for n in 0..MEMBERS {
            let claim = claim_of(&served, early(&format!("S-{n}"), &cert(n), 5_500_000)).await;
            assert_eq!(
                (claim.state(), &*claim.denial_reason),
                (State::Denied, "PLAN_NOT_IN_FORCE")
            );
            denied.push(claim);
        }
        let never = claim_of(&served, early("A", CERT_A, 5_500_000)).await;
        assert_eq!(never.denial_reason, "BEFORE_COVERAGE");
        let later = claim_of(&served, stay("later", &cert(0), 600_000)).await;

        let mut plans = served.plans();
        let asked = publish(version("2022.1", "2022-01-01"));
        let refusal = told(&plans.publish_plan(asked.clone()).await.unwrap_err());
        assert_eq!(
            (refusal.code, &*refusal.reason),
            (Code::FailedPrecondition, "IMPACT_UNCONFIRMED")
        );
        assert_eq!(refusal.metadata["claim_count"], "3");
        assert_eq!(refusal.metadata["increase_fen"], "15000000");
        assert_eq!(as_they_stand(&served, &denied).await, denied);
        let tried = pb::PublishPlanRequest { validate_only: true, ..asked.clone() };
        let tried = plans.publish_plan(tried).await.unwrap().into_inner();
        let expected = pb::Impact {
            claim_count: 3,
            member_count: 3,
            increase_fen: 15_000_000,
            decrease_fen: 0,
        };
        assert_eq!(tried.impact, Some(expected));
        assert_eq!(as_they_stand(&served, &denied).await, denied, "only tried");
        let list = plans.list_plans(pb::ListPlansRequest::default()).await.unwrap().into_inner();
        assert_eq!(list.plans.len(), 1);

        let confirmed = pb::PublishPlanRequest { confirm_impact: true, ..asked };
        let done = plans.publish_plan(confirmed.clone()).await.unwrap().into_inner();
        assert_eq!((done.impact, done.unchanged), (Some(expected), false));
        assert_tried(&tried.changes, &done.changes);
        for change in &done.changes {
            assert_eq!(change.trigger(), pb::ClaimEventTrigger::Plan);
            assert_eq!((change.payout_before_fen, change.payout_fen), (Some(0), Some(5_000_000)));
            let claim = read(&served, &change.claim_id).await;
            assert_eq!((claim.state(), &*claim.plan_version), (State::Approved, "2022.1"));
            assert_eq!(claim.revision, change.revision);
        }
        assert_eq!(read(&served, &later.claim_id).await, later, "another year");
        assert_eq!(read(&served, &never.claim_id).await, never);
        let again = plans.publish_plan(confirmed).await.unwrap().into_inner();
        assert_eq!((again.unchanged, again.changes), (true, vec![]));
        let small = publish(version("2021.1", "2021-01-01"));
        let small = plans.publish_plan(small).await.unwrap().into_inner();
        assert_eq!(small.impact, Some(pb::Impact::default()));
        served.stop().await;
        crate::audit::audit(&database).await;
    })
    .await;
}

/// Nothing is owed twice: what comes back is taken from what is due.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_owed_is_set_off_against_what_is_due_where_the_plan_says_so() {
    on_every_backend(async |database| {
        let plan = shipped_plan()
            .replace("plan_id = \"qingdao-rongjun\"", "plan_id = \"sets-off\"")
            .replace("required_facts = []", "recovery = \"offset\"\nrequired_facts = []");
        let ledger = open_ledger(&database, &[]).await;
        ledger.publish(plan, Mode::Record, ImpactBound::NONE).await.unwrap();
        let mut person = enrolled("A", CERT_A);
        person.coverages[0].plan_id = "sets-off".into();
        ledger.enrol(person, Mode::Record).await.unwrap().outcome().await.unwrap();
        let served = Served::of(ledger, Limits::default()).await;
        let a = claim_of(&served, stay("a", CERT_A, 1_500_000)).await;
        assert_eq!(payout_of(&a), 1_000_000);
        // Nothing sends yet.
        database.execute("update payout set state = 'SENT'").await;
        let request = reversal(a.settlement.as_ref().unwrap());
        served.settlements().reverse_settlement(request).await.unwrap();
        let a = read(&served, &a.claim_id).await;
        let recovery = a.payouts.last().unwrap();
        assert_eq!((recovery.kind(), recovery.amount_fen), (pb::PayoutKind::Recovery, 1_000_000));
        assert_eq!(recovery.state(), pb::PayoutState::Instructed);
        let request = submit(stay("b", CERT_A, 800_000));
        let answer = served.settlements().submit_settlement(request).await.unwrap().into_inner();
        let b = answer.claim.unwrap();
        let [due] = &b.payouts[..] else { panic!("{:?}", b.payouts) };
        assert_eq!((due.amount_fen, due.state()), (300_000, pb::PayoutState::Offset));
        let [offset] = &answer.changes[..] else { panic!("{:?}", answer.changes) };
        assert_eq!(
            (offset.cause(), &*offset.claim_id),
            (pb::ClaimEventCause::Offset, &*a.claim_id)
        );
        assert_eq!(offset.state(), State::Voided);
        let a = read(&served, &a.claim_id).await;
        assert_eq!(a.revision, offset.revision);
        let of = |claim: &pb::Claim, state| -> Vec<pb::Payout> {
            claim.payouts.iter().filter(|it| it.state() == state).cloned().collect()
        };
        let set_off = of(&a, pb::PayoutState::Offset);
        assert_eq!((set_off.len(), set_off[0].amount_fen), (1, 300_000));
        assert_eq!(set_off[0].offset_payout_id, due.payout_id);
        assert_eq!(due.offset_payout_id, set_off[0].payout_id);
        assert_eq!(of(&a, pb::PayoutState::Instructed)[0].amount_fen, 700_000);
        let c = claim_of(&served, stay("c", CERT_A, 900_000)).await;
        assert_eq!(of(&c, pb::PayoutState::Offset)[0].amount_fen, 700_000);
        assert_eq!(of(&c, pb::PayoutState::Instructed)[0].amount_fen, 200_000);
        let d = claim_of(&served, stay("d", CERT_A, 100_000)).await;
        assert_eq!(of(&d, pb::PayoutState::Instructed)[0].amount_fen, 100_000, "nothing is owed");
        served.stop().await;
    })
    .await;
}

/// A trial of a settlement says what it would do to a claim that waits behind it.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_waits_is_among_what_changes() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &persons(1)).await;
        let a = claim_of(&served, stay("a", &cert(0), 600_000)).await;
        let waiting = pended(&served, "b", &cert(0)).await;
        let request = reversal(a.settlement.as_ref().unwrap());
        let answer = served.settlements().reverse_settlement(request).await.unwrap().into_inner();
        assert_eq!(changed(&answer.changes), [("b", 12_000_000, 11_500_000)]);
        let change = &answer.changes[0];
        assert_eq!((change.state_before(), change.state()), (State::Pended, State::Pended));
        assert_eq!(change.payouts, []);
        let stands = read(&served, &waiting.claim_id).await;
        assert_eq!(stands.review.unwrap().pend_time, waiting.review.unwrap().pend_time);
        served.stop().await;
        crate::audit::audit(&database).await;
    })
    .await;
}
