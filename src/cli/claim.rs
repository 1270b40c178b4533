//! `greenlane claim`: claims as statements for people.

use clap::{Subcommand, ValueEnum};

use super::Failure;
use super::client::{connect, told};
use super::statement::{self, Language};
use crate::config::Client;
use crate::pb;

/// What to do with claims.
#[derive(Subcommand)]
pub(super) enum ClaimCommand {
    /// Show one claim: what was decided, step by step, and what is to be done.
    Show {
        /// The claim's id, such as 3-18442.
        claim_id: String,
        /// The language of the explanation.
        #[arg(long, value_enum, default_value = "en")]
        lang: LanguageArg,
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
    let ClaimCommand::Show { claim_id, lang, server } = command;
    let mut client = pb::claim_service_client::ClaimServiceClient::new(connect(&server).await?);
    let request = pb::GetClaimRequest { claim_id };
    let answer = client.get_claim(request).await.map_err(|status| told(&status))?.into_inner();
    let claim = answer.claim.ok_or_else(|| Failure::told("the server sent no claim"))?;
    print!("{}", statement::of_claim(&claim, lang.into()));
    Ok(())
}
