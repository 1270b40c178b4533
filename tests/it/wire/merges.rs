//! Two members that prove to be one: everything goes over, and every road to the old one leads on.

use greenlane::pb;
use greenlane::pb::ClaimState as State;
use greenlane::pb::get_member_request::Selector;
use greenlane::pb::review_claims_item::Act;
use tonic::Code;

use super::desk::{
    act, approve, approve_amount, changed, claim_of, comment, deny, done, payout_of, pended, read,
    read_of, reason_of, reasons, reversal,
};
use crate::serving::{CERT_A, CERT_B, CERT_E, Served, refused, stay, submit, told};
use crate::support::on_every_backend;
use crate::world::{enrolled, sample_roster};

fn merging(from: &pb::Claim, into: &pb::Claim) -> pb::MergeMembersRequest {
    pb::MergeMembersRequest {
        from_member_id: from.member_id.clone(),
        into_member_id: into.member_id.clone(),
        validate_only: false,
    }
}

async fn merge(served: &Served, request: pb::MergeMembersRequest) -> pb::MergeMembersResponse {
    served.members().merge_members(request).await.unwrap().into_inner()
}

async fn member_of(served: &Served, selector: Selector) -> String {
    let request = pb::GetMemberRequest { selector: Some(selector) };
    served.members().get_member(request).await.unwrap().into_inner().member.unwrap().member_id
}

fn certificate(cert_no: &str) -> Selector {
    Selector::Identity(pb::Identity { cert_no: cert_no.to_owned(), ..pb::Identity::default() })
}

/// Settlement, states and amounts before and after.
type Change = (String, State, State, Option<i64>, Option<i64>);

