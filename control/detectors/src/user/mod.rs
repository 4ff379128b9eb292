//! Users' rules become automata that the filter loads as they are.

mod automata;
mod pattern;
#[cfg(test)]
mod tests;

use gatehold_detect::{Fold, Pack, Role, Rules, RulesParts, patterns};

use crate::{RuleError, RuleRole, UserRule};

/// Most bytes that the automata of all rules take: every worker of every Envoy keeps them.
const MAX_BYTES: usize = 4 << 20;

/// The pack with these rules instead of those that it had.
///
/// # Errors
/// A rule cannot be compiled; the message says which and why.
pub fn with_rules(pack: Pack, rules: &[UserRule]) -> Result<Pack, RuleError> {
    if rules.is_empty() {
        return Ok(pack.with_rules(Rules::default()));
    }
    let parts = parts(rules, pack.fold())?;
    let rules = Rules::assemble(parts).map_err(|error| RuleError {
        name: rules
            .first()
            .map(|rule| rule.name.clone())
            .unwrap_or_default(),
        reason: error.to_string(),
    })?;
    Ok(pack.with_rules(rules))
}

fn parts(rules: &[UserRule], fold: &Fold) -> Result<RulesParts, RuleError> {
    let mut parts = RulesParts::default();
    let mut expressions = Vec::with_capacity(rules.len());
    let mut bytes = 0;
    for rule in rules {
        let failed = |reason| RuleError {
            name: rule.name.clone(),
            reason,
        };
        let role = role(rule).map_err(failed)?;
        let is_finding = matches!(role, Role::Finding(_));
        let hir = pattern::read(&rule.pattern, is_finding, fold).map_err(failed)?;
        let automaton = automata::anchored(&hir).map_err(failed)?;
        bytes += automaton.len();
        if bytes > MAX_BYTES {
            return Err(failed(too_many()));
        }
        parts.rules.push((rule.name.clone(), role, automaton));
        expressions.push(hir);
    }
    automata::filters(&expressions, &mut parts.filters).map_err(|(number, reason)| RuleError {
        name: rules
            .get(usize::from(number))
            .map(|rule| rule.name.clone())
            .unwrap_or_default(),
        reason,
    })?;
    bytes += parts
        .filters
        .iter()
        .map(|(filter, _)| filter.len())
        .sum::<usize>();
    match rules.last() {
        Some(rule) if bytes > MAX_BYTES => Err(RuleError {
            name: rule.name.clone(),
            reason: too_many(),
        }),
        _ => Ok(parts),
    }
}

fn too_many() -> String {
    format!(
        "with it the rules take more than {} MiB; use fewer or simpler patterns, with shorter repetitions",
        MAX_BYTES >> 20
    )
}

fn role(rule: &UserRule) -> Result<Role, String> {
    match rule.role {
        RuleRole::Finding { weight } => {
            let thousandths = (weight * 1000.0).round();
            if !(1.0..=1_000_000.0).contains(&thousandths) {
                return Err(format!(
                    "weight {weight} is no log odds; write a number above 0 and up to 50"
                ));
            }
            Ok(Role::Finding(thousandths as i32))
        }
        RuleRole::Secret { .. } if patterns().any(|known| known == rule.name) => {
            Err("a pattern that ships has this name; give the rule another one".to_owned())
        }
        RuleRole::Secret { personal: false } => Ok(Role::Secret),
        RuleRole::Secret { personal: true } => Ok(Role::Personal),
    }
}
