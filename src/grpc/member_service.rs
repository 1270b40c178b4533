//! `MemberService`: the roster, and what a person is entitled to.

use std::collections::HashSet;

use futures::StreamExt;
use futures::future::join_all;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::parse::{self, Problems, Who};
use super::status::Fault;
use super::{CHANGES_MAX, mode, render};
use crate::clock;
use crate::core::book::Book;
use crate::core::checks::Checks;
use crate::core::entitlement;
use crate::core::member::Roster;
use crate::feed::Told;
use crate::ledger::{Enrolled, EnrolmentChange, Impact, ImpactBound, Ledger, LedgerError, Mode};
use crate::pb::member_service_server::MemberService;
use crate::pb::{
    CheckEligibilityRequest, CheckEligibilityResponse, GetBalanceRequest, GetBalanceResponse,
    GetMemberRequest, GetMemberResponse, ImportMembersRequest, ImportMembersResponse,
    ImportRefusal, MergeMembersRequest, MergeMembersResponse,
};

/// Members that are enrolled at the same time.
const IN_FLIGHT_MAX: usize = 256;
/// Members whose impact is worked out together, and who are held in memory meanwhile.
const BLOCK_MAX: usize = 50_000;

/// Answers `MemberService`.
pub(crate) struct Members {
    ledger: Ledger,
    impact: ImpactBound,
    closing: CancellationToken,
}

impl Members {
    /// Serves a ledger; an import that changes more than `impact` asks first, and imports end when
    /// `closing` is cancelled.
    pub(crate) fn new(ledger: Ledger, impact: ImpactBound, closing: CancellationToken) -> Members {
        Members { ledger, impact, closing }
    }

    async fn merge(&self, request: &MergeMembersRequest) -> Result<MergeMembersResponse, Fault> {
        let (from, into) = parse::merged_members(request)?;
        let merged = self.ledger.merge(&from, &into, mode(request.validate_only)).await?;
        Ok(MergeMembersResponse {
            member: Some(render::member(&merged.book.member_id, &merged.book.roster)),
            replayed: merged.replayed,
            changes: render::changes(&merged.changes),
        })
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

    /// Reads the stream in blocks. Of each the impact is worked out before anything of it is
    /// recorded: a large mistake asks first.
    async fn import(
        &self,
        mut requests: Streaming<ImportMembersRequest>,
    ) -> Result<ImportMembersResponse, Fault> {
        let mut import = Import::default();
        let mut is_over = false;
        while !is_over {
            while !is_over && import.block.len() < BLOCK_MAX {
                let next = tokio::select! {
                    biased;
                    () = self.closing.cancelled() => return Err(Fault::shutting_down()),
                    next = requests.next() => next,
                };
                match next {
                    Some(Ok(request)) => import.read(request),
                    Some(Err(status)) => match Fault::of_transport(&status) {
                        Some(fault) => return Err(fault),
                        None => is_over = true,
                    },
                    None => is_over = true,
                }
            }
            import.settle(self).await?;
        }
        Ok(import.response())
    }
}

/// An import on its way.
#[derive(Default)]
struct Import {
    next_index: i64,
    mode: Option<Mode>,
    is_confirmed: bool,
    block: Vec<(i64, Roster)>,
    impact: Impact,
    changes: Vec<Told>,
    done: ImportMembersResponse,
}

impl Import {
    fn read(&mut self, request: ImportMembersRequest) {
        let index = self.next_index;
        self.next_index += 1;
        if index == 0 {
            self.mode = Some(mode(request.validate_only));
            self.is_confirmed = request.confirm_impact;
        }
        match parse::roster(request.member.as_ref()) {
            Err(problems) => {
                let external_id = request.member.unwrap_or_default().external_id;
                self.refuse(index, external_id, Fault::from(problems));
            }
            Ok(roster) => self.block.push((index, roster)),
        }
    }

