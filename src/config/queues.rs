//! `queues.toml`: who serves each queue, how long phones ring, what callers hear meanwhile.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Map;

use super::agents::Agents;
use super::files::{Files, Kind};
use super::names::Names;
use super::notes::Notes;
use super::report::Problem;
use super::section::{At, Section};
use super::source::Place;
use super::whisper::Uses;
use super::words::{nearest, remedy};
use crate::expr::{self, Expression, Scope};
use crate::flow::{FlowType, QueueFlows};
use crate::router::{KnownWorker, QueueOrder, QueueSpec, Strategy, WhenNobody};
use crate::waiting::LineConfig;

/// Where the conference of caller and agent is placed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// In the agent's region.
    Agent,
    /// In the caller's region.
    #[default]
    Caller,
    /// In this region.
    Region(String),
}

/// Queues as read.
#[derive(Debug)]
pub(super) struct Queues {
    /// What the router is to know.
    pub(super) specs: Vec<QueueSpec>,
    /// What callers hear, by queue.
    pub(super) lines: HashMap<String, LineConfig>,
    /// Where conferences are placed, by queue.
    pub(super) placements: HashMap<String, Placement>,
    /// Queues whose conversations are recorded.
    pub(super) recorded: HashSet<String>,
    /// Their calendars, by queue.
    pub(super) calendars: HashMap<String, String>,
    /// Names.
    pub(super) names: Names,
    /// Their other names.
    sids: IndexMap<String, Place>,
    /// Their flows, by queue.
    pub(super) flows: HashMap<String, QueueFlows>,
    /// Flows and whispers named, with their places.
    pub(super) uses: Uses,
    /// Every sound named, with its place.
    pub(super) sounds: Vec<At<String>>,
    /// The kind of queue that goes first where an agent serves both.
    pub(super) prioritized: Option<At<QueueOrder>>,
}

/// Reads the queues; the region is the only one that has a node.
pub(super) fn read(
    files: &Files,
    agents: &Agents,
    (region, calendars): (&At<String>, &Names),
    notes: &Notes,
) -> Queues {
    let mut queues = Queues {
        specs: Vec::new(),
        lines: HashMap::new(),
        placements: HashMap::new(),
        recorded: HashSet::new(),
        calendars: HashMap::new(),
        names: Names::new("queue", files.is_complete(Kind::Queues)),
        sids: IndexMap::new(),
        flows: HashMap::new(),
        uses: Uses::default(),
        sounds: Vec::new(),
        prioritized: None,
    };
    for file in files.of(Kind::Queues) {
        let top = Section::new(notes, &file.table, "queues.toml");
        let prioritized = top.one_of("prioritize_queue_order", &ORDERS);
        if let (Some(first), Some(second)) = (&queues.prioritized, &prioritized) {
            let message = "`prioritize_queue_order` is given twice";
            let problem =
                Problem::error(&second.place, message, "keep one; it is about all queues");
            notes.push(problem.with(&first.place, "the other is given at"));
        }
        queues.prioritized = queues.prioritized.or(prioritized);
        for queue in top.sections("queue", "a queue") {
            queues.read_queue(queue, agents, (region, calendars), notes);
        }
        top.close();
    }
    queues.check_sids(notes);
    queues
}

