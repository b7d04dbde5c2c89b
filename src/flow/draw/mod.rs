//! A picture of a flow: steps as shapes by their kind, ways between them as labelled lines.
//!
//! Layered from top to bottom after Sugiyama: rings are cut, steps laid into layers, lines that cross
//! swapped, places evened out. Labels are nodes of layers of their own, so that none covers another.

mod layout;
mod svg;

use super::step::{Mention, Step};
use super::{Document, FlowType, HANG_UP, Part, RETURN};

/// The picture of a flow as SVG.
pub fn draw(document: &Document) -> String {
    let graph = Graph::of(document);
    let placed = layout::place(&graph);
    let title = match document.flow_type {
        FlowType::Inbound => document.name.clone(),
        other => format!("{} ({})", document.name, other.as_str()),
    };
    svg::write(&title, &graph, &placed)
}

/// A flow as it is drawn.
#[derive(Debug, Default)]
struct Graph {
    nodes: Vec<Node>,
    lines: Vec<Line>,
}

/// A step, or an end.
#[derive(Debug)]
struct Node {
    title: String,
    detail: String,
    shape: Shape,
}

/// What kind of step a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// Asks the caller.
    Ask,
    /// Parts ways.
    Decide,
    /// The end of the call, or the way back.
    End,
    /// Does something with the call that is not heard.
    Note,
    /// Asks somebody outside.
    Outside,
    /// Joins the caller with somebody.
    Reach,
    /// Says something.
    Say,
    /// Where a caller begins.
    Start,
    /// Another flow.
    Part,
}

/// A way from one node to another.
#[derive(Debug)]
struct Line {
    from: usize,
    to: usize,
    label: String,
    is_error: bool,
}

impl Graph {
    fn of(document: &Document) -> Self {
        let mut graph = Self::default();
        graph.add("", "", Shape::Start);
        for (name, step) in &document.steps {
            graph.add(name, &detail(step), shape(step));
        }
        let start = graph.target(document, 0, &document.start);
        graph.join(0, start, String::new(), false);
        for (index, (name, step)) in document.steps.iter().enumerate() {
            let from = index + 1;
            for (label, to, is_error) in ways(document, name, step) {
                let to = graph.target(document, from, to);
                graph.join(from, to, label, is_error);
            }
        }
        graph
    }

    fn add(&mut self, title: &str, detail: &str, shape: Shape) -> usize {
        self.nodes.push(Node {
            title: short(title, 36),
            detail: short(detail, 44),
            shape,
        });
        self.nodes.len() - 1
    }

    /// The node of a step; of a built-in one an end of its own below `from`.
    fn target(&mut self, document: &Document, from: usize, name: &str) -> usize {
        if let Some(index) = document.steps.get_index_of(name) {
            return index + 1;
        }
        let word = match name {
            HANG_UP => "hang up",
            RETURN => "return",
            other => other,
        };
        let is_it = |line: &&Line| {
            let node = &self.nodes[line.to];
            line.from == from && node.shape == Shape::End && node.title == word
        };
        match self.lines.iter().find(is_it) {
            Some(line) => line.to,
            None => self.add(word, "", Shape::End),
        }
    }

    /// One line from node to node, whatever it is called.
    fn join(&mut self, from: usize, to: usize, label: String, is_error: bool) {
        let known = self
            .lines
            .iter_mut()
            .find(|line| (line.from, line.to, line.is_error) == (from, to, is_error));
        match known {
            Some(line) => line.label = short(&format!("{}, {label}", line.label), 40),
            None => self.lines.push(Line {
                from,
                to,
                label: short(&label, 40),
                is_error,
            }),
        }
    }
}

