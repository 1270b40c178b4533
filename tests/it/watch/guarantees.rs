//! One test for each guarantee, on both databases.

use std::collections::BTreeSet;
use std::time::Duration;

use greenlane::pb;
use greenlane::pb::watch_claims_response::Item;
use greenlane::server::Limits;
use tonic::Code;

use super::client::{
    Stored, Watching, after, everything, filtered, from_beginning, from_now, place, positions,
    stored_events,
};
use super::{enrol, hospital, nth, send, supplemented};
use crate::serving::{Served, cert, on_sqlite, persons, refused, stay, told};
use crate::support::{on_every_backend, on_postgres};
use crate::world::{open_ledger, start_ledger};

const MEMBERS: usize = 7;
const LANES: usize = 8;

/// A workload with claims that change: supplements, and an enrolment after the fact.
async fn work(served: &Served) {
    send(&served.channel, (0..60).map(|n| nth(n, MEMBERS))).await;
    send(&served.channel, (0..60).step_by(3).map(|n| supplemented(n, MEMBERS))).await;
    send(&served.channel, [stay("late", &cert(MEMBERS), 700_000)]).await;
    enrol(served, MEMBERS).await;
}

fn places(events: &[pb::ClaimEvent]) -> Vec<(u16, i64)> {
    events.iter().map(|event| place(&event.revision)).collect()
}

fn sorted(mut places: Vec<(u16, i64)>) -> Vec<(u16, i64)> {
    places.sort_unstable();
    places
}

#[tokio::test(flavor = "multi_thread")]
async fn ordered_per_member_and_claim() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &persons(MEMBERS)).await;
        let mut watching = Watching::open(&served.channel, from_beginning()).await.unwrap();
        assert!(watching.until_progress().await.is_empty());
        work(&served).await;
        let count = stored_events(&database).await.len();
        // Once as it happened and once from the store.
        for events in
            [watching.events(count).await, { everything(&served.channel, from_beginning()).await }]
        {
            let mut last = std::collections::HashMap::new();
            for event in &events {
                for of in [&event.member_id, &event.claim_id] {
                    let place = place(&event.revision);
                    assert!(last.insert(of.clone(), place) < Some(place), "{event:?}");
                }
                let before =
                    last.insert(format!("state {}", event.claim_id), (0, event.state.into()));
                let before = before.map_or(0, |(_, state)| state);
                assert_eq!(i64::from(event.state_before), before, "{event:?}");
            }
        }
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reliable_and_unique_from_the_first_event_to_the_last() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &persons(MEMBERS)).await;
        work(&served).await;
        let stored = stored_events(&database).await;
        let expected: Vec<_> = stored.iter().map(Stored::place).collect();
        let events = everything(&served.channel, from_beginning()).await;
        assert_eq!(sorted(places(&events)), expected);
        let redecided = |event: &&pb::ClaimEvent| event.cause() == pb::ClaimEventCause::Redecided;
        let late: Vec<_> = events.iter().filter(redecided).collect();
        assert_eq!(late.len(), 1);
        assert_eq!(late[0].settlement_id, "late");
        assert_eq!(late[0].state_before(), pb::ClaimState::Denied);
        assert_eq!(late[0].state(), pb::ClaimState::Approved);
        assert_eq!((late[0].payout_fen, late[0].patient_share_fen), (Some(200_000), Some(500_000)));
        assert_eq!(late[0].payouts.len(), 1);
        for event in &events {
            let request =
                pb::GetClaimRequest { claim_id: event.claim_id.clone(), ..Default::default() };
            let claim = served.claims().get_claim(request).await.unwrap().into_inner();
            let claim = claim.claim.unwrap();
            if claim.revision == event.revision {
                assert_eq!(claim.state, event.state);
                assert_eq!(claim.next_step, event.next_step);
                assert_eq!(claim.plan_version, event.plan_version);
                assert_eq!(claim.update_time, event.event_time);
                let decision = claim.decision.unwrap();
                assert_eq!(Some(decision.payout_fen), event.payout_fen);
                assert_eq!(Some(decision.patient_share_fen), event.patient_share_fen);
            }
        }
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn resumable_behind_every_single_response() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &persons(MEMBERS)).await;
        work(&served).await;
        let expected: Vec<_> = stored_events(&database).await.iter().map(Stored::place).collect();
        let (mut seen, mut request) = (Vec::new(), from_beginning());
        while seen.len() < expected.len() {
            let mut watching = Watching::open(&served.channel, request).await.unwrap();
            if let Item::Event(event) = watching.item().await {
                seen.push(place(&event.revision));
            }
            request = after(&watching.token);
        }
        assert_eq!(sorted(seen), expected);
        let mut watching = Watching::open(&served.channel, request).await.unwrap();
        assert!(watching.until_progress().await.is_empty(), "nothing is left");
        served.stop().await;
    })
    .await;
}

