//! Envoy's bootstrap: the file that users run, with other ports put in.

use std::env;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::certificates::Certificates;
use crate::error::HarnessError;

/// The file as it is in the repository, made for the default ports.
pub const BOOTSTRAP: &str = "envoy/local/envoy.yaml";

/// Variable that names another file of the repository instead: `envoy/istio/as-envoy.yaml` tests what Istio makes of a
/// `WasmPlugin`.
pub const VARIABLE: &str = "GATEHOLD_BOOTSTRAP";

/// The file that Envoy is to be started on, by its path in the repository.
#[must_use]
pub fn chosen() -> String {
    env::var(VARIABLE)
        .ok()
        .filter(|path| !path.is_empty())
        .unwrap_or_else(|| BOOTSTRAP.to_owned())
}

/// Whether headers go upstream before the verdict, as they do where Istio sets the filter up.
#[must_use]
pub fn headers_go_ahead() -> bool {
    chosen().contains("/istio/")
}

/// The one of an Envoy that gets its filter from control.
pub const ECDS_BOOTSTRAP: &str = "envoy/local/envoy-ecds.yaml";

/// Ports of `envoy/local/envoy.yaml`, and of the demo's documents.
pub mod defaults {
    /// Where clients come in.
    pub const GATEWAY: u16 = 10000;
    /// Envoy's admin interface.
    pub const ADMIN: u16 = 9901;
    /// Control's gRPC.
    pub const CONTROL_GRPC: u16 = 18000;
    /// Control's HTTP.
    pub const CONTROL_HTTP: u16 = 18001;
    /// Control's console.
    pub const CONSOLE: u16 = 18002;
    /// The OpenID provider.
    pub const PROVIDER: u16 = 10083;
    /// The MCP server `crm`.
    pub const CRM: u16 = 10081;
    /// The MCP server `everything`.
    pub const EVERYTHING: u16 = 10082;
}

/// What is put into the bootstrap.
#[derive(Clone, Debug)]
pub struct Bootstrap<'a> {
    /// Where clients come in.
    pub gateway: u16,
    /// Envoy's admin interface; 0 lets Envoy choose.
    pub admin: u16,
    /// Control's gRPC.
    pub control: u16,
    /// What proves to control who Envoy is, and to Envoy who control is, if they are to.
    pub certificates: Option<&'a Certificates>,
    /// The MCP server behind `/crm/mcp`.
    pub crm: u16,
    /// The MCP server behind `/everything/mcp`.
    pub everything: u16,
    /// One more MCP server, behind `/desk/mcp`, if there is to be one.
    pub desk: Option<u16>,
    /// A token that requests get which carry none, for clients that cannot send one.
    pub token: Option<&'a str>,
    /// The filter's file, as Envoy will see it.
    pub wasm: &'a Path,
    /// The filter's configuration (JSON), if not the one in the file.
    pub filter_config: Option<&'a str>,
    /// Node id and cluster of an Envoy that gets its filter from control, where `wasm` and `filter_config` mean nothing.
    pub from_control: Option<(&'a str, &'a str)>,
    /// What else is to be different, for tests of set-ups that are wrong: text that stands in the file once, and what
    /// stands there instead, with `@wasm@` for the filter's file.
    pub edits: &'a [(String, String)],
}

