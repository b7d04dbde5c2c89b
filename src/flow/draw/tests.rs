//! Pictures: everything is on them, nothing covers another thing.

use super::layout::Area;
use super::*;
use crate::flow::{HangingUp, Rejection, Setting, Splitting};

fn document(ways: &[(&str, &[&str])]) -> Document {
    let steps = ways.iter().map(|(name, to)| {
        let step = match to {
            [] => Step::Hangup(HangingUp {
                cause: Rejection::Busy,
            }),
            [next] => Step::Set(Setting {
                attributes: serde_json::Map::new(),
                next: (*next).to_owned(),
            }),
            several => Step::Split(Splitting {
                shares: several
                    .iter()
                    .map(|next| crate::flow::Share {
                        percent: 10,
                        next: (*next).to_owned(),
                    })
                    .collect(),
            }),
        };
        ((*name).to_owned(), step)
    });
    Document {
        start: ways[0].0.to_owned(),
        steps: steps.collect(),
        ..Document::new("<main & more>")
    }
}

fn overlap(a: &Area, b: &Area) -> bool {
    (a.x - b.x).abs() < (a.width + b.width) / 2.0 && (a.y - b.y).abs() < (a.height + b.height) / 2.0
}

#[test]
fn nothing_covers_another_thing_and_everything_is_inside() {
    let document = document(&[
        ("a", &["b", "c", "d", "hangup"]),
        ("b", &["e"]),
        ("c", &["e", "a"]),
        ("d", &["f", "b", "c", "return"]),
        ("e", &["e", "f"]),
        ("f", &[]),
        ("nobody comes here", &["f"]),
    ]);
    let graph = Graph::of(&document);
    let placed = layout::place(&graph);
    for (index, one) in placed.boxes.iter().enumerate() {
        assert!(one.x - one.width / 2.0 >= 0.0 && one.x + one.width / 2.0 <= placed.width);
        assert!(one.y - one.height / 2.0 >= 0.0 && one.y + one.height / 2.0 <= placed.height);
        for other in &placed.boxes[index + 1..] {
            assert!(!overlap(one, other), "{one:?} {other:?}");
        }
    }
    let labels: Vec<Area> = graph
        .lines
        .iter()
        .zip(&placed.ways)
        .filter(|(line, _)| !line.label.is_empty() && line.from != line.to)
        .map(|(line, way)| Area {
            x: way.label.0,
            y: way.label.1,
            width: layout::text_width(&line.label, 11.0),
            height: 14.0,
        })
        .collect();
    for (index, one) in labels.iter().enumerate() {
        for other in labels[index + 1..].iter().chain(&placed.boxes) {
            assert!(!overlap(one, other), "{one:?} {other:?}");
        }
    }
}

#[test]
fn a_picture_is_xml_with_every_step_escaped() {
    let document = document(&[("a<b>&\"c\"", &["名前"]), ("名前", &["hangup"])]);
    let picture = draw(&document);
    assert!(
        picture.contains("a&lt;b&gt;&amp;&quot;c&quot;"),
        "{picture}"
    );
    assert!(picture.contains(">名前<") && picture.contains("hang up"));
    assert!(!picture.contains("<main"));
    assert_eq!(picture.matches("<path class=\"way").count(), 3);
}

#[test]
fn failures_are_dashed() {
    let steps = [(
        "q".to_owned(),
        Step::Dial(crate::flow::Dialling::new("1001".into(), HANG_UP)),
    )];
    let document = Document {
        start: "q".to_owned(),
        steps: steps.into_iter().collect(),
        ..Document::new("main")
    };
    let picture = draw(&document);
    assert_eq!(picture.matches("class=\"way error\"").count(), 1);
}
