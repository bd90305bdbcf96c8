//! What a candidate pays for doing well in some groups and badly in others.

use crate::empirical_bayes::GroupEstimates;

/// Fewest prior degrees of freedom behind the pooled interaction variance.
const LEAST_FREEDOM: f64 = 12.0;

/// What each candidate pays for its interaction: the square root of its
/// moderated variance, less that of the typical candidate, so that one hardly
/// measured is neither charged nor favoured.
pub(crate) fn charges(estimates: &GroupEstimates, price: f64) -> Vec<f64> {
    let pooled = estimates.interaction;
    // Per candidate: variance over its groups less noise, and the variance
    // that this estimate has from chance alone.
    let spreads: Vec<Option<(f64, f64, f64)>> = (0..estimates.candidates())
        .map(|p| {
            let (mut groups, mut squares, mut noise) = (0.0, 0.0, 0.0);
            for (interaction, count) in estimates.interactions(p) {
                groups += 1.0;
                squares += interaction * interaction;
                noise += estimates.noise / count;
            }
            noise /= groups;
            let chance = 2.0 * (pooled + noise).powi(2) / (groups - 1.0);
            (groups > 1.0 && pooled > 0.0).then(|| {
                (
                    squares / (groups - 1.0) - noise,
                    chance,
                    pooled / (pooled + noise),
                )
            })
        })
        .collect();
    // How much candidates truly differ in spread, by moments.
    let known = spreads.iter().flatten();
    let excess = known
        .clone()
        .map(|(s, chance, _)| (s - pooled).powi(2) - chance)
        .sum::<f64>();
    let truth = (excess / (known.count() as f64).max(1.0))
        .clamp(0.0, 2.0 * pooled * pooled / LEAST_FREEDOM);
    spreads
        .iter()
        .enumerate()
        .map(|(p, spread)| {
            // What target labels say of the target needs no guess from the source.
            let share = estimates.source_share(p);
            let Some((variance, chance, reliability)) = *spread else {
                return 0.0;
            };
            let own = if truth > 0.0 {
                truth / (truth + chance)
            } else {
                0.0
            };
            let moderated = (pooled + own * (variance - pooled)).max(0.1 * pooled);
            price * reliability * reliability * share * (moderated.sqrt() - pooled.sqrt())
        })
        .collect()
}
