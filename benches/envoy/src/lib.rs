//! What `make bench` does; the program is a thin shell around it.
