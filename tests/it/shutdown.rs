//! `serve` ends in time and in order, whoever is still connected.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use greenlane::pb;
use greenlane::pb::submit_settlements_response::Outcome;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use crate::process::{Process, assert_consistent, item};
use crate::serving::{cert, connect, persons, refused, stay, submit};
use crate::support::{Database, on_every_backend};
use crate::world::open_ledger;

const MEMBERS: usize = 8;
/// What one stream has in flight: enough to be busy, and answered well within the grace.
const UNANSWERED_MAX: usize = 500;
/// What a supervisor waits before it kills.
const PATIENCE: Duration = Duration::from_secs(10);

fn nth(id: &str) -> pb::Settlement {
    let member = id.bytes().map(usize::from).sum::<usize>() % MEMBERS;
    stay(id, &cert(member), 10_000)
}

/// Streams without an end and tells when it is well under way. Returns what was acknowledged until
/// the server ended the stream.
async fn busy_stream(address: String, round: usize, under_way: oneshot::Sender<()>) -> Vec<String> {
    let (sender, receiver) = mpsc::channel(16);
    let unanswered = Arc::new(Semaphore::new(UNANSWERED_MAX));
    let room = unanswered.clone();
    let sending = tokio::spawn(async move {
        let mut n = 0;
        while let Ok(permit) = room.acquire().await {
            permit.forget();
            let request = item(nth(&format!("B-{round}-{n}")));
            if sender.send(request).await.is_err() {
                return;
            }
            n += 1;
        }
    });
    let mut client = settlements(&address).await;
    let answers = client.submit_settlements(ReceiverStream::new(receiver)).await.unwrap();
    let mut answers = answers.into_inner();
    let (mut acknowledged, mut under_way) = (Vec::new(), Some(under_way));
    let ended = loop {
        match answers.message().await {
            Ok(Some(answer)) => {
                assert!(matches!(answer.outcome, Some(Outcome::Accepted(_))), "{answer:?}");
                acknowledged.push(answer.settlement_id);
                unanswered.add_permits(1);
                if acknowledged.len() == 300 {
                    under_way.take().unwrap().send(()).unwrap();
                }
            }
            ended => break ended,
        }
    };
    // A caller who sends on may find the connection gone before it has read the last words. It
    // repeats what was not answered; a quiet end would let it believe that everything was.
    match ended {
        Err(status) if status.details().is_empty() => assert_eq!(status.code(), Code::Unknown),
        ended => assert_eq!(refused(ended), (Code::Unavailable, "SHUTTING_DOWN".to_owned())),
    }
    unanswered.close();
    drop(answers);
    sending.await.unwrap();
    acknowledged
}

type Settlements =
    pb::settlement_service_client::SettlementServiceClient<tonic::transport::Channel>;

async fn settlements(address: &str) -> Settlements {
    Settlements::new(connect(address).await)
}

/// Submits one after the other until the server is gone.
async fn busy_caller(address: String, name: String) -> Vec<String> {
    let mut client = settlements(&address).await;
    let mut acknowledged = Vec::new();
    loop {
        let id = format!("{name}-{}", acknowledged.len());
        match client.submit_settlement(submit(nth(&id))).await {
            Ok(_) => acknowledged.push(id),
            Err(_) => return acknowledged,
        }
    }
}

/// One life of a server that is asked to end amid everything.
async fn live_and_end(database: &Database, round: usize) -> BTreeSet<String> {
    let process = Process::start(database, &[]).await;
    let socket = process.address.strip_prefix("http://").unwrap();
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(tokio::net::TcpStream::connect(socket).await.unwrap());
    }
    let (idle_sender, idle) = mpsc::channel(1);
    let mut client = settlements(&process.address).await;
    idle_sender.send(item(nth(&format!("I-{round}")))).await.unwrap();
    let mut idle = client.submit_settlements(ReceiverStream::new(idle)).await.unwrap().into_inner();
    idle.message().await.unwrap().unwrap();
    let mut callers = JoinSet::new();
    for caller in 0..8 {
        callers.spawn(busy_caller(process.address.clone(), format!("U-{round}-{caller}")));
    }
    let (tell, under_way) = oneshot::channel();
    let stream = tokio::spawn(busy_stream(process.address.clone(), round, tell));
    under_way.await.unwrap();
    process.terminate().await;
    let (status, log) = process.ended_within(PATIENCE).await;
    assert!(status.success(), "{status}: {log}");
    assert!(log.contains("shutting down"), "{log}");
    assert!(log.contains("everything acknowledged is on disk"), "{log}");
    let ended = idle.message().await;
    assert_eq!(refused(ended), (Code::Unavailable, "SHUTTING_DOWN".to_owned()));
    drop((silent, idle_sender));
    let mut acknowledged: BTreeSet<_> = stream.await.unwrap().into_iter().collect();
    acknowledged.extend(callers.join_all().await.into_iter().flatten());
    acknowledged.insert(format!("I-{round}"));
    acknowledged
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_ends_within_ten_seconds_and_loses_nothing_it_acknowledged() {
    on_every_backend(async |database| {
        open_ledger(&database, &persons(MEMBERS)).await.drain().await;
        let mut acknowledged = BTreeSet::new();
        for round in 0..3 {
            acknowledged.extend(live_and_end(&database, round).await);
            assert_consistent(&database).await;
        }
        let process = Process::start(&database, &[]).await;
        let again: Vec<_> = acknowledged.iter().map(|id| item(nth(id))).collect();
        let mut client = process.settlements().await;
        let answers = client.submit_settlements(tokio_stream::iter(again)).await.unwrap();
        let mut answers = answers.into_inner();
        let mut count = 0;
        while let Some(answer) = answers.message().await.unwrap() {
            let Some(Outcome::Accepted(accepted)) = answer.outcome else { panic!("{answer:?}") };
            assert!(accepted.replayed, "{} was acknowledged", answer.settlement_id);
            count += 1;
        }
        assert_eq!(count, acknowledged.len());
        eprintln!("{count} acknowledged in three lives");
    })
    .await;
}
