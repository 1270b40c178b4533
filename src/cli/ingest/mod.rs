//! `greenlane ingest`: files of messages and settlements over one stream, each line accounted for
//! once, whatever becomes of this process or of the server.

mod entry;
mod journal;
mod lines;
mod progress;
mod row;
mod shipment;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use self::entry::{Entry, Envelope};
use self::journal::{Journal, Places};
use self::lines::{Lines, Source, Text};
use self::progress::{Progress, summary};
use self::row::{Header, Tally};
use self::shipment::{Ending, Shipment};
use super::Failure;
use super::client::{connect_to, endpoint};
use super::serve::Signals;
use crate::config::{Client, ConfigError};

/// What may be in flight: read from the input and not accounted for.
const IN_FLIGHT_BYTES_MAX: u32 = 32 * 1024 * 1024;
/// What an entry takes beside its text, about.
const ENTRY_BYTES: u64 = 1024;
/// Entries that were read ahead of the stream.
const READ_AHEAD_MAX: usize = 1024;
/// A silent connection is asked so often whether anybody is there.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// As in the API.
const SENDER_CHARS_MAX: usize = 64;

/// What to send, and where the outcome goes.
#[derive(clap::Args)]
pub(super) struct Ingest {
    /// NDJSON; a directory, of which every *.ndjson and *.jsonl file is sent in the order of their
    /// names; `-` for standard input
    #[arg(value_name = "FILE|DIR|-")]
    input: PathBuf,

    /// Who delivers the messages, by the name of its profile
    #[arg(long, value_name = "NAME", value_parser = parse_sender)]
    sender: Option<String>,

    /// The transaction that the messages answer, where they do not say so themselves
    #[arg(long, value_name = "N", value_parser = parse_infno)]
    infno: Option<String>,

    /// What became of each line, and the checkpoint to go on from (default:
    /// `<FILE>.results.ndjson`, or `ingest.results.ndjson` for `-`)
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,

    /// The lines that were refused, as they were (default: `<FILE>.rejects.ndjson`, or
    /// `ingest.rejects.ndjson` for `-`)
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,

    /// Give up when no answer has come for so long; the server may restart meanwhile
    #[arg(long, value_name = "SECONDS", default_value = "120",
          value_parser = clap::value_parser!(u32).range(1..))]
    give_up_after: u32,

    #[command(flatten)]
    server: Client,
}

fn parse_sender(text: &str) -> Result<String, &'static str> {
    let is_name = !text.is_empty()
        && text.chars().count() <= SENDER_CHARS_MAX
        && !text.chars().any(char::is_control);
    if is_name { Ok(text.to_owned()) } else { Err("must have 1 to 64 characters") }
}

fn parse_infno(text: &str) -> Result<String, &'static str> {
    let is_number = text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { Ok(text.to_owned()) } else { Err("must be four digits, such as 2304") }
}

pub(super) async fn run(ingest: Ingest) -> Result<(), Failure> {
    let endpoint =
        endpoint(&ingest.server)?.http2_keep_alive_interval(KEEP_ALIVE).keep_alive_while_idle(true);
    let places = ingest.places()?;
    let sources = ingest.sources(&places).map_err(Failure::Told)?;
    let mut progress = Progress::begin(length(&sources));
    let mut lines = Lines::of(sources, places.spool());
    let envelope = Envelope {
        sender: ingest.sender.clone().unwrap_or_default(),
        infno: ingest.infno.clone().unwrap_or_default(),
    };
    let input = name_of(&ingest.input);
    let header = Header::of(input, envelope.sender.clone(), envelope.infno.clone());
    let passed = |bytes| progress.pass(bytes);
    let journal = Journal::open(places.clone(), &header, &mut lines, passed);
    let journal = journal.map_err(Failure::Told)?;
    if lines.is_at_end().map_err(Failure::Told)? {
        progress.end();
        println!("already finished: every line of {} is accounted for", ingest.input.display());
        return report(journal.tally, &places, Ending::Done);
    }
    let channel = connect_to(&endpoint, &ingest.server).await?;
    progress.go_on_from(journal.tally);
    let stop = stop_signal()?;
    let entries = read_ahead(lines, envelope.clone());
    let give_up_after = Duration::from_secs(ingest.give_up_after.into());
    let ours = (journal, progress.clone());
    let shipment = Shipment::of(endpoint, envelope, entries, ours, stop, give_up_after);
    let ended = shipment.run(channel).await;
    progress.end();
    let (journal, ending) = ended.map_err(Failure::Told)?;
    report(journal.tally, &places, ending)
}

