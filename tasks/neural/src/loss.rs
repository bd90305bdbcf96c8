//! What training makes small.

use candle_core::{D, DType, Result, Tensor};

/// Scores of states for their targets `(n)`, and for the drawn items `(n, k)`.
pub(crate) struct Scored {
    pub target: Tensor,
    pub drawn: Tensor,
    /// 1 where a drawn item is not the target, else 0, `(n, k)`.
    pub other: Tensor,
}

impl Scored {
    /// `targets` and `drawn` are the items' numbers, `(n)` and `(k)`.
    pub fn new(target: Tensor, shared: Tensor, targets: &Tensor, drawn: &Tensor) -> Result<Self> {
        let other = targets
            .unsqueeze(1)?
            .broadcast_ne(&drawn.unsqueeze(0)?)?
            .to_dtype(DType::F32)?;
        Ok(Self {
            target,
            drawn: shared,
            other,
        })
    }

    /// Binary cross-entropy with `negatives` items drawn evenly for each target:
    /// `−log σ(s₊) − Σ log(1 − σ(s₋))` (`SASRec`, §3.5; Caser, Eq. 10), the sum as its
    /// mean over the drawn ones.
    pub fn cross_entropy(&self, negatives: f64) -> Result<Tensor> {
        let right = softplus(&self.target.neg()?)?;
        let wrong = softplus(&self.drawn)?.mul(&self.other)?;
        let wrong = (wrong.mean(D::Minus1)? * negatives)?;
        right.add(&wrong)?.mean_all()
    }

    /// Bayesian personalised ranking, `−log σ(s₊ − s₋)`, the mean over the drawn items
    /// (`GRU4Rec`, §3.1.2).
    pub fn by_pairs(&self) -> Result<Tensor> {
        let behind = self.drawn.broadcast_sub(&self.target.unsqueeze(1)?)?;
        softplus(&behind)?.mul(&self.other)?.mean_all()
    }

    /// The worst case near the training part (DROS, Eq. 13 with the squared error as its
    /// loss): `log Σ exp(p · (s − y)² / β)` over all items, y being 1 for the target and 0
    /// for all others. Of `items` those drawn stand for all others. `p` is of targets `(n)`
    /// and of the drawn items `(k)`.
    pub fn robust(
        &self,
        target_weight: &Tensor,
        drawn_weight: &Tensor,
        items: usize,
        temperature: f64,
    ) -> Result<Tensor> {
        let drawn = self.drawn.dim(1)?;
        let right = (self.target.affine(1.0, -1.0)?.sqr()?.mul(target_weight)? / temperature)?;
        let wrong = (self.drawn.sqr()?.broadcast_mul(drawn_weight)? / temperature)?;
        // The greatest is taken out, so that no exponential is too large.
        let most = wrong.max(D::Minus1)?.maximum(&right)?.detach();
        let wrong = wrong
            .broadcast_sub(&most.unsqueeze(1)?)?
            .exp()?
            .mul(&self.other)?
            .sum(D::Minus1)?;
        let wrong = (wrong * (items as f64 / drawn as f64))?;
        right
            .sub(&most)?
            .exp()?
            .add(&wrong)?
            .log()?
            .add(&most)?
            .mean_all()
    }
}

/// log(1 + eˣ), without overflow.
fn softplus(x: &Tensor) -> Result<Tensor> {
    let small = x.abs()?.neg()?.exp()?.affine(1.0, 1.0)?.log()?;
    x.relu()?.add(&small)
}

