//! Messages that are odd and mostly valid, for comparisons that need accepted ones.
