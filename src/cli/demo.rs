//! `greenlane demo`: the main job on real messages, or a year of a city, against the real server.

use clap::Subcommand;

use super::Failure;

mod cases;
mod city;
mod embedded;

/// The programme that every demo runs.
const PLAN: &str = include_str!("../../deploy/plans/qingdao-rongjun.toml");
/// Its id.
const PLAN_ID: &str = "qingdao-rongjun";

/// What to show.
#[derive(clap::Args)]
pub(super) struct Demo {
    #[command(subcommand)]
    what: Option<DemoCommand>,
}

/// Other demos than the main job.
#[derive(Subcommand)]
enum DemoCommand {
    /// Run a year of a city: members, stays, anomalies, a review desk, clocks; and print its figures.
    ///
    /// Everybody is invented. The year runs by a clock of its own, in well under a minute; the same
    /// seed makes the same city. Exits 0 when every planted anomaly was caught and the books
    /// balance.
    City(city::City),
}

pub(super) async fn run(demo: Demo) -> Result<(), Failure> {
    match demo.what {
        None => cases::run().await,
        Some(DemoCommand::City(city)) => city::run(&city).await,
    }
}
