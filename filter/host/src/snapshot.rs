//! What a worker decides with: an immutable table of servers and the issuers they accept.
//!
//! [`Catalog`] is what arrives piece by piece; [`Snapshot`] is what requests hold on to. A request keeps
//! the snapshot it began with.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use gatehold_identity::Issuer;

use crate::detection::Detectors;
use crate::paths;
use crate::server::{Server, WELL_KNOWN};

/// The resources that are in force, by name.
#[derive(Debug, Default)]
pub struct Catalog {
    servers: BTreeMap<String, Rc<Server>>,
    issuers: BTreeMap<String, Rc<VersionedIssuer>>,
    /// By name; there is one.
    detectors: BTreeMap<String, Rc<Detectors>>,
    /// Servers whose last resource could not be used, with its path if that much could be read.
    unusable: BTreeMap<String, Option<String>>,
}

/// An issuer and the version of its resource.
#[derive(Debug)]
pub struct VersionedIssuer {
    /// Version as control numbers it.
    pub version: String,
    /// The issuer.
    pub issuer: Issuer,
}

/// A server together with its issuers, as far as they have arrived.
#[derive(Debug)]
pub struct Endpoint {
    /// The server.
    pub server: Rc<Server>,
    /// Its issuers.
    pub issuers: Vec<Rc<VersionedIssuer>>,
    /// Names everything that the verification of a token depends on: the server with its audiences, and its
    /// issuers with their versions. Another policy verifies tokens no differently.
    pub token_scope: String,
    /// What is looked for, once it has arrived.
    pub detectors: Option<Rc<Detectors>>,
    /// Whether what is read from any server may have the calls that follow wait for a person.
    pub taints: bool,
}

/// The table of servers.
#[derive(Debug, Default)]
pub struct Snapshot {
    endpoints: HashMap<String, Vec<Rc<Endpoint>>>,
    metadata: HashMap<String, Vec<Rc<Endpoint>>>,
    /// By path as read leniently; with the server where it is in shadow mode.
    lookalikes: HashMap<String, Option<Rc<Endpoint>>>,
    /// Whether there is a server of which nobody knows where it is.
    unlocated: bool,
    servers: usize,
}

/// What a path and host lead to.
#[derive(Clone, Debug)]
pub enum Match {
    /// The endpoint of a server.
    Endpoint(Rc<Endpoint>),
    /// The metadata document of a server.
    Metadata(Rc<Endpoint>),
    /// No server.
    None,
}

/// What a path that is no server's exactly looks like.
#[derive(Clone, Debug)]
pub enum Lookalike {
    /// That of a server, or of one below it.
    Enforced,
    /// That of a server in shadow mode, or of one below it.
    Shadow(Rc<Endpoint>),
    /// None.
    None,
}

impl Catalog {
    /// Puts a server in force, in place of the one of the same name.
    pub fn insert_server(&mut self, server: Server) {
        self.unusable.remove(&server.name);
        self.servers.insert(server.name.clone(), Rc::new(server));
    }

    /// Puts an issuer in force, in place of the one of the same name.
    pub fn insert_issuer(&mut self, version: String, issuer: Issuer) {
        let name = issuer.name.clone();
        self.issuers
            .insert(name, Rc::new(VersionedIssuer { version, issuer }));
    }

    /// Puts detectors in force, in place of those before.
    pub fn insert_detectors(&mut self, name: &str, detectors: Detectors) {
        self.detectors.insert(name.to_owned(), Rc::new(detectors));
    }

    /// Takes detectors out.
    pub fn remove_detectors(&mut self, name: &str) {
        self.detectors.remove(name);
    }

    /// Says that the last resource of a server cannot be used. What is in force stays so; besides, nothing
    /// passes at its new path, or anywhere when that is not known, as if it were no server's.
    pub fn refuse_server(&mut self, name: &str, path: Option<String>) {
        self.unusable.insert(name.to_owned(), path);
    }

    /// Takes a server out.
    pub fn remove_server(&mut self, name: &str) {
        self.unusable.remove(name);
        self.servers.remove(name);
    }

    /// Takes an issuer out.
    pub fn remove_issuer(&mut self, name: &str) {
        self.issuers.remove(name);
    }

    /// Names and versions of the servers.
    pub fn server_versions(&self) -> impl Iterator<Item = (&str, &str)> {
        self.servers
            .iter()
            .map(|(name, server)| (name.as_str(), server.version.as_str()))
    }

    /// Names and versions of the issuers.
    pub fn issuer_versions(&self) -> impl Iterator<Item = (&str, &str)> {
        self.issuers
            .iter()
            .map(|(name, issuer)| (name.as_str(), issuer.version.as_str()))
    }

