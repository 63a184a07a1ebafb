//! The graph as SVG: a column per stage, a curve per need.

use super::{Graph, Node, Start};
use crate::report::text;

/// Longest name in characters; longer ones are cut in their middle, and whole in the tooltip.
const LONGEST: usize = 36;
/// Width of a character, height of a box and the room between boxes and columns, in pixels.
const CHARACTER: usize = 8;
const BOX: usize = 40;
const GAP: usize = 16;
const COLUMN_GAP: usize = 72;
const MARGIN: usize = 24;
/// Height of the title and of the names of stages.
const HEAD: usize = 84;

/// Colours that keep their contrast on light and on dark ground; a viewer that knows neither gets the light
/// ones.
const STYLE: &str = "\
svg { color-scheme: light dark; font: 13px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace }
.ground { fill: #ffffff } .name { fill: #1f2328 } .remark { fill: #59636e; font-size: 11px }
.title { fill: #59636e } .stage { fill: #1f2328; font-weight: bold }
rect.job { fill: #f6f8fa; stroke: #818b98 } rect.mayfail { fill: #fff8e6; stroke: #b08800 }
rect.manual { fill: #f6f1fd; stroke: #8250df; stroke-dasharray: 6 3 }
rect.held { fill: #f6f1fd; stroke: #8250df; stroke-dasharray: 2 3 }
.need { fill: none; stroke: #0969da; stroke-width: 1.5; opacity: .75 } .order { fill: none; stroke: #818b98 }
@media (prefers-color-scheme: dark) {
.ground { fill: #0d1117 } .name, .stage { fill: #e6edf3 } .title, .remark { fill: #9198a1 }
rect.job { fill: #161b22; stroke: #656c76 } rect.mayfail { fill: #272115; stroke: #d29922 }
rect.manual, rect.held { fill: #211a2e; stroke: #ab7df8 }
.need { stroke: #4493f8 } .order { stroke: #656c76 } }";

/// Where a job's box is.
struct Place {
    x: usize,
    y: usize,
    width: usize,
}

/// The graph as an SVG document: child pipelines stand below the one that starts them.
pub fn svg(graph: &Graph) -> String {
    let mut body = String::new();
    let (width, height) = pipeline(graph, 0, &mut body);
    let height = height + MARGIN;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>{title}</title>\n<style>{STYLE}</style>\n<rect class=\"ground\" width=\"{width}\" height=\"{height}\"/>\n{body}</svg>\n",
        title = escaped(&graph.title),
    )
}

/// Draws a pipeline and its child pipelines from `top` on, and gives the width of all and where they end.
fn pipeline(graph: &Graph, top: usize, out: &mut String) -> (usize, usize) {
    let (places, columns) = places(graph, top);
    let title = escaped(&graph.title);
    out.push_str(&format!("<text class=\"title\" x=\"{MARGIN}\" y=\"{}\">{title}</text>\n", top + 30));
    for (at, (name, (x, column))) in graph.stages.iter().zip(&columns).enumerate() {
        let name = escaped(&shortened(name));
        out.push_str(&format!("<text class=\"stage\" x=\"{x}\" y=\"{}\">{name}</text>\n", top + 64));
        if at + 1 < graph.stages.len() {
            // An arrow in the head: the next stage waits for this one.
            let (from, to, y) = (x + column + 14, x + column + COLUMN_GAP - 14, top + 60);
            out.push_str(&format!("<path class=\"order\" d=\"M{from} {y}H{to}m-5 -4 5 4-5 4\"/>\n"));
        }
    }
    for (from, to) in graph.edges() {
        out.push_str(&format!("<path class=\"need\" d=\"{}\"/>\n", curve(&places[from], &places[to])));
    }
    for (job, place) in graph.jobs.iter().zip(&places) {
        out.push_str(&node(job, place));
    }
    let width = columns.last().map_or(0, |(x, width)| x + width) + MARGIN;
    let width = width.max(2 * MARGIN + graph.title.chars().count() * CHARACTER);
    let end = places.iter().map(|place| place.y + BOX).max().unwrap_or(top + HEAD);
    graph.children().fold((width, end), |(width, end), (_, child)| {
        let (wide, end) = pipeline(child, end + MARGIN, out);
        (width.max(wide), end)
    })
}

/// The boxes of the jobs, and left edge and width of each column.
fn places(graph: &Graph, top: usize) -> (Vec<Place>, Vec<(usize, usize)>) {
    let mut columns = Vec::new();
    let mut x = MARGIN;
    for (at, stage) in graph.stages.iter().enumerate() {
        let jobs = graph.in_stage(at);
        let names = jobs.map(|(_, job)| job.name.as_str()).chain([stage.as_str()]);
        let longest = names.map(|name| text::width(&shortened(name))).max().unwrap_or(0).max(12);
        let remarks = graph.in_stage(at).filter_map(|(_, job)| job.remark());
        // remarks are smaller, and have a mark before them
        let remark = remarks.map(|remark| text::width(&remark) * 7 + 16).max().unwrap_or(0);
        let width = (longest * CHARACTER).max(remark) + 2 * 12;
        columns.push((x, width));
        x += width + COLUMN_GAP;
    }
    let mut filled = vec![0; graph.stages.len()];
    let place = |job: &Node| {
        let (x, width) = columns[job.stage];
        let y = top + HEAD + filled[job.stage] * (BOX + GAP);
        filled[job.stage] += 1;
        Place { x, y, width }
    };
    (graph.jobs.iter().map(place).collect(), columns)
}

/// From the right edge of one box to the left edge of the other; within one column, around its right side.
fn curve(from: &Place, to: &Place) -> String {
    let (x1, y1) = (from.x + from.width, from.y + BOX / 2);
    let y2 = to.y + BOX / 2;
    if from.x == to.x {
        let (x2, out) = (to.x + to.width, x1 + COLUMN_GAP / 2);
        return format!("M{x1} {y1}C{out} {y1} {out} {y2} {x2} {y2}m6 -4 -6 4 6 4");
    }
    let middle = (x1 + to.x) / 2;
    format!("M{x1} {y1}C{middle} {y1} {middle} {y2} {} {y2}m-6 -4 6 4-6 4", to.x)
}

fn node(job: &Node, place: &Place) -> String {
    let Place { x, y, width } = place;
    let (left, remark) = (x + 12, job.remark());
    let baseline = y + if remark.is_some() { 17 } else { 25 };
    let class = job.class();
    let mark = if job.start == Start::Automatic { "" } else { "\u{23f8}\u{fe0e} " };
    let remark = remark.map_or_else(String::new, |remark| {
        format!("<text class=\"remark\" x=\"{left}\" y=\"{}\">{mark}{}</text>", y + 32, escaped(&remark))
    });
    format!(
        "<g><title>{}</title><rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{BOX}\" rx=\"6\"/><text class=\"name\" x=\"{left}\" y=\"{baseline}\">{}</text>{remark}</g>\n",
        escaped(&job.name),
        escaped(&shortened(&job.name)),
    )
}

fn shortened(name: &str) -> String {
    text::cut_middle(&text::bare(name), LONGEST, &crate::report::Theme::PLAIN)
}

/// Text for XML.
fn escaped(text: &str) -> String {
    let text = text::bare(text);
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::{super::tests::graph, *};

    #[test]
    fn a_pipeline_as_svg() {
        insta::assert_snapshot!(svg(&graph()));
    }

    #[test]
    fn no_two_boxes_overlap() {
        let (places, _) = places(&graph(), 0);
        for (at, one) in places.iter().enumerate() {
            for other in &places[at + 1..] {
                let apart =
                    one.x + one.width < other.x || one.y + BOX < other.y || other.x + other.width < one.x;
                assert!(apart, "{} {} and {} {}", one.x, one.y, other.x, other.y);
            }
        }
    }
}
