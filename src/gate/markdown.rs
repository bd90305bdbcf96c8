//! The decision as a comment on a pull request.

use std::fmt::{self, Write as _};

use shiftproof_search::stats::BoundedDifference;

use super::baseline::short;
use super::{GateDecision, GateReport, JudgedPrompt, ScoredPrompt, points, score, state_name};
use crate::commands::score::origin;
use crate::report::{estimated, grouped, machine};
use crate::wording::shown::{line, visible};
use crate::wording::table::write_markdown;
use crate::wording::unusable::counts;
use crate::wording::word_diff::flat;

impl GateReport {
    /// The report as Markdown. The comment on top lets a workflow find and
    /// replace what it wrote before.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = self.write_markdown(&mut out);
        out
    }

    fn write_markdown(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "<!-- shiftproof gate {} -->", self.study)?;
        let mark = match self.decision {
            GateDecision::Ship | GateDecision::Holds | GateDecision::Measured => "✅",
            GateDecision::NoSignificantWinner => "➖",
            GateDecision::Regressed | GateDecision::BelowBar => "❌",
        };
        writeln!(
            out,
            "### {mark} Prompt gate `{}`: {}\n",
            self.study,
            self.decision.headline()
        )?;
        writeln!(out, "{}", escaped(&self.reason))?;
        for candidate in &self.candidates {
            self.write_candidate(out, candidate)?;
        }
        if self.candidates.is_empty() {
            out.push('\n');
            let head = ["group", "role", "n", "score", "95% interval"];
            let rows = self.incumbent.groups.iter().map(|group| {
                let ends = match (group.low, group.high) {
                    (Some(low), Some(high)) => format!("{} to {}", score(low), score(high)),
                    _ => "–".into(),
                };
                vec![
                    escaped(&group.group),
                    format!("{}{}", group.role, counts(group)),
                    group.n.to_string(),
                    group.value.map_or_else(|| "–".into(), score),
                    ends,
                ]
            });
            write_markdown(out, &head, 2.., rows);
        }
        if !self.notes.is_empty() {
            writeln!(out)?;
            for note in &self.notes {
                writeln!(out, "> ⚠️ {}\n", escaped(note))?;
            }
        }
        writeln!(
            out,
            "\n<sub>Points of {}. Differences are paired on the same sealed examples; each bound \
             alone holds with {:.1}% confidence; a candidate ships where all its demands hold at once \
             (Holm over candidates), and what is said of single groups holds together (Holm). A \
             group may lose {} points. Audit `{}`: {} target labels read. Model `{}`. {} calls, {} tokens: {}.{}</sub>",
            self.metric,
            100.0 * (1.0 - self.demand.level),
            score(self.demand.tolerance),
            short(&self.audit.fingerprint),
            grouped(self.audit.target_labels_read),
            machine(&self.model).replace('`', "'"),
            grouped(self.spent.calls),
            grouped(self.spent.tokens()),
            origin(self.spent, self.sent),
            estimated(&self.spent).map_or_else(String::new, |told| format!(" {told}"))
        )
    }

    fn write_candidate(&self, out: &mut String, candidate: &JudgedPrompt) -> fmt::Result {
        let contender = &candidate.contender;
        if self.candidates.len() > 1 {
            writeln!(out, "\n#### Candidate `{:#}`", contender.id)?;
        }
        let head = [
            "group",
            "role",
            "pairs",
            "incumbent",
            "candidate",
            "difference",
            "bounds",
            "",
        ];
        let groups = candidate.compared.iter().map(|row| {
            let group = |c: &ScoredPrompt| c.groups.iter().find(|g| g.group == row.group).cloned();
            let value = |c: &ScoredPrompt| {
                group(c)
                    .and_then(|g| g.value)
                    .map_or_else(|| "–".into(), score)
            };
            let trouble = group(contender).as_ref().map_or_else(String::new, counts);
            let state = match row.state {
                shiftproof_search::stats::GroupState::Regressed => "**regressed**",
                other => state_name(other),
            };
            let [difference, bounds] = cells(row.difference.as_ref());
            vec![
                escaped(&row.group),
                row.role.to_string(),
                row.pairs.to_string(),
                value(&self.incumbent),
                value(contender),
                difference,
                bounds,
                format!("{state}{trouble}"),
            ]
        });
        let value = |c: &ScoredPrompt| c.score.map_or_else(|| "–".into(), score);
        let [difference, bounds] = cells(candidate.robust.as_ref());
        let robust = vec![
            "**robust score**".to_owned(),
            self.demand.objective.clone(),
            String::new(),
            value(&self.incumbent),
            value(contender),
            difference,
            bounds,
            candidate
                .robust
                .map_or_else(String::new, |r| format!("p = {:.4}", r.p)),
        ];
        out.push('\n');
        write_markdown(out, &head, 2..7, groups.chain([robust]));
        self.write_change(out, contender)
    }

    /// The two prompts as a diff, folded away.
    fn write_change(&self, out: &mut String, contender: &ScoredPrompt) -> fmt::Result {
        if contender.id == self.incumbent.id {
            return Ok(());
        }
        let (before, after) = (flat(&self.incumbent.prompt), flat(&contender.prompt));
        let longest = [&before, &after]
            .iter()
            .flat_map(|text| text.split(|c| c != '`').map(str::len))
            .max()
            .unwrap_or(0);
        let fence = "`".repeat(longest.max(2) + 1);
        writeln!(
            out,
            "\n<details><summary>Prompt <code>{:#}</code> → <code>{:#}</code></summary>\n\n{fence}diff",
            self.incumbent.id, contender.id
        )?;
        for (sign, text) in [('-', &before), ('+', &after)] {
            for line in text.lines() {
                writeln!(out, "{sign} {}", visible(line))?;
            }
        }
        writeln!(out, "{fence}\n\n</details>")
    }
}

/// A difference and its bounds.
fn cells(bounded: Option<&BoundedDifference>) -> [String; 2] {
    bounded.map_or_else(
        || ["–".into(), "–".into()],
        |b| {
            let bounds = format!("{} to {}", points(b.lower), points(b.upper));
            [points(b.estimate), bounds]
        },
    )
}

/// Text that Markdown and HTML take for nothing but text, on one line.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in line(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            // A name after @ would notify whoever has it.
            '@' => out.push_str("&#64;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '~' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn data_cannot_break_markdown() {
        assert_eq!(
            super::escaped("a|b\n<img> @you `x`"),
            "a\\|b &lt;img&gt; &#64;you \\`x\\`"
        );
    }
}