/// The ways a step leads: what they are called, to which step, and whether something failed.
fn ways<'d>(document: &'d Document, name: &str, step: &'d Step) -> Vec<(String, &'d str, bool)> {
    let conditions: Vec<&str> = step
        .mentions(name)
        .into_iter()
        .filter_map(|(_, mention)| match mention {
            Mention::Condition(condition) => Some(condition.text()),
            _ => None,
        })
        .collect();
    let exits = document.exits(name, step).into_iter();
    exits
        .map(|(spot, to)| {
            let key = spot.key.unwrap_or_default();
            let label = match (&spot.part, step) {
                (Part::Field(index, _), Step::Split(split)) => {
                    let share = split.shares.get(*index);
                    share.map_or_else(String::new, |it| format!("{} %", it.percent))
                }
                (Part::Field(index, _), _) => {
                    conditions.get(*index).map_or(key, |it| *it).to_owned()
                }
                (Part::Target(keys), _) => keys.clone(),
                _ if key == "next" => match step {
                    Step::Loop(_) => "done".to_owned(),
                    _ => String::new(),
                },
                (_, Step::Loop(it)) if key == "body" => format!("{} times", it.times),
                _ => key.to_owned(),
            };
            let is_error = matches!(key, "error" | "failed" | "nobody" | "timeout" | "missing");
            (label, to, is_error)
        })
        .collect()
}

fn shape(step: &Step) -> Shape {
    match step {
        Step::Collect(_) | Step::Menu(_) => Shape::Ask,
        Step::Branch(_)
        | Step::Hours(_)
        | Step::Loop(_)
        | Step::QueueStatus(_)
        | Step::Split(_)
        | Step::Staffing(_) => Shape::Decide,
        Step::Hangup(_) | Step::Leave(_) | Step::Return(_) => Shape::End,
        Step::Language(_) | Step::Pause(_) | Step::Set(_) => Shape::Note,
        Step::Http(_) | Step::Lookup(_) | Step::Record(_) | Step::Voicemail(_) => Shape::Outside,
        Step::Conference(_) | Step::Dial(_) | Step::Queue(_) | Step::Transfer(_) => Shape::Reach,
        Step::Play(_) | Step::Say(_) => Shape::Say,
        Step::Flow(_) => Shape::Part,
    }
}

/// What a step does, in a few words.
fn detail(step: &Step) -> String {
    let what = match step {
        Step::Collect(it) => it.into.clone(),
        Step::Conference(it) => it.room.text().to_owned(),
        Step::Dial(it) | Step::Transfer(it) => {
            let numbers = std::iter::once(&it.number).chain(&it.also);
            let numbers: Vec<&str> = numbers.map(|number| number.text()).collect();
            numbers.join(", ")
        }
        Step::Flow(it) => it.flow.clone(),
        Step::Hours(it) => it.calendar.clone().unwrap_or_default(),
        Step::Http(it) => it.endpoint.clone(),
        Step::Language(it) => it.language.text().to_owned(),
        Step::Lookup(it) => it.table.clone(),
        Step::Menu(it) => it.patience.prompt.join(", "),
        Step::Pause(it) => format!("{} s", it.length.as_secs_f64()),
        Step::Play(it) => it.sounds.join(", "),
        Step::Queue(it) => match &it.to {
            crate::router::Destination::Queue(name)
            | crate::router::Destination::Workflow(name) => name.clone(),
        },
        Step::QueueStatus(it) | Step::Staffing(it) => it.queue.clone(),
        Step::Say(it) => it.value.text().to_owned(),
        Step::Set(it) => it.attributes.keys().cloned().collect::<Vec<_>>().join(", "),
        Step::Voicemail(it) => it.mailbox.clone(),
        Step::Branch(_)
        | Step::Hangup(_)
        | Step::Leave(_)
        | Step::Loop(_)
        | Step::Record(_)
        | Step::Return(_)
        | Step::Split(_) => String::new(),
    };
    match what.is_empty() {
        true => step.word().to_owned(),
        false => format!("{}: {what}", step.word()),
    }
}

/// At most so many characters.
fn short(text: &str, most: usize) -> String {
    match text.chars().count() > most {
        true => text.chars().take(most - 1).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
