//! Compiles every file of `greenlane.v1` without protoc.
//!
//! Writes two things to `OUT_DIR`: the Rust code, and the descriptors with their comments, which
//! the server serves by reflection so that a caller can read the documentation from the server.

use std::{env, error::Error, fs, path::PathBuf};

/// Messages with values about a person. Their `Debug` is written by hand in `src/pb.rs` and shows
/// nothing, so that no log and no panic can.
const PERSONAL: [&str; 20] = [
    ".greenlane.v1.ApproveClaimRequest",
    ".greenlane.v1.CommentClaimRequest",
    ".greenlane.v1.DenyClaimRequest",
    ".greenlane.v1.Diagnosis",
    ".greenlane.v1.DocumentReference",
    ".greenlane.v1.Identity",
    ".greenlane.v1.Illness",
    ".greenlane.v1.InsuredEvent",
    ".greenlane.v1.Line",
    ".greenlane.v1.Member",
    ".greenlane.v1.MemberClass",
    ".greenlane.v1.MemberIdentity",
    ".greenlane.v1.Payee",
    ".greenlane.v1.ProvideInformationRequest",
    ".greenlane.v1.Reject",
    ".greenlane.v1.ReopenClaimRequest",
    ".greenlane.v1.RequestInformationRequest",
    ".greenlane.v1.RetryRejectRequest",
    ".greenlane.v1.ReviewAct",
    ".greenlane.v1.SubmitMessageRequest",
];
/// What a settlement and an event are made of. Files hold them, so these are read from JSON too; how
/// amounts, instants and causes are written there is said in `src/pb/json.rs`.
const IN_FILES: [&str; 10] = [
    "Diagnosis",
    "DocumentReference",
    "FundPayment",
    "InsuredEvent",
    "LatePayment",
    "Line",
    "MemberIdentity",
    "SenderPayout",
    "Settlement",
    "UnknownCode",
];
const ROOT: &str = "proto";
const PACKAGE: &str = "proto/greenlane/v1";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={ROOT}");

    let mut files = Vec::new();
    for entry in fs::read_dir(PACKAGE)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    // The order of a directory is not the same everywhere; that of the descriptors should be.
    files.sort();

    let mut compiler = protox::Compiler::new([ROOT])?;
    compiler.include_imports(true).include_source_info(true).open_files(files)?;

    let descriptors = PathBuf::from(env::var("OUT_DIR")?).join("greenlane.v1.bin");
    fs::write(descriptors, compiler.encode_file_descriptor_set())?;
    let set = compiler.file_descriptor_set();
    let mut code = tonic_prost_build::configure().skip_debug(PERSONAL);
    for message in set.file.iter().flat_map(|file| &file.message_type) {
        if IN_FILES.contains(&message.name()) {
            let path = format!(".greenlane.v1.{}", message.name());
            code = code.type_attribute(&path, "#[derive(serde::Deserialize)]");
            code = code.type_attribute(&path, "#[serde(deny_unknown_fields, default)]");
            for field in &message.field {
                let reader = match field.name() {
                    name if name.ends_with("_fen") && field.proto3_optional() => "optional_fen",
                    name if name.ends_with("_fen") => "fen",
                    name if name.ends_with("_time") => "instant",
                    "cause" => "cause",
                    _ => continue,
                };
                let attribute =
                    format!("#[serde(deserialize_with = \"crate::pb::json::{reader}\")]");
                code = code.field_attribute(format!("{path}.{}", field.name()), attribute);
            }
        }
    }
    code.compile_fds(set)?;
    Ok(())
}
