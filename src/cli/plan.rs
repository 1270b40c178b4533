//! `greenlane plan`: plan documents, checked here and published on a server.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::Failure;
use super::client::{connect, told};
use super::flags::LanguageArg;
use super::impact::{self, Confirm};
use crate::config::Client;
use crate::core::explain::Language;
use crate::core::plan::document::{self, PlanProblem};
use crate::core::plan::summary;
use crate::core::rules::table;
use crate::pb;
use crate::pb::plan_service_client::PlanServiceClient;

/// What to do with plans.
#[derive(Subcommand)]
pub(super) enum PlanCommand {
    /// Check plan files without a server: every problem at its line, or what the plan says.
    ///
    /// Exits 0 when all of them are sound, 1 otherwise.
    Check {
        /// The plan documents, TOML.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// The language of what a plan says.
        #[arg(long, visible_alias = "lang", value_enum, default_value = "en")]
        language: LanguageArg,
    },
    /// Publish a plan file as an immutable version. The same file again changes nothing.
    ///
    /// Claims that were denied because no version was in force on their day are decided again; what
    /// changes is printed. A server that is to change more than its bounds asks first.
    Publish {
        /// The plan document, TOML.
        file: PathBuf,
        /// Only say whether it could be published.
        #[arg(long)]
        validate_only: bool,
        #[command(flatten)]
        confirm: Confirm,
        #[command(flatten)]
        server: Client,
    },
    /// Print every routing rule there is (审核规则), as a table: data, usual thresholds, action.
    Rules,
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
        PlanCommand::Check { files, language } => check(&files, language.into()),
        PlanCommand::Publish { file, validate_only, confirm, server } => {
            publish(read(&file)?, validate_only, confirm, &server).await
        }
        PlanCommand::Rules => {
            print!("{}", table());
            Ok(())
        }
        PlanCommand::List { server } => list(&server).await,
        PlanCommand::Show { plan_id, plan_version, server } => {
            show(plan_id, plan_version, &server).await
        }
    }
}

fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file)
        .map_err(|error| Failure::told(format!("{}: {error}", file.display())))
}

/// Checks all files: one that cannot be read does not hide what is wrong with the next.
fn check(files: &[PathBuf], language: Language) -> Result<(), Failure> {
    let mut unsound = 0;
    for file in files {
        if let Err(failure) = check_one(file, language) {
            eprintln!("{failure}");
            unsound += 1;
        }
    }
    match unsound {
        0 => Ok(()),
        _ => Err(Failure::told(format!("{unsound} of {} plan files not sound", files.len()))),
    }
}

/// Prints what a sound plan says; the failure of another names every problem on a line of its own.
fn check_one(file: &Path, language: Language) -> Result<(), Failure> {
    let shown = file.display();
    match document::read(&read(file)?) {
        Ok(plan) => {
            println!("{shown}: plan {} {} is sound", plan.plan_id, plan.version);
            for line in summary(&plan, language) {
                println!("  {line}");
            }
            Ok(())
        }
        Err(problems) => {
            let told = |it: &PlanProblem| format!("{shown}:{}: {}: {}", it.line, it.key, it.told());
            let told: Vec<String> = problems.iter().map(told).collect();
            Err(Failure::told(told.join("\n")))
        }
    }
}

async fn publish(
    document: String,
    validate_only: bool,
    Confirm { confirm_impact }: Confirm,
    server: &Client,
) -> Result<(), Failure> {
    let mut client = PlanServiceClient::new(connect(server).await?);
    let request = pb::PublishPlanRequest { document, validate_only, confirm_impact };
    let answer = client.publish_plan(request).await.map_err(|status| told(&status))?.into_inner();
    let plan = answer.plan.unwrap_or_default();
    let what = match (answer.unchanged, validate_only) {
        (true, _) => "was published before, nothing changed",
        (false, true) => "can be published",
        (false, false) => "is published",
    };
    println!("plan {} {} {what}, sha256 {}", plan.plan_id, plan.version, plan.document_hash);
    let impact = answer.impact.as_ref();
    if validate_only {
        print!("{}", impact::with_changes(impact, &answer.changes));
    } else {
        print!("{}", impact::text(impact));
    }
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
