//! Policies.

use gatehold_engine::{
    Approval, PolicySource, RiskAssignment, Rule, RuleEffect, Subjects, Targets,
};

use crate::expr::{expr_from_wire, expr_to_wire};
use crate::push::{self, rule};
use crate::{Problem, WireError};

/// The rules and risk classes of one server, as [`push::Server`] holds them.
///
/// # Errors
///
/// A condition that is nested too deep, or whose macro lacks a part.
pub fn policy_to_wire(
    policy: &PolicySource,
) -> Result<(Vec<push::Rule>, Vec<push::RiskAssignment>), WireError> {
    let PolicySource {
        server: _,
        rules,
        risks,
    } = policy;
    let rules = rules.iter().map(rule_to_wire).collect::<Result<_, _>>()?;
    let risks = risks
        .iter()
        .map(|RiskAssignment { tools, classes }| push::RiskAssignment {
            tools: tools.clone(),
            classes: classes.clone(),
        });
    Ok((rules, risks.collect()))
}

/// The policy of one server.
///
/// # Errors
///
/// The first rule that lacks a part, names something that this version does not know, or is nested too
/// deep. A rule is never left out: the whole server is refused.
pub fn policy_from_wire(server: &push::Server) -> Result<PolicySource, WireError> {
    let rules = server
        .rules
        .iter()
        .enumerate()
        .map(|(index, rule)| rule_from_wire(index, rule));
    let risks = server
        .risks
        .iter()
        .map(|push::RiskAssignment { tools, classes }| RiskAssignment {
            tools: tools.clone(),
            classes: classes.clone(),
        });
    Ok(PolicySource {
        server: server.name.clone(),
        rules: rules.collect::<Result<_, _>>()?,
        risks: risks.collect(),
    })
}

/// What one `approve` rule requires.
pub fn approval_to_wire(approval: &Approval) -> push::Approve {
    let Approval {
        roles,
        users,
        within_seconds,
        quorum,
        reason_required,
        self_approval,
    } = approval;
    push::Approve {
        roles: roles.clone(),
        users: users.clone(),
        within_seconds: *within_seconds,
        quorum: *quorum,
        reason_required: *reason_required,
        self_approval: *self_approval,
    }
}

/// The same, back.
pub fn approval_from_wire(approval: &push::Approve) -> Approval {
    let push::Approve {
        roles,
        users,
        within_seconds,
        quorum,
        reason_required,
        self_approval,
    } = approval;
    Approval {
        roles: roles.clone(),
        users: users.clone(),
        within_seconds: *within_seconds,
        quorum: *quorum,
        reason_required: *reason_required,
        self_approval: *self_approval,
    }
}

fn rule_to_wire(rule: &Rule) -> Result<push::Rule, WireError> {
    let Rule {
        id,
        effect,
        subjects,
        targets,
        when,
    } = rule;
    let effect = match effect {
        RuleEffect::Allow => rule::Effect::Allow(push::Allow {}),
        RuleEffect::Deny => rule::Effect::Deny(push::Deny {}),
        RuleEffect::Approve(approval) => rule::Effect::Approve(approval_to_wire(approval)),
    };
    let Subjects {
        users,
        agents,
        roles,
        groups,
    } = subjects.clone();
    let subjects = push::Subjects {
        users,
        agents,
        roles,
        groups,
    };
    let Targets {
        tools,
        risks,
        resources,
        prompts,
        methods,
    } = targets.clone();
    let targets = push::Targets {
        tools,
        risks,
        resources,
        prompts,
        methods,
    };
    let when = when.as_ref().map(expr_to_wire).transpose();
    Ok(push::Rule {
        id: id.clone(),
        effect: Some(effect),
        subjects: Some(subjects),
        targets: Some(targets),
        when: when.map_err(|problem| WireError::Rule {
            rule: id.clone(),
            field: "when",
            problem,
        })?,
    })
}

fn rule_from_wire(index: usize, rule: &push::Rule) -> Result<Rule, WireError> {
    let push::Rule {
        id,
        effect,
        subjects,
        targets,
        when,
    } = rule;
    let error = |field, problem| {
        let rule = if id.is_empty() {
            format!("#{}", index + 1)
        } else {
            id.clone()
        };
        WireError::Rule {
            rule,
            field,
            problem,
        }
    };
    let missing = |field| error(field, Problem::Missing);
    if id.is_empty() {
        return Err(missing("id"));
    }
    let effect = match effect.as_ref().ok_or_else(|| missing("effect"))? {
        rule::Effect::Allow(push::Allow {}) => RuleEffect::Allow,
        rule::Effect::Deny(push::Deny {}) => RuleEffect::Deny,
        rule::Effect::Approve(approval) => RuleEffect::Approve(approval_from_wire(approval)),
    };
    // An absent message would read as "everyone" and "nothing"; a sender that means that says so.
    let push::Subjects {
        users,
        agents,
        roles,
        groups,
    } = subjects.clone().ok_or_else(|| missing("subjects"))?;
    let push::Targets {
        tools,
        risks,
        resources,
        prompts,
        methods,
    } = targets.clone().ok_or_else(|| missing("targets"))?;
    let when = when.as_ref().map(expr_from_wire).transpose();
    Ok(Rule {
        id: id.clone(),
        effect,
        subjects: Subjects {
            users,
            agents,
            roles,
            groups,
        },
        targets: Targets {
            tools,
            risks,
            resources,
            prompts,
            methods,
        },
        when: when.map_err(|problem| error("when", problem))?,
    })
}
