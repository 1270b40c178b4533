//! Watchers: how long after a commit they hear of it, and what a crowd of idle ones costs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::transport::Channel;

use super::figures::Tally;
use super::machine::resident_bytes;
use super::process::Process;
use super::workload::{Workload, hospital};
use crate::cli::Failure;
use crate::cli::client::{may_be_opened_again, pauses, told};
use crate::clock;
use crate::grpc::settlement_message;
use crate::pb;
use crate::pb::claim_service_client::ClaimServiceClient;
use crate::pb::settlement_service_client::SettlementServiceClient;
use crate::pb::watch_claims_response::Item;

/// Watchers on one connection: below the server's limit of 1024 streams.
const WATCHERS_PER_CONNECTION: usize = 800;
/// How long watchers may take to be up, and the last event to come.
const PATIENCE: Duration = Duration::from_mins(1);
/// What watchers tell the run.
enum Told {
    /// It is up.
    Live,
    /// It heard of a claim, so long after the claim's event time, in µs.
    Event(u64),
    /// Its stream ended, and it opens another one.
    Reopened,
    /// It failed for good.
    Failed(Failure),
}

/// A crowd of watchers, all up. They end when this is dropped.
struct Crowd {
    told: mpsc::UnboundedReceiver<Told>,
    _tasks: JoinSet<()>,
}

impl Crowd {
    /// Puts up one watcher for each of so many hospitals and waits until all are live.
    async fn gather(process: &Process, count: u32) -> Result<Crowd, Failure> {
        let watchers = usize::try_from(count).map_err(Failure::told)?;
        let channels = process.connect(watchers.div_ceil(WATCHERS_PER_CONNECTION)).await?;
        let (sender, told) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        for (number, channel) in (0..count).zip(channels.iter().cycle()) {
            let hospital_code = hospital(number.into());
            tasks.spawn(watch(channel.clone(), hospital_code, sender.clone()));
        }
        let mut crowd = Crowd { told, _tasks: tasks };
        let mut live = 0;
        while live < count {
            match crowd.next().await? {
                Told::Live => live += 1,
                Told::Reopened => {}
                Told::Event(_) => return Err(Failure::told("a watcher heard of an older claim")),
                Told::Failed(failure) => return Err(failure),
            }
        }
        Ok(crowd)
    }

    async fn next(&mut self) -> Result<Told, Failure> {
        let next = tokio::time::timeout(PATIENCE, self.told.recv()).await;
        next.ok().flatten().ok_or_else(|| Failure::told("the watchers fell silent"))
    }
}

/// Watches one hospital until the run ends. A stream that ends by a passing error is opened again
/// behind the last token, as the API asks, and the latency of what comes late counts.
async fn watch(channel: Channel, hospital_code: String, sender: mpsc::UnboundedSender<Told>) {
    let filter = pb::ClaimEventFilter { hospital_code, ..pb::ClaimEventFilter::default() };
    let client = ClaimServiceClient::new(channel);
    let mut watcher = Watcher { client, filter, token: String::new(), is_live: false, sender };
    let mut waits = pauses();
    loop {
        let before = watcher.token.clone();
        let status = match watcher.listen().await {
            Ok(()) => Status::unavailable("the stream ended"),
            Err(status) => status,
        };
        if !may_be_opened_again(&status) {
            let _ = watcher.sender.send(Told::Failed(told(&status)));
            return;
        }
        if watcher.token != before {
            waits = pauses();
        }
        let _ = watcher.sender.send(Told::Reopened);
        tokio::time::sleep(waits.next().unwrap_or(PATIENCE)).await;
    }
}

struct Watcher {
    client: ClaimServiceClient<Channel>,
    filter: pb::ClaimEventFilter,
    token: String,
    is_live: bool,
    sender: mpsc::UnboundedSender<Told>,
}

impl Watcher {
    async fn listen(&mut self) -> Result<(), Status> {
        let request = pb::WatchClaimsRequest {
            filter: Some(self.filter.clone()),
            resume_token: self.token.clone(),
            include_existing: false,
        };
        let mut stream = self.client.watch_claims(request).await?.into_inner();
        while let Some(message) = stream.message().await? {
            let now_us = clock::now().micros();
            self.token = message.resume_token;
            match message.item {
                Some(Item::Event(event)) => {
                    let time = event.event_time.unwrap_or_default();
                    let time_us = time.seconds * 1_000_000 + i64::from(time.nanos) / 1000;
                    let latency_us = u64::try_from(now_us - time_us).unwrap_or(0);
                    let _ = self.sender.send(Told::Event(latency_us));
                }
                Some(Item::Progress(progress)) if progress.is_up_to_date && !self.is_live => {
                    self.is_live = true;
                    let _ = self.sender.send(Told::Live);
                }
                Some(Item::Progress(_)) | None => {}
            }
        }
        Ok(())
    }
}

