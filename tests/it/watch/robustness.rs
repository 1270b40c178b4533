//! All guarantees at once: a hundred watchers who come and go, read slowly, filter and change
//! servers, while servers are killed and end; and faults on the wire that the judges must catch.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use greenlane::pb;
use greenlane::pb::settlement_service_client::SettlementServiceClient;
use greenlane::pb::submit_settlements_response::Outcome;
use greenlane::pb::watch_claims_response::Item;
use tokio::task::JoinSet;
use tonic::transport::{Channel, Endpoint};

use super::client::{Stored, Watching, filtered, place, positions, stored_events};
use super::validators::{JUDGES, Life, Seen, Truth, broken};
use super::{hospital, nth, supplemented};
use crate::process::{Process, item};
use crate::serving::persons;
use crate::support::{Database, Dice, on_every_backend};
use crate::world::open_ledger;

const WATCHERS: usize = 100;
const MEMBERS: usize = 400;
const LANES: usize = 8;
/// Three settlements in four events are new, one is supplemented.
const SETTLEMENTS: usize = 15_000;
const EVENTS: usize = 20_000;
const WRITERS: usize = 4;
const CHUNK: usize = 250;

/// What a watcher takes to catch up at the very end, with a debug build under load.
const LAST_MS: u64 = 600_000;

/// A channel that finds its server again when it comes back.
fn channel(address: &str) -> Channel {
    Endpoint::from_shared(address.to_owned()).unwrap().connect_lazy()
}

/// Sends settlements until each is accepted, whatever becomes of the servers.
async fn send_surely(addresses: Arc<Vec<String>>, mut open: Vec<pb::Settlement>, mut dice: Dice) {
    let channels: Vec<_> = addresses.iter().map(|address| channel(address)).collect();
    while !open.is_empty() {
        let server = usize::try_from(dice.roll(channels.len() as u64)).unwrap();
        let mut client = SettlementServiceClient::new(channels[server].clone());
        let items: Vec<_> = open.iter().take(CHUNK).cloned().map(item).collect();
        let Ok(answers) = client.submit_settlements(tokio_stream::iter(items)).await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let mut answers = answers.into_inner();
        let mut accepted = Vec::new();
        while let Ok(Some(answer)) = answers.message().await {
            match answer.outcome {
                Some(Outcome::Accepted(_)) => accepted.push(usize::try_from(answer.index).unwrap()),
                // The server is going down, or lost its database's answer: sent again.
                Some(Outcome::Refused(refusal)) => {
                    assert!([10, 14].contains(&refusal.code), "{refusal:?}");
                }
                other => panic!("{other:?}"),
            }
        }
        for index in accepted.into_iter().rev() {
            open.remove(index);
        }
    }
}

/// The servers of one ledger, each at an address of its own.
struct Servers {
    addresses: Arc<Vec<String>>,
    processes: Vec<Process>,
}

impl Servers {
    async fn start(database: &Database) -> Servers {
        let mut processes = vec![Process::start(database, &[]).await];
        if database.is_postgres {
            processes.push(Process::start(database, &[]).await);
        }
        let addresses = processes.iter().map(|process| process.address.clone()).collect();
        Servers { addresses: Arc::new(addresses), processes }
    }

    /// Ends one of them, in order or not, and starts it again.
    async fn restart(&mut self, database: &Database, round: usize) {
        let index = round % self.processes.len();
        let listen = self.addresses[index].strip_prefix("http://").unwrap().to_owned();
        let mut process = self.processes.remove(index);
        if round.is_multiple_of(3) {
            process.terminate().await;
            let (status, log) = process.ended_within(Duration::from_secs(10)).await;
            assert!(status.success(), "{log}");
        } else {
            process.kill().await;
        }
        self.processes.insert(index, Process::start_at(&listen, database, &[]).await);
    }
}

/// What a watcher is like.
#[derive(Clone)]
struct Manner {
    filter: pb::ClaimEventFilter,
    /// Comes back after a pause of up to so many ms; 0 stays as long as it can.
    stay_ms_max: u64,
    /// Waits so long over each response.
    read_ms: u64,
}

fn manner(n: usize, members: &[String]) -> Manner {
    let filter = match n % 10 {
        0..=2 => pb::ClaimEventFilter::default(),
        3..=5 => pb::ClaimEventFilter { hospital_code: hospital(n / 10), ..Default::default() },
        6..=7 => pb::ClaimEventFilter {
            member_id: members[n % members.len()].clone(),
            ..Default::default()
        },
        8 => pb::ClaimEventFilter {
            states: vec![pb::ClaimState::Approved.into()],
            plan_id: "qingdao-rongjun".to_owned(),
            ..Default::default()
        },
        _ => {
            pb::ClaimEventFilter { hospital_code: "H99999999999".to_owned(), ..Default::default() }
        }
    };
    Manner {
        filter,
        stay_ms_max: [500, 50, 0, 5][n % 4],
        // A slow reader is behind for the whole run and catches up from the store.
        read_ms: u64::from(n % 10 == 1),
    }
}

