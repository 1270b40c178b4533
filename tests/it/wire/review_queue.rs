//! The queue of the review desk: everything that waits once, what it holds, and what rests on it.

use std::collections::BTreeSet;

use greenlane::pb;
use greenlane::pb::review_claims_item::Act;
use tonic::Code;

use super::desk::{approve, ask, assign, by, claim_of, done, pended, reason_of};
use crate::serving::{Served, cert, persons, refused, stay};
use crate::support::on_every_backend;

async fn list(served: &Served, request: pb::ListReviewsRequest) -> pb::ListReviewsResponse {
    served.reviews().list_reviews(request).await.unwrap().into_inner()
}

fn ids(answer: &pb::ListReviewsResponse) -> Vec<String> {
    let id = |claim: &pb::Claim| claim.settlement.as_ref().unwrap().settlement_id.clone();
    answer.claims.iter().map(id).collect()
}

/// Every page of a list.
async fn pages(served: &Served, request: pb::ListReviewsRequest) -> Vec<Vec<String>> {
    let (mut pages, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListReviewsRequest { page_token, ..request.clone() };
        let answer = list(served, request).await;
        pages.push(ids(&answer));
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            return pages;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_hold_every_waiting_claim_once_in_either_order() {
    on_every_backend(async |database| {
        const CLAIMS: usize = 17;
        let served = Served::start(&database, &persons(CLAIMS)).await;
        let mut amounts = Vec::new();
        for n in 0..CLAIMS {
            // Some pay alike.
            let burden = 11_000_000 + i64::try_from(n * 7 % 5).unwrap() * 500_000;
            let id = format!("S-{n:02}");
            claim_of(&served, stay(&id, &cert(n), burden)).await;
            claim_of(&served, stay(&format!("green-{n}"), &cert(n), 100)).await;
            amounts.push((-burden, id));
        }
        let by_age: Vec<String> = amounts.iter().map(|(_, id)| id.clone()).collect();
        let page = pb::ListReviewsRequest { page_size: 5, ..Default::default() };
        for order in [pb::ReviewOrder::Unspecified, pb::ReviewOrder::Age] {
            let order = order.into();
            let pages = pages(&served, pb::ListReviewsRequest { order, ..page.clone() }).await;
            assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [5, 5, 5, 2]);
            assert_eq!(pages.concat(), by_age);
        }
        let order = pb::ReviewOrder::Amount.into();
        let request = pb::ListReviewsRequest { order, ..page };
        let found = pages(&served, request.clone()).await.concat();
        let burden = |id: &String| amounts.iter().find(|it| it.1 == *id).unwrap().0;
        assert!(found.iter().map(burden).is_sorted(), "{found:?}");
        let distinct: BTreeSet<&String> = found.iter().collect();
        assert_eq!((found.len(), distinct.len()), (CLAIMS, CLAIMS));
        let whole = pb::ListReviewsRequest { page_size: 17, ..request };
        let whole = list(&served, whole).await;
        assert_eq!((ids(&whole), &*whole.next_page_token), (found, ""));
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_of_the_queue_find_what_they_name_and_nothing_else() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &persons(6)).await;
        let a = pended(&served, "a", &cert(0)).await;
        done(&served, "li", Act::Assign(assign(&a))).await;
        let b = pb::Settlement {
            hospital_code: "H37029999002".into(),
            ..stay("b", &cert(1), 14_000_000)
        };
        let b = claim_of(&served, b).await;
        done(&served, "li", Act::RequestInformation(ask(&b))).await;
        // It states more than the bill.
        let c = pb::Settlement { fund_total_fen: Some(900), ..stay("c", &cert(2), 600_000) };
        let c = claim_of(&served, c).await;
        assert_eq!((c.state(), c.decision.is_none()), (pb::ClaimState::Pended, true));
        let d = pended(&served, "d", &cert(3)).await;
        done(&served, "li", Act::Approve(approve(&d))).await;
        claim_of(&served, stay("e", &cert(4), 600_000)).await;
        let any = pb::ListReviewsRequest::default;
        let text = str::to_owned;
        for (request, expected) in [
            (any(), vec!["a", "b", "c"]),
            (
                pb::ListReviewsRequest { state: pb::ClaimState::Pended.into(), ..any() },
                vec!["a", "c"],
            ),
            (
                pb::ListReviewsRequest {
                    state: pb::ClaimState::InformationRequested.into(),
                    ..any()
                },
                vec!["b"],
            ),
            (
                pb::ListReviewsRequest { plan_id: text("qingdao-rongjun"), ..any() },
                vec!["a", "b", "c"],
            ),
            (pb::ListReviewsRequest { plan_id: text("other"), ..any() }, vec![]),
            (pb::ListReviewsRequest { hospital_code: text("H37029999002"), ..any() }, vec!["b"]),
            (
                pb::ListReviewsRequest { reason_code: text("ABOVE_CEILING"), ..any() },
                vec!["a", "b"],
            ),
            (
                pb::ListReviewsRequest { reason_code: text("AMOUNTS_CONTRADICT"), ..any() },
                vec!["c"],
            ),
            (pb::ListReviewsRequest { reason_code: text("REOPENED"), ..any() }, vec![]),
            (pb::ListReviewsRequest { assignee: text("li"), ..any() }, vec!["a"]),
            (pb::ListReviewsRequest { assignee: text("wang"), ..any() }, vec![]),
            (pb::ListReviewsRequest { only_free: true, ..any() }, vec!["b", "c"]),
            (pb::ListReviewsRequest { payout_min_fen: Some(11_500_000), ..any() }, vec!["a", "b"]),
            (pb::ListReviewsRequest { payout_min_fen: Some(11_500_001), ..any() }, vec!["b"]),
            (pb::ListReviewsRequest { payout_max_fen: Some(11_500_000), ..any() }, vec!["a", "c"]),
            (pb::ListReviewsRequest { payout_max_fen: Some(0), ..any() }, vec!["c"]),
        ] {
            assert_eq!(ids(&list(&served, request.clone()).await), expected, "{request:?}");
        }
        let claim = &list(&served, any()).await.claims[2];
        assert_eq!(*claim, c, "each as it is read alone");
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_the_queue_fits_its_own_list_only() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &persons(4)).await;
        for n in 0..4 {
            pended(&served, &format!("S-{n}"), &cert(n)).await;
        }
        let first = pb::ListReviewsRequest { page_size: 2, ..Default::default() };
        let page_token = list(&served, first).await.next_page_token;
        let next = pb::ListReviewsRequest { page_token, page_size: 100, ..Default::default() };
        assert_eq!(ids(&list(&served, next.clone()).await), ["S-2", "S-3"]);
        assert_eq!(ids(&list(&served, next.clone()).await), ["S-2", "S-3"], "used again");
        let invalid = (Code::InvalidArgument, "PAGE_TOKEN_INVALID".to_owned());
        let same = || next.clone();
        for other in [
            pb::ListReviewsRequest { order: pb::ReviewOrder::Amount.into(), ..same() },
            pb::ListReviewsRequest { only_free: true, ..same() },
            pb::ListReviewsRequest { payout_min_fen: Some(0), ..same() },
            pb::ListReviewsRequest { plan_id: "qingdao-rongjun".into(), ..same() },
            pb::ListReviewsRequest { state: pb::ClaimState::Pended.into(), ..same() },
            pb::ListReviewsRequest { page_token: "x".into(), ..same() },
        ] {
            assert_eq!(refused(served.reviews().list_reviews(other).await), invalid);
        }
        let elsewhere = pb::ListClaimsRequest { page_token: next.page_token, ..Default::default() };
        assert_eq!(refused(served.claims().list_claims(elsewhere).await), invalid);
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_question_about_the_queue_names_every_field() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &[]).await;
        let request = pb::ListReviewsRequest {
            state: pb::ClaimState::Approved.into(),
            plan_id: "青岛".into(),
            hospital_code: "a b".into(),
            reason_code: "FOO".into(),
            assignee: "a b".into(),
            payout_min_fen: Some(-1),
            payout_max_fen: Some(-1),
            page_size: -1,
            ..Default::default()
        };
        let error = served.reviews().list_reviews(request).await.unwrap_err();
        let told = crate::serving::told(&error);
        let fields: BTreeSet<&str> = told.metadata["fields"].split(',').collect();
        let expected = [
            "assignee",
            "hospital_code",
            "page_size",
            "payout_max_fen",
            "payout_min_fen",
            "plan_id",
            "reason_code",
            "state",
        ];
        assert_eq!(fields, expected.into_iter().collect());
        let both =
            pb::ListReviewsRequest { only_free: true, assignee: "li".into(), ..Default::default() };
        let error = served.reviews().list_reviews(both).await;
        assert_eq!(refused(error), (Code::InvalidArgument, "INVALID_FIELD".to_owned()));
        served.stop().await;
    })
    .await;
}

