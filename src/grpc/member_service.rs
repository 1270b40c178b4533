//! `MemberService`: the roster, and what a person is entitled to.

use std::collections::HashSet;

use futures::future::join_all;
use futures::{FutureExt, StreamExt};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::parse::{self, Problems, Who};
use super::render;
use super::status::Fault;
use crate::clock;
use crate::core::book::Book;
use crate::core::checks::Checks;
use crate::core::entitlement;
use crate::core::member::Roster;
use crate::ledger::{EnrolmentChange, Ledger};
use crate::pb::member_service_server::MemberService;
use crate::pb::{
    CheckEligibilityRequest, CheckEligibilityResponse, GetBalanceRequest, GetBalanceResponse,
    GetMemberRequest, GetMemberResponse, ImportMembersRequest, ImportMembersResponse,
    ImportRefusal,
};

/// Members that are enrolled at the same time.
const IN_FLIGHT_MAX: usize = 256;

/// Answers `MemberService`.
pub(crate) struct Members {
    ledger: Ledger,
    closing: CancellationToken,
}

impl Members {
    /// Serves a ledger; imports end when `closing` is cancelled.
    pub(crate) fn new(ledger: Ledger, closing: CancellationToken) -> Members {
        Members { ledger, closing }
    }

    async fn find(&self, who: &Who) -> Result<Option<Book>, Fault> {
        let member_id = match who {
            Who::Member(id) => Some(id.clone()),
            Who::External(identity) | Who::Person(identity) => {
                self.ledger.find_member(identity).await?
            }
        };
        let Some(member_id) = member_id else { return Ok(None) };
        Ok(self.ledger.book(&member_id).await?)
    }

    fn published(&self, plan_id: Option<&String>) -> Result<(), Fault> {
        match plan_id {
            Some(plan_id) if self.ledger.plans().versions(plan_id).is_empty() => {
                Err(Fault::plan_not_found(plan_id, None))
            }
            _ => Ok(()),
        }
    }

    async fn get(&self, request: &GetMemberRequest) -> Result<GetMemberResponse, Fault> {
        let mut checks = Checks::default();
        let who = parse::who(&mut checks, request.selector.as_ref());
        let who = asked(checks.done(who))?;
        let book = self.find(&who).await?;
        let book = book.ok_or_else(|| Fault::member_not_found(who.selector()))?;
        Ok(GetMemberResponse { member: Some(render::member(&book.member_id, &book.roster)) })
    }

    async fn eligibility(
        &self,
        request: &CheckEligibilityRequest,
    ) -> Result<CheckEligibilityResponse, Fault> {
        let mut checks = Checks::default();
        let who = parse::who(&mut checks, request.selector.as_ref());
        let plan_id = parse::plan_id(&mut checks, &request.plan_id);
        let day = parse::asked_day(&mut checks, &request.date, clock::today());
        let who = asked(checks.done(who))?;
        self.published(plan_id.as_ref())?;
        let Some(book) = self.find(&who).await? else {
            return Ok(render::eligibility(None, None, day));
        };
        let plans = self.ledger.plans();
        let found = entitlement::on_day(&book.roster, &plans, plan_id.as_deref(), day);
        Ok(render::eligibility(Some((&book.member_id, &book.roster)), Some(&found), day))
    }

    async fn balance(&self, request: &GetBalanceRequest) -> Result<GetBalanceResponse, Fault> {
        let mut checks = Checks::default();
        let who = parse::who(&mut checks, request.selector.as_ref());
        let plan_id = parse::plan_id(&mut checks, &request.plan_id);
        let day = parse::asked_day(&mut checks, &request.date, clock::today());
        let who = asked(checks.done(who))?;
        self.published(plan_id.as_ref())?;
        let book = self.find(&who).await?;
        let book = book.ok_or_else(|| Fault::member_not_found(who.selector()))?;
        let plans = self.ledger.plans();
        let mut plan_ids: Vec<String> = if let Some(plan_id) = plan_id {
            vec![plan_id]
        } else {
            let covering = entitlement::on_day(&book.roster, &plans, None, day).coverages;
            covering.into_iter().map(|it| it.plan_id.clone()).collect()
        };
        plan_ids.sort();
        plan_ids.dedup();
        let of_plan = |plan_id: &String| {
            entitlement::balances(&book.roster, &book.counters, &plans, plan_id, day)
        };
        let balances = plan_ids.iter().flat_map(of_plan).map(render::balance).collect();
        Ok(GetBalanceResponse { member_id: book.member_id, balances })
    }