/// What changed, without the places and ids that only a record has.
fn shortly(changes: &[pb::ClaimEvent]) -> Vec<Change> {
    let short = |it: &pb::ClaimEvent| {
        let (before, after) = (it.payout_before_fen, it.payout_fen);
        (it.settlement_id.clone(), it.state_before(), it.state(), before, after)
    };
    changes.iter().map(short).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_claims_of_two_members_that_are_one_count_together() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let a = claim_of(&served, stay("a", CERT_A, 600_000)).await;
        let b = claim_of(&served, stay("b", CERT_B, 700_000)).await;
        let c = claim_of(&served, stay("c", CERT_B, 200_000)).await;
        let request = merging(&b, &a);
        let tried = pb::MergeMembersRequest { validate_only: true, ..request.clone() };
        let tried = merge(&served, tried).await;
        for claim in [&a, &b, &c] {
            assert_eq!(read(&served, &claim.claim_id).await, *claim, "only tried");
        }
        assert_eq!(member_of(&served, certificate(CERT_B)).await, b.member_id);

        let merged = merge(&served, request.clone()).await;
        assert!(!merged.replayed);
        assert_eq!(merged.member.unwrap().member_id, a.member_id);
        let expected = [
            ("b", State::Approved, State::Voided, Some(200_000), None),
            ("c", State::Approved, State::Voided, Some(200_000), None),
            ("b", State::Unspecified, State::Approved, None, Some(700_000)),
            ("c", State::Unspecified, State::Approved, None, Some(200_000)),
        ];
        let expected =
            expected.map(|(id, from, to, before, after)| (id.to_owned(), from, to, before, after));
        assert_eq!(shortly(&merged.changes), expected, "one deductible for both");
        assert_eq!(shortly(&tried.changes), expected);
        assert!(tried.changes.iter().all(|it| it.revision.is_empty() && it.event_time.is_none()));
        assert!(merged.changes.iter().all(|it| it.cause() == pb::ClaimEventCause::Moved));
        for (old, new) in [(&b, &merged.changes[2]), (&c, &merged.changes[3])] {
            let old_claim = read(&served, &old.claim_id).await;
            assert_eq!(
                (old_claim.state(), old_claim.payouts[0].state()),
                (State::Voided, pb::PayoutState::Cancelled)
            );
            assert_eq!(old_claim.moved_to_claim_id, new.claim_id);
            let new_claim = read(&served, &new.claim_id).await;
            assert_eq!(new_claim.member_id, a.member_id);
            assert_eq!(new_claim.create_time, old.create_time, "as when it first came");
            assert_eq!(
                (&new_claim.settlement, &new_claim.revision),
                (&old.settlement, &new.revision)
            );
            assert_eq!(new_claim.payouts.len(), 1);
            assert_eq!(new_claim.payouts[0].amount_fen, payout_of(&new_claim));
        }
        assert_eq!(read(&served, &a.claim_id).await, a, "those that were there come first");
        assert_eq!(member_of(&served, certificate(CERT_B)).await, a.member_id);
        let external = Selector::ExternalId("RJ-0031".into());
        assert_eq!(member_of(&served, external).await, a.member_id);
        let again = merge(&served, request).await;
        assert_eq!((again.replayed, again.changes), (true, vec![]));
        served.stop().await;
        crate::audit::audit(&database).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_road_to_the_closed_member_leads_to_the_other() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let a = claim_of(&served, stay("a", CERT_A, 600_000)).await;
        let b = claim_of(&served, stay("b", CERT_B, 700_000)).await;
        claim_of(&served, stay("c", CERT_B, 200_000)).await;
        merge(&served, merging(&b, &a)).await;
        let moved = read_of(&served, "b").await;
        let mut client = served.settlements();
        let again = client.submit_settlement(submit(stay("b", CERT_B, 700_000))).await.unwrap();
        let again = again.into_inner();
        assert_eq!((again.replayed, again.claim.as_ref()), (true, Some(&moved)));
        let error = client.submit_settlement(submit(stay("b", CERT_B, 700_001))).await.unwrap_err();
        let conflict = told(&error);
        assert_eq!(conflict.reason, "SETTLEMENT_CONFLICT");
        assert_eq!(conflict.metadata["claim_id"], moved.claim_id);
        let next = claim_of(&served, stay("d", CERT_B, 50_000)).await;
        assert_eq!((next.member_id.as_str(), payout_of(&next)), (&*a.member_id, 50_000));
        let facts = pb::SupplementSettlementRequest {
            settlement: Some(pb::Settlement {
                source: "370200".into(),
                settlement_id: "b".into(),
                invoice_no: "370601240099000004".into(),
                ..pb::Settlement::default()
            }),
            validate_only: false,
        };
        let supplemented = client.supplement_settlement(facts).await.unwrap().into_inner();
        assert_eq!(supplemented.claim.unwrap().claim_id, moved.claim_id);

        let request = reversal(b.settlement.as_ref().unwrap());
        let answer = client.reverse_settlement(request.clone()).await.unwrap().into_inner();
        let reversed = answer.claim.unwrap();
        assert_eq!((&reversed.claim_id, reversed.state()), (&moved.claim_id, State::Voided));
        assert!(answer.parked_id.is_empty() && !answer.replayed);
        let again = client.reverse_settlement(request).await.unwrap().into_inner();
        assert_eq!((again.replayed, again.claim), (true, Some(reversed)));

        let row = enrolled("RJ-0031", CERT_B);
        served.enrol(row).await;
        let identity = pb::Identity { cert_no: CERT_B.into(), ..Default::default() };
        let request = pb::GetBalanceRequest {
            selector: Some(pb::get_balance_request::Selector::Identity(identity)),
            date: "2024-06-01".into(),
            ..Default::default()
        };
        let balance = served.members().get_balance(request).await.unwrap().into_inner();
        assert_eq!(balance.member_id, a.member_id);
        assert_eq!(balance.balances[0].paid.unwrap().used_fen, 100_000 + 200_000 + 50_000);
        served.stop().await;
        crate::audit::audit(&database).await;
    })
    .await;
}

/// Certificate of the one, number of the other: that was unclear, and is no longer.
#[tokio::test(flavor = "multi_thread")]
async fn what_named_both_names_one() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let with_number = |settlement: pb::Settlement, cert_no: &str, psn_no: &str| {
            let member = Some(pb::MemberIdentity {
                cert_no: cert_no.into(),
                psn_no: psn_no.into(),
                ..Default::default()
            });
            pb::Settlement { member, ..settlement }
        };
        let (of_a, of_b) = ("37020000001", "37020000002");
        let a = claim_of(&served, with_number(stay("a", CERT_A, 600_000), CERT_A, of_a)).await;
        let b = claim_of(&served, with_number(stay("b", CERT_B, 700_000), CERT_B, of_b)).await;
        let both = |id: &str, cert_no: &str, psn_no: &str| {
            with_number(stay(id, cert_no, 90_000), cert_no, psn_no)
        };
        let stays = claim_of(&served, both("stays", CERT_A, of_b)).await;
        let moves = claim_of(&served, both("moves", CERT_B, of_a)).await;
        for claim in [&stays, &moves] {
            assert_eq!((claim.state(), reasons(claim)), (State::Pended, vec!["PERSON_UNCLEAR"]));
        }
        assert_ne!(stays.member_id, moves.member_id);
        merge(&served, merging(&b, &a)).await;
        for id in ["stays", "moves"] {
            let claim = read_of(&served, id).await;
            assert_eq!((claim.state(), payout_of(&claim)), (State::Approved, 90_000), "{id}");
            assert_eq!(claim.member_id, a.member_id);
        }
        for (id, cert_no, number) in [("x", CERT_A, of_b), ("y", CERT_B, of_a)] {
            let claim = claim_of(&served, both(id, cert_no, number)).await;
            assert_eq!((claim.state(), payout_of(&claim)), (State::Approved, 90_000), "{id}");
        }
        served.stop().await;
        crate::audit::audit(&database).await;
    })
    .await;
}

