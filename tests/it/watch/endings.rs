//! What watchers must not be able to do to a server: hold it up, or fill its memory.

use std::collections::BTreeSet;
use std::time::Duration;

use greenlane::pb;
use greenlane::pb::claim_service_client::ClaimServiceClient;
use greenlane::pb::settlement_service_client::SettlementServiceClient;
use greenlane::pb::watch_claims_response::Item;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::client::{Watching, after, everything, from_beginning, from_now, place};
use super::{hospital, nth, send};
use crate::process::Process;
use crate::serving::{connect, persons, submit, told};
use crate::support::{Database, on_every_backend};
use crate::world::open_ledger;

const MEMBERS: usize = 40;
/// What a supervisor waits before it kills.
const PATIENCE: Duration = Duration::from_secs(10);

async fn serve(database: &Database) -> Process {
    open_ledger(database, &persons(MEMBERS)).await.drain().await;
    Process::start(database, &[]).await
}

/// Each event is some 400 bytes on the wire, so that buffered ones would show.
#[tokio::test(flavor = "multi_thread")]
async fn who_never_reads_costs_no_memory_and_delays_nobody() {
    const IDLE: usize = 100;
    const EVENTS: usize = 6_000;
    on_every_backend(async |database| {
        let process = serve(&database).await;
        let channel = connect(&process.address).await;
        // What the same work costs without them.
        send(&channel, (0..EVENTS).map(|n| nth(n, MEMBERS))).await;
        let before_kib = process.resident_kib();
        let mut idle = Vec::new();
        for _ in 0..IDLE {
            // On connections of their own: a connection has one window for all its streams.
            let own = connect(&process.address).await;
            idle.push(Watching::open(&own, from_beginning()).await.unwrap());
        }
        let mut watching = Watching::open(&channel, from_now()).await.unwrap();
        assert!(watching.until_progress().await.is_empty());
        send(&channel, (EVENTS..2 * EVENTS).map(|n| nth(n, MEMBERS))).await;
        assert_eq!(watching.events(EVENTS).await.len(), EVENTS, "others are told all the same");
        let grown_kib = process.resident_kib().saturating_sub(before_kib);
        let told_kib = IDLE * 2 * EVENTS * 400 / 1024;
        eprintln!("{IDLE} who never read: {grown_kib} KiB more, of {told_kib} KiB untold");
        assert!(grown_kib < told_kib as u64 / 4, "{grown_kib} KiB more");
        // Nor do they keep the database from those who ask.
        let all = everything(&channel, from_beginning()).await;
        assert_eq!(all.len(), 2 * EVENTS);
        let mut claims = ClaimServiceClient::new(channel.clone());
        for event in all.into_iter().step_by(100) {
            let request = pb::GetClaimRequest { claim_id: event.claim_id, ..Default::default() };
            claims.get_claim(request).await.unwrap();
        }
        // And one of them who begins to read after all has lost nothing.
        let mut late = idle.pop().unwrap();
        let places: BTreeSet<_> =
            late.until_progress().await.iter().map(|event| place(&event.revision)).collect();
        assert_eq!(places.len(), 2 * EVENTS);
    })
    .await;
}

/// Watches until its server ends; what it was told, its last token, and why it ended.
async fn watch_to_the_end(
    address: String,
    n: usize,
    is_open: oneshot::Sender<()>,
) -> (Vec<String>, String, String) {
    let filter = match n % 4 {
        0 => pb::ClaimEventFilter { hospital_code: hospital(n), ..Default::default() },
        _ => pb::ClaimEventFilter::default(),
    };
    let request = pb::WatchClaimsRequest { filter: Some(filter), ..from_now() };
    let mut watching = Watching::open(&connect(&address).await, request).await.unwrap();
    let (mut ids, mut is_open) = (Vec::new(), Some(is_open));
    loop {
        match watching.response().await {
            Ok(Some(response)) => {
                if let Some(is_open) = is_open.take() {
                    is_open.send(()).unwrap();
                }
                if let Some(Item::Event(event)) = response.item {
                    ids.push(event.settlement_id);
                }
            }
            Ok(None) => panic!("a server that ends says so"),
            Err(status) => return (ids, watching.token, told(&status).reason),
        }
    }
}

/// Submits one after the other until the server refuses; what was acknowledged.
async fn submit_to_the_end(address: String, ids: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut client = SettlementServiceClient::new(connect(&address).await);
    let mut acknowledged = Vec::new();
    for n in ids {
        match client.submit_settlement(submit(nth(n, MEMBERS))).await {
            Ok(_) => acknowledged.push(n),
            Err(_) => break,
        }
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_amid_watches_writes_and_silence_ends_in_time_and_loses_nothing() {
    const ROUNDS: usize = 20;
    const WATCHES: usize = 100;
    const WRITERS: usize = 50;
    const PER_WRITER: usize = 1_000;
    on_every_backend(async |database| {
        let mut process = serve(&database).await;
        let mut count = 0;
        for round in 0..ROUNDS {
            let socket = process.address.strip_prefix("http://").unwrap();
            let mut silent = Vec::new();
            for _ in 0..10 {
                silent.push(tokio::net::TcpStream::connect(socket).await.unwrap());
            }
            let (mut watches, mut opening) = (JoinSet::new(), Vec::new());
            for n in 0..WATCHES {
                let (address, (tell, is_open)) = (process.address.clone(), oneshot::channel());
                watches.spawn(async move { (n, watch_to_the_end(address, n, tell).await) });
                opening.push(is_open);
            }
            for is_open in opening {
                is_open.await.unwrap();
            }
            let mut writers = JoinSet::new();
            for writer in 0..WRITERS {
                let first = (round * WRITERS + writer) * PER_WRITER;
                let ids = first..first + PER_WRITER;
                writers.spawn(submit_to_the_end(process.address.clone(), ids));
            }
            // Well under way: somebody else is told of the first writes.
            let channel = connect(&process.address).await;
            let mut watching = Watching::open(&channel, from_now()).await.unwrap();
            watching.events(100).await;
            process.terminate().await;
            let (status, log) = process.ended_within(PATIENCE).await;
            assert!(status.success(), "{log}");
            assert!(log.contains("everything acknowledged is on disk"), "{log}");
            drop((silent, watching));
            let written = writers.join_all().await.into_iter().flatten();
            let acknowledged: BTreeSet<_> = written.map(|n| format!("W-{n}")).collect();
            count += acknowledged.len();
            process = Process::start(&database, &[]).await;
            let channel = connect(&process.address).await;
            for (n, (ids, token, why)) in watches.join_all().await {
                assert_eq!(why, "SHUTTING_DOWN", "{log}");
                assert!(!token.is_empty(), "every watcher got a token");
                let before = ids.len();
                let mut ids: BTreeSet<String> = ids.into_iter().collect();
                assert_eq!(ids.len(), before, "no event twice");
                if n % 4 != 0 {
                    let rest = everything(&channel, after(&token)).await;
                    for event in rest {
                        assert!(ids.insert(event.settlement_id), "told twice");
                    }
                    let lost: Vec<_> = acknowledged.difference(&ids).take(3).collect();
                    assert!(lost.is_empty(), "acknowledged and not told: {lost:?}");
                }
            }
        }
        eprintln!("{count} acknowledged in {ROUNDS} rounds");
    })
    .await;
}