/// The distribution that robustness is asked around: `((n + 1) / Σ (n + 1))^0.05` of an
/// item that occurs n times, as the authors of DROS weigh items.
pub(crate) fn item_weights(counts: &[u32]) -> Vec<f32> {
    let sum: f64 = counts.iter().map(|count| f64::from(*count) + 1.0).sum();
    counts
        .iter()
        .map(|count| ((f64::from(*count) + 1.0) / sum).powf(0.05) as f32)
        .collect()
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn close(loss: Result<Tensor>, expected: f64) {
        let loss = f64::from(loss.unwrap().to_scalar::<f32>().unwrap());
        assert!((loss - expected).abs() < 1e-4, "{loss} is not {expected}");
    }

    /// Two states, all three items drawn: targets 1 and 3.
    fn scored() -> (Scored, [[f64; 3]; 2]) {
        let cpu = &Device::Cpu;
        let scores = [[0.5, -1.0, 2.0], [0.0, 3.0, 1.5]];
        let flat: Vec<f32> = scores.concat().iter().map(|x| *x as f32).collect();
        let shared = Tensor::from_vec(flat, (2, 3), cpu).unwrap();
        let target = Tensor::new(&[0.5_f32, 1.5], cpu).unwrap();
        let targets = Tensor::new(&[1_u32, 3], cpu).unwrap();
        let drawn = Tensor::new(&[1_u32, 2, 3], cpu).unwrap();
        let scored = Scored::new(target, shared, &targets, &drawn).unwrap();
        (scored, scores)
    }

    #[test]
    fn losses_equal_their_formulas() {
        let (scored, s) = scored();
        let log_chance = |x: f64| -(1.0 + (-x).exp()).ln();
        let others = [[1, 2], [0, 1]];
        let own = [0, 2];
        let mean = |of: &dyn Fn(usize) -> f64| f64::midpoint(of(0), of(1));
        close(
            scored.cross_entropy(6.0),
            mean(&|row| {
                let wrong: f64 = others[row].iter().map(|i| log_chance(-s[row][*i])).sum();
                -log_chance(s[row][own[row]]) - wrong * 6.0 / 3.0
            }),
        );
        close(
            scored.by_pairs(),
            mean(&|row| {
                let pair = |i: &usize| -log_chance(s[row][own[row]] - s[row][*i]);
                others[row].iter().map(pair).sum::<f64>() / 3.0
            }),
        );
        let p = item_weights(&[9, 0, 4]);
        let cpu = &Device::Cpu;
        let weights = Tensor::new(p.as_slice(), cpu).unwrap();
        let own_weights = Tensor::new(&[p[0], p[2]], cpu).unwrap();
        close(
            scored.robust(&own_weights, &weights, 3, 0.5),
            mean(&|row| {
                let term =
                    |i: usize, y: f64| (f64::from(p[i]) * (s[row][i] - y).powi(2) / 0.5).exp();
                let wrong: f64 = others[row].iter().map(|i| term(*i, 0.0)).sum();
                (term(own[row], 1.0) + wrong).ln()
            }),
        );
    }

    #[test]
    fn great_scores_overflow_nothing() {
        let cpu = &Device::Cpu;
        let target = Tensor::new(&[-400.0_f32], cpu).unwrap();
        let shared = Tensor::new(&[[900.0_f32, -800.0]], cpu).unwrap();
        let targets = Tensor::new(&[3_u32], cpu).unwrap();
        let drawn = Tensor::new(&[1_u32, 2], cpu).unwrap();
        let scored = Scored::new(target, shared, &targets, &drawn).unwrap();
        let one = Tensor::new(&[1.0_f32], cpu).unwrap();
        let two = Tensor::new(&[1.0_f32, 1.0], cpu).unwrap();
        for loss in [
            scored.cross_entropy(1.0),
            scored.by_pairs(),
            scored.robust(&one, &two, 2, 1.0),
        ] {
            assert!(loss.unwrap().to_scalar::<f32>().unwrap().is_finite());
        }
    }

    #[test]
    fn weights_hardly_grow_with_popularity() {
        let weights = item_weights(&[99, 0]);
        let expected = (100.0_f64 / 101.0).powf(0.05);
        assert!((f64::from(weights[0]) - expected).abs() < 1e-6);
        assert!(weights[1] < weights[0] && weights[1] > 0.75);
    }
}