/// What a person let pass, or what was taken back, when it still named two.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_settled_while_it_named_both_stays_as_it_is() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let numbered = |id: &str, cert_no: &str, psn_no: &str| {
            let member = Some(pb::MemberIdentity {
                cert_no: cert_no.into(),
                psn_no: psn_no.into(),
                ..Default::default()
            });
            pb::Settlement { member, ..stay(id, cert_no, 600_000) }
        };
        let a = claim_of(&served, numbered("a", CERT_A, "37020000001")).await;
        let b = claim_of(&served, numbered("b", CERT_B, "37020000002")).await;
        let approved = claim_of(&served, numbered("p", CERT_A, "37020000002")).await;
        let approved = done(&served, "li", Act::Approve(approve_amount(&approved, 90_000))).await;
        let reversed = claim_of(&served, numbered("r", CERT_A, "37020000002")).await;
        let request = reversal(reversed.settlement.as_ref().unwrap());
        served.settlements().reverse_settlement(request).await.unwrap();
        merge(&served, merging(&b, &a)).await;
        let approved = read(&served, &approved.claim_id).await;
        assert_eq!((approved.state(), payout_of(&approved)), (State::Approved, 90_000));
        assert_eq!(read(&served, &reversed.claim_id).await.state(), State::Voided);
        served.stop().await;
        crate::audit::audit(&database).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rulings_of_people_go_along_and_what_they_did_before_is_known() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let a = claim_of(&served, stay("a", CERT_A, 600_000)).await;
        let b = pended(&served, "b", CERT_B).await;
        let ruling = Act::Approve(approve_amount(&b, 4_000_000));
        done(&served, "li", ruling.clone()).await;
        let c = claim_of(&served, stay("c", CERT_B, 13_000_000)).await;
        let denied = done(&served, "li", Act::Deny(deny(&c))).await;
        let w = claim_of(&served, stay("w", CERT_B, 14_000_000)).await;
        let merged = merge(&served, merging(&b, &a)).await;
        let denied_now = read_of(&served, "c").await;
        assert_eq!(
            (denied_now.state(), &*denied_now.denial_reason),
            (State::Denied, "NOT_NECESSARY")
        );
        let waits = read_of(&served, "w").await;
        assert_eq!(waits.state(), State::Pended);
        assert_eq!(waits.review.as_ref().unwrap().pend_time, w.review.unwrap().pend_time);
        // Without a deductible to take the rules give more than when the amount was set.
        let changed = changed(&merged.changes);
        assert!(changed.contains(&("b", -1, 12_000_000)), "{changed:?}");
        let b_now = read_of(&served, "b").await;
        assert_eq!((b_now.state(), b_now.payouts.len()), (State::Pended, 0));
        assert!(reasons(&b_now).contains(&"FIGURE_CHANGED"), "{:?}", reasons(&b_now));

        let again = act(&served, "li", ruling).await.unwrap();
        assert!(again.replayed, "what was carried out once is not asked again");
        assert_eq!(again.claim.unwrap().claim_id, b.claim_id);
        let old = read(&served, &denied.claim_id).await;
        let told = reason_of(&served, "li", Act::Approve(approve(&old))).await;
        assert_eq!((told.code, &*told.reason), (Code::FailedPrecondition, "CLAIM_STATE_FORBIDS"));
        assert_eq!(told.metadata["state"], "CLAIM_STATE_VOIDED");
        let approved = done(&served, "li", Act::Approve(approve(&b_now))).await;
        assert_eq!((approved.state(), payout_of(&approved)), (State::Approved, 12_000_000));
        served.stop().await;
        crate::audit::audit(&database).await;
    })
    .await;
}

