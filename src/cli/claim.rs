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
    };
    print!("{}", statement::of_claim_in_full(&claim, language.into()));
    Ok(())
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
