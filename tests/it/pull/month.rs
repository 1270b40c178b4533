//! A month of a platform with all its faults, in simulated time: two processes share the work, are
//! killed, and fetch by the schedule that the connector uses; the ledger is real.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use greenlane::core::day::{Day, Moment};
use greenlane::intake::pull::{
    Answer, Cursor, Endpoint, Envelope, Next, Page, Query, Schedule, Senders, Way, body, input,
    of_record,
};
use greenlane::ledger::{ImpactBound, Ledger};
use greenlane::pb::submit_settlements_response::Outcome;
use greenlane::pb::{SubmitMessageRequest, SubmitSettlementsRequest};
use greenlane::server::Limits;
use greenlane::store::PullProgress;

use super::platform::{DAY, Fault, HOUR, MEMBERS, MINUTE, Platform, Reply, below};
use crate::serving::{Served, on_sqlite, persons};
use crate::support::Dice;
use crate::world::{shipped_plan, start_ledger_with};

const SENDER: &str = "platform";
const DAYS: i64 = 30;
const STAYS: usize = 2000;
/// Of the rows so many come days or weeks late.
const LATE_PERCENT: i64 = 1;
/// Between two passes.
const EVERY: Duration = Duration::from_mins(10);
/// What an answer and its handing over take.
const ANSWER: i64 = 1_000_000;
/// When an answer that does not come is given up.
const PATIENCE: i64 = 30_000_000;

static NOW: AtomicI64 = AtomicI64::new(0);

fn simulated_clock() -> Moment {
    Moment::from_micros(NOW.load(Ordering::Relaxed))
}

fn endpoint() -> Endpoint {
    let senders = Senders::read(
        "[[senders]]\nsender = \"platform\"\n[senders.endpoint]\nurl = \"https://platform\"\n\
         region = \"370200\"\ninstitution_code = \"H37029999001\"\nfrom_date = \"2024-05-01\"\n\
         page_size = 20\n",
    );
    let Way::Endpoint(endpoint) = senders.unwrap().0.remove(0).way else { panic!("an endpoint") };
    *endpoint
}

/// One process that fetches.
struct Process {
    name: &'static str,
    lease: Option<String>,
    schedule: Option<Schedule>,
    /// When it does something next.
    wake: i64,
}

/// What was asked: by whom, when, and whether that went well and was all there is.
struct Asked {
    by: &'static str,
    at: i64,
    caught_up: bool,
}

struct Month {
    platform: Platform,
    endpoint: Endpoint,
    served: Served,
    ledger: Ledger,
    dice: Dice,
    asked: Vec<Asked>,
    /// Until when each grant of a lease lasts: who, from, until.
    grants: Vec<(&'static str, i64, i64)>,
    kills: u32,
    handed_over: BTreeMap<String, u32>,
}

impl Month {
    /// A process that holds the lease has renewed it all the time.
    async fn renew(&mut self, process: &Process, now: i64) {
        let Some(lease) = process.lease.clone() else { return };
        NOW.store(now, Ordering::Relaxed);
        let (sender, holder) = (SENDER.to_owned(), process.name.to_owned());
        let (lease, row) = self.ledger.lease_pull(sender, holder, Some(lease)).await.unwrap();
        assert!(lease.is_some(), "nobody takes what is held");
        self.grants.push((process.name, now, row.lease_expire_time.micros()));
    }