/// A claim that went elsewhere is still one about which there is something to say.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_moved_can_be_commented() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let a = claim_of(&served, stay("a", CERT_A, 600_000)).await;
        let b = claim_of(&served, stay("b", CERT_B, 700_000)).await;
        merge(&served, merging(&b, &a)).await;
        let old = read(&served, &b.claim_id).await;
        let noted = done(&served, "li", Act::Comment(comment(&old))).await;
        assert_eq!(
            (noted.state(), noted.moved_to_claim_id),
            (State::Voided, old.moved_to_claim_id)
        );
        served.stop().await;
        crate::audit::audit(&database).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_was_sent_counts_for_the_claim_that_takes_the_place() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let a = claim_of(&served, stay("a", CERT_A, 600_000)).await;
        let b = claim_of(&served, stay("b", CERT_B, 700_000)).await;
        // Nothing sends yet.
        database.execute("update payout set state = 'SENT'").await;
        merge(&served, merging(&b, &a)).await;
        let old = read(&served, &b.claim_id).await;
        let new = read_of(&served, "b").await;
        let rows = |claim: &pb::Claim| -> Vec<(pb::PayoutKind, i64, pb::PayoutState, String)> {
            let row = |it: &pb::Payout| {
                (it.kind(), it.amount_fen, it.state(), it.offset_payout_id.clone())
            };
            claim.payouts.iter().map(row).collect()
        };
        let first_of_new = format!("{}/1", new.claim_id);
        let expected = [
            (pb::PayoutKind::Payment, 200_000, pb::PayoutState::Sent, String::new()),
            (pb::PayoutKind::Recovery, 200_000, pb::PayoutState::Offset, first_of_new),
        ];
        assert_eq!(rows(&old), expected);
        let second_of_old = format!("{}/2", old.claim_id);
        let expected = [
            (pb::PayoutKind::Payment, 200_000, pb::PayoutState::Offset, second_of_old),
            (pb::PayoutKind::Payment, 500_000, pb::PayoutState::Instructed, String::new()),
        ];
        assert_eq!(rows(&new), expected, "only the difference moves");
        let request = reversal(b.settlement.as_ref().unwrap());
        let answer = served.settlements().reverse_settlement(request).await.unwrap().into_inner();
        let last = answer.claim.unwrap().payouts.pop().unwrap();
        assert_eq!((last.kind(), last.amount_fen), (pb::PayoutKind::Recovery, 200_000));
        served.stop().await;
    })
    .await;
}

/// What was taken back before the merge is known after it.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_reversed_before_a_merge_is_replayed_after_it() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let a = claim_of(&served, stay("a", CERT_A, 600_000)).await;
        let b = claim_of(&served, stay("b", CERT_B, 700_000)).await;
        let request = reversal(b.settlement.as_ref().unwrap());
        let mut client = served.settlements();
        let reversed = client.reverse_settlement(request.clone()).await.unwrap().into_inner().claim;
        merge(&served, merging(&b, &a)).await;
        let again = client.submit_settlement(submit(stay("b", CERT_B, 700_000))).await;
        let again = again.unwrap().into_inner();
        assert_eq!((again.replayed, &again.claim), (true, &reversed));
        let again = client.reverse_settlement(request).await.unwrap().into_inner();
        assert_eq!((again.replayed, &again.claim, &*again.parked_id), (true, &reversed, ""));
        served.stop().await;
        crate::audit::audit(&database).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merged_member_is_not_merged_again() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let a = claim_of(&served, stay("a", CERT_A, 600_000)).await;
        let b = claim_of(&served, stay("b", CERT_B, 700_000)).await;
        let e = claim_of(&served, stay("e", CERT_E, 800_000)).await;
        merge(&served, merging(&b, &a)).await;
        for request in [merging(&b, &e), merging(&e, &b), merging(&a, &b)] {
            let error = served.members().merge_members(request).await.unwrap_err();
            let told = told(&error);
            assert_eq!((told.code, &*told.reason), (Code::FailedPrecondition, "MEMBER_MERGED"));
            assert_eq!(told.metadata["member_id"], b.member_id);
            assert_eq!(told.metadata["into_member_id"], a.member_id);
            assert!(told.has_precondition);
        }
        let chain = merge(&served, merging(&a, &e)).await;
        assert_eq!(chain.member.unwrap().member_id, e.member_id);
        let again = claim_of(&served, stay("f", CERT_B, 1_000)).await;
        assert_eq!(again.member_id, e.member_id, "through both");
        let nobody = "01930d2c-6c1f-7a84-b7f3-5e0d3b1c9a42".to_owned();
        let unknown = pb::MergeMembersRequest { from_member_id: nobody, ..merging(&a, &e) };
        let unknown = served.members().merge_members(unknown).await;
        assert_eq!(refused(unknown), (Code::NotFound, "MEMBER_NOT_FOUND".to_owned()));
        let request = pb::MergeMembersRequest::default();
        let error = served.members().merge_members(request).await.unwrap_err();
        assert_eq!(crate::serving::told(&error).violations.len(), 2);
        let self_merge = served.members().merge_members(merging(&e, &e)).await;
        assert_eq!(refused(self_merge), (Code::InvalidArgument, "INVALID_FIELD".to_owned()));
        served.stop().await;
        crate::audit::audit(&database).await;
    })
    .await;
}
