//! Everything that needs a database, a socket or a second process.
#![allow(unreachable_pub)] // one binary: `pub` here means shared between its files

mod audit;
mod bench;
mod cancellation;
mod changes;
mod city;
mod cli;
mod concurrency;
mod contention;
mod crash;
mod faults;
mod follow_ups;
mod ingest;
mod process;
mod published_cases;
mod pull;
mod scenarios;
mod serving;
mod shutdown;
mod store_contract;
mod store_postgres;
mod store_surroundings;
mod support;
mod tidy;
mod watch;
mod wire;
mod world;
