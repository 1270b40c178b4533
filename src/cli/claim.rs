//! `greenlane claim`: claims as statements for people, and events reported.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::Failure;
use super::client::{connect, told};
use super::event_line;
use super::flags::Shown;
use super::statement;
use crate::config::Client;
use crate::pb;
use crate::pb::claim_service_client::ClaimServiceClient;
use crate::pb::settlement_service_client::SettlementServiceClient;

/// What to do with claims.
#[derive(Subcommand)]
pub(super) enum ClaimCommand {
    /// Show one claim: what was decided, step by step, and what is to be done.
    Show {
        /// The claim's id, such as 3-18442.
        claim_id: String,
        /// Everything that happened to it as well: who did what, and what it was decided again for.
        #[arg(long)]
        history: bool,
        #[command(flatten)]
        shown: Shown,
    },
    /// Take a settlement back, whole, because basic insurance did (撤销).
    ///
    /// Its claim is voided and the member's later claims are decided again. Where the settlement is
    /// not there yet, the reversal waits for it.
    Reverse {
        #[command(flatten)]
        key: Key,
        /// Say what would become of the claim, and record nothing.
        #[arg(long)]
        validate_only: bool,
        #[command(flatten)]
        shown: Shown,
    },
    /// Add facts to a settlement: fee lines, the stay, the invoice, the diagnoses.
    ///
    /// The file holds a settlement with what is to be added: a JSON object with the field names of
    /// the API. `source` is needed, and `settlement_id` or `visit_id`. Where the settlement is not
    /// there yet, the facts wait for it.
    Supplement {
        /// The file.
        file: PathBuf,
        /// Decide, and record nothing.
        #[arg(long)]
        validate_only: bool,
        #[command(flatten)]
        shown: Shown,
    },
    /// Report an event without a bill (保险事故), such as a death or a disability.
    ///
    /// The file holds one event: a JSON object with the field names of the API. The claim that it
    /// makes is shown; a person looks at its documents before anything is paid.
    Event {
        /// The file.
        file: PathBuf,
        /// Decide, and record nothing.
        #[arg(long)]
        validate_only: bool,
        #[command(flatten)]
        shown: Shown,
    },
}

/// A settlement, by its platform and its id there.
#[derive(clap::Args)]
pub(super) struct Key {
    /// The platform that issued the id, six digits, such as 370200.
    source: String,
    /// The settlement's id, such as 370200G0000008800004.
    settlement_id: String,
}

pub(super) async fn run(command: ClaimCommand) -> Result<(), Failure> {
    let (answer, validate_only, shown) = match command {
        ClaimCommand::Show { claim_id, history, shown } => {
            let (claim, past) = fetch(claim_id, history, &shown.server).await?;
            print!("{}", in_full(&claim, &past, &shown));
            return Ok(());
        }
        ClaimCommand::Event { file, validate_only, shown } => {
            (report(&file, validate_only, &shown.server).await?, validate_only, shown)
        }
        ClaimCommand::Reverse { key, validate_only, shown } => {
            (reverse(key, validate_only, &shown.server).await?, validate_only, shown)
        }
        ClaimCommand::Supplement { file, validate_only, shown } => {
            (supplement(&file, validate_only, &shown.server).await?, validate_only, shown)
        }
    };
    let language = shown.language();
    if validate_only {
        println!("{}", language.of("试行，未登记", "only tried, nothing is recorded"));
    }
    if let Some(claim) = answer.claim {
        print!("{}", in_full(&claim, &[], &shown));
    }
    if !answer.changes.is_empty() {
        println!("{}", language.of("其他赔案的变化", "Other claims that change"));
    }
    for change in &answer.changes {
        println!("  {}", event_line::change(change, language));
    }
    Ok(())
}

/// What became of a claim, and of the member's other claims with it.
struct Answer {
    /// None: it waits for its settlement.
    claim: Option<pb::Claim>,
    changes: Vec<pb::ClaimEvent>,
}

