//! A storm: any messages, in any pieces, with any legal order of events, while any host call may fail and
//! control, clock and configuration do what they want.
//!
//! `CHAOS_SECONDS=1800 make chaos` goes on that long; `CHAOS_SEED=…` repeats one run.

mod answer;
mod dice;
mod play;
mod request;
mod weather;

use std::env;
use std::io::Write as _;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use dice::Dice;
use gatehold_hostsim::{Control, Sim, fixture};
use play::Play;
use serde_json::json;
use weather::Weather;

/// Runs when nobody says for how long.
const RUNS: u64 = 250;

const CONFIGS: [&str; 4] = [
    fixture::CONFIG,
    fixture::CONFIG,
    super::chaos::GO_AHEAD,
    super::chaos::REFUSE,
];

/// What a number of runs came to.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    runs: u64,
    exchanges: u64,
    forwarded: u64,
    /// Runs in which a host call failed.
    struck: u64,
}

#[test]
fn nothing_passes_unjudged_in_any_weather() {
    let number = |name| {
        env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().expect("a number"))
    };
    let mut tally = Tally::default();
    if let Some(seed) = number("CHAOS_SEED") {
        run(seed, &mut tally);
    } else if let Some(seconds) = number("CHAOS_SECONDS") {
        long(Duration::from_secs(seconds), &mut tally);
    } else {
        (0..RUNS).for_each(|seed| run(seed, &mut tally));
        // Who refuses everything lets nothing pass either.
        assert!(tally.forwarded * 10 > tally.exchanges, "{tally:?}");
        assert!(tally.struck * 4 > tally.runs, "{tally:?}");
    }
}

/// Runs for so long, and says how it goes.
fn long(time: Duration, tally: &mut Tally) {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock after 1970");
    let first = u64::from(now.subsec_nanos()) << 32;
    let start = Instant::now();
    let mut told = start;
    say(&format!("seeds from {first}"));
    while start.elapsed() < time {
        run(first + tally.runs, tally);
        if told.elapsed() > Duration::from_secs(10) {
            told = Instant::now();
            say(&format!(
                "{} seconds: {tally:?}, {} MiB",
                start.elapsed().as_secs(),
                resident()
            ));
        }
    }
    say(&format!("done: {tally:?}, {} MiB", resident()));
}

/// Memory of this process, 0 where the system does not tell.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = pages
        .split(' ')
        .nth(1)
        .and_then(|it| it.parse::<u64>().ok());
    pages.unwrap_or_default() * 4 / 1024
}

/// Past what the test harness captures, which an abort would take along.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "storm: {text}");
}

/// A panic in the filter ends the process; its seed must be known.
fn tell_seed(seed: u64) {
    static SEED: AtomicU64 = AtomicU64::new(0);
    static HOOK: Once = Once::new();
    SEED.store(seed, Ordering::Relaxed);
    HOOK.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if std::thread::current().name().is_some_and(|name| name.starts_with("storm")) {
                let seed = SEED.load(Ordering::Relaxed);
                say(&format!("failed; to see it again: CHAOS_SEED={seed} cargo test -p gatehold-hostsim storm"));
            }
            hook(panic);
        }));
    });
}

/// One run: a worker, and what happens to it.
fn run(seed: u64, tally: &mut Tally) {
    tell_seed(seed);
    tally.runs += 1;
    let mut dice = Dice::new(seed);
    let config = CONFIGS[dice.below(CONFIGS.len())];
    let ahead = config == super::chaos::GO_AHEAD;
    let builder = Sim::builder(config);
    let builder = if ahead {
        builder.without_holding()
    } else {
        builder
    };
    let Some(sim) = builder.start() else {
        panic!("the filter takes its configuration while nothing fails");
    };
    let mut weather = Weather::new(config, &mut dice);
    weather.begin(&sim, &mut dice);
    exchanges(&sim, &mut weather, ahead, &mut dice, tally);
    if dice.percent(10) {
        weather.reload(&sim);
        exchanges(&sim, &mut weather, ahead, &mut dice, tally);
    }
    tally.struck += u64::from(sim.struck());
    recover(&sim, config);
}

fn exchanges(sim: &Sim, weather: &mut Weather, ahead: bool, dice: &mut Dice, tally: &mut Tally) {
    let mut plays: Vec<Play<'_>> = Vec::new();
    let mut end = |play: Play<'_>| {
        tally.exchanges += 1;
        tally.forwarded += u64::from(play.end(!sim.struck()));
    };
    for _ in 0..20 + dice.below(150) {
        if plays.len() < 4 && dice.percent(15) || plays.is_empty() {
            plays.push(Play::new(
                sim,
                dice,
                ahead,
                weather.is_settled(sim),
                &weather.policies,
            ));
        } else if dice.percent(8) {
            weather.change(sim, dice);
            for play in &mut plays {
                play.meanwhile(&weather.policies, weather.is_settled(sim));
            }
        } else {
            let at = dice.below(plays.len());
            if !plays[at].go_on(dice) {
                end(plays.swap_remove(at));
            }
        }
    }
    plays.into_iter().for_each(end);
    sim.check();
}

/// Once nothing fails any more, the worker serves again, and keeps nothing of what was.
fn recover(sim: &Sim, config: &str) {
    sim.set_faults(&[]);
    sim.set_control(Control::Up);
    if sim.roots().is_empty() {
        assert!(
            sim.configure(config),
            "the filter takes its configuration again"
        );
    }
    sim.advance(12_000);
    sim.push(&fixture::resources());
    let body = fixture::call("get_user", json!({ "id": 1 }));
    let token = fixture::token(&["support"]);
    let mut exchange = sim.exchange();
    exchange.request(&fixture::headers(&token), &body);
    exchange.response(fixture::JSON, &fixture::result(json!({})));
    let outcome = exchange.finish();
    assert_eq!(
        outcome.upstream_body(),
        body,
        "the worker does not recover: {outcome:?}"
    );
    drop(exchange);
    sim.events();
    assert_eq!(sim.open_exchanges(), 0);
    for root in sim.roots() {
        sim.retire(root);
    }
    sim.advance(12_000);
    assert_eq!(sim.roots(), [0_u32; 0], "a root that serves nobody stays");
    sim.check();
}
