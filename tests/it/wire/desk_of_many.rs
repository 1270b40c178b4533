//! The desk with more than one server, and with many hands at once.

use std::collections::BTreeSet;

use greenlane::pb;
use greenlane::pb::ClaimState as State;
use greenlane::pb::review_claims_item::Act;
use greenlane::server::Limits;

use super::desk::{
    act, approve, approve_amount, by, claim_of, comment, pended, read, read_of, request_id,
    reversal,
};
use crate::serving::{CERT_A, CERT_B, Served, cert, persons, stay, submit};
use crate::support::{Database, on_every_backend, on_postgres};
use crate::world::{sample_roster, start_ledger};

/// Two servers that share a database.
async fn two(database: &Database, roster: &[greenlane::core::member::Roster]) -> [Served; 2] {
    let first = Served::start(database, roster).await;
    [first, Served::of(start_ledger(database).await, Limits::default()).await]
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_of_two_servers_never_get_the_same_claim() {
    on_postgres(async |database| {
        const CLAIMS: usize = 30;
        let both = two(&database, &persons(CLAIMS)).await;
        for n in 0..CLAIMS {
            pended(&both[0], &format!("S-{n}"), &cert(n)).await;
        }
        let callers = (0..8).map(|caller| {
            let mut client = both[caller % 2].reviews();
            async move {
                let mut taken = Vec::new();
                loop {
                    let request =
                        pb::AssignClaimRequest { request_id: request_id(), ..Default::default() };
                    // Sent twice, as after a lost answer.
                    let name = format!("adjuster-{caller}");
                    let first = client.assign_claim(by(&name, request.clone())).await.unwrap();
                    let again = client.assign_claim(by(&name, request)).await.unwrap();
                    let (first, again) = (first.into_inner().claim, again.into_inner().claim);
                    let Some(claim) = first else { break taken };
                    assert_eq!(again.unwrap().claim_id, claim.claim_id);
                    taken.push(claim.claim_id);
                }
            }
        });
        let taken = futures::future::join_all(callers).await.concat();
        let distinct: BTreeSet<&String> = taken.iter().collect();
        assert_eq!((taken.len(), distinct.len()), (CLAIMS, CLAIMS));
        for served in both {
            served.stop().await;
        }
        crate::audit::audit(&database).await;
    })
    .await;
}

/// The other server has the old member of these identities in its memory.
#[tokio::test(flavor = "multi_thread")]
async fn what_one_server_merged_is_one_at_the_other() {
    on_postgres(async |database| {
        let both = two(&database, &sample_roster()).await;
        let numbered = |id: &str, cert_no: &str, psn_no: &str| {
            let member = Some(pb::MemberIdentity {
                cert_no: cert_no.into(),
                psn_no: psn_no.into(),
                ..Default::default()
            });
            pb::Settlement { member, ..stay(id, cert_no, 600_000) }
        };
        let a = claim_of(&both[1], numbered("a", CERT_A, "37020000001")).await;
        let b = claim_of(&both[1], numbered("b", CERT_B, "37020000002")).await;
        let request = pb::MergeMembersRequest {
            from_member_id: b.member_id.clone(),
            into_member_id: a.member_id.clone(),
            validate_only: false,
        };
        both[0].members().merge_members(request).await.unwrap();
        let mixed = claim_of(&both[1], numbered("c", CERT_A, "37020000002")).await;
        assert_eq!((mixed.state(), &mixed.member_id), (State::Approved, &a.member_id));
        let mut client = both[1].settlements();
        let again = client.submit_settlement(submit(numbered("b", CERT_B, "37020000002"))).await;
        let again = again.unwrap().into_inner();
        let moved = read_of(&both[0], "b").await;
        assert_eq!((again.replayed, again.claim), (true, Some(moved.clone())));
        let request = reversal(b.settlement.as_ref().unwrap());
        let reversed = client.reverse_settlement(request).await.unwrap().into_inner();
        assert_eq!(reversed.claim.unwrap().claim_id, moved.claim_id);
        for served in both {
            served.stop().await;
        }
        crate::audit::audit(&database).await;
    })
    .await;
}

/// Whoever acts on what somebody else changed a moment ago is told; one act of each revision wins.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_rule_at_once_one_does() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &persons(1)).await;
        let claim = pended(&served, "a", &cert(0)).await;
        let rulings = (1..=12).map(|n| {
            let (served, claim) = (&served, &claim);
            async move {
                let item = match n % 3 {
                    0 => Act::Approve(approve(claim)),
                    1 => Act::Approve(approve_amount(claim, n * 100_000)),
                    _ => Act::Deny(super::desk::deny(claim)),
                };
                act(served, &format!("adjuster-{n}"), item).await
            }
        });
        let answers = Box::pin(futures::future::join_all(rulings)).await;
        let (done, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert_eq!((done.len(), refused.len()), (1, 11));
        for error in refused {
            assert_eq!(crate::serving::told(&error.unwrap_err()).reason, "CLAIM_CHANGED");
        }
        let stands = read(&served, &claim.claim_id).await;
        assert_eq!(done.into_iter().next().unwrap().unwrap().claim, Some(stands.clone()));
        let comments = (0..20).map(|n| {
            let (served, stands) = (&served, &stands);
            let request = pb::CommentClaimRequest { revision: String::new(), ..comment(stands) };
            async move { act(served, &format!("adjuster-{n}"), Act::Comment(request)).await }
        });
        let answers = Box::pin(futures::future::join_all(comments)).await;
        let revisions: BTreeSet<String> =
            answers.into_iter().map(|it| it.unwrap().claim.unwrap().revision).collect();
        assert_eq!(revisions.len(), 20, "each is one event, and each caller sees its own");
        served.stop().await;
        crate::audit::audit(&database).await;
    })
    .await;
}

/// Claims come in, are ruled on and move, all at the same time, and the log says all of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_merge_amid_settlements_and_acts_loses_nothing() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let a = claim_of(&served, stay("a", CERT_A, 600_000)).await;
        let b = pended(&served, "b", CERT_B).await;
        let request = pb::MergeMembersRequest {
            from_member_id: b.member_id.clone(),
            into_member_id: a.member_id.clone(),
            validate_only: false,
        };
        let settling = (0..40).map(|n| {
            let (mut client, cert_no) = (served.settlements(), [CERT_A, CERT_B][n % 2]);
            let request = submit(stay(&format!("S-{n}"), cert_no, 10_000));
            async move { client.submit_settlement(request).await.unwrap().into_inner() }
        });
        let ruling = act(&served, "li", Act::Approve(approve(&b)));
        let mut members = served.members();
        let merging = members.merge_members(request);
        let (settled, ruled, merged) =
            Box::pin(async { tokio::join!(futures::future::join_all(settling), ruling, merging) })
                .await;
        merged.unwrap();
        if let Err(error) = ruled {
            assert_eq!(crate::serving::told(&error).reason, "CLAIM_STATE_FORBIDS");
        }
        for answer in settled {
            let id = answer.claim.unwrap().settlement.unwrap().settlement_id;
            let claim = read_of(&served, &id).await;
            assert_eq!(claim.member_id, a.member_id, "{id}");
            assert_eq!(claim.decision.unwrap().payout_fen, 10_000, "{id} after the deductible");
        }
        served.stop().await;
        crate::audit::audit(&database).await;
    })
    .await;
}
