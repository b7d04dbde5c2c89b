//! What is wrong with a plan: found before it is activated, all at once, each with a remedy.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::fault::{WorkflowFault, WorkflowSpot};
use super::{
    KnownWorker, NOT_ANSWERING, Plan, PlanError, ProfileSpec, QueueSpec, StepSpec, Strategy, VOICE,
    WorkerSpec, WorkflowSpec,
};
use crate::expr::{self, Expression, Options, OrderBy};
use crate::router::At;

impl Plan {
    /// Most tasks of one channel that a worker may have at a time.
    pub const MOST_CAPACITY: u32 = 1000;

    /// Everything that is wrong with it; empty when it may be activated.
    pub fn check(&self) -> Vec<PlanError> {
        let mut check = Check {
            plan: self,
            errors: Vec::new(),
            activities: self.activities.iter().map(|spec| &*spec.name).collect(),
            channels: self.channels.iter().map(|spec| &*spec.name).collect(),
            profiles: self.profiles.iter().map(|spec| &*spec.name).collect(),
            queues: self.queues.iter().map(|spec| &*spec.name).collect(),
        };
        check.activities.insert(NOT_ANSWERING);
        check.channels.insert(VOICE);
        check.check_names();
        for worker in &self.workers {
            check.check_worker(worker);
        }
        for channel in &self.channels {
            let subject = format!("channel {:?}", channel.name);
            check.check_capacity(&subject, channel.capacity);
        }
        for queue in &self.queues {
            check.check_queue(queue);
        }
        for profile in &self.profiles {
            check.check_profile(profile);
        }
        for workflow in &self.workflows {
            check.check_workflow(workflow);
        }
        check.errors
    }
}

struct Check<'p> {
    plan: &'p Plan,
    errors: Vec<PlanError>,
    activities: HashSet<&'p str>,
    channels: HashSet<&'p str>,
    profiles: HashSet<&'p str>,
    queues: HashSet<&'p str>,
}

impl<'p> Check<'p> {
    fn wrong(&mut self, subject: &str, message: impl Into<String>, help: &str) {
        self.errors.push(PlanError {
            subject: subject.to_owned(),
            message: message.into(),
            span: None,
            help: Some(help.to_owned()),
        });
    }

    /// Every thing has a name, and no other of its kind has it.
    fn check_names(&mut self) {
        let plan = self.plan;
        let help = "give every WHAT a name of its own";
        let workers = plan.workers.iter().map(|it| &*it.name);
        self.check_unique("worker", workers, "name", help);
        let phones = plan.workers.iter().map(|it| &*it.phone);
        self.check_unique(
            "worker",
            phones,
            "phone",
            "give every WHAT a phone of its own",
        );
        let activities = plan.activities.iter().map(|it| &*it.name);
        self.check_unique("activity", activities, "name", help);
        let channels = plan.channels.iter().map(|it| &*it.name);
        self.check_unique("channel", channels, "name", help);
        let queues = plan.queues.iter().map(|it| &*it.name);
        self.check_unique("queue", queues, "name", help);
        let profiles = plan.profiles.iter().map(|it| &*it.name);
        self.check_unique("profile", profiles, "name", help);
        let workflows = plan.workflows.iter().map(|it| &*it.name);
        self.check_unique("workflow", workflows, "name", help);
        // A document may name a queue by either: both must mean the same one.
        let mut sids: HashMap<&str, &str> = HashMap::new();
        for queue in &plan.queues {
            let Some(sid) = queue.sid.as_deref() else {
                continue;
            };
            let is_taken = self.queues.contains(sid) && sid != queue.name;
            if sid.is_empty() || is_taken || sids.insert(sid, &queue.name).is_some() {
                let subject = format!("queue {:?}", queue.name);
                let message = format!("sid {sid:?} is empty or taken");
                self.wrong(
                    &subject,
                    message,
                    "give every queue a sid of its own, or none",
                );
            }
        }
    }

    fn check_unique(
        &mut self,
        what: &str,
        names: impl Iterator<Item = &'p str>,
        field: &str,
        help: &str,
    ) {
        let mut taken = HashSet::new();
        for name in names {
            if name.is_empty() || !taken.insert(name) {
                let message = format!("{field} is empty or taken");
                self.wrong(
                    &format!("{what} {name:?}"),
                    message,
                    &help.replace("WHAT", what),
                );
            }
        }
    }

    fn check_worker(&mut self, worker: &'p WorkerSpec) {
        let subject = format!("worker {:?}", worker.name);
        self.check_activity(&subject, worker.activity.as_deref());
        if let Some(profile) = &worker.profile
            && !self.profiles.contains(profile.as_str())
        {
            let message = format!("unknown profile {profile:?}");
            self.wrong(&subject, message, "list it among the profiles");
        }
        for (channel, capacity) in &worker.capacity {
            self.check_channel(&subject, channel);
            self.check_capacity(&subject, *capacity);
        }
    }

