//! Requests become types of the core, with everything that is wrong with them at once. Decides
//! nothing: limits are those of [`crate::core::checks::limits`], the same for every edge.

mod event;
mod follow_up;
mod intake;
mod member;
mod pull;
mod query;
mod review;
mod settlement;

pub(super) use limits::{INFNO_MAX, SENDER_MAX};

pub(super) use event::event;
pub(super) use follow_up::{reversal, supplement};
pub(super) use intake::{
    DocumentKind, corrects, document, document_kind, parked_filter, refresh, reject_filter,
    reject_id,
};
pub(super) use member::roster;
pub(super) use pull::{pull_held, pull_lease, pull_progress, pull_sender};
pub(super) use query::{
    ClaimQuery, PlanChoice, Who, asked_day, claim_id, claim_query, merged_members, message,
    page_size, plan_choice, plan_document, plan_id, watch_query, who,
};
pub(super) use review::{Asked, act, actor, acts, claim_of, queue};
pub(super) use settlement::{Id, settlement};

use prost_types::Timestamp;

use crate::core::checks::{Checks, Problem};
use crate::core::day::Moment;

/// Everything that is wrong with one request.
pub(super) type Problems = Vec<Problem>;

/// Our own limits where the national interface has none.
pub(super) mod limits {
    /// A plan's id.
    pub(in crate::grpc) const PLAN_ID_MAX: usize = 64;
    /// A plan's version.
    pub(super) const VERSION_MAX: usize = 64;
    /// The bureau's own key of a person.
    pub(super) const EXTERNAL_ID_MAX: usize = 64;
    /// The name of a sender's profile.
    pub(in crate::grpc) const SENDER_MAX: usize = 64;
    /// The name of a transaction: four digits, and room for what is added.
    pub(in crate::grpc) const INFNO_MAX: usize = 8;
    /// A class of entitlement.
    pub(super) const CLASS_CODE_MAX: usize = 40;
    /// Classes of one member: a life has a few.
    pub(super) const CLASSES_MAX: usize = 100;
    /// Coverages of one member: one a year for a life.
    pub(super) const COVERAGES_MAX: usize = 200;
    /// Illnesses of one member that were told: a long life has many.
    pub(super) const ILLNESSES_MAX: usize = 100;
    /// Circumstances of one event: a plan asks for a few.
    pub(super) const CIRCUMSTANCES_MAX: usize = 10;
    /// Where a document is kept.
    pub(super) const REFERENCE_MAX: usize = 200;
    /// The holder of an account.
    pub(super) const ACCOUNT_NAME_MAX: usize = 100;
    /// An account number.
    pub(super) const ACCOUNT_NO_MAX: usize = 40;
    /// 联行号.
    pub(super) const BANK_CODE_DIGITS: usize = 12;
    /// Who acts: an account.
    pub(super) const ACTOR_MAX: usize = 64;
    /// What a reviewer writes.
    pub(super) const NOTE_MAX: usize = 2000;
    /// One thing that a reviewer asks for.
    pub(super) const ITEM_MAX: usize = 500;
    /// A page without a wish.
    pub(super) const PAGE_SIZE_DEFAULT: usize = 100;
    /// The largest page.
    pub(super) const PAGE_SIZE_MAX: usize = 1000;
}

/// One field that is missing altogether.
fn missing(field: &str) -> Problems {
    vec![Problem { field: field.to_owned(), problem: "is required".to_owned() }]
}

/// An instant in the years we know days for; finer than µs is cut off. Absent stays absent.
fn moment(checks: &mut Checks, field: &str, time: Option<&Timestamp>) -> Option<Moment> {
    let time = time?;
    if !(0..1_000_000_000).contains(&time.nanos) {
        checks.refuse(field, "must have nanos from 0 to 999999999");
        return None;
    }
    let micros = time.seconds.checked_mul(1_000_000);
    let micros = micros.and_then(|micros| micros.checked_add(i64::from(time.nanos) / 1000));
    let moment = micros.map(Moment::from_micros).filter(|moment| moment.day().is_some());
    if moment.is_none() {
        checks.refuse(field, "must lie between the years 1900 and 2199");
    }
    moment
}

#[cfg(test)]
mod tests;