/// A claim's whole statement, and what happened to it where that was asked for.
pub(super) fn in_full(
    claim: &pb::Claim,
    history: &[pb::ClaimHistoryEntry],
    shown: &Shown,
) -> String {
    let statement = statement::of_claim_in_full(claim, shown.language());
    statement + &statement::of_history(history, shown.language())
}

/// One claim as it stands, and everything that happened to it where that is asked for.
pub(super) async fn fetch(
    claim_id: String,
    include_history: bool,
    server: &Client,
) -> Result<(pb::Claim, Vec<pb::ClaimHistoryEntry>), Failure> {
    let mut client = ClaimServiceClient::new(connect(server).await?);
    let request = pb::GetClaimRequest { claim_id, include_history };
    let answer = client.get_claim(request).await.map_err(|status| told(&status))?.into_inner();
    Ok((answer.claim.ok_or_else(no_claim)?, answer.history))
}

/// The claim of what was taken; none, and a word about it, for what waits.
fn taken(claim: Option<pb::Claim>, replayed: bool, parked_id: &str) -> Option<pb::Claim> {
    match &claim {
        None if parked_id.is_empty() => println!("no such settlement is recorded yet"),
        None => println!("no such settlement is recorded yet; it is waited for as {parked_id}"),
        Some(_) if replayed => eprintln!("known already; nothing was recorded"),
        Some(_) => {}
    }
    claim
}

async fn reverse(key: Key, validate_only: bool, server: &Client) -> Result<Answer, Failure> {
    let Key { source, settlement_id } = key;
    let reversal = pb::Reversal { source, settlement_id, ..pb::Reversal::default() };
    let mut client = SettlementServiceClient::new(connect(server).await?);
    let request = pb::ReverseSettlementRequest { reversal: Some(reversal), validate_only };
    let answer = client.reverse_settlement(request).await.map_err(|status| told(&status))?;
    let answer = answer.into_inner();
    let claim = taken(answer.claim, answer.replayed, &answer.parked_id);
    Ok(Answer { claim, changes: answer.changes })
}

async fn supplement(file: &Path, validate_only: bool, server: &Client) -> Result<Answer, Failure> {
    let named = |why: &dyn std::fmt::Display| Failure::told(format!("{}: {why}", file.display()));
    let text = std::fs::read(file).map_err(|error| named(&error))?;
    let settlement = pb::json::settlement(&text)
        .map_err(|wrong| named(&format!("{}: {}", wrong.field, wrong.problem)))?;
    let mut client = SettlementServiceClient::new(connect(server).await?);
    let settlement = Some(settlement);
    let request = pb::SupplementSettlementRequest { settlement, validate_only };
    let answer = client.supplement_settlement(request).await.map_err(|status| told(&status))?;
    let answer = answer.into_inner();
    let claim = taken(answer.claim, answer.replayed, &answer.parked_id);
    Ok(Answer { claim, changes: answer.changes })
}

async fn report(file: &Path, validate_only: bool, server: &Client) -> Result<Answer, Failure> {
    let named = |why: &dyn std::fmt::Display| Failure::told(format!("{}: {why}", file.display()));
    let text = std::fs::read(file).map_err(|error| named(&error))?;
    let event = pb::json::event(&text)
        .map_err(|wrong| named(&format!("{}: {}", wrong.field, wrong.problem)))?;
    let mut client = SettlementServiceClient::new(connect(server).await?);
    let request = pb::SubmitEventRequest { event: Some(event), validate_only };
    let answer = client.submit_event(request).await.map_err(|status| told(&status))?.into_inner();
    if answer.replayed {
        eprintln!("known already; nothing was recorded");
    }
    Ok(Answer { claim: Some(answer.claim.ok_or_else(no_claim)?), changes: answer.changes })
}

/// An answer without the claim it is about.
pub(super) fn no_claim() -> Failure {
    Failure::told("the server sent no claim")
}
