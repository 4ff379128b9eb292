//! The delay of an event: the upstream stamps each when it sends it, the client when its bytes arrive, on one clock.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use gatehold_harness::{Answer, Call, Harness, Step, message};
use serde_json::json;

use crate::memory::resident_mb;
use crate::tally::quantile;
use crate::world::CRM;

/// Between two looks at Envoy's memory.
const LOOK: Duration = Duration::from_millis(20);
/// How fast a steady upstream sends.
const STEADY: f64 = 1000.0;

/// What one stream came to.
#[derive(Clone, Debug)]
pub struct Delays {
    /// How the stream went: `direct` or `through the filter`, and at which pace.
    pub name: String,
    /// Events that came, in order and byte for byte as they were sent.
    pub events: usize,
    /// How long the whole stream took.
    pub took: Duration,
    /// Microseconds from the sending of an event to its arrival, sorted.
    pub micros: Vec<u64>,
    /// Resident memory of Envoy before, at most meanwhile, and after, in MB.
    pub envoy: [f64; 3],
}

impl Delays {
    /// The delay below which that share of the events lies, in microseconds.
    #[must_use]
    pub fn quantile(&self, of: f64) -> u64 {
        quantile(&self.micros, of)
    }

    /// A line of [`table`].
    #[must_use]
    pub fn row(&self) -> String {
        let [before, peak, after] = self.envoy;
        format!(
            "| {} | {} | {:.2} | {} | {} | {} | {before:.1} | {peak:.1} | {after:.1} |",
            self.name,
            self.events,
            self.took.as_secs_f64(),
            self.quantile(0.5),
            self.quantile(0.99),
            self.quantile(1.0),
        )
    }
}

/// Delays side by side.
#[must_use]
pub fn table(all: &[Delays]) -> String {
    let mut lines = vec![
        "| stream | events | s | p50 µs | p99 µs | max µs | Envoy MB before | peak | after |"
            .to_owned(),
        "|---|---|---|---|---|---|---|---|---|".to_owned(),
    ];
    lines.extend(all.iter().map(Delays::row));
    lines.join("\n")
}

/// Sends streams of `events` events directly and through the filter, at a steady pace and as fast as it goes. The
/// harness has to have the recorder behind `/crm/mcp`, and a policy that lets people in support use `get_orders`.
///
/// # Errors
/// When a stream breaks off, or an event is missing, changed, or out of order.
pub async fn compare(harness: &Harness, events: u64) -> anyhow::Result<Vec<Delays>> {
    // The first stream through Envoy pays for buffers and heap that later ones use again.
    measure(harness, true, events / 10, None).await?;
    let mut all = Vec::new();
    for pace in [Some(STEADY), None] {
        for filtered in [false, true] {
            all.push(measure(harness, filtered, events, pace).await?);
        }
    }
    Ok(all)
}

async fn measure(
    harness: &Harness,
    filtered: bool,
    events: u64,
    pace: Option<f64>,
) -> anyhow::Result<Delays> {
    let clock = Instant::now();
    let sent = Arc::new(Mutex::new(Vec::new()));
    script(harness, clock, events, pace, Arc::clone(&sent));
    let call = json!({ "name": "get_orders", "arguments": {} });
    let token = harness.token("alice", &["support"], CRM)?;
    let call = message::legacy(if filtered { CRM } else { "/mcp" }, "tools/call", &call);
    let (call, port): (Call, u16) = if filtered {
        (call.bearer(&token), harness.port())
    } else {
        (call, harness.recorder.port())
    };

    let mut watch = Watch::new(harness.envoy.id());
    let begin = Instant::now();
    let mut exchange = call.open(port).await?;
    anyhow::ensure!(exchange.status() == 200, "{}", exchange.status());
    let mut reader = Reader::default();
    while let Some(chunk) = exchange.chunk().await? {
        let now = clock.elapsed();
        reader.take(&chunk, now)?;
        watch.look();
    }
    let took = begin.elapsed();
    let sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
    anyhow::ensure!(*sent == reader.bytes, "the stream was changed on its way");
    let count = u64::try_from(reader.micros.len())?;
    anyhow::ensure!(count == events, "{count} events of {events} came");
    reader.micros.sort_unstable();
    let pace = pace.map_or_else(
        || "at full speed".to_owned(),
        |pace| format!("{pace} a second"),
    );
    let way = if filtered {
        "through the filter"
    } else {
        "direct"
    };
    Ok(Delays {
        name: format!("{way}, {pace}"),
        events: reader.micros.len(),
        took,
        micros: reader.micros,
        envoy: watch.end(),
    })
}

