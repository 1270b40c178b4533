//! `greenlane claim`: claims as statements for people, and events reported.

use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};

use super::Failure;
use super::client::{connect, told};
use super::statement;
use crate::config::Client;
use crate::core::explain::Language;
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
        /// The language of the explanation.
        #[arg(long, visible_alias = "lang", value_enum, default_value = "en")]
        language: LanguageArg,
        #[command(flatten)]
        server: Client,
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
        /// The language of the explanation.
        #[arg(long, visible_alias = "lang", value_enum, default_value = "en")]
        language: LanguageArg,
        #[command(flatten)]
        server: Client,
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
        /// The language of the explanation.
        #[arg(long, visible_alias = "lang", value_enum, default_value = "en")]
        language: LanguageArg,
        #[command(flatten)]
        server: Client,
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
        /// The language of the explanation.
        #[arg(long, visible_alias = "lang", value_enum, default_value = "en")]
        language: LanguageArg,
        #[command(flatten)]
        server: Client,
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

/// The languages of explanations.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum LanguageArg {
    /// 简体中文.
    Zh,
    /// English.
    En,
}

impl From<LanguageArg> for Language {
    fn from(arg: LanguageArg) -> Language {
        match arg {
            LanguageArg::Zh => Language::Zh,
            LanguageArg::En => Language::En,
        }
    }
}

pub(super) async fn run(command: ClaimCommand) -> Result<(), Failure> {
    let (claim, language) = match command {
        ClaimCommand::Show { claim_id, language, server } => {
            (show(claim_id, &server).await?, language)
        }
        ClaimCommand::Event { file, validate_only, language, server } => {
            (report(&file, validate_only, &server).await?, language)
        }
        ClaimCommand::Reverse { key, validate_only, language, server } => {
            match reverse(key, validate_only, &server).await? {
                Some(claim) => (claim, language),
                None => return Ok(()),
            }
        }
        ClaimCommand::Supplement { file, validate_only, language, server } => {
            match supplement(&file, validate_only, &server).await? {
                Some(claim) => (claim, language),
                None => return Ok(()),
            }
        }
    };
    print!("{}", statement::of_claim_in_full(&claim, language.into()));
    Ok(())
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

async fn reverse(
    key: Key,
    validate_only: bool,
    server: &Client,
) -> Result<Option<pb::Claim>, Failure> {
    let Key { source, settlement_id } = key;
    let reversal = pb::Reversal { source, settlement_id, ..pb::Reversal::default() };
    let mut client = SettlementServiceClient::new(connect(server).await?);
    let request = pb::ReverseSettlementRequest { reversal: Some(reversal), validate_only };
    let answer = client.reverse_settlement(request).await.map_err(|status| told(&status))?;
    let answer = answer.into_inner();
    Ok(taken(answer.claim, answer.replayed, &answer.parked_id))
}

async fn supplement(
    file: &Path,
    validate_only: bool,
    server: &Client,
) -> Result<Option<pb::Claim>, Failure> {
    let named = |why: &dyn std::fmt::Display| Failure::told(format!("{}: {why}", file.display()));
    let text = std::fs::read(file).map_err(|error| named(&error))?;
    let settlement = pb::json::settlement(&text)
        .map_err(|wrong| named(&format!("{}: {}", wrong.field, wrong.problem)))?;
    let mut client = SettlementServiceClient::new(connect(server).await?);
    let settlement = Some(settlement);
    let request = pb::SupplementSettlementRequest { settlement, validate_only };
    let answer = client.supplement_settlement(request).await.map_err(|status| told(&status))?;
    let answer = answer.into_inner();
    Ok(taken(answer.claim, answer.replayed, &answer.parked_id))
}

async fn show(claim_id: String, server: &Client) -> Result<pb::Claim, Failure> {
    let mut client = ClaimServiceClient::new(connect(server).await?);
    let request = pb::GetClaimRequest { claim_id };
    let answer = client.get_claim(request).await.map_err(|status| told(&status))?.into_inner();
    answer.claim.ok_or_else(no_claim)
}

async fn report(file: &Path, validate_only: bool, server: &Client) -> Result<pb::Claim, Failure> {
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
    answer.claim.ok_or_else(no_claim)
}

fn no_claim() -> Failure {
    Failure::told("the server sent no claim")
}
