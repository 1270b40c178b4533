//! What only PostgreSQL can get wrong.

use std::time::Duration;

use futures::FutureExt;
use greenlane::store::postgres::release_guard;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use crate::support::{on_postgres, postgres_url};

/// How often a future is dropped, and after how many drops somebody looks. A begin that goes well
/// heals a connection by accident, so looking once at the end would see little.
const DROPS: u32 = 1_000;
const DROPS_PER_LOOK: u32 = 20;

/// Drops begins after a few polls each: not begun, just about done and everything in between.
/// Gives the number of sessions that were seen idle in a transaction.
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
        if round % DROPS_PER_LOOK == 0 {
            // Connections come back to the pool in tasks of their own.
            while pool.num_idle() < pool.size() as usize {
                tokio::task::yield_now().await;
            }
            let left = sqlx::query_scalar(sql).bind(application).fetch_one(&observer);
            seen += left.await.unwrap_or(0_i64);
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
        let with = PgPoolOptions::new().max_connections(4).after_release(release_guard);
        let with = with.connect(&format!("{joint}guarded")).await.unwrap();
        assert_eq!(abandoned(&with, "guarded").await, 0);
        with.close().await;
        let without = PgPoolOptions::new().max_connections(4);
        let without = without.connect(&format!("{joint}unguarded")).await.unwrap();
        let seen = abandoned(&without, "unguarded").await;
        assert!(seen > 0, "sqlx rolls back an abandoned begin by now: the guard may go");
        eprintln!("{seen} abandoned transactions without the guard, none with it");
        without.close().await;
    })
    .await;
}
