//! `PlanService`: plans are published once and shown for ever.

use tonic::{Request, Response, Status};

use super::parse::{self, PlanChoice};
use super::status::Fault;
use super::token::Scope;
use super::{CHANGES_MAX, mode, render};
use crate::clock;
use crate::ledger::{Impact, ImpactBound, Ledger, PlanEntry};
use crate::pb::plan_service_server::PlanService;
use crate::pb::{
    GetPlanRequest, GetPlanResponse, ListPlansRequest, ListPlansResponse, Plan, PublishPlanRequest,
    PublishPlanResponse,
};

/// Answers `PlanService`.
pub(crate) struct PlanCatalogue {
    ledger: Ledger,
    impact: ImpactBound,
}

impl PlanCatalogue {
    /// Serves a ledger; what decides more claims than `impact` asks first.
    pub(crate) fn new(ledger: Ledger, impact: ImpactBound) -> PlanCatalogue {
        PlanCatalogue { ledger, impact }
    }

    async fn publish(&self, request: PublishPlanRequest) -> Result<PublishPlanResponse, Fault> {
        let document = parse::plan_document(request.document)?;
        let bound = if request.confirm_impact { ImpactBound::NONE } else { self.impact };
        let published = self.ledger.publish(document, mode(request.validate_only), bound).await?;
        let mut plan = render::plan(&published.entry);
        if request.validate_only && !published.unchanged {
            plan.publish_time = None;
        }
        let shown = published.changes.len().min(CHANGES_MAX);
        Ok(PublishPlanResponse {
            plan: Some(plan),
            unchanged: published.unchanged,
            impact: Some(render::impact(&Impact::of(&published.changes))),
            changes: render::changes(&published.changes[..shown]),
        })
    }

    fn get(&self, request: &GetPlanRequest) -> Result<Plan, Fault> {
        let (plan_id, choice) = parse::plan_choice(request, clock::today())?;
        let plans = self.ledger.plans();
        if plans.versions(&plan_id).is_empty() {
            return Err(Fault::plan_not_found(plan_id, None));
        }
        let version = match &choice {
            PlanChoice::Version(version) => Some(version.clone()),
            PlanChoice::InForce(day) => {
                plans.in_force(&plan_id, *day).map(|plan| plan.version.clone())
            }
        };
        let is_asked = |entry: &PlanEntry| {
            entry.plan.plan_id == plan_id && Some(&entry.plan.version) == version.as_ref()
        };
        let entry = self.ledger.plan_entries().into_iter().find(is_asked);
        let entry = entry.ok_or_else(|| {
            let more = match choice {
                PlanChoice::Version(version) => ("version", version),
                PlanChoice::InForce(day) => ("date", day.to_string()),
            };
            Fault::plan_not_found(&plan_id, Some(more))
        })?;
        Ok(render::plan(&entry))
    }

    fn list(&self, request: &ListPlansRequest) -> Result<ListPlansResponse, Fault> {
        let page_size = parse::page_size(request.page_size)?;
        let scope = Scope::of_plans(self.ledger.store().ledger_id());
        let after = scope.open(&request.page_token)?;
        let mut entries = self.ledger.plan_entries();
        entries.sort_by_key(cursor);
        entries.retain(|entry| after.as_ref().is_none_or(|after| cursor(entry) > *after));
        let has_more = entries.len() > page_size;
        entries.truncate(page_size);
        let last = entries.last().filter(|_| has_more);
        Ok(ListPlansResponse {
            next_page_token: last.map(|entry| scope.seal(&cursor(entry))).unwrap_or_default(),
            plans: entries.iter().map(render::listed_plan).collect(),
        })
    }
}

/// Where a version stands in the list: by plan, then by first day. NUL is in no id.
fn cursor(entry: &PlanEntry) -> Vec<u8> {
    let plan = &entry.plan;
    format!("{}\0{}\0{}", plan.plan_id, plan.start_date, plan.version).into_bytes()
}

#[tonic::async_trait]
impl PlanService for PlanCatalogue {
    async fn publish_plan(
        &self,
        request: Request<PublishPlanRequest>,
    ) -> Result<Response<PublishPlanResponse>, Status> {
        Ok(Response::new(self.publish(request.into_inner()).await?))
    }

    async fn get_plan(
        &self,
        request: Request<GetPlanRequest>,
    ) -> Result<Response<GetPlanResponse>, Status> {
        Ok(Response::new(GetPlanResponse { plan: Some(self.get(request.get_ref())?) }))
    }

    async fn list_plans(
        &self,
        request: Request<ListPlansRequest>,
    ) -> Result<Response<ListPlansResponse>, Status> {
        Ok(Response::new(self.list(request.get_ref())?))
    }
}