impl Queues {
    fn read_queue(
        &mut self,
        queue: Section<'_>,
        agents: &Agents,
        (region, calendars): (&At<String>, &Names),
        notes: &Notes,
    ) {
        let name = queue.required("name", "sales");
        let target = read_target(&queue, agents, notes);
        let default = QueueSpec::new("", "");
        let time = |key, shortest, longest, default| {
            let range = Duration::from_secs(shortest)..=Duration::from_secs(longest);
            queue
                .duration(key, range)
                .map_or(default, |at: At<Duration>| at.value)
        };
        let activity = |key| {
            let activity = queue.text(key)?;
            agents
                .activity_names
                .refer(notes, &activity)
                .then_some(activity)
        };
        let no_answer = activity("no_answer_activity");
        if let Some(no_answer) = &no_answer
            && agents
                .activities
                .iter()
                .any(|it| it.name == no_answer.value && it.available)
        {
            let message = format!("\"{}\" is an available activity", no_answer.value);
            let help = "name one that is not, or the same agent is rung again and again";
            notes.error(&no_answer.place, message, help);
        }
        let wrap_up_open = queue.is_word("wrap_up", "open");
        let wrap_up = match wrap_up_open {
            true => default.wrap_up,
            false => time("wrap_up", 0, 3600, default.wrap_up),
        };
        let is_wrapped_up = wrap_up_open || !wrap_up.is_zero();
        let (wrap_up_codes, wrap_up_code_required) = read_codes(&queue, is_wrapped_up, notes);
        let spec = QueueSpec {
            sid: self.read_sid(&queue, notes),
            agent: queue.flag("agent_queue").is_some_and(|at| at.value),
            strategy: read_strategy(&queue, notes),
            max_reserved: read_reserved(&queue, notes),
            sticky: read_sticky(&queue, notes),
            misses: queue
                .integer("misses", 1..=100)
                .and_then(|at| u32::try_from(at.value).ok())
                .unwrap_or(default.misses),
            wrap_up_open,
            wrap_up_codes,
            wrap_up_code_required,
            name: name.as_ref().map(|at| at.value.clone()).unwrap_or_default(),
            target,
            ring_timeout: time("ring_timeout", 1, 300, default.ring_timeout),
            order: queue
                .one_of("order", &ORDERS)
                .map_or(default.order, |at| at.value),
            when_nobody: queue
                .one_of("when_nobody", &WhenNobody::WORDS)
                .map_or(default.when_nobody, |at| at.value),
            wrap_up,
            no_answer_activity: no_answer.map_or(default.no_answer_activity, |at| at.value),
            declined_activity: activity("declined_activity").map(|at| at.value),
            retry_after: time("retry_after", 1, 3600, default.retry_after),
            max_waiting: queue
                .integer("max_waiting", 1..=100_000)
                .and_then(|at| usize::try_from(at.value).ok())
                .unwrap_or(default.max_waiting),
        };
        let line = self.read_line(&queue);
        let placement = read_placement(&queue, region, notes);
        let flows = read_flows(&queue, &mut self.uses, notes);
        let record = queue.flag("record").is_none_or(|at| at.value);
        let calendar = queue.text("calendar");
        let calendar = calendar.filter(|calendar| calendars.refer(notes, calendar));
        queue.close();
        if let Some(name) = name {
            self.names.declare(notes, &name);
            self.lines.insert(name.value.clone(), line);
            if flows != QueueFlows::default() {
                self.flows.insert(name.value.clone(), flows);
            }
            if record {
                self.recorded.insert(name.value.clone());
            }
            if let Some(calendar) = calendar {
                self.calendars.insert(name.value.clone(), calendar.value);
            }
            self.placements.insert(name.value, placement);
            self.specs.push(spec);
        }
    }

    /// The other name of a queue, as documents use it.
    fn read_sid(&mut self, queue: &Section<'_>, notes: &Notes) -> Option<String> {
        let sid = queue.text("sid")?;
        if let Some(other) = self.sids.get(&sid.value) {
            let message = format!("the sid \"{}\" is there twice", sid.value);
            let problem = Problem::error(&sid.place, message, "give every queue its own");
            notes.push(problem.with(other, "the other is at"));
        } else {
            self.sids.insert(sid.value.clone(), sid.place);
        }
        Some(sid.value)
    }

    /// A sid is no other queue's name: a document would mean either.
    fn check_sids(&self, notes: &Notes) {
        let named = self
            .specs
            .iter()
            .filter_map(|spec| Some((spec.sid.as_ref()?, &spec.name)));
        for (sid, _) in named.filter(|(sid, name)| sid != name) {
            if let (Some(written), Some(place)) = (self.sids.get(sid), self.names.place(sid)) {
                let message = format!("\"{sid}\" is the name of another queue");
                let problem = Problem::error(written, message, "change one of the two");
                notes.push(problem.with(place, "the other is at"));
            }
        }
    }

    /// Whether a workflow's step names a queue, by name or by sid.
    pub(super) fn knows(&self, queue: &str) -> bool {
        self.sids.contains_key(queue) || self.names.place(queue).is_some()
    }

    fn read_line(&mut self, queue: &Section<'_>) -> LineConfig {
        let time = |key, longest| {
            let range = Duration::from_secs(1)..=Duration::from_secs(longest);
            queue.duration(key, range).map(|at| at.value)
        };
        let music = queue.text("music");
        let nobody_sound = queue.text("nobody_sound");
        let announces = queue.flag("announce_position").is_none_or(|at| at.value);
        let first = time("first_announcement", 3600).unwrap_or(Duration::from_secs(10));
        let every = time("announce_every", 3600).unwrap_or(Duration::from_secs(30));
        let mut line = LineConfig {
            music: "music".to_owned(),
            first_announce: announces.then_some(first),
            announce_position_every: announces.then_some(every),
            max_wait: time("longest_wait", 86_400),
            language: queue.text("language").map(|at| at.value),
            before_number: Vec::new(),
            number_prefix: "position-".to_owned(),
            after_number: Vec::new(),
            largest_number: 10,
            many: vec!["position-many".to_owned()],
            nobody_sound: nobody_sound.as_ref().map(|at| at.value.clone()),
        };
        let mut place = queue.place();
        if let Some(position) = queue.section("position", "[queue.position]") {
            place = position.place();
            read_position(&position, &mut line);
            position.close();
        }
        if let Some(music) = &music {
            line.music.clone_from(&music.value);
        }
        self.note_sounds(&line, &[music, nobody_sound], place);
        line
    }

