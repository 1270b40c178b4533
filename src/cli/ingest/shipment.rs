//! Sends entries over `SubmitSettlements` and accounts for their answers, over as many connections
//! as it takes. What was not answered is sent again: the server knows it by its key.

use std::collections::VecDeque;
use std::time::Duration;

use backon::ExponentialBackoff;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt;

use super::entry::{Content, Entry, Envelope};
use super::journal::Journal;
use super::progress::Progress;
use super::row::Row;
use crate::cli::client::{is_passing, may_be_opened_again, pauses, settlement_stream};
use crate::intake::file::{FileError, ReadError};
use crate::pb::submit_settlements_response::Outcome;
use crate::pb::{SubmitSettlementsRequest, SubmitSettlementsResponse};

/// Requests handed to the transport and not taken by it yet; beyond that the server slows us down.
const HANDED_OVER_MAX: usize = 256;
/// How often rows reach the results file while they trickle in.
const FLUSH_EVERY: Duration = Duration::from_millis(100);
/// How long an operator who stops us waits for what is in flight.
const STOP_WAIT_MAX: Duration = Duration::from_secs(5);

/// How an ingest ended.
#[derive(Debug)]
pub(in crate::cli) enum Ending {
    /// Every record is accounted for.
    Done,
    /// Every record was accounted for before.
    AlreadyDone,
    /// Somebody stopped it.
    Stopped,
    /// A file of the input is wrong; the records before it are accounted for.
    WrongInput(Vec<FileError>),
    /// It cannot go on; why. The input has nothing to do with it.
    Failed(String),
}

impl Ending {
    /// Where no more records can be read.
    pub(super) fn of(error: ReadError) -> Ending {
        match error {
            ReadError::Input(problems) => Ending::WrongInput(problems),
            error @ ReadError::Spool(_) => Ending::Failed(error.to_string()),
        }
    }
}

/// How one stream ended.
enum StreamEnd {
    Final(Ending),
    /// Another connection may help; why this one did not.
    Broken(String),
}

/// Everything on its way.
pub(super) struct Shipment {
    endpoint: Endpoint,
    envelope: Envelope,
    entries: mpsc::Receiver<Result<Entry, ReadError>>,
    journal: Journal,
    progress: Progress,
    stop: CancellationToken,
    give_up_after: Duration,
    /// Read and not accounted for, in the order of the input.
    waiting: VecDeque<Entry>,
    /// How many at the front of `waiting` went out on this stream, or have nothing to send.
    passed: usize,
    /// Whether every record was read.
    is_all_read: bool,
    /// Why no more records can be read.
    trouble: Option<ReadError>,
    /// When something last moved.
    moved: Instant,
    delays: ExponentialBackoff,
}

impl Shipment {
    pub(super) fn of(
        endpoint: Endpoint,
        envelope: Envelope,
        entries: mpsc::Receiver<Result<Entry, ReadError>>,
        (journal, progress): (Journal, Progress),
        stop: CancellationToken,
        give_up_after: Duration,
    ) -> Shipment {
        Shipment {
            endpoint,
            envelope,
            entries,
            journal,
            progress,
            stop,
            give_up_after,
            waiting: VecDeque::new(),
            passed: 0,
            is_all_read: false,
            trouble: None,
            moved: Instant::now(),
            delays: pauses(),
        }
    }

    /// Sends everything, beginning on `channel`. Returns the journal, on disk. An error is one of
    /// our own files.
    pub(super) async fn run(mut self, channel: Channel) -> Result<(Journal, Ending), String> {
        let mut channel = channel;
        let ending = loop {
            match self.stream(channel).await? {
                StreamEnd::Final(ending) => break ending,
                StreamEnd::Broken(why) => match self.reconnect(why).await? {
                    Ok(again) => channel = again,
                    Err(ending) => break ending,
                },
            }
        };
        self.journal.finish()?;
        let ending = match (ending, self.trouble) {
            (Ending::Done, Some(trouble)) => Ending::of(trouble),
            (ending, _) => ending,
        };
        Ok((self.journal, ending))
    }

