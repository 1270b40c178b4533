//! What only PostgreSQL can get wrong.

use std::time::Duration;

use futures::FutureExt;
use greenlane::core::claim::ClaimId;
use greenlane::store::postgres::release_guard;
use greenlane::store::{ClaimRow, Options, Rows, Store, Tx};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use crate::support::{key, on_postgres, options, postgres_url, recorded, settlement};

/// How often a future is dropped, and after how many drops somebody looks. A begin that goes well
/// heals a connection by accident, so looking once at the end would see little.
const DROPS: u32 = 1_000;
const DROPS_PER_LOOK: u32 = 20;

/// Drops begins after a few polls each: not begun, just about done and everything in between.
/// Gives the number of sessions that were first seen idle in a transaction.
async fn abandoned(pool: &PgPool, application: &str) -> i64 {
    let sql = "select count(*) from pg_stat_activity \
               where application_name = $1 and state like 'idle in transaction%'";
    let observer = PgPool::connect(&postgres_url().unwrap()).await.unwrap();
    let mut seen = 0;
    for round in 1..=DROPS {
        let mut begin = Box::pin(pool.begin());
        for _ in 0..round % 7 {
            if (&mut begin).now_or_never().is_some() {
                break;
            }
            // Long enough for the server's answer to arrive now and then.
            tokio::time::sleep(Duration::from_micros(u64::from(round % 3) * 500)).await;
        }
        drop(begin);
        if round % DROPS_PER_LOOK == 0 && seen == 0 {
            // Connections come back to the pool in tasks of their own.
            while pool.num_idle() < pool.size() as usize {
                tokio::task::yield_now().await;
            }
            // A connection that the guard closed may be seen once more on the server's side.
            let mut left = 1;
            for _ in 0..100 {
                let count = sqlx::query_scalar::<_, i64>(sql).bind(application);
                left = count.fetch_one(&observer).await.unwrap();
                if left == 0 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            seen += left;
        }
    }
    observer.close().await;
    seen
}

/// The second half shows that the first would fail without the guard.
#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_begin_leaves_no_connection_in_a_transaction() {
    on_postgres(async |database| {
        let joint = format!("{}&application_name=", database.url);
        // Other runs of this test may share the server.
        let (guarded, unguarded) =
            (format!("guarded{}", std::process::id()), format!("unguarded{}", std::process::id()));
        let with = PgPoolOptions::new().max_connections(4).after_release(release_guard);
        let with = with.connect(&format!("{joint}{guarded}")).await.unwrap();
        assert_eq!(abandoned(&with, &guarded).await, 0);
        with.close().await;
        let without = PgPoolOptions::new().max_connections(4);
        let without = without.connect(&format!("{joint}{unguarded}")).await.unwrap();
        let seen = abandoned(&without, &unguarded).await;
        assert!(seen > 0, "sqlx rolls back an abandoned begin by now: the guard may go");
        without.close().await;
    })
    .await;
}

/// Members and claims, all in one lane: a look-up that scans a table or the lane's part of an index
/// touches hundreds of pages, one that uses the whole key three or four.
const MEMBERS: i64 = 1_000;
const CLAIMS_PER_MEMBER: i64 = 5;

async fn look_everything_up(tx: &mut Tx, number: i64) {
    let (claim_id, name) = (ClaimId { lane: 0, number }, number.to_string());
    let member = format!("member-{}", number % MEMBERS);
    tx.books(&[(0, member.clone())]).await.unwrap();
    tx.claims(&[claim_id]).await.unwrap();
    tx.history(0, &member).await.unwrap();
    // Twice, so that the second one looks up what the first inserted.
    for _ in 0..2 {
        tx.insert_keys(&[key(&settlement(&name), claim_id, &member)]).await.unwrap();
        tx.insert_identities(&[(name.clone(), member.clone())]).await.unwrap();
    }
}

async fn fill(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let mut head = tx.lock_lanes(&[0]).await.unwrap().remove(0);
    let mut all = Rows::default();
    for member in 0..MEMBERS {
        let first = member * CLAIMS_PER_MEMBER;
        let numbers = first..first + CLAIMS_PER_MEMBER;
        let settlements: Vec<_> = numbers.map(|n| settlement(&format!("filled-{n}"))).collect();
        let rows = recorded(&mut head, &format!("member-{member}"), &settlements);
        all.events.extend(rows.events);
        all.facts.extend(rows.facts);
        all.claims.extend(rows.claims);
        all.members.extend(rows.members);
        all.counters.extend(rows.counters);
        all.payouts.extend(rows.payouts);
    }
    tx.write(&all).await.unwrap();
    let key = |row: &ClaimRow| key(&row.claim.settlement, row.claim.id, &row.claim.member_id);
    let mut keys: Vec<_> = all.claims.iter().map(key).collect();
    keys.sort();
    tx.insert_keys(&keys).await.unwrap();
    tx.commit().await.unwrap();
}

/// Waits until all sessions of a name are gone, which is when their figures are complete, and
/// gives the pages of tables and indexes that all sessions have touched.
async fn pages_touched(url: &str, application: &str) -> i64 {
    let sessions = "select count(*) from pg_stat_activity where application_name = $1";
    let pages = "select sum(heap_blks_hit + heap_blks_read + idx_blks_hit + idx_blks_read)::bigint \
                 from pg_statio_user_tables where schemaname = current_schema()";
    let observer = PgPool::connect(url).await.unwrap();
    loop {
        let left = sqlx::query_scalar::<_, i64>(sessions).bind(application).fetch_one(&observer);
        if left.await.unwrap() == 0 {
            break;
        }
        tokio::task::yield_now().await;
    }
    let touched = sqlx::query_scalar(pages).fetch_one(&observer).await.unwrap();
    observer.close().await;
    touched
}

/// PostgreSQL keeps the plan it made while the tables were empty.
#[tokio::test]
async fn a_plan_made_on_an_empty_database_serves_a_grown_one() {
    on_postgres(async |database| {
        let url = |name: &str| format!("{}&application_name={name}", database.url);
        let one_lane = Options { lanes: 1, ..options() };
        let planned = Store::open(&url("planned"), &one_lane).await.unwrap();
        // All connections but one are held, so that the one with the plans is used again.
        let others = [planned.begin().await, planned.begin().await, planned.begin().await];
        let mut tx = planned.begin().await.unwrap();
        look_everything_up(&mut tx, 1).await;
        tx.commit().await.unwrap();

        let filler = Store::open(&url("filler"), &one_lane).await.unwrap();
        fill(&filler).await;
        filler.close().await;
        let before = pages_touched(&database.url, "filler").await;

        let mut tx = planned.begin().await.unwrap();
        for round in 1..=100 {
            look_everything_up(&mut tx, round * 29).await;
        }
        tx.commit().await.unwrap();
        drop(others);
        planned.close().await;
        let pages = (pages_touched(&database.url, "planned").await - before) / 100;
        // About 90: most of them the five claims of a history with their events and facts.
        assert!(pages < 110, "{pages} pages for each round of look-ups");
    })
    .await;
}
