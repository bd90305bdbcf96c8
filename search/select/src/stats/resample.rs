//! Replicates of group means.

use std::collections::HashMap;

use super::rng::SplitMix;
use super::sample::{ClusteredSample, PairedBootstrap};

/// Lanes summed together; columns are padded to a multiple.
const LANES: usize = 8;
type Block = [f32; LANES];

/// Bootstrap means of the groups `seen`, per group and replicate-major: one per
/// prompt. Of the clusters, `numbers` are their numbers and `shared` tells which
/// groups have some that others have too.
pub(super) fn draws(
    sample: &ClusteredSample,
    (numbers, shared): (&HashMap<u64, usize>, &[bool]),
    (seen, means): (&[usize], &[Vec<f64>]),
    baseline: usize,
    how: PairedBootstrap,
) -> Vec<Vec<f32>> {
    let prompts = sample.prompts();
    let mut draws = Vec::with_capacity(seen.len());
    let mut together = Vec::new();
    for (at, (&group, means)) in seen.iter().zip(means).enumerate() {
        let rows = padded(sample, group, baseline, means);
        if shared[group] {
            let clusters = sample.strata[group].clusters.iter();
            together.push(WeightedGroup {
                at,
                clusters: clusters.map(|cluster| numbers[cluster]).collect(),
                blocks: packed(&rows, prompts),
            });
            draws.push(Vec::with_capacity(how.replicates * prompts));
        } else {
            draws.push(resample(&rows, group, prompts, how));
        }
    }
    if !together.is_empty() {
        weigh(&together, numbers.len(), prompts, how, &mut draws);
    }
    draws
}

/// A group's rows and the two added ones.
fn padded(sample: &ClusteredSample, group: usize, baseline: usize, means: &[f64]) -> Vec<Vec<f64>> {
    let prompts = sample.prompts();
    let stratum = &sample.strata[group];
    let mut rows: Vec<Vec<f64>> = stratum.sums.clone();
    let size = stratum.totals(prompts + 1)[prompts] / rows.len() as f64;
    let reach = if sample.outcome_range > 0.0 {
        sample.outcome_range
    } else {
        1.0
    };
    for sign in [0.5, -0.5] {
        let mut row: Vec<f64> = means
            .iter()
            .enumerate()
            .map(|(p, m)| (m + if p == baseline { -sign } else { sign } * reach) * size)
            .collect();
        row.push(size);
        rows.push(row);
    }
    rows
}

/// Rows in blocks of lanes, a prompt's sums per lane, then the sizes.
fn packed(rows: &[Vec<f64>], prompts: usize) -> Vec<Vec<Block>> {
    (0..=prompts)
        .step_by(LANES)
        .map(|first| {
            let pack = |row: &Vec<f64>| {
                std::array::from_fn(|lane| row.get(first + lane).map_or(0.0, |&x| x as f32))
            };
            rows.iter().map(pack).collect()
        })
        .collect()
}

/// Bootstrap means of one group, replicate-major.
fn resample(rows: &[Vec<f64>], group: usize, prompts: usize, how: PairedBootstrap) -> Vec<f32> {
    let blocks = packed(rows, prompts);
    let n = rows.len() as u32;
    let mut rng = SplitMix::fork(how.seed, group as u64);
    let mut picks = vec![0_u32; rows.len()];
    let mut sums = vec![0.0_f32; blocks.len() * LANES];
    let mut out = Vec::with_capacity(how.replicates * prompts);
    for _ in 0..how.replicates {
        let mut pairs = picks.chunks_exact_mut(2);
        for pair in &mut pairs {
            (pair[0], pair[1]) = rng.two_below(n);
        }
        if let [last] = pairs.into_remainder() {
            *last = rng.two_below(n).0;
        }
        for (block, sums) in blocks.iter().zip(sums.chunks_exact_mut(LANES)) {
            sums.copy_from_slice(&gather(block, &picks));
        }
        let size = sums[prompts];
        out.extend(sums[..prompts].iter().map(|s| s / size));
    }
    out
}

/// A group whose clusters others share.
struct WeightedGroup {
    /// Its place among the groups with examples.
    at: usize,
    /// Number of the cluster of every row; the two added rows are its own.
    clusters: Vec<usize>,
    blocks: Vec<Vec<Block>>,
}

/// Bootstrap means of groups that share clusters: one weight per cluster and
/// replicate over all of them.
fn weigh(
    groups: &[WeightedGroup],
    clusters: usize,
    prompts: usize,
    how: PairedBootstrap,
    draws: &mut [Vec<f32>],
) {
    let mut rng = SplitMix::fork(how.seed, u64::MAX);
    let mut weights = vec![0.0_f32; clusters];
    let mut own: Vec<f32> = Vec::new();
    for _ in 0..how.replicates {
        weights.fill_with(|| poisson(rng.unit()));
        for group in groups {
            own.clear();
            own.extend(group.clusters.iter().map(|&cluster| weights[cluster]));
            own.extend([poisson(rng.unit()), poisson(rng.unit())]);
            if own.iter().all(|&weight| weight == 0.0) {
                // Nothing of the group was drawn; one of the added rows speaks.
                let last = own.len() - 1 - rng.below(2);
                own[last] = 1.0;
            }
            let mut sums = [0.0_f32; LANES];
            let mut means = Vec::with_capacity(group.blocks.len() * LANES);
            for block in &group.blocks {
                sums.fill(0.0);
                for (row, &weight) in block.iter().zip(&own) {
                    for lane in 0..LANES {
                        sums[lane] += weight * row[lane];
                    }
                }
                means.extend_from_slice(&sums);
            }
            let size = means[prompts];
            draws[group.at].extend(means[..prompts].iter().map(|sum| sum / size));
        }
    }
}

/// A Poisson number of mean 1 from a uniform one, by inversion.
fn poisson(uniform: f64) -> f32 {
    let mut chance = (-1.0_f64).exp();
    let (mut below, mut number) = (chance, 0_u8);
    while uniform >= below && number < 16 {
        number += 1;
        chance /= f64::from(number);
        below += chance;
    }
    f32::from(number)
}

/// Sums the picked rows; the eight running sums stay in registers.
#[inline]
fn gather(block: &[Block], picks: &[u32]) -> Block {
    let mut sums = [0.0_f32; LANES];
    for &pick in picks {
        let row = &block[pick as usize];
        for lane in 0..LANES {
            sums[lane] += row[lane];
        }
    }
    sums
}
