//! `greenlane figures`: what routing rules and clocks look at beside the book.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use super::client::{connect, told};
use super::{Failure, documents};
use crate::config::Client;
use crate::core::figures::{Figure, FigureKind};
use crate::pb;
use crate::pb::admin_service_client::AdminServiceClient;

/// What to do with figures.
#[derive(Subcommand)]
pub(super) enum FiguresCommand {
    /// Check a document without a server: every problem at its line.
    Check {
        /// What it is.
        kind: Kind,
        /// The document, TOML.
        file: PathBuf,
    },
    /// Publish a document as an immutable version. The same file again changes nothing.
    Publish {
        /// What it is.
        kind: Kind,
        /// The document, TOML.
        file: PathBuf,
        /// Only say whether it could be published.
        #[arg(long)]
        validate_only: bool,
        #[command(flatten)]
        server: Client,
    },
    /// Tell figures from the whole book, and publish them as a version.
    ///
    /// A baseline is told from the stays that were paid and ended from one day to another; hospitals
    /// with fewer than 30 are left out.
    Refresh {
        /// What to tell: a baseline, or shared-accounts.
        kind: Kind,
        /// The id by which plans name them.
        #[arg(long, value_name = "ID")]
        id: String,
        /// Their version, such as 2026-06.
        #[arg(long = "as", value_name = "VERSION")]
        version: String,
        /// For a baseline: the first day, such as 2025-07-01.
        #[arg(long, value_name = "DAY", default_value = "")]
        from: String,
        /// For a baseline: the last day, such as 2026-06-30.
        #[arg(long, value_name = "DAY", default_value = "")]
        until: String,
        /// Print the document, and publish nothing.
        #[arg(long)]
        validate_only: bool,
        #[command(flatten)]
        server: Client,
    },
    /// List the documents in force, or every version.
    List {
        /// What they are.
        kind: Kind,
        /// Every version, in the order of publishing.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        server: Client,
    },
    /// Print a document exactly as it was published.
    Show {
        /// What it is.
        kind: Kind,
        /// Its id.
        id: String,
        /// Its version; without it the one in force.
        #[arg(long = "as", value_name = "VERSION", default_value = "")]
        version: String,
        #[command(flatten)]
        server: Client,
    },
}

/// What figures are.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Kind {
    /// Working days (工作日历).
    Calendar,
    /// What stays in each hospital usually last and cost (基准).
    Baseline,
    /// Which members share an account (多人同一账户).
    SharedAccounts,
}

impl Kind {
    fn on_the_wire(self) -> pb::DocumentKind {
        match self {
            Kind::Calendar => pb::DocumentKind::Calendar,
            Kind::Baseline => pb::DocumentKind::Baseline,
            Kind::SharedAccounts => pb::DocumentKind::SharedAccounts,
        }
    }

    fn in_core(self) -> FigureKind {
        match self {
            Kind::Calendar => FigureKind::Calendar,
            Kind::Baseline => FigureKind::Baseline,
            Kind::SharedAccounts => FigureKind::SharedAccounts,
        }
    }
}

pub(super) async fn run(command: FiguresCommand) -> Result<(), Failure> {
    use FiguresCommand as C;
    match command {
        C::Check { kind, file } => check(kind, &file),
        C::Publish { kind, file, validate_only, server } => {
            documents::publish(kind.on_the_wire(), &file, validate_only, &server).await
        }
        C::Refresh { kind, id, version, from, until, validate_only, server } => {
            let request = pb::RefreshFiguresRequest {
                kind: kind.on_the_wire().into(),
                document_id: id,
                version,
                from_date: from,
                until_date: until,
                validate_only,
            };
            refresh(kind, request, &server).await
        }
        C::List { kind, all, server } => documents::list(kind.on_the_wire(), all, &server).await,
        C::Show { kind, id, version, server } => {
            documents::show(kind.on_the_wire(), &id, &version, &server).await
        }
    }
}

fn check(kind: Kind, file: &std::path::Path) -> Result<(), Failure> {
    let shown = file.display();
    let document = std::fs::read_to_string(file)
        .map_err(|error| Failure::told(format!("{shown}: {error}")))?;
    match Figure::read(kind.in_core(), &document) {
        Ok(figure) => {
            let name = documents::name(kind.on_the_wire());
            println!("{shown}: {name} {} {} is sound", figure.id(), figure.version());
            Ok(())
        }
        Err(problems) => {
            let told: Vec<String> = problems
                .iter()
                .map(|it| format!("{shown}:{}: {}: {}", it.line, it.key, it.told()))
                .collect();
            Err(Failure::told(told.join("\n")))
        }
    }
}

async fn refresh(
    kind: Kind,
    request: pb::RefreshFiguresRequest,
    server: &Client,
) -> Result<(), Failure> {
    let validate_only = request.validate_only;
    let mut client = AdminServiceClient::new(connect(server).await?);
    let answer = client.refresh_figures(request).await.map_err(|status| told(&status))?;
    let pb::RefreshFiguresResponse {
        document,
        unchanged,
        entry_count,
        source_count,
        left_out_count,
    } = answer.into_inner();
    let document = document.unwrap_or_default();
    if validate_only {
        print!("{}", document.content);
        return Ok(());
    }
    let what = if unchanged { "was published before, nothing changed" } else { "is published" };
    let name = documents::name(kind.on_the_wire());
    println!("{name} {} {} {what}", document.document_id, document.version);
    let (entries, sources) = match kind {
        Kind::SharedAccounts => ("accounts", "persons"),
        Kind::Baseline | Kind::Calendar => ("hospitals", "stays"),
    };
    println!("{entry_count} {entries} from {source_count} {sources}; {left_out_count} left out");
    Ok(())
}
