//! Greenlane decides supplementary medical-insurance claims.

pub mod clock;
pub mod config;
pub mod core;
pub mod intake;
pub mod ledger;
pub mod store;
pub mod telemetry;
