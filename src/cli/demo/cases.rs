//! The main job on real messages.

use std::collections::BTreeSet;
use tonic::Streaming;

use super::PLAN;
use super::embedded::Embedded;
use crate::cli::client::told;
use crate::cli::statement::{self, yuan};
use crate::cli::{Failure, event_line};
use crate::clock;
use crate::core::explain::Language;
use crate::pb;
use crate::pb::watch_claims_response::Item;

const ROSTER: &str = include_str!("../../../deploy/demo/roster.ndjson");

/// The messages in the order they are sent, with what each one shows.
const MESSAGES: [(&str, &str); 7] = [
    (
        "Three stays of one person: the deductible is borne once a year.",
        include_str!("../../../tests/fixtures/messages/18_composite_ingest_case_a_stay1.json"),
    ),
    (
        "The second stay.",
        include_str!("../../../tests/fixtures/messages/18b_composite_case_a_stay2.json"),
    ),
    (
        "The third stay.",
        include_str!("../../../tests/fixtures/messages/18c_composite_case_a_stay3.json"),
    ),
    (
        "A stay with fee lines: the escort bed is not paid.",
        include_str!("../../../tests/fixtures/messages/18d_composite_case_b_with_lines.json"),
    ),
    (
        "The second stay once more: the claim comes back, no money moves.",
        include_str!("../../../tests/fixtures/messages/17_2304_duplicate_resend_of_02.json"),
    ),
    (
        "A person who is not on the roster.",
        include_str!("../../../tests/fixtures/messages/20_2304_person_without_coverage.json"),
    ),
    (
        "A payout above the green channel's ceiling: a person must look.",
        include_str!("../../../tests/fixtures/messages/21_2304_above_green_ceiling.json"),
    ),
];

/// The hospital whose watcher the demo shows.
const HOSPITAL: &str = "H37029999001";

/// What the three stays of the first case must add up to, as published (fen).
const PUBLISHED_CASE: [i64; 4] = [23_900_000, 11_300_000, 12_100_000, 500_000];

pub(super) async fn run() -> Result<(), Failure> {
    let demo = Demo(Embedded::start(clock::now).await?);
    println!("A server is up at {} with a fresh SQLite database.\n", demo.0.address);
    demo.publish_plan().await?;
    demo.import_roster().await?;
    let watch = demo.watch_hospital().await?;
    let claims = demo.send_messages().await?;
    print_published_case(&claims)?;
    print_watch(watch, &claims).await?;
    demo.print_balance().await?;
    println!("{NEXT}");
    demo.0.stop().await
}

/// How to go on.
const NEXT: &str = "\
How to go on:
  greenlane serve                                     a server on 127.0.0.1:7443 with ./greenlane.db
  greenlane plan publish deploy/plans/qingdao-rongjun.toml
  greenlane member import deploy/demo/roster.ndjson
  grpcurl -plaintext 127.0.0.1:7443 list              reflection is on
  buf curl --http2-prior-knowledge --protocol grpc \\
    http://127.0.0.1:7443/greenlane.v1.PlanService/ListPlans -d '{}'
  greenlane watch --include-existing                  what happened to claims, and what happens
  greenlane claim show CLAIM_ID --lang zh             any claim, explained
  greenlane review list --actor YOUR_NAME             what waits for a person, and what it holds
  greenlane demo city                                 a year of a city: rules, clocks, the desk, the figures
  greenlane --help                                    everything else";

struct Demo(Embedded);

impl Demo {
    async fn publish_plan(&self) -> Result<(), Failure> {
        let mut plans = pb::plan_service_client::PlanServiceClient::new(self.0.channel.clone());
        let request = pb::PublishPlanRequest { document: PLAN.to_owned(), ..Default::default() };
        let answer =
            plans.publish_plan(request).await.map_err(|status| told(&status))?.into_inner();
        let plan = answer.plan.unwrap_or_default();
        println!("Published plan {} {} ({}).", plan.plan_id, plan.version, plan.name);
        Ok(())
    }

    async fn import_roster(&self) -> Result<(), Failure> {
        let mut members =
            pb::member_service_client::MemberServiceClient::new(self.0.channel.clone());
        let mut requests = Vec::new();
        for line in ROSTER.lines() {
            let member = crate::cli::roster::read_line(line).map_err(Failure::told)?;
            requests.push(pb::ImportMembersRequest { member: Some(member), ..Default::default() });
        }
        let answer = members.import_members(tokio_stream::iter(requests)).await;
        let answer = answer.map_err(|status| told(&status))?.into_inner();
        if let Some(refusal) = answer.refused.first() {
            let why = refusal.refusal.clone().unwrap_or_default();
            return Err(Failure::Told(statement::refusal_text(&why)));
        }
        println!("Imported a roster: {} members.\n", answer.created_count);
        Ok(())
    }

