//! Settlements over gRPC: one stream, or callers that each wait for their answer.
//!
//! A closed loop: who has an answer sends the next one. There is no warm-up, because what a server
//! does with its first claims on empty tables is part of what is measured.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tonic::transport::Channel;

use super::figures::{Tally, us};
use super::workload::{PLAN, Workload};
use crate::cli::client::told;
use crate::cli::statement::refusal_text;
use crate::cli::{Failure, bench::Bounds};
use crate::grpc::settlement_message;
use crate::pb;
use crate::pb::member_service_client::MemberServiceClient;
use crate::pb::plan_service_client::PlanServiceClient;
use crate::pb::settlement_service_client::SettlementServiceClient;
use crate::pb::submit_settlements_response::Outcome;

/// HTTP/2 connections over which many callers are spread.
const CONNECTIONS_MAX: usize = 4;

/// How many connections so many callers share.
pub(super) fn connections(callers: u32) -> usize {
    usize::try_from(callers).unwrap_or(usize::MAX).min(CONNECTIONS_MAX)
}

/// Publishes the plan and imports the roster.
pub(super) async fn prepare(channel: &Channel, workload: &Workload) -> Result<(), Failure> {
    let request = pb::PublishPlanRequest { document: PLAN.to_owned(), ..Default::default() };
    let mut plans = PlanServiceClient::new(channel.clone());
    plans.publish_plan(request).await.map_err(|status| told(&status))?;
    let request = |member| pb::ImportMembersRequest { member: Some(member), ..Default::default() };
    let roster = tokio_stream::iter(workload.roster().map(request));
    let mut members = MemberServiceClient::new(channel.clone());
    let done = members.import_members(roster).await.map_err(|status| told(&status))?.into_inner();
    if done.created_count == i64::from(workload.members()) {
        Ok(())
    } else {
        Err(Failure::told("the roster was not taken"))
    }
}

/// Sends settlements through one stream until the bounds, and waits for every answer.
///
/// The latency of one is from where it is handed to the transport to its answer: mostly the wait
/// behind the thousands that a stream has in flight.
pub(super) async fn stream(
    channel: Channel,
    workload: Arc<Workload>,
    bounds: Bounds,
) -> Result<Tally, Failure> {
    let sent_at = Arc::new(Mutex::new(VecDeque::new()));
    let start = Instant::now();
    let requests = {
        let sent_at = sent_at.clone();
        async_stream::stream! {
            let mut sent = 0;
            while sent < bounds.claims && start.elapsed() < bounds.time {
                let settlement = Some(settlement_message(&workload.take()));
                lock(&sent_at).push_back(Instant::now());
                sent += 1;
                yield pb::SubmitSettlementsRequest { settlement, ..pb::SubmitSettlementsRequest::default() };
            }
        }
    };
    let mut client = SettlementServiceClient::new(channel);
    let answers = client.submit_settlements(requests).await;
    let mut answers = answers.map_err(|status| told(&status))?.into_inner();
    let mut tally = Tally::default();
    while let Some(answer) = answers.message().await.map_err(|status| told(&status))? {
        let sent = lock(&sent_at).pop_front();
        let sent = sent.ok_or_else(|| Failure::told("an answer came to no request"))?;
        let claim = match answer.outcome {
            Some(Outcome::Accepted(accepted)) => accepted.claim,
            Some(Outcome::Refused(refusal)) => return Err(Failure::Told(refusal_text(&refusal))),
            Some(Outcome::NoSettlement(_) | Outcome::Parked(_)) | None => None,
        };
        count(&mut tally, claim.as_ref(), sent);
    }
    tally.elapsed = start.elapsed();
    if lock(&sent_at).is_empty() {
        Ok(tally)
    } else {
        Err(Failure::told("the stream ended before its answers"))
    }
}

/// Lets callers submit, each one settlement after the other, until the bounds.
pub(super) async fn unary(
    channels: &[Channel],
    workload: &Arc<Workload>,
    callers: u32,
    bounds: Bounds,
) -> Result<Tally, Failure> {
    let start = Instant::now();
    let last = workload.taken() + bounds.claims;
    let mut running = JoinSet::new();
    for (_, channel) in (0..callers).zip(channels.iter().cycle()) {
        let mut client = SettlementServiceClient::new(channel.clone());
        let workload = workload.clone();
        running.spawn(async move {
            let mut tally = Tally::default();
            while workload.taken() < last && start.elapsed() < bounds.time {
                let settlement = Some(settlement_message(&workload.take()));
                let request = pb::SubmitSettlementRequest { settlement, validate_only: false };
                let sent = Instant::now();
                let answer = client.submit_settlement(request).await;
                let answer = answer.map_err(|status| told(&status))?.into_inner();
                count(&mut tally, answer.claim.as_ref(), sent);
            }
            Ok::<Tally, Failure>(tally)
        });
    }
    together(running, start).await
}

/// Waits for everybody who has been at work since `start`, and adds up what they did.
pub(super) async fn together(
    mut running: JoinSet<Result<Tally, Failure>>,
    start: Instant,
) -> Result<Tally, Failure> {
    let mut all = Tally::default();
    while let Some(tally) = running.join_next().await {
        all.add(tally.map_err(Failure::told)??);
    }
    all.elapsed = start.elapsed();
    Ok(all)
}

fn count(tally: &mut Tally, claim: Option<&pb::Claim>, sent: Instant) {
    let state = claim.map(pb::Claim::state);
    tally.claims += 1;
    tally.approved += u64::from(state == Some(pb::ClaimState::Approved));
    tally.latencies_us.push(us(sent.elapsed()));
}

fn lock(times: &Mutex<VecDeque<Instant>>) -> std::sync::MutexGuard<'_, VecDeque<Instant>> {
    times.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long a closed loop may take, so that a slow machine ends too.
pub(super) fn unbounded(claims: u64) -> Bounds {
    Bounds { claims, time: Duration::MAX }
}