impl Bootstrap<'_> {
    /// The file of the repository that it is made of: that of [`chosen`], unless the filter comes from control.
    #[must_use]
    pub fn file(&self) -> String {
        match self.from_control {
            Some(_) => ECDS_BOOTSTRAP.to_owned(),
            None => chosen(),
        }
    }

    /// The bootstrap with these values in it. Only values change: what is tested is the file that users run.
    ///
    /// # Errors
    /// [`HarnessError::Unexpected`] if the file no longer has one place for each value.
    pub fn render(&self, file: &str) -> Result<String, HarnessError> {
        let mut text = file.to_owned();
        let ports = [
            (defaults::GATEWAY, self.gateway),
            (defaults::ADMIN, self.admin),
            (defaults::CONTROL_GRPC, self.control),
            (defaults::CRM, self.crm),
            (defaults::EVERYTHING, self.everything),
        ];
        // In two rounds, because a new port may be the default of another.
        for (default, _) in ports {
            put(
                &mut text,
                &format!("port_value: {default} "),
                &format!("port_value: @{default}@ "),
            )?;
        }
        for (default, port) in ports {
            put(&mut text, &format!("@{default}@"), &port.to_string())?;
        }
        match self.from_control {
            None => put(
                &mut text,
                "filename: target/gatehold.wasm",
                &format!("filename: {}", self.wasm.display()),
            )?,
            Some((id, cluster)) => put(
                &mut text,
                "node: { id: gatehold-local, cluster: gatehold-local }",
                &format!("node: {{ id: {id}, cluster: {cluster} }}"),
            )?,
        }
        if let Some(certificates) = self.certificates {
            let mut secured = CONTROL_TLS.to_owned();
            for (name, path) in [
                ("@authority@", certificates.authority()),
                ("@certificate@", certificates.certificate("envoy")),
                ("@key@", certificates.key("envoy")),
            ] {
                put(&mut secured, name, &path.to_string_lossy())?;
            }
            let cluster = CONTROL_CLUSTER
                .into_iter()
                .find(|line| text.contains(line))
                .unwrap_or_default();
            put(&mut text, cluster, &format!("{cluster}{secured}"))?;
        }
        if let Some(port) = self.desk {
            put(
                &mut text,
                BEFORE_ROUTE,
                &format!("{DESK_ROUTE}{BEFORE_ROUTE}"),
            )?;
            let cluster = DESK_CLUSTER.replace("@port@", &port.to_string());
            put(
                &mut text,
                BEFORE_CLUSTER,
                &format!("{cluster}{BEFORE_CLUSTER}"),
            )?;
        }
        if let Some(token) = self.token {
            let ahead = TOKEN_FILTER.replace("@token@", token);
            let before = BEFORE_FILTER
                .into_iter()
                .find(|line| text.contains(line))
                .unwrap_or_default();
            put(&mut text, before, &format!("{ahead}{before}"))?;
        }
        if let Some(config) = self.filter_config {
            let old = text
                .lines()
                .find_map(|line| line.trim().strip_prefix("value: '{"))
                .map(str::to_owned);
            let old = old.ok_or_else(|| {
                HarnessError::Unexpected(format!("{BOOTSTRAP} has no filter configuration"))
            })?;
            let config = fitting(config, &format!("{{{}", old.trim_end_matches('\'')))?;
            put(
                &mut text,
                &format!("value: '{{{old}"),
                &format!("value: '{}'", config.replace('\'', "''")),
            )?;
        }
        for (old, new) in self.edits {
            let new = new.replace("@wasm@", &self.wasm.display().to_string());
            put(&mut text, old, &new)?;
        }
        Ok(text)
    }
}

/// Where the further server is put, and what.
const BEFORE_ROUTE: &str = "                        - match: { path: /everything/mcp }\n";
const DESK_ROUTE: &str = "                        - match: { path: /desk/mcp }
                          route: { cluster: desk, prefix_rewrite: /mcp, timeout: 0s, idle_timeout: 0s }
";
const BEFORE_CLUSTER: &str = "    - name: crm\n";
const DESK_CLUSTER: &str = "    - name: desk
      type: STATIC
      connect_timeout: 2s
      per_connection_buffer_limit_bytes: 16777216
      load_assignment:
        cluster_name: desk
        endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: @port@ } } } }] }]
";

/// Control's cluster, and how it is spoken to with certificates; as in `docs/envoy.md`.
const CONTROL_CLUSTER: [&str; 2] = [
    "    - name: gatehold_control\n",
    "    - name: outbound|18000||control.gatehold.internal\n",
];
const CONTROL_TLS: &str = r#"      transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
          sni: control.test
          common_tls_context:
            tls_params: { tls_minimum_protocol_version: TLSv1_3, tls_maximum_protocol_version: TLSv1_3 }
            tls_certificates:
              - certificate_chain: { filename: @certificate@ }
                private_key: { filename: @key@ }
            validation_context:
              trusted_ca: { filename: @authority@ }
              match_typed_subject_alt_names:
                - { san_type: DNS, matcher: { exact: control.test } }
"#;

/// Where an HTTP filter is put that has to run ahead of ours, and the one that adds a token.
const BEFORE_FILTER: [&str; 2] = [
    "                  - name: gatehold\n",
    "                  - name: extensions.istio.io/trafficextension/mcp.gatehold\n",
];
const TOKEN_FILTER: &str = r#"                  - name: envoy.filters.http.header_mutation
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation
                      mutations:
                        request_mutations:
                          - append:
                              header: { key: authorization, value: "Bearer @token@" }
                              append_action: ADD_IF_ABSENT
"#;

