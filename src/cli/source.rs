//! `greenlane source`: how the messages of a sender are read, and what has not become a claim.

use std::path::PathBuf;

use clap::Subcommand;

use super::flags::LanguageArg;
use super::{Failure, documents};
use crate::config::Client;

mod backlog;
mod check;
mod pulls;
mod table;

/// The kind of a sender's document.
const PROFILE: crate::pb::DocumentKind = crate::pb::DocumentKind::Profile;

/// What to do with sources.
#[derive(Subcommand)]
pub(super) enum SourceCommand {
    /// Try a profile on files of messages, without a server: how each of them is understood.
    ///
    /// Prints a line for each message, then every problem of those that are refused and the
    /// figures of those whose amounts contradict each other. Nothing personal is printed. Exits 0
    /// when every message is read and agrees with itself, 1 otherwise, 64 when the profile is
    /// wrong.
    Check(check::Check),
    /// Publish a profile file as an immutable version, in force at once. The same file again
    /// changes nothing.
    Publish {
        /// The profile, TOML.
        file: PathBuf,
        /// Only say whether it could be published.
        #[arg(long)]
        validate_only: bool,
        #[command(flatten)]
        server: Client,
    },
    /// List the profiles in force.
    List {
        /// Every version ever published.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        server: Client,
    },
    /// Print a profile exactly as it was published.
    Show {
        /// The sender.
        sender: String,
        /// The version; without it the one in force.
        #[arg(long = "profile-version", default_value = "")]
        profile_version: String,
        #[command(flatten)]
        server: Client,
    },
    /// List what came in and cannot be used (退回报文), with its reasons, oldest first.
    Rejects {
        /// Only those of this sender.
        #[arg(long, default_value = "")]
        sender: String,
        #[command(flatten)]
        server: Client,
    },
    /// Write the bytes of a reject to standard output, exactly as they came. They are personal.
    Payload {
        /// The reject, a UUID.
        reject_id: String,
        #[command(flatten)]
        server: Client,
    },
    /// Send a reject again: as it came, by today's profiles, or corrected.
    Retry {
        /// The reject, a UUID.
        reject_id: String,
        /// A file with the corrected message.
        #[arg(long, value_name = "FILE")]
        payload: Option<PathBuf>,
        /// Read it by the profile of another sender.
        #[arg(long, default_value = "")]
        sender: String,
        /// The language of the explanation.
        #[arg(long, visible_alias = "lang", value_enum, default_value = "en")]
        language: LanguageArg,
        #[command(flatten)]
        server: Client,
    },
    /// List the senders that are fetched from (主动获取): by whom, how far behind, and what fails.
    Pulls {
        #[command(flatten)]
        server: Client,
    },
    /// Pause fetching from a sender, until it is resumed.
    Pause {
        /// The sender.
        sender: String,
        #[command(flatten)]
        server: Client,
    },
    /// Let fetching from a sender go on where it was.
    Resume {
        /// The sender.
        sender: String,
        #[command(flatten)]
        server: Client,
    },
    /// List what waits for its settlement (待配报文), oldest first.
    Parked {
        /// Only those of this sender.
        #[arg(long, default_value = "")]
        sender: String,
        #[command(flatten)]
        server: Client,
    },
}

pub(super) async fn run(command: SourceCommand) -> Result<(), Failure> {
    match command {
        SourceCommand::Check(check) => check.run(),
        SourceCommand::Publish { file, validate_only, server } => {
            documents::publish(PROFILE, &file, validate_only, &server).await
        }
        SourceCommand::List { all, server } => documents::list(PROFILE, all, &server).await,
        SourceCommand::Show { sender, profile_version, server } => {
            documents::show(PROFILE, &sender, &profile_version, &server).await
        }
        SourceCommand::Rejects { sender, server } => backlog::rejects(&sender, &server).await,
        SourceCommand::Payload { reject_id, server } => backlog::payload(&reject_id, &server).await,
        SourceCommand::Retry { reject_id, payload, sender, language, server } => {
            let language = language.into();
            backlog::retry(reject_id, payload.as_deref(), sender, language, &server).await
        }
        SourceCommand::Pulls { server } => pulls::list(&server).await,
        SourceCommand::Pause { sender, server } => pulls::pause(sender, &server).await,
        SourceCommand::Resume { sender, server } => pulls::resume(sender, &server).await,
        SourceCommand::Parked { sender, server } => backlog::parked(&sender, &server).await,
    }
}
