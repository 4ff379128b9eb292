//! The documents that control serves: one server, one issuer, and a policy in four forms.

/// Where clients find the server.
pub const PATH: &str = "/crm/mcp";
/// The audience of the tokens: one for all the Envoys, wherever they listen.
pub const RESOURCE: &str = "https://bench.test/crm/mcp";
/// The role of the caller.
pub const ROLE: &str = "support";
/// A tool that every policy allows.
pub const ALLOWED: &str = "search_orders";
/// A tool that every policy denies.
pub const DENIED: &str = "delete_orders";

/// How many rules a policy has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rules {
    /// 10.
    Few,
    /// 10,000.
    Many,
}

impl Rules {
    /// The number.
    #[must_use]
    pub fn count(self) -> usize {
        match self {
            Self::Few => 10,
            Self::Many => 10_000,
        }
    }

    /// Tools that are allowed by a rule each, spread over the policy: at most 1,000 of them.
    #[must_use]
    pub fn called(self) -> Vec<String> {
        let single = self.single();
        let step = (single / 1000).max(1);
        (0..single).step_by(step).take(1000).map(tool).collect()
    }

    /// How many rules are about one tool each.
    fn single(self) -> usize {
        self.count().saturating_sub(COMMON)
    }
}

/// Rules that every policy has beside those about one tool.
const COMMON: usize = 4;

fn tool(number: usize) -> String {
    format!("get_report_{number}")
}

const SERVERS: &str = r#"
apiVersion: gatehold.io/v1
kind: Issuer
metadata: { name: test }
spec:
  issuer: https://issuer.test
  jwks: { keys: ${JWKS} }
  claims: { user: sub, agent: [azp, client_id], roles: roles, groups: groups }
---
apiVersion: gatehold.io/v1
kind: Server
metadata: { name: crm }
spec:
  path: /crm/mcp
  resource: https://bench.test/crm/mcp
  issuers: [test]
  scopes: [mcp]
  risk: { destructive: ["delete_*"], financial: [refund], read: ["get_*", "search_*", "list_*"] }
  detection: @detection@
---
apiVersion: gatehold.io/v1
kind: Console
metadata: { name: console }
spec: { url: "http://127.0.0.1:18002", signIn: { issuer: test, clientId: console } }
"#;

/// Who may call which tool, and no more than that.
const PLAIN: &str = r#"
apiVersion: gatehold.io/v1
kind: Policy
metadata: { name: support }
spec:
  subjects: { roles: [support] }
  rules:
    - name: search
      allow: { server: crm, tools: ["search_*"] }
    - name: list
      allow: { server: crm, tools: ["list_*", "get_orders_*", "get_tickets_*"] }
@single@---
apiVersion: gatehold.io/v1
kind: Policy
metadata: { name: leads }
spec:
  subjects: { roles: [support-lead] }
  rules:
    - name: refund
      allow: { server: crm, tools: [refund] }
---
apiVersion: gatehold.io/v1
kind: Policy
metadata: { name: guardrails }
spec:
  rules:
    - name: nothing-is-deleted
      deny: { server: crm, tools: ["delete_*"] }
"#;

/// The same, with conditions on arguments in every rule, risk classes and an approval.
const FULL: &str = r#"
apiVersion: gatehold.io/v1
kind: Policy
metadata: { name: support }
spec:
  subjects: { roles: [support] }
  rules:
    - name: search
      allow: { server: crm, tools: ["search_*"], when: "args.limit <= 100.0 && args.filters.region.startsWith('eu-') && size(args.query) < 200" }
    - name: list
      allow: { server: crm, tools: ["list_*", "get_orders_*", "get_tickets_*"], when: "args.limit <= 100.0" }
@single@---
apiVersion: gatehold.io/v1
kind: Policy
metadata: { name: refunds }
spec:
  subjects: { roles: [support] }
  rules:
    - name: large-refund
      approve: { server: crm, risk: financial, when: "args.amount > 100.0", by: { roles: finance-lead }, within: 15m }
---
apiVersion: gatehold.io/v1
kind: Policy
metadata: { name: guardrails }
spec:
  rules:
    - name: nothing-is-deleted
      deny: { server: "*", risk: destructive }
"#;

/// The file of the issuer and the server, which looks at traffic or does not. `${JWKS}` stands for the keys.
#[must_use]
pub fn servers(detects: bool) -> String {
    SERVERS.replace("@detection@", if detects { "log" } else { "off" })
}

/// The file of the policy: roles and tools only, or everything there is.
#[must_use]
pub fn policy(full: bool, rules: Rules) -> String {
    let (text, condition) = match full {
        false => (PLAIN, ""),
        true => (FULL, ", when: \"args.amount <= 100.0\""),
    };
    let single: String = (0..rules.single())
        .map(|number| {
            format!("    - name: only-{number}\n      allow: {{ server: crm, tools: [{}]{condition} }}\n", tool(number))
        })
        .collect();
    text.trim_start().replace("@single@", &single)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_has_as_many_rules_as_it_says() {
        for full in [false, true] {
            for rules in [Rules::Few, Rules::Many] {
                let text = policy(full, rules);
                assert_eq!(text.matches("    - name: ").count(), rules.count());
                for tool in rules.called().into_iter().take(3) {
                    assert!(text.contains(&format!("tools: [{tool}]")), "{tool}");
                }
            }
        }
        assert_eq!(Rules::Few.called().len(), 6);
        assert_eq!(Rules::Many.called().len(), 1000);
    }
}
