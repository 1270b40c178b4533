//! The API as callers meet it: real sockets, generated clients, the whole server behind them.
//! Which figure comes out is settled elsewhere; here it is that it arrives.

mod cases;
mod corrections;
mod errors;
mod events;
mod follow_ups;
mod input;
mod limits;
mod lists;
mod members;
mod message_stream;
mod messages;
mod meta;
mod privacy;
mod spoiled;
mod stream;