/// The configuration that a test wants, with what the file's Envoy leaves no choice about: the name of control's cluster,
/// and that headers go ahead.
fn fitting(wanted: &str, of_file: &str) -> Result<String, HarnessError> {
    let of_file: Map<String, Value> = serde_json::from_str(of_file).map_err(|error| {
        HarnessError::Unexpected(format!("`{of_file}` is no configuration: {error}"))
    })?;
    // A test may well want a configuration that is none.
    let Ok(mut config) = serde_json::from_str::<Map<String, Value>>(wanted) else {
        return Ok(wanted.to_owned());
    };
    let cluster = "control_cluster";
    if config.get(cluster) == Some(&json!("gatehold_control"))
        && let Some(own) = of_file.get(cluster)
    {
        config.insert(cluster.to_owned(), own.clone());
    }
    if of_file.get("hold_headers") == Some(&json!(false)) {
        config.insert("hold_headers".to_owned(), json!(false));
    }
    Ok(Value::Object(config).to_string())
}

/// Replaces the one occurrence of `old`.
fn put(text: &mut String, old: &str, new: &str) -> Result<(), HarnessError> {
    let count = text.matches(old).count();
    if count != 1 {
        return Err(HarnessError::Unexpected(format!(
            "{BOOTSTRAP} should have `{old}` once, but has it {count} times; change tests/harness/src/bootstrap.rs with it"
        )));
    }
    *text = text.replace(old, new);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_finds_its_place_in_the_file() {
        let file = include_str!("../../../envoy/local/envoy.yaml");
        let folder = tempfile::tempdir().unwrap();
        let certificates = Certificates::create(folder.path().to_owned()).unwrap();
        let bootstrap = Bootstrap {
            // Each is the default of another, which must not confuse them.
            gateway: 9901,
            admin: 10000,
            control: 10081,
            certificates: Some(&certificates),
            crm: 10082,
            everything: 18000,
            desk: Some(10083),
            token: Some("a.b.c"),
            wasm: Path::new("/x/y.wasm"),
            filter_config: Some(r#"{"control_cluster":"it's"}"#),
            from_control: None,
            edits: &[("FAIL_RELOAD".to_owned(), "FAIL_CLOSED # @wasm@".to_owned())],
        };
        let text = bootstrap.render(file).unwrap();
        for expected in [
            "admin:\n  address: { socket_address: { address: 127.0.0.1, port_value: 10000 } }",
            "- name: mcp\n      address: { socket_address: { address: 127.0.0.1, port_value: 9901 } }",
            "filename: /x/y.wasm",
            "failure_policy: FAIL_CLOSED # /x/y.wasm",
            "value: \"Bearer a.b.c\" }",
            r#"value: '{"control_cluster":"it''s"}'"#,
        ] {
            assert!(text.contains(expected), "`{expected}` not in:\n{text}");
        }
        let of_istio = include_str!("../../../envoy/istio/as-envoy.yaml");
        let config =
            r#"{"control_cluster":"gatehold_control","hold_headers":true,"hold_seconds":1}"#;
        let text = Bootstrap {
            filter_config: Some(config),
            ..bootstrap.clone()
        }
        .render(of_istio)
        .unwrap();
        let config = r#"value: '{"control_cluster":"outbound|18000||control.gatehold.internal","hold_headers":false,"hold_seconds":1}'"#;
        assert!(text.contains(config), "{text}");
        assert!(text.contains("Bearer a.b.c"), "{text}");
        let text = bootstrap.render(file).unwrap();
        let cluster = |name: &str| {
            text.split(&format!("cluster_name: {name}"))
                .nth(1)
                .unwrap()
                .lines()
                .nth(1)
                .unwrap()
                .to_owned()
        };
        for (name, port) in [
            ("gatehold_control", 10081),
            ("crm", 10082),
            ("everything", 18000),
        ] {
            assert!(
                cluster(name).contains(&format!("port_value: {port} ")),
                "{name}: {}",
                cluster(name)
            );
        }
    }

    #[test]
    fn the_bootstraps_differ_in_where_the_filter_comes_from() {
        let one = include_str!("../../../envoy/local/envoy.yaml");
        let other = include_str!("../../../envoy/local/envoy-ecds.yaml");
        let parts = |text: &'static str| {
            let (_, text) = text.split_once("\nnode: ").unwrap();
            let (before, text) = text.split_once("- name: gatehold\n").unwrap();
            let (filter, after) = text
                .split_once("- name: envoy.filters.http.router")
                .unwrap();
            (filter, [before, after])
        };
        let ((one, rest), (other, other_rest)) = (parts(one), parts(other));
        assert_eq!(rest, other_rest);
        assert!(one.contains("typed_config:") && other.contains("config_discovery:"));
    }

    #[test]
    fn a_file_without_the_place_is_refused() {
        let mut text = "a b a".to_owned();
        assert!(put(&mut text, "a", "c").is_err());
        assert!(put(&mut text, "d", "c").is_err());
        assert!(put(&mut text, "b", "c").is_ok());
        assert_eq!(text, "a c a");
    }
}
