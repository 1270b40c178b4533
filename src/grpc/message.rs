//! A hospital's message, read the same way whether it comes alone or in a stream. Decides nothing.

use super::parse;
use super::status::Fault;
use crate::intake::{self, Reading};
use crate::pb::SubmitMessageRequest;

/// What the message of a request says, or why it cannot be read: every bad field at once, those of
/// the request by our names, those of the message by its sender's.
pub(super) fn read(request: &SubmitMessageRequest) -> Result<Reading, Fault> {
    let message = parse::message(request).map_err(Fault::from)?;
    intake::read(&message).map_err(|error| Fault::of_message(&error, &request.infno))
}
