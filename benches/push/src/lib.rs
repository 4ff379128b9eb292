//! What `make bench-push` does; the program is a thin shell around it.
