//! One sender, fetched from for as long as nobody says to end: leased, fetched, handed over, recorded.

use std::time::Duration;

use backon::ExponentialBackoff;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

use super::desk::{Desk, Progress, Standing};
use super::endpoint::Fetcher;
use super::folder::Inbox;
use super::hand_over::hand_over;
use crate::cli::client::pauses;
use crate::clock;
use crate::core::day::Moment;
use crate::intake::pull::{Cursor, Next, Query, Schedule, of_record};

/// How often it is asked whether a sender that is another's or paused has become free.
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// A failure that goes on is logged again so often.
const LOG_EVERY: u32 = 20;

/// Fetches from one sender.
pub(super) struct Connector {
    sender: String,
    desk: Desk,
    work: Work,
    /// Whether everything there was has been fetched since it began.
    has_caught_up: bool,
    /// What failed first.
    first_failure: Option<String>,
    /// Failures in a row.
    failures: u32,
    /// Before the server is asked again that did not answer.
    pauses: ExponentialBackoff,
}

/// What is to be fetched, and how far that has come.
pub(super) enum Work {
    Endpoint(Box<Fetching>),
    Folder(Box<Inbox>),
}

/// An endpoint between its pages.
pub(super) struct Fetching {
    sender: String,
    fetcher: Fetcher,
    channel: Channel,
    every: Duration,
    schedule: Schedule,
}

/// How a connector ended.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) enum Ending {
    /// It was told to.
    Stopped,
    /// Everything that was there has been fetched once.
    CaughtUp,
    /// Once was asked for, and it failed; why.
    Failed(String),
}

impl Connector {
    pub(super) fn new(sender: String, desk: Desk, work: Work) -> Connector {
        Connector {
            sender,
            desk,
            work,
            has_caught_up: false,
            first_failure: None,
            failures: 0,
            pauses: pauses(),
        }
    }

    /// Goes on until `stop`; or, where `once`, until everything there is was fetched or something
    /// failed.
    pub(super) async fn run(mut self, stop: CancellationToken, once: bool) -> Ending {
        let ending = loop {
            if let Some(ending) = self.step(&stop, once).await {
                break ending;
            }
        };
        self.desk.release().await;
        ending
    }

    async fn step(&mut self, stop: &CancellationToken, once: bool) -> Option<Ending> {
        let sender = self.sender.as_str();
        let standing = tokio::select! {
            standing = self.desk.hold() => standing,
            () = stop.cancelled() => return Some(Ending::Stopped),
        };
        let wait = match standing {
            Ok(Standing::Ours(fresh)) => {
                if let Some(cursor) = fresh {
                    tracing::info!(sender, "fetching");
                    self.work.begin(&cursor);
                }
                match self.work.wait(clock::now()) {
                    None => return self.fetch(stop, once).await,
                    Some(wait) => wait.min(ASK_AGAIN),
                }
            }
            Ok(_) if once => {
                let why = format!("{sender}: another process fetches from it, or it is paused");
                return Some(Ending::Failed(why));
            }
            Ok(_) => ASK_AGAIN,
            Err(status) if once => {
                return Some(Ending::Failed(format!(
                    "the server does not answer: {}",
                    status.code()
                )));
            }
            Err(status) => {
                tracing::warn!(sender, code = %status.code(), "the server does not answer");
                self.pauses.next().unwrap_or(ASK_AGAIN)
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => None,
            () = stop.cancelled() => Some(Ending::Stopped),
        }
    }

    /// One piece of work under the lease, and its record.
    async fn fetch(&mut self, stop: &CancellationToken, once: bool) -> Option<Ending> {
        let progress = tokio::select! {
            progress = self.work.fetch(stop) => progress,
            // Another process goes on with it: what was handed over is known to the ledger.
            () = self.desk.keep() => return None,
        };
        if stop.is_cancelled() && progress == Progress::default() {
            return Some(Ending::Stopped);
        }
        self.pauses = pauses();
        self.tell(&progress);
        let Progress { failure, caught_up, goes_on, .. } = progress.clone();
        if let Err(status) = self.desk.record(progress).await {
            let sender = self.sender.as_str();
            tracing::warn!(sender, code = %status.code(), "how far it has come was not recorded");
        }
        self.has_caught_up |= caught_up;
        if !failure.is_empty() {
            self.first_failure.get_or_insert_with(|| format!("{}: {failure}", self.sender));
        }
        let is_over = if failure.is_empty() {
            // Nothing is left to look back for, either.
            self.has_caught_up && self.work.is_at_rest()
        } else {
            !goes_on
        };
        (once && is_over).then(|| match self.first_failure.take() {
            Some(why) => Ending::Failed(why),
            None => Ending::CaughtUp,
        })
    }

    /// Logs what is worth it: records, the first of many failures, and the end of them.
    fn tell(&mut self, progress: &Progress) {
        let sender = self.sender.as_str();
        if !progress.failure.is_empty() {
            if self.failures.is_multiple_of(LOG_EVERY) {
                tracing::warn!(sender, failure = progress.failure, "fetching failed; tried again");
            }
            self.failures += 1;
            return;
        }
        if 0 < self.failures {
            tracing::info!(sender, failures = self.failures, "fetching works again");
        }
        self.failures = 0;
        if 0 < progress.records {
            tracing::info!(sender, records = progress.records, "handed over");
        }
    }
}

impl Work {
    /// Goes on where another process or an earlier run ended.
    fn begin(&mut self, cursor: &str) {
        match self {
            Work::Endpoint(it) => it.schedule = schedule(&it.fetcher, it.every, cursor),
            Work::Folder(it) => it.begin(),
        }
    }

