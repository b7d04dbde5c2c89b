//! A picture as SVG: no scripts, no fonts of its own, everything escaped.

use std::fmt::Write as _;

use super::layout::{Area, Placed, Way, text_width};
use super::{Graph, Node, Shape};

/// Writes a picture.
pub(super) fn write(name: &str, graph: &Graph, placed: &Placed) -> String {
    let (width, height) = (placed.width.ceil(), placed.height.ceil());
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\" font-family=\"{FONTS}\">\n\
         <title>{}</title>\n<style>{STYLE}</style>\n{ARROWS}\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
        escape(name)
    );
    for (line, way) in graph.lines.iter().zip(&placed.ways) {
        let class = if line.is_error { "way error" } else { "way" };
        let arrow = if line.is_error {
            "arrow-error"
        } else {
            "arrow"
        };
        let _ = writeln!(
            text,
            "<path class=\"{class}\" marker-end=\"url(#{arrow})\" d=\"{}\"/>",
            curve(way)
        );
    }
    for (line, way) in graph.lines.iter().zip(&placed.ways) {
        if line.label.is_empty() {
            continue;
        }
        let (x, y) = way.label;
        let width = text_width(&line.label, 11.0) + 8.0;
        let class = if line.is_error {
            "label error"
        } else {
            "label"
        };
        let _ = writeln!(
            text,
            "<rect class=\"paper\" x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"16\"/>\
             <text class=\"{class}\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>",
            x - width / 2.0,
            y - 8.0,
            y + 4.0,
            escape(&line.label)
        );
    }
    for (node, area) in graph.nodes.iter().zip(&placed.boxes) {
        node_as_svg(&mut text, node, area);
    }
    text.push_str("</svg>\n");
    text
}

fn node_as_svg(text: &mut String, node: &Node, area: &Area) {
    let Area {
        x,
        y,
        width,
        height,
    } = *area;
    let (left, top) = (x - width / 2.0, y - height / 2.0);
    let (right, bottom) = (x + width / 2.0, y + height / 2.0);
    let rectangle = |class: &str, radius: f64| {
        format!(
            "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" \
             height=\"{height:.1}\" rx=\"{radius:.1}\"/>"
        )
    };
    let polygon = |class: &str, points: &[(f64, f64)]| {
        let points = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}"));
        let points = points.collect::<Vec<_>>().join(" ");
        format!("<polygon class=\"{class}\" points=\"{points}\"/>")
    };
    let shape = match node.shape {
        Shape::Start => format!("<circle class=\"start\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"8\"/>"),
        Shape::End => rectangle("end", height / 2.0),
        Shape::Say => rectangle("say", 8.0),
        Shape::Note => rectangle("note", 2.0),
        Shape::Reach => rectangle("reach", height / 2.0),
        Shape::Ask => {
            let points = [
                (left + 14.0, top),
                (right - 14.0, top),
                (right, bottom),
                (left, bottom),
            ];
            polygon("ask", &points)
        }
        Shape::Decide => {
            let points = [
                (left, y),
                (left + 18.0, top),
                (right - 18.0, top),
                (right, y),
                (right - 18.0, bottom),
                (left + 18.0, bottom),
            ];
            polygon("decide", &points)
        }
        Shape::Outside | Shape::Part => {
            let class = match node.shape {
                Shape::Part => "part",
                _ => "outside",
            };
            let bars = format!(
                "<path class=\"{class}\" fill=\"none\" d=\"M{:.1} {top:.1}V{bottom:.1}M{:.1} \
                 {top:.1}V{bottom:.1}\"/>",
                left + 8.0,
                right - 8.0
            );
            rectangle(class, 2.0) + &bars
        }
    };
    let _ = writeln!(text, "{shape}");
    match (node.title.is_empty(), node.detail.is_empty()) {
        (true, _) => {}
        (false, true) => {
            let (y, title) = (y + 4.5, escape(&node.title));
            let _ = writeln!(
                text,
                "<text class=\"only\" x=\"{x:.1}\" y=\"{y:.1}\">{title}</text>"
            );
        }
        (false, false) => {
            let (title, detail) = (escape(&node.title), escape(&node.detail));
            let _ = writeln!(
                text,
                "<text class=\"title\" x=\"{x:.1}\" y=\"{:.1}\">{title}</text>\
                 <text class=\"detail\" x=\"{x:.1}\" y=\"{:.1}\">{detail}</text>",
                y - 2.5,
                y + 13.5
            );
        }
    }
}

/// A line through its points, upright at both ends.
fn curve(way: &Way) -> String {
    let points = &way.points;
    if way.is_loop
        && let [a, b, c, d] = points[..]
    {
        return format!(
            "M{:.1} {:.1}C{:.1} {:.1} {:.1} {:.1} {:.1} {:.1}",
            a.0, a.1, b.0, b.1, c.0, c.1, d.0, d.1
        );
    }
    let Some(&(x, y)) = points.first() else {
        return String::new();
    };
    let mut path = format!("M{x:.1} {y:.1}");
    let last = points.len() - 1;
    let down = if points[last].1 >= y { 1.0 } else { -1.0 };
    // In the direction of its neighbours; upright where it leaves and enters.
    let along = |place: usize| {
        if place == 0 || place == last {
            return (0.0, down);
        }
        let ((x1, y1), (x2, y2)) = (points[place - 1], points[place + 1]);
        let length = (x2 - x1).hypot(y2 - y1).max(1.0);
        ((x2 - x1) / length, (y2 - y1) / length)
    };
    for place in 1..=last {
        let ((x1, y1), (x2, y2)) = (points[place - 1], points[place]);
        let reach = (x2 - x1).hypot(y2 - y1) * 0.38;
        let ((u1, v1), (u2, v2)) = (along(place - 1), along(place));
        let _ = write!(
            path,
            "C{:.1} {:.1} {:.1} {:.1} {x2:.1} {y2:.1}",
            x1 + u1 * reach,
            y1 + v1 * reach,
            x2 - u2 * reach,
            y2 - v2 * reach
        );
    }
    path
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}

const FONTS: &str = "'Noto Sans', 'Noto Sans CJK JP', 'DejaVu Sans', sans-serif";
const STYLE: &str = "text{text-anchor:middle;fill:#1f2937}\
.title{font-size:14px;font-weight:600}.detail{font-size:11px;fill:#4b5563}.only{font-size:12px}\
.label{font-size:11px;fill:#374151}.label.error{fill:#b42318}.paper{fill:#fff;fill-opacity:.9}\
.way{fill:none;stroke:#6b7280;stroke-width:1.4}.way.error{stroke:#d0564b;stroke-dasharray:5 4}\
.start{fill:#1f2937}.end{fill:#f3f4f6;stroke:#1f2937;stroke-width:1.6}\
.say{fill:#e8f1fd;stroke:#3b78c3}.ask{fill:#fdf3d8;stroke:#b98708}\
.decide{fill:#f0e9fb;stroke:#7a55b5}.note{fill:#f6f6f4;stroke:#8a8a80}\
.outside{fill:#e6f6f4;stroke:#2b8a7e}.reach{fill:#e5f5e6;stroke:#3c8a42;stroke-width:1.6}\
.part{fill:#fbeaf1;stroke:#b0487c}";
const ARROWS: &str = "<defs>\
<marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
orient=\"auto\"><path d=\"M0 0.8L7.5 4L0 7.2z\" fill=\"#6b7280\"/></marker>\
<marker id=\"arrow-error\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" \
markerHeight=\"8\" orient=\"auto\"><path d=\"M0 0.8L7.5 4L0 7.2z\" fill=\"#d0564b\"/></marker></defs>";
