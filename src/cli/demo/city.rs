//! `greenlane demo city`: a year of a city against the real server, by a clock of its own.

use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Channel;

use super::embedded::Embedded;
use super::{PLAN, PLAN_ID};
use crate::cli::Failure;
use crate::cli::client::told;
use crate::cli::statement::refusal_text;
use crate::core::calendar::Calendar;
use crate::core::day::{Day, Moment};
use crate::core::figures::{Figure, FigureKind};
use crate::pb;
use crate::pb::admin_service_client::AdminServiceClient;
use crate::pb::member_service_client::MemberServiceClient;
use crate::pb::plan_service_client::PlanServiceClient;
use crate::pb::settlement_service_client::SettlementServiceClient;
use crate::pb::submit_settlements_response::Outcome;
use desk::Desk;
use report::Report;
use stays::{Arrival, What, Year};

mod bills;
mod desk;
mod people;
mod report;
mod stays;

const CALENDAR: &str = include_str!("../../../deploy/calendars/cn.toml");

/// The year's own clock, in µs since the epoch: what every event of the demo is timed by.
static NOW: AtomicI64 = AtomicI64::new(0);

fn now() -> Moment {
    Moment::from_micros(NOW.load(Ordering::Relaxed))
}

fn set_clock(moment: Moment) {
    NOW.fetch_max(moment.micros(), Ordering::Relaxed);
}

/// The hours of a day at which what has come is sent and the desk works.
const HOURS: [i64; 4] = [9, 11, 14, 17];
/// µs after which it does: a quarter of an hour.
const SITTING_AFTER: i64 = 15 * 60 * 1_000_000;
/// Requests in flight on the stream: a day is far fewer.
const IN_FLIGHT: usize = 1024;
/// The longest that the desk goes on after the year.
const DAYS_AFTER_MAX: u32 = 120;

/// What is made, and of what size.
#[derive(clap::Args)]
pub(super) struct City {
    /// Makes another city.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// How many members there are.
    #[arg(long, default_value_t = 18_000, value_parser = clap::value_parser!(u32).range(500..=200_000))]
    members: u32,
    /// About how many stays they have in the year.
    #[arg(long, default_value_t = 9_000, value_parser = clap::value_parser!(u32).range(200..=200_000))]
    stays: u32,
}

pub(super) async fn run(city: &City) -> Result<(), Failure> {
    let start = Instant::now();
    let people = people::people(city.seed, city.members);
    let year = stays::year(city.seed, &people, city.stays);
    set_clock(stays::new_year().start());
    let server = Embedded::start(now).await?;
    println!(
        "A city of {} members and {} arrivals in 2026 (seed {}), against a server at {}.",
        people.len(),
        year.arrivals.len(),
        city.seed,
        server.address
    );
    let mut run = Run::open(&server.channel, year).await?;
    run.publish().await?;
    run.enrol(people.iter().map(people::Person::member).collect()).await?;
    run.refresh_accounts().await?;
    run.through_the_year().await?;
    run.until_the_desk_is_empty().await?;
    let took = start.elapsed();
    let report = Report::gather(&server.channel, &run, people.len()).await?;
    let outcome = report.print(took);
    server.stop().await?;
    outcome
}

/// A year on its way.
struct Run {
    channel: Channel,
    arrivals: std::iter::Peekable<std::vec::IntoIter<Arrival>>,
    planted: stays::Planted,
    calendar: Calendar,
    desk: Desk,
    stream: Stream,
    /// What rules ever said of a settlement, by its id.
    found: HashMap<String, Vec<String>>,
    /// Settlements whose first answer was the green channel's.
    green: u64,
    /// Claims that went to a person and nobody could say why.
    without_reason: u64,
    sent: u64,
    refused: u64,
    /// From sending a settlement to its answer, in µs.
    latencies_us: Vec<u128>,
}

/// The window of a hospital that never closes.
struct Stream {
    requests: mpsc::Sender<pb::SubmitSettlementsRequest>,
    answers: Streaming<pb::SubmitSettlementsResponse>,
}