    /// Every sound of a line: at its own place when it is written, else at `place`.
    fn note_sounds(&mut self, line: &LineConfig, written: &[Option<At<String>>], place: &Place) {
        for sound in line.sounds() {
            let own = written.iter().flatten().find(|at| at.value == sound);
            self.sounds.push(At {
                place: own.map_or(place, |at| &at.place).clone(),
                value: sound,
            });
        }
    }
}

/// What is heard beside the flow that led callers here.
fn read_flows(queue: &Section<'_>, uses: &mut Uses, notes: &Notes) -> QueueFlows {
    QueueFlows {
        waiting: uses.read_flow(queue, "queue_flow", FlowType::CustomerQueue),
        agent_whisper: uses.read_whisper(queue, "agent_whisper", FlowType::AgentWhisper, notes),
        customer_whisper: uses.read_whisper(
            queue,
            "customer_whisper",
            FlowType::CustomerWhisper,
            notes,
        ),
        customer_hold: uses.read_flow(queue, "hold_flow", FlowType::CustomerHold),
        agent_hold: uses.read_flow(queue, "agent_hold_flow", FlowType::AgentHold),
        disconnect: uses.read_flow(queue, "disconnect_flow", FlowType::Disconnect),
    }
}

/// Which of the free agents is rung.
fn read_strategy(queue: &Section<'_>, notes: &Notes) -> Strategy {
    let strategies = [
        ("least_calls", Strategies::LeastCalls),
        ("longest_idle", Strategies::LongestIdle),
        ("random", Strategies::Random),
        ("round_robin", Strategies::RoundRobin),
    ];
    let strategy = queue.one_of("strategy", &strategies);
    let Some(order) = queue.text("order_by") else {
        return match strategy.map(|at| at.value) {
            Some(Strategies::LeastCalls) => Strategy::LeastCalls,
            Some(Strategies::Random) => Strategy::Random,
            Some(Strategies::RoundRobin) => Strategy::RoundRobin,
            Some(Strategies::LongestIdle) | None => Strategy::LongestIdle,
        };
    };
    if let Some(strategy) = strategy {
        let message = "both `strategy` and `order_by`";
        let help = "keep one; among equals by `order_by` the longest idle is rung";
        notes.error(&strategy.place, message, help);
    }
    match Strategy::order_by(&order.value) {
        Ok(strategy) => strategy,
        Err(error) => {
            let place = order.place.inside(&order.value, error.span);
            let help = error.help.unwrap_or_else(|| ORDER_HELP.to_owned());
            notes.error(&place, error.message, help);
            Strategy::default()
        }
    }
}

/// The words of `strategy`.
#[derive(Clone, Copy)]
enum Strategies {
    LeastCalls,
    LongestIdle,
    Random,
    RoundRobin,
}

/// How many agents are rung at a time for one caller.
fn read_reserved(queue: &Section<'_>, notes: &Notes) -> u32 {
    let most = QueueSpec::MOST_RESERVED;
    let reserved = queue.integer("max_reserved", 1..=i64::from(most));
    let ring_all = queue.flag("ring_all").filter(|at| at.value);
    if let (Some(reserved), Some(_)) = (&reserved, &ring_all) {
        let message = "both `max_reserved` and `ring_all`";
        let help = format!("delete one; ring_all = true is max_reserved = {most}");
        notes.error(&reserved.place, message, help);
    }
    let reserved = reserved.and_then(|at| u32::try_from(at.value).ok());
    match ring_all {
        Some(_) => most,
        None => reserved.unwrap_or(1),
    }
}

/// The attribute of a call that says who the customer is.
fn read_sticky(queue: &Section<'_>, notes: &Notes) -> Option<String> {
    let path = queue.text("sticky")?;
    if !KnownWorker::is_path(&path.value) {
        let message = format!("\"{}\" is no path into a call's attributes", path.value);
        let help = "write the name of an attribute, such as sticky = \"from\"";
        notes.error(&path.place, message, help);
        return None;
    }
    Some(path.value)
}

