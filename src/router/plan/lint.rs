//! What is doubtful in a workflow: valid, but surely not meant.

use super::fault::{WorkflowFault, WorkflowPart, WorkflowSpot};
use super::{FilterSpec, StepSpec, WhenNobody, WorkflowSpec};
use crate::expr::{Expression, Options, Place, Schema, Scope, Subject};
use crate::router::At;

impl WorkflowSpec {
    /// Doubtful spots of a workflow that has no [`WorkflowSpec::faults`]: what no task can reach,
    /// and expressions that cannot mean what they say. `schema`: the attributes there are.
    pub fn lints(&self, schema: &Schema) -> Vec<WorkflowFault> {
        let mut lints = Vec::new();
        for (place, filter) in self.filters.iter().enumerate() {
            let spot = WorkflowSpot::filter(place);
            let what = (Place::Filter, "expression", filter.expression.as_str());
            self.lint_expression(spot, what, schema, &mut lints);
        }
        for (at, step) in self.steps() {
            for (place, key, text) in [
                (Place::Target, "expression", &step.expression),
                (Place::SkipIf, "skip_if", &step.skip_if),
            ] {
                if let Some(text) = text {
                    let spot = WorkflowSpot::step(at);
                    self.lint_expression(spot, (place, key, text), schema, &mut lints);
                }
            }
        }
        self.lint_ways(&mut lints);
        lints
    }

    fn lint_expression(
        &self,
        spot: WorkflowSpot,
        (place, key, text): (Place, &'static str, &str),
        schema: &Schema,
        lints: &mut Vec<WorkflowFault>,
    ) {
        let Ok(expression) = Expression::parse_with(text, self.options()) else {
            return;
        };
        let help = match key {
            "skip_if" => "an example: workers.available == 0",
            _ => "an example: task.language IN worker.languages",
        };
        let doubts = expression.check(place, schema).into_iter();
        for lint in doubts.filter(|lint| !lint.doubt.is_note()) {
            let spot = spot.clone().key(key).within(lint.span.clone());
            lints.push(spot.fault(lint.message, help));
        }
    }

    /// Steps and filters that no task comes to.
    fn lint_ways(&self, lints: &mut Vec<WorkflowFault>) {
        // By what a filter says: the first one that never lets a task go on.
        let mut keeps: Vec<(String, usize)> = Vec::new();
        let mut keeps_all: Option<usize> = None;
        for (place, filter) in self.filters.iter().enumerate() {
            let spot = WorkflowSpot::filter(place);
            let condition = condensed(&filter.expression);
            let before = keeps.iter().find(|(before, _)| *before == condition);
            if let Some(before) = keeps_all {
                let message = format!("no task comes here: {} takes all", self.name_of(before));
                let help = "put it in front of that one, or give that one's last step a timeout";
                lints.push(spot.fault(message, help));
                continue;
            }
            if let Some((_, before)) = before {
                let message = format!(
                    "no task comes here: {} has the same expression and keeps its tasks",
                    self.name_of(*before)
                );
                let help = "change one of the two expressions, or delete this filter";
                lints.push(spot.key("expression").fault(message, help));
                continue;
            }
            let last = filter.steps.iter().position(|step| !self.lets_go(step));
            if let Some(last) = last {
                if last + 1 < filter.steps.len() {
                    let spot = WorkflowSpot::step(At::Filter(place, last + 1));
                    let message = format!(
                        "no task comes here: step {} has neither timeout nor skip_if",
                        last + 1
                    );
                    let help = "give that step a timeout, or delete what follows it";
                    lints.push(spot.fault(message, help));
                }
                keeps.push((condition, place));
                if self.is_for_all(filter) {
                    keeps_all = Some(place);
                }
            }
        }
        // A task that timed out does not come to the default, one that was skipped does.
        if let (Some(before), Some(_)) = (keeps_all, &self.default) {
            let message = format!("no task comes here: {} takes all", self.name_of(before));
            let help = "change that filter's expression, or delete the default";
            lints.push(WorkflowSpot::step(At::Default).fault(message, help));
        }
        if let Some(skip_if) = self.default.as_ref().and_then(|step| step.skip_if.as_ref())
            && condensed(skip_if) == "1==1"
        {
            let spot = WorkflowSpot::of(WorkflowPart::Step(At::Default)).key("skip_if");
            let message = "a task leaves when nobody is free for it at once";
            let help = "leave `skip_if` out of the default if it is to wait";
            lints.push(spot.fault(message, help));
        }
    }

    fn name_of(&self, filter: usize) -> String {
        match self.filters.get(filter).map(|filter| filter.name.as_str()) {
            None | Some("") => format!("filter {}", filter + 1),
            Some(name) => format!("filter {} \"{name}\"", filter + 1),
        }
    }

    /// Whether a task may go on from a step before its life ends.
    fn lets_go(&self, step: &StepSpec) -> bool {
        step.timeout.is_some()
            || step.skip_if.is_some()
            || self.skip_when_nobody != WhenNobody::Wait
    }

    /// Whether a filter holds for every task: when it does for one without attributes and looks at
    /// no attribute.
    fn is_for_all(&self, filter: &FilterSpec) -> bool {
        let condition = condensed(&filter.expression);
        let is_constant = ["1==1", "true", "true==true"].contains(&condition.as_str());
        is_constant && holds_for_nothing(&filter.expression, self.options())
    }
}

fn holds_for_nothing(text: &str, options: Options) -> bool {
    let nothing = serde_json::Map::new();
    let scope = Scope {
        bare: Subject::Task,
        ..Scope::new(&nothing, &nothing)
    };
    Expression::parse_with(text, options).is_ok_and(|expression| expression.eval(&scope))
}

/// An expression without what makes no difference: space outside quotes, the kind of quotes.
fn condensed(text: &str) -> String {
    let mut condensed = String::new();
    let mut quote = None;
    let mut chars = text.trim().chars().peekable();
    while let Some(c) = chars.next() {
        match quote {
            Some(open) if c == open => {
                quote = None;
                condensed.push('"');
            }
            Some(_) if c == '\\' => {
                condensed.push(c);
                condensed.extend(chars.next());
            }
            Some(_) => condensed.push(c),
            None if c == '"' || c == '\'' => {
                quote = Some(c);
                condensed.push('"');
            }
            None if c.is_whitespace() => {
                // Between two words it does make a difference.
                let is_word = |c: char| c.is_alphanumeric() || c == '_';
                let next = chars.peek().copied().is_some_and(is_word);
                if next && condensed.chars().next_back().is_some_and(is_word) {
                    condensed.push(' ');
                }
            }
            None => condensed.push(c),
        }
    }
    condensed
}
