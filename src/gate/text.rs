//! The decision for a terminal.

use std::fmt::{self, Write as _};

use shiftproof_search::event::GroupOutcome;
use shiftproof_search::stats::BoundedDifference;

use super::baseline::short;
use super::{GateMode, GateReport, JudgedPrompt, ScoredPrompt, points, score, state_name};
use crate::commands::score::origin;
use crate::report::{estimated, grouped, machine, score as interval};
use crate::wording::shown::visible;
use crate::wording::table::{TextColumn, TextTable};
use crate::wording::unusable::counts;

impl GateReport {
    /// The report as text.
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        let mode = match self.mode {
            GateMode::Ship => "ship",
            GateMode::Guard => "guard",
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
            writeln!(out, "Note: {}", visible(note))?;
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
        )?;
        match estimated(&self.spent) {
            Some(told) => writeln!(out, "{told}"),
            None => Ok(()),
        }
    }

    fn write_alone(&self, out: &mut String) -> fmt::Result {
        let mut table = TextTable::new([
            TextColumn::left().at_least(12),
            TextColumn::right().at_least(15),
            TextColumn::left(),
            TextColumn::left(),
        ])
        .indented(2);
        for group in &self.incumbent.groups {
            table.row([
                group.group.clone(),
                interval(group),
                format!("n {:>4}", group.n),
                format!("{}{}", group.role, counts(group)),
            ]);
        }
        out.push_str(&table.text());
        writeln!(out, "  Brackets: 95% intervals.")
    }

    fn write_table(&self, out: &mut String, candidate: &JudgedPrompt) -> fmt::Result {
        let figures = [5, 9, 9, 10, 14].map(|least| TextColumn::right().at_least(least));
        let columns = [TextColumn::left().at_least(12)].into_iter().chain(figures);
        let mut table = TextTable::new(columns.chain([TextColumn::left()])).indented(2);
        table.row([
            "group",
            "pairs",
            "incumbent",
            "candidate",
            "difference",
            "bounds",
        ]);
        for row in &candidate.compared {
            let of = |contender: &ScoredPrompt| {
                contender
                    .groups
                    .iter()
                    .find(|g| g.group == row.group)
                    .cloned()
            };
            let (mine, theirs) = (of(&self.incumbent), of(&candidate.contender));
            let value = |group: &Option<GroupOutcome>| {
                group
                    .as_ref()
                    .and_then(|g| g.value)
                    .map_or_else(|| "-".into(), score)
            };
            table.row([
                row.group.clone(),
                row.pairs.to_string(),
                value(&mine),
                value(&theirs),
                difference(row.difference.as_ref()),
                bounds(row.difference.as_ref()),
                format!(
                    "{}, {}{}",
                    row.role,
                    state_name(row.state),
                    theirs.as_ref().map_or_else(String::new, counts)
                ),
            ]);
        }
        let value = |contender: &ScoredPrompt| contender.score.map_or_else(|| "-".into(), score);
        table.row([
            "robust score".into(),
            String::new(),
            value(&self.incumbent),
            value(&candidate.contender),
            difference(candidate.robust.as_ref()),
            bounds(candidate.robust.as_ref()),
            candidate
                .robust
                .map_or_else(String::new, |robust| format!("p = {:.4}", robust.p)),
        ]);
        out.push_str(&table.text());
        writeln!(
            out,
            "  Differences and bounds are paired, in points; each bound alone holds with {:.1}% \
             confidence.\n  A candidate ships where all its demands hold at once (Holm over \
             candidates); what is said of\n  single groups holds together (Holm). Tolerance {} \
             points.",
            100.0 * (1.0 - self.demand.level),
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

fn prompt(out: &mut String, what: &str, contender: &ScoredPrompt) -> fmt::Result {
    writeln!(out, "\n{what} {:#} ({})", contender.id, contender.origin)?;
    for line in crate::wording::word_diff::flat(&contender.prompt).lines() {
        writeln!(out, "  > {}", visible(line))?;
    }
    Ok(())
}

fn difference(bounded: Option<&BoundedDifference>) -> String {
    bounded.map_or_else(|| "-".into(), |b| points(b.estimate))
}

fn bounds(bounded: Option<&BoundedDifference>) -> String {
    bounded.map_or_else(
        || "-".into(),
        |b| format!("[{}, {}]", points(b.lower), points(b.upper)),
    )
}
