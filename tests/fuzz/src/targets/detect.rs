//! Detection: any bytes have a verdict, the same however they arrive and whether they are skimmed or read closely, and
//! with places that are in the text.

use std::sync::LazyLock;

use gatehold_detect::{Context, Kind, Pack, Scan, Verdict, redact, scan, trace};

use super::choices;

/// Beyond that, texts are read in pieces, which end elsewhere in an escaped text.
const ONE_PIECE: usize = 4096;

static PACK: LazyLock<Pack> = LazyLock::new(|| {
    let bytes = gatehold_detectors::compile(&[]).unwrap().to_bytes();
    Pack::load(&bytes).unwrap()
});

/// The input is a text as it is on the wire, plain or JSON.
pub fn detect(data: &[u8]) {
    let tools = ["read_file".to_owned(), "send".to_owned()];
    let context = Context {
        tools: &tools,
        request: data.get(..data.len() / 2).unwrap_or_default(),
    };
    let mut rng = choices(data);
    for kind in Kind::ALL {
        let whole = scan(&PACK, kind, context, data);
        within(&whole, data.len());
        for most in [1, 2, 1 << rng.u32(2..8)] {
            let mut scan = Scan::new(&PACK, kind, context);
            let mut rest = data;
            while !rest.is_empty() {
                let (part, others) = rest.split_at(rng.usize(1..=most).min(rest.len()));
                scan.feed(part);
                rest = others;
            }
            assert_eq!(scan.finish(), whole, "in parts of at most {most}");
        }
        closely(kind, context, data, &whole);
        escaped(kind, context, data, &whole);
        let spans: Vec<_> = whole.findings.iter().map(|it| it.span.clone()).collect();
        let _ = redact(data, &spans, "[withheld]");
    }
    for fired in trace(&PACK, context, data) {
        assert!(fired.start <= fired.end && fired.end as usize <= data.len());
    }
}

/// Skimming loses nothing.
fn closely(kind: Kind, context: Context<'_>, data: &[u8], quick: &Verdict) {
    let mut scan = Scan::close(&PACK, kind, context);
    scan.feed(data);
    let close = scan.finish();
    assert!(quick.flagged || !close.flagged, "{quick:?}\n{close:?}");
    if data.len() <= ONE_PIECE {
        assert_eq!(quick.flagged, close.flagged, "{quick:?}\n{close:?}");
    }
    assert_eq!(quick.secrets, close.secrets);
}

fn within(verdict: &Verdict, length: usize) {
    assert!((0.0..=1.0).contains(&verdict.score), "{}", verdict.score);
    let spans = verdict.findings.iter().map(|it| &it.span);
    for span in spans.chain(verdict.secrets.iter().map(|it| &it.span)) {
        assert!(
            span.start <= span.end && span.end <= length,
            "{span:?} of {length}"
        );
    }
}

/// As the value of a string, and of a string in a string, a text is flagged as it is by itself.
fn escaped(kind: Kind, context: Context<'_>, data: &[u8], whole: &Verdict) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if data.len() > ONE_PIECE / 4 {
        return;
    }
    let once = serde_json::Value::from(text).to_string();
    let twice = serde_json::Value::from(once.as_str()).to_string();
    for text in [once, twice] {
        let verdict = scan(&PACK, kind, context, text.as_bytes());
        assert_eq!(
            verdict.flagged, whole.flagged,
            "{text}\n{verdict:?}\n{whole:?}"
        );
    }
}
