//! Envoy's bootstrap for each variant: the file that users run, with its filter kept, replaced or left out. Listener,
//! routes, clusters and limits are the same in all; the access log is off in all.

use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use gatehold_harness::bootstrap::Bootstrap;

use crate::policy;
use crate::variant::Variant;

/// Where things are.
#[derive(Clone, Copy, Debug)]
pub struct Places<'a> {
    /// Where clients come in.
    pub gateway: u16,
    /// Control's gRPC.
    pub control: u16,
    /// The upstream.
    pub upstream: u16,
    /// The module that is loaded.
    pub wasm: &'a Path,
    /// The keys of the tokens (JSON), for Envoy's own filters.
    pub jwks: &'a str,
}

const FILTER: &str = "                  - name: gatehold\n";
const ROUTER: &str = "                  - name: envoy.filters.http.router\n";
const ACCESS_LOG: &str = "                access_log:\n";
const CLUSTERS: &str = "  clusters:\n";

/// The bootstrap of `variant`, made of `file`, which is `envoy/local/envoy.yaml`.
///
/// # Errors
/// When the file no longer has the places where something is changed.
pub fn render(file: &str, variant: Variant, places: &Places<'_>) -> anyhow::Result<String> {
    let audit = if variant.audits() { "on" } else { "off" };
    let config = format!(
        r#"{{"control_cluster": "gatehold_control", "audit": "{audit}", "audit_overflow": "drop", "unmatched": "deny", "hold_headers": true}}"#
    );
    let bootstrap = Bootstrap {
        gateway: places.gateway,
        admin: 0,
        control: places.control,
        certificates: None,
        crm: places.upstream,
        everything: places.upstream,
        desk: None,
        token: None,
        wasm: places.wasm,
        filter_config: Some(&config),
        from_control: None,
        edits: &[],
    };
    let text = bootstrap.render(file)?;
    let text = replaced(&text, ACCESS_LOG, CLUSTERS, "")?;
    match variant {
        Variant::Rbac | Variant::Audit | Variant::All | Variant::Detect => Ok(text),
        Variant::Passthrough => replaced(&text, FILTER, ROUTER, ""),
        Variant::WasmEmpty => replaced(&text, FILTER, ROUTER, &empty(places.wasm)),
        Variant::EnvoyNative => replaced(&text, FILTER, ROUTER, &native(places.jwks)),
        Variant::McpProxy | Variant::McpAirlock => bail!("`{}` is no Envoy", variant.name()),
    }
}

/// `text` with `new` in place of what stands from `from` up to `to`.
fn replaced(text: &str, from: &str, to: &str, new: &str) -> anyhow::Result<String> {
    let missing = |what: &str| {
        format!(
            "envoy/local/envoy.yaml has no `{}`; change benches/envoy/src/config.rs with it",
            what.trim()
        )
    };
    ensure!(text.matches(from).count() == 1, missing(from));
    let (before, rest) = text.split_once(from).with_context(|| missing(from))?;
    let (_, after) = rest.split_once(to).with_context(|| missing(to))?;
    Ok(format!("{before}{new}{to}{after}"))
}

/// The module that does nothing, in the same setting as ours.
fn empty(wasm: &Path) -> String {
    format!(
        r#"                  - name: empty
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
                      config:
                        name: empty
                        vm_config:
                          vm_id: empty
                          runtime: envoy.wasm.runtime.v8
                          code: {{ local: {{ filename: {} }} }}
                        allow_on_headers_stop_iteration: true
                        failure_policy: FAIL_RELOAD
"#,
        wasm.display()
    )
}

