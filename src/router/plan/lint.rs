//! What is doubtful in a workflow: valid, but surely not meant.

use std::collections::HashMap;

use super::fault::{WorkflowFault, WorkflowPart, WorkflowSpot};
use super::{FilterSpec, StepSpec, WhenNobody, WorkflowSpec};
use crate::expr::{self, Doubt, Expression, Options, Place, Schema, Scope, Subject};
use crate::router::At;

impl WorkflowSpec {
    /// Most doubts of one workflow that are told, and most notes besides: nobody reads more.
    pub const MOST_LINTS: usize = 100;

    /// Doubtful spots of a workflow that has no [`WorkflowSpec::faults`]: what no task can reach,
    /// and expressions that cannot mean what they say; the first [`WorkflowSpec::MOST_LINTS`].
    /// `schema`: the attributes there are.
    pub fn lints(&self, schema: &Schema) -> Vec<WorkflowFault> {
        let mut lints = Lints::default();
        let expressions = self.expressions();
        // What one expression compares is no array in another.
        let singles = expressions
            .iter()
            .flat_map(|(.., place, expression)| expression.single_task_values(*place));
        let schema = schema.clone().single_task_values(singles);
        for (spot, place, expression) in &expressions {
            if lints.is_full() {
                break;
            }
            for lint in expression.check(*place, &schema) {
                lints.push_found(spot, lint);
            }
        }
        self.lint_ways(&mut lints);
        lints.faults
    }

    /// Its expressions with their places: those of filters, then those of steps.
    fn expressions(&self) -> Vec<(WorkflowSpot, Place, Expression)> {
        let filters = self.filters.iter().enumerate().map(|(place, filter)| {
            let spot = WorkflowSpot::filter(place).key("expression");
            (spot, Place::Filter, Some(&filter.expression))
        });
        let steps = self.steps().flat_map(|(at, step)| {
            let spot = |key| WorkflowSpot::step(at).key(key);
            [
                (spot("expression"), Place::Target, step.expression.as_ref()),
                (spot("skip_if"), Place::SkipIf, step.skip_if.as_ref()),
            ]
        });
        let parsed = filters
            .chain(steps)
            .filter_map(|(spot, place, text)| Some((spot, place, self.parse(text?).ok()?)));
        parsed.collect()
    }

    /// Steps and filters that no task comes to.
    fn lint_ways(&self, lints: &mut Lints) {
        // By what a filter says: the first one that never lets a task go on.
        let mut keeps: HashMap<String, usize> = HashMap::new();
        let mut keeps_all: Option<usize> = None;
        for (place, filter) in self.filters.iter().enumerate() {
            let spot = WorkflowSpot::filter(place);
            let condition = condensed(&filter.expression);
            let before = keeps.get(&condition).copied();
            if let Some(before) = keeps_all {
                let message = format!("no task comes here: {} takes all", self.name_of(before));
                let help = "put it in front of that one, or give that one's last step a timeout";
                lints.push(spot.fault(message, help));
                continue;
            }
            if let Some(before) = before {
                let message = format!(
                    "no task comes here: {} has the same expression and keeps its tasks",
                    self.name_of(before)
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
                keeps.insert(condition, place);
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

/// What was found, up to a bound.
#[derive(Default)]
struct Lints {
    faults: Vec<WorkflowFault>,
    notes: usize,
}

impl Lints {
    fn is_full(&self) -> bool {
        self.faults.len() - self.notes >= WorkflowSpec::MOST_LINTS
    }

    fn push(&mut self, fault: WorkflowFault) {
        let is_full = match fault.is_note {
            true => self.notes >= WorkflowSpec::MOST_LINTS,
            false => self.is_full(),
        };
        if !is_full {
            self.notes += usize::from(fault.is_note);
            self.faults.push(fault);
        }
    }

    /// What was found in the expression at a spot.
    fn push_found(&mut self, spot: &WorkflowSpot, lint: expr::Lint) {
        let help = match lint.doubt {
            Doubt::BothMissing => {
                "to take TaskRouter's side: missing_equals_missing = true in workflows.toml"
            }
            Doubt::SingleForArray => "write ==, or set lenient = true in workflows.toml",
            _ if spot.key == Some("skip_if") => "an example: workers.available == 0",
            _ => "an example: task.language IN worker.languages",
        };
        let spot = spot.clone().within(lint.span);
        self.push(WorkflowFault {
            is_note: lint.doubt.is_note(),
            ..spot.fault(lint.message, help)
        });
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
