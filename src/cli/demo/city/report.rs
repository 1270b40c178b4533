//! The figures of the year, asked from the server, and whether they hold together.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tonic::transport::Channel;

use super::{PLAN_ID, Run};
use crate::cli::Failure;
use crate::cli::client::told;
use crate::cli::statement::yuan;
use crate::pb;
use crate::pb::claim_service_client::ClaimServiceClient;

/// What a person bears at most of eligible expense in a year, as published.
const DEDUCTIBLE_FEN: i64 = 500_000;
/// What the plan pays at most in a year, as published.
const LIMIT_FEN: i64 = 30_000_000;

/// What one person had.
#[derive(Default)]
struct OfPerson {
    eligible: i64,
    paid: i64,
}

/// Everything that is printed.
#[derive(Default)]
pub(super) struct Report {
    members: usize,
    refused: u64,
    states: BTreeMap<&'static str, u64>,
    persons: HashMap<String, OfPerson>,
    /// Bills, burden before and payouts of claims that count.
    bills: i64,
    burden: i64,
    decided: i64,
    payments: i64,
    recoveries: i64,
    reasons: BTreeMap<String, u64>,
    reviewed: u64,
    /// From coming in to the ruling, in minutes.
    waits: Vec<i64>,
    breaches: BTreeMap<String, u64>,
    clocks: BTreeMap<String, u64>,
    /// Planted and caught, by code.
    planted: BTreeMap<&'static str, (u64, u64)>,
    missed: Vec<String>,
    false_alarms: u64,
    without_reason: u64,
    waiting: u64,
    /// From sending a settlement to its answer, in µs, sorted.
    latencies_us: Vec<u128>,
}

/// Reasons that are no suspicion: an amount, or something that is so and has to be looked at.
const NO_SUSPICION: [&str; 8] = [
    "ABOVE_CEILING",
    "CUMULATIVE_CEILING",
    "INJURY",
    "DEATH",
    "CROSS_REGION",
    "MANUAL_REIMBURSEMENT",
    "INFORMATION_PROVIDED",
    "FIGURE_CHANGED",
];

