//! `kind: Detectors`: what is looked for beside what ships, and what is never flagged.

use std::collections::HashSet;
use std::path::PathBuf;

use gatehold_detect::{Pack, patterns};
use gatehold_detectors::{RuleRole, UserRule, with_rules};

use crate::fields::{self, Fields};
use crate::format;
use crate::names::{checked, unknown};
use crate::problem::{At, Position, Report};
use crate::suggest::excerpt;
use crate::yaml::{Kind, Node, Value};

/// Most rules of a list.
const MAX_RULES: usize = 256;
/// Most digests.
const MAX_ALLOWED: usize = 10_000;
/// Most that a rule weighs, in log odds: more than all else together.
const MAX_WEIGHT: f64 = 50.0;

/// The `spec` of detectors.
#[derive(Debug)]
pub(crate) struct DetectorsSpec {
    pub(crate) pack: Option<PathBuf>,
    pub(crate) rules: Vec<UserRule>,
    pub(crate) on: Vec<String>,
    pub(crate) off: Vec<String>,
    pub(crate) allow: Vec<[u8; 32]>,
    pub(crate) shadow: Option<ShadowSpec>,
}

/// What is tried beside.
#[derive(Debug)]
pub(crate) struct ShadowSpec {
    /// Absent means the pack in force.
    pub(crate) pack: Option<PathBuf>,
    /// Those in force, with what the shadow says instead of or beside them.
    pub(crate) rules: Vec<UserRule>,
}

/// Reads the `spec`, and compiles the rules once to see that they can be.
pub(crate) fn detectors(spec: &Node, report: &mut Report) -> Option<DetectorsSpec> {
    let what = "the `spec` of detectors";
    let known = ["pack", "rules", "patterns", "allow", "shadow"];
    let fields = Fields::new(spec, what, &known, report)?;
    let before = report.len();
    let pack = pack(&fields, report);
    let rules = rules(&fields, report);
    let switched = fields.get("patterns").and_then(|node| {
        let fields = Fields::new(node, "`patterns`", &["on", "off"], report)?;
        Some(switches(&fields, report))
    });
    let (on, off) = switched.unwrap_or_default();
    let allow = fields.get("allow").map(|node| allow(node, report));
    let shadow = fields.get("shadow").and_then(|node| {
        let fields = Fields::new(node, "`shadow`", &["pack", "rules"], report)?;
        if ["pack", "rules"]
            .iter()
            .all(|name| fields.get(name).is_none())
        {
            let help = "add `rules` or a `pack` to try, or remove `shadow`";
            report.add(node.at, "`shadow` has nothing to try", help.to_owned());
        }
        let pack = self::pack(&fields, report);
        Some((pack, self::rules(&fields, report)))
    });
    if report.len() == before {
        check(&rules, report);
        if let Some((_, rules)) = &shadow {
            check(rules, report);
        }
    }
    let values = |rules: &[At<UserRule>]| rules.iter().map(|rule| rule.value.clone()).collect();
    let shadow = shadow.map(|(pack, tried)| {
        let replaced = |rule: &UserRule| tried.iter().any(|other| other.value.name == rule.name);
        let mut all: Vec<UserRule> = values(&rules);
        all.retain(|rule| !replaced(rule));
        all.extend(values(&tried) as Vec<UserRule>);
        ShadowSpec { pack, rules: all }
    });
    Some(DetectorsSpec {
        pack,
        rules: values(&rules),
        on,
        off,
        allow: allow.unwrap_or_default(),
        shadow,
    })
}

fn pack(fields: &Fields<'_>, report: &mut Report) -> Option<PathBuf> {
    let node = fields.get("pack")?;
    fields::file(node, "`pack`", report)
}

/// Names of patterns of secrets that are turned on, and of those that are turned off.
fn switches(fields: &Fields<'_>, report: &mut Report) -> (Vec<String>, Vec<String>) {
    let known: Vec<&str> = patterns().collect();
    let mut names = |name: &str| {
        let texts = fields.get(name);
        let texts = texts.map(|node| fields::texts(node, &format!("`{name}`"), report));
        let mut texts = texts.unwrap_or_default();
        texts.retain(|text| {
            let is_known = known.contains(&text.value.as_str());
            if !is_known {
                unknown(text, "pattern", &known, report);
            }
            is_known
        });
        texts
    };
    let (on, off) = (names("on"), names("off"));
    for text in &off {
        if on.iter().any(|other| other.value == text.value) {
            let message = format!("`{}` is turned on and off", text.value);
            report.add(text.at, message, "remove one of them".to_owned());
        }
    }
    let values = |texts: Vec<At<String>>| texts.into_iter().map(|text| text.value).collect();
    (values(on), values(off))
}

