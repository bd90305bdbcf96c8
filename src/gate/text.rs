//! The decision for a terminal.

use std::fmt::{self, Write as _};

use shiftproof_search::event::GroupScore;
use shiftproof_search::stats::Bounded;

use super::baseline::short;
use super::{Candidate, Contender, Mode, Report, points, score, state_name};
use crate::commands::score::origin;
use crate::report::{grouped, machine, score as interval};
use crate::unusable::counts;
use crate::words::visible;

impl Report {
    /// The report as text.
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        let mode = match self.mode {
            Mode::Ship => "ship",
            Mode::Guard => "guard",
        };
        writeln!(
            out,
            "{} · {mode} · {} · objective {}",
            self.study, self.metric, self.demand.objective
        )?;
        writeln!(out, "model {}", machine(&self.model))?;
        writeln!(
            out,
            "audit {}: {} sealed examples, {} target labels read; opened {}",
            short(&self.audit.fingerprint),
            grouped(self.audit.examples as u64),
            grouped(self.audit.target_labels_read),
            times(self.audit.openings, self.audit.questions),
        )?;
        for note in &self.notes {
            writeln!(out, "Note: {note}")?;
        }
        prompt(out, "incumbent", &self.incumbent)?;
        if self.candidates.is_empty() {
            self.write_alone(out)?;
        }
        for candidate in &self.candidates {
            prompt(out, "candidate", &candidate.contender)?;
            self.write_table(out, candidate)?;
        }
        writeln!(
            out,
            "\nDecision: {}. {}",
            self.decision.headline().to_uppercase(),
            self.reason
        )?;
        writeln!(
            out,
            "Spent {} calls, {} tokens: {}.",
            grouped(self.spent.calls),
            grouped(self.spent.tokens()),
            origin(self.spent, self.sent)
        )
    }

    fn write_alone(&self, out: &mut String) -> fmt::Result {
        let width = width(
            self.incumbent
                .groups
                .iter()
                .map(|group| group.group.as_str()),
        );
        for group in &self.incumbent.groups {
            writeln!(
                out,
                "  {:width$}  {:>15}  n {:>4}  {}{}",
                visible(&group.group),
                interval(group),
                group.n,
                group.role,
                counts(group)
            )?;
        }
        writeln!(out, "  Brackets: 95% intervals.")
    }

    fn write_table(&self, out: &mut String, candidate: &Candidate) -> fmt::Result {
        let width = width(candidate.compared.iter().map(|row| row.group.as_str()));
        writeln!(
            out,
            "  {:width$}  {:>5}  {:>9}  {:>9}  {:>10}  {:>14}",
            "group", "pairs", "incumbent", "candidate", "difference", "bounds"
        )?;
        for row in &candidate.compared {
            let of = |contender: &Contender| {
                contender
                    .groups
                    .iter()
                    .find(|g| g.group == row.group)
                    .cloned()
            };
            let (mine, theirs) = (of(&self.incumbent), of(&candidate.contender));
            let value = |group: &Option<GroupScore>| {
                group
                    .as_ref()
                    .and_then(|g| g.value)
                    .map_or_else(|| "-".into(), score)
            };
            writeln!(
                out,
                "  {:width$}  {:>5}  {:>9}  {:>9}  {:>10}  {:>14}  {}, {}{}",
                visible(&row.group),
                row.pairs,
                value(&mine),
                value(&theirs),
                difference(row.difference.as_ref()),
                bounds(row.difference.as_ref()),
                row.role,
                state_name(row.state),
                theirs.as_ref().map_or_else(String::new, counts)
            )?;
        }
        let value = |contender: &Contender| contender.score.map_or_else(|| "-".into(), score);
        writeln!(
            out,
            "  {:width$}  {:>5}  {:>9}  {:>9}  {:>10}  {:>14}  {}",
            "robust score",
            "",
            value(&self.incumbent),
            value(&candidate.contender),
            difference(candidate.robust.as_ref()),
            bounds(candidate.robust.as_ref()),
            candidate
                .robust
                .map_or_else(String::new, |robust| format!("p = {:.4}", robust.p))
        )?;
        writeln!(
            out,
            "  Differences and bounds are paired, in points; each bound alone holds with {:.0}% \
             confidence, the\n  judgements and p together (Holm). Tolerance {} points.",
            100.0 * (1.0 - self.demand.alpha),
            score(self.demand.tolerance)
        )
    }
}

fn times(openings: usize, questions: usize) -> String {
    let plural = |count: usize, word: &str| {
        let s = if count == 1 { "" } else { "s" };
        format!("{count} {word}{s}")
    };
    format!(
        "{} for {}",
        plural(openings, "time"),
        plural(questions, "question")
    )
}

fn width<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    names
        .map(|name| name.chars().count())
        .max()
        .unwrap_or(0)
        .max(12)
}

fn prompt(out: &mut String, what: &str, contender: &Contender) -> fmt::Result {
    writeln!(out, "\n{what} {:#} ({})", contender.id, contender.origin)?;
    for line in crate::words::flat(&contender.prompt).lines() {
        writeln!(out, "  > {}", visible(line))?;
    }
    Ok(())
}

fn difference(bounded: Option<&Bounded>) -> String {
    bounded.map_or_else(|| "-".into(), |b| points(b.estimate))
}

fn bounds(bounded: Option<&Bounded>) -> String {
    bounded.map_or_else(
        || "-".into(),
        |b| format!("[{}, {}]", points(b.lower), points(b.upper)),
    )
}
