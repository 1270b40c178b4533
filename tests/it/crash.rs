//! What was acknowledged stays, once, whatever becomes of the process that said so.

use std::collections::HashMap;
use std::sync::Arc;

use greenlane::pb;
use greenlane::pb::submit_settlements_response::Outcome;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use crate::process::{DIRECTORY_KEY, Process, assert_consistent, item, run};
use crate::serving::{cert, persons, refused, stay, submit};
use crate::support::{Database, on_every_backend, on_postgres};
use crate::world::open_ledger;

const ROUNDS: usize = 10;
const MEMBERS: usize = 12;
/// New settlements in each round.
const PER_ROUND: usize = 400;

fn nth(n: usize) -> pb::Settlement {
    stay(&format!("S-{n}"), &cert(n % MEMBERS), 150_000)
}

/// What a caller knows of a settlement that was acknowledged.
#[derive(Debug, PartialEq)]
struct Acknowledged {
    claim_id: String,
    payout_fen: i64,
}

async fn prepare(database: &Database, members: usize) {
    let ledger = open_ledger(database, &persons(members)).await;
    ledger.drain().await;
}

/// Streams settlements, kills the server after some answers, and returns all that arrived.
async fn stream_and_kill(
    process: &mut Process,
    open: &[usize],
    answers_until: usize,
) -> HashMap<usize, Acknowledged> {
    let (sender, receiver) = mpsc::channel(open.len());
    for n in open {
        sender.send(item(nth(*n))).await.unwrap();
    }
    let mut client = process.settlements().await;
    let mut answers =
        client.submit_settlements(ReceiverStream::new(receiver)).await.unwrap().into_inner();
    let mut acknowledged = HashMap::new();
    // The sender is kept, so only the kill can end the stream.
    while let Ok(Some(answer)) = answers.message().await {
        let n = open[usize::try_from(answer.index).unwrap()];
        acknowledged.insert(n, read(&answer).0);
        if acknowledged.len() == answers_until {
            process.kill().await;
        }
    }
    assert!(acknowledged.len() >= answers_until);
    drop(sender);
    acknowledged
}