async fn reserves(served: &Served) -> Vec<pb::Reserve> {
    let request = pb::GetReviewSummaryRequest {};
    served.reviews().get_review_summary(request).await.unwrap().into_inner().reserves
}

#[tokio::test(flavor = "multi_thread")]
async fn the_summary_tells_what_waits_and_what_rests_on_it() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &persons(5)).await;
        assert_eq!(reserves(&served).await, []);
        claim_of(&served, stay("early", &cert(0), 600_000)).await;
        let a = pended(&served, "a", &cert(0)).await;
        claim_of(&served, stay("b", &cert(0), 300_000)).await;
        let c = claim_of(&served, stay("c", &cert(0), 12_000_000)).await;
        claim_of(&served, stay("d", &cert(0), 200_000)).await;
        let other = pended(&served, "o", &cert(1)).await;
        claim_of(&served, stay("far", &cert(2), 900_000)).await;
        done(&served, "li", Act::Assign(assign(&other))).await;
        let unclear = pb::Settlement { fund_total_fen: Some(900), ..stay("u", &cert(3), 600_000) };
        let unclear = claim_of(&served, unclear).await;
        let found = reserves(&served).await;
        let [plan] = &found[..] else { panic!("{found:?}") };
        assert!(unclear.decision.is_none(), "it holds nothing");
        let expected = pb::Reserve {
            plan_id: "qingdao-rongjun".into(),
            claim_count: 4,
            assigned_count: 1,
            // The deductible of the first member was taken before.
            reserved_fen: 12_000_000 + 12_000_000 + 11_500_000,
            at_risk_fen: 300_000 + 200_000,
            oldest_pend_time: a.create_time,
        };
        assert_eq!(*plan, expected);
        done(&served, "li", Act::Approve(approve(&c))).await;
        let plan = &reserves(&served).await[0];
        assert_eq!((plan.claim_count, plan.reserved_fen), (3, 12_000_000 + 11_500_000));
        assert_eq!(plan.at_risk_fen, 300_000 + 12_000_000 + 200_000, "all of it rests on one now");
        // Who only reads needs no name, and who has one is not refused.
        let named = by("li", pb::GetReviewSummaryRequest {});
        served.reviews().get_review_summary(named).await.unwrap();
        let gone = Act::Approve(approve(&c));
        assert_eq!(reason_of(&served, "li", gone).await.reason, "CLAIM_CHANGED");
        served.stop().await;
    })
    .await;
}
