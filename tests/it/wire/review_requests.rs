//! Acts as requests: what is wrong with them, who was too late, and what comes twice.

use std::collections::BTreeSet;

use greenlane::pb;
use greenlane::pb::review_claims_item::Act;
use tonic::{Code, Request};

use super::desk::{
    act, answer, approve, approve_amount, ask, assign, by, changed, claim_of, comment, deny, done,
    every_act, pended, read, reason_of, reopen, request_id,
};
use crate::serving::{Served, cert, on_sqlite, persons, refused, stay, told};
use crate::support::on_every_backend;

#[tokio::test(flavor = "multi_thread")]
async fn nobody_acts_without_a_name() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &persons(1)).await;
        let claim = pended(&served, "a", &cert(0)).await;
        let mut client = served.reviews();
        let error = client.approve_claim(Request::new(approve(&claim))).await.unwrap_err();
        let nameless = told(&error);
        assert_eq!((nameless.code, &*nameless.reason), (Code::InvalidArgument, "INVALID_FIELD"));
        assert_eq!(nameless.violations, ["greenlane-actor is required in the metadata"]);
        let nothing = Request::new(pb::ReopenClaimRequest::default());
        let error = client.reopen_claim(nothing).await.unwrap_err();
        let expected = ["greenlane-actor", "claim_id", "revision", "note", "request_id"];
        assert_eq!(told(&error).metadata["fields"].split(',').collect::<Vec<_>>(), expected);
        let long = "a".repeat(65);
        for bad in ["", "two words", &long] {
            for item in every_act(&claim) {
                let told = reason_of(&served, bad, item).await;
                assert_eq!(told.code, Code::InvalidArgument);
                assert_eq!(told.metadata["fields"], "greenlane-actor", "{bad:?}");
            }
        }
        let item = pb::ReviewClaimsItem { act: Some(Act::Approve(approve(&claim))) };
        let many = pb::ReviewClaimsRequest { items: vec![item] };
        let error = client.review_claims(Request::new(many)).await.unwrap_err();
        assert_eq!(told(&error).metadata["fields"], "greenlane-actor");
        assert_eq!(read(&served, &claim.claim_id).await, claim);
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_act_names_everything_that_is_wrong_with_it() {
    on_sqlite(async |database| {
        let served = Served::start(&database, &[]).await;
        let amount = pb::ApproveClaimRequest { payout_fen: Some(-1), ..Default::default() };
        let reason = pb::DenyClaimRequest { reason_code: "FOO".into(), ..Default::default() };
        let items = pb::RequestInformationRequest {
            items: vec![String::new(), "x".repeat(501)],
            ..Default::default()
        };
        let nobody = pb::AssignClaimRequest {
            release: true,
            revision: "0/1".into(),
            assignee: "li".into(),
            plan_id: "青岛".into(),
            ..Default::default()
        };
        for (item, fields) in [
            (
                Act::Approve(pb::ApproveClaimRequest::default()),
                vec!["claim_id", "revision", "request_id"],
            ),
            (
                Act::Approve(amount),
                vec!["payout_fen", "claim_id", "revision", "note", "request_id"],
            ),
            (Act::Deny(reason), vec!["reason_code", "claim_id", "revision", "request_id"]),
            (
                Act::RequestInformation(pb::RequestInformationRequest::default()),
                vec!["items", "claim_id", "revision", "request_id"],
            ),
            (
                Act::RequestInformation(items),
                vec!["items[0]", "items[1]", "claim_id", "revision", "request_id"],
            ),
            (
                Act::ProvideInformation(pb::ProvideInformationRequest::default()),
                vec!["claim_id", "note", "request_id"],
            ),
            (
                Act::Reopen(pb::ReopenClaimRequest::default()),
                vec!["claim_id", "revision", "note", "request_id"],
            ),
            (
                Act::Comment(pb::CommentClaimRequest::default()),
                vec!["claim_id", "note", "request_id"],
            ),
            (Act::Assign(pb::AssignClaimRequest::default()), vec!["request_id"]),
            (Act::Assign(nobody), vec!["plan_id", "assignee", "release", "revision", "request_id"]),
        ] {
            let name = format!("{item:?}");
            let told = reason_of(&served, "li", item).await;
            assert_eq!((told.code, &*told.reason), (Code::InvalidArgument, "INVALID_FIELD"));
            let named: BTreeSet<&str> =
                told.violations.iter().map(|it| it.split(' ').next().unwrap()).collect();
            assert_eq!(named, fields.into_iter().collect(), "{name}: {:?}", told.violations);
        }
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_and_revisions_that_are_none_are_refused() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &persons(1)).await;
        let claim = pended(&served, "a", &cert(0)).await;
        let good = comment(&claim);
        let lane = claim.claim_id.split_once('-').unwrap().0;
        let other_lane = format!("{}/1", lane.parse::<u16>().unwrap() + 1);
        let zero = format!("{lane}/0");
        let text = str::to_owned;
        let with = |change: fn(&mut pb::CommentClaimRequest, String), value: &str| {
            let mut request = good.clone();
            change(&mut request, text(value));
            request
        };
        let revisions = ["x", "/", &zero, &other_lane, "3/x"];
        let revisions = revisions.map(|it| (with(|to, it| to.revision = it, it), "revision"));
        let more = [
            (with(|to, it| to.claim_id = it, "3"), "claim_id"),
            (with(|to, it| to.claim_id = it, "测试"), "claim_id"),
            (with(|to, it| to.request_id = it, "42"), "request_id"),
            (with(|to, it| to.note = it, &"字".repeat(2001)), "note"),
            (with(|to, it| to.note = it, "\u{7}"), "note"),
        ];
        for (request, field) in revisions.into_iter().chain(more) {
            let told = reason_of(&served, "li", Act::Comment(request)).await;
            assert_eq!((told.code, &*told.reason), (Code::InvalidArgument, "INVALID_FIELD"));
            assert!(told.metadata["fields"].split(',').any(|it| it == field), "{told:?}");
        }
        let stranger = pb::Claim { claim_id: "7-4711".into(), revision: "7/3".into(), ..claim };
        for item in every_act(&stranger) {
            let told = reason_of(&served, "li", item).await;
            assert_eq!((told.code, &*told.reason), (Code::NotFound, "CLAIM_NOT_FOUND"));
            assert_eq!(told.metadata.get("claim_id").map(String::as_str), Some("7-4711"));
        }
        let words = pb::CommentClaimRequest { note: "一\n".repeat(1000), ..good };
        done(&served, "li", Act::Comment(words)).await;
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_saw_the_claim_before_it_changed_is_told_how_it_stands() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &persons(1)).await;
        let first = claim_of(&served, stay("a", &cert(0), 600_000)).await;
        let seen = pended(&served, "b", &cert(0)).await;
        let request = super::desk::reversal(first.settlement.as_ref().unwrap());
        served.settlements().reverse_settlement(request).await.unwrap();
        let now = read(&served, &seen.claim_id).await;
        assert_ne!(now.revision, seen.revision);
        for item in every_act(&seen) {
            let told = reason_of(&served, "li", item).await;
            assert_eq!((told.code, &*told.reason), (Code::Aborted, "CLAIM_CHANGED"));
            assert_eq!(told.metadata["claim_id"], seen.claim_id);
            assert_eq!(told.metadata["revision"], now.revision);
            assert_eq!(told.metadata["state"], "CLAIM_STATE_PENDED");
            assert_eq!(told.metadata["payout_fen"], "11500000");
        }
        assert_eq!(read(&served, &seen.claim_id).await, now);
        let unseen = pb::CommentClaimRequest { revision: String::new(), ..comment(&seen) };
        done(&served, "li", Act::Comment(unseen)).await;
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_comes_again_is_replayed_with_what_it_changed_then() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &persons(3)).await;
        let claim = pended(&served, "a", &cert(0)).await;
        claim_of(&served, stay("b", &cert(0), 300_000)).await;
        let request = Act::Deny(deny(&claim));
        let first = act(&served, "li", request.clone()).await.unwrap();
        assert_eq!(changed(&first.changes), [("b", 300_000, 0)]);
        let again = act(&served, "li", request.clone()).await.unwrap();
        assert_eq!(again, pb::ReviewedClaim { replayed: true, ..first.clone() });
        let denied = first.claim.clone().unwrap();
        let reopened = done(&served, "li", Act::Reopen(reopen(&denied))).await;
        let again = act(&served, "li", request.clone()).await.unwrap();
        assert!(again.replayed);
        assert_eq!(again.claim, Some(reopened.clone()), "the claim as it stands by now");
        assert_eq!(again.changes, first.changes);
        let many = pb::ReviewClaimsRequest {
            items: vec![pb::ReviewClaimsItem { act: Some(request.clone()) }],
        };
        let many = served.reviews().review_claims(by("li", many)).await.unwrap().into_inner();
        let Some(pb::review_claims_result::Outcome::Reviewed(in_bulk)) = &many.results[0].outcome
        else {
            panic!("{many:?}")
        };
        assert_eq!(*in_bulk, again, "whichever way it comes");

        let Act::Deny(denial) = request else { unreachable!() };
        let reused = (Code::AlreadyExists, "REQUEST_ID_REUSED".to_owned());
        let other_note = pb::DenyClaimRequest { note: "另".into(), ..denial.clone() };
        assert_eq!(refused(act(&served, "li", Act::Deny(other_note)).await), reused);
        assert_eq!(refused(act(&served, "wang", Act::Deny(denial.clone())).await), reused);
        let other = pended(&served, "c", &cert(1)).await;
        let id = denial.request_id.clone();
        let elsewhere = pb::DenyClaimRequest { request_id: id.clone(), ..deny(&other) };
        let told = reason_of(&served, "li", Act::Deny(elsewhere)).await;
        assert_eq!(
            (told.reason.as_str(), &told.metadata["request_id"]),
            ("REQUEST_ID_REUSED", &id)
        );
        let another_act = pb::CommentClaimRequest { request_id: id, ..comment(&reopened) };
        assert_eq!(refused(act(&served, "li", Act::Comment(another_act)).await), reused);
        assert_eq!(read(&served, &other.claim_id).await, other);
        assert_eq!(read(&served, &claim.claim_id).await, reopened, "nothing was done twice");
        served.stop().await;
        crate::audit::audit(&database).await;
    })
    .await;
}

