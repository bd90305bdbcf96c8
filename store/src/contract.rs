//! The contract suite: what every [`Kv`](crate::Kv) must do, as tests any backend can run.