/// Envoy's own filters, doing what they can of the policy in [`policy`]: tokens, roles and names of tools. They cannot
/// filter lists, read arguments that are arrays, answer in JSON-RPC, audit, or look at results. Verified tokens are
/// remembered, as ours are. The limit on bodies is raised from 8 KB, beyond which calls would be refused.
fn native(jwks: &str) -> String {
    let permission = |path: &[&str], matcher: &str| {
        let keys: Vec<String> = path.iter().map(|key| format!("{{ key: {key} }}")).collect();
        format!(
            "{{ sourced_metadata: {{ metadata_matcher: {{ filter: envoy.filters.http.mcp, path: [{}], value: {{ string_match: {{ {matcher} }} }} }} }} }}",
            keys.join(", ")
        )
    };
    let named = |matcher: &str| permission(&["params", "name"], matcher);
    let allowed: Vec<String> = [
        "prefix: search_",
        "prefix: list_",
        "prefix: get_orders_",
        "prefix: get_tickets_",
    ]
    .into_iter()
    .map(named)
    .chain(
        policy::Rules::Few
            .called()
            .iter()
            .map(|tool| named(&format!("exact: {tool}"))),
    )
    .collect();
    let lists = permission(&["method"], "exact: tools/list");
    let starts = permission(&["method"], "exact: initialize");
    format!(
        r#"                  - name: envoy.filters.http.jwt_authn
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication
                      providers:
                        test:
                          issuer: {issuer}
                          audiences: ["{audience}"]
                          local_jwks: {{ inline_string: '{jwks}' }}
                          payload_in_metadata: jwt
                          jwt_cache_config: {{ jwt_cache_size: 10000 }}
                      rules: [{{ match: {{ prefix: / }}, requires: {{ provider_name: test }} }}]
                  - name: envoy.filters.http.mcp
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.mcp.v3.Mcp
                      traffic_mode: REJECT_NO_MCP
                      max_request_body_size: 1048576
                  - name: envoy.filters.http.rbac
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC
                      rules:
                        action: ALLOW
                        policies:
                          support:
                            permissions:
                              - and_rules:
                                  rules:
                                    - {call}
                                    - or_rules:
                                        rules:
                                          - {allowed}
                              - {lists}
                              - {starts}
                            principals:
                              - sourced_metadata:
                                  metadata_matcher:
                                    filter: envoy.filters.http.jwt_authn
                                    path: [{{ key: jwt }}, {{ key: roles }}]
                                    value: {{ list_match: {{ one_of: {{ string_match: {{ exact: {role} }} }} }} }}
"#,
        issuer = gatehold_harness::tokens::ISSUER,
        audience = policy::RESOURCE,
        role = policy::ROLE,
        call = permission(&["method"], "exact: tools/call"),
        allowed = allowed.join("\n                                          - "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = include_str!("../../../envoy/local/envoy.yaml");

    fn rendered(variant: Variant) -> String {
        let places = Places {
            gateway: 1111,
            control: 2222,
            upstream: 3333,
            wasm: Path::new("/x/y.wasm"),
            jwks: r#"{"keys":[]}"#,
        };
        render(FILE, variant, &places).unwrap()
    }

    #[test]
    fn variants_differ_in_their_filter_only() {
        for variant in Variant::ALL {
            let text = rendered(variant);
            let name = variant.name();
            assert_eq!(
                text.contains("root_id: gatehold"),
                variant.is_ours(),
                "{name}"
            );
            assert_eq!(
                text.contains("name: empty"),
                variant == Variant::WasmEmpty,
                "{name}"
            );
            assert_eq!(
                text.contains("filters.http.rbac"),
                variant == Variant::EnvoyNative,
                "{name}"
            );
            assert_eq!(text.contains(r#""audit":"on""#), variant.audits(), "{name}");
            assert!(
                !text.contains("access_log") && text.contains("port_value: 3333 "),
                "{name}"
            );
            let rest = |text: &str| {
                let (before, rest) = text.split_once("http_filters:\n").unwrap();
                format!("{before}{}", rest.split_once(ROUTER).unwrap().1)
            };
            assert_eq!(rest(&text), rest(&rendered(Variant::Passthrough)), "{name}");
        }
    }

    #[test]
    fn a_file_without_the_places_is_refused() {
        assert!(replaced("a b c", "a ", "c", "").is_ok());
        assert!(replaced("a b c", "x", "c", "").is_err());
        assert!(replaced("a b c", "a", "x", "").is_err());
    }
}
