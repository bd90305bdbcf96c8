//! Moments as people tell them.

use crate::load::clock::ClockUnit;

/// Seconds since 1970 of a time in whatever unit its size tells; `None` for numbers that
/// only count.
fn seconds(time: i64) -> Option<i64> {
    Some(time / ClockUnit::of(time)?.per_second())
}

/// `Saturday, 21:40`, in UTC: the data know of no other.
pub(super) fn moment(time: i64) -> Option<String> {
    const DAYS: [&str; 7] = [
        "Thursday",
        "Friday",
        "Saturday",
        "Sunday",
        "Monday",
        "Tuesday",
        "Wednesday",
    ];
    let seconds = seconds(time)?;
    // 1 January 1970 was a Thursday.
    let day = DAYS[(seconds / 86_400 % 7) as usize];
    let (hour, minute) = (seconds / 3_600 % 24, seconds / 60 % 60);
    Some(format!("{day}, {hour:02}:{minute:02}"))
}

/// `5 minutes ago`, in the largest unit that fits at least once.
pub(super) fn ago(before: i64, now: i64) -> Option<String> {
    let passed = (seconds(now)? - seconds(before)?).max(0);
    let (n, unit) = match passed {
        ..60 => return Some("just now".to_owned()),
        60..3_600 => (passed / 60, "minute"),
        3_600..86_400 => (passed / 3_600, "hour"),
        86_400..63_072_000 => (passed / 86_400, "day"),
        _ => (passed / 31_536_000, "year"),
    };
    let s = if n == 1 { "" } else { "s" };
    Some(format!("{n} {unit}{s} ago"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Recounted with the system's `date -u`.
    #[test]
    fn moments_are_told_in_words() {
        assert_eq!(moment(1_573_808_122).as_deref(), Some("Friday, 08:55"));
        assert_eq!(moment(874_724_710_000).as_deref(), Some("Saturday, 03:05"));
        assert_eq!(moment(2_019), None);
    }

    #[test]
    fn passed_time_is_told_in_one_unit() {
        let now = 1_573_808_122;
        let told = |passed: i64| ago(now - passed, now).unwrap();
        assert_eq!(told(0), "just now");
        assert_eq!(told(-50), "just now");
        assert_eq!(told(60), "1 minute ago");
        assert_eq!(told(3_599), "59 minutes ago");
        assert_eq!(told(7_200), "2 hours ago");
        assert_eq!(told(86_400 * 45), "45 days ago");
        assert_eq!(told(86_400 * 800), "2 years ago");
        assert_eq!(
            ago((now - 300) * 1_000, now * 1_000).as_deref(),
            Some("5 minutes ago")
        );
        assert_eq!(ago(3, now), None);
    }
}
