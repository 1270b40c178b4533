//! `greenlane member`: the roster, imported and shown.

use std::io::BufRead;
use std::path::PathBuf;

use clap::Subcommand;
use tokio_stream::wrappers::ReceiverStream;

use super::Failure;
use super::client::{connect, told};
use super::{roster, statement};
use crate::config::Client;
use crate::pb;
use crate::pb::get_member_request::Selector;
use crate::pb::member_service_client::MemberServiceClient;

/// What to do with members.
#[derive(Subcommand)]
pub(super) enum MemberCommand {
    /// Import a roster: one person a line, JSON with the field names of the API.
    ///
    /// An import is an upsert: absence never ends a coverage. A line that cannot be read or is
    /// refused is named with its reason and ends nothing; the command then exits 1.
    Import {
        /// The roster, NDJSON; `-` for standard input.
        file: PathBuf,
        #[command(flatten)]
        server: Client,
    },
    /// Show one member with coverages and balances.
    Show {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        server: Client,
    },
}

/// How to name a member.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct Which {
    /// Our own id, a UUID.
    member_id: Option<String>,
    /// The bureau's own key.
    #[arg(long)]
    external_id: Option<String>,
    /// The number of the identity card.
    #[arg(long)]
    cert_no: Option<String>,
}

pub(super) async fn run(command: MemberCommand) -> Result<(), Failure> {
    match command {
        MemberCommand::Import { file, server } => import(file, &server).await,
        MemberCommand::Show { which, server } => show(which, &server).await,
    }
}

async fn import(file: PathBuf, server: &Client) -> Result<(), Failure> {
    let mut client = MemberServiceClient::new(connect(server).await?);
    let (requests, stream) = tokio::sync::mpsc::channel(256);
    let reader = tokio::task::spawn_blocking(move || read_file(&file, &requests));
    let answer = client.import_members(ReceiverStream::new(stream)).await;
    let (sent_lines, mut refused) = reader.await.map_err(Failure::told)??;
    let answer = answer.map_err(|status| told(&status))?.into_inner();
    for refusal in answer.refused {
        let line = usize::try_from(refusal.index).ok().and_then(|index| sent_lines.get(index));
        let why = refusal.refusal.unwrap_or_default();
        refused.push((line.copied().unwrap_or_default(), statement::refusal_text(&why)));
    }
    refused.sort();
    for (line, why) in &refused {
        eprintln!("line {line}: {why}");
    }
    println!(
        "{} created, {} changed, {} unchanged, {} refused",
        answer.created_count,
        answer.changed_count,
        answer.unchanged_count,
        refused.len()
    );
    if refused.is_empty() { Ok(()) } else { Err(Failure::told("some lines were refused")) }
}

type Lines = (Vec<usize>, Vec<(usize, String)>);

/// Sends every readable line; returns the line number of each and the lines it could not read.
fn read_file(
    file: &PathBuf,
    requests: &tokio::sync::mpsc::Sender<pb::ImportMembersRequest>,
) -> Result<Lines, Failure> {
    let told = |error: std::io::Error| Failure::told(format!("{}: {error}", file.display()));
    let input: Box<dyn BufRead> = if file.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::io::BufReader::new(std::fs::File::open(file).map_err(told)?))
    };
    let (mut sent, mut refused) = (Vec::new(), Vec::new());
    for (index, line) in input.lines().enumerate() {
        let line = line.map_err(told)?;
        if line.trim().is_empty() {
            continue;
        }
        match roster::read_line(&line) {
            Ok(member) => {
                let request = pb::ImportMembersRequest { member: Some(member) };
                if requests.blocking_send(request).is_err() {
                    // The server ended the stream; its status tells why.
                    break;
                }
                sent.push(index + 1);
            }
            Err(problem) => refused.push((index + 1, problem)),
        }
    }
    Ok((sent, refused))
}

async fn show(which: Which, server: &Client) -> Result<(), Failure> {
    let mut client = MemberServiceClient::new(connect(server).await?);
    let selector = match (which.member_id, which.external_id, which.cert_no) {
        (Some(id), _, _) => Selector::MemberId(id),
        (_, Some(id), _) => Selector::ExternalId(id),
        (_, _, cert_no) => Selector::Identity(pb::Identity {
            cert_type: String::new(),
            cert_no: cert_no.unwrap_or_default(),
            psn_no: String::new(),
            region: String::new(),
        }),
    };
    let request = pb::GetMemberRequest { selector: Some(selector) };
    let answer = client.get_member(request).await.map_err(|status| told(&status))?.into_inner();
    let member = answer.member.unwrap_or_default();
    let selector = pb::get_balance_request::Selector::MemberId(member.member_id.clone());
    let request = pb::GetBalanceRequest {
        selector: Some(selector),
        plan_id: String::new(),
        date: String::new(),
    };
    let balance = client.get_balance(request).await.map_err(|status| told(&status))?.into_inner();
    print!("{}{}", statement::of_member(&member), statement::of_balances(&balance.balances));
    Ok(())
}
