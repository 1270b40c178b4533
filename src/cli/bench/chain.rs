//! Long chains: a member with many claims whose first one is reversed. All later claims are decided
//! again in the same commit, and the answer says how each has changed.

use std::collections::HashMap;
use std::time::Instant;

use futures::StreamExt;
use tonic::transport::Channel;

use super::figures::{Tally, us};
use super::workload::Workload;
use crate::cli::Failure;
use crate::cli::client::{settlement_stream, told};
use crate::core::money::Fen;
use crate::core::settlement::{Amounts, Settlement};
use crate::grpc::settlement_message;
use crate::pb;

/// Members with a chain each.
const CHAINS: usize = 20;
/// Claims of a chain.
pub(super) const CLAIMS: usize = 300;

/// Reverses the first claim of one chain after the other. The latency of one is what its caller
/// waits for: the commit, and the whole list of changes. The claims that count are those decided
/// again.
pub(super) async fn corrections(channel: &Channel, workload: &Workload) -> Result<Tally, Failure> {
    let mut firsts = Vec::with_capacity(CHAINS);
    for _ in 0..CHAINS {
        let like = workload.take();
        let links: Vec<Settlement> = (0..CLAIMS).map(|number| link(&like, number)).collect();
        send(channel, &links).await?;
        firsts.push(links.into_iter().next().unwrap_or(like));
    }
    let mut tally = Tally::default();
    let start = Instant::now();
    for first in firsts {
        let request = pb::ReverseSettlementRequest {
            reversal: Some(pb::Reversal {
                source: first.source,
                settlement_id: first.settlement_id,
                ..pb::Reversal::default()
            }),
            validate_only: false,
        };
        let mut client = settlement_stream(channel.clone());
        let began = Instant::now();
        let answer = client.reverse_settlement(request).await.map_err(|status| told(&status))?;
        tally.latencies_us.push(us(began.elapsed()));
        // Of a claim that changed twice, the end.
        let changes = answer.into_inner().changes.into_iter();
        let ends: HashMap<String, pb::ClaimState> =
            changes.map(|it| (it.claim_id.clone(), it.state())).collect();
        tally.claims += ends.len() as u64;
        let is_approved = |state: &&pb::ClaimState| **state == pb::ClaimState::Approved;
        tally.approved += ends.values().filter(is_approved).count() as u64;
    }
    tally.elapsed = start.elapsed();
    Ok(tally)
}

/// What a claim of a chain leaves to the person: all of them together stay below what a person has to
/// look at.
const BURDEN: Fen = Fen::from_yuan(300);

/// One of many stays of the same person. Its days are not stated: so many would be one after another.
fn link(like: &Settlement, number: usize) -> Settlement {
    let of_link = |id: &String| format!("{id}C{number}");
    let fund_total = like.amounts.fund_total.unwrap_or_default();
    Settlement {
        admission_date: None,
        discharge_date: None,
        amounts: Amounts {
            total: fund_total + BURDEN,
            fund_total: Some(fund_total),
            personal_total: Some(BURDEN),
            ..Amounts::default()
        },
        settlement_id: of_link(&like.settlement_id),
        visit_id: like.visit_id.as_ref().map(of_link),
        invoice_no: like.invoice_no.as_ref().map(of_link),
        ..like.clone()
    }
}

async fn send(channel: &Channel, links: &[Settlement]) -> Result<(), Failure> {
    let request = |settlement: &Settlement| pb::SubmitSettlementsRequest {
        settlement: Some(settlement_message(settlement)),
        ..pb::SubmitSettlementsRequest::default()
    };
    let requests: Vec<_> = links.iter().map(request).collect();
    let mut client = settlement_stream(channel.clone());
    let answers = client.submit_settlements(tokio_stream::iter(requests)).await;
    let mut answers = answers.map_err(|status| told(&status))?.into_inner();
    while let Some(answer) = answers.next().await {
        answer.map_err(|status| told(&status))?;
    }
    Ok(())
}
