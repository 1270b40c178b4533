//! `AdminService`: what operators do.

use std::collections::BTreeMap;

use tonic::{Request, Response, Status};

use super::status::Fault;
use super::{mode, parse, render};
use crate::intake::Profile;
use crate::ledger::{Ledger, PROFILE, Publication};
use crate::pb;
use crate::pb::admin_service_server::AdminService;
use crate::store::DocumentRow;

/// Answers `AdminService`.
pub(crate) struct Admin {
    ledger: Ledger,
}

impl Admin {
    /// Serves a ledger.
    pub(crate) fn new(ledger: Ledger) -> Admin {
        Admin { ledger }
    }

    async fn publish(
        &self,
        request: pb::PublishDocumentRequest,
    ) -> Result<pb::PublishDocumentResponse, Fault> {
        let body = parse::document(&request)?;
        let profile = Profile::read(&body).map_err(Fault::document_invalid)?;
        let (id, version) = (profile.profile_id, profile.version);
        let publication = Publication { kind: PROFILE, id, version, body };
        let mode = mode(request.validate_only);
        let (row, unchanged) = self.ledger.publish_document(publication, mode).await?;
        let mut document = render::document(&row, false);
        if request.validate_only && !unchanged {
            document.publish_time = None;
        }
        Ok(pb::PublishDocumentResponse { document: Some(document), unchanged })
    }

    fn list(&self, request: pb::ListDocumentsRequest) -> Result<pb::ListDocumentsResponse, Fault> {
        parse::document_kind(request.kind())?;
        let documents = self.ledger.documents();
        let profiles = documents.iter().filter(|row| row.kind == PROFILE);
        let mut listed: Vec<&DocumentRow> = if request.all_versions {
            profiles.collect()
        } else {
            let newest: BTreeMap<&str, &DocumentRow> =
                profiles.map(|row| (row.id.as_str(), row)).collect();
            newest.into_values().collect()
        };
        listed.sort_by(|one, other| (&one.id, one.revision).cmp(&(&other.id, other.revision)));
        let documents =
            listed.into_iter().map(|row| render::document(row, request.include_content));
        Ok(pb::ListDocumentsResponse { documents: documents.collect() })
    }
}

#[tonic::async_trait]
impl AdminService for Admin {
    async fn publish_document(
        &self,
        request: Request<pb::PublishDocumentRequest>,
    ) -> Result<Response<pb::PublishDocumentResponse>, Status> {
        Ok(Response::new(self.publish(request.into_inner()).await?))
    }

    async fn list_documents(
        &self,
        request: Request<pb::ListDocumentsRequest>,
    ) -> Result<Response<pb::ListDocumentsResponse>, Status> {
        Ok(Response::new(self.list(*request.get_ref())?))
    }
}
