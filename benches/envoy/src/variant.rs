//! What is compared.

/// What stands between the client and the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variant {
    /// Envoy without a filter.
    Passthrough,
    /// Envoy with a module that does nothing.
    WasmEmpty,
    /// Envoy's own `jwt_authn`, `mcp` and `rbac`.
    EnvoyNative,
    /// The filter: identity and rules, no audit events.
    Rbac,
    /// The filter, with audit events.
    Audit,
    /// The filter with everything that there is but detection: sessions, conditions, risk classes, approvals.
    All,
    /// The same, with detection: it looks at every call and answer, and tells what it sees.
    Detect,
    /// The peer `mcp-proxy` from crates.io instead of Envoy: a thin proxy, without policy.
    McpProxy,
    /// The peer `mcp-airlock` from PyPI instead of Envoy: policy and audit.
    McpAirlock,
}

impl Variant {
    /// Every one, in the order of the results.
    pub const ALL: [Self; 7] = [
        Self::Passthrough,
        Self::WasmEmpty,
        Self::EnvoyNative,
        Self::Rbac,
        Self::Audit,
        Self::All,
        Self::Detect,
    ];

    /// What is measured only when asked for, beside the others.
    pub const PEERS: [Self; 2] = [Self::McpProxy, Self::McpAirlock];

    /// Its name in the results.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Passthrough => "passthrough",
            Self::WasmEmpty => "wasm-empty",
            Self::EnvoyNative => "envoy-native",
            Self::Rbac => "rbac",
            Self::Audit => "audit",
            Self::All => "all",
            Self::Detect => "detect",
            Self::McpProxy => "mcp-proxy",
            Self::McpAirlock => "mcp-airlock",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|variant| variant.name() == name)
    }

    /// Whether it is the filter of this repository.
    #[must_use]
    pub fn is_ours(self) -> bool {
        matches!(self, Self::Rbac | Self::Audit | Self::All | Self::Detect)
    }

    /// Whether it is another gateway instead of Envoy.
    #[must_use]
    pub fn is_peer(self) -> bool {
        Self::PEERS.contains(&self)
    }

    /// Whether it is an Envoy that refuses what policy denies.
    #[must_use]
    pub fn governs(self) -> bool {
        self.is_ours() || self == Self::EnvoyNative
    }

    /// Whether it sends audit events.
    #[must_use]
    pub fn audits(self) -> bool {
        matches!(self, Self::Audit | Self::All | Self::Detect)
    }

    /// Whether its policy is the one with everything in it.
    #[must_use]
    pub fn is_full(self) -> bool {
        matches!(self, Self::All | Self::Detect)
    }

    /// Whether it looks for injection, poisoning and secrets.
    #[must_use]
    pub fn detects(self) -> bool {
        self == Self::Detect
    }
}