/// A refusal takes no id, and neither does a trial.
#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_used_by_what_was_carried_out_only() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &persons(1)).await;
        let claim = pended(&served, "a", &cert(0)).await;
        let id = request_id();
        let early = pb::ProvideInformationRequest { request_id: id.clone(), ..answer(&claim) };
        let told = reason_of(&served, "li", Act::ProvideInformation(early)).await;
        assert_eq!(told.reason, "CLAIM_STATE_FORBIDS");
        let tried = pb::ApproveClaimRequest {
            request_id: id.clone(),
            validate_only: true,
            ..approve_amount(&claim, 5)
        };
        done(&served, "li", Act::Approve(tried)).await;
        assert_eq!(read(&served, &claim.claim_id).await, claim);
        let request = pb::RequestInformationRequest { request_id: id, ..ask(&claim) };
        done(&served, "li", Act::RequestInformation(request)).await;
        served.stop().await;
    })
    .await;
}

fn take_next() -> pb::AssignClaimRequest {
    pb::AssignClaimRequest { request_id: request_id(), ..pb::AssignClaimRequest::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_take_the_next_claim_at_once_never_get_the_same() {
    on_every_backend(async |database| {
        const CLAIMS: usize = 20;
        const CALLERS: usize = 8;
        let served = Served::start(&database, &persons(CLAIMS)).await;
        for n in 0..CLAIMS {
            pended(&served, &format!("S-{n}"), &cert(n)).await;
        }
        let callers = (0..CALLERS).map(|caller| {
            let mut client = served.reviews();
            async move {
                let name = format!("adjuster-{caller}");
                let mut taken = Vec::new();
                loop {
                    let request = by(&name, take_next());
                    let answer = client.assign_claim(request).await.unwrap().into_inner();
                    let Some(claim) = answer.claim else { break taken };
                    assert_eq!(claim.review.unwrap().assignee, name);
                    taken.push(claim.claim_id);
                }
            }
        });
        let taken = futures::future::join_all(callers).await;
        let all: Vec<&String> = taken.iter().flatten().collect();
        let distinct: BTreeSet<&String> = all.iter().copied().collect();
        assert_eq!((all.len(), distinct.len()), (CLAIMS, CLAIMS), "each once: {taken:?}");
        served.stop().await;
        crate::audit::audit(&database).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_for_the_next_claim_gives_the_same_one() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &persons(3)).await;
        let oldest = pended(&served, "a", &cert(0)).await;
        let larger = claim_of(&served, stay("b", &cert(1), 14_000_000)).await;
        let request = take_next();
        let first = act(&served, "li", Act::Assign(request.clone())).await.unwrap();
        assert_eq!(first.claim.as_ref().unwrap().claim_id, oldest.claim_id);
        let again = act(&served, "li", Act::Assign(request.clone())).await.unwrap();
        assert_eq!(again, pb::ReviewedClaim { replayed: true, ..first });
        let other = pb::AssignClaimRequest { order: pb::ReviewOrder::Amount.into(), ..request };
        let reused = (Code::AlreadyExists, "REQUEST_ID_REUSED".to_owned());
        assert_eq!(refused(act(&served, "li", Act::Assign(other)).await), reused);
        let tried = pb::AssignClaimRequest { validate_only: true, ..Default::default() };
        let tried = act(&served, "li", Act::Assign(tried)).await.unwrap().claim.unwrap();
        assert_eq!(tried.claim_id, larger.claim_id);
        assert_eq!(read(&served, &larger.claim_id).await, larger, "only tried");
        let of_other = pb::AssignClaimRequest { plan_id: "other".into(), ..take_next() };
        assert_eq!(act(&served, "li", Act::Assign(of_other)).await.unwrap().claim, None);
        let next = done(&served, "li", Act::Assign(take_next())).await;
        assert_eq!(next.claim_id, larger.claim_id);
        assert_eq!(act(&served, "wang", Act::Assign(take_next())).await.unwrap().claim, None);
        let free = pb::AssignClaimRequest { release: true, ..assign(&next) };
        done(&served, "li", Act::Assign(free)).await;
        assert_eq!(done(&served, "wang", Act::Assign(take_next())).await.claim_id, next.claim_id);
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_most_urgent_claim_is_the_one_of_the_order() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &persons(3)).await;
        for (n, burden) in [12_000_000, 14_000_000, 13_000_000].into_iter().enumerate() {
            claim_of(&served, stay(&format!("S-{n}"), &cert(n), burden)).await;
        }
        let by_amount =
            || pb::AssignClaimRequest { order: pb::ReviewOrder::Amount.into(), ..take_next() };
        let id = |claim: pb::Claim| claim.settlement.unwrap().settlement_id;
        assert_eq!(id(done(&served, "li", Act::Assign(by_amount())).await), "S-1");
        assert_eq!(id(done(&served, "li", Act::Assign(by_amount())).await), "S-2");
        served.stop().await;
    })
    .await;
}

/// Whatever a client that lost its answers sends at once, it is one request.
#[tokio::test(flavor = "multi_thread")]
async fn one_request_that_comes_many_times_at_once_takes_one_claim() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &persons(10)).await;
        for n in 0..10 {
            pended(&served, &format!("S-{n}"), &cert(n)).await;
        }
        for _ in 0..3 {
            let request = take_next();
            let calls = (0..12).map(|_| {
                let (mut client, request) = (served.reviews(), by("li", request.clone()));
                async move { client.assign_claim(request).await.unwrap().into_inner() }
            });
            let answers = futures::future::join_all(calls).await;
            let ids: BTreeSet<String> =
                answers.iter().map(|it| it.claim.as_ref().unwrap().claim_id.clone()).collect();
            assert_eq!(ids.len(), 1, "{ids:?}");
            assert_eq!(answers.iter().filter(|it| !it.replayed).count(), 1);
        }
        served.stop().await;
        crate::audit::audit(&database).await;
    })
    .await;
}
