//! The wire: requests are parsed, the ledger answers, answers are rendered. Decides nothing.
//!
//! Everything of tonic stays in here and in [`crate::server`]. A handler is three lines: parse, ask,
//! render. What can be refused about a request is refused in `parse`; which code a refusal has is
//! said in `status` alone; deadlines, limits and panics are `layers`' work for all methods.

mod admin_service;
mod claim_service;
mod claim_watch;
mod intake;
mod intake_service;
pub(crate) mod layers;
mod member_service;
mod names;
mod parse;
mod plan_service;
mod profiles;
mod pull_service;
mod render;
mod review_service;
mod settlement_service;
mod settlement_stream;
pub(crate) mod status;
mod token;

pub(crate) use admin_service::Admin;
pub(crate) use claim_service::Claims;
pub(crate) use intake::Intake;
pub(crate) use intake_service::Backlog;
pub(crate) use member_service::Members;
pub(crate) use plan_service::PlanCatalogue;
pub(crate) use pull_service::Pulls;
/// Also for whoever plays the caller.
pub(crate) use render::settlement as settlement_message;
pub(crate) use review_service::Reviews;
pub(crate) use settlement_service::Settlements;

use crate::ledger::Mode;

/// Changes of claims in one answer of an import or of a publication.
const CHANGES_MAX: usize = 1000;

/// Whether a call that may be `validate_only` is carried out.
fn mode(validate_only: bool) -> Mode {
    if validate_only { Mode::Preview } else { Mode::Record }
}