impl Run {
    async fn open(channel: &Channel, year: Year) -> Result<Run, Failure> {
        let (requests, waiting) = mpsc::channel(IN_FLIGHT);
        let mut settlements = SettlementServiceClient::new(channel.clone());
        let answers = settlements.submit_settlements(ReceiverStream::new(waiting)).await;
        let answers = answers.map_err(|status| told(&status))?.into_inner();
        let calendar = match Figure::read(FigureKind::Calendar, CALENDAR) {
            Ok(Figure::Calendar(calendar)) => (*calendar).clone(),
            _ => return Err(Failure::told("the shipped calendar cannot be read")),
        };
        Ok(Run {
            channel: channel.clone(),
            arrivals: year.arrivals.into_iter().peekable(),
            desk: Desk::new(channel, &year.planted),
            planted: year.planted,
            calendar,
            stream: Stream { requests, answers },
            found: HashMap::new(),
            green: 0,
            without_reason: 0,
            sent: 0,
            refused: 0,
            latencies_us: Vec::new(),
        })
    }

    async fn publish(&self) -> Result<(), Failure> {
        let mut admin = AdminServiceClient::new(self.channel.clone());
        let request = pb::PublishDocumentRequest {
            kind: pb::DocumentKind::Calendar.into(),
            content: CALENDAR.to_owned(),
            validate_only: false,
        };
        admin.publish_document(request).await.map_err(|status| told(&status))?;
        let mut plans = PlanServiceClient::new(self.channel.clone());
        let request = pb::PublishPlanRequest { document: PLAN.to_owned(), ..Default::default() };
        plans.publish_plan(request).await.map_err(|status| told(&status))?;
        Ok(())
    }

    async fn enrol(&self, members: Vec<pb::Member>) -> Result<(), Failure> {
        let count = members.len();
        let request =
            |member| pb::ImportMembersRequest { member: Some(member), ..Default::default() };
        let mut client = MemberServiceClient::new(self.channel.clone());
        let requests = tokio_stream::iter(members.into_iter().map(request));
        let answer = client.import_members(requests).await.map_err(|status| told(&status))?;
        let answer = answer.into_inner();
        if let Some(refusal) = answer.refused.first() {
            let why = refusal.refusal.clone().unwrap_or_default();
            return Err(Failure::Told(refusal_text(&why)));
        }
        println!("{count} members are on the roster, covered by {PLAN_ID} for the year.");
        Ok(())
    }

    async fn refresh_accounts(&self) -> Result<(), Failure> {
        let request = pb::RefreshFiguresRequest {
            kind: pb::DocumentKind::SharedAccounts.into(),
            document_id: "qingdao".to_owned(),
            version: "2026-01".to_owned(),
            ..Default::default()
        };
        self.refresh(request).await
    }

    /// The baseline of everything so far, as an operator would have it told each month.
    async fn refresh_baseline(&self, today: Day) -> Result<(), Failure> {
        let (month, _) = today.month_day();
        let request = pb::RefreshFiguresRequest {
            kind: pb::DocumentKind::Baseline.into(),
            document_id: "qingdao".to_owned(),
            version: format!("2026-{month:02}"),
            from_date: stays::new_year().to_string(),
            until_date: today.previous().to_string(),
            validate_only: false,
        };
        self.refresh(request).await
    }

    async fn refresh(&self, request: pb::RefreshFiguresRequest) -> Result<(), Failure> {
        let mut admin = AdminServiceClient::new(self.channel.clone());
        admin.refresh_figures(request).await.map_err(|status| told(&status))?;
        Ok(())
    }

    async fn through_the_year(&mut self) -> Result<(), Failure> {
        let mut day = stays::new_year();
        while day.year() == 2026 {
            if day.month_day().1 == 1 && day != stays::new_year() {
                set_clock(day.start());
                self.refresh_baseline(day).await?;
            }
            self.day(day).await?;
            self.tell_progress(day);
            day = day.next();
        }
        Ok(())
    }

    async fn until_the_desk_is_empty(&mut self) -> Result<(), Failure> {
        let mut day = stays::plus(stays::new_year(), 365);
        for _ in 0..DAYS_AFTER_MAX {
            self.day(day).await?;
            if self.desk.is_empty() && self.arrivals.peek().is_none() {
                break;
            }
            day = day.next();
        }
        self.tell_progress(day);
        eprintln!();
        Ok(())
    }

    async fn day(&mut self, day: Day) -> Result<(), Failure> {
        let is_workday = self.calendar.is_workday(day);
        for hour in HOURS {
            let time = Moment::from_micros(day.start().micros() + hour * 3_600_000_000);
            set_clock(time);
            self.send_what_came(time).await?;
            if is_workday {
                self.desk.post().await?;
                // Never to the minute at which something that came at a window runs out.
                set_clock(Moment::from_micros(time.micros() + SITTING_AFTER));
                self.desk.work(&mut self.found).await?;
            }
        }
        Ok(())
    }

