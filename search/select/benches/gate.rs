//! A 10,000-replicate gate against the same resampling written the obvious way:
//! `cargo bench -p shiftproof-search --bench gate`. One thread.
#![allow(clippy::print_stdout)]

use std::time::{Duration, Instant};

use shiftproof_select::SoftMin;
use shiftproof_select::stats::{ClusteredSample, ShipGate, gate, rng::SplitMix};

const PROMPTS: usize = 20;
const GROUPS: usize = 10;

/// Rows of one group: a grade per prompt.
type Rows = Vec<[f64; PROMPTS]>;

fn main() {
    println!("{PROMPTS} prompts × {GROUPS} groups, 10,000 replicates, soft-min, Holm");
    for per_group in [200, 2_000] {
        let mut rng = SplitMix::new(1);
        let mut sample = ClusteredSample::new(PROMPTS, GROUPS);
        let mut groups: Vec<Rows> = vec![Vec::new(); GROUPS];
        for example in 0..GROUPS * per_group {
            let row: [f64; PROMPTS] =
                std::array::from_fn(|_| f64::from(u8::from(rng.unit() < 0.6)));
            assert!(sample.push(example % GROUPS, example as u64, &row));
            groups[example % GROUPS].push(row);
        }
        let finalists: Vec<usize> = (1..PROMPTS).collect();
        let whole = best(3, || {
            let verdict = gate(&sample, 0, &finalists, ShipGate::default(), |m| {
                SoftMin::default().of(m)
            });
            assert!(verdict.is_some());
        });
        // A twentieth of the replicates, scaled: it is slow.
        let replicates = ShipGate::default().bootstrap.replicates / 20;
        let plain = best(3, || obvious(&groups, replicates)) * 20;
        println!(
            "{per_group:>5} examples a group: {:.2} s; resampled row by row in f64 {:.2} s, {:.1} times as long",
            whole.as_secs_f64(),
            plain.as_secs_f64(),
            plain.as_secs_f64() / whole.as_secs_f64()
        );
    }
}

/// The shortest of `times` runs: what the code needs, undisturbed.
fn best(times: usize, mut work: impl FnMut()) -> Duration {
    (0..times)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .min()
        .unwrap_or_default()
}

/// The resampling alone, without intervals or tests.
fn obvious(groups: &[Rows], replicates: usize) {
    let mut rng = SplitMix::new(2);
    let mut total = 0.0;
    for _ in 0..replicates {
        for rows in groups {
            let mut sums = [0.0; PROMPTS];
            for _ in 0..rows.len() {
                let row = &rows[rng.below(rows.len())];
                for (sum, grade) in sums.iter_mut().zip(row) {
                    *sum += grade;
                }
            }
            total += sums.iter().sum::<f64>();
        }
    }
    assert!(total > 0.0);
}
