//! How much better a choice is than the incumbent, from the labels it was made on.

use super::interval::Interval;
use super::rng::SplitMix;
use super::special::t_quantile;

/// A labelled example with what every prompt's answer to it was worth.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledOutcomes {
    /// Number of its group.
    pub group: usize,
    /// Shared by examples that are drawn as one.
    pub cluster: u64,
    /// One outcome a prompt, in `[0, 1]`; `None` where it has none.
    pub outcomes: Vec<Option<f64>>,
}

/// What choosing by labels gains, each gain measured on labels that the choice did not
/// see.
#[derive(Debug, Clone, PartialEq)]
pub struct CrossFittedGain {
    /// Mean gain over the incumbent.
    pub estimate: f64,
    /// Its interval at 95%.
    pub interval: Interval,
    /// Examples that it rests on.
    pub n: usize,
    /// How often each prompt was chosen, as shares.
    pub chosen: Vec<f64>,
}

/// Cuts the clusters of `rows` into halves `splits` times; each time `choose` picks a
/// prompt by the rows of one half (`true` where a row may be looked at), and the other
/// half says how much better than `incumbent` it is, as the mean over groups. Each row
/// is used both ways, so nothing is held back, and no gain is measured on what it was
/// chosen by: sample splitting, repeated and cross-fitted (Chernozhukov et al. 2018,
/// section 3.4).
///
/// The interval is that of a multiplier bootstrap over clusters with normal multipliers,
/// which for one number is a normal distribution with the variance Σ φ², φ being what a
/// cluster adds to the estimate of one cut, averaged over the cuts; Student's quantile stands for the
/// normal one, with one degree of freedom fewer than half of the clusters. What it is an
/// interval of is the gain of prompts chosen so, by half of the labels: the prompt that
/// was chosen by all of them is about as good or somewhat better.
///
/// `None` with fewer than eight clusters, or where some half measures nothing.
pub fn cross_fitted(
    rows: &[LabelledOutcomes],
    incumbent: usize,
    (splits, seed): (usize, u64),
    mut choose: impl FnMut(&[bool]) -> Option<usize>,
) -> Option<CrossFittedGain> {
    const LEAST: usize = 8;
    let mut clusters: Vec<u64> = rows.iter().map(|row| row.cluster).collect();
    clusters.sort_unstable();
    clusters.dedup();
    let place = |row: &LabelledOutcomes| clusters.binary_search(&row.cluster).ok();
    let places: Vec<usize> = rows.iter().filter_map(place).collect();
    if clusters.len() < LEAST || splits == 0 {
        return None;
    }
    let prompts = rows.iter().map(|row| row.outcomes.len()).max()?;
    let mut chosen = vec![0.0; prompts];
    let (mut sum, mut square, halves) = (0.0, 0.0, 2.0 * splits as f64);
    let mut rng = SplitMix::new(seed);
    for _ in 0..splits {
        let first = half(clusters.len(), &mut rng);
        let mut added = vec![0.0; clusters.len()];
        for side in [true, false] {
            let seen: Vec<bool> = places.iter().map(|&at| first[at] == side).collect();
            let prompt = choose(&seen)?;
            *chosen.get_mut(prompt)? += 1.0 / halves;
            let measured = gain(rows, &places, &seen, (prompt, incumbent))?;
            sum += measured.mean;
            for (at, part) in measured.parts {
                added[at] += part / 2.0;
            }
        }
        square += added.iter().map(|part| part * part).sum::<f64>();
    }
    let estimate = sum / halves;
    // Of one cut, not of all together: what is chosen differs from cut to cut, and parts
    // averaged over cuts gave intervals that held 85% of the time.
    let error = (square / splits as f64).sqrt();
    let freedom = (clusters.len() as f64 / 2.0 - 1.0).max(1.0);
    let reach = t_quantile(0.975, freedom) * error;
    let usable = rows
        .iter()
        .filter(|row| row.outcomes.get(incumbent).is_some_and(Option::is_some));
    Some(CrossFittedGain {
        estimate,
        interval: Interval {
            low: (estimate - reach).max(-1.0),
            high: (estimate + reach).min(1.0),
        },
        n: usable.count(),
        chosen,
    })
}

/// One half of so many clusters, drawn at random.
fn half(clusters: usize, rng: &mut SplitMix) -> Vec<bool> {
    let mut order: Vec<usize> = (0..clusters).collect();
    for at in (1..clusters).rev() {
        order.swap(at, rng.below(at + 1));
    }
    let mut first = vec![false; clusters];
    for &at in &order[..clusters / 2] {
        first[at] = true;
    }
    first
}

/// A gain on the rows that a choice did not see.
struct MeasuredGain {
    mean: f64,
    /// What each row's cluster adds to it, about the groups' means.
    parts: Vec<(usize, f64)>,
}

fn gain(
    rows: &[LabelledOutcomes],
    places: &[usize],
    seen: &[bool],
    (prompt, incumbent): (usize, usize),
) -> Option<MeasuredGain> {
    let mut pairs: Vec<(usize, usize, f64)> = Vec::new();
    for ((row, &at), _) in rows
        .iter()
        .zip(places)
        .zip(seen)
        .filter(|(_, seen)| !**seen)
    {
        if let (Some(Some(a)), Some(Some(b))) =
            (row.outcomes.get(prompt), row.outcomes.get(incumbent))
        {
            pairs.push((row.group, at, a - b));
        }
    }
    let groups: std::collections::BTreeSet<usize> = pairs.iter().map(|pair| pair.0).collect();
    if groups.is_empty() {
        return None;
    }
    let weight = 1.0 / groups.len() as f64;
    let (mut mean, mut parts) = (0.0, Vec::new());
    for group in groups {
        let own: Vec<&(usize, usize, f64)> = pairs.iter().filter(|pair| pair.0 == group).collect();
        let n = own.len() as f64;
        let centre = own.iter().map(|pair| pair.2).sum::<f64>() / n;
        mean += weight * centre;
        // What a mean takes off the spread about it.
        let mend = if n > 1.0 { (n / (n - 1.0)).sqrt() } else { 1.0 };
        parts.extend(
            own.iter()
                .map(|pair| (pair.1, weight * mend * (pair.2 - centre) / n)),
        );
    }
    Some(MeasuredGain { mean, parts })
}
