//! What a decision costs with 10,000 rules and tools, compared with 10 of each.
//!
//! The last lines say the ratio for each shape of policy, twice: for ten different calls spread over the
//! policy, which is the cost of deciding among more rules, and for calls that never come again, which
//! adds the cost of fetching each rule from memory that no cache keeps near.
#![expect(clippy::print_stdout, reason = "the ratios are what the bench is for")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput, measurement::WallTime};
use gatehold_engine::{
    Arguments, BinaryOp, Expr, Literal, PolicySource, Principal, Query, RiskAssignment, Rule,
    RuleEffect, ServerPolicy, Subjects, Target, Targets, Var,
};
use serde_json::{Map, Value, json};

const SMALL: usize = 10;
const LARGE: usize = 10_000;
/// Calls that are timed together.
const BATCH: usize = 32;

/// What the rules of a policy are like.
#[derive(Clone, Copy)]
enum Shape {
    /// One tool by name, for one role.
    Exact,
    /// All tools with a prefix, for one role.
    Prefix,
    /// The same tool for everyone, each rule for another role.
    Roles,
    /// One tool by name, with a condition on the arguments.
    When,
    /// One tool by name, and one rule that denies a risk class.
    Risk,
}

impl Shape {
    const ALL: [(&'static str, Self); 5] = [
        ("exact", Self::Exact),
        ("prefix", Self::Prefix),
        ("roles", Self::Roles),
        ("when", Self::When),
        ("risk", Self::Risk),
    ];

    fn rule(self, position: usize) -> Rule {
        let (tool, roles) = match self {
            Self::Exact | Self::When | Self::Risk => (tool(position), vec!["support".to_owned()]),
            Self::Prefix => (format!("area{position}_*"), vec!["support".to_owned()]),
            Self::Roles => ("refund".to_owned(), vec![role(position)]),
        };
        Rule {
            id: format!("policy/{position}"),
            effect: RuleEffect::Allow,
            subjects: Subjects {
                roles,
                ..Subjects::default()
            },
            targets: Targets {
                tools: vec![tool],
                ..Targets::default()
            },
            when: matches!(self, Self::When).then(condition),
        }
    }

    fn policy(self, count: usize) -> Option<ServerPolicy> {
        let mut rules: Vec<Rule> = (0..count).map(|position| self.rule(position)).collect();
        if matches!(self, Self::Risk) {
            rules.pop();
            rules.push(Rule {
                effect: RuleEffect::Deny,
                subjects: Subjects::default(),
                targets: Targets {
                    tools: vec!["*".to_owned()],
                    risks: vec!["destructive".to_owned()],
                    ..Targets::default()
                },
                ..self.rule(count)
            });
        }
        let risks = (0..count).map(|position| RiskAssignment {
            tools: vec![tool(position)],
            classes: vec![
                if position % 2 == 0 {
                    "read"
                } else {
                    "destructive"
                }
                .to_owned(),
            ],
        });
        let source = PolicySource {
            server: "crm".to_owned(),
            rules,
            risks: risks.collect(),
        };
        ServerPolicy::new(source).ok()
    }

    /// Who asks for which tool: that many calls, evenly spread over the rules.
    fn calls(self, count: usize, distinct: usize) -> Vec<(Principal, String)> {
        let call = |position| match self {
            Self::Roles => (principal(role(position)), "refund".to_owned()),
            _ => (principal("support".to_owned()), tool(position)),
        };
        (0..count).step_by(count / distinct).map(call).collect()
    }
}

fn tool(position: usize) -> String {
    format!("area{position}_get_record")
}

fn role(position: usize) -> String {
    format!("team-{position}")
}

fn principal(role: String) -> Principal {
    Principal {
        user: "ann".to_owned(),
        agent: "helper".to_owned(),
        roles: vec!["staff".to_owned(), role],
        groups: vec!["emea".to_owned()],
        claims: Map::new(),
    }
}

/// `args.amount <= 100.0 && args.currency == "EUR"`
fn condition() -> Expr {
    let field = |name: &str| {
        Box::new(Expr::Select(
            Box::new(Expr::Var(Var::Args)),
            name.to_owned(),
        ))
    };
    let hundred = serde_json::Number::from(100);
    Expr::And(
        Box::new(Expr::Binary(
            BinaryOp::LessOrEqual,
            field("amount"),
            Box::new(Expr::Literal(Literal::Number(hundred))),
        )),
        Box::new(Expr::Binary(
            BinaryOp::Equal,
            field("currency"),
            Box::new(Expr::Literal(Literal::String("EUR".to_owned()))),
        )),
    )
}

/// Measures one policy and returns the median cost of a decision.
///
/// Each call is copied before it is timed, as a request is read just before it is decided: what is far
/// away in memory is the policy, not the question. Calls are timed a few at a time, so that the median
/// leaves out the times when another process had the processor.
fn measure(
    group: &mut BenchmarkGroup<'_, WallTime>,
    shape: Shape,
    count: usize,
    distinct: usize,
) -> Option<Duration> {
    let policy = shape.policy(count)?;
    let calls = shape.calls(count, distinct);
    let arguments = match json!({"amount": 42.5, "currency": "EUR", "note": "late delivery"}) {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    let mut samples = Vec::new();
    let mut position = 0;
    group.bench_function(format!("{count} rules, {distinct} calls"), |bencher| {
        bencher.iter_custom(|iterations| {
            let mut total = Duration::ZERO;
            for _ in 0..iterations {
                let mut batch = Vec::with_capacity(BATCH);
                for _ in 0..BATCH {
                    // The step has no factor in common with either count, so all calls come in turn.
                    position = (position + 7919) % distinct;
                    batch.extend(calls.get(position).cloned());
                }
                let start = Instant::now();
                for (principal, tool) in &batch {
                    let query = Query {
                        principal,
                        target: Target::Tool(tool),
                        arguments: Arguments::Known(&arguments),
                        findings: None,
                    };
                    black_box(policy.decide(black_box(&query)));
                }
                let elapsed = start.elapsed();
                samples.push(elapsed / u32::try_from(BATCH).unwrap_or(1));
                total += elapsed;
            }
            total
        });
    });
    samples.sort_unstable();
    samples.get(samples.len() / 2).copied()
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut ratios = Vec::new();
    for (name, shape) in Shape::ALL {
        let mut group = criterion.benchmark_group(format!("decide/{name}"));
        group.sampling_mode(SamplingMode::Flat);
        group.throughput(Throughput::Elements(BATCH as u64));
        group.warm_up_time(Duration::from_millis(500));
        group.measurement_time(Duration::from_secs(2));
        let small = measure(&mut group, shape, SMALL, SMALL);
        let large = measure(&mut group, shape, LARGE, SMALL);
        let far = measure(&mut group, shape, LARGE, LARGE);
        group.finish();
        if let (Some(small), Some(large), Some(far)) = (small, large, far) {
            ratios.push((name, small, large, far));
        }
    }
    criterion.final_summary();
    for (name, small, large, far) in ratios {
        let times = |cost: Duration| cost.as_secs_f64() / small.as_secs_f64();
        println!(
            "decide/{name}: 10,000 rules cost {:.2}x of 10 ({} and {} ns); {:.2}x if no call comes again ({} ns)",
            times(large),
            large.as_nanos(),
            small.as_nanos(),
            times(far),
            far.as_nanos(),
        );
    }
}