/// Also when every event is filtered out.
#[tokio::test(flavor = "multi_thread")]
async fn bookmarkable_by_the_clock() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &persons(MEMBERS)).await;
        let nowhere = pb::ClaimEventFilter {
            hospital_code: "H99999999999".to_owned(),
            ..pb::ClaimEventFilter::default()
        };
        let request = pb::WatchClaimsRequest { filter: Some(nowhere), ..from_now() };
        let mut watching = Watching::open(&served.channel, request).await.unwrap();
        assert!(watching.until_progress().await.is_empty());
        let first = watching.token.clone();
        work(&served).await;
        assert!(watching.until_progress().await.is_empty());
        let heads: Vec<(i64,)> = database.rows("select position from lane order by lane").await;
        let heads: Vec<i64> = heads.into_iter().map(|(position,)| position).collect();
        assert_ne!(watching.token, first);
        assert_eq!(positions(&watching.token, LANES), heads, "the place moved all the same");
        assert!(watching.until_progress().await.is_empty(), "and it comes again");
        let behind = everything(&served.channel, after(&first)).await;
        assert_eq!(behind.len(), stored_events(&database).await.len());
        assert!(everything(&served.channel, after(&watching.token)).await.is_empty());
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_tells_what_fits_and_nothing_else() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &persons(MEMBERS)).await;
        work(&served).await;
        let stored = stored_events(&database).await;
        let state = |state: pb::ClaimState| vec![i32::from(state)];
        let filters = [
            pb::ClaimEventFilter { hospital_code: hospital(2), ..Default::default() },
            pb::ClaimEventFilter { member_id: stored[0].member_id.clone(), ..Default::default() },
            pb::ClaimEventFilter { plan_id: "qingdao-rongjun".to_owned(), ..Default::default() },
            pb::ClaimEventFilter { states: state(pb::ClaimState::Denied), ..Default::default() },
            pb::ClaimEventFilter { states: state(pb::ClaimState::Voided), ..Default::default() },
            pb::ClaimEventFilter {
                member_id: stored[9].member_id.clone(),
                hospital_code: stored[9].hospital_code.clone(),
                plan_id: "qingdao-rongjun".to_owned(),
                states: vec![pb::ClaimState::Approved.into(), pb::ClaimState::Pended.into()],
            },
        ];
        for filter in filters {
            let fits = stored.iter().filter(|event| event.fits(&filter));
            let expected: Vec<_> = fits.map(Stored::place).collect();
            let is_empty = filter.states == state(pb::ClaimState::Voided);
            assert_eq!(expected.is_empty(), is_empty, "the filter tells something: {filter:?}");
            let events = everything(&served.channel, filtered(filter.clone())).await;
            assert_eq!(sorted(places(&events)), expected, "{filter:?}");
        }
        // The one that was denied and then approved fits both before and after.
        let denied = pb::ClaimEventFilter {
            states: state(pb::ClaimState::Denied),
            ..pb::ClaimEventFilter::default()
        };
        assert_eq!(everything(&served.channel, filtered(denied)).await.len(), 2);
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_a_watch_begins_now() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &persons(MEMBERS)).await;
        send(&served.channel, (0..20).map(|n| nth(n, MEMBERS))).await;
        let mut watching = Watching::open(&served.channel, from_now()).await.unwrap();
        assert!(watching.until_progress().await.is_empty());
        send(&served.channel, (20..40).map(|n| nth(n, MEMBERS))).await;
        let ids: BTreeSet<_> =
            watching.events(20).await.into_iter().map(|event| event.settlement_id).collect();
        assert_eq!(ids, (20..40).map(|n| format!("W-{n}")).collect());
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_and_the_watch_behind_it_miss_nothing() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &persons(MEMBERS)).await;
        send(&served.channel, (0..100).map(|n| nth(n, MEMBERS))).await;
        let writing = send(&served.channel, (100..300).map(|n| nth(n, MEMBERS)));
        let listing = async {
            let (mut listed, mut request) = (BTreeSet::new(), pb::ListClaimsRequest::default());
            request.page_size = 9;
            let mut tokens = BTreeSet::new();
            loop {
                let page = served.claims().list_claims(request.clone()).await.unwrap();
                let page = page.into_inner();
                listed.extend(page.claims.into_iter().map(|claim| claim.claim_id));
                tokens.insert(page.resume_token);
                request.page_token = page.next_page_token;
                if request.page_token.is_empty() {
                    break;
                }
            }
            assert_eq!(tokens.len(), 1, "the same on every page");
            (listed, tokens.pop_first().unwrap())
        };
        let ((mut known, token), ()) = tokio::join!(listing, writing);
        let events = everything(&served.channel, after(&token)).await;
        known.extend(events.into_iter().map(|event| event.claim_id));
        let stored = stored_events(&database).await;
        assert_eq!(known, stored.into_iter().map(|event| event.claim_id).collect());
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_server_of_the_ledger_tells_it_too() {
    on_postgres(async |database| {
        let here = Served::start(&database, &persons(MEMBERS)).await;
        let there = Served::of(start_ledger(&database).await, Limits::default()).await;
        let mut watching = Watching::open(&there.channel, from_now()).await.unwrap();
        assert!(watching.until_progress().await.is_empty());
        for (n, served) in [&here, &there, &here].into_iter().enumerate() {
            send(&served.channel, (n * 40..n * 40 + 40).map(|n| nth(n, MEMBERS))).await;
        }
        let events = watching.events(120).await;
        let ids: BTreeSet<_> = events.iter().map(|event| &event.settlement_id).collect();
        assert_eq!(ids.len(), 120);
        // And a token of one is good at the other.
        drop(watching);
        let behind = everything(&here.channel, from_beginning()).await;
        assert_eq!(behind.len(), 120);
        here.stop().await;
        there.stop().await;
    })
    .await;
}