fn read(answer: &pb::SubmitSettlementsResponse) -> (Acknowledged, bool) {
    let Some(Outcome::Accepted(accepted)) = &answer.outcome else { panic!("{answer:?}") };
    let claim = accepted.claim.as_ref().unwrap();
    assert_eq!(claim.settlement.as_ref().unwrap().settlement_id, answer.settlement_id);
    let payout_fen = claim.decision.as_ref().unwrap().payout_fen;
    (Acknowledged { claim_id: claim.claim_id.clone(), payout_fen }, accepted.replayed)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_before_a_kill_is_there_once() {
    on_every_backend(async |database| {
        prepare(&database, MEMBERS).await;
        let mut acknowledged: HashMap<usize, Acknowledged> = HashMap::new();
        let (mut open, mut next, mut cut_short) = (Vec::new(), 0, 0);
        for round in 0..ROUNDS {
            open.extend(next..next + PER_ROUND);
            next += PER_ROUND;
            let mut process = Process::start(&database, &[]).await;
            let answered = stream_and_kill(&mut process, &open, 1 + 37 * round).await;
            cut_short += usize::from(answered.len() < open.len());
            open.retain(|n| !answered.contains_key(n));
            acknowledged.extend(answered);
            assert_consistent(&database).await;
        }
        assert!(cut_short > ROUNDS / 2, "the kill must come in the middle: {cut_short}");
        let process = Process::start(&database, &[]).await;
        let all: Vec<_> = (0..next).map(|n| item(nth(n))).collect();
        let mut client = process.settlements().await;
        let answers = client.submit_settlements(tokio_stream::iter(all)).await.unwrap();
        let mut answers = answers.into_inner();
        let mut count = 0;
        while let Some(answer) = answers.message().await.unwrap() {
            let n = usize::try_from(answer.index).unwrap();
            let (found, replayed) = read(&answer);
            if let Some(known) = acknowledged.get(&n) {
                assert!(replayed, "S-{n} was acknowledged");
                assert_eq!(found, *known, "S-{n}");
            }
            count += 1;
        }
        assert_eq!(count, next, "what was not acknowledged can be sent again");
        drop(process);
        let claims = database.text("select cast(count(*) as text) from claim").await;
        assert_eq!(claims, next.to_string());
        assert_consistent(&database).await;
        eprintln!("{} of {next} acknowledged before a kill", acknowledged.len());
    })
    .await;
}

/// Sends one settlement and repeats it where the server says so.
async fn submit_until_told(
    client: &mut pb::settlement_service_client::SettlementServiceClient<tonic::transport::Channel>,
    settlement: pb::Settlement,
) -> Result<pb::SubmitSettlementResponse, tonic::Status> {
    loop {
        match client.submit_settlement(submit(settlement.clone())).await {
            Err(status) if matches!(status.code(), Code::Aborted | Code::Unavailable) => {}
            answer => return answer.map(tonic::Response::into_inner),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_on_one_database_are_one_ledger() {
    const CALLERS: usize = 64;
    const SETTLEMENTS: usize = 512;
    on_postgres(async |database| {
        prepare(&database, 1).await;
        let servers = [Process::start(&database, &[]).await, Process::start(&database, &[]).await];
        let clients = Arc::new([servers[0].settlements().await, servers[1].settlements().await]);
        let mut callers = JoinSet::new();
        for caller in 0..CALLERS {
            let clients = clients.clone();
            callers.spawn(async move {
                let mut told = Vec::new();
                // Its own, twice in a row, and those of the next caller through the other server.
                for n in (caller..SETTLEMENTS).step_by(CALLERS) {
                    let neighbour = n - caller + (caller + 1) % CALLERS;
                    for (n, server) in
                        [(n, caller % 2), (n, caller % 2), (neighbour, caller / 2 % 2)]
                    {
                        let mut client = clients[server].clone();
                        let settlement = stay(&format!("S-{n}"), &cert(0), 100_000);
                        let answer = submit_until_told(&mut client, settlement).await.unwrap();
                        told.push((n, answer.claim.unwrap().claim_id, answer.replayed));
                    }
                }
                told
            });
        }
        let mut claim_ids: HashMap<usize, String> = HashMap::new();
        let mut first_answers = 0;
        for (n, claim_id, replayed) in callers.join_all().await.into_iter().flatten() {
            first_answers += usize::from(!replayed);
            assert_eq!(*claim_ids.entry(n).or_insert(claim_id.clone()), claim_id, "S-{n}");
        }
        assert_eq!((claim_ids.len(), first_answers), (SETTLEMENTS, SETTLEMENTS));
        assert_consistent(&database).await;
        // 512 × 1,000.00 are more than deductible and limit together.
        let sums = "select cast(sum(paid_fen) as text) || ' ' || cast(sum(deductible_fen) as text) \
             from counter";
        assert_eq!(database.text(sums).await, "30000000 500000");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_for_two_persons_at_once_makes_one_claim() {
    const KEYS: usize = 500;
    on_postgres(async |database| {
        prepare(&database, 2).await;
        let servers = [Process::start(&database, &[]).await, Process::start(&database, &[]).await];
        let clients = [servers[0].settlements().await, servers[1].settlements().await];
        for keys in (0..KEYS).collect::<Vec<_>>().chunks(25) {
            let mut pairs = JoinSet::new();
            for n in keys {
                let (id, mut clients) = (format!("S-{n}"), clients.clone());
                pairs.spawn(async move {
                    let [one, other] = &mut clients;
                    tokio::join!(
                        submit_until_told(one, stay(&id, &cert(0), 100)),
                        submit_until_told(other, stay(&id, &cert(1), 100)),
                    )
                });
            }
            for (one, other) in pairs.join_all().await {
                let lost = if one.is_ok() { other } else { one };
                let conflict = (Code::AlreadyExists, "SETTLEMENT_CONFLICT".to_owned());
                assert_eq!(refused(lost), conflict);
            }
        }
        let claims = database.text("select cast(count(*) as text) from claim").await;
        assert_eq!(claims, KEYS.to_string());
        assert_consistent(&database).await;
    })
    .await;
}

/// With another key it would take every person for a new one.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_another_directory_key_does_not_start() {
    on_every_backend(async |database| {
        let _first = Process::start(&database, &[]).await;
        let other_key = DIRECTORY_KEY.replace('7', "8");
        let ended = run(
            &["serve", "--listen", "127.0.0.1:0", "--database", &database.url],
            &[("GREENLANE_DIRECTORY_KEY", &other_key)],
        )
        .await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.err.contains("directory key"), "{ended:?}");
        assert!(!ended.err.contains(&other_key) && !ended.err.contains(DIRECTORY_KEY));
    })
    .await;
}
