//! `greenlane ingest`: files of messages and settlements over one stream, each record accounted for
//! once, whatever becomes of this process or of the server.

mod entry;
mod job;
mod journal;
mod links;
mod places;
mod progress;
mod rejects;
mod row;
mod shipment;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;

pub(super) use self::entry::Envelope;
pub(super) use self::job::{Job, Outcome, ingest};
pub(super) use self::places::Places;
pub(super) use self::progress::Progress;
use self::progress::summary;
pub(super) use self::shipment::Ending;
use super::Failure;
use super::serve::stop_signal;
use crate::config::{Client, ConfigError};
use crate::intake::file::{self, Encoding, FileError, Form, Source};

/// Names of files that were left out are told up to so many.
const NAMES_MAX: usize = 3;
/// As in the API.
const SENDER_CHARS_MAX: usize = 64;

/// What to send, and where the outcome goes.
#[derive(clap::Args)]
pub(super) struct Ingest {
    /// *.ndjson, *.jsonl, *.json, *.csv, or a *.zip of these; a directory, of which all of these are
    /// sent in the order of their names; `-` for standard input.
    ///
    /// A file with another ending is read as NDJSON. JSON is one object, several one after the
    /// other, or an array. The first row of a CSV file names its columns, in the national names
    /// (`setl_id`, `medfee_sumamt`) or in Chinese (结算ID, 医疗费总额);
    /// `deploy/senders/files.md` lists all of them.
    #[arg(value_name = "FILE|DIR|-")]
    input: PathBuf,

    /// How the file is written, whatever its name says; for `-`, too (default: ndjson)
    #[arg(long, value_name = "FORM", value_enum)]
    format: Option<FormArg>,

    /// How CSV files are encoded; JSON is always UTF-8.
    ///
    /// `auto` looks through each file and takes it for what it can only be; standard input it
    /// takes for UTF-8.
    #[arg(long, value_name = "NAME", value_enum, default_value = "auto")]
    encoding: EncodingArg,

    /// Who delivers the messages, by the name of its profile
    #[arg(long, value_name = "NAME", value_parser = parse_sender)]
    sender: Option<String>,

    /// The transaction that the messages answer, where they do not say so themselves
    #[arg(long, value_name = "N", value_parser = parse_infno)]
    infno: Option<String>,

    /// What became of each record, and the checkpoint to go on from (default:
    /// `<FILE>.results.ndjson`, or `ingest.results.ndjson` for `-`)
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,

    /// The records that were refused, as they were (default: `<FILE>.rejects.ndjson`, and
    /// `<FILE>.rejects.csv` for rows; `ingest.rejects.…` for `-`).
    ///
    /// Rows stand below the header of their file. Tables with another header go to files with a
    /// number: `<FILE>.rejects-2.csv`. Where input has both JSON and rows, the other file has the
    /// other ending.
    ///
    /// Ingested beside its results, under its default name and with as many records, a corrected
    /// file takes its rejects out of the server.
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

/// The forms of files on the command line.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormArg {
    Ndjson,
    Json,
    Csv,
    Zip,
}

/// The encodings of tables on the command line.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum EncodingArg {
    Auto,
    #[value(name = "utf-8")]
    Utf8,
    Gb18030,
}

impl FormArg {
    fn form(self) -> Form {
        match self {
            FormArg::Ndjson => Form::Ndjson,
            FormArg::Json => Form::Json,
            FormArg::Csv => Form::Csv,
            FormArg::Zip => Form::Zip,
        }
    }
}

impl EncodingArg {
    fn encoding(self) -> Option<Encoding> {
        match self {
            EncodingArg::Auto => None,
            EncodingArg::Utf8 => Some(Encoding::Utf8),
            EncodingArg::Gb18030 => Some(Encoding::Gb18030),
        }
    }
}

pub(super) async fn run(args: Ingest) -> Result<(), Failure> {
    let places = args.places(&[])?;
    let sources = args.sources(&places)?;
    let places = args.places(&sources)?;
    let progress = Progress::begin(length(&sources), true);
    let outcome = ingest(Job {
        input: name_of(&args.input),
        sources,
        corrects: None,
        encoding: args.encoding.encoding(),
        places: places.clone(),
        envelope: Envelope {
            sender: args.sender.clone().unwrap_or_default(),
            infno: args.infno.clone().unwrap_or_default(),
        },
        server: args.server.clone(),
        give_up_after: Duration::from_secs(args.give_up_after.into()),
        progress: progress.clone(),
        stop: stop_signal()?,
    });
    let outcome = outcome.await;
    progress.end();
    args.report(outcome?, &places)
}

