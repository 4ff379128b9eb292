//! A filter that does nothing. What it costs is what any module costs: a context per exchange, and the host's calls
//! into the module for headers, bodies and the end of an exchange.

mod filter;
