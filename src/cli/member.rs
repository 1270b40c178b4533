//! `greenlane member`: the roster, imported, shown, and two members made one.

use std::io::BufRead;
use std::path::PathBuf;

use clap::Subcommand;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use super::Failure;
use super::client::{connect, told};
use super::flags::Shown;
use super::impact::{self, Confirm};
use super::{event_line, roster, statement};
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
    /// refused is named with its reason and ends nothing; the command then exits 1. What changes of
    /// claims that were decided is printed. A server that is to change more than its bounds asks
    /// first.
    Import {
        /// The roster, NDJSON; `-` for standard input.
        file: PathBuf,
        /// Say what would change, claim by claim, and record nothing.
        #[arg(long)]
        validate_only: bool,
        #[command(flatten)]
        confirm: Confirm,
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
    /// Make two members one, who proved to be the same person.
    ///
    /// The first is closed: its claims are voided and its settlements decided anew for the second,
    /// behind the second's own. What changes is printed, a claim a line. It cannot be taken back.
    Merge {
        /// The member that is closed, our own id (a UUID).
        from: String,
        /// The member that goes on, our own id (a UUID).
        into: String,
        /// Say what would change, and record nothing.
        #[arg(long)]
        validate_only: bool,
        #[command(flatten)]
        shown: Shown,
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
        MemberCommand::Import { file, validate_only, confirm, server } => {
            let head = pb::ImportMembersRequest {
                member: None,
                validate_only,
                confirm_impact: confirm.confirm_impact,
            };
            import(file, head, &server).await
        }
        MemberCommand::Show { which, server } => show(which, &server).await,
        MemberCommand::Merge { from, into, validate_only, shown } => {
            merge(from, into, validate_only, &shown).await
        }
    }
}

/// Imports a file; every request is `head` with another member.
async fn import(
    file: PathBuf,
    head: pb::ImportMembersRequest,
    server: &Client,
) -> Result<(), Failure> {
    let mut client = MemberServiceClient::new(connect(server).await?);
    let is_tried = head.validate_only;
    let (requests, stream) = tokio::sync::mpsc::channel(256);
    let reader = tokio::task::spawn_blocking(move || read_file(&file, &head, &requests));
    let answer = client.import_members(ReceiverStream::new(stream)).await;
    let (sent_lines, mut refused) = reader.await.map_err(Failure::told)??;
    let answer = answer.map_err(|status| {
        if matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled) {
            eprintln!("some lines may be recorded: import the file again, what is known stays");
        }
        told(&status)
    })?;
    let answer = answer.into_inner();
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
        "{}{} created, {} changed, {} unchanged, {} refused",
        if is_tried { "only tried: " } else { "" },
        answer.created_count,
        answer.changed_count,
        answer.unchanged_count,
        refused.len()
    );
    let impact = answer.impact.as_ref();
    if is_tried {
        print!("{}", impact::with_changes(impact, &answer.changes));
    } else {
        print!("{}", impact::text(impact));
    }
    if refused.is_empty() { Ok(()) } else { Err(Failure::told("some lines were refused")) }
}

type Lines = (Vec<usize>, Vec<(usize, String)>);

/// Sends every readable line; returns the line number of each and the lines it could not read.
fn read_file(
    file: &PathBuf,
    head: &pb::ImportMembersRequest,
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
                let request = pb::ImportMembersRequest { member: Some(member), ..head.clone() };
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

async fn merge(
    from: String,
    into: String,
    validate_only: bool,
    shown: &Shown,
) -> Result<(), Failure> {
    let mut client = MemberServiceClient::new(connect(&shown.server).await?);
    let (from_member_id, into_member_id) = (from.clone(), into);
    let request = pb::MergeMembersRequest { from_member_id, into_member_id, validate_only };
    let answer = client.merge_members(request).await.map_err(|status| told(&status))?.into_inner();
    if answer.replayed {
        eprintln!("merged before; nothing was recorded");
    }
    let member = answer.member.unwrap_or_default();
    let what = if validate_only { "would be" } else { "is" };
    println!("member {from} {what} {}  {}", member.member_id, member.external_id);
    for change in &answer.changes {
        println!("  {}", event_line::change(change, shown.language()));
    }
    Ok(())
}