/// How evenly claims come in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Claims in a second.
    pub(super) claims_per_s: u32,
    /// For so long.
    pub(super) time: Duration,
}

/// Submits claims at a steady pace, whether or not answers come back in time (an open loop), while
/// every hospital has its watcher at `watched`, and gathers how late each watcher heard.
///
/// A latency runs from the event time, which the server sets under the lane's lock just before it
/// writes the batch, to the receipt at the watcher, both by this machine's clock. So it contains
/// the writing and the commit itself: from outside nobody can tell when a commit is done, and what
/// is counted too much is on the safe side.
pub(super) async fn latency(
    channels: &[Channel],
    watched: &Process,
    workload: &Arc<Workload>,
    watchers: u32,
    pace: Pace,
) -> Result<Tally, Failure> {
    let mut crowd = Crowd::gather(watched, watchers).await?;
    let stop = CancellationToken::new();
    let submitting = tokio::spawn(submit(channels.to_vec(), workload.clone(), pace, stop.clone()));
    let _stop = stop.drop_guard();
    let mut tally = Tally::default();
    let start = Instant::now();
    let mut expected = None;
    let mut submitting = Some(submitting);
    while expected.is_none_or(|expected| tally.claims < expected) {
        let next = tokio::select! {
            next = crowd.next() => next?,
            done = async {
                match submitting.as_mut() {
                    Some(task) => task.await,
                    None => std::future::pending().await,
                }
            } => {
                let done: Tally = done.map_err(Failure::told)??;
                submitting = None;
                expected = Some(done.claims);
                (tally.elapsed, tally.approved) = (done.elapsed, done.approved);
                continue;
            }
        };
        match next {
            Told::Event(latency_us) => {
                tally.claims += 1;
                tally.latencies_us.push(latency_us);
            }
            Told::Live => {}
            Told::Reopened => tally.reopened += 1,
            Told::Failed(failure) => return Err(failure),
        }
        if start.elapsed() > pace.time + PATIENCE {
            return Err(Failure::told("the watchers did not hear of every claim"));
        }
    }
    Ok(tally)
}

/// One call for each claim, each in a task of its own, when its time has come.
async fn submit(
    channels: Vec<Channel>,
    workload: Arc<Workload>,
    pace: Pace,
    stop: CancellationToken,
) -> Result<Tally, Failure> {
    let start = tokio::time::Instant::now();
    let interval = Duration::from_secs(1) / pace.claims_per_s;
    let count = pace.time.as_secs() * u64::from(pace.claims_per_s);
    let mut calls = JoinSet::new();
    for (number, channel) in
        (0..u32::try_from(count).unwrap_or(u32::MAX)).zip(channels.iter().cycle())
    {
        tokio::select! {
            () = tokio::time::sleep_until(start + interval * number) => {}
            () = stop.cancelled() => break,
        }
        let settlement = Some(settlement_message(&workload.take()));
        let mut client = SettlementServiceClient::new(channel.clone());
        calls.spawn(async move {
            let request = pb::SubmitSettlementRequest { settlement, validate_only: false };
            client.submit_settlement(request).await
        });
    }
    let mut tally = Tally::default();
    while let Some(answer) = calls.join_next().await {
        let answer = answer.map_err(Failure::told)?.map_err(|status| told(&status))?;
        let state = answer.into_inner().claim.map(|claim| claim.state());
        tally.claims += 1;
        tally.approved += u64::from(state == Some(pb::ClaimState::Approved));
    }
    tally.elapsed = start.elapsed();
    Ok(tally)
}

/// The memory of a server in bytes, without watchers and with them.
#[derive(Debug, Clone, Copy)]
pub(super) struct IdleMemory {
    pub(super) watchers: u32,
    pub(super) before: u64,
    pub(super) with_watchers: u64,
}

/// Puts up watchers to whom nothing happens, lets them sit for a while, and looks at the server's
/// memory. `None` where the kernel does not tell.
pub(super) async fn idle(
    process: &Process,
    watchers: u32,
    sit: Duration,
) -> Result<Option<IdleMemory>, Failure> {
    let before = resident_bytes(process.pid());
    let crowd = Crowd::gather(process, watchers).await?;
    tokio::time::sleep(sit).await;
    let after = resident_bytes(process.pid());
    drop(crowd);
    let both = before.zip(after);
    Ok(both.map(|(before, with_watchers)| IdleMemory { watchers, before, with_watchers }))
}