    fn check_activity(&mut self, subject: &str, activity: Option<&str>) {
        if let Some(activity) = activity
            && !self.activities.contains(activity)
        {
            let message = format!("unknown activity {activity:?}");
            self.wrong(subject, message, "list it among the activities");
        }
    }

    fn check_channel(&mut self, subject: &str, channel: &str) {
        if !self.channels.contains(channel) {
            let message = format!("unknown channel {channel:?}");
            self.wrong(subject, message, "list it among the channels");
        }
    }

    fn check_capacity(&mut self, subject: &str, capacity: u32) {
        if capacity > Plan::MOST_CAPACITY {
            let message = format!("a capacity of {capacity}");
            self.wrong(subject, message, "it goes from 0 to 1000");
        }
    }

    fn check_queue(&mut self, queue: &'p QueueSpec) {
        let subject = format!("queue {:?}", queue.name);
        if self.plan.is_available(&queue.no_answer_activity) {
            let message = format!("{:?} is an available activity", queue.no_answer_activity);
            let help = "name one that is not available, or missed offers repeat for ever";
            self.wrong(&subject, message, help);
        }
        self.check_activity(&subject, Some(&queue.no_answer_activity));
        self.check_activity(&subject, queue.declined_activity.as_deref());
        let second = Duration::from_secs(1);
        if queue.ring_timeout < second {
            let help = "give phones at least a second to ring";
            self.wrong(&subject, "ring timeout is below 1 s", help);
        }
        if queue.retry_after < second {
            let help = "leave a worker alone for at least a second";
            self.wrong(&subject, "retry after is below 1 s", help);
        }
        if !(1..=QueueSpec::MOST_RESERVED).contains(&queue.max_reserved) {
            let message = format!("{} offers at a time", queue.max_reserved);
            self.wrong(&subject, message, "it goes from 1 to 50");
        }
        if queue.misses == 0 {
            let help = "the least is 1: the first missed offer counts";
            self.wrong(&subject, "nobody misses 0 offers", help);
        }
        if queue.wrap_up_code_required && queue.wrap_up_codes.is_empty() {
            let help = "list the codes, or require none";
            self.wrong(
                &subject,
                "a wrap-up code is required, but there is none",
                help,
            );
        }
        if let Some(path) = &queue.sticky
            && !KnownWorker::is_path(path)
        {
            self.wrong(
                &subject,
                format!("{path:?} is no path into a task"),
                PATH_HELP,
            );
        }
        if let Strategy::OrderBy(order) = &queue.strategy
            && let Err(error) = OrderBy::parse(order)
        {
            self.errors.push(in_text(&subject, error, ORDER_EXAMPLE));
        }
        if let Err(error) = Expression::parse(&queue.target) {
            self.errors.push(in_text(&subject, error, EXAMPLE));
        }
    }

    fn check_profile(&mut self, profile: &'p ProfileSpec) {
        let subject = format!("profile {:?}", profile.name);
        let mut listed = HashSet::new();
        for entry in &profile.entries {
            let subject = format!("{subject}, queue {:?}", entry.queue);
            if !self.queues.contains(entry.queue.as_str()) {
                let message = format!("unknown queue {:?}", entry.queue);
                self.wrong(&subject, message, "list it among the queues");
            }
            self.check_channel(&subject, &entry.channel);
            if !listed.insert((&entry.queue, &entry.channel)) {
                let message = format!("listed twice for {}", entry.channel);
                self.wrong(&subject, message, "delete one of the two");
            }
            if !ProfileSpec::PRIORITIES.contains(&entry.priority) {
                let message = format!("a priority of {}", entry.priority);
                self.wrong(&subject, message, "it goes from 1, served first, to 99");
            }
            if entry.delay > ProfileSpec::LONGEST_DELAY {
                let message = format!("a delay of {} s", entry.delay.as_secs());
                self.wrong(&subject, message, "the longest is 9999 s");
            }
        }
        for (channel, of) in &profile.channels {
            self.check_channel(&subject, channel);
            self.check_capacity(&subject, of.capacity);
        }
    }

    fn check_workflow(&mut self, workflow: &'p WorkflowSpec) {
        let subject = |spot: &WorkflowSpot| format!("workflow {:?}, {spot}", workflow.name);
        for fault in workflow.faults() {
            self.errors.push(PlanError {
                subject: subject(&fault.spot),
                message: fault.message,
                span: fault.spot.span,
                help: Some(fault.help),
            });
        }
        for (at, step) in workflow.steps() {
            if !self.queues.contains(step.queue.as_str()) {
                let message = format!("unknown queue {:?}", step.queue);
                let spot = WorkflowSpot::step(at);
                self.wrong(&subject(&spot), message, "list it among the queues");
            }
        }
    }
}

fn in_text(subject: &str, error: expr::Error, example: &str) -> PlanError {
    PlanError {
        subject: subject.to_owned(),
        message: error.message,
        span: Some(error.span),
        help: Some(error.help.unwrap_or_else(|| example.to_owned())),
    }
}