    /// Enrols in parts: inside a part all go at once, and no person comes twice, so that a person
    /// is always enrolled in the order of the stream.
    async fn import(
        &self,
        mut requests: Streaming<ImportMembersRequest>,
    ) -> Result<ImportMembersResponse, Fault> {
        let mut import = Import::default();
        loop {
            let first = tokio::select! {
                biased;
                () = self.closing.cancelled() => return Err(Fault::shutting_down()),
                first = requests.next() => first,
            };
            let mut next = Some(first);
            let mut is_over = false;
            while let Some(read) = next {
                match read {
                    Some(Ok(request)) => import.read(self, request).await?,
                    Some(Err(status)) => match Fault::of_transport(&status) {
                        Some(fault) => return Err(fault),
                        None => is_over = true,
                    },
                    None => is_over = true,
                }
                let is_full = is_over || import.part.len() == IN_FLIGHT_MAX;
                next = if is_full { None } else { requests.next().now_or_never() };
            }
            import.enrol(self).await?;
            if is_over {
                return Ok(import.done);
            }
        }
    }
}

/// An import on its way.
#[derive(Default)]
struct Import {
    next_index: i64,
    part: Vec<(i64, Roster)>,
    /// The keys of the persons in `part`.
    keys: HashSet<String>,
    done: ImportMembersResponse,
}

impl Import {
    async fn read(
        &mut self,
        members: &Members,
        request: ImportMembersRequest,
    ) -> Result<(), Fault> {
        let index = self.next_index;
        self.next_index += 1;
        match parse::roster(request.member.as_ref()) {
            Err(problems) => {
                let external_id = request.member.unwrap_or_default().external_id;
                self.refuse(index, external_id, Fault::from(problems));
            }
            Ok(roster) => {
                let keys = [
                    roster.external_id.as_ref().map(|id| format!("external {id}")),
                    roster.cert_no.as_ref().map(|no| format!("certificate {}", no.reveal())),
                ];
                if keys.iter().flatten().any(|key| self.keys.contains(key)) {
                    self.enrol(members).await?;
                }
                self.keys.extend(keys.into_iter().flatten());
                self.part.push((index, roster));
            }
        }
        Ok(())
    }

    async fn enrol(&mut self, members: &Members) -> Result<(), Fault> {
        self.keys.clear();
        let enrolments = self.part.drain(..).map(|(index, roster)| async move {
            let external_id = roster.external_id.clone().unwrap_or_default();
            let outcome = match members.ledger.enrol(roster).await {
                Ok(pending) => pending.outcome().await,
                Err(error) => Err(error),
            };
            (index, external_id, outcome)
        });
        for (index, external_id, outcome) in join_all(enrolments).await {
            let done = &mut self.done;
            match outcome.map(|enrolled| enrolled.change) {
                Ok(EnrolmentChange::Created) => done.created_count += 1,
                Ok(EnrolmentChange::Changed) => done.changed_count += 1,
                Ok(EnrolmentChange::Unchanged) => done.unchanged_count += 1,
                Err(error) => {
                    let fault = Fault::from(error);
                    if fault.ends_a_stream() {
                        return Err(fault);
                    }
                    self.refuse(index, external_id, fault);
                }
            }
        }
        // Problems of the wire were noted before the part they came with was enrolled.
        self.done.refused.sort_by_key(|refused| refused.index);
        Ok(())
    }

    fn refuse(&mut self, index: i64, external_id: String, fault: Fault) {
        let refusal = Some(fault.into_refusal());
        self.done.refused.push(ImportRefusal { index, external_id, refusal });
    }
}

/// The person who was asked for. Without problems there is one.
fn asked(checked: Result<Option<Who>, Problems>) -> Result<Who, Fault> {
    checked?.ok_or_else(Fault::command_failed)
}

#[tonic::async_trait]
impl MemberService for Members {
    async fn import_members(
        &self,
        request: Request<Streaming<ImportMembersRequest>>,
    ) -> Result<Response<ImportMembersResponse>, Status> {
        Ok(Response::new(self.import(request.into_inner()).await?))
    }

    async fn get_member(
        &self,
        request: Request<GetMemberRequest>,
    ) -> Result<Response<GetMemberResponse>, Status> {
        Ok(Response::new(self.get(request.get_ref()).await?))
    }

    async fn check_eligibility(
        &self,
        request: Request<CheckEligibilityRequest>,
    ) -> Result<Response<CheckEligibilityResponse>, Status> {
        Ok(Response::new(self.eligibility(request.get_ref()).await?))
    }

    async fn get_balance(
        &self,
        request: Request<GetBalanceRequest>,
    ) -> Result<Response<GetBalanceResponse>, Status> {
        Ok(Response::new(self.balance(request.get_ref()).await?))
    }
}
