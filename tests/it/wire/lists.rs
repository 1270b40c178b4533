//! Pages: everything once, whatever is written meanwhile, and tokens that fit one list only.

use std::collections::BTreeSet;

use greenlane::pb;
use tokio::sync::oneshot;
use tonic::Code;

use crate::serving::{
    CERT_A, CERT_E, Served, cert, message, on_sqlite, persons, refused, stay, submit,
};
use crate::support::on_every_backend;
use crate::world::sample_roster;

const PER_PAGE: i32 = 7;

fn page(page_token: String) -> pb::ListClaimsRequest {
    pb::ListClaimsRequest { page_size: PER_PAGE, page_token, ..pb::ListClaimsRequest::default() }
}

async fn send(served: &Served, ids: std::ops::Range<usize>) {
    let items = ids.map(|n| pb::SubmitSettlementsRequest {
        settlement: Some(stay(&format!("S-{n}"), &cert(n % 10), 100)),
        ..pb::SubmitSettlementsRequest::default()
    });
    let items: Vec<_> = items.collect();
    let answers = served.settlements().submit_settlements(tokio_stream::iter(items)).await;
    let mut answers = answers.unwrap().into_inner();
    while answers.message().await.unwrap().is_some() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn every_claim_comes_once_while_others_are_written() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &persons(10)).await;
        send(&served, 0..200).await;
        let (started, turning) = oneshot::channel();
        let writing = async {
            turning.await.unwrap();
            send(&served, 200..600).await;
        };
        let reading = async {
            let (mut ids, mut seen) = (Vec::new(), BTreeSet::new());
            let (mut started, mut token, mut last) = (Some(started), String::new(), None);
            loop {
                let answer = served.claims().list_claims(page(token)).await.unwrap().into_inner();
                if let Some(started) = started.take() {
                    started.send(()).unwrap();
                }
                assert!(answer.claims.len() <= usize::try_from(PER_PAGE).unwrap());
                for claim in answer.claims {
                    let time = claim.create_time.map(|time| (time.seconds, time.nanos));
                    assert!(last <= time, "oldest first");
                    last = time;
                    assert!(seen.insert(claim.claim_id.clone()), "{} came twice", claim.claim_id);
                    ids.push(claim.settlement.unwrap().settlement_id);
                }
                token = answer.next_page_token;
                if token.is_empty() {
                    break ids;
                }
            }
        };
        let (ids, ()) = tokio::join!(reading, writing);
        let ids: BTreeSet<_> = ids.into_iter().collect();
        for n in 0..200 {
            assert!(ids.contains(&format!("S-{n}")), "S-{n} was there before and is missing");
        }
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_find_what_they_name_and_nothing_else() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        for file in [
            "18_composite_ingest_case_a_stay1",
            "18b_composite_case_a_stay2",
            "18d_composite_case_b_with_lines",
            "20_2304_person_without_coverage",
            "21_2304_above_green_ceiling",
        ] {
            served.settlements().submit_message(message(file)).await.unwrap();
        }
        let list = async |request: pb::ListClaimsRequest| {
            let answer = served.claims().list_claims(request).await.unwrap().into_inner();
            assert_eq!(answer.next_page_token, "");
            answer.claims
        };
        let all = list(pb::ListClaimsRequest::default()).await;
        assert_eq!(all.len(), 5);
        let [first, second, ..] = &all[..] else { unreachable!() };
        let any = pb::ListClaimsRequest::default;
        let of = |claim: &pb::Claim| claim.settlement.clone().unwrap();
        let text = str::to_owned;
        for (request, count) in [
            (pb::ListClaimsRequest { states: vec![pb::ClaimState::Denied.into()], ..any() }, 1),
            (
                pb::ListClaimsRequest {
                    states: vec![pb::ClaimState::Denied.into(), pb::ClaimState::Pended.into()],
                    ..any()
                },
                2,
            ),
            (pb::ListClaimsRequest { states: vec![pb::ClaimState::Paid.into()], ..any() }, 0),
            (pb::ListClaimsRequest { member_id: first.member_id.clone(), ..any() }, 2),
            (pb::ListClaimsRequest { plan_id: text("qingdao-rongjun"), ..any() }, 4),
            (pb::ListClaimsRequest { visit_id: of(second).visit_id, ..any() }, 1),
            (pb::ListClaimsRequest { invoice_no: of(first).invoice_no, ..any() }, 1),
            (pb::ListClaimsRequest { settlement_id: of(first).settlement_id, ..any() }, 1),
            (pb::ListClaimsRequest { source: text("370200"), ..any() }, 5),
            (pb::ListClaimsRequest { source: text("110000"), ..any() }, 0),
            (pb::ListClaimsRequest { hospital_code: text("H37029999001"), ..any() }, 4),
            (pb::ListClaimsRequest { hospital_code: text("H37029999009"), ..any() }, 0),
            (pb::ListClaimsRequest { create_time_from: second.create_time, ..any() }, 4),
            (pb::ListClaimsRequest { create_time_to: second.create_time, ..any() }, 1),
        ] {
            assert_eq!(list(request.clone()).await.len(), count, "{request:?}");
        }
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_fits_its_own_list_only() {
    on_sqlite(async |database| {
        let served = Served::start(&database, &persons(10)).await;
        send(&served, 0..20).await;
        let mut claims = served.claims();
        let first = claims.list_claims(page(String::new())).await.unwrap().into_inner();
        let token = first.next_page_token;
        let invalid = (Code::InvalidArgument, "PAGE_TOKEN_INVALID".to_owned());
        for garbled in ["x".to_owned(), "第一页".to_owned(), token[1..].to_owned(), token.repeat(2)]
        {
            assert_eq!(refused(claims.list_claims(page(garbled)).await), invalid);
        }
        let source = "370200".to_owned();
        let filtered = pb::ListClaimsRequest { source, ..page(token.clone()) };
        assert_eq!(refused(claims.list_claims(filtered).await), invalid, "another filter");
        let request = pb::ListPlansRequest { page_size: 1, page_token: token.clone() };
        assert_eq!(refused(served.plans().list_plans(request).await), invalid, "another method");
        on_sqlite(async |other| {
            let other = Served::start(&other, &persons(1)).await;
            let answer = other.claims().list_claims(page(token.clone())).await;
            assert_eq!(refused(answer), invalid, "another ledger");
            other.stop().await;
        })
        .await;
        let wider = pb::ListClaimsRequest { page_size: 1000, ..page(token.clone()) };
        let rest = claims.list_claims(wider).await.unwrap().into_inner();
        assert_eq!((rest.claims.len(), &*rest.next_page_token), (13, ""), "another size is fine");
        let negative = pb::ListClaimsRequest { page_size: -1, ..page(String::new()) };
        let invalid = (Code::InvalidArgument, "INVALID_FIELD".to_owned());
        assert_eq!(refused(claims.list_claims(negative).await), invalid);
        let unknown = pb::ListClaimsRequest { states: vec![0], ..page(String::new()) };
        assert_eq!(refused(claims.list_claims(unknown).await), invalid);
        served.stop().await;
    })
    .await;
}

/// A page holds whole claims up to what common clients take, and the rest comes with the next.
#[tokio::test(flavor = "multi_thread")]
async fn pages_of_long_bills_stay_below_what_clients_take() {
    on_sqlite(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let line = |n: usize| pb::Line {
            line_no: format!("F{n}"),
            item_name: "示例".repeat(100),
            total_fen: 1,
            in_scope_fen: Some(1),
            ..pb::Line::default()
        };
        for (id, cert_no) in [("S-1", CERT_A), ("S-2", CERT_A), ("S-3", CERT_E)] {
            let lines: Vec<_> = (0..3_000).map(line).collect();
            let long = pb::Settlement { lines, ..stay(id, cert_no, 3_000) };
            served.settlements().submit_settlement(submit(long)).await.unwrap();
        }
        let (mut found, mut token) = (Vec::new(), String::new());
        loop {
            let request = pb::ListClaimsRequest { page_size: 1000, ..page(token) };
            let answer = served.claims().list_claims(request).await.unwrap().into_inner();
            found.extend(answer.claims.into_iter().map(|it| it.settlement.unwrap().settlement_id));
            token = answer.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(found, ["S-1", "S-2", "S-3"]);
        served.stop().await;
    })
    .await;
}