impl Report {
    pub(super) async fn gather(
        channel: &Channel,
        run: &Run,
        members: usize,
    ) -> Result<Report, Failure> {
        let mut report = Report {
            members,
            refused: run.refused,
            without_reason: run.without_reason,
            latencies_us: run.latencies_us.clone(),
            ..Report::default()
        };
        let mut client = ClaimServiceClient::new(channel.clone());
        let mut page_token = String::new();
        loop {
            let request = pb::ListClaimsRequest {
                page_size: 1000,
                page_token,
                ..pb::ListClaimsRequest::default()
            };
            let page = client.list_claims(request).await.map_err(|status| told(&status))?;
            let page = page.into_inner();
            page.claims.iter().for_each(|claim| report.claim(claim));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        report.latencies_us.sort_unstable();
        report.anomalies(run);
        Ok(report)
    }

    fn claim(&mut self, claim: &pb::Claim) {
        let state = claim.state().as_str_name().trim_start_matches("CLAIM_STATE_");
        *self.states.entry(state).or_default() += 1;
        let is_waiting =
            matches!(claim.state(), pb::ClaimState::Pended | pb::ClaimState::InformationRequested);
        self.waiting += u64::from(is_waiting);
        let is_paid = matches!(claim.state(), pb::ClaimState::Approved | pb::ClaimState::Paid);
        if let Some(decision) = claim.decision.as_ref().filter(|_| is_paid) {
            let person = self.persons.entry(claim.member_id.clone()).or_default();
            person.eligible += decision.eligible_fen;
            person.paid += decision.payout_fen;
            self.bills += claim.settlement.as_ref().map_or(0, |it| it.total_fen);
            self.burden += decision.burden_fen;
            self.decided += decision.payout_fen;
        }
        for payout in &claim.payouts {
            if payout.state() == pb::PayoutState::Cancelled {
                continue;
            }
            match payout.kind() {
                pb::PayoutKind::Recovery => self.recoveries += payout.amount_fen,
                _ => self.payments += payout.amount_fen,
            }
        }
        for clock in &claim.clocks {
            // No payment is confirmed in this year: nobody plays the bank.
            if clock.clock_code == "PAYMENT" {
                continue;
            }
            *self.clocks.entry(clock.clock_code.clone()).or_default() += 1;
            if clock.state() == pb::ClockState::Breached {
                *self.breaches.entry(clock.clock_code.clone()).or_default() += 1;
            }
            let stopped = clock.start_time.zip(clock.stop_time);
            if let Some((start, stop)) = stopped.filter(|(from, to)| from.seconds < to.seconds)
                && clock.clock_code == "DECISION"
            {
                self.waits.push((stop.seconds - start.seconds) / 60);
            }
        }
    }

    /// Holds what rules said against what was planted.
    fn anomalies(&mut self, run: &Run) {
        for (id, codes) in &run.found {
            let reviewed: Vec<&String> = codes.iter().filter(|code| !is_flag(code)).collect();
            self.reviewed += u64::from(!reviewed.is_empty());
            for code in codes {
                *self.reasons.entry(code.clone()).or_default() += 1;
            }
            let is_suspected = reviewed.iter().any(|code| !NO_SUSPICION.contains(&code.as_str()));
            self.false_alarms += u64::from(is_suspected && !run.planted.contains_key(id));
        }
        for (id, code) in &run.planted {
            let Some(codes) = run.found.get(id) else { continue };
            let (planted, caught) = self.planted.entry(*code).or_default();
            *planted += 1;
            if codes.iter().any(|found| found == code) {
                *caught += 1;
            } else {
                self.missed.push(format!("{code} {id}"));
            }
        }
    }

    /// Prints everything; fails where something was missed or does not balance.
    pub(super) fn print(&self, took: Duration) -> Result<(), Failure> {
        self.print_programme();
        self.print_channel();
        self.print_anomalies();
        let problems = self.problems();
        println!("\nThe year took {}.{:01} s.", took.as_secs(), took.subsec_millis() / 100);
        if problems.is_empty() {
            println!(
                "The books balance: payments {} less recoveries {} are the decisions' {}.",
                yuan(self.payments),
                yuan(self.recoveries),
                yuan(self.decided)
            );
            println!("Nobody bears more than {} of eligible expense.", yuan(DEDUCTIBLE_FEN));
            return Ok(());
        }
        Err(Failure::Told(problems.join("\n  ")))
    }

    fn print_programme(&self) {
        let paid: Vec<i64> = self.persons.values().map(|it| it.paid).filter(|it| *it > 0).collect();
        let mean = self.decided / i64::try_from(paid.len().max(1)).unwrap_or(1);
        let largest = paid.iter().max().copied().unwrap_or(0);
        println!("\nThe programme {PLAN_ID} in 2026");
        row("members", &self.members.to_string());
        row("persons with a claim that counts", &self.persons.len().to_string());
        row("persons who were paid", &paid.len().to_string());
        let claims: u64 = self.states.values().sum();
        row("claims", &claims.to_string());
        for (state, count) in &self.states {
            row(&format!("  {}", state.to_lowercase().replace('_', " ")), &count.to_string());
        }
        row("settlements refused", &self.refused.to_string());
        row("bills of claims that count", &yuan(self.bills));
        row("borne by persons before the plan", &yuan(self.burden));
        row("paid by the plan", &yuan(self.decided));
        row("borne by persons after it", &yuan(self.burden - self.decided));
        row("largest total of a person", &yuan(largest));
        row("mean of those who were paid", &yuan(mean));
    }

    fn print_channel(&self) {
        println!("\nThe green channel");
        let claims: u64 = self.states.values().sum();
        let share = claims.saturating_sub(self.reviewed) * 1000 / claims.max(1);
        row("decided without a person", &format!("{}.{} %", share / 10, share % 10));
        let latency = |percent: usize| {
            let index = self.latencies_us.len().saturating_sub(1) * percent / 100;
            let us = self.latencies_us.get(index).copied().unwrap_or(0);
            format!("{}.{} ms", us / 1000, us % 1000 / 100)
        };
        row("  answered in, p50", &latency(50));
        row("  answered in, p99", &latency(99));
        row("looked at by a person", &self.reviewed.to_string());
        let mut waits = self.waits.clone();
        waits.sort_unstable();
        let hours = |percent: usize| {
            let index = waits.len().saturating_sub(1) * percent / 100;
            let minutes = waits.get(index).copied().unwrap_or(0);
            format!("{} h {:02} min", minutes / 60, minutes % 60)
        };
        row("  time to decide, median", &hours(50));
        row("  time to decide, p90", &hours(90));
        row("  time to decide, longest", &hours(100));
        for (clock, count) in &self.clocks {
            let breached = self.breaches.get(clock).copied().unwrap_or(0);
            let name = clock.to_lowercase().replace('_', " ");
            row(&format!("  clock {name}"), &format!("{breached} breached of {count}"));
        }
    }

    fn print_anomalies(&self) {
        println!("\nWhat rules said, by claim");
        for (code, count) in &self.reasons {
            let kind = if is_flag(code) { " (noted)" } else { "" };
            row(&format!("  {code}{kind}"), &count.to_string());
        }
        println!("\nPlanted anomalies");
        for (code, (planted, caught)) in &self.planted {
            row(&format!("  {code}"), &format!("{caught} of {planted} caught"));
        }
        let share = self.false_alarms * 1000 / self.reviewed.max(1);
        row(
            "false alarms among reviews",
            &format!("{} = {}.{} %", self.false_alarms, share / 10, share % 10),
        );
    }

    /// What does not hold.
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !self.missed.is_empty() {
            problems.push(format!("{} planted anomalies were missed:", self.missed.len()));
            problems.extend(self.missed.iter().take(10).cloned());
        }
        if self.payments - self.recoveries != self.decided {
            let (paid, back) = (yuan(self.payments), yuan(self.recoveries));
            let decided = yuan(self.decided);
            problems.push(format!("payments {paid} less recoveries {back} are not {decided}"));
        }
        let bears_too_much =
            |it: &&OfPerson| it.eligible - it.paid > DEDUCTIBLE_FEN && it.paid < LIMIT_FEN;
        let count = self.persons.values().filter(bears_too_much).count();
        if count > 0 {
            problems.push(format!("{count} persons bear more than {}", yuan(DEDUCTIBLE_FEN)));
        }
        if self.persons.values().any(|it| it.paid > LIMIT_FEN) {
            problems.push(format!("somebody was paid more than {}", yuan(LIMIT_FEN)));
        }
        for (count, what) in [
            (self.refused, "settlements were refused"),
            (self.waiting, "claims still wait"),
            (self.without_reason, "claims waited without a reason"),
        ] {
            if count > 0 {
                problems.push(format!("{count} {what}"));
            }
        }
        problems
    }
}

/// Whether a rule of the shipped plan only notes what it hits.
fn is_flag(code: &str) -> bool {
    ["LENGTH_OUTLIER", "COST_OUTLIER", "QUANTITY", "OUT_OF_CATALOGUE"].contains(&code)
}

fn row(name: &str, value: &str) {
    println!("  {name:<38} {value:>20}");
}