    /// Names and versions of the detectors.
    pub fn detectors_versions(&self) -> impl Iterator<Item = (&str, &str)> {
        self.detectors
            .iter()
            .map(|(name, detectors)| (name.as_str(), detectors.version.as_str()))
    }

    /// The table as of now. Of servers that claim the same host and path the first by name counts.
    pub fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot {
            servers: self.servers.len(),
            unlocated: self.unusable.values().any(Option::is_none),
            ..Snapshot::default()
        };
        let unusable = self.unusable.values().flatten();
        snapshot
            .lookalikes
            .extend(unusable.filter_map(|path| Some((paths::canonical(path)?, None))));
        let taints = self.servers.values().any(|it| it.detection.approves());
        for server in self.servers.values() {
            let endpoint = Rc::new(self.endpoint(server, taints));
            let own = format!("{WELL_KNOWN}{}", server.path.trim_end_matches('/'));
            let canonical = format!("{WELL_KNOWN}{}", server.resource.path);
            if own != canonical {
                snapshot
                    .metadata
                    .entry(own)
                    .or_default()
                    .push(Rc::clone(&endpoint));
            }
            snapshot
                .metadata
                .entry(canonical)
                .or_default()
                .push(Rc::clone(&endpoint));
            if let Some(path) = paths::canonical(&server.path) {
                let shadow = server.shadow.then(|| Rc::clone(&endpoint));
                // One that is enforced goes before.
                let known = snapshot.lookalikes.entry(path).or_insert(shadow.clone());
                *known = known.take().and(shadow);
            }
            snapshot
                .endpoints
                .entry(server.path.clone())
                .or_default()
                .push(endpoint);
        }
        snapshot
    }

    fn endpoint(&self, server: &Rc<Server>, taints: bool) -> Endpoint {
        let issuers: Vec<_> = server
            .issuers
            .iter()
            .filter_map(|name| self.issuers.get(name))
            .map(Rc::clone)
            .collect();
        let mut token_scope = format!("{:?}\n{:?}", server.name, server.audiences);
        for versioned in &issuers {
            token_scope.push('\n');
            token_scope.push_str(&versioned.issuer.name);
            token_scope.push('\n');
            token_scope.push_str(&versioned.version);
        }
        Endpoint {
            server: Rc::clone(server),
            issuers,
            token_scope,
            detectors: self.detectors.values().next().map(Rc::clone),
            taints,
        }
    }
}

impl Snapshot {
    /// Number of servers.
    pub fn servers(&self) -> usize {
        self.servers
    }

    /// What a request's path (without query) and host (lower case, without port) lead to.
    pub fn find(&self, host: &str, path: &str) -> Match {
        if let Some(endpoint) = pick(self.endpoints.get(path), host) {
            return Match::Endpoint(endpoint);
        }
        if let Some(endpoint) = pick(self.metadata.get(path), host) {
            return Match::Metadata(endpoint);
        }
        Match::None
    }

    /// The server of that name, wherever it is.
    pub fn named(&self, name: &str) -> Option<Rc<Endpoint>> {
        let mut all = self.endpoints.values().flatten();
        all.find(|endpoint| endpoint.server.name == name)
            .map(Rc::clone)
    }

    /// Whether the path, read leniently, is that of a server or below it, on any host. Servers whose
    /// resource could not be used count too; those in shadow mode count where no other does.
    pub fn lookalike(&self, path: &str) -> Lookalike {
        if self.unlocated {
            return Lookalike::Enforced;
        }
        let Some(canonical) = paths::canonical(path) else {
            return Lookalike::Enforced;
        };
        let mut prefix = canonical.as_str();
        let mut found = Lookalike::None;
        loop {
            match self.lookalikes.get(prefix) {
                Some(None) => return Lookalike::Enforced,
                Some(Some(endpoint)) => found = Lookalike::Shadow(Rc::clone(endpoint)),
                None => {}
            }
            match prefix.rsplit_once('/') {
                Some((shorter, _)) => prefix = shorter,
                None => return found,
            }
        }
    }
}