    /// One stream from its first request to its end.
    async fn stream(&mut self, channel: Channel) -> Result<StreamEnd, String> {
        self.passed = 0;
        let (sender, receiver) = mpsc::channel(HANDED_OVER_MAX);
        let mut answers = match self.open(channel, receiver).await {
            Ok(answers) => answers,
            Err(end) => return Ok(end),
        };
        let mut requests = Some(sender);
        let (mut answered_count, mut is_taken) = (0, true);
        let mut flush = tokio::time::interval(FLUSH_EVERY);
        let mut stop_at: Option<Instant> = None;
        loop {
            self.account_for_unusable()?;
            self.pass_unusable();
            if self.is_all_read && self.waiting.is_empty() {
                return Ok(StreamEnd::Final(Ending::Done));
            }
            let is_stopping = stop_at.is_some();
            if is_stopping && self.passed == 0 {
                return Ok(StreamEnd::Final(Ending::Stopped));
            }
            let has_unsent = self.passed < self.waiting.len();
            if self.is_all_read && !has_unsent {
                requests = None;
            }
            let give_up_at = stop_at.unwrap_or(self.moved + self.give_up_after);
            tokio::select! {
                answer = answers.message() => {
                    if let Some(end) = self.take(answer, answered_count)? {
                        return Ok(end);
                    }
                    answered_count += 1;
                }
                place = reserve(requests.as_ref()), if is_taken && has_unsent && !is_stopping => match place {
                    Some(place) => if let Some(request) = self.next_request() {
                        place.send(request);
                    },
                    // The stream has ended, and its answers say how.
                    None => is_taken = false,
                },
                entry = self.entries.recv(), if !self.is_all_read && !is_stopping => {
                    self.add(entry);
                }
                _ = flush.tick() => {
                    self.journal.flush()?;
                    self.progress.show(self.journal.tally);
                }
                () = self.stop.cancelled(), if !is_stopping => {
                    self.progress.say("stopping; waiting for what is in flight");
                    stop_at = Some(Instant::now() + STOP_WAIT_MAX);
                }
                () = tokio::time::sleep_until(give_up_at), if !self.waiting.is_empty() => {
                    return Ok(StreamEnd::Final(if is_stopping {
                        Ending::Stopped
                    } else {
                        self.given_up("no answer came")
                    }));
                }
            }
        }
    }

    async fn open(
        &self,
        channel: Channel,
        requests: mpsc::Receiver<SubmitSettlementsRequest>,
    ) -> Result<Streaming<SubmitSettlementsResponse>, StreamEnd> {
        let mut client = settlement_stream(channel);
        tokio::select! {
            opened = client.submit_settlements(ReceiverStream::new(requests)) => match opened {
                Ok(answers) => Ok(answers.into_inner()),
                Err(status) => Err(end_of(&status)),
            },
            () = self.stop.cancelled() => Err(StreamEnd::Final(Ending::Stopped)),
            () = tokio::time::sleep(self.give_up_after) => {
                Err(StreamEnd::Final(self.given_up("no answer came")))
            }
        }
    }

    /// Takes one answer. Returns how the stream ended if it did.
    fn take(
        &mut self,
        answer: Result<Option<SubmitSettlementsResponse>, Status>,
        answered_count: i64,
    ) -> Result<Option<StreamEnd>, String> {
        let answer = match answer {
            Ok(Some(answer)) => answer,
            Ok(None) => {
                return Ok(Some(StreamEnd::Broken("the server ended the stream".to_owned())));
            }
            Err(status) => return Ok(Some(end_of(&status))),
        };
        if let Some(why) = passing_refusal(&answer) {
            return Ok(Some(StreamEnd::Broken(why)));
        }
        let failed = |why: &str| Ok(Some(StreamEnd::Final(Ending::Failed(why.to_owned()))));
        if answer.index != answered_count || self.passed == 0 {
            return failed("the server's answers are out of order");
        }
        let Some(mut entry) = self.waiting.pop_front() else {
            return failed("the server answered what nobody asked");
        };
        self.passed -= 1;
        let Some(row) = Row::answered(&entry.record, answer) else {
            return failed("the server answered something that this version does not know");
        };
        let row = row.correcting(entry.reject_id);
        self.journal.record(&mut entry.record, row)?;
        self.has_moved(entry.record.bytes);
        Ok(None)
    }

    /// Accounts for what stands at the front and cannot be sent.
    fn account_for_unusable(&mut self) -> Result<(), String> {
        while let Some(entry) = self.waiting.pop_front_if(|entry| !entry.is_sendable()) {
            let Entry { mut record, content: Content::Unusable(why), reject_id, .. } = entry else {
                continue;
            };
            self.passed = self.passed.saturating_sub(1);
            let row = Row::unusable(&record, why).correcting(reject_id);
            self.journal.record(&mut record, row)?;
            self.has_moved(record.bytes);
        }
        Ok(())
    }

