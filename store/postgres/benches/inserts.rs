//! Durable inserts a second, beside plain ones of the same rows.
fn main() {}
