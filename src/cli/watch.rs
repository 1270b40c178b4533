//! `greenlane watch`: what happens to claims, as it happens.

use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tonic::Status;
use tonic::transport::Channel;

use super::client::{connect, may_be_opened_again, pauses, told};
use super::flags::LanguageArg;
use super::serve::Signals;
use super::token_file::TokenFile;
use super::{Failure, event_line};
use crate::config::Client;
use crate::pb;
use crate::pb::claim_service_client::ClaimServiceClient;
use crate::pb::watch_claims_response::Item;

/// The server speaks every 10 s; who is silent for so long is gone.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// What to watch, where to begin, how to print it.
#[derive(Args)]
pub(super) struct WatchArgs {
    /// Only this member, our own id (a UUID).
    #[arg(long, value_name = "ID")]
    member_id: Option<String>,
    /// Only stays in this hospital.
    #[arg(long, value_name = "CODE")]
    hospital: Option<String>,
    /// Only claims decided under this plan.
    #[arg(long, value_name = "ID")]
    plan: Option<String>,
    /// Only what leads out of this state or into it, such as `pended`; may be given several times.
    #[arg(long, value_name = "STATE", value_parser = parse_state)]
    state: Vec<pb::ClaimState>,
    /// Begin with the first event of the ledger instead of now.
    #[arg(long)]
    include_existing: bool,
    /// Go on behind the response with this token.
    #[arg(long, value_name = "TOKEN", conflicts_with = "include_existing")]
    resume_token: Option<String>,
    /// Keep the place in this file and go on from it the next time. After a crash the events of
    /// the last moment may be printed again; none is lost.
    #[arg(long, value_name = "FILE", conflicts_with = "resume_token")]
    token_file: Option<PathBuf>,
    /// End when everything that has happened is told.
    #[arg(long)]
    once: bool,
    /// Print JSON, one response a line, with the names of the API; progress included.
    #[arg(long)]
    json: bool,
    /// The language of what people read.
    #[arg(long, value_enum, default_value = "en")]
    lang: LanguageArg,
    #[command(flatten)]
    server: Client,
}

fn parse_state(text: &str) -> Result<pb::ClaimState, &'static str> {
    let name = format!("CLAIM_STATE_{}", text.to_uppercase().replace('-', "_"));
    pb::ClaimState::from_str_name(&name)
        .filter(|state| *state != pb::ClaimState::Unspecified)
        .ok_or(
            "must be incomplete, pended, information-requested, approved, paid, denied or voided",
        )
}

pub(super) async fn run(args: WatchArgs) -> Result<(), Failure> {
    let (token_file, kept) = match args.token_file.clone().map(TokenFile::open).transpose()? {
        Some((file, kept)) => (Some(file), kept),
        None => (None, None),
    };
    let token = args.resume_token.clone().or(kept).unwrap_or_default();
    let channel = connect(&args.server).await?;
    let mut stop = Signals::new().map_err(Failure::told)?;
    let mut watcher = Watcher { args, token_file, token, has_told: false };
    let outcome = tokio::select! {
        outcome = watcher.watch(channel) => outcome,
        _ = stop.received() => Ok(()),
    };
    watcher.end()?;
    outcome
}

struct Watcher {
    args: WatchArgs,
    token_file: Option<TokenFile>,
    /// Of the last response that is printed.
    token: String,
    /// Whether it was said that everything is told.
    has_told: bool,
}

/// Why one connection's watch ended.
enum Ended {
    /// Everything is told, or nobody reads what is printed.
    Done,
    /// The server ended it in order, or it is gone: go on elsewhere.
    Passing(String),
}

impl Watcher {
    /// Watches until there is nothing more to do, over as many connections as it takes.
    async fn watch(&mut self, channel: Channel) -> Result<(), Failure> {
        let mut waits = pauses();
        loop {
            let before = self.token.clone();
            match self.watch_once(channel.clone()).await? {
                Ended::Done => return Ok(()),
                Ended::Passing(why) => {
                    if self.token != before {
                        waits = pauses();
                    }
                    let wait = waits.next().unwrap_or(SILENCE_MAX);
                    eprintln!("greenlane: {why}; going on from where it was");
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    async fn watch_once(&mut self, channel: Channel) -> Result<Ended, Failure> {
        let mut client = ClaimServiceClient::new(channel);
        let mut responses = match client.watch_claims(self.request()).await {
            Ok(responses) => responses.into_inner(),
            Err(status) => return ended(&status),
        };
        loop {
            match tokio::time::timeout(SILENCE_MAX, responses.message()).await {
                Ok(Ok(Some(response))) => {
                    let is_told =
                        matches!(&response.item, Some(Item::Progress(it)) if it.is_up_to_date);
                    match self.print(&response) {
                        // Nobody reads any more, as behind `| head`.
                        Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                            return Ok(Ended::Done);
                        }
                        printed => printed.map_err(Failure::told)?,
                    }
                    self.keep(response.resume_token)?;
                    if is_told && self.args.once {
                        return Ok(Ended::Done);
                    }
                }
                Ok(Ok(None)) => return Ok(Ended::Passing("the server rotates its streams".into())),
                Ok(Err(status)) => return ended(&status),
                Err(_) => return Ok(Ended::Passing("the server is silent".into())),
            }
        }
    }

    fn request(&self) -> pb::WatchClaimsRequest {
        let filter = pb::ClaimEventFilter {
            member_id: self.args.member_id.clone().unwrap_or_default(),
            hospital_code: self.args.hospital.clone().unwrap_or_default(),
            plan_id: self.args.plan.clone().unwrap_or_default(),
            states: self.args.state.iter().map(|state| (*state).into()).collect(),
        };
        pb::WatchClaimsRequest {
            filter: Some(filter),
            resume_token: self.token.clone(),
            include_existing: self.args.include_existing,
        }
    }

    /// Prints a response.
    fn print(&mut self, response: &pb::WatchClaimsResponse) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        if self.args.json {
            writeln!(out, "{}", event_line::for_programs(response))?;
            return out.flush();
        }
        match &response.item {
            Some(Item::Event(event)) => {
                writeln!(out, "{}", event_line::for_people(event, self.args.lang.into()))?;
                out.flush()
            }
            Some(Item::Progress(progress))
                if progress.is_up_to_date && !self.has_told && !self.args.once =>
            {
                self.has_told = true;
                eprintln!("greenlane: everything that has happened is told; waiting for more");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn keep(&mut self, token: String) -> Result<(), Failure> {
        self.token = token;
        match &mut self.token_file {
            Some(file) => file.keep(&self.token),
            None => Ok(()),
        }
    }

    /// Keeps the last place, or says it.
    fn end(&mut self) -> Result<(), Failure> {
        match &mut self.token_file {
            Some(file) => file.write()?,
            None if self.token.is_empty() || self.args.json => {}
            None => eprintln!("greenlane: go on with --resume-token {}", self.token),
        }
        Ok(())
    }
}

fn ended(status: &Status) -> Result<Ended, Failure> {
    if may_be_opened_again(status) {
        Ok(Ended::Passing(told(status).to_string()))
    } else {
        Err(told(status))
    }
}
