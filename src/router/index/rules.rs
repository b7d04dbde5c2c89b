//! Workflows as the router runs them: their expressions parsed once.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::expr::{Expression, Options, OrderBy, Scope, Subject};
use crate::router::{At, StepSpec, WorkflowSpec};

/// One workflow content.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::router) struct Rules {
    /// Of each filter.
    filters: Vec<Expression>,
    steps: HashMap<At, Arc<StepRule>>,
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::router) struct StepRule {
    pub(in crate::router) expression: Option<Expression>,
    pub(in crate::router) skip_if: Option<Expression>,
    pub(in crate::router) order_by: Option<OrderBy>,
}

impl Rules {
    pub(super) fn new(content: &WorkflowSpec) -> Self {
        let options = content.options();
        let mut steps = HashMap::new();
        for (filter, spec) in content.filters.iter().enumerate() {
            for (step, spec) in spec.steps.iter().enumerate() {
                let rule = Arc::new(StepRule::new(spec, options));
                steps.insert(At::Filter(filter, step), rule);
            }
        }
        if let Some(spec) = &content.default {
            steps.insert(At::Default, Arc::new(StepRule::new(spec, options)));
        }
        let filters = content.filters.iter();
        Self {
            filters: filters
                .map(|filter| parsed(&filter.expression, options))
                .collect(),
            steps,
        }
    }

    /// Whether a filter is for a task.
    pub(in crate::router) fn is_for(&self, filter: usize, task: &Map<String, Value>) -> bool {
        let nobody = Map::new();
        let scope = Scope {
            bare: Subject::Task,
            ..Scope::new(&nobody, task)
        };
        self.filters
            .get(filter)
            .is_some_and(|expression| expression.eval(&scope))
    }

    /// Whether some step looks at how workers stand.
    pub(super) fn looks_at_state(&self) -> bool {
        let mut expressions = self
            .steps
            .values()
            .filter_map(|step| step.expression.as_ref());
        expressions.any(Expression::looks_at_state)
    }

    pub(in crate::router) fn step(&self, at: At) -> Option<&Arc<StepRule>> {
        self.steps.get(&at)
    }
}

impl StepRule {
    fn new(spec: &StepSpec, options: Options) -> Self {
        Self {
            expression: spec.expression.as_ref().map(|text| parsed(text, options)),
            skip_if: spec.skip_if.as_ref().map(|text| parsed(text, options)),
            order_by: spec
                .order_by
                .as_ref()
                .and_then(|text| OrderBy::parse(text).ok()),
        }
    }
}

/// A plan is activated only when all in it parses; should a journal say otherwise, an expression
/// that does not parse holds for nobody.
pub(super) fn parsed(text: &str, options: Options) -> Expression {
    Expression::parse_with(text, options)
        .or_else(|_| Expression::parse(""))
        .expect("an empty expression is valid")
}
