//! Charts as inline SVG. Horizontal places are per cent, so a chart fits any
//! width while its text keeps its size; series differ in shape, not only in
//! colour.

use maud::{Markup, html};

/// Names of the series, in the order of their shapes: a ring, a square, a
/// triangle.
pub(crate) type Series<'a> = &'a [&'a str];

/// One line of a dot plot.
pub(crate) struct DotPlotRow<'a> {
    /// What it is about.
    pub label: &'a str,
    /// Said after the label, smaller.
    pub note: String,
    /// Per series: value, lower and upper end.
    pub marks: Vec<Option<[f64; 3]>>,
}

/// Pixels between two series of a row.
const LANE: f64 = 15.0;
/// Pixels of a row's label.
const LABEL: f64 = 24.0;
/// Pixels of the axis.
const AXIS: f64 = 26.0;

/// Values with their intervals, a row per group, in points of a hundred.
/// `summary` is what a reader who cannot see the chart is told.
pub(crate) fn dot_plot(series: Series<'_>, rows: &[DotPlotRow<'_>], summary: &str) -> Markup {
    let ends = rows.iter().flat_map(|row| row.marks.iter().flatten());
    let Some(scale) = AxisScale::over(ends.flatten().map(|value| value * 100.0)) else {
        return html! {};
    };
    let lanes = series.len() as f64;
    let row_height = LABEL + lanes * LANE + 10.0;
    let bottom = rows.len() as f64 * row_height;
    html! {
        (legend(series))
        svg.plot role="img" aria-label=(summary) height=(number(bottom + AXIS)) {
            @for tick in scale.ticks() {
                line.grid x1=(scale.at(tick)) x2=(scale.at(tick)) y1="0" y2=(number(bottom)) {}
                text.dim x=(scale.at(tick)) y=(number(bottom + 17.0)) text-anchor=(scale.anchor(tick)) { (tick) }
            }
            @for (index, row) in rows.iter().enumerate() {
                @let top = index as f64 * row_height;
                text x="0" y=(number(top + 17.0)) {
                    (row.label) " " tspan.dim { (row.note) }
                }
                @for (lane, mark) in row.marks.iter().enumerate() {
                    @if let Some(mark) = mark {
                        @let [value, low, high] = mark.map(|value| value * 100.0);
                        @let y = number(top + LABEL + (lane as f64 + 0.5) * LANE);
                        line class=(format!("s{lane}")) x1=(scale.at(low)) x2=(scale.at(high)) y1=(y) y2=(y) {}
                        (shape(lane, &scale.at(value), &y))
                    }
                }
                line.axis x1="0" x2="100%" y1=(number(top + row_height - 1.0)) y2=(number(top + row_height - 1.0)) {}
            }
        }
    }
}

/// One race of the learning curve.
pub(crate) struct CurveStep {
    /// The phase.
    pub label: String,
    /// Said below it, smaller.
    pub note: String,
    /// Scores of all entrants.
    pub all: Vec<f64>,
    /// The seed prompt's and the leader's.
    pub marks: [Option<f64>; 2],
}

/// Pixels of the curve's own field.
const FIELD: f64 = 200.0;
/// How far below the lowest mark an entrant is still drawn: one hopeless prompt
/// would press all others into a line.
const BELOW: f64 = 0.15;

impl CurveStep {
    /// The lowest score that is drawn.
    fn floor(steps: &[Self]) -> f64 {
        let marks = steps.iter().flat_map(|step| step.marks.iter().flatten());
        marks.copied().fold(f64::INFINITY, f64::min) - BELOW
    }

    /// Entrants too far below to be drawn.
    pub fn undrawn(steps: &[Self]) -> usize {
        let floor = Self::floor(steps);
        let all = steps.iter().flat_map(|step| &step.all);
        all.filter(|score| **score < floor).count()
    }
}

/// How the leader and the seed prompt stood after each race. Scores of different
/// races are on different examples, so the leader's line is broken.
pub(crate) fn learning_curve(steps: &[CurveStep], summary: &str) -> Markup {
    let floor = CurveStep::floor(steps);
    let values = steps.iter().flat_map(|step| {
        let dots = step.all.iter().filter(|score| **score >= floor);
        dots.chain(step.marks.iter().flatten()).copied()
    });
    let Some(scale) = AxisScale::over(values.map(|value| value * 100.0)) else {
        return html! {};
    };
    let y = |value: f64| number(FIELD - scale.share(value * 100.0) * (FIELD - 16.0));
    let x = |index: usize| {
        let share = (index as f64 + 0.5) / steps.len() as f64;
        format!("{:.2}%", 8.0 + share * 92.0)
    };
    html! {
        (legend(&["seed prompt", "leader"]))
        svg.plot role="img" aria-label=(summary) height=(number(FIELD + 46.0)) {
            @for tick in scale.ticks() {
                @let at = y(f64::from(tick) / 100.0);
                line.grid x1="8%" x2="100%" y1=(at) y2=(at) {}
                text.dim x="6.5%" y=(at) dy="4" text-anchor="end" { (tick) }
            }
            @for (index, pair) in steps.windows(2).enumerate() {
                @for series in 0..2 {
                    @if let (Some(from), Some(to)) = (pair[0].marks[series], pair[1].marks[series]) {
                        line class=(format!("s{series} dash")) x1=(x(index)) y1=(y(from)) x2=(x(index + 1)) y2=(y(to)) {}
                    }
                }
            }
            @for (index, step) in steps.iter().enumerate() {
                @for value in step.all.iter().filter(|score| **score >= floor) {
                    circle.dot cx=(x(index)) cy=(y(*value)) r="3" {}
                }
                @for (series, mark) in step.marks.iter().enumerate() {
                    @if let Some(value) = mark {
                        (shape(series, &x(index), &y(*value)))
                    }
                }
                text x=(x(index)) y=(number(FIELD + 20.0)) text-anchor="middle" { (step.label) }
                text.dim x=(x(index)) y=(number(FIELD + 38.0)) text-anchor="middle" { (step.note) }
            }
        }
    }
}

