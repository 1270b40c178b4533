//! What rules say of claims that people rule on, and of claims that learn more.

use greenlane::pb;
use greenlane::pb::review_claims_item::Act;

use super::{card, claim, diagnosis, enrol, person, plain, plan_with, publish, served};
use crate::audit::audit;
use crate::support::on_every_backend;
use crate::wire::desk::{approve, done, read, reasons, reopen};

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_by_rule_that_somebody_reopens_shows_everything_and_can_be_approved() {
    on_every_backend(async |database| {
        let served = served(&database).await;
        let rules = "[rules.injury]\naction = \"deny\"\n[rules.manual_reimbursement]";
        publish(&served, plan_with("hurt", rules)).await;
        let cert_no = card("37029919500101602");
        enrol(&served, person("hurt", "H", &cert_no)).await;
        let settlement = pb::Settlement {
            diagnoses: vec![diagnosis("S72.000")],
            pay_location: "1".into(),
            ..plain("hurt", &cert_no)
        };
        let denied = claim(&served, settlement).await;
        assert_eq!((denied.state(), reasons(&denied)), (pb::ClaimState::Denied, vec!["INJURY"]));
        let open = done(&served, "li", Act::Reopen(reopen(&denied))).await;
        assert_eq!(open.state(), pb::ClaimState::Pended);
        assert_eq!(reasons(&open), ["MANUAL_REIMBURSEMENT", "INJURY", "REOPENED"]);
        assert_eq!(open.decision.as_ref().unwrap().payout_fen, 500_000, "what it would pay");
        let approved = done(&served, "li", Act::Approve(approve(&open))).await;
        assert_eq!(approved.state(), pb::ClaimState::Approved);
        assert_eq!(approved.decision.unwrap().payout_fen, 500_000);
        served.stop().await;
        audit(&database).await;
    })
    .await;
}

/// A rule that denies is no more than a person's doubt where the claim stood before.
#[tokio::test(flavor = "multi_thread")]
async fn what_stood_is_not_denied_by_a_rule_but_looked_at_by_a_person() {
    on_every_backend(async |database| {
        let served = served(&database).await;
        publish(&served, plan_with("hurt", "[rules.injury]\naction = \"deny\"")).await;
        let cert_no = card("37029919500101603");
        enrol(&served, person("hurt", "H", &cert_no)).await;
        let settlement = pb::Settlement { diagnoses: vec![], ..plain("stood", &cert_no) };
        let stood = claim(&served, settlement.clone()).await;
        assert_eq!(stood.route(), pb::Route::Green);
        let more = pb::Settlement { diagnoses: vec![diagnosis("S72.000")], ..settlement };
        let after = claim(&served, more).await;
        assert_eq!((after.state(), reasons(&after)), (pb::ClaimState::Pended, vec!["INJURY"]));
        assert_eq!(after.decision.as_ref().unwrap().payout_fen, 500_000);
        let approved = done(&served, "li", Act::Approve(approve(&after))).await;
        assert_eq!(approved.state(), pb::ClaimState::Approved);
        served.stop().await;
        audit(&database).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_that_name_only_the_visit_make_no_claim_a_duplicate_of_itself() {
    on_every_backend(async |database| {
        let served = served(&database).await;
        publish(&served, plan_with("invoices", "[rules.duplicate_invoice]")).await;
        let cert_no = card("37029919500101604");
        enrol(&served, person("invoices", "V", &cert_no)).await;
        let settlement = pb::Settlement {
            invoice_no: "INV".into(),
            visit_id: "visit".into(),
            discharge_way: String::new(),
            ..plain("own", &cert_no)
        };
        let first = claim(&served, settlement).await;
        assert_eq!(first.route(), pb::Route::Green);
        let late = pb::SupplementSettlementRequest {
            settlement: Some(pb::Settlement {
                source: "370200".into(),
                visit_id: "visit".into(),
                invoice_no: "INV".into(),
                discharge_way: "9".into(),
                ..pb::Settlement::default()
            }),
            validate_only: false,
        };
        served.settlements().supplement_settlement(late).await.unwrap();
        let after = read(&served, &first.claim_id).await;
        assert_eq!((after.route(), reasons(&after)), (pb::Route::Green, vec![]));
        served.stop().await;
        audit(&database).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_of_the_first_generation_finds_its_member_and_is_looked_at() {
    on_every_backend(async |database| {
        let served = served(&database).await;
        publish(&served, plan_with("cards", "[rules.weak_identity]")).await;
        let cert_no = card("37029919500101605");
        enrol(&served, person("cards", "C", &cert_no)).await;
        let old = format!("{}{}", &cert_no[..6], &cert_no[8..17]);
        let claim = claim(&served, plain("old", &old)).await;
        assert_eq!(
            (claim.state(), reasons(&claim)),
            (pb::ClaimState::Pended, vec!["WEAK_IDENTITY"])
        );
        assert_eq!(claim.review_reasons[0].evidence[0].value, "first_generation");
        served.stop().await;
        audit(&database).await;
    })
    .await;
}