impl WorkflowSpec {
    /// Everything that is wrong with it by itself: it must be put right before it is used.
    pub fn faults(&self) -> Vec<WorkflowFault> {
        let mut faults = Vec::new();
        let whole = WorkflowSpot::workflow;
        if self.filters.is_empty() && self.default.is_none() {
            let spot = WorkflowSpot::of(super::fault::WorkflowPart::Whole);
            faults.push(spot.fault("it leads nowhere", "add a filter, or a default"));
        }
        let steps: usize = self.filters.iter().map(|filter| filter.steps.len()).sum();
        let most = Self::MOST_STEPS;
        if steps > most || self.filters.len() > most {
            let message = format!("it has more than {most} steps");
            faults.push(whole("filters").fault(message, "make two workflows of it"));
            return faults;
        }
        let second = Duration::from_secs(1);
        let times = [
            (
                "reservation_timeout",
                self.reservation_timeout,
                Self::LONGEST_OFFER,
            ),
            ("time_to_live", Some(self.time_to_live), Self::LONGEST_LIFE),
        ];
        for (key, time, longest) in times {
            if time.is_some_and(|time| !(second..=longest).contains(&time)) {
                let message = format!("`{key}` is out of range");
                let help = format!("it goes from 1 s to {} s", longest.as_secs());
                faults.push(whole(key).fault(message, help));
            }
        }
        if self.most_offers == 0 {
            let help = "the least is 1: a task must be offered to somebody";
            faults.push(whole("most_offers").fault("tasks are never offered", help));
        }
        let options = self.options();
        for (place, filter) in self.filters.iter().enumerate() {
            let spot = WorkflowSpot::filter(place);
            if filter.steps.is_empty() {
                let message = "a filter without a step leads nowhere";
                let help = "add one with a queue, or delete the filter";
                faults.push(spot.clone().key("steps").fault(message, help));
            }
            check_expression(spot, "expression", &filter.expression, options, &mut faults);
        }
        for (at, step) in self.steps() {
            check_step(at, step, options, &mut faults);
        }
        faults
    }

    /// One of its expressions.
    pub fn parse(&self, text: &str) -> Result<Expression, expr::Error> {
        Expression::parse_with(text, self.options())
    }

    /// How its expressions are read.
    pub(in crate::router) fn options(&self) -> Options {
        Options {
            extensions: self.extensions,
            lenient_arrays: self.lenient,
            missing_equals_missing: self.missing_equals_missing,
        }
    }
}

fn check_step(at: At, step: &StepSpec, options: Options, faults: &mut Vec<WorkflowFault>) {
    let spot = || WorkflowSpot::step(at);
    if step.queue.is_empty() {
        let fault = spot().fault("a step needs a queue", "name one");
        faults.push(fault);
    }
    if let Some(priority) = step.priority
        && priority
            .checked_abs()
            .is_none_or(|it| it > WorkflowSpec::HIGHEST_PRIORITY)
    {
        let message = format!("a priority of {priority}");
        let help = format!("the highest is {}", WorkflowSpec::HIGHEST_PRIORITY);
        faults.push(spot().key("priority").fault(message, help));
    }
    if let Some(timeout) = step.timeout {
        if at == At::Default {
            let message = "the default has no timeout: nothing comes after it";
            faults.push(spot().key("timeout").fault(message, "delete it"));
        } else if timeout > WorkflowSpec::LONGEST_LIFE {
            let message = format!("a timeout of {} s", timeout.as_secs());
            let help = format!("the longest is {} s", WorkflowSpec::LONGEST_LIFE.as_secs());
            faults.push(spot().key("timeout").fault(message, help));
        }
    }
    for (key, text) in [("expression", &step.expression), ("skip_if", &step.skip_if)] {
        if let Some(text) = text {
            check_expression(spot(), key, text, options, faults);
        }
    }
    if let Some(order) = &step.order_by
        && let Err(error) = OrderBy::parse(order)
    {
        faults.push(spelling(spot().key("order_by"), error));
    }
    if let Some(known) = &step.known_worker
        && !KnownWorker::is_path(&known.path)
    {
        let message = format!("{:?} is no path into a task", known.path);
        faults.push(spot().key("known_worker").fault(message, PATH_HELP));
    }
}

fn check_expression(
    spot: WorkflowSpot,
    key: &'static str,
    text: &str,
    options: Options,
    faults: &mut Vec<WorkflowFault>,
) {
    if let Err(error) = Expression::parse_with(text, options) {
        faults.push(spelling(spot.key(key), error));
    }
}

fn spelling(spot: WorkflowSpot, error: expr::Error) -> WorkflowFault {
    let help = error.help.unwrap_or_else(|| match spot.key {
        Some("order_by") => ORDER_EXAMPLE.to_owned(),
        Some("skip_if") => "an example: workers.available == 0".to_owned(),
        _ => EXAMPLE.to_owned(),
    });
    spot.within(error.span).fault(error.message, help)
}

const PATH_HELP: &str = "write the way to an attribute of the task, such as task.owner";
const EXAMPLE: &str = "an example: task.language IN worker.languages";
const ORDER_EXAMPLE: &str = "an example: worker.level DESC, worker.age ASC";
