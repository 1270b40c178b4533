//! Greenlane decides supplementary medical-insurance claims at the hospital's discharge window.
//!
//! A hospital's settlement record goes in; a decision with its full explanation comes out in
//! milliseconds; the payout is instructed in the same commit.
//!
//! # The road of one settlement, and there is only this one
//!
//! ```text
//! message ─ intake::read ─► Settlement ─ ledger ─► lane ─ core: book.apply ─► effects ─ store: one commit ─► reply
//!                                                                                               └─► feed ─► watchers
//! ```
//!
//! # Code map, in the order data flows
//!
//! | module | what it is | what it never does |
//! |---|---|---|
//! | [`cli`] | one file per sub-command; `main.rs` only calls it | decide, open a database (but for `serve`, `demo` and `bench`) |
//! | [`config`], [`telemetry`], [`clock`] | settings, logs and traces, the one place that reads time | be looked up from anywhere else |
//! | [`server`] | a bound socket in, an orderly end out | know what a claim is |
//! | [`grpc`] | the wire: parse, render, status, layers | decide, or name a database |
//! | [`intake`] | readers of hospital messages and of files of them, profiles of their senders, what to fetch from them next | guess: what cannot be read is named field by field |
//! | [`ledger`] | the one write path: directory, queues, lanes, group commit | wait for a second lane, or run in a caller's task |
//! | [`feed`] | from committed events to endless watches: a ring of the newest, the store for the rest | hold up a writer, or keep a queue for a reader |
//! | [`store`] | SQL for SQLite and PostgreSQL | know the wire, or decide |
//! | [`core`] | money, settlements, plans, `adjudicate`, routing, the member's book | wait, read a clock, a file, a row or a message |
//!
//! Arrows point downwards only; `tests/it/tidy.rs` holds them.
//!
//! # Walk-through: submit
//!
//! A handler in [`grpc`] turns a request into a [`core::settlement::Settlement`], or answers with
//! every bad field at once. [`ledger::Ledger::send`] asks the *directory* which member the person
//! is (keyed hashes; first insert wins) and puts the command into the queue of that member's
//! *lane*. The lane's writer takes what has gathered while the batch before it committed, and in
//! one transaction locks the lane's row, inserts the settlement keys (what does not come back
//! exists already), reads the books of the members concerned, lets [`core::book::Book::apply`]
//! decide each command in order on a copy, and writes claims, events, counters and payouts in
//! bulk. After the commit everyone is answered. A caller that hangs up only misses the answer.
//!
//! # Walk-through: the same settlement again
//!
//! Its key exists, so the lane reads the claim and [`core::settlement::Settlement::compare`]s.
//! Nothing new: the claim comes back as it stands, marked replayed. Facts that were absent: a
//! supplement; the claim and every later one of the member are decided again in order, and the
//! difference moves once. Facts that differ: refused naming the fields.
//!
//! # Walk-through: a reversal that comes before its settlement
//!
//! A 2305 answer names no person. [`intake`] reads a [`core::settlement::FollowUp`];
//! [`ledger::Ledger::follow_up`] looks whose settlement it is about and sends it to that member's
//! lane. Nothing fits, so it is *parked*. The batch that brings the settlement reads what waits for
//! its keys and stays, and applies it to the same copy of the book: the claim is voided in the
//! commit that makes it. A sweep finds what came at the same moment, or before a crash; applying
//! twice changes nothing. The book finds the settlement by the names it is given, voids its claim
//! and decides the later ones again; a later settlement of the same stay takes its place.
//!
//! # Walk-through: a change of mind
//!
//! A reviewer's act is a command of the claim's lane too, with the revision the person saw and a
//! `request_id` that is recorded in the same commit. The book checks state, assignee and revision,
//! sets what the person ruled beside the claim, and lets [`core::route::evaluate`] find where the
//! claim stands: a ruling is one of its inputs, so deciding again finds the same. Then the member's
//! later claims, in the plan's order, are decided again; each difference is an event with the
//! amounts before and after and what it was for, and one payout or recovery. What is owed is set
//! off against what is due where the plan says so. A claim whose ruling rests on a figure that is
//! another one by now goes back to a person.
//!
//! # Walk-through: a message that cannot be used
//!
//! Its sender is told every bad field, and the bytes are kept as a *reject* with these reasons until
//! the same bytes, a corrected message about the same settlement, or `RetryReject` succeeds.
//!
//! # Walk-through: fetching
//!
//! `greenlane pull`, or a task inside `serve`, leases a sender from a server: one process at a time.
//! [`intake::pull::Schedule`] says what to ask for next; the page goes over the same stream as any
//! other sender's, and only when every record of it was answered is the cursor recorded, which
//! renews the lease. A process that is killed leaves a lease that ends by itself; the next one goes
//! on from the cursor, and what comes twice is known by its key.
//!
//! # Walk-through: a commit that fails
//!
//! A statement that fails rolls the batch back and the batch is halved until the culprit stands
//! alone and is refused. An error on the commit itself leaves the outcome unknown: callers get
//! `UNAVAILABLE` and repeat, and the repeat finds the truth by its key.
//!
//! # Walk-through: resume a watch
//!
//! `WatchClaims` opens the token: a position for each lane, with four bytes of the hash of the
//! event there. [`feed::Feed::watch`] looks whether the ledger still has those events; if not, the
//! watch is refused with the reason. Then the watcher reads lane after lane from the store until
//! the ring of the newest events reaches back to where it stands, and goes on from the ring. A
//! writer puts what it has committed into the ring and rings the bells of those it concerns; what
//! other processes commit is found by looking at the heads of the lanes. Each response carries the
//! token of the place right behind it.
//!
//! # Invariants, each with the test that keeps it
//!
//! - Every chain of steps leads from the bill to the payout, and adjustments and payout add up to
//!   the bill: `core::adjudicate::tests::every_decision_closes_and_no_limit_is_passed`.
//! - Deciding again changes nothing that stands:
//!   `core::book::tests::deciding_again_from_any_claim_on_changes_nothing_that_stands`.
//! - Whatever the order of settlements, reversals and corrections, counters and money end where a
//!   clean history would:
//!   `core::book::tests::follow_ups::any_order_of_messages_ends_where_a_clean_history_does`.
//! - Whatever people rule and whatever else happens, counters and payouts end where a clean history
//!   of what still stands would: `core::book::tests::model`, ten thousand seeds.
//! - What was acknowledged survives `kill -9`, once: `crash` in the integration tests.
//! - A watch is ordered, unique, reliable, resumable, bookmarkable and honest, whatever happens to
//!   servers and connections: `watch` in the integration tests, one judge for each word.
//! - What is fetched counts once, whatever fails on the way and whoever fetches: `pull::month` in the
//!   integration tests.
//! - Money never touches a float, time is read in [`clock`] only, modules name only what lies
//!   below them: `tidy` in the integration tests.

pub mod cli;
pub mod clock;
pub mod config;
pub mod core;
pub mod feed;
pub mod grpc;
pub mod intake;
pub mod ledger;
pub mod pb;
pub mod server;
pub mod store;
pub mod telemetry;
