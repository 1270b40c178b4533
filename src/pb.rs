//! The API as `proto/build.rs` generates it from `proto/greenlane/v1`. Holds no code of ours but
//! what keeps personal values out of logs, and how settlements and events stand in files.

pub(crate) mod json;

use std::fmt;

#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
mod generated {
    tonic::include_proto!("greenlane.v1");
}

pub use generated::*;

/// The descriptors of the API with their comments, for reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/greenlane.v1.bin"));

/// Messages whose values concern a person print as their name alone.
macro_rules! hide {
    ($($message:ident),+ $(,)?) => {$(
        impl fmt::Debug for $message {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($message), "(***)"))
            }
        }
    )+};
}

hide!(
    ApproveClaimRequest,
    CommentClaimRequest,
    DenyClaimRequest,
    Diagnosis,
    DocumentReference,
    Identity,
    Illness,
    InsuredEvent,
    Line,
    Member,
    MemberClass,
    MemberIdentity,
    Payee,
    ProvideInformationRequest,
    Reject,
    ReopenClaimRequest,
    RequestInformationRequest,
    RetryRejectRequest,
    ReviewAct,
    SubmitMessageRequest,
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_of_a_request_shows_nothing_personal() {
        let member = MemberIdentity { cert_no: "370299196008050031".into(), ..Default::default() };
        let diagnosis = Diagnosis { code: "I71.000".into(), name: "主动脉夹层".into() };
        let settlement = Settlement {
            member: Some(member),
            diagnoses: vec![diagnosis],
            ..Settlement::default()
        };
        let shown = format!(
            "{:?}",
            SubmitSettlementRequest { settlement: Some(settlement), validate_only: false }
        );
        assert!(shown.contains("MemberIdentity(***)"), "{shown}");
        assert!(!shown.contains("3702") && !shown.contains("I71"), "{shown}");
        let reference = "archive/3702.pdf".to_owned();
        let documents = vec![DocumentReference { kind: "death_certificate".into(), reference }];
        let event = InsuredEvent { kind: "death".into(), documents, ..InsuredEvent::default() };
        let shown = format!(
            "{:?} {:?}",
            event.documents,
            SubmitEventRequest { event: Some(event.clone()), validate_only: false }
        );
        assert!(!shown.contains("3702") && !shown.contains("death"), "{shown}");
    }
}
