//! What a change of the roster or of a plan does to claims, as its commands tell it.

use std::fmt::Write;

use super::event_line;
use super::statement::yuan;
use crate::core::explain::Language;
use crate::pb;

/// Whether a large change is meant.
#[derive(clap::Args, Clone, Copy)]
pub(super) struct Confirm {
    /// Go on even if more claims or more money change than the server does without being told so.
    #[arg(long)]
    pub(super) confirm_impact: bool,
}

/// What changes, in one line; nothing where nothing does.
pub(super) fn text(impact: Option<&pb::Impact>) -> String {
    match impact {
        Some(impact) if impact.claim_count > 0 => format!(
            "claims decided otherwise: {} of {} members, {} more, {} less\n",
            impact.claim_count,
            impact.member_count,
            yuan(impact.increase_fen),
            yuan(impact.decrease_fen)
        ),
        _ => String::new(),
    }
}

/// The same with the changes themselves, of which a server tells the first.
pub(super) fn with_changes(impact: Option<&pb::Impact>, changes: &[pb::ClaimEvent]) -> String {
    let mut out = text(impact);
    for change in changes {
        let _ = writeln!(out, "  {}", event_line::change(change, Language::En));
    }
    let told = i64::try_from(changes.len()).unwrap_or(i64::MAX);
    let more = impact.map_or(0, |impact| impact.claim_count.saturating_sub(told));
    if more > 0 {
        let _ = writeln!(out, "  and {more} more");
    }
    out
}
