//! The API as callers meet it: real sockets, generated clients, the whole server behind them.
//! Which figure comes out is settled elsewhere; here it is that it arrives.

mod cases;
mod changes;
mod clocks;
mod corrections;
mod desk;
mod desk_of_many;
mod errors;
mod events;
mod figures;
mod follow_ups;
mod input;
mod limits;
mod lists;
mod members;
mod merges;
mod message_stream;
mod messages;
mod meta;
mod privacy;
mod review_queue;
mod review_requests;
mod review_rules;
mod reviews;
mod rules;
mod spoiled;
mod stream;
