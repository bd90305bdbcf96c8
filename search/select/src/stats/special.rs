//! Distribution functions the intervals need, to about 1e-13.
//!
//! Written out here because they are the only numerical special functions of
//! the crate; checked against scipy in `tests/fixtures`.

// The textbook's names.
#![allow(clippy::many_single_char_names)]

use std::f64::consts::PI;

/// Lanczos coefficients (g = 7, n = 9).
const LANCZOS: [f64; 9] = [
    0.999_999_999_999_809_9,
    676.520_368_121_885_1,
    -1_259.139_216_722_402_8,
    771.323_428_777_653_1,
    -176.615_029_162_140_6,
    12.507_343_278_686_905,
    -0.138_571_095_265_720_12,
    9.984_369_578_019_572e-6,
    1.505_632_735_149_311_6e-7,
];

/// ln Γ(x) for x > 0.
pub fn ln_gamma(x: f64) -> f64 {
    if x < 0.5 {
        return (PI / (PI * x).sin()).ln() - ln_gamma(1.0 - x);
    }
    let x = x - 1.0;
    let t = x + 7.5;
    let sum = LANCZOS[1..]
        .iter()
        .zip(1..)
        .fold(LANCZOS[0], |sum, (c, i)| sum + c / (x + f64::from(i)));
    0.5 * (2.0 * PI).ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

/// Complementary error function.
pub fn erfc(x: f64) -> f64 {
    let z = x * x;
    let half = 0.5_f64;
    // Regularised incomplete gamma with a = 1/2: series near 0, continued
    // fraction (modified Lentz) in the tail.
    let scale = (-z + half * z.ln() - 0.5 * PI.ln()).exp();
    let upper = if z == 0.0 {
        1.0
    } else if z < 1.5 {
        let (mut term, mut sum, mut a) = (2.0, 2.0, half);
        while term > sum * 1e-17 {
            a += 1.0;
            term *= z / a;
            sum += term;
        }
        1.0 - sum * scale
    } else {
        let mut b = z + 1.0 - half;
        let mut c = 1e300;
        let mut d = 1.0 / b;
        let mut h = d;
        for i in 1..500 {
            let i = f64::from(i);
            let an = -i * (i - half);
            b += 2.0;
            d = 1.0 / (an * d + b);
            c = b + an / c;
            let step = d * c;
            h *= step;
            if (step - 1.0).abs() < 1e-16 {
                break;
            }
        }
        scale * h
    };
    if x >= 0.0 { upper } else { 2.0 - upper }
}

/// Standard normal distribution function.
pub fn normal_cdf(z: f64) -> f64 {
    0.5 * erfc(-z / std::f64::consts::SQRT_2)
}

/// Standard normal quantile; infinite at 0 and 1.
pub fn normal_quantile(p: f64) -> f64 {
    if p <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if p >= 1.0 {
        return f64::INFINITY;
    }
    if p > 0.5 {
        return -normal_quantile(1.0 - p);
    }
    // Start from the tail expansion, then Newton on ln Φ, which is concave and
    // so converges from anywhere.
    let t = (-2.0 * p.ln()).sqrt();
    let mut z = -(t - (2.307_53 + 0.270_61 * t) / (1.0 + t * (0.992_29 + t * 0.044_81)));
    for _ in 0..6 {
        let cdf = normal_cdf(z);
        let pdf = (-0.5 * z * z).exp() / (2.0 * PI).sqrt();
        z -= (cdf.ln() - p.ln()) * cdf / pdf;
    }
    z
}

/// Regularised incomplete beta function `I_x(a, b)`, for a, b > 0.
pub fn beta_cdf(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    // The continued fraction converges fast below the mean; mirror above it.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta_cdf(1.0 - x, b, a);
    }
    let front =
        (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p()).exp() / a;
    let tiny = 1e-300;
    let guard = |v: f64| if v.abs() < tiny { tiny } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / guard(1.0 - (a + b) * x / (a + 1.0));
    let mut h = d;
    for m in 1..2_000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / guard(1.0 + even * d);
        c = guard(1.0 + even / c);
        h *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / guard(1.0 + odd * d);
        c = guard(1.0 + odd / c);
        let step = d * c;
        h *= step;
        if (step - 1.0).abs() < 1e-16 {
            break;
        }
    }
    front * h
}

/// Quantile of the Beta(a, b) distribution.
pub fn beta_quantile(p: f64, a: f64, b: f64) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    for _ in 0..1_100 {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high || high - low < 1e-15 * middle {
            break;
        }
        if beta_cdf(middle, a, b) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// Student t distribution function with `df` > 0 degrees of freedom.
pub fn t_cdf(t: f64, df: f64) -> f64 {
    let tail = 0.5 * beta_cdf(df / (df + t * t), 0.5 * df, 0.5);
    if t > 0.0 { 1.0 - tail } else { tail }
}

/// Student t quantile with `df` > 0 degrees of freedom.
pub fn t_quantile(p: f64, df: f64) -> f64 {
    if p > 0.5 {
        return -t_quantile(1.0 - p, df);
    }
    let x = beta_quantile(2.0 * p, 0.5 * df, 0.5);
    -(df * (1.0 - x) / x).sqrt()
}
