//! Times a 10,000-replicate gate: `cargo run --release --example gate_speed`.
#![allow(clippy::print_stdout)]

use std::time::Instant;

use shiftproof_search::select::SoftMin;
use shiftproof_search::stats::{Gate, Sample, gate, rng::SplitMix};

fn main() {
    for per_group in [200, 2_000] {
        let mut rng = SplitMix::new(1);
        let mut sample = Sample::new(20, 10);
        for example in 0..10 * per_group {
            let outcomes: Vec<f64> = (0..20)
                .map(|_| f64::from(u8::from(rng.unit() < 0.6)))
                .collect();
            assert!(sample.push(example % 10, example as u64, &outcomes));
        }
        let finalists: Vec<usize> = (1..20).collect();
        let start = Instant::now();
        let verdict = gate(&sample, 0, &finalists, Gate::default(), |m| {
            SoftMin::default().of(m)
        });
        println!(
            "20 prompts × 10 groups × {per_group} examples a group: {:.2} s, {:?}",
            start.elapsed().as_secs_f64(),
            verdict.map(|v| v.decision)
        );
    }
}
