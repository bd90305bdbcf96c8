//! Lines that rise from left to right, a line a series.

use maud::{Markup, html};

use super::charts::{AxisScale, number};
use crate::report::grouped;

/// One line.
pub(crate) struct RisingLine<'a> {
    /// What it is of.
    pub label: &'a str,
    /// From left to right: place, and height in `0..=1`.
    pub points: Vec<(u64, f64)>,
}

/// Pixels of the field.
const FIELD: f64 = 220.0;
/// Where the field begins, in per cent of the width.
const LEFT: f64 = 8.0;
/// Per cent kept clear at the right.
const RIGHT: f64 = 2.0;

const COLORS: [&str; 6] = ["--pick", "--trio", "--good", "--bad", "--wait", "--ink"];
const DASHES: [&str; 4] = ["", "7 3", "2 3", "9 3 2 3"];

/// How the line of this number is drawn: neighbors differ in color and in dashes, so
/// that neither is needed to tell them apart.
fn style(number: usize) -> String {
    let color = COLORS[number % COLORS.len()];
    let dash = DASHES[(number + number / COLORS.len()) % DASHES.len()];
    let mut style = format!("stroke:var({color});stroke-width:2");
    if !dash.is_empty() {
        style.push_str(";stroke-dasharray:");
        style.push_str(dash);
    }
    style
}

/// The lines over a common axis of whole numbers named `axis`, in points of a hundred;
/// `level`: a height that is marked across, with its name. `summary` is what a reader
/// who cannot see the chart is told.
pub(crate) fn rising_lines(
    lines: &[RisingLine<'_>],
    axis: &str,
    level: Option<(&str, f64)>,
    summary: &str,
) -> Markup {
    let all = || lines.iter().flat_map(|line| &line.points);
    let heights = all().map(|point| point.1).chain(level.map(|level| level.1));
    let (Some(scale), Some(most)) = (
        AxisScale::over(heights.map(|height| height * 100.0)),
        all().map(|point| point.0).max(),
    ) else {
        return html! {};
    };
    let y = |height: f64| number(FIELD - scale.share(height * 100.0) * (FIELD - 16.0));
    let x = |place: u64| {
        let share = place as f64 / most.max(1) as f64;
        format!("{:.2}%", LEFT + share * (100.0 - LEFT - RIGHT))
    };
    html! {
        ul.legend {
            @for (at, line) in lines.iter().enumerate() {
                li {
                    svg aria-hidden="true" viewBox="-8 -8 16 16" {
                        line x1="-8" x2="8" y1="0" y2="0" style=(style(at)) {}
                    }
                    (line.label)
                }
            }
        }
        svg.plot role="img" aria-label=(summary) height=(number(FIELD + 46.0)) {
            @for tick in scale.ticks() {
                @let at = y(f64::from(tick) / 100.0);
                line.grid x1=(x(0)) x2="100%" y1=(at) y2=(at) {}
                text.dim x="6.5%" y=(at) dy="4" text-anchor="end" { (tick) }
            }
            @for place in places(most) {
                text.dim x=(x(place)) y=(number(FIELD + 20.0)) text-anchor=(anchor(place, most)) {
                    (grouped(place))
                }
            }
            text.dim x="54%" y=(number(FIELD + 40.0)) text-anchor="middle" { (axis) }
            @if let Some((name, height)) = level {
                line x1=(x(0)) x2="100%" y1=(y(height)) y2=(y(height)) style="stroke:var(--dim);stroke-width:1;stroke-dasharray:2 4" {}
                text.dim x="100%" y=(y(height)) dy="-4" text-anchor="end" { (name) }
            }
            @for (at, line) in lines.iter().enumerate() {
                g style=(style(at)) {
                    @for pair in line.points.windows(2) {
                        @let [(from, low), (to, high)] = [pair[0], pair[1]];
                        line x1=(x(from)) y1=(y(low)) x2=(x(to)) y2=(y(low)) {}
                        @if (high - low).abs() > f64::EPSILON {
                            line x1=(x(to)) y1=(y(low)) x2=(x(to)) y2=(y(high)) {}
                        }
                    }
                }
            }
        }
    }
}

/// Round places from 0 up to the most.
fn places(most: u64) -> Vec<u64> {
    let step = (0..19)
        .flat_map(|power| [1, 2, 5].map(|digit: u64| digit.saturating_mul(10_u64.pow(power))))
        .find(|step| most / step <= 4)
        .unwrap_or(most.max(1));
    (0..=most / step).map(|count| count * step).collect()
}

/// The first and the last number stay within the chart.
fn anchor(place: u64, most: u64) -> &'static str {
    if place * 20 > most * 19 {
        "end"
    } else {
        "middle"
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn places_are_round() {
        assert_eq!(places(398), [0, 100, 200, 300]);
        assert_eq!(places(5880), [0, 2000, 4000]);
        assert_eq!(places(0), [0]);
        assert_eq!(places(3), [0, 1, 2, 3]);
    }

    #[test]
    fn no_two_lines_look_alike() {
        let styles: Vec<String> = (0..12).map(style).collect();
        for (at, style) in styles.iter().enumerate() {
            assert!(!styles[..at].contains(style), "{at}: {style}");
        }
    }

    #[test]
    fn nothing_draws_nothing() {
        let empty = rising_lines(&[], "calls", None, "").into_string();
        assert_eq!(empty, "");
    }

    proptest! {
        #[test]
        fn places_end_inside(most in 0_u64..u64::MAX / 32) {
            let places = places(most);
            prop_assert!((1..=5).contains(&places.len()), "{places:?}");
            prop_assert!(places.iter().all(|place| *place <= most));
        }
    }
}
