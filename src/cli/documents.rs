//! Documents published on a server: profiles of senders, calendars, figures.

use std::path::Path;

use crate::cli::Failure;
use crate::cli::client::{connect, told};
use crate::config::Client;
use crate::pb;
use crate::pb::admin_service_client::AdminServiceClient;

/// Publishes a file as an immutable version.
pub(super) async fn publish(
    kind: pb::DocumentKind,
    file: &Path,
    validate_only: bool,
    server: &Client,
) -> Result<(), Failure> {
    let content = std::fs::read_to_string(file)
        .map_err(|error| Failure::told(format!("{}: {error}", file.display())))?;
    let mut client = AdminServiceClient::new(connect(server).await?);
    let request = pb::PublishDocumentRequest { kind: kind.into(), content, validate_only };
    let answer = client.publish_document(request).await.map_err(|status| told(&status))?;
    let pb::PublishDocumentResponse { document, unchanged } = answer.into_inner();
    let what = match (unchanged, validate_only) {
        (true, _) => "was published before, nothing changed",
        (false, true) => "can be published",
        (false, false) => "is published",
    };
    let pb::Document { document_id, version, document_hash, .. } = document.unwrap_or_default();
    println!("{} {document_id} {version} {what}, sha256 {document_hash}", name(kind));
    Ok(())
}

/// What people call a kind.
pub(super) fn name(kind: pb::DocumentKind) -> String {
    let name = kind.as_str_name().trim_start_matches("DOCUMENT_KIND_");
    name.to_ascii_lowercase().replace('_', " ")
}

/// Lists the documents in force, or every version.
pub(super) async fn list(
    kind: pb::DocumentKind,
    all: bool,
    server: &Client,
) -> Result<(), Failure> {
    for document in documents(kind, all, false, server).await? {
        println!(
            "{} {}  sha256 {}",
            document.document_id, document.version, document.document_hash
        );
    }
    Ok(())
}

/// Prints a document exactly as it was published: the one in force, or a version of it.
pub(super) async fn show(
    kind: pb::DocumentKind,
    id: &str,
    version: &str,
    server: &Client,
) -> Result<(), Failure> {
    let mut found = documents(kind, true, true, server).await?.into_iter();
    let is_asked =
        |it: &pb::Document| it.document_id == id && (version.is_empty() || it.version == version);
    // In the order of publishing, so the last one is in force.
    let Some(document) = found.rfind(is_asked) else {
        let name = name(kind);
        return Err(Failure::told(format!("no such {name} is published: {id} {version}")));
    };
    print!("{}", document.content);
    Ok(())
}

async fn documents(
    kind: pb::DocumentKind,
    all_versions: bool,
    include_content: bool,
    server: &Client,
) -> Result<Vec<pb::Document>, Failure> {
    let mut client = AdminServiceClient::new(connect(server).await?);
    let kind = kind.into();
    let request = pb::ListDocumentsRequest { kind, all_versions, include_content };
    let answer = client.list_documents(request).await.map_err(|status| told(&status))?;
    Ok(answer.into_inner().documents)
}
