//! What came in and has not become a claim, as a server keeps it.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use crate::cli::Failure;
use crate::cli::client::{connect, told};
use crate::cli::statement;
use crate::config::Client;
use crate::core::explain::Language;
use crate::pb;
use crate::pb::intake_service_client::IntakeServiceClient;

/// Lists rejects with their reasons, oldest first.
pub(super) async fn rejects(sender: &str, server: &Client) -> Result<(), Failure> {
    let mut client = IntakeServiceClient::new(connect(server).await?);
    let mut request =
        pb::ListRejectsRequest { sender: sender.to_owned(), ..pb::ListRejectsRequest::default() };
    loop {
        let answer = client.list_rejects(request.clone()).await.map_err(|status| told(&status))?;
        let page = answer.into_inner();
        for reject in &page.rejects {
            print!("{}", reject_text(reject));
        }
        if page.rejects.is_empty() && request.page_token.is_empty() {
            eprintln!("nothing is rejected");
        }
        if page.next_page_token.is_empty() {
            return Ok(());
        }
        request.page_token = page.next_page_token;
    }
}

fn reject_text(reject: &pb::Reject) -> String {
    let refusal = reject.refusal.clone().unwrap_or_default();
    let reason = refusal.reason().as_str_name().trim_start_matches("ERROR_REASON_").to_owned();
    let mut text = format!(
        "{}  {reason}  sender {}  settlement {}/{}  came {}x\n",
        reject.reject_id,
        dash(&reject.sender),
        dash(&reject.source),
        dash(&reject.settlement_id),
        reject.attempts,
    );
    for violation in &refusal.field_violations {
        let _ = writeln!(text, "  {}: {}", violation.field, violation.description);
    }
    text
}

fn dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

/// Writes the bytes of a reject to standard output, exactly as they came.
pub(super) async fn payload(reject_id: &str, server: &Client) -> Result<(), Failure> {
    let mut client = IntakeServiceClient::new(connect(server).await?);
    let request = pb::ListRejectsRequest {
        include_payload: true,
        reject_id: reject_id.to_owned(),
        ..pb::ListRejectsRequest::default()
    };
    let answer = client.list_rejects(request).await.map_err(|status| told(&status))?;
    match answer.into_inner().rejects.first() {
        Some(reject) => std::io::stdout().write_all(&reject.payload).map_err(Failure::told),
        None => Err(Failure::told(format!("no reject has the id {reject_id}"))),
    }
}

/// Sends a reject again, as it came or corrected.
pub(super) async fn retry(
    reject_id: String,
    corrected: Option<&Path>,
    sender: String,
    language: Language,
    server: &Client,
) -> Result<(), Failure> {
    let payload = match corrected {
        Some(file) => std::fs::read(file)
            .map_err(|error| Failure::told(format!("{}: {error}", file.display())))?,
        None => Vec::new(),
    };
    let mut client = IntakeServiceClient::new(connect(server).await?);
    let request = pb::RetryRejectRequest { reject_id, payload, request_payload: vec![], sender };
    let answer = client.retry_reject(request).await.map_err(|status| told(&status))?.into_inner();
    match answer.claim {
        Some(claim) => print!("{}", statement::of_claim_in_full(&claim, language)),
        None if answer.parked_id.is_empty() => println!("no settlement: {}", answer.detail),
        None => println!("waits for its settlement as {}", answer.parked_id),
    }
    Ok(())
}

/// Lists what waits for its settlement, oldest first.
pub(super) async fn parked(sender: &str, server: &Client) -> Result<(), Failure> {
    let mut client = IntakeServiceClient::new(connect(server).await?);
    let mut request =
        pb::ListParkedRequest { sender: sender.to_owned(), ..pb::ListParkedRequest::default() };
    loop {
        let answer = client.list_parked(request.clone()).await.map_err(|status| told(&status))?;
        let page = answer.into_inner();
        if page.parked.is_empty() && request.page_token.is_empty() {
            eprintln!("nothing waits");
        }
        for it in &page.parked {
            let kind = it.kind().as_str_name().trim_start_matches("PARKED_KIND_").to_lowercase();
            println!(
                "{}  {kind}  sender {}  settlement {}/{}  stay {}",
                it.parked_id,
                dash(&it.sender),
                it.source,
                dash(&it.settlement_id),
                dash(&it.visit_id),
            );
        }
        if page.next_page_token.is_empty() {
            return Ok(());
        }
        request.page_token = page.next_page_token;
    }
}
