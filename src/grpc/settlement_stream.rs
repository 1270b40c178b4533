//! `SubmitSettlements`: a stream of settlements and messages in, their answers out in the same order.
//!
//! A task of its own reads, so that thousands are in flight while answers wait for their commits.
//! What it has read is bounded in requests and in the memory they hold; beyond that it stops
//! reading, and the transport makes the caller wait.

use std::pin::Pin;
use std::sync::Arc;

use futures::{FutureExt, Stream, StreamExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use super::intake::{Intake, Refused, Taken};
use super::parse::{self, Id};
use super::status::Fault;
use super::{intake, render};
use crate::core::checks::Problem;
use crate::core::settlement::{FollowUp, Settlement};
use crate::intake::{About, Reading, Topic};
use crate::ledger::{Followed, Ledger, Mode, Pending, Queue, Submitted};
use crate::pb::submit_settlements_response::Outcome;
use crate::pb::{
    AcceptedSettlement, NoSettlement, Parked, SubmitMessageRequest, SubmitSettlementsRequest,
    SubmitSettlementsResponse,
};
use crate::store::Delivery;

/// Requests of one stream that were read and not answered yet.
const IN_FLIGHT_MAX: usize = 4096;
/// Requests that go to the ledger together.
const CHUNK_MAX: usize = 256;
/// What a fee line holds of the memory, about: as it came, in case it has to be kept, and as read.
const LINE_BYTES: usize = 600;
/// The weight of a chunk, beyond which no further request is added: 10,000 fee lines.
const CHUNK_BYTES_MAX: usize = 10_000 * LINE_BYTES;
/// The weight in flight, which is what one stream may hold of the memory: 100,000 fee lines.
const BYTES_IN_FLIGHT_MAX: usize = 100_000 * LINE_BYTES;

/// The answers of one stream.
pub(super) type Answers =
    Pin<Box<dyn Stream<Item = Result<SubmitSettlementsResponse, Status>> + Send>>;

/// Reads `requests` to their end and answers each in its place.
///
/// The end of the requests ends the answers after the last one. A caller who is gone ends the
/// reading; what was accepted is carried out. When `closing` is cancelled reading stops, what was
/// accepted is answered, and the stream ends with `SHUTTING_DOWN`.
pub(super) fn answer(
    requests: Streaming<SubmitSettlementsRequest>,
    ledger: Ledger,
    intake: Intake,
    closing: CancellationToken,
) -> Answers {
    let (sender, mut receiver) = mpsc::channel(IN_FLIGHT_MAX - CHUNK_MAX);
    let bytes = Arc::new(Semaphore::new(BYTES_IN_FLIGHT_MAX));
    let reader = Reader {
        requests,
        ledger,
        intake: intake.clone(),
        closing,
        answers: sender,
        bytes,
        next_index: 0,
    };
    tokio::spawn(reader.run());
    Box::pin(async_stream::stream! {
        while let Some(entry) = receiver.recv().await {
            match entry {
                Entry::Item(item, standing) => yield Ok(item.answer(standing, &intake).await),
                Entry::End(fault) => {
                    yield Err(Status::from(*fault));
                    return;
                }
            }
        }
    })
}

enum Entry {
    /// A request that waits for its answer, and how far it has come.
    Item(Box<Item>, Standing),
    /// The stream ends here, with this status.
    End(Box<Fault>),
}

/// One request of the stream.
struct Item {
    index: i64,
    /// As it came, in case it has to be kept.
    request: SubmitSettlementsRequest,
    about: About,
    /// The reject it corrects.
    corrects: Option<String>,
    /// What its chunk takes of the bytes in flight, until the last of the chunk is answered.
    _bytes: Arc<OwnedSemaphorePermit>,
}

/// How far a request has come.
enum Standing {
    /// The ledger has it.
    Sent(Pending<Submitted>),
    /// The ledger has it; it may have to wait for its settlement.
    Followed(Pending<Followed>, Topic),
    /// It is taken, or there was nothing to take.
    Done(Box<Taken>),
    /// It cannot be used.
    Refused(Fault),
}

impl Item {
    async fn answer(self, standing: Standing, intake: &Intake) -> SubmitSettlementsResponse {
        let taken = match standing {
            Standing::Sent(pending) => {
                let outcome = pending.outcome().await;
                outcome.map(|submitted| Taken::of_settled(submitted, Mode::Record))
            }
            Standing::Followed(pending, topic) => {
                let outcome = pending.outcome().await;
                outcome.map(|followed| Taken::of_followed(followed, topic, Mode::Record))
            }
            Standing::Done(taken) => Ok(*taken),
            Standing::Refused(fault) => return self.refused(fault, intake).await,
        };
        match taken {
            Ok(taken) => self.taken(&taken, intake).await,
            Err(error) => self.refused(error.into(), intake).await,
        }
    }

    async fn taken(self, taken: &Taken, intake: &Intake) -> SubmitSettlementsResponse {
        intake.made_good(taken, || delivery(&self.request)).await;
        if let Some(reject_id) = &self.corrects
            && let Err(fault) = intake.corrected(taken, reject_id).await
        {
            return self.response(Outcome::Refused(fault.into_refusal()));
        }
        let outcome = match taken {
            Taken::Claim(it, _) | Taken::Quote(it) => Outcome::Accepted(AcceptedSettlement {
                claim: Some(render::claim(&it.claim)),
                replayed: it.replayed,
                changes: render::changes(&it.changes),
            }),
            Taken::Parked(parked_id) => Outcome::Parked(Parked { parked_id: parked_id.clone() }),
            Taken::NoSettlement(detail) => {
                Outcome::NoSettlement(NoSettlement { detail: detail.clone() })
            }
        };
        self.response(outcome)
    }

    /// What came in a stream and cannot be used is kept.
    async fn refused(self, fault: Fault, intake: &Intake) -> SubmitSettlementsResponse {
        let refused = Refused { fault, about: self.about.clone() };
        let corrects = self.corrects.clone();
        let fault = intake.keep(refused, delivery(&self.request), corrects).await;
        self.response(Outcome::Refused(fault.into_refusal()))
    }

    fn response(self, outcome: Outcome) -> SubmitSettlementsResponse {
        SubmitSettlementsResponse {
            settlement_id: self.about.settlement_id.unwrap_or_default(),
            outcome: Some(outcome),
            source: self.about.source.unwrap_or_default(),
            index: self.index,
        }
    }
}

/// A request as it came.
fn delivery(request: &SubmitSettlementsRequest) -> Delivery {
    match &request.message {
        Some(message) => intake::of_message(message),
        None => intake::of_settlement(request.settlement.as_ref()),
    }
}

/// What one request was found to be.
struct Found {
    about: About,
    what: What,
}

enum What {
    Settlement(Box<Settlement>),
    FollowUp(FollowUp),
    /// A settlement and that it was taken back.
    TakenBack(Box<Settlement>, FollowUp),
    /// Nothing for the ledger.
    Other(Standing),
}

impl Found {
    fn read(request: &SubmitSettlementsRequest, intake: &Intake) -> Found {
        match (&request.settlement, &request.message) {
            (None, Some(message)) => Found::of_message(message, intake),
            (settlement, message) => {
                let read = match message {
                    None => parse::settlement(settlement.as_ref(), Id::Required),
                    Some(_) => Err(problem("message", "must not stand beside a settlement")),
                };
                let about = intake::stated(settlement.as_ref());
                let what = match read {
                    Ok(settlement) => What::Settlement(Box::new(settlement)),
                    Err(problems) => What::Other(Standing::Refused(problems.into())),
                };
                Found { about, what }
            }
        }
    }

    fn of_message(request: &SubmitMessageRequest, intake: &Intake) -> Found {
        let nameless = |standing| Found { about: About::default(), what: What::Other(standing) };
        if request.validate_only {
            let problems = problem("validate_only", "must be false: a stream records");
            return nameless(Standing::Refused(problems.into()));
        }
        match intake.read(request) {
            Err(Refused { fault, about }) => {
                Found { about, what: What::Other(Standing::Refused(fault)) }
            }
            Ok(Reading::NoSettlement { detail }) => nameless(nothing(detail)),
            Ok(Reading::Quote(settlement)) => Found {
                about: intake::about_settlement(&settlement),
                what: What::Other(nothing(QUOTE.to_owned())),
            },
            Ok(Reading::FollowUp(what)) => {
                Found { about: intake::about(&what), what: What::FollowUp(what) }
            }
            Ok(Reading::TakenBack { settlement, reversal }) => {
                let reversal = FollowUp::Reversal(reversal);
                let about = intake::about(&reversal);
                Found { about, what: What::TakenBack(settlement, reversal) }
            }
            Ok(Reading::Settlement(settlement)) => Found {
                about: intake::about_settlement(&settlement),
                what: What::Settlement(settlement),
            },
        }
    }
}

/// There was nothing to take; why.
fn nothing(detail: String) -> Standing {
    Standing::Done(Box::new(Taken::NoSettlement(detail)))
}

/// Why an answer to 2303 makes no claim.
const QUOTE: &str = "the answer to 2303 is a quote and settles nothing";

fn problem(field: &str, problem: &str) -> Vec<Problem> {
    vec![Problem { field: field.to_owned(), problem: problem.to_owned() }]
}

/// What a request holds of the memory, about: of a settlement its fee lines, of a message its
/// bytes and what is read from them, which is less.
fn weight(request: &SubmitSettlementsRequest) -> usize {
    let lines = request.settlement.as_ref().map_or(0, |it| it.lines.len());
    let bytes =
        request.message.as_ref().map_or(0, |it| it.payload.len() + it.request_payload.len());
    lines * LINE_BYTES + bytes * 2
}

struct Reader {
    requests: Streaming<SubmitSettlementsRequest>,
    ledger: Ledger,
    intake: Intake,
    closing: CancellationToken,
    answers: mpsc::Sender<Entry>,
    bytes: Arc<Semaphore>,
    next_index: i64,
}

/// What was read at once.
#[derive(Default)]
struct Chunk {
    requests: Vec<SubmitSettlementsRequest>,
    bytes: usize,
    /// How the stream ended behind them; none while it goes on.
    end: Option<Ending>,
}

enum Ending {
    /// The caller has said everything, or is gone.
    Quiet,
    Fault(Fault),
}

impl Reader {
    async fn run(mut self) {
        loop {
            let chunk = self.gather().await;
            if self.pass_on(chunk.requests, chunk.bytes).await.is_err() {
                return;
            }
            match chunk.end {
                None => {}
                Some(Ending::Quiet) => return,
                Some(Ending::Fault(fault)) => {
                    let _ = self.answers.send(Entry::End(Box::new(fault))).await;
                    return;
                }
            }
        }
    }

    /// Waits for a request and takes those that have come with it.
    async fn gather(&mut self) -> Chunk {
        let mut chunk = Chunk::default();
        let first = tokio::select! {
            biased;
            () = self.closing.cancelled() => {
                chunk.end = Some(Ending::Fault(Fault::shutting_down()));
                return chunk;
            }
            () = self.answers.closed() => {
                chunk.end = Some(Ending::Quiet);
                return chunk;
            }
            first = self.requests.next() => first,
        };
        let mut next = Some(first);
        while let Some(read) = next {
            match read {
                Some(Ok(request)) => {
                    chunk.bytes += weight(&request);
                    chunk.requests.push(request);
                }
                Some(Err(status)) => {
                    let fault = Fault::of_transport(&status);
                    chunk.end = Some(fault.map_or(Ending::Quiet, Ending::Fault));
                    return chunk;
                }
                None => {
                    chunk.end = Some(Ending::Quiet);
                    return chunk;
                }
            }
            let is_full = chunk.requests.len() == CHUNK_MAX || chunk.bytes >= CHUNK_BYTES_MAX;
            next = if is_full { None } else { self.requests.next().now_or_never() };
        }
        chunk
    }

    /// Sends a chunk to the ledger and its places to the answers. An error means that nobody
    /// listens any more.
    async fn pass_on(
        &mut self,
        requests: Vec<SubmitSettlementsRequest>,
        bytes: usize,
    ) -> Result<(), ()> {
        if requests.is_empty() {
            return Ok(());
        }
        let permits = u32::try_from(bytes.min(BYTES_IN_FLIGHT_MAX)).unwrap_or(u32::MAX);
        let permit = self.bytes.clone().acquire_many_owned(permits).await.map_err(drop)?;
        let permit = Arc::new(permit);
        let mut run = Vec::new();
        let mut settlements = Vec::new();
        for request in requests {
            let found = Found::read(&request, &self.intake);
            let (corrects, what) = match parse::corrects(&request) {
                Ok(reject_id) => (reject_id, found.what),
                Err(problems) => (None, What::Other(Standing::Refused(problems.into()))),
            };
            let standing = match what {
                What::Settlement(settlement) => {
                    settlements.push(*settlement);
                    None
                }
                What::FollowUp(what) => {
                    // In its turn: behind the settlements before it, before those behind it.
                    self.send(&mut run, &mut settlements).await?;
                    let topic = intake::topic(&what);
                    Some(Standing::Followed(self.follow_up(what, &request).await, topic))
                }
                What::TakenBack(settlement, reversal) => {
                    self.send(&mut run, &mut settlements).await?;
                    let topic = intake::topic(&reversal);
                    match self.follow_up(reversal, &request).await.outcome().await {
                        // It waits, so the settlement is taken back in the commit that brings it.
                        Ok(Followed::Parked(_)) => {
                            settlements.push(*settlement);
                            None
                        }
                        Ok(done) => {
                            let taken = Taken::of_followed(done, topic, Mode::Record);
                            Some(Standing::Done(Box::new(taken)))
                        }
                        Err(error) => Some(Standing::Refused(error.into())),
                    }
                }
                What::Other(standing) => Some(standing),
            };
            let index = self.next_index;
            self.next_index += 1;
            let (about, permit) = (found.about, permit.clone());
            run.push((standing, Item { index, request, about, corrects, _bytes: permit }));
        }
        self.send(&mut run, &mut settlements).await
    }

    async fn follow_up(
        &self,
        what: FollowUp,
        request: &SubmitSettlementsRequest,
    ) -> Pending<Followed> {
        self.ledger.follow_up(what, delivery(request), Queue::Bulk, Mode::Record).await
    }

    /// Sends a run of settlements to the ledger, and it with everything between to the answers.
    async fn send(
        &mut self,
        run: &mut Vec<(Option<Standing>, Item)>,
        settlements: &mut Vec<Settlement>,
    ) -> Result<(), ()> {
        let settlements = std::mem::take(settlements);
        let pending = self.ledger.send(settlements, Queue::Bulk, Mode::Record).await;
        let mut pending = pending.into_iter();
        for (standing, item) in run.drain(..) {
            let sent = || pending.next().map(Standing::Sent);
            let standing = standing.or_else(sent);
            let standing = standing.unwrap_or_else(|| Standing::Refused(Fault::command_failed()));
            let entry = Entry::Item(Box::new(item), standing);
            self.answers.send(entry).await.map_err(drop)?;
        }
        Ok(())
    }
}