    /// One step of a process at its time.
    async fn step(&mut self, process: &mut Process) {
        NOW.store(process.wake, Ordering::Relaxed);
        let now = process.wake;
        let (sender, holder) = (SENDER.to_owned(), process.name.to_owned());
        let leased = self.ledger.lease_pull(sender, holder, process.lease.clone()).await.unwrap();
        let (lease, row) = leased;
        let Some(lease) = lease else {
            (process.lease, process.schedule) = (None, None);
            process.wake = now + MINUTE + below(&mut self.dice, 9 * MINUTE);
            return;
        };
        self.grants.push((process.name, now, row.lease_expire_time.micros()));
        if process.lease.as_ref() != Some(&lease) {
            process.schedule = None;
            process.lease = Some(lease.clone());
        }
        let schedule = process.schedule.get_or_insert_with(|| {
            Schedule::new(&self.endpoint, EVERY, Cursor::read(&row.cursor, &self.endpoint))
        });
        match schedule.next(simulated_clock()) {
            Next::Wait(until) => process.wake = until.micros().max(now + 1),
            Next::Ask(query) => {
                let (took, progress) = fetch(
                    &mut self.platform,
                    &self.endpoint,
                    &self.served,
                    schedule,
                    &query,
                    &mut self.handed_over,
                )
                .await;
                let (by, caught_up) = (process.name, progress.caught_up);
                self.asked.push(Asked { by, at: now, caught_up });
                process.wake = now + took;
                // Killed at any moment, so also between handing over and recording; not when the lag
                // after an outage is measured, since a lease takes its time to end.
                let is_measured = self.platform.has_just_recovered(now);
                if !is_measured && self.dice.roll(600) == 0 {
                    self.kills += 1;
                    (process.lease, process.schedule) = (None, None);
                    process.wake += below(&mut self.dice, HOUR);
                    return;
                }
                NOW.store(process.wake, Ordering::Relaxed);
                let recorded = self.ledger.record_pull(SENDER.to_owned(), lease, progress).await;
                if recorded.is_err() {
                    (process.lease, process.schedule) = (None, None);
                }
            }
        }
    }
}

/// One page as the connector takes it; how long that took, and what is to be recorded.
async fn fetch(
    platform: &mut Platform,
    endpoint: &Endpoint,
    served: &Served,
    schedule: &mut Schedule,
    query: &Query,
    handed_over: &mut BTreeMap<String, u32>,
) -> (i64, PullProgress) {
    let now = simulated_clock();
    let input = input(endpoint, query);
    let envelope = Envelope { input: &input, signature: None, now, serial: 0 };
    let failure = match platform.answer(&body(endpoint, &envelope), now) {
        Reply::Fault(Fault::Slow) => Err(PATIENCE),
        Reply::Fault(_) => Err(ANSWER),
        Reply::Body(bytes) => {
            let answer = Answer::read(&bytes).map_err(|_| ANSWER);
            answer.and_then(|answer| {
                Page::read(&answer.output, endpoint.paged_by).map_err(|_| ANSWER)
            })
        }
    };
    let page = match failure {
        Ok(page) => page,
        Err(took) => {
            schedule.failed(now.later(Duration::from_micros(took.unsigned_abs())));
            return (took, PullProgress { failure: "failed".into(), ..PullProgress::default() });
        }
    };
    let rows = schedule.unknown(&page);
    let records = i64::try_from(rows.len()).unwrap();
    for row in &rows {
        let id = row.place.as_ref().unwrap().id.clone();
        *handed_over.entry(id).or_default() += 1;
    }
    hand_over(served, rows.iter().map(|row| row.text.as_str()), &of_record(endpoint)).await;
    let then = now.later(Duration::from_micros(ANSWER.unsigned_abs()));
    let caught_up = schedule.took(query, &page, then).unwrap();
    let cursor = schedule.cursor().text();
    (ANSWER, PullProgress { cursor, caught_up, failure: String::new(), records })
}

async fn hand_over(served: &Served, records: impl Iterator<Item = &str>, request: &str) {
    let requests: Vec<SubmitSettlementsRequest> = records
        .map(|record| SubmitSettlementsRequest {
            message: Some(SubmitMessageRequest {
                sender: SENDER.to_owned(),
                payload: record.into(),
                request_payload: request.into(),
                ..SubmitMessageRequest::default()
            }),
            ..SubmitSettlementsRequest::default()
        })
        .collect();
    if requests.is_empty() {
        return;
    }
    let answers = served.settlements().submit_settlements(tokio_stream::iter(requests)).await;
    let mut answers = answers.unwrap().into_inner();
    while let Some(answer) = answers.message().await.unwrap() {
        if let Some(Outcome::Refused(refusal)) = answer.outcome {
            panic!("{}: {refusal:?}", answer.settlement_id);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_of_every_fault_is_settled_once_and_caught_up_within_a_minute() {
    on_sqlite(async |database| {
        let start = Day::parse("2024-05-01").unwrap().start();
        NOW.store(start.micros(), Ordering::Relaxed);
        let platform = Platform::new(start, DAYS, STAYS, LATE_PERCENT, Dice::seeded_with(1));
        let platform = platform.failing(start, DAYS, Dice::seeded_with(2));
        let ledger = start_ledger_with(&database, simulated_clock).await;
        ledger
            .publish(shipped_plan(), greenlane::ledger::Mode::Record, ImpactBound::NONE)
            .await
            .unwrap();
        for person in persons(MEMBERS) {
            ledger
                .enrol(person, greenlane::ledger::Mode::Record)
                .await
                .unwrap()
                .outcome()
                .await
                .unwrap();
        }
        let mut month = Month {
            platform,
            endpoint: endpoint(),
            served: Served::of(ledger.clone(), Limits::default()).await,
            ledger,
            dice: Dice::seeded_with(4),
            asked: Vec::new(),
            grants: Vec::new(),
            kills: 0,
            handed_over: BTreeMap::new(),
        };
        // What comes last may be late by ten days, and is found by looking back within a day.
        let end = start.micros() + (DAYS + 15) * DAY;
        let mut processes = ["one", "other"].map(|name| Process {
            name,
            lease: None,
            schedule: None,
            wake: start.micros(),
        });
        while processes.iter().any(|process| process.wake < end) {
            processes.sort_by_key(|process| process.wake);
            let [first, other] = &mut processes;
            month.renew(other, first.wake).await;
            month.step(first).await;
        }
        check(&database, &month, end).await;
        month.served.stop().await;
    })
    .await;
}

async fn check(database: &crate::support::Database, month: &Month, end: i64) {
    // Every settlement once, and taken back where the platform says so.
    let claims = super::claims(database).await;
    let expected = month.platform.settlements(Moment::from_micros(end));
    assert_eq!(claims.len(), expected.len());
    for (id, is_taken_back) in &expected {
        assert_eq!(claims.get(id), Some(is_taken_back), "{id}");
    }
    assert_eq!(database.text("select cast(count(*) as text) from reject").await, "0");
    crate::process::assert_consistent(database).await;
    let mut numbers = vec![(claims.len(), "settlements"), (month.asked.len(), "requests")];
    numbers.push((claims.values().filter(|it| **it).count(), "taken back"));
    numbers.push((month.handed_over.values().sum::<u32>() as usize, "records handed over"));
    numbers.push((month.kills as usize, "kills"));
    numbers.push((month.platform.outages.len(), "outages"));

    // After each outage everything is fetched within a minute, whoever has the lease.
    let mut lags = Vec::new();
    for (span, fault) in &month.platform.outages {
        let caught_up = month.asked.iter().find(|it| span.end <= it.at && it.caught_up).unwrap();
        let lag = caught_up.at - span.end;
        assert!(lag < MINUTE, "{fault:?}: {lag} µs");
        lags.push(lag / 1_000_000);
    }
    eprintln!("{numbers:?}, lags after outages in s: {lags:?}");

    // No hot loop: in outages at most as often as the pauses allow, else one pass in five minutes
    // and a page of twenty for what is new.
    for (span, fault) in &month.platform.outages {
        let count = month.asked.iter().filter(|it| span.contains(&it.at)).count();
        let minutes = usize::try_from((span.end - span.start) / MINUTE).unwrap();
        assert!(count <= minutes * 5 + 10, "{fault:?}: {count} requests in {minutes} min");
    }
    let busiest = (0..(end - month.asked[0].at) / HOUR).map(|hour| {
        let from = month.asked[0].at + hour * HOUR;
        month.asked.iter().filter(|it| (from..from + HOUR).contains(&it.at)).count()
    });
    assert!(busiest.max().unwrap() < 600);

    // Both worked, and never at once: each asked while the lease was its own alone.
    for name in ["one", "other"] {
        let share = month.asked.iter().filter(|it| it.by == name).count();
        assert!(month.asked.len() / 10 < share, "{name}: {share}");
    }
    for asked in &month.asked {
        let holds = |(_, from, until): &&(&str, i64, i64)| (*from..*until).contains(&asked.at);
        let holder = month.grants.iter().rev().find(holds).map(|(by, ..)| *by);
        assert_eq!(holder, Some(asked.by));
    }
}
