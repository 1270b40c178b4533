//! Fetching from senders: endpoints with every fault, folders, leases, and the commands of operators.

mod commands;
mod folder;
mod http;
mod leases;
mod month;
mod platform;
