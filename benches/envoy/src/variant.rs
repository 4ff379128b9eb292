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
    /// The filter with everything that there is: sessions, conditions, risk classes, approvals.
    All,
}

impl Variant {
    /// Every one, in the order of the results.
    pub const ALL: [Self; 6] = [
        Self::Passthrough,
        Self::WasmEmpty,
        Self::EnvoyNative,
        Self::Rbac,
        Self::Audit,
        Self::All,
    ];

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
        matches!(self, Self::Rbac | Self::Audit | Self::All)
    }

    /// Whether it refuses what policy denies.
    #[must_use]
    pub fn governs(self) -> bool {
        self.is_ours() || self == Self::EnvoyNative
    }

    /// Whether it sends audit events.
    #[must_use]
    pub fn audits(self) -> bool {
        matches!(self, Self::Audit | Self::All)
    }

    /// Whether its policy is the one with everything in it.
    #[must_use]
    pub fn is_full(self) -> bool {
        self == Self::All
    }
}
