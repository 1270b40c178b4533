//! `greenlane plan`: plan documents, checked here and published on a server.

use std::path::PathBuf;

use clap::Subcommand;

use super::Failure;
use super::claim::LanguageArg;
use super::client::{connect, told};
use crate::config::Client;
use crate::core::explain::{self, Language};
use crate::core::plan::document;
use crate::pb;
use crate::pb::plan_service_client::PlanServiceClient;

/// What to do with plans.
#[derive(Subcommand)]
pub(super) enum PlanCommand {
    /// Check plan files without a server: what each does in words, or every problem at its line.
    Check {
        /// Plan documents, TOML.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// The language of the words.
        #[arg(long, value_enum, default_value = "en")]
        lang: LanguageArg,
    },
    /// Publish a plan file as an immutable version. The same file again changes nothing.
    Publish {
        /// The plan document, TOML.
        file: PathBuf,
        /// Only say whether it could be published.
        #[arg(long)]
        validate_only: bool,
        #[command(flatten)]
        server: Client,
    },
    /// List every published version.
    List {
        #[command(flatten)]
        server: Client,
    },
    /// Print the document of one version, exactly as it was published.
    Show {
        /// The plan.
        plan_id: String,
        /// The version; without it the one in force today.
        #[arg(long = "plan-version", default_value = "")]
        plan_version: String,
        #[command(flatten)]
        server: Client,
    },
}

pub(super) async fn run(command: PlanCommand) -> Result<(), Failure> {
    match command {
        PlanCommand::Check { files, lang } => check(&files, lang),
        PlanCommand::Publish { file, validate_only, server } => {
            publish(read(&file)?, validate_only, &server).await
        }
        PlanCommand::List { server } => list(&server).await,
        PlanCommand::Show { plan_id, plan_version, server } => {
            show(plan_id, plan_version, &server).await
        }
    }
}

fn read(file: &PathBuf) -> Result<String, Failure> {
    std::fs::read_to_string(file)
        .map_err(|error| Failure::told(format!("{}: {error}", file.display())))
}

fn check(files: &[PathBuf], lang: LanguageArg) -> Result<(), Failure> {
    let language = match lang {
        LanguageArg::Zh => Language::Zh,
        LanguageArg::En => Language::En,
    };
    let mut found = 0;
    for file in files {
        match document::read(&read(file)?) {
            Ok(plan) => {
                println!("{}: plan {} {} is sound", file.display(), plan.plan_id, plan.version);
                for line in explain::plan_lines(&plan, language) {
                    println!("  {line}");
                }
            }
            Err(problems) => {
                found += problems.len();
                for problem in &problems {
                    let (line, key) = (problem.line, &problem.key);
                    eprintln!("{}:{line}: {key}: {}", file.display(), problem.told());
                }
            }
        }
    }
    if found == 0 { Ok(()) } else { Err(Failure::told(format!("{found} problems"))) }
}

async fn publish(document: String, validate_only: bool, server: &Client) -> Result<(), Failure> {
    let mut client = PlanServiceClient::new(connect(server).await?);
    let request = pb::PublishPlanRequest { document, validate_only };
    let answer = client.publish_plan(request).await.map_err(|status| told(&status))?.into_inner();
    let plan = answer.plan.unwrap_or_default();
    let what = match (answer.unchanged, validate_only) {
        (true, _) => "was published before, nothing changed",
        (false, true) => "can be published",
        (false, false) => "is published",
    };
    println!("plan {} {} {what}, sha256 {}", plan.plan_id, plan.version, plan.document_hash);
    Ok(())
}

async fn list(server: &Client) -> Result<(), Failure> {
    let mut client = PlanServiceClient::new(connect(server).await?);
    let mut page_token = String::new();
    loop {
        let request = pb::ListPlansRequest { page_size: 0, page_token };
        let answer = client.list_plans(request).await.map_err(|status| told(&status))?.into_inner();
        for plan in answer.plans {
            println!("{} {} from {}  {}", plan.plan_id, plan.version, plan.start_date, plan.name);
        }
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            return Ok(());
        }
    }
}

async fn show(plan_id: String, version: String, server: &Client) -> Result<(), Failure> {
    let mut client = PlanServiceClient::new(connect(server).await?);
    let request = pb::GetPlanRequest { plan_id, version, date: String::new() };
    let answer = client.get_plan(request).await.map_err(|status| told(&status))?.into_inner();
    print!("{}", answer.plan.unwrap_or_default().document);
    Ok(())
}