    /// Sends everything that came until now, in order: settlements through the stream, the rest
    /// when those before it are answered.
    async fn send_what_came(&mut self, time: Moment) -> Result<(), Failure> {
        let mut settlements = Vec::new();
        while let Some(arrival) = self.arrivals.next_if(|it| it.time <= time) {
            match arrival.what {
                What::Settlement(settlement) => settlements.push(*settlement),
                What::Lines(facts) => {
                    self.submit(std::mem::take(&mut settlements)).await?;
                    self.supplement(*facts).await?;
                }
                What::Reversal(id) => {
                    self.submit(std::mem::take(&mut settlements)).await?;
                    self.reverse(id).await?;
                }
            }
        }
        self.submit(settlements).await
    }

    async fn submit(&mut self, settlements: Vec<pb::Settlement>) -> Result<(), Failure> {
        let count = settlements.len();
        let mut sent_at = Vec::with_capacity(count);
        for settlement in settlements {
            let request =
                pb::SubmitSettlementsRequest { settlement: Some(settlement), ..Default::default() };
            sent_at.push(Instant::now());
            let gone = |_| Failure::told("the stream ended");
            self.stream.requests.send(request).await.map_err(gone)?;
        }
        for sent_at in sent_at {
            let answer = self.stream.answers.message().await.map_err(|status| told(&status))?;
            let answer = answer.ok_or_else(|| Failure::told("the stream ended"))?;
            self.latencies_us.push(sent_at.elapsed().as_micros());
            self.sent += 1;
            match answer.outcome {
                Some(Outcome::Accepted(accepted)) => {
                    let claim = accepted.claim.unwrap_or_default();
                    self.green += u64::from(claim.route() == pb::Route::Green);
                    self.note(&claim);
                }
                _ => self.refused += 1,
            }
        }
        Ok(())
    }

    fn note(&mut self, claim: &pb::Claim) {
        note(&mut self.found, claim);
        if claim.state() == pb::ClaimState::Pended {
            self.without_reason += u64::from(claim.review_reasons.is_empty());
            self.desk.expect();
        }
    }

    async fn supplement(&mut self, facts: pb::Settlement) -> Result<(), Failure> {
        let mut settlements = SettlementServiceClient::new(self.channel.clone());
        let request =
            pb::SupplementSettlementRequest { settlement: Some(facts), validate_only: false };
        let answer = settlements.supplement_settlement(request).await;
        let answer = answer.map_err(|status| told(&status))?.into_inner();
        self.note(&answer.claim.unwrap_or_default());
        Ok(())
    }

    async fn reverse(&mut self, settlement_id: String) -> Result<(), Failure> {
        let mut settlements = SettlementServiceClient::new(self.channel.clone());
        let reversal = pb::Reversal {
            source: "370200".to_owned(),
            reversal_id: format!("{settlement_id}R"),
            settlement_id,
            ..pb::Reversal::default()
        };
        let request =
            pb::ReverseSettlementRequest { reversal: Some(reversal), ..Default::default() };
        settlements.reverse_settlement(request).await.map_err(|status| told(&status))?;
        Ok(())
    }

    /// One line that is written over; where nobody watches, one line a month.
    fn tell_progress(&self, day: Day) {
        let green = self.green * 100 / self.sent.max(1);
        let line = format!(
            "{day}  {:>6} claims  {green:>3} % green  {:>5} ruled by people",
            self.sent,
            self.desk.ruled()
        );
        let mut out = std::io::stderr();
        if out.is_terminal() {
            let _ = write!(out, "\r{line}");
            let _ = out.flush();
        } else if day.next().month_day().1 == 1 {
            let _ = writeln!(out, "{line}");
        }
    }
}

/// Notes what rules say of a claim.
fn note(found: &mut HashMap<String, Vec<String>>, claim: &pb::Claim) {
    let Some(settlement) = &claim.settlement else { return };
    let said = claim.review_reasons.iter().chain(&claim.flags).map(|it| it.code.clone());
    let known = found.entry(settlement.settlement_id.clone()).or_default();
    for code in said {
        if !known.contains(&code) {
            known.push(code);
        }
    }
}
