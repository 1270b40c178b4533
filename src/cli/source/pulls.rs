//! Senders that are fetched from, as a server knows them.

use std::fmt::Write as _;

use prost_types::Timestamp;

use crate::cli::Failure;
use crate::cli::client::{connect, told};
use crate::clock;
use crate::config::Client;
use crate::core::day::Moment;
use crate::pb::pull_service_client::PullServiceClient;
use crate::pb::{ListPullsRequest, PausePullRequest, Pull, ResumePullRequest};

/// Lists them, by name.
pub(super) async fn list(server: &Client) -> Result<(), Failure> {
    let mut client = PullServiceClient::new(connect(server).await?);
    let answer = client.list_pulls(ListPullsRequest {}).await.map_err(|status| told(&status))?;
    let pulls = answer.into_inner().pulls;
    if pulls.is_empty() {
        eprintln!("nobody fetches from any sender");
    }
    for pull in &pulls {
        print!("{}", text(pull, clock::now()));
    }
    Ok(())
}

/// Pauses one.
pub(super) async fn pause(sender: String, server: &Client) -> Result<(), Failure> {
    let mut client = PullServiceClient::new(connect(server).await?);
    let answer = client.pause_pull(PausePullRequest { sender }).await;
    let pull = answer.map_err(|status| told(&status))?.into_inner().pull.unwrap_or_default();
    print!("{}", text(&pull, clock::now()));
    Ok(())
}

/// Lets one go on.
pub(super) async fn resume(sender: String, server: &Client) -> Result<(), Failure> {
    let mut client = PullServiceClient::new(connect(server).await?);
    let answer = client.resume_pull(ResumePullRequest { sender }).await;
    let pull = answer.map_err(|status| told(&status))?.into_inner().pull.unwrap_or_default();
    print!("{}", text(&pull, clock::now()));
    Ok(())
}

fn text(pull: &Pull, now: Moment) -> String {
    let state = pull.state().as_str_name().trim_start_matches("PULL_STATE_").to_lowercase();
    let holder = if pull.holder.is_empty() { "-" } else { &pull.holder };
    let behind = match pull.caught_up_time {
        Some(at) => format!("{} s behind", seconds_since(at, now)),
        None => "never caught up yet".to_owned(),
    };
    let mut text =
        format!("{}  {state}  by {holder}  {behind}  {} records\n", pull.sender, pull.record_count);
    if let Some(at) = pull.pause_time {
        let _ = writeln!(text, "  paused since {}", moment(at).local());
    }
    if !pull.failure.is_empty() {
        let (count, failure) = (pull.failure_count, &pull.failure);
        let _ = writeln!(text, "  failed {count} times in a row: {failure}");
    }
    text
}

fn moment(at: Timestamp) -> Moment {
    Moment::from_micros(at.seconds.saturating_mul(1_000_000) + i64::from(at.nanos) / 1000)
}

fn seconds_since(at: Timestamp, now: Moment) -> i64 {
    (now.micros() - moment(at).micros()).max(0) / 1_000_000
}
