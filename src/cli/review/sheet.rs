//! One claim on the desk: what a person looks at, how to go on, and what an act made of it.

use std::fmt::Write;

use super::{Desk, Once, acts};
use crate::cli::event_line;
use crate::cli::statement::{actor_text, standing, yuan};
use crate::cli::{Failure, claim};
use crate::core::explain::Language;
use crate::pb;

/// Shows a claim with everything that happened to it.
pub(super) async fn show(claim_id: String, desk: &Desk) -> Result<(), Failure> {
    let (found, history) = claim::fetch(claim_id, true, &desk.shown.server).await?;
    print!("{}", claim::in_full(&found, &history, &desk.shown));
    print!("{}", go_on(&found, desk.shown.language()));
    Ok(())
}

/// Takes a claim and shows it.
pub(super) async fn take(
    claim_id: Option<String>,
    plan_id: String,
    order: pb::ReviewOrder,
    once: &Once,
    desk: &Desk,
) -> Result<(), Failure> {
    let done = acts::carry_out(acts::take(claim_id, plan_id, order, once), desk).await?;
    let language = desk.shown.language();
    let Some(taken) = &done.claim else {
        eprintln!("nothing waits that nobody works on");
        return Ok(());
    };
    if once.validate_only {
        print!("{}", self::done(&done, true, language));
        return Ok(());
    }
    tell_replayed(&done);
    print!("{}", claim::in_full(taken, &[], &desk.shown));
    print!("{}", go_on(taken, language));
    Ok(())
}

fn tell_replayed(done: &pb::ReviewedClaim) {
    if done.replayed {
        eprintln!("done before; nothing was recorded");
    }
}

/// How the second person approves the amount that the first one set.
fn proposed(claim: &pb::Claim) -> String {
    let proposal = claim.review.as_ref().and_then(|review| review.proposal.as_ref());
    let figure = claim.decision.as_ref().map(|decision| decision.payout_fen);
    match proposal.map(|proposal| proposal.payout_fen) {
        Some(fen) if figure != Some(fen) => {
            format!(" --amount {} --note TEXT", yuan(fen).replace(',', ""))
        }
        Some(_) | None => String::new(),
    }
}

/// The commands that a claim allows, with the revision that was just seen.
fn go_on(claim: &pb::Claim, language: Language) -> String {
    let (id, seen) = (&claim.claim_id, &claim.revision);
    let commands = match claim.state() {
        pb::ClaimState::Pended => vec![
            format!("approve {id} --revision {seen}{}", proposed(claim)),
            format!("deny {id} --revision {seen} --reason CODE"),
            format!("request {id} --revision {seen} --item TEXT"),
            format!("release {id}"),
        ],
        pb::ClaimState::InformationRequested => vec![
            format!("provide {id} --document REF"),
            format!("deny {id} --revision {seen} --reason CODE"),
        ],
        pb::ClaimState::Approved | pb::ClaimState::Paid | pb::ClaimState::Denied => {
            vec![format!("reopen {id} --revision {seen} --note TEXT")]
        }
        pb::ClaimState::Incomplete | pb::ClaimState::Voided | pb::ClaimState::Unspecified => {
            Vec::new()
        }
    };
    if commands.is_empty() {
        return String::new();
    }
    let mut out = format!("\n{}\n", language.of("可用命令", "To go on"));
    for command in commands {
        let _ = writeln!(out, "  greenlane review {command}");
    }
    out
}

/// What an act made of a claim, and, one a line, of the member's later claims.
pub(super) fn done(done: &pb::ReviewedClaim, is_tried: bool, language: Language) -> String {
    tell_replayed(done);
    let Some(claim) = &done.claim else { return String::new() };
    let mut out = String::new();
    if is_tried {
        out.push_str(language.of("试行，未登记\n", "only tried, nothing is recorded\n"));
    }
    let amount = claim.decision.as_ref().map_or_else(|| "-".to_owned(), |it| yuan(it.payout_fen));
    let (title, standing) = (language.of("赔案", "claim"), standing(claim, language));
    let _ = write!(out, "{title} {}  {standing}  {amount}", claim.claim_id);
    if is_tried {
        out.push('\n');
    } else {
        let revision = language.of("版本", "revision");
        let _ = writeln!(out, "  {revision} {}", claim.revision);
    }
    if let Some(proposal) = claim.review.as_ref().and_then(|review| review.proposal.as_ref()) {
        let by = actor_text(proposal.actor.as_ref(), language);
        let text = language.of(
            format!("{by} 已核准 {}，待第二人复核", yuan(proposal.payout_fen)),
            format!("{by} approved {}; a second person has to", yuan(proposal.payout_fen)),
        );
        let _ = writeln!(out, "  {text}");
    }
    for change in &done.changes {
        let _ = writeln!(out, "  {}", event_line::change(change, language));
    }
    out
}