fn legend(series: Series<'_>) -> Markup {
    html! {
        ul.legend {
            @for (index, name) in series.iter().enumerate() {
                li {
                    svg aria-hidden="true" viewBox="-8 -8 16 16" { (shape(index, "0", "0")) }
                    (name)
                }
            }
        }
    }
}

/// A series' mark with its centre at `x`, `y`.
fn shape(series: usize, x: &str, y: &str) -> Markup {
    let class = format!("s{series} m{series}");
    html! {
        svg x=(x) y=(y) overflow="visible" {
            @match series {
                0 => circle class=(class) r="4.5" {},
                1 => rect class=(class) x="-4" y="-4" width="8" height="8" {},
                _ => path class=(class) d="M0 -5 5 4 -5 4z" {},
            }
        }
    }
}

/// From values to places.
pub(super) struct AxisScale {
    low: f64,
    high: f64,
    step: i32,
}

impl AxisScale {
    /// A scale with round ends over the values; `None` without any.
    pub fn over(values: impl Iterator<Item = f64>) -> Option<Self> {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| value.is_finite()) {
            (low, high) = (low.min(value), high.max(value));
        }
        if low > high {
            return None;
        }
        let span = (high - low).max(1.0);
        let step = [1, 2, 5, 10, 20, 25, 50, 100, 200, 500]
            .into_iter()
            .find(|step| span / f64::from(*step) <= 6.0)
            .unwrap_or(1000);
        let unit = f64::from(step);
        let low = (low / unit).floor() * unit;
        let high = ((high / unit).ceil() * unit).max(low + unit);
        Some(Self { low, high, step })
    }

    /// How far from the lower end to the upper a value is, in `0..=1`.
    pub fn share(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    /// The place of a value, ends kept clear.
    fn at(&self, value: impl Into<f64>) -> String {
        format!("{:.2}%", 2.5 + 95.0 * self.share(value.into()))
    }

    /// How the number of a tick stands at its place: one of three signs or more at an end
    /// would be cut on a narrow screen.
    fn anchor(&self, tick: i32) -> &'static str {
        let is_wide = tick.to_string().len() > 2;
        let at = |end: f64| (f64::from(tick) - end).abs() < 0.5;
        match is_wide {
            true if at(self.high) => "end",
            true if at(self.low) => "start",
            _ => "middle",
        }
    }

    /// Round values from end to end.
    pub fn ticks(&self) -> Vec<i32> {
        let count = ((self.high - self.low) / f64::from(self.step)).round() as i32;
        (0..=count)
            .map(|index| self.low as i32 + index * self.step)
            .collect()
    }
}

/// A number of pixels.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn axis_ends_are_round() {
        let scale = AxisScale::over([43.0, 81.2].into_iter()).unwrap();
        assert_eq!((scale.low, scale.high, scale.step), (40.0, 90.0, 10));
        assert_eq!(scale.ticks(), [40, 50, 60, 70, 80, 90]);
        assert!(AxisScale::over(std::iter::once(f64::NAN)).is_none());
    }

    #[test]
    fn numbers_at_the_ends_stay_inside() {
        let scale = AxisScale::over([-96.0, 98.0].into_iter()).unwrap();
        let anchors: Vec<&str> = scale
            .ticks()
            .iter()
            .map(|tick| scale.anchor(*tick))
            .collect();
        assert_eq!(
            (anchors[0], anchors[1], *anchors.last().unwrap()),
            ("start", "middle", "end")
        );
        let short = AxisScale::over([3.0, 96.0].into_iter()).unwrap();
        assert_eq!(
            (short.anchor(0), short.anchor(80), short.anchor(100)),
            ("middle", "middle", "end")
        );
    }

    proptest! {
        #[test]
        fn every_value_fits_inside(values in prop::collection::vec(-150.0..150.0_f64, 1..20)) {
            let scale = AxisScale::over(values.iter().copied()).unwrap();
            prop_assert!(scale.ticks().len() <= 9, "{:?}", scale.ticks());
            for value in values {
                prop_assert!((0.0..=1.0).contains(&scale.share(value)));
            }
        }
    }
}
