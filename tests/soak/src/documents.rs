//! The documents of a run: three servers, and a policy in two states.

/// The issuer of the test tokens.
const ISSUER: &str = r#"
apiVersion: gatehold.io/v1
kind: Issuer
metadata: { name: test }
spec:
  issuer: https://issuer.test
  jwks: { keys: ${JWKS} }
  claims: { user: sub, agent: [azp, client_id], roles: roles, groups: @groups@ }
"#;

/// The OpenID provider and the servers: `crm` is the scripted upstream, `everything` and `desk` are stock servers.
pub const SERVERS: &str = r#"
apiVersion: gatehold.io/v1
kind: Issuer
metadata: { name: demo }
spec:
  issuer: http://127.0.0.1:10083
  refresh: 5m
---
apiVersion: gatehold.io/v1
kind: Server
metadata: { name: crm }
spec:
  path: /crm/mcp
  resource: http://127.0.0.1:10000/crm/mcp
  issuers: [test, demo]
  scopes: [mcp]
  risk: { destructive: ["delete_*"] }
---
apiVersion: gatehold.io/v1
kind: Server
metadata: { name: desk }
spec:
  path: /desk/mcp
  resource: http://127.0.0.1:10000/desk/mcp
  issuers: [test, demo]
  scopes: [mcp]
  risk: { destructive: ["delete_*"] }
---
apiVersion: gatehold.io/v1
kind: Server
metadata: { name: everything }
spec:
  path: /everything/mcp
  resource: http://127.0.0.1:10000/everything/mcp
  issuers: [test, demo]
  scopes: [mcp]
"#;

const POLICY: &str = r#"
apiVersion: gatehold.io/v1
kind: Policy
metadata: { name: support }
spec:
  subjects: { roles: [support] }
  rules:
    - name: read
      allow:
        server: "*"
        tools: ["get_*", "stream_*", echo, slow, get-sum]
        resources: ["crm://public/*", "crm://handbook/*"]
        prompts: [reply]
    - name: refund
      allow: { server: crm, tools: [refund], when: "args.amount <= @limit@.0" }
---
apiVersion: gatehold.io/v1
kind: Policy
metadata: { name: guardrails }
spec:
  rules:
    - name: nothing-is-deleted
      deny: { server: "*", risk: destructive }
"#;

/// Names of the files that change.
pub const POLICY_FILE: &str = "policy.yaml";
/// See [`issuer`].
pub const ISSUER_FILE: &str = "issuer.yaml";

/// The largest refund that both states allow.
pub const ALWAYS: u64 = 100;
/// A refund that only the wide state allows.
pub const SOMETIMES: u64 = 500;
/// A refund that neither allows.
pub const NEVER: u64 = 5000;

/// The issuer of the test tokens in two states, which take the groups, of which nobody has any, from another claim.
#[must_use]
pub fn issuer(changed: bool) -> String {
    ISSUER.replace("@groups@", if changed { "teams" } else { "groups" })
}

/// The policy: in the wide state it allows refunds of [`SOMETIMES`], else only up to [`ALWAYS`].
#[must_use]
pub fn policy(wide: bool) -> String {
    let limit = if wide { 1000 } else { ALWAYS };
    POLICY.replace("@limit@", &limit.to_string())
}