    /// Opens the stream as the billing system of one hospital would, before anything is sent.
    async fn watch_hospital(&self) -> Result<Streaming<pb::WatchClaimsResponse>, Failure> {
        let mut claims = pb::claim_service_client::ClaimServiceClient::new(self.0.channel.clone());
        let filter = pb::ClaimEventFilter {
            hospital_code: HOSPITAL.to_owned(),
            ..pb::ClaimEventFilter::default()
        };
        let request =
            pb::WatchClaimsRequest { filter: Some(filter), ..pb::WatchClaimsRequest::default() };
        let watch = claims.watch_claims(request).await.map_err(|status| told(&status))?;
        Ok(watch.into_inner())
    }

    async fn send_messages(&self) -> Result<Vec<pb::Claim>, Failure> {
        let mut settlements =
            pb::settlement_service_client::SettlementServiceClient::new(self.0.channel.clone());
        let mut claims = Vec::new();
        for (what, payload) in MESSAGES {
            println!("{what}");
            let request = pb::SubmitMessageRequest {
                sender: "demo-hospital".to_owned(),
                payload: payload.into(),
                infno: "2304".to_owned(),
                ..pb::SubmitMessageRequest::default()
            };
            let answer = settlements.submit_message(request).await;
            let answer = answer.map_err(|status| told(&status))?.into_inner();
            let claim = answer.claim.ok_or_else(|| Failure::told("no claim came back"))?;
            if answer.replayed {
                println!("claim {} replayed as it stands\n", claim.claim_id);
                continue;
            }
            println!("{}", statement::of_claim(&claim, Language::En));
            claims.push(claim);
        }
        Ok(claims)
    }

    async fn print_balance(&self) -> Result<(), Failure> {
        let mut members =
            pb::member_service_client::MemberServiceClient::new(self.0.channel.clone());
        let selector = pb::get_balance_request::Selector::ExternalId("RJ-000001".to_owned());
        let request = pb::GetBalanceRequest {
            selector: Some(selector),
            plan_id: String::new(),
            date: "2024-12-31".to_owned(),
        };
        let answer =
            members.get_balance(request).await.map_err(|status| told(&status))?.into_inner();
        println!("The first person's balance at the end of 2024:");
        println!("{}", statement::of_balances(&answer.balances));
        Ok(())
    }
}

/// Prints what the hospital's watcher was told of its claims while they were decided.
async fn print_watch(
    mut watch: Streaming<pb::WatchClaimsResponse>,
    claims: &[pb::Claim],
) -> Result<(), Failure> {
    let is_here = |claim: &&pb::Claim| {
        claim.settlement.as_ref().is_some_and(|it| it.hospital_code == HOSPITAL)
    };
    let mut untold: BTreeSet<&str> =
        claims.iter().filter(is_here).map(|claim| claim.revision.as_str()).collect();
    println!("What the watcher of hospital {HOSPITAL} saw meanwhile:");
    while !untold.is_empty() {
        let response = watch.message().await.map_err(|status| told(&status))?;
        let response = response.ok_or_else(|| Failure::told("the watch ended"))?;
        if let Some(Item::Event(event)) = response.item {
            untold.remove(event.revision.as_str());
            println!("{}", event_line::for_people(&event, Language::En));
        }
    }
    println!();
    Ok(())
}

/// Adds up the three stays and holds them against what was published.
fn print_published_case(claims: &[pb::Claim]) -> Result<(), Failure> {
    let mut sums = [0; 4];
    for claim in claims.iter().take(3) {
        let total = claim.settlement.as_ref().map_or(0, |settlement| settlement.total_fen);
        let decision = claim.decision.clone().unwrap_or_default();
        let (plan, person) = (decision.payout_fen, decision.patient_share_fen);
        for (sum, part) in sums.iter_mut().zip([total, total - plan - person, plan, person]) {
            *sum += part;
        }
    }
    let [total, funds, plan, person] = sums.map(yuan);
    println!("The three stays: {total} = funds {funds} + plan {plan} + person {person}.");
    if sums == PUBLISHED_CASE {
        println!("That is the published case, to the cent.\n");
        Ok(())
    } else {
        Err(Failure::told("that is not the published case"))
    }
}