/// Watchers who keep up read from the shared ring: each reading the store would cost a server more
/// than the claims do.
#[tokio::test(flavor = "multi_thread")]
async fn the_ring_begins_once_however_much_is_written() {
    on_every_backend(async |database| {
        let ledger = open_ledger(&database, &persons(MEMBERS)).await;
        let served = Served::of(ledger.clone(), Limits::default()).await;
        let mut watching = Watching::open(&served.channel, from_now()).await.unwrap();
        assert!(watching.until_progress().await.is_empty());
        for round in 0..20 {
            send(&served.channel, (round * 50..round * 50 + 50).map(|n| nth(n, MEMBERS))).await;
        }
        assert_eq!(watching.events(1_000).await.len(), 1_000);
        assert_eq!(ledger.feed().ring_beginnings(), 1);
        drop(ledger);
        served.stop().await;
    })
    .await;
}

/// Clients must come back now and then, so that load spreads; they lose nothing by it.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_watch_ends_in_order_with_a_progress() {
    on_sqlite(async |database| {
        let ledger = open_ledger(&database, &persons(MEMBERS)).await;
        let limits = Limits { watch_age_max: Duration::from_millis(200), ..Limits::default() };
        let served = Served::of(ledger, limits).await;
        send(&served.channel, (0..10).map(|n| nth(n, MEMBERS))).await;
        let mut watching = Watching::open(&served.channel, from_beginning()).await.unwrap();
        assert_eq!(watching.until_progress().await.len(), 10);
        assert!(watching.until_progress().await.is_empty(), "a last progress");
        assert_eq!(watching.response().await.unwrap(), None, "ended with OK");
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ends_says_where_to_go_on() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &persons(MEMBERS)).await;
        let mut watching = Watching::open(&served.channel, from_beginning()).await.unwrap();
        assert!(watching.until_progress().await.is_empty());
        send(&served.channel, (0..10).map(|n| nth(n, MEMBERS))).await;
        watching.events(4).await;
        served.tell_to_stop();
        let mut rest = Vec::new();
        let status = loop {
            match watching.response().await {
                Ok(Some(pb::WatchClaimsResponse { item: Some(Item::Event(event)), .. })) => {
                    rest.push(event);
                }
                Ok(Some(_)) => {}
                Ok(None) => panic!("a server that ends says so"),
                Err(status) => break status,
            }
        };
        let told = told(&status);
        assert_eq!((told.code, &*told.reason), (Code::Unavailable, "SHUTTING_DOWN"));
        assert!(told.has_retry);
        let token = watching.token.clone();
        drop(watching);
        served.stop().await;
        let again = Served::of(start_ledger(&database).await, Limits::default()).await;
        rest.extend(everything(&again.channel, after(&token)).await);
        let ids: BTreeSet<_> = rest.iter().map(|event| &event.settlement_id).collect();
        assert_eq!((ids.len(), rest.len()), (6, 6), "ten less the four that were told before");
        again.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_have_a_limit_of_their_own() {
    on_sqlite(async |database| {
        let ledger = open_ledger(&database, &persons(MEMBERS)).await;
        let limits = Limits { in_flight_max: 1, watches_max: 2, ..Limits::default() };
        let served = Served::of(ledger, limits).await;
        let mut open = Vec::new();
        for _ in 0..2 {
            let mut watching = Watching::open(&served.channel, from_beginning()).await.unwrap();
            watching.until_progress().await;
            open.push(watching);
        }
        let third = Watching::open(&served.channel, from_beginning()).await.map(|_| ());
        let too_many = (Code::ResourceExhausted, "TOO_MANY_REQUESTS".to_owned());
        assert_eq!(refused(third), too_many);
        send(&served.channel, [nth(0, MEMBERS)]).await;
        assert_eq!(open[0].events(1).await.len(), 1);
        served.stop().await;
    })
    .await;
}