/// Lets the upstream send `events` stamped events and the result, and keep in `sent` what it sent.
fn script(
    harness: &Harness,
    clock: Instant,
    events: u64,
    pace: Option<f64>,
    sent: Arc<Mutex<Vec<u8>>>,
) {
    harness.recorder.answer(move |request| {
        let id = request.json().get("id").cloned().unwrap_or_default();
        let sent = Arc::clone(&sent);
        Answer::events().step(Step::writer(move |mut pen| {
            let (id, sent) = (id.clone(), Arc::clone(&sent));
            async move {
                let begin = tokio::time::Instant::now();
                for number in 0..events {
                    if let Some(pace) = pace {
                        let step = Duration::from_secs_f64(1.0 / pace);
                        tokio::time::sleep_until(begin + step * u32::try_from(number).ok()?).await;
                    }
                    let note = json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": {
                        "level": "info", "data": "an order was found", "number": number,
                        "sent": u64::try_from(clock.elapsed().as_micros()).ok()?,
                    } });
                    let event = format!("event: message\ndata: {note}\n\n");
                    keep(&sent, &event);
                    if !pen.send(event).await {
                        return None;
                    }
                }
                let last = json!({ "jsonrpc": "2.0", "id": id, "result": { "content": [] } });
                let last = format!("event: message\ndata: {last}\n\n");
                keep(&sent, &last);
                pen.send(last).await.then_some(pen)
            }
        }))
    });
}

fn keep(sent: &Mutex<Vec<u8>>, event: &str) {
    let mut sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
    sent.extend_from_slice(event.as_bytes());
}

/// Reads stamps out of what arrives.
#[derive(Debug, Default)]
struct Reader {
    bytes: Vec<u8>,
    /// Where the first event starts that has not ended.
    start: usize,
    micros: Vec<u64>,
}

impl Reader {
    fn take(&mut self, chunk: &[u8], now: Duration) -> anyhow::Result<()> {
        self.bytes.extend_from_slice(chunk);
        let now = u64::try_from(now.as_micros())?;
        loop {
            let rest = self.bytes.get(self.start..).unwrap_or_default();
            let Some(end) = rest.windows(2).position(|pair| pair == b"\n\n") else {
                return Ok(());
            };
            let event = std::str::from_utf8(rest.get(..end).unwrap_or_default())?;
            self.start = self.start.saturating_add(end).saturating_add(2);
            let Some((_, stamp)) = event.split_once("\"sent\":") else {
                continue;
            };
            let digits = stamp.split(|c: char| !c.is_ascii_digit()).next();
            let sent: u64 = digits.unwrap_or_default().parse().context("a stamp")?;
            self.micros.push(now.saturating_sub(sent));
        }
    }
}

/// Envoy's memory while a stream flows.
struct Watch {
    process: Option<u32>,
    before: f64,
    peak: f64,
    next: Instant,
}

impl Watch {
    fn new(process: Option<u32>) -> Self {
        let before = process.and_then(resident_mb).unwrap_or_default();
        Self {
            process,
            before,
            peak: before,
            next: Instant::now(),
        }
    }

    fn look(&mut self) {
        if Instant::now() >= self.next {
            self.next = Instant::now() + LOOK;
            self.peak = self.now().max(self.peak);
        }
    }

    fn now(&self) -> f64 {
        self.process.and_then(resident_mb).unwrap_or_default()
    }

    fn end(&self) -> [f64; 3] {
        let after = self.now();
        [self.before, self.peak.max(after), after]
    }
}
