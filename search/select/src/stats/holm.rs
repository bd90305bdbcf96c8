//! Several tests at once.

/// Holm's step-down adjusted p-values (1979), in the order given: reject where
/// the adjusted value is at most α, and the chance of any false rejection is at
/// most α whatever the dependence between the tests. NaN counts as 1.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let clean = |p: f64| if p.is_nan() { 1.0 } else { p.clamp(0.0, 1.0) };
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| clean(p_values[a]).total_cmp(&clean(p_values[b])));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut running = 0.0_f64;
    for (rank, &index) in order.iter().enumerate() {
        let left = (p_values.len() - rank) as f64;
        running = running.max((left * clean(p_values[index])).min(1.0));
        adjusted[index] = running;
    }
    adjusted
}
