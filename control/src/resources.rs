//! From documents and keys to what is pushed.

use std::collections::HashMap;
use std::sync::Arc;

use gatehold_documents::{
    AuditArguments, Detection, DetectionAction, DetectionActions, Documents, IssuerDocument,
    Limits, Problems, ServerDocument, ToolDetection,
};
use gatehold_push::{Resource, Resources, Rollouts};
use gatehold_wire::{
    DETECTORS_TYPE_URL, ISSUER_TYPE_URL, SERVER_TYPE_URL, WireError, approval_to_wire,
    policy_to_wire, push,
};
use prost::Message as _;

use crate::detectors::{Detectors, DetectorsError};
use crate::keys::Held;
use crate::rollout::Modules;

/// Why documents cannot be pushed.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// A policy that the filter's protocol can't carry.
    #[error(transparent)]
    Policy(#[from] WireError),
    /// What is looked for.
    #[error(transparent)]
    Detectors(#[from] DetectorsError),
}

/// Makes resources of documents, and makes those of servers that have not changed only once.
#[derive(Debug, Default)]
pub struct Encoder {
    servers: HashMap<String, (Arc<ServerDocument>, Resource)>,
    detectors: Detectors,
    modules: Modules,
}

impl Encoder {
    /// Does of [`Encoder::resources`] what takes long, where that may take long: compiles the detectors.
    ///
    /// # Errors
    /// As there.
    pub fn prepare(&mut self, documents: &Documents) -> Result<(), EncodeError> {
        self.detectors.resource(documents.detectors.as_deref())?;
        Ok(())
    }

    /// What Envoys get of the filter, if a document says so. Reads modules.
    ///
    /// # Errors
    /// Modules that cannot be used, where they are named.
    pub fn rollout(&mut self, documents: &Documents) -> Result<Rollouts, Problems> {
        let Some(document) = &documents.filter else {
            return Ok(None);
        };
        Ok(Some(self.modules.filters(document)?))
    }

    /// One resource per server and one per issuer, and one for what is looked for. `held` tells what is known of an issuer's keys;
    /// `binding_key`, the same every time, is what ties sessions and tasks to their callers.
    ///
    /// # Errors
    /// A policy that the filter's protocol can't carry, or detectors that cannot be made.
    pub fn resources(
        &mut self,
        documents: &Documents,
        binding_key: &[u8],
        held: impl Fn(&str) -> Held,
    ) -> Result<Resources, EncodeError> {
        let Documents {
            servers,
            issuers,
            detectors,
            ..
        } = documents;
        let mut items = Vec::with_capacity(servers.len() + issuers.len() + 1);
        let detectors = self.detectors.resource(detectors.as_deref())?;
        items.push((DETECTORS_TYPE_URL.to_owned(), detectors));
        let mut encoded = HashMap::with_capacity(servers.len());
        for document in servers {
            let name = &document.name;
            let resource = match self.servers.get(name) {
                Some((known, resource)) if Arc::ptr_eq(known, document) => resource.clone(),
                _ => {
                    let server = server(document, binding_key)?;
                    let requires = server.requires.first().map(String::as_str);
                    Resource::new(SERVER_TYPE_URL, name, server.encode_to_vec()).requiring(requires)
                }
            };
            items.push((SERVER_TYPE_URL.to_owned(), resource.clone()));
            encoded.insert(name.clone(), (document.clone(), resource));
        }
        self.servers = encoded;
        let mut withheld = Vec::new();
        for document in issuers {
            let name = &document.name;
            let keys = match held(name) {
                Held::Keys(keys) => keys,
                Held::Replaced => "".into(),
                Held::NotYet => {
                    withheld.push(name);
                    continue;
                }
            };
            let body = issuer(document, &keys).encode_to_vec();
            let resource = Resource::new(ISSUER_TYPE_URL, name, body);
            items.push((ISSUER_TYPE_URL.to_owned(), resource));
        }
        let resources: Resources = items.into_iter().collect();
        Ok(withheld
            .into_iter()
            .fold(resources, |all, name| all.withhold(ISSUER_TYPE_URL, name)))
    }
}

fn server(document: &ServerDocument, binding_key: &[u8]) -> Result<push::Server, WireError> {
    let ServerDocument {
        name,
        location: _,
        hosts,
        path,
        resource,
        audiences,
        issuers,
        scopes,
        allowed_origins,
        limits,
        enforce,
        audit_arguments,
        detection,
        policy,
    } = document;
    let (rules, risks) = policy_to_wire(policy)?;
    let audit_arguments = match audit_arguments {
        AuditArguments::Full => push::AuditArguments::Full,
        AuditArguments::Digest => push::AuditArguments::Digest,
    };
    Ok(push::Server {
        name: name.clone(),
        hosts: hosts.clone(),
        path: path.clone(),
        resource: resource.clone(),
        audiences: audiences.clone(),
        issuers: issuers.clone(),
        scopes: scopes.clone(),
        limits: Some(wire_limits(limits)),
        audit_arguments: audit_arguments.into(),
        rules,
        risks,
        allowed_origins: allowed_origins.clone(),
        binding_key: binding_key.to_vec(),
        detection: Some(wire_detection(detection)),
        shadow: !enforce,
        // Nothing that could weaken a decision where a filter passes over it; see ARCHITECTURE.md.
        requires: Vec::new(),
    })
}

fn wire_detection(detection: &Detection) -> push::Detection {
    let Detection {
        otherwise,
        tools,
        approval,
    } = detection;
    let tools = tools.iter().map(|ToolDetection { patterns, actions }| {
        let (tools, actions) = (patterns.clone(), Some(wire_actions(actions)));
        push::ToolDetection { tools, actions }
    });
    push::Detection {
        otherwise: Some(wire_actions(otherwise)),
        tools: tools.collect(),
        approval: approval.as_ref().map(approval_to_wire),
    }
}

fn wire_actions(actions: &DetectionActions) -> push::DetectionActions {
    let DetectionActions {
        arguments,
        results,
        definitions,
        secrets_in_arguments,
        secrets_in_results,
    } = *actions;
    let wire = |action: DetectionAction| -> i32 {
        match action {
            DetectionAction::Off => push::DetectionAction::Off,
            DetectionAction::Log => push::DetectionAction::Log,
            DetectionAction::Redact => push::DetectionAction::Redact,
            DetectionAction::Approve => push::DetectionAction::Approve,
            DetectionAction::Block => push::DetectionAction::Block,
        }
        .into()
    };
    push::DetectionActions {
        arguments: wire(arguments),
        results: wire(results),
        definitions: wire(definitions),
        secrets_in_arguments: wire(secrets_in_arguments),
        secrets_in_results: wire(secrets_in_results),
    }
}

/// Zero is the filter's default.
fn wire_limits(limits: &Limits) -> push::Limits {
    let Limits {
        request_bytes,
        response_bytes,
        event_bytes,
        depth,
        list_entries,
    } = limits;
    push::Limits {
        request_bytes: request_bytes.unwrap_or_default(),
        response_bytes: response_bytes.unwrap_or_default(),
        event_bytes: event_bytes.unwrap_or_default(),
        depth: depth.unwrap_or_default(),
        list_entries: list_entries.unwrap_or_default(),
    }
}

fn issuer(document: &IssuerDocument, keys: &str) -> push::Issuer {
    let IssuerDocument {
        name,
        location: _,
        issuer,
        keys: _,
        refresh_seconds: _,
        algorithms,
        clock_skew_seconds,
        claims,
    } = document;
    push::Issuer {
        name: name.clone(),
        issuer: issuer.clone(),
        algorithms: algorithms
            .iter()
            .map(|algorithm| algorithm.name().to_owned())
            .collect(),
        clock_skew_seconds: *clock_skew_seconds,
        claims: Some(claims.clone().into()),
        jwks: keys.to_owned(),
    }
}
