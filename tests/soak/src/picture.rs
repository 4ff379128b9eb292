//! Memory and latency over time, as an SVG.

use std::fmt::Write as _;

use crate::disturb::Mark;
use crate::report::{Report, mark_name};

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 210.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 56.0;
/// Between the panels.
const GAP: f64 = 60.0;
const COLORS: [&str; 4] = ["#1f6feb", "#8250df", "#d1242f", "#1a7f37"];

/// A line of a panel.
#[derive(Debug)]
struct Line<'a> {
    name: &'a str,
    points: Vec<(f64, f64)>,
}

/// The picture: memory of the judged parts above, latency of single exchanges below, and when control was killed and
/// workers lost their VM.
#[must_use]
pub fn svg(report: &Report) -> String {
    let memory: Vec<Line<'_>> = report
        .found
        .memory
        .iter()
        .filter(|memory| memory.bound.is_some() && memory.name != "control, longest life")
        .map(|memory| Line {
            name: memory.name,
            points: memory.series.samples().to_vec(),
        })
        .collect();
    let latency: Vec<Line<'_>> = [("p50", 0.5), ("p99", 0.99), ("max", 1.0)]
        .into_iter()
        .map(|(name, share)| Line {
            name,
            points: report
                .found
                .counts
                .slices
                .iter()
                .map(|(number, latencies)| {
                    let at = (f64::from(*number) + 0.5) * report.found.slice;
                    (at, latencies.ms(share))
                })
                .collect(),
        })
        .collect();
    let length = report.found.took.as_secs_f64().max(1.0);
    let marks = &report.found.done.marks;
    let total = TOP + 2.0 * HEIGHT + GAP + 40.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {total}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        LEFT + WIDTH + 20.0
    );
    text(
        &mut out,
        LEFT,
        18.0,
        &format!(
            "{} requests per second, {} workers; grey: {}, red: {}",
            report.options.rate,
            report.options.workers,
            mark_name(Mark::Reload),
            mark_name(Mark::Kill)
        ),
    );
    panel(&mut out, TOP, "resident MB", &memory, length, marks, false);
    let second = TOP + HEIGHT + GAP;
    panel(
        &mut out,
        second,
        "ms, single exchanges",
        &latency,
        length,
        marks,
        true,
    );
    for step in 0..=4 {
        let share = f64::from(step) / 4.0;
        let at = format!("{:.0} s", length * share);
        text(
            &mut out,
            LEFT + WIDTH * share - 20.0,
            second + HEIGHT + 22.0,
            &at,
        );
    }
    out.push_str("</svg>\n");
    out
}

fn panel(
    out: &mut String,
    top: f64,
    unit: &str,
    lines: &[Line<'_>],
    length: f64,
    marks: &[(f64, Mark)],
    logarithmic: bool,
) {
    let scale = |value: f64| {
        if logarithmic {
            value.max(0.1).log10()
        } else {
            value
        }
    };
    let values = lines.iter().flat_map(|line| &line.points);
    let most = values
        .map(|(_, value)| scale(*value))
        .fold(scale(1.0), f64::max);
    let (low, high) = if logarithmic {
        (-1.0, most.ceil().max(0.0))
    } else {
        (0.0, (most / 50.0).ceil() * 50.0)
    };
    let x = |at: f64| LEFT + at / length * WIDTH;
    let y = |value: f64| top + HEIGHT - (scale(value) - low) / (high - low) * HEIGHT;
    for (at, mark) in marks {
        let (color, x) = (
            if *mark == Mark::Kill {
                "#ffb3b3"
            } else {
                "#d0d0d0"
            },
            x(*at),
        );
        let bottom = top + HEIGHT;
        let _ = writeln!(
            out,
            "<line x1=\"{x:.1}\" y1=\"{top}\" x2=\"{x:.1}\" y2=\"{bottom}\" stroke=\"{color}\"/>"
        );
    }
    for step in 0..=4 {
        let value = low + (high - low) * f64::from(step) / 4.0;
        let shown = if logarithmic {
            10.0_f64.powf(value)
        } else {
            value
        };
        let y = y(shown);
        let right = LEFT + WIDTH;
        let _ = writeln!(
            out,
            "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\" stroke=\"#eee\"/>"
        );
        let digits = usize::from(shown < 10.0);
        text(out, 14.0, y + 4.0, &format!("{shown:.digits$}"));
    }
    text(out, LEFT, top - 8.0, unit);
    for (number, line) in lines.iter().enumerate() {
        let color = COLORS.get(number % COLORS.len()).unwrap_or(&"black");
        let points: Vec<String> = line
            .points
            .iter()
            .map(|(at, value)| format!("{:.1},{:.1}", x(*at), y(*value)))
            .collect();
        let _ = writeln!(
            out,
            "<polyline fill=\"none\" stroke=\"{color}\" stroke-width=\"1.5\" points=\"{}\"/>",
            points.join(" ")
        );
        // As many as there are lines fit beside each other.
        let at = LEFT + 200.0 + f64::from(u32::try_from(number).unwrap_or_default()) * 230.0;
        let _ = write!(out, "<g fill=\"{color}\">");
        text(out, at, top - 8.0, line.name);
        out.push_str("</g>\n");
    }
}

fn text(out: &mut String, x: f64, y: f64, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let _ = write!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_and_mark_is_drawn_inside_its_panel() {
        let lines = [
            Line {
                name: "a < b",
                points: vec![(0.0, 0.01), (60.0, 2000.0)],
            },
            Line {
                name: "none",
                points: Vec::new(),
            },
        ];
        for logarithmic in [false, true] {
            let mut out = String::new();
            let marks = [(30.0, Mark::Kill)];
            panel(&mut out, TOP, "ms", &lines, 60.0, &marks, logarithmic);
            assert_eq!(out.matches("<polyline").count(), 2, "{out}");
            assert!(out.contains("a &lt; b") && out.contains("#ffb3b3"), "{out}");
            let points = out.split("points=\"").nth(1).unwrap();
            for pair in points.split('"').next().unwrap().split(' ') {
                let (x, y) = pair.split_once(',').unwrap();
                let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
                assert!((LEFT..=LEFT + WIDTH).contains(&x), "{pair}");
                assert!((TOP..=TOP + HEIGHT).contains(&y), "{pair}");
            }
        }
    }
}
