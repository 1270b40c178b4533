//! What people do to claims, act by act: what it makes of the claim, and where it is refused.

use greenlane::pb;
use greenlane::pb::ClaimState as State;
use greenlane::pb::review_claims_item::Act;
use tonic::Code;

use super::desk::{
    ABOVE_CEILING, ABOVE_CEILING_PAYS, act, answer, approve, approve_amount, ask, assign, changed,
    claim_of, comment, deny, done, every_act, payout_of, pended, read, read_of, reason_of, reasons,
    reopen, reversal,
};
use crate::serving::{Served, cert, persons, stay};
use crate::support::{Database, on_every_backend};

/// A member with a claim that waits, and one behind it that pays because of it.
async fn two_claims(database: &Database) -> (Served, pb::Claim, pb::Claim) {
    let served = Served::start(database, &persons(8)).await;
    let first = pended(&served, "a", &cert(0)).await;
    let second = claim_of(&served, stay("b", &cert(0), 300_000)).await;
    assert_eq!((second.state(), payout_of(&second)), (State::Approved, 300_000));
    (served, first, second)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_is_approved_as_it_is_pays_what_the_rules_give() {
    on_every_backend(async |database| {
        let (served, claim, later) = two_claims(&database).await;
        assert_eq!(reasons(&claim), ["ABOVE_CEILING"]);
        let waiting = claim.review.clone().unwrap();
        assert_eq!((waiting.pend_time, &*waiting.assignee), (claim.create_time, ""));
        assert_eq!(claim.payouts, []);
        let answer = act(&served, "li", Act::Approve(approve(&claim))).await.unwrap();
        assert_eq!((answer.replayed, answer.changes.len()), (false, 0));
        let approved = answer.claim.unwrap();
        assert_eq!((approved.state(), approved.route()), (State::Approved, pb::Route::Review));
        assert_eq!(payout_of(&approved), ABOVE_CEILING_PAYS);
        assert_eq!(approved.next_step(), pb::NextStep::AwaitTransfer);
        let [payout] = &approved.payouts[..] else { panic!("{:?}", approved.payouts) };
        assert_eq!(payout.amount_fen, ABOVE_CEILING_PAYS);
        assert_eq!(payout.state(), pb::PayoutState::Instructed);
        let review = approved.review.as_ref().unwrap();
        assert_eq!((review.set_fen, review.pend_time), (None, None));
        assert!(review.accepted_reason_codes.iter().any(|it| it == "ABOVE_CEILING"), "{review:?}");
        assert_eq!(approved.review_reasons, []);
        assert_eq!(read(&served, &claim.claim_id).await, approved);
        assert_eq!(read(&served, &later.claim_id).await, later, "it did not rest on anything else");
        served.stop().await;
        crate::audit::audit(&database).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_amount_is_paid_as_far_as_base_and_limits_go() {
    on_every_backend(async |database| {
        let (served, claim, _) = two_claims(&database).await;
        let too_much = Act::Approve(approve_amount(&claim, ABOVE_CEILING + 1));
        let told = reason_of(&served, "li", too_much).await;
        assert_eq!((told.code, &*told.reason), (Code::FailedPrecondition, "AMOUNT_BEYOND_LIMITS"));
        assert_eq!(told.metadata["claim_id"], claim.claim_id);
        assert_eq!(told.metadata["most_fen"], ABOVE_CEILING.to_string());
        assert!(told.has_precondition);
        assert_eq!(read(&served, &claim.claim_id).await, claim, "nothing happened");

        let most = pb::ApproveClaimRequest {
            validate_only: true,
            ..approve_amount(&claim, ABOVE_CEILING)
        };
        let most = act(&served, "li", Act::Approve(most)).await.unwrap().claim.unwrap();
        assert_eq!((most.state(), payout_of(&most)), (State::Approved, ABOVE_CEILING));

        let less = done(&served, "li", Act::Approve(approve_amount(&claim, 4_000_000))).await;
        assert_eq!((less.state(), payout_of(&less)), (State::Approved, 4_000_000));
        assert_eq!(less.review.as_ref().unwrap().set_fen, Some(4_000_000));
        assert_eq!(less.payouts[0].amount_fen, 4_000_000);
        let decision = less.decision.unwrap();
        let adjusted: i64 = decision.adjustments.iter().map(|it| it.amount_fen).sum();
        assert_eq!(adjusted + decision.indemnity_fen, claim.settlement.unwrap().total_fen);
        served.stop().await;
        crate::audit::audit(&database).await;
    })
    .await;
}

/// The limit of the year is what is left behind the claims before.
#[tokio::test(flavor = "multi_thread")]
async fn an_amount_is_bounded_by_what_the_year_leaves() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &persons(1)).await;
        let first = claim_of(&served, stay("a", &cert(0), 20_500_000)).await;
        assert_eq!(payout_of(&first), 20_000_000);
        let second = claim_of(&served, stay("b", &cert(0), 14_000_000)).await;
        assert_eq!(payout_of(&second), 10_000_000, "of 300,000.00 a year");
        let claim = claim_of(&served, stay("c", &cert(0), 50_000)).await;
        assert_eq!((claim.state(), payout_of(&claim)), (State::Approved, 0));
        let too_much = Act::Approve(approve_amount(&first, 20_500_001));
        assert_eq!(reason_of(&served, "li", too_much).await.metadata["most_fen"], "20500000");
        let answer = act(&served, "li", Act::Approve(approve_amount(&first, 15_000_000))).await;
        let answer = answer.unwrap();
        assert_eq!(changed(&answer.changes), [("b", 10_000_000, 14_000_000), ("c", 0, 50_000)]);
        for change in &answer.changes {
            assert_eq!(change.trigger(), pb::ClaimEventTrigger::Claim);
            assert_eq!(change.trigger_claim_id, first.claim_id);
            assert_eq!(change.cause(), pb::ClaimEventCause::Redecided);
        }
        assert_eq!(read_of(&served, "b").await.revision, answer.changes[0].revision);
        served.stop().await;
        crate::audit::audit(&database).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_says_why_and_sets_free_what_the_claim_held() {
    on_every_backend(async |database| {
        let (served, claim, later) = two_claims(&database).await;
        let reasonless = pb::DenyClaimRequest { reason_code: String::new(), ..deny(&claim) };
        let told = reason_of(&served, "li", Act::Deny(reasonless)).await;
        assert_eq!((told.code, &*told.reason), (Code::InvalidArgument, "INVALID_FIELD"));
        assert_eq!(told.metadata["fields"], "reason_code");
        let answer = act(&served, "li", Act::Deny(deny(&claim))).await.unwrap();
        let denied = answer.claim.unwrap();
        assert_eq!((denied.state(), &*denied.denial_reason), (State::Denied, "NOT_NECESSARY"));
        assert_eq!(denied.next_step(), pb::NextStep::CollectWholeBurden);
        assert_eq!((payout_of(&denied), &denied.payouts[..]), (0, &[][..]));
        let decision = denied.decision.as_ref().unwrap();
        let of_denial = decision.adjustments.iter().find(|it| it.reason_code == "NOT_NECESSARY");
        let of_denial = of_denial.unwrap_or_else(|| panic!("{:?}", decision.adjustments));
        assert_eq!((of_denial.amount_fen, &*of_denial.carc), (ABOVE_CEILING, "50"));
        assert_eq!(changed(&answer.changes), [("b", 300_000, 0)], "it takes the deductible now");
        let later = read(&served, &later.claim_id).await;
        assert_eq!(later.decision.unwrap().deductible_fen, 300_000);
        assert_eq!(later.payouts[0].state(), pb::PayoutState::Cancelled);
        served.stop().await;
        crate::audit::audit(&database).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn information_is_asked_for_once_until_somebody_has_ruled() {
    on_every_backend(async |database| {
        let (served, claim, _) = two_claims(&database).await;
        let asked = done(&served, "li", Act::RequestInformation(ask(&claim))).await;
        assert_eq!(asked.state(), State::InformationRequested);
        assert_eq!(asked.next_step(), pb::NextStep::SendInformation);
        assert_eq!(payout_of(&asked), ABOVE_CEILING_PAYS, "it holds what it would pay");
        let inquiry = asked.review.as_ref().unwrap().inquiry.unwrap();
        assert_eq!((inquiry.item_count, inquiry.answer_time), (2, None));
        assert_eq!(inquiry.ask_time, asked.update_time);
        let answered = done(&served, "hospital", Act::ProvideInformation(answer(&asked))).await;
        assert_eq!(answered.state(), State::Pended);
        assert_eq!(reasons(&answered), ["ABOVE_CEILING", "INFORMATION_PROVIDED"]);
        let review = answered.review.as_ref().unwrap();
        assert_eq!(review.inquiry.unwrap().answer_time, answered.update_time);
        assert_eq!(review.pend_time, claim.review.unwrap().pend_time, "it waits since then");
        let again = Act::RequestInformation(ask(&answered));
        let told = reason_of(&served, "li", again).await;
        assert_eq!(told.reason, "INFORMATION_REQUESTED_BEFORE");
        assert_eq!(told.code, Code::FailedPrecondition);
        let approved = done(&served, "li", Act::Approve(approve(&answered))).await;
        assert_eq!(approved.state(), State::Approved);
        assert!(approved.review.as_ref().unwrap().inquiry.is_none());
        let reopened = done(&served, "li", Act::Reopen(reopen(&approved))).await;
        let asked = done(&served, "li", Act::RequestInformation(ask(&reopened))).await;
        assert_eq!(asked.state(), State::InformationRequested, "ruled, so it may be asked anew");
        let denied = done(&served, "li", Act::Deny(deny(&asked))).await;
        assert_eq!(denied.state(), State::Denied, "one need not wait for the answer");
        served.stop().await;
        crate::audit::audit(&database).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reopened_claim_waits_and_holds_what_it_would_pay() {
    on_every_backend(async |database| {
        let (served, claim, later) = two_claims(&database).await;
        let low = done(&served, "li", Act::Approve(approve_amount(&claim, 4_000_000))).await;
        let reopened = done(&served, "wang", Act::Reopen(reopen(&low))).await;
        assert_eq!((reopened.state(), payout_of(&reopened)), (State::Pended, ABOVE_CEILING_PAYS));
        assert!(reasons(&reopened).contains(&"REOPENED"), "{:?}", reasons(&reopened));
        let review = reopened.review.as_ref().unwrap();
        assert_eq!((review.set_fen, &review.accepted_reason_codes[..]), (None, &[][..]));
        assert_eq!(review.pend_time, reopened.update_time);
        assert_eq!(reopened.payouts[0].state(), pb::PayoutState::Cancelled);
        let denied = done(&served, "wang", Act::Deny(deny(&reopened))).await;
        assert_eq!(payout_of(&read(&served, &later.claim_id).await), 0);
        let answer = act(&served, "wang", Act::Reopen(reopen(&denied))).await.unwrap();
        assert_eq!(changed(&answer.changes), [("b", 0, 300_000)]);
        let reopened = answer.claim.unwrap();
        assert_eq!((reopened.state(), &*reopened.denial_reason), (State::Pended, ""));
        let approved = done(&served, "li", Act::Approve(approve(&reopened))).await;
        assert_eq!(payout_of(&approved), ABOVE_CEILING_PAYS);
        let instructed = |it: &&pb::Payout| it.state() == pb::PayoutState::Instructed;
        assert_eq!(approved.payouts.iter().filter(instructed).count(), 1);
        served.stop().await;
        crate::audit::audit(&database).await;
    })
    .await;
}

/// Nobody may pay what the rules deny; a person may only confirm it.
#[tokio::test(flavor = "multi_thread")]
async fn a_denial_of_the_rules_can_be_reopened_and_only_confirmed() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &[]).await;
        let claim = claim_of(&served, stay("a", &cert(0), 600_000)).await;
        let reopened = done(&served, "li", Act::Reopen(reopen(&claim))).await;
        assert_eq!((reopened.state(), reasons(&reopened)), (State::Pended, vec!["REOPENED"]));
        let told = reason_of(&served, "li", Act::Approve(approve(&reopened))).await;
        assert_eq!((told.code, &*told.reason), (Code::FailedPrecondition, "CLAIM_NOT_APPROVABLE"));
        assert_eq!(told.metadata["reasons"], "NOT_ELIGIBLE");
        let told = reason_of(&served, "li", Act::Approve(approve_amount(&reopened, 100))).await;
        assert_eq!(told.reason, "CLAIM_NOT_APPROVABLE");
        let confirmed = pb::DenyClaimRequest { reason_code: String::new(), ..deny(&reopened) };
        let denied = done(&served, "li", Act::Deny(confirmed)).await;
        assert_eq!((denied.state(), &*denied.denial_reason), (State::Denied, "NOT_ELIGIBLE"));
        served.stop().await;
        crate::audit::audit(&database).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_rules_on_what_another_person_works_on() {
    on_every_backend(async |database| {
        let (served, claim, _) = two_claims(&database).await;
        let taken = done(&served, "li", Act::Assign(assign(&claim))).await;
        assert_eq!(taken.review.as_ref().unwrap().assignee, "li");
        for item in [
            Act::Approve(approve(&taken)),
            Act::Deny(deny(&taken)),
            Act::RequestInformation(ask(&taken)),
        ] {
            let told = reason_of(&served, "wang", item).await;
            assert_eq!((told.code, &*told.reason), (Code::FailedPrecondition, "CLAIM_ASSIGNED"));
            assert_eq!(told.metadata["assignee"], "li");
            assert_eq!(told.metadata["claim_id"], claim.claim_id);
        }
        let noted = done(&served, "wang", Act::Comment(comment(&taken))).await;
        let taken = done(&served, "wang", Act::Assign(assign(&noted))).await;
        assert_eq!(taken.review.as_ref().unwrap().assignee, "wang", "taken over");
        let told = reason_of(&served, "li", Act::Approve(approve(&taken))).await;
        assert_eq!(told.metadata["assignee"], "wang");
        let given = pb::AssignClaimRequest { assignee: "zhao".into(), ..assign(&taken) };
        let given = done(&served, "wang", Act::Assign(given)).await;
        assert_eq!(given.review.as_ref().unwrap().assignee, "zhao");
        let free = pb::AssignClaimRequest { release: true, ..assign(&given) };
        let free = done(&served, "zhao", Act::Assign(free)).await;
        assert_eq!(free.review.as_ref().unwrap().assignee, "");
        let approved = done(&served, "li", Act::Approve(approve(&free))).await;
        assert_eq!(approved.review.as_ref().unwrap().assignee, "");
        served.stop().await;
        crate::audit::audit(&database).await;
    })
    .await;
}

/// One claim in every state, each of another member.
async fn in_every_state(served: &Served, database: &Database) -> Vec<pb::Claim> {
    let unknown =
        pb::Settlement { personal_total_fen: None, fund_total_fen: None, ..stay("i", &cert(0), 1) };
    let incomplete = claim_of(served, unknown).await;
    let waiting = pended(served, "p", &cert(1)).await;
    let asked = pended(served, "q", &cert(2)).await;
    let asked = done(served, "li", Act::RequestInformation(ask(&asked))).await;
    let approved = claim_of(served, stay("g", &cert(3), 600_000)).await;
    let paid = claim_of(served, stay("m", &cert(4), 600_000)).await;
    // Nothing pays yet.
    let settled = "update claim set state = 'PAID' where settlement_id = 'm'; \
                   update payout set state = 'SETTLED' where (lane, claim_no) in \
                   (select lane, claim_no from claim where settlement_id = 'm')";
    database.execute(settled).await;
    let denied = claim_of(served, stay("d", &cert(99), 600_000)).await;
    let voided = stay("v", &cert(5), 600_000);
    let of_voided = claim_of(served, voided.clone()).await;
    served.settlements().reverse_settlement(reversal(&voided)).await.unwrap();
    let mut claims = Vec::new();
    for claim in [incomplete, waiting, asked, approved, paid, denied, of_voided] {
        claims.push(read(served, &claim.claim_id).await);
    }
    let states: Vec<State> = claims.iter().map(pb::Claim::state).collect();
    let all = [
        State::Incomplete,
        State::Pended,
        State::InformationRequested,
        State::Approved,
        State::Paid,
        State::Denied,
        State::Voided,
    ];
    assert_eq!(states, all);
    claims
}

#[tokio::test(flavor = "multi_thread")]
async fn every_act_is_refused_in_the_states_that_forbid_it_and_in_no_other() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &persons(8)).await;
        for claim in Box::pin(in_every_state(&served, &database)).await {
            let state = claim.state();
            for item in every_act(&claim) {
                let is_allowed = match &item {
                    Act::Comment(_) => true,
                    Act::RecordContact(_) => state != State::Voided,
                    Act::Approve(_) | Act::RequestInformation(_) => state == State::Pended,
                    Act::Assign(_) | Act::Deny(_) => {
                        matches!(state, State::Pended | State::InformationRequested)
                    }
                    Act::ProvideInformation(_) => state == State::InformationRequested,
                    Act::Reopen(_) => {
                        matches!(state, State::Approved | State::Paid | State::Denied)
                    }
                };
                let item = only_tried(item);
                let name = format!("{item:?} of {state:?}");
                match act(&served, "li", item).await {
                    Ok(_) => assert!(is_allowed, "{name} must be refused"),
                    Err(error) => {
                        let told = crate::serving::told(&error);
                        assert!(!is_allowed, "{name}: {told:?}");
                        let forbids = (Code::FailedPrecondition, "CLAIM_STATE_FORBIDS");
                        assert_eq!((told.code, &*told.reason), forbids, "{name}");
                        assert_eq!(told.metadata["state"], state.as_str_name(), "{name}");
                        assert_eq!(told.metadata["claim_id"], claim.claim_id, "{name}");
                        assert!(told.has_precondition, "{name}");
                    }
                }
            }
            assert_eq!(read(&served, &claim.claim_id).await, claim, "nothing was recorded");
        }
        served.stop().await;
    })
    .await;
}

fn only_tried(mut item: Act) -> Act {
    match &mut item {
        Act::Assign(it) => it.validate_only = true,
        Act::Approve(it) => it.validate_only = true,
        Act::Deny(it) => it.validate_only = true,
        Act::RequestInformation(it) => it.validate_only = true,
        Act::ProvideInformation(it) => it.validate_only = true,
        Act::Reopen(it) => it.validate_only = true,
        Act::Comment(it) => it.validate_only = true,
        Act::RecordContact(it) => it.validate_only = true,
    }
    item
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comment_changes_nothing_but_the_revision_in_any_state() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &persons(8)).await;
        for claim in Box::pin(in_every_state(&served, &database)).await {
            let noted = done(&served, "li", Act::Comment(comment(&claim))).await;
            assert_ne!(noted.revision, claim.revision);
            let as_before = pb::Claim {
                revision: claim.revision.clone(),
                update_time: claim.update_time,
                ..noted.clone()
            };
            assert_eq!(as_before, claim);
            assert_eq!(read(&served, &claim.claim_id).await, noted);
        }
        served.stop().await;
    })
    .await;
}
