//! Greenlane.
#![allow(missing_docs)]

pub mod core;
pub mod store;
