//! The queue of claims that wait for a person, and what they hold together.

use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};

use clap::ValueEnum;

use super::{Desk, OrderArg, code};
use crate::cli::Failure;
use crate::cli::client::told;
use crate::cli::event_line::local_time;
use crate::cli::statement::columns::{padded, width};
use crate::cli::statement::{standing, yuan};
use crate::core::explain::Language;
use crate::core::money::Fen;
use crate::pb;

/// Which claims of the queue, and in which order.
#[derive(clap::Args)]
pub(in crate::cli) struct Filter {
    /// Only claims in this state.
    #[arg(long, value_enum)]
    state: Option<StateArg>,
    /// Only claims of this plan.
    #[arg(long, value_name = "ID")]
    plan: Option<String>,
    /// Only stays in this hospital.
    #[arg(long, value_name = "CODE")]
    hospital: Option<String>,
    /// Only claims with this reason among others, such as above-ceiling.
    #[arg(long, value_name = "CODE")]
    reason: Option<String>,
    /// Only claims on which this person works.
    #[arg(long, value_name = "NAME", conflicts_with = "free")]
    assignee: Option<String>,
    /// Only claims on which nobody works.
    #[arg(long)]
    free: bool,
    /// Only claims that would pay so much or more, in yuan.
    #[arg(long, value_name = "YUAN", value_parser = Fen::parse_yuan)]
    min_yuan: Option<Fen>,
    /// Only claims that would pay so much or less, in yuan.
    #[arg(long, value_name = "YUAN", value_parser = Fen::parse_yuan)]
    max_yuan: Option<Fen>,
    /// Which come first: those whose clock runs out first, that have waited longest, or that would
    /// pay most.
    #[arg(long, value_enum, default_value = "due")]
    order: OrderArg,
}

#[derive(Clone, Copy, ValueEnum)]
enum StateArg {
    /// A person has to look.
    Pended,
    /// An answer is waited for.
    InformationRequested,
}

impl Filter {
    fn request(&self) -> pb::ListReviewsRequest {
        let state = match self.state {
            None => pb::ClaimState::Unspecified,
            Some(StateArg::Pended) => pb::ClaimState::Pended,
            Some(StateArg::InformationRequested) => pb::ClaimState::InformationRequested,
        };
        pb::ListReviewsRequest {
            state: state.into(),
            plan_id: self.plan.clone().unwrap_or_default(),
            hospital_code: self.hospital.clone().unwrap_or_default(),
            reason_code: self.reason.as_deref().map(code).unwrap_or_default(),
            assignee: self.assignee.clone().unwrap_or_default(),
            only_free: self.free,
            payout_min_fen: self.min_yuan.map(Fen::fen),
            payout_max_fen: self.max_yuan.map(Fen::fen),
            order: pb::ReviewOrder::from(self.order).into(),
            page_size: 0,
            page_token: String::new(),
        }
    }
}

/// Lists every claim of the queue that fits, page after page, then the totals.
pub(super) async fn list(filter: &Filter, desk: &Desk) -> Result<(), Failure> {
    let mut client = desk.client().await?;
    let language = desk.shown.language();
    let mut request = filter.request();
    let mut has_any = false;
    loop {
        let answer = client.list_reviews(desk.signed(request.clone())).await;
        let page = answer.map_err(|status| told(&status))?.into_inner();
        let lines: String = page.claims.iter().map(|claim| line(claim, language) + "\n").collect();
        has_any |= !page.claims.is_empty();
        if !print(&lines)? {
            return Ok(());
        }
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    if !has_any {
        eprintln!("nothing waits that fits");
    }
    let answer = client.get_review_summary(desk.signed(pb::GetReviewSummaryRequest {})).await;
    let reserves = answer.map_err(|status| told(&status))?.into_inner().reserves;
    print(&totals(&reserves, language)).map(|_| ())
}

/// Prints a part of the list; false when nobody reads any further.
fn print(text: &str) -> Result<bool, Failure> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::told(error)),
    }
}

/// One claim of the queue.
fn line(claim: &pb::Claim, language: Language) -> String {
    let review = claim.review.clone().unwrap_or_default();
    let hospital = claim.settlement.as_ref().map_or("", |it| it.hospital_code.as_str());
    let amount = claim.decision.as_ref().map_or_else(|| "-".to_owned(), |it| yuan(it.payout_fen));
    let codes: Vec<&str> = claim.review_reasons.iter().map(|it| it.code.as_str()).collect();
    let due = due(claim, language);
    let line = format!(
        "{:<8} {}  {:<13} {amount:>14}  {}  {:<12} {}{due}",
        claim.claim_id,
        local_time(review.pend_time.as_ref()),
        dash(hospital),
        padded(&standing(claim, language), 21),
        dash(&review.assignee),
        codes.join(" "),
    );
    line.trim_end().to_owned()
}

/// When the clock runs out that does so first, and whether it has.
fn due(claim: &pb::Claim, language: Language) -> String {
    let runs = claim.clocks.iter().filter(|it| it.stop_time.is_none());
    let first = runs
        .filter_map(|it| it.due_time.map(|due| (due.seconds, due.nanos, it)))
        .min_by_key(|(seconds, nanos, _)| (*seconds, *nanos));
    let Some((.., clock)) = first else { return String::new() };
    let time = local_time(clock.due_time.as_ref());
    match clock.state() {
        pb::ClockState::Breached => {
            language.of(format!("  已超时 {time}"), format!("  OVERDUE since {time}"))
        }
        _ => language.of(format!("  {time} 到期"), format!("  due {time}")),
    }
}

fn dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

/// What the whole queue holds, a plan a line; nothing where nothing waits.
fn totals(reserves: &[pb::Reserve], language: Language) -> String {
    if reserves.is_empty() {
        return String::new();
    }
    let words = [
        ("赔案", "claims"),
        ("已领取", "assigned"),
        ("预留", "reserved"),
        ("受其影响", "at risk"),
        ("最早待审", "oldest"),
    ];
    let [claims, assigned, held, at_risk, oldest] = words.map(|(zh, en)| language.of(zh, en));
    let name = language.of("全部待审赔案", "all that wait");
    let mut out = String::from("\n");
    let mut row = |name: &str, counts: [&str; 2], sums: [&str; 2], oldest: &str| {
        let counts = counts.map(|text| right(text, 8)).join("  ");
        let sums = sums.map(|text| right(text, 16)).join("  ");
        let _ = writeln!(out, "{}  {counts}  {sums}  {oldest}", padded(name, 24));
    };
    row(name, [claims, assigned], [held, at_risk], oldest);
    for it in reserves {
        let counts = [it.claim_count, it.assigned_count].map(|count| count.to_string());
        let sums = [it.reserved_fen, it.at_risk_fen].map(yuan);
        let oldest = local_time(it.oldest_pend_time.as_ref());
        let (counts, sums) = ([&*counts[0], &*counts[1]], [&*sums[0], &*sums[1]]);
        row(dash(&it.plan_id), counts, sums, &oldest);
    }
    out
}

/// A text with blanks before it, so that it takes at least so many columns.
fn right(text: &str, columns: usize) -> String {
    format!("{:1$}{text}", "", columns.saturating_sub(width(text)))
}
