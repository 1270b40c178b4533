//! The decision and everything it stands on: pure, total, deterministic.
//!
//! Nothing here waits, reads a clock, a file, a row or a message. What can be refused was refused
//! while parsing, so equal inputs give equal decisions for ever.

pub mod adjudicate;
pub mod book;
pub mod calendar;
pub mod checks;
pub mod claim;
pub mod clocks;
pub mod day;
pub mod decision;
pub mod entitlement;
pub mod event;
pub mod explain;
pub mod figures;
pub mod identity_card;
pub mod member;
pub mod money;
pub mod payout;
pub mod personal;
pub mod plan;
pub mod review;
pub mod route;
pub mod rules;
pub mod settlement;
pub mod usage;

/// The engine's version, recorded with every decision. Differing steps are a finding only between
/// decisions of the same engine version; differing amounts always are.
pub const ENGINE_VERSION: &str = "2";
