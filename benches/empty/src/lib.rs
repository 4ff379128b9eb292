//! A filter that does nothing.