    /// Tries the block, and carries it out unless it does more than it may.
    async fn settle(&mut self, members: &Members) -> Result<(), Fault> {
        let block = std::mem::take(&mut self.block);
        let mode = self.mode.unwrap_or(Mode::Record);
        if mode == Mode::Record && !self.is_confirmed {
            let mut tried = Import::default();
            tried.enrol(members, &block, Mode::Preview).await?;
            let impact = self.impact.plus(tried.impact);
            if members.impact.is_exceeded_by(&impact) {
                return Err(Fault::impact_unconfirmed(&impact));
            }
        }
        self.enrol(members, &block, mode).await
    }

    /// Enrols in parts: inside a part all go at once, and no person comes twice, so that a person
    /// is always enrolled in the order of the stream.
    async fn enrol(
        &mut self,
        members: &Members,
        block: &[(i64, Roster)],
        mode: Mode,
    ) -> Result<(), Fault> {
        let mut rest = block;
        while !rest.is_empty() {
            if members.closing.is_cancelled() {
                return Err(Fault::shutting_down());
            }
            let (part, behind) = rest.split_at(part_of(rest));
            rest = behind;
            let enrolments = part.iter().map(|(index, roster)| async move {
                let outcome = match members.ledger.enrol(roster.clone(), mode).await {
                    Ok(pending) => pending.outcome().await,
                    Err(error) => Err(error),
                };
                (*index, roster.external_id.clone().unwrap_or_default(), outcome)
            });
            for (index, external_id, outcome) in join_all(enrolments).await {
                self.count(index, external_id, outcome)?;
            }
        }
        // Problems of the wire were noted before the block they came with was enrolled.
        self.done.refused.sort_by_key(|refused| refused.index);
        Ok(())
    }

    fn count(
        &mut self,
        index: i64,
        external_id: String,
        outcome: Result<Enrolled, LedgerError>,
    ) -> Result<(), Fault> {
        match outcome {
            Ok(enrolled) => {
                match enrolled.change {
                    EnrolmentChange::Created => self.done.created_count += 1,
                    EnrolmentChange::Changed => self.done.changed_count += 1,
                    EnrolmentChange::Unchanged => self.done.unchanged_count += 1,
                }
                self.impact = self.impact.plus(Impact::of(&enrolled.changes));
                let room = CHANGES_MAX.saturating_sub(self.changes.len());
                self.changes.extend(enrolled.changes.into_iter().take(room));
                Ok(())
            }
            Err(error) => {
                let fault = Fault::from(error);
                if fault.ends_a_stream() {
                    return Err(fault);
                }
                self.refuse(index, external_id, fault);
                Ok(())
            }
        }
    }

    fn refuse(&mut self, index: i64, external_id: String, fault: Fault) {
        let refusal = Some(fault.into_refusal());
        self.done.refused.push(ImportRefusal { index, external_id, refusal });
    }

    fn response(self) -> ImportMembersResponse {
        ImportMembersResponse {
            impact: Some(render::impact(&self.impact)),
            changes: render::changes(&self.changes),
            ..self.done
        }
    }
}

/// How many of the first rows name different persons, at most as many as go at once.
fn part_of(rows: &[(i64, Roster)]) -> usize {
    let mut keys = HashSet::new();
    let is_new = |(_, roster): &&(i64, Roster)| {
        let of_person = [
            roster.external_id.as_ref().map(|id| format!("external {id}")),
            roster.cert_no.as_ref().map(|no| format!("certificate {}", no.reveal())),
        ];
        let of_person: Vec<String> = of_person.into_iter().flatten().collect();
        let is_new = of_person.iter().all(|key| !keys.contains(key));
        keys.extend(of_person);
        is_new
    };
    rows.iter().take(IN_FLIGHT_MAX).take_while(is_new).count()
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

    async fn merge_members(
        &self,
        request: Request<MergeMembersRequest>,
    ) -> Result<Response<MergeMembersResponse>, Status> {
        Ok(Response::new(self.merge(request.get_ref()).await?))
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
