//! Everything that needs a database, a socket or a second process.

mod store_contract;
mod store_postgres;
mod support;
