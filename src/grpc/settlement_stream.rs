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

use super::parse::{self, Id};
use super::status::Fault;
use super::{message, render};
use crate::core::checks::Problem;
use crate::core::settlement::Settlement;
use crate::intake::Reading;
use crate::ledger::{Ledger, Mode, Pending, Queue, Submitted};
use crate::pb::submit_settlements_response::Outcome;
use crate::pb::{
    AcceptedSettlement, NoSettlement, SubmitMessageRequest, SubmitSettlementsRequest,
    SubmitSettlementsResponse,
};

/// Requests of one stream that were read and not answered yet.
const IN_FLIGHT_MAX: usize = 4096;
/// Requests that go to the ledger together.
const CHUNK_MAX: usize = 256;
/// What a fee line holds of the memory, about.
const LINE_BYTES: usize = 300;
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
    closing: CancellationToken,
) -> Answers {
    let (sender, mut receiver) = mpsc::channel(IN_FLIGHT_MAX - CHUNK_MAX);
    let bytes = Arc::new(Semaphore::new(BYTES_IN_FLIGHT_MAX));
    let reader = Reader { requests, ledger, closing, answers: sender, bytes, next_index: 0 };
    tokio::spawn(reader.run());
    Box::pin(async_stream::stream! {
        while let Some(entry) = receiver.recv().await {
            match entry {
                Entry::Item(item) => yield Ok(item.answer().await),
                Entry::End(fault) => {
                    yield Err(Status::from(*fault));
                    return;
                }
            }
        }
    })
}

enum Entry {
    Item(Item),
    /// The stream ends here, with this status.
    End(Box<Fault>),
}

/// One request of the stream that waits for its answer.
struct Item {
    index: i64,
    source: String,
    settlement_id: String,
    standing: Standing,
    /// What its chunk takes of the bytes in flight, until the last of the chunk is answered.
    _bytes: Arc<OwnedSemaphorePermit>,
}

/// How far a request has come.
enum Standing {
    /// The ledger has it.
    Sent(Pending<Submitted>),
    /// It was a message without a settlement to record; why.
    NoSettlement(String),
    /// It cannot be used.
    Refused(Fault),
}

impl Item {
    async fn answer(self) -> SubmitSettlementsResponse {
        let outcome = match self.standing {
            Standing::Sent(pending) => match pending.outcome().await {
                Ok(submitted) => Outcome::Accepted(AcceptedSettlement {
                    claim: Some(render::claim(&submitted.claim)),
                    replayed: submitted.replayed,
                }),
                Err(error) => Outcome::Refused(Fault::from(error).into_refusal()),
            },
            Standing::NoSettlement(detail) => Outcome::NoSettlement(NoSettlement { detail }),
            Standing::Refused(fault) => Outcome::Refused(fault.into_refusal()),
        };
        SubmitSettlementsResponse {
            settlement_id: self.settlement_id,
            outcome: Some(outcome),
            source: self.source,
            index: self.index,
        }
    }
}

/// What one request was found to be.
struct Found {
    source: String,
    settlement_id: String,
    /// What is to be recorded, or what else becomes of it.
    settlement: Result<Settlement, Standing>,
}

impl Found {
    fn read(request: SubmitSettlementsRequest) -> Found {
        match request {
            SubmitSettlementsRequest { settlement: None, message: Some(message) } => {
                Found::of_message(&message)
            }
            SubmitSettlementsRequest { settlement, message } => {
                let read = match message {
                    None => parse::settlement(settlement.as_ref(), Id::Required),
                    Some(_) => Err(problem("message", "must not stand beside a settlement")),
                };
                let stated = settlement.unwrap_or_default();
                Found {
                    source: stated.source,
                    settlement_id: stated.settlement_id,
                    settlement: read.map_err(|problems| Standing::Refused(problems.into())),
                }
            }
        }
    }

    fn of_message(request: &SubmitMessageRequest) -> Found {
        let nameless = |standing| Found {
            source: String::new(),
            settlement_id: String::new(),
            settlement: Err(standing),
        };
        if request.validate_only {
            let problems = problem("validate_only", "must be false: a stream records");
            return nameless(Standing::Refused(problems.into()));
        }
        match message::read(request) {
            Err(fault) => nameless(Standing::Refused(fault)),
            Ok(Reading::NoSettlement { detail }) => nameless(Standing::NoSettlement(detail)),
            Ok(Reading::Quote(settlement)) => Found {
                source: settlement.source,
                settlement_id: settlement.settlement_id,
                settlement: Err(Standing::NoSettlement(QUOTE.to_owned())),
            },
            Ok(Reading::Settlement(settlement)) => Found {
                source: settlement.source.clone(),
                settlement_id: settlement.settlement_id.clone(),
                settlement: Ok(*settlement),
            },
        }
    }
}

/// Why an answer to 2303 makes no claim.
const QUOTE: &str = "the answer to 2303 is a quote and settles nothing";

fn problem(field: &str, problem: &str) -> Vec<Problem> {
    vec![Problem { field: field.to_owned(), problem: problem.to_owned() }]
}

/// What a request holds of the memory, about: of a settlement its fee lines, of a message its
/// bytes, which are more than what is read from them.
fn weight(request: &SubmitSettlementsRequest) -> usize {
    let lines = request.settlement.as_ref().map_or(0, |it| it.lines.len());
    let bytes =
        request.message.as_ref().map_or(0, |it| it.payload.len() + it.request_payload.len());
    lines * LINE_BYTES + bytes
}

struct Reader {
    requests: Streaming<SubmitSettlementsRequest>,
    ledger: Ledger,
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
        let mut items = Vec::with_capacity(requests.len());
        let mut settlements = Vec::with_capacity(requests.len());
        for request in requests {
            let Found { source, settlement_id, settlement } = Found::read(request);
            let other = settlement.map(|settlement| settlements.push(settlement)).err();
            items.push((source, settlement_id, other));
        }
        let mut pending =
            self.ledger.send(settlements, Queue::Bulk, Mode::Record).await.into_iter();
        for (source, settlement_id, other) in items {
            let sent = || pending.next().map(Standing::Sent);
            let standing = other.or_else(sent);
            let standing = standing.unwrap_or_else(|| Standing::Refused(Fault::command_failed()));
            let index = self.next_index;
            self.next_index += 1;
            let item = Item { index, source, settlement_id, standing, _bytes: permit.clone() };
            self.answers.send(Entry::Item(item)).await.map_err(drop)?;
        }
        Ok(())
    }
}
