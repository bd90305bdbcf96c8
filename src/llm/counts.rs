//! Numbers of tokens as others report them.

use serde_json::Value;

/// More tokens than any model reads or writes at once.
const MOST_TOKENS: f64 = 1e7;

/// A count, also if written in quotes or with a point; what cannot be one is
/// none.
pub(crate) fn count(value: &Value) -> Option<u64> {
    let number = number(value)?;
    ((0.0..=MOST_TOKENS).contains(&number) && number.fract() == 0.0).then_some(number as u64)
}

/// A number, also if written in quotes; never NaN.
pub(crate) fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    (!number.is_nan()).then_some(number)
}