impl Ingest {
    /// Where results and rejects go. Neither may be the input, or the other.
    fn places(&self) -> Result<Places, Failure> {
        let beside = |suffix: &str| {
            let mut name = if is_stdin(&self.input) {
                "ingest".into()
            } else {
                // Without a slash at its end, and with a name where it is `.` or `..`.
                let input: PathBuf = self.input.components().collect();
                let named = input.file_name().is_some();
                let input = if named { Ok(input) } else { input.canonicalize() };
                input.unwrap_or_else(|_| self.input.clone()).into_os_string()
            };
            name.push(suffix);
            PathBuf::from(name)
        };
        let results = self.results.clone().unwrap_or_else(|| beside(".results.ndjson"));
        let rejects = self.rejects.clone().unwrap_or_else(|| beside(".rejects.ndjson"));
        for (setting, path, others) in [
            ("--results", &results, [&self.input, &rejects]),
            ("--rejects", &rejects, [&self.input, &results]),
        ] {
            if others.iter().any(|other| is_same(path, other)) {
                let problem = "must be a file of its own".to_owned();
                return Err(ConfigError { setting: setting.to_owned(), problem }.into());
            }
        }
        Ok(Places { results, rejects })
    }

    /// The files to send, in their order.
    fn sources(&self, places: &Places) -> Result<Vec<Source>, String> {
        let input = &self.input;
        if is_stdin(input) {
            return Ok(vec![Source { name: "-".into(), path: None }]);
        }
        let told = |error: std::io::Error| format!("{}: {error}", input.display());
        if !std::fs::metadata(input).map_err(told)?.is_dir() {
            return Ok(vec![Source { name: name_of(input).into(), path: Some(input.clone()) }]);
        }
        let mut sources = Vec::new();
        for entry in std::fs::read_dir(input).map_err(told)? {
            let path = entry.map_err(told)?.path();
            let name = name_of(&path);
            let is_ours =
                [".results.ndjson", ".rejects.ndjson"].iter().any(|it| name.ends_with(it))
                    || is_same(&path, &places.results)
                    || is_same(&path, &places.rejects);
            let is_input = [".ndjson", ".jsonl"].iter().any(|it| name.ends_with(it));
            if is_input && !is_ours && path.is_file() {
                sources.push(Source { name: name.into(), path: Some(path) });
            }
        }
        if sources.is_empty() {
            return Err(format!("{}: has no *.ndjson and no *.jsonl file", input.display()));
        }
        sources.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(sources)
    }
}

fn is_stdin(input: &Path) -> bool {
    input.as_os_str() == "-"
}

/// The name without its directories, so that a file that was moved is the same input.
fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

/// The bytes of all files; `None` for standard input, and where a file cannot be asked.
fn length(sources: &[Source]) -> Option<u64> {
    let lengths = sources.iter().map(|source| {
        let metadata = std::fs::metadata(source.path.as_ref()?).ok()?;
        metadata.is_file().then_some(metadata.len())
    });
    lengths.sum()
}

/// Reads in a thread of its own, as far as the memory in flight allows.
fn read_ahead(mut lines: Lines, envelope: Envelope) -> mpsc::Receiver<Result<Entry, String>> {
    let (sender, receiver) = mpsc::channel(READ_AHEAD_MAX);
    let memory = Arc::new(Semaphore::new(IN_FLIGHT_BYTES_MAX as usize));
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || {
        loop {
            let line = match lines.next() {
                Ok(Some(line)) => line,
                Ok(None) => return,
                Err(trouble) => {
                    let _ = sender.blocking_send(Err(trouble));
                    return;
                }
            };
            let bytes = match &line.raw.text {
                Text::Whole(text) => text.len() as u64 + ENTRY_BYTES,
                Text::TooLong(_) => ENTRY_BYTES,
            };
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).min(IN_FLIGHT_BYTES_MAX);
            let held = runtime.block_on(memory.clone().acquire_many_owned(bytes));
            let Ok(held) = held else { return };
            let entry = Entry::of(line, &envelope, held);
            if sender.blocking_send(Ok(entry)).is_err() {
                // Nobody sends any more.
                return;
            }
        }
    });
    receiver
}

/// Cancelled by the first signal that asks us to end.
fn stop_signal() -> Result<CancellationToken, Failure> {
    let stop = CancellationToken::new();
    let mut signals = Signals::new().map_err(Failure::told)?;
    let told = stop.clone();
    tokio::spawn(async move {
        signals.received().await;
        told.cancel();
    });
    Ok(stop)
}

/// Prints what all lines came to and where it is written down.
fn report(tally: Tally, places: &Places, ending: Ending) -> Result<(), Failure> {
    let (results, rejects) = (places.results.display(), places.rejects.display());
    println!("{}", summary(tally));
    println!("results: {results}");
    if 0 < tally.refused {
        println!("rejects: {rejects}");
    }
    let go_on = "say the same command again to go on";
    match ending {
        Ending::Stopped => Err(Failure::told(format!("stopped; {go_on}"))),
        Ending::Failed(why) => Err(Failure::told(format!("{why}; {go_on}"))),
        Ending::Done if tally.refused == 0 => Ok(()),
        Ending::Done => Err(Failure::told(format!(
            "some lines were refused; the results say why, line by line: correct them in \
             {rejects} and ingest that file"
        ))),
    }
}