/// What an agent may say a call was about, and whether he must.
fn read_codes(queue: &Section<'_>, is_wrapped_up: bool, notes: &Notes) -> (Vec<String>, bool) {
    let mut codes: Vec<String> = Vec::new();
    for code in queue.texts("wrap_up_codes").unwrap_or_default() {
        if code.value.trim().is_empty() || codes.contains(&code.value) {
            let message = format!(
                "the wrap-up code \"{}\" is empty or there twice",
                code.value
            );
            notes.error(&code.place, message, "delete it");
        } else {
            codes.push(code.value);
        }
    }
    let required = queue.flag("wrap_up_code_required").filter(|at| at.value);
    if let Some(required) = &required
        && codes.is_empty()
    {
        let message = "a wrap-up code is required, but there is none";
        let help = "add wrap_up_codes = [\"order\", \"complaint\"], or delete this line";
        notes.error(&required.place, message, help);
    } else if let Some(required) = &required
        && !is_wrapped_up
    {
        let message = "a wrap-up code is required, but there is no after-call work to give it in";
        let help = "add wrap_up = \"60s\" or wrap_up = \"open\", or delete this line";
        notes.warning(&required.place, message, help);
    }
    (codes, required.is_some())
}

fn read_position(position: &Section<'_>, line: &mut LineConfig) {
    let texts = |key, default: &[String]| match position.texts(key) {
        Some(texts) => texts.into_iter().map(|at| at.value).collect(),
        None => default.to_vec(),
    };
    line.before_number = texts("before", &line.before_number);
    line.after_number = texts("after", &line.after_number);
    line.many = texts("beyond", &line.many);
    if let Some(numbers) = position.text("numbers") {
        line.number_prefix = numbers.value;
    }
    if let Some(largest) = position.integer("largest", 0..=1000) {
        line.largest_number = usize::try_from(largest.value).unwrap_or(0);
    }
}

/// The expression that says who serves the queue, checked to its last character.
fn read_target(queue: &Section<'_>, agents: &Agents, notes: &Notes) -> String {
    let Some(target) = queue.required("agents", "skills HAS 'sales'") else {
        return String::new();
    };
    match Expression::parse(&target.value) {
        Err(error) => {
            let place = target.place.inside(&target.value, error.span.clone());
            let word = target.value.get(error.span).unwrap_or_default();
            let help = match (error.help, nearest(word, &OPERATORS)) {
                (_, Some(operator)) if operator != word => format!("did you mean {operator}?"),
                (Some(help), _) => help,
                (None, _) => EXPRESSION_HELP.to_owned(),
            };
            notes.error(&place, error.message, help);
        }
        Ok(expression) => {
            for lint in expression.check(expr::Place::Queue, &agents.schema) {
                let place = target.place.inside(&target.value, lint.span.clone());
                notes.doubt(lint.doubt.is_note(), &place, lint.message, EXPRESSION_HELP);
            }
            let nothing = Map::new();
            let serves = |seen| expression.eval(&Scope::new(seen, &nothing));
            let is_sure = !expression.uses_task() && !expression.looks_at_state();
            if is_sure && !agents.seen.iter().any(serves) {
                let help = "compare the keys and values with the attributes in agents.toml";
                notes.warning(&target.place, "no agent serves this queue", help);
            }
        }
    }
    target.value
}

/// `caller`, `agent`, or a region that has a node.
fn read_placement(queue: &Section<'_>, region: &At<String>, notes: &Notes) -> Placement {
    let Some(wanted) = queue.text("conference") else {
        return Placement::default();
    };
    match wanted.value.as_str() {
        "agent" => Placement::Agent,
        "caller" => Placement::Caller,
        known if known == region.value => Placement::Region(known.to_owned()),
        other => {
            let message = format!("region \"{other}\" has no node");
            let known = ["agent", "caller", region.value.as_str()];
            let introduction = "a conference is placed by the region of";
            let help = remedy(other, &known, introduction);
            let problem = Problem::error(&wanted.place, message, help);
            notes.push(problem.with(&region.place, "the only node's region is given at"));
            Placement::default()
        }
    }
}

const ORDERS: [(&str, QueueOrder); 2] = [("fifo", QueueOrder::Fifo), ("lifo", QueueOrder::Lifo)];
/// Words of the language that may be misspelt.
const OPERATORS: [&str; 6] = ["AND", "CONTAINS", "HAS", "IN", "NOT", "OR"];
const ORDER_HELP: &str = "an example: worker.level DESC, worker.age ASC";
pub(super) const EXPRESSION_HELP: &str =
    "an example: skills HAS 'sales' AND task.language IN worker.languages";