/// The rules of the field `rules`, each with the place of its pattern.
fn rules(fields: &Fields<'_>, report: &mut Report) -> Vec<At<UserRule>> {
    let Some(node) = fields.get("rules") else {
        return Vec::new();
    };
    let Kind::List(items) = &node.kind else {
        let message = format!("`rules` must be a list, found {}", node.describe());
        let help = "begin each rule with `- `: `- { name: badge, pattern: 'EMP-[0-9]{6}' }`";
        report.add(node.at, message, help.to_owned());
        return Vec::new();
    };
    if items.len() > MAX_RULES {
        let message = format!("more than {MAX_RULES} rules");
        let help = "join patterns with `|`, since every text is read against all of them";
        report.add(node.at, message, help.to_owned());
        return Vec::new();
    }
    let mut names = HashSet::new();
    let mut rules = Vec::with_capacity(items.len());
    for item in items {
        let Some((name_at, rule)) = rule(item, report) else {
            continue;
        };
        if names.insert(rule.value.name.clone()) {
            rules.push(rule);
        } else {
            let message = format!("two rules are named `{}`", rule.value.name);
            report.add(name_at, message, "rename one of them".to_owned());
        }
    }
    rules
}

fn rule(node: &Node, report: &mut Report) -> Option<(Position, At<UserRule>)> {
    #[derive(Clone, Copy, PartialEq)]
    enum Means {
        Finding,
        Secret,
        Personal,
    }
    let known = ["name", "pattern", "means", "weight"];
    let fields = Fields::new(node, "a rule", &known, report)?;
    let help = "name it as findings shall say: `name: badge`";
    let name = fields.require("name", "a rule", help, report);
    let name = name.and_then(|node| fields::text(node, "`name`", report));
    let name = name.and_then(|name| checked(name, "rule name", format::label, report));
    let help = "write a regular expression: `pattern: 'EMP-[0-9]{6}'`";
    let pattern = fields.require("pattern", "a rule", help, report);
    let pattern = pattern.and_then(|node| fields::text(node, "`pattern`", report));
    let known = [
        ("finding", Means::Finding),
        ("secret", Means::Secret),
        ("personal", Means::Personal),
    ];
    let means = fields.get("means");
    let means = means.and_then(|node| fields::one_of(node, "`means`", &known, report));
    let means = means.unwrap_or(Means::Finding);
    let weight = fields.get("weight").and_then(|node| {
        if means != Means::Finding {
            let help = "remove it: what is found counts by itself";
            let message = "`weight` has no meaning for secrets and personal data";
            report.add(node.at, message, help.to_owned());
        }
        weight(node, report)
    });
    let (name, pattern) = (name?, pattern?);
    let role = match means {
        Means::Finding => RuleRole::Finding {
            weight: weight.unwrap_or(MAX_WEIGHT),
        },
        Means::Secret => RuleRole::Secret { personal: false },
        Means::Personal => RuleRole::Secret { personal: true },
    };
    let rule = UserRule {
        name: name.value,
        pattern: pattern.value,
        role,
    };
    let rule = At {
        value: rule,
        at: pattern.at,
    };
    Some((name.at, rule))
}

fn weight(node: &Node, report: &mut Report) -> Option<f64> {
    let written = match &node.kind {
        Kind::Scalar(scalar) => match scalar.value() {
            Value::Number(text) => text.parse::<f64>().ok(),
            _ => None,
        },
        _ => None,
    };
    let weight = written.filter(|weight| *weight > 0.0 && *weight <= MAX_WEIGHT);
    if weight.is_none() {
        let message = format!("`weight` cannot be {}", node.describe());
        let help = format!(
            "write a number above 0 and up to {MAX_WEIGHT}: 1 makes an attack some three times as \
             likely; leave it out to flag whatever matches"
        );
        report.add(node.at, message, help);
    }
    weight
}

fn allow(node: &Node, report: &mut Report) -> Vec<[u8; 32]> {
    let texts = fields::texts(node, "`allow`", report);
    if texts.len() > MAX_ALLOWED {
        let message = format!("`allow` has more than {MAX_ALLOWED} entries");
        let help = "turn `detection` off for what need not be looked at";
        report.add(node.at, message, help.to_owned());
        return Vec::new();
    }
    let texts = texts.into_iter();
    let digests = texts.filter_map(|text| {
        let digest = text.value.strip_prefix("sha256:").and_then(format::sha256);
        if digest.is_none() {
            let written = excerpt(&text.value);
            let message = format!("`{written}` is no digest");
            let help = "write `sha256:` and 64 lower-case hexadecimal digits";
            report.add(text.at, message, help.to_owned());
        }
        digest
    });
    digests.collect()
}

/// Rules that cannot be compiled, where they are written.
fn check(rules: &[At<UserRule>], report: &mut Report) {
    if rules.is_empty() {
        return;
    }
    let values: Vec<UserRule> = rules.iter().map(|rule| rule.value.clone()).collect();
    // The pack that ships takes long to compile, and says nothing about the rules.
    if let Err(error) = with_rules(Pack::default(), &values) {
        let rule = rules.iter().find(|rule| rule.value.name == error.name);
        let at = rule.or(rules.first()).map(|rule| rule.at);
        report.add(at.unwrap_or_default(), error.to_string(), None);
    }
}