    /// How long to wait; `None`: there is something to do now.
    fn wait(&self, now: Moment) -> Option<Duration> {
        let until = match self {
            Work::Endpoint(it) => match it.schedule.next(now) {
                Next::Ask(_) => return None,
                Next::Wait(until) => until,
            },
            Work::Folder(it) => it.next_look().filter(|at| now < *at)?,
        };
        let micros = u64::try_from(until.micros().saturating_sub(now.micros())).unwrap_or(0);
        Some(Duration::from_micros(micros))
    }

    /// Whether there is nothing to do now.
    fn is_at_rest(&self) -> bool {
        self.wait(clock::now()).is_some()
    }

    /// Does the next piece of work; nothing where it is stopped before its end.
    async fn fetch(&mut self, stop: &CancellationToken) -> Progress {
        match self {
            Work::Endpoint(it) => match it.schedule.next(clock::now()) {
                Next::Ask(query) => tokio::select! {
                    progress = it.page(&query) => progress,
                    () = stop.cancelled() => Progress::default(),
                },
                Next::Wait(_) => Progress::default(),
            },
            Work::Folder(it) => it.look(stop).await,
        }
    }
}

impl Fetching {
    /// Asks nothing yet.
    pub(super) fn new(
        sender: String,
        fetcher: Fetcher,
        channel: Channel,
        every: Duration,
    ) -> Fetching {
        let schedule = schedule(&fetcher, every, "");
        Fetching { sender, fetcher, channel, every, schedule }
    }

    /// One page: fetched, handed over, and only then passed.
    async fn page(&mut self, query: &Query) -> Progress {
        let passed = self.pass(query).await;
        let (caught_up, records, failure) = match passed {
            Ok((caught_up, records)) => (caught_up, records, String::new()),
            Err(why) => {
                self.schedule.failed(clock::now());
                (false, 0, shortened(&why))
            }
        };
        let cursor = self.schedule.cursor().text();
        Progress { cursor, caught_up, failure, records, goes_on: false }
    }

    async fn pass(&mut self, query: &Query) -> Result<(bool, i64), String> {
        let page = self.fetcher.fetch(query).await.map_err(|error| error.to_string())?;
        let unknown = self.schedule.unknown(&page);
        let records: Vec<&str> = unknown.iter().map(|row| row.text.as_str()).collect();
        let tally = if records.is_empty() {
            0
        } else {
            let request = of_record(self.fetcher.endpoint());
            let handed_over = hand_over(&self.channel, &self.sender, &records, &request).await;
            let tally = handed_over.map_err(|error| error.to_string())?;
            if 0 < tally.refused {
                let (sender, refused) = (self.sender.as_str(), tally.refused);
                tracing::warn!(sender, refused, "the server keeps them as rejects");
            }
            tally.records
        };
        let caught_up = self.schedule.took(query, &page, clock::now());
        Ok((caught_up.map_err(|stuck| stuck.to_string())?, tally))
    }
}

/// The passes of an endpoint from what was kept of them on.
fn schedule(fetcher: &Fetcher, every: Duration, kept: &str) -> Schedule {
    let endpoint = fetcher.endpoint();
    Schedule::new(endpoint, every, Cursor::read(kept, endpoint))
}

/// As long as the API takes it.
fn shortened(text: &str) -> String {
    text.chars().filter(|it| !it.is_control()).take(200).collect()
}