    fn pass_unusable(&mut self) {
        while self.waiting.get(self.passed).is_some_and(|entry| !entry.is_sendable()) {
            self.passed += 1;
        }
    }

    fn next_request(&mut self) -> Option<SubmitSettlementsRequest> {
        let request = self.waiting.get(self.passed)?.request(&self.envelope);
        self.passed += 1;
        request
    }

    /// Takes what the reader found.
    fn add(&mut self, entry: Option<Result<Entry, ReadError>>) {
        if self.waiting.is_empty() {
            // Nobody owed us anything until now.
            self.moved = Instant::now();
        }
        match entry {
            Some(Ok(entry)) => self.waiting.push_back(entry),
            Some(Err(trouble)) => {
                self.trouble = Some(trouble);
                self.is_all_read = true;
            }
            None => self.is_all_read = true,
        }
    }

    fn has_moved(&mut self, bytes: u64) {
        self.progress.pass(bytes);
        self.moved = Instant::now();
        self.delays = pauses();
    }

    /// Waits and connects again, until it works, somebody stops us, or too long nothing has moved.
    async fn reconnect(&mut self, why: String) -> Result<Result<Channel, Ending>, String> {
        self.journal.flush()?;
        self.progress.say(&format!("{why}; trying again"));
        if self.waiting.is_empty() {
            self.moved = Instant::now();
        }
        let give_up_at = self.moved + self.give_up_after;
        while let Some(delay) = self.delays.next() {
            let again = async {
                tokio::time::sleep(delay).await;
                self.endpoint.connect().await
            };
            tokio::select! {
                channel = again => if let Ok(channel) = channel {
                    return Ok(Ok(channel));
                },
                () = self.stop.cancelled() => return Ok(Err(Ending::Stopped)),
                () = tokio::time::sleep_until(give_up_at) => break,
            }
        }
        Ok(Err(self.given_up(&why)))
    }

    fn given_up(&self, why: &str) -> Ending {
        let seconds = self.give_up_after.as_secs();
        Ending::Failed(format!("{why}; gave up when nothing had moved for {seconds} s"))
    }
}

async fn reserve(
    requests: Option<&mpsc::Sender<SubmitSettlementsRequest>>,
) -> Option<mpsc::Permit<'_, SubmitSettlementsRequest>> {
    match requests {
        Some(requests) => requests.reserve().await.ok(),
        None => std::future::pending().await,
    }
}

/// Why an answer is none: the server could not say what became of the request, so it has to be sent
/// again, and everything behind it with it.
fn passing_refusal(answer: &SubmitSettlementsResponse) -> Option<String> {
    let Some(Outcome::Refused(refusal)) = &answer.outcome else { return None };
    is_passing(Code::from(refusal.code)).then(|| refusal.message.clone())
}

fn end_of(status: &Status) -> StreamEnd {
    let why = match status.get_error_details().error_info() {
        Some(info) => format!("{} ({})", status.message(), info.reason),
        None if may_be_opened_again(status) => "the connection was lost".to_owned(),
        None => format!("the server refuses: {}", status.code()),
    };
    if may_be_opened_again(status) {
        StreamEnd::Broken(why)
    } else {
        StreamEnd::Final(Ending::Failed(why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb::{AcceptedSettlement, Refusal};

    /// Taken for a refusal, the line would go to a person although nothing is wrong with it.
    #[test]
    fn an_answer_that_leaves_the_outcome_open_is_none() {
        let is_open = |code: Code| {
            let refusal = Refusal { code: code.into(), ..Refusal::default() };
            let outcome = Some(Outcome::Refused(refusal));
            let answer =
                SubmitSettlementsResponse { outcome, ..SubmitSettlementsResponse::default() };
            passing_refusal(&answer).is_some()
        };
        // Unknown outcome, database away, shutting down; lost to another transaction.
        assert!(is_open(Code::Unavailable) && is_open(Code::Aborted));
        for code in [Code::InvalidArgument, Code::AlreadyExists, Code::Internal, Code::DataLoss] {
            assert!(!is_open(code), "{code}");
        }
        let outcome = Some(Outcome::Accepted(AcceptedSettlement::default()));
        let answer = SubmitSettlementsResponse { outcome, ..SubmitSettlementsResponse::default() };
        assert!(passing_refusal(&answer).is_none());
    }
}
