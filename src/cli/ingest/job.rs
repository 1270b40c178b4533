//! One ingest from its files to its end, whoever asks for it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::entry::{Entry, Envelope};
use super::journal::{Journal, OpenError};
use super::links::Links;
use super::places::Places;
use super::progress::Progress;
use super::row::{Header, Tally};
use super::shipment::{Ending, Shipment};
use crate::cli::Failure;
use crate::cli::client::{connect_to, lasting_endpoint};
use crate::config::Client;
use crate::intake::file::{Content, Encoding, ReadError, Record, Records, Source, Text};

/// What may be in flight: read from the input and not accounted for.
const IN_FLIGHT_BYTES_MAX: u32 = 32 * 1024 * 1024;
/// What an entry takes beside its text, about.
const ENTRY_BYTES: u64 = 1024;
/// Entries that were read ahead of the stream.
const READ_AHEAD_MAX: usize = 1024;

/// What to send, and where the outcome goes.
pub(in crate::cli) struct Job {
    /// The name of the input, by which its results know it again.
    pub(in crate::cli) input: String,
    /// Its files, in their order.
    pub(in crate::cli) sources: Vec<Source>,
    /// Where the rejects were written that the input corrects; none: where it stands itself.
    pub(in crate::cli) corrects: Option<PathBuf>,
    /// How its tables are written; none where that is to be found out.
    pub(in crate::cli) encoding: Option<Encoding>,
    pub(in crate::cli) places: Places,
    pub(in crate::cli) envelope: Envelope,
    pub(in crate::cli) server: Client,
    /// How long nothing may move before it is given up.
    pub(in crate::cli) give_up_after: Duration,
    pub(in crate::cli) progress: Progress,
    /// Cancelled by whoever wants it to end.
    pub(in crate::cli) stop: CancellationToken,
}

/// What became of a job.
pub(in crate::cli) struct Outcome {
    pub(in crate::cli) tally: Tally,
    pub(in crate::cli) ending: Ending,
    /// The files in which what was refused stands.
    pub(in crate::cli) rejects: Vec<PathBuf>,
}

/// Sends what is not accounted for and accounts for it. Going on where another run ended is the same
/// call. An error is one of ours: files that other people's hands were in, or no server.
pub(in crate::cli) async fn ingest(job: Job) -> Result<Outcome, Failure> {
    let (envelope, server, stop) = (job.envelope.clone(), job.server.clone(), job.stop.clone());
    let give_up_after = job.give_up_after;
    let mut progress = job.progress.clone();
    let endpoint = lasting_endpoint(&server)?;
    // It may read for minutes, and whoever waits with us has to do something meanwhile.
    let caught_up = tokio::task::spawn_blocking(move || catch_up(job));
    let (journal, records, links) = match caught_up.await.map_err(Failure::told)?? {
        CaughtUp::Over(outcome) => return Ok(outcome),
        CaughtUp::Rest(rest) => *rest,
    };
    let channel = connect_to(&endpoint, &server).await?;
    progress.go_on_from(journal.tally);
    let entries = read_ahead(records, links, journal.tally.lines(), envelope.clone());
    let ours = (journal, progress);
    let shipment = Shipment::of(endpoint, envelope, entries, ours, stop, give_up_after);
    let (journal, ending) = shipment.run(channel).await.map_err(Failure::Told)?;
    Ok(Outcome { tally: journal.tally, ending, rejects: journal.rejects() })
}

/// Where a job stands before anything is sent.
enum CaughtUp {
    /// Nothing is to be sent.
    Over(Outcome),
    /// This is.
    Rest(Box<(Journal, Records, Links)>),
}

/// Opens the results and reads past what they account for.
fn catch_up(job: Job) -> Result<CaughtUp, Failure> {
    let Job { input, sources, encoding, places, envelope, progress, corrects, .. } = job;
    let spool = places.spool();
    let mut records = Records::of(sources.clone(), encoding, spool.clone());
    let header = Header::of(input, envelope.sender, envelope.infno);
    let passed = |bytes| progress.pass(bytes);
    let over = |tally, ending, rejects| Ok(CaughtUp::Over(Outcome { tally, ending, rejects }));
    let mut journal = match Journal::open(places, &header, &mut records, passed) {
        Ok(journal) => journal,
        Err(OpenError::Input(error)) => {
            return over(Tally::default(), Ending::of(error), Vec::new());
        }
        Err(OpenError::Ours(why)) => return Err(Failure::Told(why)),
    };
    match records.is_at_end() {
        Ok(true) => return over(journal.tally, Ending::AlreadyDone, journal.rejects()),
        Ok(false) => journal.go_on().map_err(Failure::Told)?,
        Err(error) => return over(journal.tally, Ending::of(error), journal.rejects()),
    }
    let written = corrects.as_deref();
    let links = Links::of(&sources, written, encoding, &spool, |text| progress.say(text));
    Ok(CaughtUp::Rest(Box::new((journal, records, links))))
}

/// Reads in a thread of its own, as far as the memory in flight allows. `number` is that of the first
/// record, from 0.
fn read_ahead(
    mut records: Records,
    mut links: Links,
    mut number: u64,
    envelope: Envelope,
) -> mpsc::Receiver<Result<Entry, ReadError>> {
    let (sender, receiver) = mpsc::channel(READ_AHEAD_MAX);
    let memory = Arc::new(Semaphore::new(IN_FLIGHT_BYTES_MAX as usize));
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || {
        loop {
            let record = match records.next() {
                Ok(Some(record)) => record,
                Ok(None) => return,
                Err(trouble) => {
                    let _ = sender.blocking_send(Err(trouble));
                    return;
                }
            };
            let bytes = u32::try_from(memory_of(&record)).unwrap_or(u32::MAX);
            let held = memory.clone().acquire_many_owned(bytes.min(IN_FLIGHT_BYTES_MAX));
            let Ok(held) = runtime.block_on(held) else { return };
            let entry = Entry::of(record, &envelope, links.take(number), held);
            number += 1;
            if sender.blocking_send(Ok(entry)).is_err() {
                // Nobody sends any more.
                return;
            }
        }
    });
    receiver
}

fn memory_of(record: &Record) -> u64 {
    let text = match &record.text {
        Text::Whole(text) => text.len() as u64,
        Text::TooLong(_) => 0,
    };
    let json = match &record.content {
        Content::Json(json) => json.len() as u64,
        Content::Text | Content::Unusable(_) => 0,
    };
    text + json + ENTRY_BYTES
}