impl Ingest {
    /// Where results and rejects go. None may be the input, or another one.
    fn places(&self, sources: &[Source]) -> Result<Places, Failure> {
        let input = if is_stdin(&self.input) {
            PathBuf::from("ingest")
        } else {
            // Without a slash at its end, and with a name where it is `.` or `..`.
            let input: PathBuf = self.input.components().collect();
            let named = input.file_name().is_some();
            let input = if named { Ok(input) } else { input.canonicalize() };
            input.unwrap_or_else(|_| self.input.clone())
        };
        let mut places = Places::beside(&input);
        if let Some(results) = &self.results {
            places.results.clone_from(results);
        }
        if let Some(rejects) = &self.rejects {
            places = places.with_rejects(rejects.clone(), sources);
        }
        let rejects = [places.ndjson().to_owned(), places.csv(1)];
        let is_input = |path: &PathBuf| is_same(path, &self.input);
        let wrong = if is_input(&places.results) {
            Some("--results")
        } else if rejects.iter().any(|it| is_input(it) || is_same(it, &places.results)) {
            Some("--rejects")
        } else {
            None
        };
        match wrong {
            None => Ok(places),
            Some(setting) => Err(wrong_setting(setting, "must be a file of its own")),
        }
    }

    /// The files to send, in their order.
    fn sources(&self, places: &Places) -> Result<Vec<Source>, Failure> {
        let input = &self.input;
        let asked = self.format.map(FormArg::form);
        if is_stdin(input) {
            if asked == Some(Form::Zip) {
                return Err(wrong_setting("--format", "cannot be zip for standard input"));
            }
            let form = asked.unwrap_or(Form::Ndjson);
            return Ok(vec![Source { name: "-".into(), path: None, form, is_in_folder: false }]);
        }
        let told = |error: std::io::Error| Failure::told(format!("{}: {error}", input.display()));
        if !std::fs::metadata(input).map_err(told)?.is_dir() {
            let name = name_of(input);
            let form = asked.or_else(|| Form::of_name(&name)).unwrap_or(Form::Ndjson);
            let (name, path) = (name.into(), Some(input.clone()));
            return Ok(vec![Source { name, path, form, is_in_folder: false }]);
        }
        if asked.is_some() {
            let problem = "is for one file: in a directory the names say what each file is";
            return Err(wrong_setting("--format", problem));
        }
        let rejects = places.rejects_there();
        let ours = rejects.iter().map(PathBuf::as_path).chain([places.results.as_path()]);
        let found = file::find(input, &ours.collect::<Vec<_>>()).map_err(told)?;
        tell_left_out(&found.others);
        if found.sources.is_empty() {
            return Err(Failure::told(format!(
                "{}: has no *.ndjson, *.jsonl, *.json, *.csv or *.zip file",
                input.display()
            )));
        }
        Ok(found.sources)
    }

    /// Prints what all records came to and where it is written down.
    fn report(&self, outcome: Outcome, places: &Places) -> Result<(), Failure> {
        let Outcome { tally, ending, rejects } = outcome;
        if matches!(ending, Ending::AlreadyDone) {
            let input = self.input.display();
            println!("already finished: every record of {input} is accounted for");
        }
        println!("{}", summary(tally));
        println!("results: {}", places.results.display());
        for path in &rejects {
            println!("rejects: {}", path.display());
        }
        let go_on = "say the same command again to go on";
        match ending {
            Ending::Stopped => Err(Failure::told(format!("stopped; {go_on}"))),
            Ending::Failed(why) => Err(Failure::told(format!("{why}; {go_on}"))),
            Ending::WrongInput(problems) => {
                let problems: Vec<String> = problems.iter().map(FileError::to_string).collect();
                let problems = problems.join("\n");
                let so = "what comes before it is accounted for, and nothing after it was sent";
                Err(Failure::told(format!("{problems}\n{so}; correct it, then {go_on}")))
            }
            Ending::Done | Ending::AlreadyDone if tally.refused == 0 => Ok(()),
            Ending::Done | Ending::AlreadyDone => {
                let rejects: Vec<String> =
                    rejects.iter().map(|path| path.display().to_string()).collect();
                Err(Failure::told(format!(
                    "some records were refused; the results say why, one by one: correct them in \
                     {} and ingest that file",
                    rejects.join(", ")
                )))
            }
        }
    }
}

fn wrong_setting(setting: &str, problem: &str) -> Failure {
    ConfigError { setting: setting.to_owned(), problem: problem.to_owned() }.into()
}

/// Says that files of a directory were left out, lest somebody thinks that they were sent.
fn tell_left_out(others: &[String]) {
    if others.is_empty() {
        return;
    }
    let names = others.iter().take(NAMES_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if NAMES_MAX < others.len() { ", …" } else { "" };
    let count = others.len();
    eprintln!("greenlane: files of other forms are left out: {count} ({names}{more})");
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

/// The bytes of all files; `None` for standard input, for archives, and where a file cannot be asked.
fn length(sources: &[Source]) -> Option<u64> {
    let lengths = sources.iter().map(|source| {
        let metadata = std::fs::metadata(source.path.as_ref()?).ok()?;
        (metadata.is_file() && source.form != Form::Zip).then_some(metadata.len())
    });
    lengths.sum()
}
