//! Where nodes and lines are drawn.

use std::collections::BTreeMap;

use super::{Graph, Shape};

/// A picture laid out; lengths in pixels.
#[derive(Debug, Default)]
pub(super) struct Placed {
    pub(super) width: f64,
    pub(super) height: f64,
    /// One a node: its middle and its size.
    pub(super) boxes: Vec<Area>,
    /// One a line.
    pub(super) ways: Vec<Way>,
}

/// A node's area.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Area {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// A line: points from its beginning to its end, and the middle of its label.
#[derive(Clone, Debug, Default)]
pub(super) struct Way {
    pub(super) points: Vec<(f64, f64)>,
    pub(super) label: (f64, f64),
    /// From a node to itself.
    pub(super) is_loop: bool,
}

/// One thing in a layer: a node, or the place where a line passes.
#[derive(Debug)]
struct Item {
    layer: usize,
    width: f64,
    height: f64,
    /// How much it wants to be straight below what is above it.
    weight: f64,
    above: Vec<usize>,
    below: Vec<usize>,
    x: f64,
    y: f64,
}

const MARGIN: f64 = 28.0;
/// Between neighbours of a layer.
const GAP: f64 = 26.0;
/// Between layers.
const LEVEL: f64 = 20.0;

/// Lays a graph out.
pub(super) fn place(graph: &Graph) -> Placed {
    let backward = backward(graph);
    let layers = layers(graph, &backward);
    let mut items: Vec<Item> = graph
        .nodes
        .iter()
        .zip(&layers)
        .map(|(node, &layer)| {
            let (width, height) = size(node.shape, &node.title, &node.detail);
            item(layer * 2, width, height, 1.0)
        })
        .collect();
    // Each line with the items it passes, in the direction of the layers.
    let mut passed: Vec<Vec<usize>> = Vec::new();
    for (line, is_backward) in graph.lines.iter().zip(&backward) {
        let (from, to) = match is_backward {
            true => (line.to, line.from),
            false => (line.from, line.to),
        };
        let mut way = vec![from];
        for layer in items[from].layer + 1..items[to].layer {
            // The label stands right behind where the line begins as it is walked.
            let labelled = match is_backward {
                true => items[to].layer - 1,
                false => items[from].layer + 1,
            };
            let (width, height) = match layer == labelled && !line.label.is_empty() {
                true => (text_width(&line.label, 11.0) + 10.0, 18.0),
                false => (8.0, 0.0),
            };
            items.push(item(layer, width, height, 4.0));
            way.push(items.len() - 1);
        }
        if from != to {
            way.push(to);
        }
        for pair in way.windows(2) {
            items[pair[0]].below.push(pair[1]);
            items[pair[1]].above.push(pair[0]);
        }
        passed.push(way);
    }
    let mut order = first_order(&items);
    uncross(&items, &mut order);
    spread(&mut items, &order);
    level(&mut items, &order);
    finish(graph, &items, &passed, &backward)
}

fn item(layer: usize, width: f64, height: f64, weight: f64) -> Item {
    Item {
        layer,
        width,
        height,
        weight,
        above: Vec::new(),
        below: Vec::new(),
        x: 0.0,
        y: 0.0,
    }
}

/// Width of a text as it is likely to be drawn; letters of Chinese and Japanese are square.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    let letters = text.chars().map(|letter| match letter {
        'i' | 'l' | 'j' | '.' | ',' | '\'' | ' ' | ':' | '|' | 'I' | 't' | 'f' => 0.34,
        'm' | 'w' | 'M' | 'W' | '@' => 0.9,
        letter if letter.is_ascii_uppercase() => 0.68,
        letter if (letter as u32) < 0x2E80 => 0.57,
        _ => 1.0,
    });
    letters.sum::<f64>() * size
}

fn size(shape: Shape, title: &str, detail: &str) -> (f64, f64) {
    let text = text_width(title, 14.0).max(text_width(detail, 11.0));
    match shape {
        Shape::Start => (16.0, 16.0),
        Shape::End => (text + 24.0, if detail.is_empty() { 26.0 } else { 42.0 }),
        Shape::Ask | Shape::Decide | Shape::Outside | Shape::Part => (text + 56.0, 46.0),
        _ => ((text + 32.0).max(70.0), 46.0),
    }
}

