//! The API as callers meet it: real sockets, generated clients, the whole server behind them.
//! Which figure comes out is settled elsewhere; here it is that it arrives.

mod cases;
mod errors;
mod events;
mod input;
mod limits;
mod lists;
mod members;
mod message_stream;
mod meta;
mod privacy;
mod stream;