/// A server that names the host goes before one that takes any.
fn pick(candidates: Option<&Vec<Rc<Endpoint>>>, host: &str) -> Option<Rc<Endpoint>> {
    let candidates = candidates?;
    let named = candidates
        .iter()
        .find(|endpoint| !endpoint.server.hosts.is_empty() && endpoint.server.serves(host));
    named
        .or_else(|| {
            candidates
                .iter()
                .find(|endpoint| endpoint.server.serves(host))
        })
        .map(Rc::clone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use gatehold_wire::push;

    fn is_lookalike(snapshot: &Snapshot, path: &str) -> bool {
        !matches!(snapshot.lookalike(path), Lookalike::None)
    }

    fn name(found: Match) -> String {
        match found {
            Match::Endpoint(endpoint) => endpoint.server.name.clone(),
            Match::Metadata(endpoint) => format!("metadata of {}", endpoint.server.name),
            Match::None => "none".into(),
        }
    }

    #[test]
    fn finds_by_host_and_exact_path() {
        let mut catalog = Catalog::default();
        catalog.insert_server(testing::server("any", "/crm/mcp", &[]));
        catalog.insert_server(testing::server("one", "/crm/mcp", &["One.example.com"]));
        catalog.insert_server(testing::server("two", "/two", &["two.example.com"]));
        let snapshot = catalog.snapshot();
        for (host, path, expected) in [
            ("one.example.com", "/crm/mcp", "one"),
            ("else.example.com", "/crm/mcp", "any"),
            ("two.example.com", "/two", "two"),
            ("else.example.com", "/two", "lookalike"),
            ("any", "/crm/mcp/", "lookalike"),
            ("any", "/crm/mcp/messages", "lookalike"),
            ("any", "/crm/%6Dcp", "lookalike"),
            ("any", "/crm", "none"),
            (
                "any",
                "/.well-known/oauth-protected-resource/crm/mcp",
                "metadata of any",
            ),
            ("any", "/", "none"),
        ] {
            let found = match snapshot.find(host, path) {
                Match::None if is_lookalike(&snapshot, path) => "lookalike".into(),
                found => name(found),
            };
            assert_eq!(found, expected, "{host}{path}");
        }
    }

    #[test]
    fn one_in_shadow_mode_counts_where_no_other_does() {
        let server = |name: &str, host: &str, path: &str, shadow| {
            let resource = push::Server {
                shadow,
                ..testing::server_resource(name, path, &[host])
            };
            Server::new(resource, "1".into()).unwrap()
        };
        let mut catalog = Catalog::default();
        catalog.insert_server(server("a", "a.example.com", "/both", true));
        catalog.insert_server(server("b", "b.example.com", "/both", false));
        catalog.insert_server(server("c", "a.example.com", "/one", true));
        catalog.insert_server(server("d", "a.example.com", "/one/d", false));
        let snapshot = catalog.snapshot();
        for (path, expected) in [
            ("/both/", "enforced"),
            ("/one/", "c"),
            ("/one/d/", "enforced"),
            ("/one/e", "c"),
            ("/two", "none"),
        ] {
            let found = match snapshot.lookalike(path) {
                Lookalike::Enforced => "enforced".to_owned(),
                Lookalike::Shadow(endpoint) => endpoint.server.name.clone(),
                Lookalike::None => "none".to_owned(),
            };
            assert_eq!(found, expected, "{path}");
        }
    }

    #[test]
    fn nothing_passes_where_an_unusable_server_may_be() {
        let mut catalog = Catalog::default();
        catalog.insert_server(testing::server("one", "/one", &[]));
        let mut check = |change: &dyn Fn(&mut Catalog), expected: [bool; 3]| {
            change(&mut catalog);
            let snapshot = catalog.snapshot();
            let paths = ["/one", "/two", "/other"];
            assert_eq!(paths.map(|path| is_lookalike(&snapshot, path)), expected);
        };
        check(&|_| {}, [true, false, false]);
        let two = |catalog: &mut Catalog| catalog.refuse_server("two", Some("/two".into()));
        check(&two, [true, true, false]);
        check(
            &|catalog| catalog.remove_server("two"),
            [true, false, false],
        );
        check(&|catalog| catalog.refuse_server("one", None), [true; 3]);
        let one = |catalog: &mut Catalog| {
            catalog.insert_server(testing::server("one", "/one", &[]));
        };
        check(&one, [true, false, false]);
    }

    #[test]
    fn the_token_scope_follows_versions() {
        let mut catalog = Catalog::default();
        catalog.insert_server(testing::server("s", "/s", &[]));
        let scope = |catalog: &Catalog| match catalog.snapshot().find("h", "/s") {
            Match::Endpoint(endpoint) => endpoint.token_scope.clone(),
            other => panic!("{other:?}"),
        };
        let before = scope(&catalog);
        catalog.insert_issuer("1".into(), testing::issuer());
        let with = scope(&catalog);
        let other = testing::server_resource("s", "/s", &[]);
        let policy = crate::server::Server::new(other.clone(), "v2".into()).unwrap();
        catalog.insert_server(policy);
        assert_eq!(scope(&catalog), with);
        catalog.insert_issuer("2".into(), testing::issuer());
        let rotated = scope(&catalog);
        assert!(before != with && with != rotated);
        let other = gatehold_wire::push::Server {
            audiences: vec!["else".into()],
            ..other
        };
        catalog.insert_server(crate::server::Server::new(other, "v2".into()).unwrap());
        assert_ne!(scope(&catalog), rotated);
    }
}