/// Watches until everything is written and told.
async fn watch(
    addresses: Arc<Vec<String>>,
    manner: Manner,
    is_written: Arc<AtomicBool>,
    mut dice: Dice,
) -> Life {
    let channels: Vec<_> = addresses.iter().map(|address| channel(address)).collect();
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        // Whoever connects after the last write and hears a progress has heard everything.
        let is_last = is_written.load(Ordering::SeqCst);
        let server = usize::try_from(dice.roll(channels.len() as u64)).unwrap();
        let request = pb::WatchClaimsRequest {
            resume_token: token.clone(),
            ..filtered(manner.filter.clone())
        };
        let Ok(mut watching) = Watching::open(&channels[server], request).await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let from = if token.is_empty() { vec![0; LANES] } else { positions(&token, LANES) };
        seen.push(Seen::Connected { from });
        let stay_ms = match manner.stay_ms_max {
            0 => 60_000,
            max => 1 + dice.roll(max),
        };
        let stay = Duration::from_millis(if is_last { LAST_MS } else { stay_ms });
        let reading = read(&mut watching, &mut seen, manner.read_ms, is_last);
        let is_told = tokio::time::timeout(stay, reading).await.unwrap_or(false);
        if !watching.token.is_empty() {
            token.clone_from(&watching.token);
        }
        if is_told {
            return Life { filter: manner.filter, seen };
        }
    }
}

/// Reads until the watch breaks or, the last time, until everything is told.
async fn read(watching: &mut Watching, seen: &mut Vec<Seen>, read_ms: u64, is_last: bool) -> bool {
    while let Ok(Some(response)) = watching.response().await {
        let token = positions(&response.resume_token, LANES);
        match response.item {
            Some(Item::Event(event)) => {
                let (lane, position) = place(&event.revision);
                seen.push(Seen::Event { lane, position, token });
            }
            Some(Item::Progress(progress)) => {
                seen.push(Seen::Progress { token });
                if is_last && progress.is_up_to_date {
                    return true;
                }
            }
            None => panic!("every response has an item"),
        }
        if read_ms > 0 && !is_last {
            tokio::time::sleep(Duration::from_millis(read_ms)).await;
        }
    }
    false
}

/// One member of each lane that has any, and a few more.
async fn members(database: &Database) -> Vec<String> {
    let rows: Vec<(String,)> =
        database.rows("select member_id from member order by member_id").await;
    rows.into_iter().map(|(member_id,)| member_id).step_by(37).collect()
}

/// Runs writers, watchers and kills to the end; what the watchers saw.
async fn run(database: &Database) -> Vec<Life> {
    open_ledger(database, &persons(MEMBERS)).await.drain().await;
    let members = members(database).await;
    let mut servers = Servers::start(database).await;
    let is_written = Arc::new(AtomicBool::new(false));
    let mut watchers = JoinSet::new();
    for n in 0..WATCHERS {
        let (addresses, is_written) = (servers.addresses.clone(), is_written.clone());
        let dice = Dice::seeded_with(n as u64);
        watchers.spawn(watch(addresses, manner(n, &members), is_written, dice));
    }
    let addresses = servers.addresses.clone();
    let writing = tokio::spawn(async move {
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let of_writer = |n: &usize| n % WRITERS == writer;
            let new = (0..SETTLEMENTS).filter(of_writer).map(|n| nth(n, MEMBERS));
            // Each third one a second time with a fact more, somewhat later.
            let again = (0..SETTLEMENTS).filter(of_writer).step_by(3);
            let again = again.map(|n| supplemented(n, MEMBERS));
            let all: Vec<_> = new.chain(again).collect();
            let dice = Dice::seeded_with(1_000 + writer as u64);
            writers.spawn(send_surely(addresses.clone(), all, dice));
        }
        writers.join_all().await;
    });
    let mut restarts = 0;
    while !writing.is_finished() {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        servers.restart(database, restarts).await;
        restarts += 1;
    }
    writing.await.unwrap();
    is_written.store(true, Ordering::SeqCst);
    let lives = watchers.join_all().await;
    eprintln!("{restarts} restarts");
    assert!(restarts >= 3, "servers must end in the middle: {restarts}");
    lives
}