/// Which lines lead back to where one came from.
fn backward(graph: &Graph) -> Vec<bool> {
    let mut backward = vec![false; graph.lines.len()];
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); graph.nodes.len()];
    for (index, line) in graph.lines.iter().enumerate() {
        after[line.from].push(index);
    }
    // Not begun, on the way, done.
    let mut state = vec![0_u8; graph.nodes.len()];
    for root in 0..graph.nodes.len() {
        let mut open = vec![(root, 0)];
        while let Some((node, next)) = open.pop() {
            if next == 0 {
                if state[node] != 0 {
                    continue;
                }
                state[node] = 1;
            }
            match after[node].get(next) {
                None => state[node] = 2,
                Some(&line) => {
                    open.push((node, next + 1));
                    let to = graph.lines[line].to;
                    match state[to] {
                        0 => open.push((to, 0)),
                        1 => backward[line] = true,
                        _ => {}
                    }
                }
            }
        }
    }
    backward
}

/// The layer of each node: one below the lowest that leads to it; ends as high as they can be.
fn layers(graph: &Graph, backward: &[bool]) -> Vec<usize> {
    let mut layers = vec![0_usize; graph.nodes.len()];
    for _ in 0..graph.nodes.len() {
        let mut changed = false;
        for (line, is_backward) in graph.lines.iter().zip(backward) {
            let (from, to) = match is_backward {
                true => (line.to, line.from),
                false => (line.from, line.to),
            };
            if from != to && layers[to] <= layers[from] {
                layers[to] = layers[from] + 1;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    layers
}

/// Items by layer, in the order of a walk from the top.
fn first_order(items: &[Item]) -> Vec<Vec<usize>> {
    let deepest = items.iter().map(|item| item.layer).max().unwrap_or(0);
    let mut order = vec![Vec::new(); deepest + 1];
    let mut seen = vec![false; items.len()];
    let mut roots: Vec<usize> = (0..items.len()).collect();
    roots.sort_by_key(|&index| items[index].layer);
    for root in roots {
        let mut open = vec![root];
        while let Some(index) = open.pop() {
            if std::mem::replace(&mut seen[index], true) {
                continue;
            }
            order[items[index].layer].push(index);
            open.extend(items[index].below.iter().rev());
        }
    }
    order
}

/// Swaps neighbours until lines cross little.
fn uncross(items: &[Item], order: &mut Vec<Vec<usize>>) {
    let mut best = (crossings(items, order), order.clone());
    for round in 0..ROUNDS {
        let mut places = vec![0.0_f64; items.len()];
        let note = |places: &mut Vec<f64>, row: &[usize]| {
            for (place, &index) in row.iter().enumerate() {
                places[index] = place as f64;
            }
        };
        for row in order.iter() {
            note(&mut places, row);
        }
        let downward = round.is_multiple_of(2);
        let rows: Vec<usize> = match downward {
            true => (0..order.len()).collect(),
            false => (0..order.len()).rev().collect(),
        };
        for row in rows {
            let middle = |index: usize| {
                let item = &items[index];
                let near = if downward { &item.above } else { &item.below };
                match near.len() {
                    0 => places[index],
                    count => near.iter().map(|&it| places[it]).sum::<f64>() / count as f64,
                }
            };
            let mut wanted: Vec<(f64, usize)> =
                order[row].iter().map(|&it| (middle(it), it)).collect();
            wanted.sort_by(|a, b| a.0.total_cmp(&b.0));
            order[row] = wanted.into_iter().map(|(_, it)| it).collect();
            note(&mut places, &order[row]);
        }
        let count = crossings(items, order);
        if count < best.0 {
            best = (count, order.clone());
        }
        if best.0 == 0 {
            break;
        }
    }
    *order = best.1;
}

/// How many pairs of lines cross between neighbouring layers.
fn crossings(items: &[Item], order: &[Vec<usize>]) -> usize {
    let mut places = vec![0_usize; items.len()];
    for row in order {
        for (place, &index) in row.iter().enumerate() {
            places[index] = place;
        }
    }
    let mut count = 0;
    for row in order {
        let mut ends: Vec<usize> = Vec::new();
        for &index in row {
            let mut below: Vec<usize> = items[index].below.iter().map(|&it| places[it]).collect();
            below.sort_unstable();
            for &end in &below {
                count += ends.iter().filter(|&&other| other > end).count();
            }
            ends.extend(below);
            if ends.len() > MOST_LINES {
                return count;
            }
        }
    }
    count
}

/// Evens places out: each item wants to be in the middle of what it is joined to, none covers its
/// neighbour.
fn spread(items: &mut [Item], order: &[Vec<usize>]) {
    for row in order {
        let mut x = 0.0;
        for &index in row {
            let width = items[index].width;
            items[index].x = x + width / 2.0;
            x += width + GAP;
        }
    }
    for round in 0..ROUNDS {
        let both = round >= ROUNDS / 2;
        let rows: Vec<usize> = match round.is_multiple_of(2) {
            true => (0..order.len()).collect(),
            false => (0..order.len()).rev().collect(),
        };
        for row in rows {
            let wanted: Vec<f64> = order[row]
                .iter()
                .map(|&index| {
                    let item = &items[index];
                    let near: Vec<usize> = match (both, round.is_multiple_of(2)) {
                        (true, _) => item.above.iter().chain(&item.below).copied().collect(),
                        (false, true) => item.above.clone(),
                        (false, false) => item.below.clone(),
                    };
                    match near.len() {
                        0 => item.x,
                        count => near.iter().map(|&it| items[it].x).sum::<f64>() / count as f64,
                    }
                })
                .collect();
            let settled = settle(items, &order[row], &wanted);
            for (&index, x) in order[row].iter().zip(settled) {
                items[index].x = x;
            }
        }
    }
}

/// The places nearest to the wanted ones that keep order and distance (least squares, by pooling
/// neighbours that want to overlap).
fn settle(items: &[Item], row: &[usize], wanted: &[f64]) -> Vec<f64> {
    // Sum of weights, weighted sum of wanted places less the offsets, count.
    let mut pools: Vec<(f64, f64, usize)> = Vec::new();
    let mut offsets = Vec::with_capacity(row.len());
    let mut offset = 0.0;
    for (place, &index) in row.iter().enumerate() {
        if place > 0 {
            let before = &items[row[place - 1]];
            offset += (before.width + items[index].width) / 2.0 + GAP;
        }
        offsets.push(offset);
        let weight = items[index].weight;
        pools.push((weight, weight * (wanted[place] - offset), 1));
        while let [.., (w1, s1, n1), (w2, s2, n2)] = pools[..] {
            if s1 / w1 <= s2 / w2 {
                break;
            }
            pools.truncate(pools.len() - 2);
            pools.push((w1 + w2, s1 + s2, n1 + n2));
        }
    }
    let bases = pools
        .into_iter()
        .flat_map(|(weight, sum, count)| std::iter::repeat_n(sum / weight, count));
    bases
        .zip(offsets)
        .map(|(base, offset)| base + offset)
        .collect()
}

/// Heights of layers, one below the other.
fn level(items: &mut [Item], order: &[Vec<usize>]) {
    let mut y = MARGIN;
    for row in order {
        let height = row.iter().map(|&it| items[it].height).fold(4.0, f64::max);
        for &index in row {
            items[index].y = y + height / 2.0;
        }
        y += height + LEVEL;
    }
}

fn finish(graph: &Graph, items: &[Item], passed: &[Vec<usize>], backward: &[bool]) -> Placed {
    let left = items
        .iter()
        .map(|it| it.x - it.width / 2.0)
        .fold(f64::MAX, f64::min);
    let shift = MARGIN - left;
    let right = items
        .iter()
        .map(|it| it.x + it.width / 2.0)
        .fold(0.0, f64::max);
    let bottom = items
        .iter()
        .map(|it| it.y + it.height / 2.0)
        .fold(0.0, f64::max);
    let area = |it: &Item| Area {
        x: it.x + shift,
        y: it.y,
        width: it.width,
        height: it.height,
    };
    let boxes: Vec<Area> = items[..graph.nodes.len()].iter().map(area).collect();
    let ports = ports(items, passed);
    let ways = passed.iter().enumerate().map(|(index, way)| {
        if way.len() < 2 {
            return around(&boxes[way[0]]);
        }
        let (last, begin) = (way[way.len() - 1], &items[way[0]]);
        let end = &items[last];
        let (out, into) = ports.get(&index).copied().unwrap_or((begin.x, end.x));
        let mut points = vec![(out + shift, begin.y + begin.height / 2.0)];
        let mut label = None;
        for &passing in &way[1..way.len() - 1] {
            let it = &items[passing];
            let x = it.x + shift;
            if it.layer.is_multiple_of(2) {
                // Upright past the nodes of the layer; bends are between layers.
                points.extend([(x, it.y - BESIDE), (x, it.y + BESIDE)]);
                continue;
            }
            points.push((x, it.y));
            if it.height > 0.0 {
                label = Some((x, it.y));
            }
        }
        points.push((into + shift, end.y - end.height / 2.0));
        if backward[index] {
            points.reverse();
        }
        let label = label.unwrap_or(points[points.len() / 2]);
        let is_loop = false;
        let points = straighten(&points, label);
        Way {
            points,
            label,
            is_loop,
        }
    });
    let ways: Vec<Way> = ways.collect();
    let loops = ways.iter().filter(|way| way.is_loop);
    let loops = loops.map(|way| way.label.0 + 20.0).fold(0.0, f64::max);
    Placed {
        width: (right + shift).max(loops) + MARGIN,
        height: bottom + MARGIN,
        boxes,
        ways,
    }
}

/// The same line without the points that hardly bend it (after Douglas and Peucker); the one that its
/// label is at stays.
fn straighten(points: &[(f64, f64)], label: (f64, f64)) -> Vec<(f64, f64)> {
    let (Some(&first), Some(&last)) = (points.first(), points.last()) else {
        return Vec::new();
    };
    let (dx, dy) = (last.0 - first.0, last.1 - first.1);
    let length = dx.hypot(dy).max(1.0);
    let away = |(x, y): (f64, f64)| {
        let far = ((x - first.0) * dy - (y - first.1) * dx).abs() / length;
        if (x, y) == label { far + BEND } else { far }
    };
    let inner = (1..points.len().saturating_sub(1)).map(|place| (away(points[place]), place));
    match inner.max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((far, place)) if far >= BEND => {
            let mut before = straighten(&points[..=place], label);
            before.pop();
            before.extend(straighten(&points[place..], label));
            before
        }
        _ => vec![first, last],
    }
}

/// Where lines leave and enter their nodes: side by side, in the order of where they lead.
fn ports(items: &[Item], passed: &[Vec<usize>]) -> BTreeMap<usize, (f64, f64)> {
    let mut out: BTreeMap<usize, Vec<(f64, usize)>> = BTreeMap::new();
    let mut into: BTreeMap<usize, Vec<(f64, usize)>> = BTreeMap::new();
    for (index, way) in passed.iter().enumerate().filter(|(_, way)| way.len() > 1) {
        let (first, last) = (way[0], way[way.len() - 1]);
        out.entry(first).or_default().push((items[way[1]].x, index));
        into.entry(last)
            .or_default()
            .push((items[way[way.len() - 2]].x, index));
    }
    let mut ports: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
    for (ends, is_out) in [(out, true), (into, false)] {
        for (node, mut lines) in ends {
            lines.sort_by(|a, b| a.0.total_cmp(&b.0));
            let room = items[node].width * 0.6;
            let step = (room / lines.len() as f64).min(26.0);
            let begin = items[node].x - step * (lines.len() as f64 - 1.0) / 2.0;
            for (place, (_, line)) in lines.into_iter().enumerate() {
                let x = begin + step * place as f64;
                let port = ports.entry(line).or_insert((x, x));
                match is_out {
                    true => port.0 = x,
                    false => port.1 = x,
                }
            }
        }
    }
    ports
}

/// From a node to itself, at its right side.
fn around(area: &Area) -> Way {
    let right = area.x + area.width / 2.0;
    let (top, bottom) = (area.y - area.height / 4.0, area.y + area.height / 4.0);
    Way {
        points: vec![
            (right, bottom),
            (right + 30.0, bottom + 4.0),
            (right + 30.0, top - 4.0),
            (right, top),
        ],
        label: (right + 36.0, area.y),
        is_loop: true,
    }
}

/// Half the height of a node that a line passes.
const BESIDE: f64 = 21.0;
/// Less than this a line may pass beside where it was laid: half of what is between neighbours.
const BEND: f64 = 9.0;
/// Sweeps over the layers; more change nothing that is seen.
const ROUNDS: usize = 32;
/// Lines between two layers beyond which crossings are not counted further.
const MOST_LINES: usize = 4000;
