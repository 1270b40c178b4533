//! `AdminService`: what operators do.

use std::collections::BTreeMap;

use tonic::{Request, Response, Status};

use super::parse::DocumentKind;
use super::status::Fault;
use super::{mode, parse, render};
use crate::core::figures::Figure;
use crate::intake::Profile;
use crate::ledger::{Ledger, Publication};
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
        let (kind, body) = parse::document(&request)?;
        let (id, version) = match kind {
            DocumentKind::Profile => {
                let profile = Profile::read(&body).map_err(Fault::document_invalid)?;
                (profile.profile_id, profile.version)
            }
            DocumentKind::Figures(kind) => {
                let figure = Figure::read(kind, &body).map_err(Fault::document_invalid)?;
                (figure.id().to_owned(), figure.version().to_owned())
            }
        };
        let publication = Publication { kind: kind.name(), id, version, body };
        let (document, unchanged) =
            self.published(publication, request.validate_only, false).await?;
        Ok(pb::PublishDocumentResponse { document: Some(document), unchanged })
    }

    async fn published(
        &self,
        publication: Publication,
        validate_only: bool,
        with_content: bool,
    ) -> Result<(pb::Document, bool), Fault> {
        let (row, unchanged) =
            self.ledger.publish_document(publication, mode(validate_only)).await?;
        let mut document = render::document(&row, with_content);
        if validate_only && !unchanged {
            document.publish_time = None;
        }
        Ok((document, unchanged))
    }

    async fn refresh(
        &self,
        request: pb::RefreshFiguresRequest,
    ) -> Result<pb::RefreshFiguresResponse, Fault> {
        let asked = parse::refresh(&request)?;
        let told = self.ledger.tell_figures(asked.figures, &asked.id, &asked.version).await?;
        let (document, unchanged) =
            self.published(told.publication, request.validate_only, true).await?;
        Ok(pb::RefreshFiguresResponse {
            document: Some(document),
            unchanged,
            entry_count: told.entries,
            source_count: told.sources,
            left_out_count: told.left_out,
        })
    }

    fn list(&self, request: pb::ListDocumentsRequest) -> Result<pb::ListDocumentsResponse, Fault> {
        let kind = parse::document_kind(request.kind())?.name();
        let documents = self.ledger.documents();
        let of_kind = documents.iter().filter(|row| row.kind == kind);
        let mut listed: Vec<&DocumentRow> = if request.all_versions {
            of_kind.collect()
        } else {
            let newest: BTreeMap<&str, &DocumentRow> =
                of_kind.map(|row| (row.id.as_str(), row)).collect();
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

    async fn refresh_figures(
        &self,
        request: Request<pb::RefreshFiguresRequest>,
    ) -> Result<Response<pb::RefreshFiguresResponse>, Status> {
        Ok(Response::new(self.refresh(request.into_inner()).await?))
    }

    async fn list_documents(
        &self,
        request: Request<pb::ListDocumentsRequest>,
    ) -> Result<Response<pb::ListDocumentsResponse>, Status> {
        Ok(Response::new(self.list(*request.get_ref())?))
    }
}
