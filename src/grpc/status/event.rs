//! What an event is refused for, by the names of its own request.

use super::Fault;
use crate::core::checks::Problem;

impl Fault {
    /// The ledger knows an event as a settlement of nothing; its sender knows only the event.
    pub(in crate::grpc) fn of_event(self) -> Fault {
        let mut fields: Vec<Problem> = Vec::new();
        for problem in self.fields {
            let problem = of_event(problem);
            if !fields.contains(&problem) {
                fields.push(problem);
            }
        }
        Fault { fields, ..self }
    }
}

fn of_event(problem: Problem) -> Problem {
    let field = match problem.field.strip_prefix("settlement.") {
        None => return problem,
        Some("event") => "event".to_owned(),
        Some(part) if part.starts_with("member") || part == "insured_region" => {
            format!("event.{part}")
        }
        // An event states no other facts, so the key is one of a settlement.
        Some(_) => {
            let problem = "is that of a settlement".to_owned();
            return Problem { field: "event.event_id".to_owned(), problem };
        }
    };
    Problem { field, ..problem }
}
