//! The pull connector (主动获取): what to ask a sender for next, and what its answers say. Pure: it
//! neither connects nor waits nor looks at a clock, so that a month of faults passes in seconds.
//!
//! An endpoint is asked in *passes*: each begins a little before what the last one has surely seen
//! (the overlap, for records that become visible late), goes on behind the last record of each page, and
//! ends with the first page that is not full. Once a day, in the time between passes, everything is
//! looked back for that came much later. What was handed over before and has not changed is left
//! out; the ledger would know it by its key.

mod answer;
mod request;
mod schedule;
mod settings;

pub use answer::{Answer, Page, Row, Unusable};
pub use request::{Envelope, body, input, of_record};
pub use schedule::{Cursor, Next, Place, Query, Schedule, Stuck};
pub use settings::{Encryption, Endpoint, Folder, Hook, PagedBy, Sender, Senders, Signature, Way};
