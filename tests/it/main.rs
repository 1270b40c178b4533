//! Everything that needs a database, a socket or a second process.
#![allow(unreachable_pub)] // one binary: `pub` here means shared between its files

mod audit;
mod cancellation;
mod concurrency;
mod contention;
mod faults;
mod published_cases;
mod store_contract;
mod store_postgres;
mod support;
mod tidy;
mod world;