fn truth(stored: &[Stored], life: &Life) -> Truth {
    Truth::of(stored, &life.filter, LANES)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_watchers_under_kills_see_everything_once_and_in_order() {
    on_every_backend(async |database| {
        let lives = run(&database).await;
        let stored = stored_events(&database).await;
        assert_eq!(stored.len(), EVENTS);
        assert_eq!(lives.len(), WATCHERS);
        let (mut told, mut connections, mut progress) = (0, 0, 0);
        for life in &lives {
            let verdict = broken(&truth(&stored, life), life);
            assert!(verdict.is_empty(), "{:?}: {verdict:?}", life.filter);
            for seen in &life.seen {
                match seen {
                    Seen::Connected { .. } => connections += 1,
                    Seen::Event { .. } => told += 1,
                    Seen::Progress { .. } => progress += 1,
                }
            }
        }
        eprintln!("{told} events told on {connections} connections, {progress} progress");
        assert!(told > 30 * EVENTS, "a third of the watchers see everything");
        plant_faults(&stored, &lives);
    })
    .await;
}

/// A fault on the way from the server to the watcher.
type Fault = fn(&mut Vec<Seen>);

/// Each planted fault is caught, by the judge whose guarantee it breaks.
fn plant_faults(stored: &[Stored], lives: &[Life]) {
    let faults: [(&str, Fault, &[&str]); 6] = [
        ("one event is skipped", skip_one, &["reliable", "resumable", "bookmarkable"]),
        ("progress runs ahead", progress_ahead, &["bookmarkable"]),
        ("an event is repeated after a resume", repeat_after_resume, &["unique", "honest"]),
        ("two events change places", |seen| swap_two(seen), &["ordered", "resumable"]),
        ("a watch silently begins anew", begin_anew, &["unique", "honest"]),
        ("no progress comes", no_progress, &["bookmarkable"]),
    ];
    let mut caught = std::collections::BTreeSet::new();
    // Lives that see everything and come back at least once.
    let is_fit = |life: &&Life| {
        life.filter == pb::ClaimEventFilter::default() && resume(&life.seen).is_some()
    };
    for life in lives.iter().filter(is_fit).take(4) {
        for (what, plant, judges) in &faults {
            let mut spoilt = life.clone();
            plant(&mut spoilt.seen);
            let verdict = broken(&truth(stored, &spoilt), &spoilt);
            for judge in *judges {
                assert!(verdict.contains_key(judge), "{what}: {judge} sleeps, {verdict:?}");
                caught.insert(*judge);
            }
        }
    }
    assert_eq!(caught.len(), JUDGES.len(), "each judge has caught something: {caught:?}");
}

/// Where in the middle of a life something like this comes.
fn middle(seen: &[Seen], is_it: impl Fn(&Seen) -> bool) -> usize {
    let half = seen.len() / 2;
    half + seen[half..].iter().position(is_it).expect("it comes")
}

fn is_event(seen: &Seen) -> bool {
    matches!(seen, Seen::Event { .. })
}

/// Where a life first came back with something told before.
fn resume(seen: &[Seen]) -> Option<usize> {
    let first = seen.iter().position(is_event)?;
    let is_connected = |seen: &Seen| matches!(seen, Seen::Connected { .. });
    Some(first + seen[first..].iter().position(is_connected)?)
}

/// Of two events of a lane in a row the first: a resume in between could hide it from a judge.
fn skip_one(seen: &mut Vec<Seen>) {
    let lane = |seen: &Seen| match seen {
        Seen::Event { lane, .. } => Some(*lane),
        _ => None,
    };
    let is_pair = |pair: &[Seen]| lane(&pair[0]).is_some() && lane(&pair[0]) == lane(&pair[1]);
    let half = seen.len() / 2;
    let at = seen[half..].windows(2).position(is_pair).expect("two of a lane in a row");
    seen.remove(half + at);
}

fn progress_ahead(seen: &mut Vec<Seen>) {
    let ahead = seen[middle(seen, is_event)].clone();
    let Seen::Event { token, .. } = ahead else { unreachable!() };
    let at = middle(seen, is_event);
    seen.insert(at, Seen::Progress { token });
}

fn repeat_after_resume(seen: &mut Vec<Seen>) {
    let resumed = resume(seen).expect("it came back");
    let before = seen[..resumed].iter().rposition(is_event).expect("something was told");
    let event = seen[before].clone();
    seen.insert(resumed + 1, event);
}

fn swap_two(seen: &mut [Seen]) {
    let first = middle(seen, is_event);
    let Seen::Event { lane, position, .. } = seen[first] else { unreachable!() };
    let same_lane = |it: &Seen| matches!(it, Seen::Event { lane: of, .. } if *of == lane);
    let second = first + 1 + seen[first + 1..].iter().position(same_lane).expect("another");
    let Seen::Event { position: later, .. } = seen[second] else { unreachable!() };
    for (index, to) in [(first, later), (second, position)] {
        let Seen::Event { position, .. } = &mut seen[index] else { unreachable!() };
        *position = to;
    }
}

fn begin_anew(seen: &mut Vec<Seen>) {
    let resumed = resume(seen).expect("it came back");
    let told: Vec<_> = seen[..resumed].iter().filter(|it| is_event(it)).cloned().collect();
    let rest = seen.split_off(resumed + 1);
    seen.extend(told);
    seen.extend(rest);
}

fn no_progress(seen: &mut Vec<Seen>) {
    seen.retain(|seen| !matches!(seen, Seen::Progress { .. }));
}
