//! Profiles published on a server.

use std::path::Path;

use crate::cli::Failure;
use crate::cli::client::{connect, told};
use crate::config::Client;
use crate::pb;
use crate::pb::admin_service_client::AdminServiceClient;

/// Publishes a profile file as an immutable version.
pub(super) async fn publish(
    file: &Path,
    validate_only: bool,
    server: &Client,
) -> Result<(), Failure> {
    let content = std::fs::read_to_string(file)
        .map_err(|error| Failure::told(format!("{}: {error}", file.display())))?;
    let mut client = AdminServiceClient::new(connect(server).await?);
    let kind = pb::DocumentKind::Profile.into();
    let request = pb::PublishDocumentRequest { kind, content, validate_only };
    let answer = client.publish_document(request).await.map_err(|status| told(&status))?;
    let pb::PublishDocumentResponse { document, unchanged } = answer.into_inner();
    let profile = document.unwrap_or_default();
    let what = match (unchanged, validate_only) {
        (true, _) => "was published before, nothing changed",
        (false, true) => "can be published",
        (false, false) => "is published",
    };
    let pb::Document { document_id, version, document_hash, .. } = profile;
    println!("profile {document_id} {version} {what}, sha256 {document_hash}");
    Ok(())
}

/// Lists the profiles in force, or every version.
pub(super) async fn list(all: bool, server: &Client) -> Result<(), Failure> {
    for profile in documents(all, false, server).await? {
        println!("{} {}  sha256 {}", profile.document_id, profile.version, profile.document_hash);
    }
    Ok(())
}

/// Prints a profile exactly as it was published: the one in force, or a version of it.
pub(super) async fn show(id: &str, version: &str, server: &Client) -> Result<(), Failure> {
    let mut profiles = documents(true, true, server).await?.into_iter();
    let is_asked =
        |it: &pb::Document| it.document_id == id && (version.is_empty() || it.version == version);
    // In the order of publishing, so the last one is in force.
    match profiles.rfind(is_asked) {
        Some(profile) => {
            print!("{}", profile.content);
            Ok(())
        }
        None => Err(Failure::told(format!("no such profile is published: {id} {version}"))),
    }
}

async fn documents(
    all_versions: bool,
    include_content: bool,
    server: &Client,
) -> Result<Vec<pb::Document>, Failure> {
    let mut client = AdminServiceClient::new(connect(server).await?);
    let kind = pb::DocumentKind::Profile.into();
    let request = pb::ListDocumentsRequest { kind, all_versions, include_content };
    let answer = client.list_documents(request).await.map_err(|status| told(&status))?;
    Ok(answer.into_inner().documents)
}
