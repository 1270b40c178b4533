//! What rules and clocks ask of the store, whichever database is underneath.

use std::collections::HashSet;
use std::time::Duration;

use greenlane::core::claim::{ClaimId, ClaimState};
use greenlane::core::clocks::ClockKind;
use greenlane::core::day::{Day, Moment};
use greenlane::store::{ClaimRow, ClockRow, Due, Rows, Store};

use crate::support::{on_every_backend, record};

fn id(lane: u16, number: i64) -> ClaimId {
    ClaimId { lane, number }
}

fn day(text: &str) -> Day {
    Day::parse(text).unwrap()
}

/// Takes the claims back.
async fn void(store: &Store, rows: &[ClaimRow]) {
    let voided = |row: &ClaimRow| {
        let mut claim = (*row.claim).clone();
        claim.evaluation.state = ClaimState::Voided;
        ClaimRow { claim: claim.into(), facts_position: None, ..row.clone() }
    };
    let claims = rows.iter().map(voided).collect();
    let mut tx = store.begin().await.unwrap();
    tx.write(&Rows { claims, ..Rows::default() }).await.unwrap();
    tx.commit().await.unwrap();
}

/// If this fails a stay that overlaps another passes as if it were alone.
#[tokio::test]
async fn a_stay_is_near_where_it_shares_a_day_and_counts() {
    on_every_backend(async |database| {
        let store = database.open().await;
        // From 2024-03-01 to 2024-03-15.
        let rows = record(&store, 1, "m1", &["a"]).await;
        let near = async |spans: &[(&str, &str, &str)]| {
            let spans: Vec<_> = spans
                .iter()
                .map(|(member, from, until)| (*member, day(from), day(until)))
                .collect();
            store.begin().await.unwrap().with_neighbours(&spans).await.unwrap()
        };
        let places = near(&[
            ("m1", "2024-02-01", "2024-02-29"),
            ("m1", "2024-02-01", "2024-03-01"),
            ("m1", "2024-03-15", "2024-04-01"),
            ("m1", "2024-03-16", "2024-04-01"),
            ("m1", "2024-01-01", "2024-12-31"),
            ("m2", "2024-03-01", "2024-03-15"),
        ]);
        assert_eq!(places.await, HashSet::from([1, 2, 4]));
        assert_eq!(near(&[]).await, HashSet::new());
        void(&store, &rows.claims).await;
        assert_eq!(near(&[("m1", "2024-03-01", "2024-03-15")]).await, HashSet::new());
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn an_invoice_is_found_in_every_lane_until_its_claim_is_taken_back() {
    on_every_backend(async |database| {
        let store = database.open().await;
        let first = record(&store, 1, "m1", &["a"]).await;
        record(&store, 2, "m2", &["b"]).await;
        let found = async || {
            let mut tx = store.begin().await.unwrap();
            let numbers = ["invoice-a", "invoice-b", "invoice-c"];
            let mut rows = tx.claims_with_invoices(&numbers).await.unwrap();
            rows.sort_by_key(|row| row.claim_id);
            rows
        };
        let rows = found().await;
        let ids: Vec<_> = rows.iter().map(|it| (it.invoice_no.as_str(), it.claim_id)).collect();
        assert_eq!(ids, [("invoice-a", id(1, 1)), ("invoice-b", id(2, 1))]);
        assert_eq!(rows[0].create_time, first.claims[0].claim.create_time);
        void(&store, &first.claims).await;
        assert_eq!(found().await, rows[1..]);
        store.close().await;
    })
    .await;
}

/// If this fails two claims with one invoice can both be paid: neither sees the other.
#[tokio::test(flavor = "multi_thread")]
async fn who_looks_for_an_invoice_waits_for_who_looked_before() {
    on_every_backend(async |database| {
        let store = database.open().await;
        let mut first = store.begin().await.unwrap();
        assert_eq!(first.claims_with_invoices(&["x", "y"]).await.unwrap(), []);
        let other = store.clone();
        let mut second = tokio::spawn(async move {
            let mut tx = other.begin().await.unwrap();
            tx.claims_with_invoices(&["y", "z"]).await.unwrap();
        });
        let waits = tokio::time::timeout(Duration::from_millis(300), &mut second).await;
        assert!(waits.is_err(), "the second did not wait");
        first.commit().await.unwrap();
        second.await.unwrap();
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn stays_of_claims_that_stand_come_once_in_pages() {
    on_every_backend(async |database| {
        let store = database.open().await;
        let rows = record(&store, 1, "m1", &["a", "b"]).await;
        record(&store, 2, "m2", &["c"]).await;
        void(&store, &rows.claims[1..]).await;
        let march = (day("2024-03-01"), day("2024-03-15"));
        let all = store.stays(march, None, 10).await.unwrap();
        assert_eq!(all.iter().map(|row| row.claim_id).collect::<Vec<_>>(), [id(1, 1), id(2, 1)]);
        assert_eq!(all[0].hospital_code, "H37020000123");
        assert_eq!((all[0].admission, all[0].discharge), (Some(march.0), Some(march.1)));
        assert_eq!(all[0].total.fen(), 6_841_236);
        assert_eq!(store.stays(march, None, 1).await.unwrap(), all[..1]);
        assert_eq!(store.stays(march, Some(id(1, 1)), 10).await.unwrap(), all[1..]);
        let earlier = (day("2024-03-01"), day("2024-03-14"));
        assert_eq!(store.stays(earlier, None, 10).await.unwrap(), [], "by the day it ended");
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn clocks_are_counted_as_they_stand_to_the_microsecond() {
    on_every_backend(async |database| {
        let store = database.open().await;
        record(&store, 1, "m1", &["a", "b"]).await;
        let moment = Moment::from_micros;
        let due = |clock, warn, time| Some(Due { clock, warn: moment(warn), time: moment(time) });
        let set = async |dues: &[(ClaimId, Option<Due>)]| {
            let mut tx = store.begin().await.unwrap();
            tx.set_due(dues).await.unwrap();
            tx.commit().await.unwrap();
        };
        let at = async |micros| {
            let rows = store.clock_figures(moment(micros)).await.unwrap();
            let row = |row: &ClockRow| (row.clock, row.claims, row.warned, row.breached);
            rows.iter().map(row).collect::<Vec<_>>()
        };
        assert_eq!(at(0).await, []);
        let decision = ClockKind::Decision;
        set(&[(id(1, 1), due(decision, 10, 20)), (id(1, 2), due(decision, 15, 30))]).await;
        let open = store.begin().await.unwrap().open_claims(None, 10).await.unwrap();
        assert_eq!(open.iter().map(|claim| claim.id).collect::<Vec<_>>(), [id(1, 1), id(1, 2)]);
        let open = store.begin().await.unwrap().open_claims(Some(id(1, 1)), 10).await.unwrap();
        assert_eq!(open.iter().map(|claim| claim.id).collect::<Vec<_>>(), [id(1, 2)]);
        assert_eq!(at(9).await, [(decision, 2, 0, 0)]);
        assert_eq!(at(10).await, [(decision, 2, 1, 0)]);
        assert_eq!(at(19).await, [(decision, 2, 2, 0)]);
        assert_eq!(at(20).await, [(decision, 2, 1, 1)]);
        set(&[(id(1, 1), None)]).await;
        assert_eq!(at(30).await, [(decision, 1, 0, 1)]);
        store.close().await;
    })
    .await;
}
