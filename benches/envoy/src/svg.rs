//! The picture: CPU over passing through, and what is added to latency. Its colors do on a light page and on a dark one.

use crate::report::ratio;
use crate::series::Results;
use crate::variant::Variant;

const WIDTH: f64 = 860.0;
/// Where bars begin, and how long the longest may be.
const LEFT: f64 = 210.0;
const LENGTH: f64 = 560.0;
const BAR: f64 = 13.0;
const STEP: f64 = 17.0;

/// The cases that are shown, if they were measured.
const SHOWN: [(&str, &str); 5] = [
    ("call-2k", "call with 2 KB"),
    ("call-100k", "call with 100 KB"),
    ("result-10k", "result of 10 KB"),
    ("list-10", "list of 10 tools"),
    ("cold-token", "call, new token"),
];

/// One bar.
struct Bar {
    variant: Variant,
    value: f64,
    text: String,
}

/// The picture of a run as SVG.
#[must_use]
pub fn picture(results: &Results) -> String {
    let mut body = String::new();
    let mut y = 34.0;
    heading(
        &mut body,
        y,
        "CPU per request, over Envoy without a filter (= 1)",
    );
    y += 14.0;
    let groups: Vec<(&str, Vec<Bar>)> = SHOWN
        .iter()
        .map(|(case, label)| {
            (
                *label,
                bars(
                    results,
                    |variant| Some((ratio(results, case, variant)?, "x")),
                    2,
                ),
            )
        })
        .collect();
    y = chart(&mut body, y, &groups, Some(1.0));
    let added: Vec<(&str, Vec<Bar>)> = [("p50", false), ("p99", true)]
        .into_iter()
        .map(|(label, high)| {
            let value = |variant| {
                let found = results.added("call-2k", variant, |series| {
                    if high { &series.p99 } else { &series.p50 }
                });
                Some((found?.median / 1000.0, " ms"))
            };
            (label, bars(results, value, 3))
        })
        .collect();
    y += 34.0;
    let rate = results.rates.get("call-2k").copied().unwrap_or_default();
    heading(
        &mut body,
        y,
        &format!("Added latency of a call with 2 KB, at {rate:.0} requests per second"),
    );
    y += 14.0;
    y = chart(&mut body, y, &added, None);
    y += 26.0;
    let cpu = results
        .machine
        .get("cpu")
        .and_then(serde_json::Value::as_str)
        .unwrap_or("unknown CPU");
    body.push_str(&format!(
        "<text class=\"m\" x=\"16\" y=\"{y:.0}\">One Envoy worker on one CPU ({}); medians over rounds in turn. `make bench` draws this.</text>\n",
        escaped(cpu)
    ));
    let height = y + 16.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height:.0}\" viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\">\n\
         <title>What Envoy costs per request with and without the filter</title>\n\
         <style>text {{ font: 12px system-ui, sans-serif; fill: #1f2328 }} .h {{ font-size: 15px; font-weight: 600 }} .m {{ fill: #59636e }} \
         .l {{ stroke: #59636e; stroke-dasharray: 3 3 }} @media (prefers-color-scheme: dark) {{ text {{ fill: #f0f6fc }} .m {{ fill: #9198a1 }} .l {{ stroke: #9198a1 }} }}</style>\n\
         {body}</svg>\n"
    )
}

fn heading(body: &mut String, y: f64, text: &str) {
    body.push_str(&format!(
        "<text class=\"h\" x=\"16\" y=\"{y:.0}\">{}</text>\n",
        escaped(text)
    ));
}

