//! `SubmitSettlements`: a stream of settlements in, their answers out in the same order.
//!
//! A task of its own reads, so that thousands are in flight while answers wait for their commits.
//! What it has read is bounded in settlements and in fee lines; beyond that it stops reading, and
//! the transport makes the caller wait.

use std::pin::Pin;
use std::sync::Arc;

use futures::{FutureExt, Stream, StreamExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use super::parse::{self, Id};
use super::render;
use super::status::Fault;
use crate::ledger::{Ledger, Mode, Pending, Queue, Submitted};
use crate::pb::submit_settlements_response::Outcome;
use crate::pb::{AcceptedSettlement, SubmitSettlementsRequest, SubmitSettlementsResponse};

/// Settlements of one stream that were read and not answered yet.
const IN_FLIGHT_MAX: usize = 4096;
/// Settlements that go to the ledger together.
const CHUNK_MAX: usize = 256;
/// Fee lines in one chunk, beyond which no further settlement is added.
const CHUNK_LINES_MAX: usize = 10_000;
/// Fee lines in flight: at about 300 bytes each, what one stream may hold of the memory.
const LINES_IN_FLIGHT_MAX: usize = 100_000;

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
    let lines = Arc::new(Semaphore::new(LINES_IN_FLIGHT_MAX));
    let reader = Reader { requests, ledger, closing, answers: sender, lines, next_index: 0 };
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
    outcome: Result<Pending<Submitted>, Fault>,
    /// What its chunk takes of the lines in flight, until the last of the chunk is answered.
    _lines: Arc<OwnedSemaphorePermit>,
}

impl Item {
    async fn answer(self) -> SubmitSettlementsResponse {
        let outcome = match self.outcome {
            Ok(pending) => pending.outcome().await.map_err(Fault::from),
            Err(fault) => Err(fault),
        };
        let outcome = match outcome {
            Ok(submitted) => Outcome::Accepted(AcceptedSettlement {
                claim: Some(render::claim(&submitted.claim)),
                replayed: submitted.replayed,
            }),
            Err(fault) => Outcome::Refused(fault.into_refusal()),
        };
        SubmitSettlementsResponse {
            settlement_id: self.settlement_id,
            outcome: Some(outcome),
            source: self.source,
            index: self.index,
        }
    }
}

struct Reader {
    requests: Streaming<SubmitSettlementsRequest>,
    ledger: Ledger,
    closing: CancellationToken,
    answers: mpsc::Sender<Entry>,
    lines: Arc<Semaphore>,
    next_index: i64,
}

/// What was read at once.
#[derive(Default)]
struct Chunk {
    requests: Vec<SubmitSettlementsRequest>,
    lines: usize,
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
            if self.pass_on(chunk.requests, chunk.lines).await.is_err() {
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
                    chunk.lines += request.settlement.as_ref().map_or(0, |it| it.lines.len());
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
            let is_full = chunk.requests.len() == CHUNK_MAX || chunk.lines >= CHUNK_LINES_MAX;
            next = if is_full { None } else { self.requests.next().now_or_never() };
        }
        chunk
    }

    /// Sends a chunk to the ledger and its places to the answers. An error means that nobody
    /// listens any more.
    async fn pass_on(
        &mut self,
        requests: Vec<SubmitSettlementsRequest>,
        lines: usize,
    ) -> Result<(), ()> {
        if requests.is_empty() {
            return Ok(());
        }
        let permits = u32::try_from(lines.min(LINES_IN_FLIGHT_MAX)).unwrap_or(u32::MAX);
        let permit = self.lines.clone().acquire_many_owned(permits).await.map_err(drop)?;
        let permit = Arc::new(permit);
        let mut items = Vec::with_capacity(requests.len());
        let mut settlements = Vec::with_capacity(requests.len());
        for request in requests {
            let parsed = parse::settlement(request.settlement.as_ref(), Id::Required);
            let stated = request.settlement.unwrap_or_default();
            let refused = match parsed {
                Ok(settlement) => {
                    settlements.push(settlement);
                    None
                }
                Err(problems) => Some(Fault::from(problems)),
            };
            items.push((stated.source, stated.settlement_id, refused));
        }
        let mut pending =
            self.ledger.send(settlements, Queue::Bulk, Mode::Record).await.into_iter();
        for (source, settlement_id, refused) in items {
            let outcome = match refused {
                Some(fault) => Err(fault),
                None => pending.next().ok_or_else(Fault::command_failed),
            };
            let index = self.next_index;
            self.next_index += 1;
            let item = Item { index, source, settlement_id, outcome, _lines: permit.clone() };
            self.answers.send(Entry::Item(item)).await.map_err(drop)?;
        }
        Ok(())
    }
}