fn bars(
    results: &Results,
    value: impl Fn(Variant) -> Option<(f64, &'static str)>,
    digits: usize,
) -> Vec<Bar> {
    let shown = results
        .variants
        .iter()
        .filter(|variant| **variant != Variant::Passthrough);
    let bar = |variant: &Variant| {
        let (value, unit) = value(*variant)?;
        Some(Bar {
            variant: *variant,
            value,
            text: format!("{value:.digits$}{unit}"),
        })
    };
    shown.filter_map(bar).collect()
}

/// Draws groups of bars on one scale, with a line at `mark`; says where it ends.
fn chart(body: &mut String, top: f64, groups: &[(&str, Vec<Bar>)], mark: Option<f64>) -> f64 {
    let values = groups
        .iter()
        .flat_map(|(_, bars)| bars)
        .map(|bar| bar.value);
    let most = values.chain(mark).fold(1e-9, f64::max);
    let scale = LENGTH / most;
    let mut y = top;
    for (label, bars) in groups.iter().filter(|(_, bars)| !bars.is_empty()) {
        y += 8.0;
        for (row, bar) in bars.iter().enumerate() {
            let base = y + BAR - 2.0;
            if row == 0 {
                body.push_str(&format!(
                    "<text x=\"16\" y=\"{base:.1}\">{}</text>\n",
                    escaped(label)
                ));
            }
            let length = (bar.value * scale).max(1.0);
            body.push_str(&format!(
                "<text class=\"m\" x=\"{:.0}\" y=\"{base:.1}\" text-anchor=\"end\">{}</text>\
                 <rect x=\"{LEFT}\" y=\"{y:.1}\" width=\"{length:.1}\" height=\"{BAR}\" rx=\"2\" fill=\"{}\"/>\
                 <text x=\"{:.1}\" y=\"{base:.1}\">{}</text>\n",
                LEFT - 6.0,
                bar.variant.name(),
                color(bar.variant),
                LEFT + length + 6.0,
                escaped(&bar.text)
            ));
            y += STEP;
        }
    }
    if let Some(mark) = mark {
        let x = LEFT + mark * scale;
        body.push_str(&format!(
            "<line class=\"l\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top:.1}\" y2=\"{y:.1}\"/>\n"
        ));
    }
    y
}

fn color(variant: Variant) -> &'static str {
    match variant {
        Variant::Passthrough | Variant::WasmEmpty => "#8c959f",
        Variant::EnvoyNative => "#bf8700",
        Variant::Rbac => "#54aeff",
        Variant::Audit => "#218bff",
        Variant::All => "#0969da",
        Variant::Detect => "#0a3069",
        Variant::McpProxy | Variant::McpAirlock => "#bf3989",
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::tests::results;

    /// Whether every element that is opened is closed, in order, and nothing stands bare that must not.
    fn is_well_formed(xml: &str) -> bool {
        let mut open: Vec<&str> = Vec::new();
        for part in xml.split('<').skip(1) {
            let Some((tag, text)) = part.split_once('>') else {
                return false;
            };
            if text.contains('>')
                || text
                    .replace("&amp;", "")
                    .replace("&lt;", "")
                    .replace("&gt;", "")
                    .contains('&')
            {
                return false;
            }
            if tag.matches('"').count() % 2 != 0 {
                return false;
            }
            if let Some(name) = tag.strip_prefix('/') {
                if open.pop() != Some(name) {
                    return false;
                }
            } else if !tag.ends_with('/') {
                open.push(tag.split(' ').next().unwrap_or_default());
            }
        }
        open.is_empty()
    }

    #[test]
    fn the_picture_is_well_formed_and_shows_what_was_measured() {
        let picture = picture(&results());
        assert!(is_well_formed(&picture), "{picture}");
        assert!(!is_well_formed("<a><b></a></b>") && !is_well_formed("<a>&</a>"));
        for expected in [
            "1.30x",
            "envoy-native",
            "0.090 ms",
            "a &lt;fast&gt; one &amp; more",
            "prefers-color-scheme: dark",
        ] {
            assert!(picture.contains(expected), "{expected} in {picture}");
        }
        assert!(!picture.contains("list of 10 tools"), "{picture}");
    }

    #[test]
    fn a_picture_of_nothing_is_one_too() {
        assert!(is_well_formed(&picture(&Results::default())));
    }
}
