//! The report as text and in Markdown.

use std::fmt::Write as _;

use super::watch::{ChangeEvidence, GroupWatch};
use super::{DriftDecision, DriftReport};
use crate::commands::score::origin;
use crate::report::grouped;
use crate::wording::shown::{line, visible};
use crate::wording::table::{TextColumn, TextTable, write_markdown};

const HEAD: [&str; 6] = [
    "group",
    "committed",
    "last day",
    "all days",
    "score fell",
    "answers moved",
];

impl DriftReport {
    /// The report for a terminal; its last line says what to do.
    pub fn text(&self) -> String {
        let mut out = format!(
            "{} · prompt {:#} · {} · {}\nday {} ({} so far); chance of any false alarm over all days {}, \
             tolerance {:.0} points\n\n",
            self.study,
            self.prompt,
            self.metric,
            self.model,
            line(&self.batch),
            self.stream(),
            self.alpha,
            self.tolerance * 100.0
        );
        let mut table = TextTable::new([
            TextColumn::left(),
            TextColumn::right(),
            TextColumn::right(),
            TextColumn::right(),
            TextColumn::right(),
            TextColumn::right(),
        ]);
        table.row(HEAD.map(str::to_owned));
        for group in &self.groups {
            table.row(cells(group));
        }
        out.push_str(&table.text());
        for told in self.told() {
            let _ = writeln!(out, "{told}");
        }
        if let Some(days) = self.day_table() {
            let columns = days.head.iter().skip(1).map(|_| TextColumn::right());
            let columns: Vec<TextColumn> =
                std::iter::once(TextColumn::left()).chain(columns).collect();
            let mut table = TextTable::new(columns);
            table.row(days.head);
            for row in days.rows {
                table.row(row);
            }
            let _ = write!(out, "\n{}", table.text());
        }
        if !self.race.is_empty() {
            out.push_str(
                "\nPrompts of stored runs on the labelled rows, against the one in use:\n",
            );
            for champion in &self.race {
                let _ = writeln!(
                    out,
                    "  {:#} of run {}: {:.1} ({:+.1} [{:+.1}, {:+.1}] points on {} rows)",
                    champion.prompt,
                    champion.run,
                    champion.score * 100.0,
                    champion.ahead[0] * 100.0,
                    champion.ahead[1] * 100.0,
                    champion.ahead[2] * 100.0,
                    champion.n
                );
            }
        }
        for note in &self.notes {
            let _ = writeln!(out, "Note: {}", visible(note));
        }
        let _ = writeln!(
            out,
            "\nSpent {} calls, {} tokens: {}. Brackets: intervals that hold on all days at once.",
            grouped(self.spent.calls),
            grouped(self.spent.tokens()),
            origin(self.spent, self.sent)
        );
        for command in &self.next {
            let _ = writeln!(out, "  {command}");
        }
        let _ = writeln!(out, "{}", self.last_line());
        out
    }

    /// What to do, in one line.
    pub fn last_line(&self) -> String {
        let word = match self.decision {
            DriftDecision::Keep => "KEEP",
            DriftDecision::ReLabel => "RE-LABEL",
            DriftDecision::ReOptimise => "RE-OPTIMISE",
        };
        format!("{word}: {}", visible(&self.reason))
    }

    /// Days of the stream under way.
    pub fn stream(&self) -> String {
        let days = self.days.iter().rev();
        let own = days.take_while(|day| day.prompt == self.prompt).count();
        format!("{own} {}", if own == 1 { "day" } else { "days" })
    }

    /// What each alarm is about, as sentences.
    pub fn told(&self) -> Vec<String> {
        let mut told = Vec::new();
        for group in &self.groups {
            let name = visible(&group.group);
            if let (true, Some(since)) = (group.fall.alarm, &group.fall.since) {
                told.push(format!(
                    "Alarm: the score of {name} fell, most likely from {} on.",
                    visible(since)
                ));
            }
            if let (true, Some(since)) = (group.shares.alarm, &group.shares.since) {
                let moved = group
                    .moved
                    .as_ref()
                    .map_or_else(String::new, |(class, of, now)| {
                        let class = if class.is_empty() {
                            "unreadable"
                        } else {
                            class
                        };
                        format!(
                            ": {} was answered to {:.0}% of the reference, and is to {:.0}%",
                            visible(class),
                            of * 100.0,
                            now * 100.0
                        )
                    });
                told.push(format!(
                    "Alarm: the answers in {name} moved, most likely from {} on{moved}.",
                    visible(since)
                ));
            }
        }
        told
    }

    /// The report in Markdown.
    pub fn markdown(&self) -> String {
        let mut out = format!(
            "## {}\n\n{} · prompt `{:#}` · {} · day {}\n\n",
            self.last_line(),
            self.study,
            self.prompt,
            self.metric,
            line(&self.batch)
        );
        let escaped = |cell: String| cell.replace('|', "\\|");
        let rows = self
            .groups
            .iter()
            .map(|group| cells(group).into_iter().map(escaped).collect());
        write_markdown(&mut out, &HEAD, 1..6, rows);
        out.push('\n');
        if let Some(days) = self.day_table() {
            let rows = days.rows.into_iter();
            let rows = rows.map(|row| row.into_iter().map(escaped).collect());
            let head: Vec<String> = days.head.into_iter().map(escaped).collect();
            write_markdown(&mut out, &head, 1.., rows);
            out.push('\n');
        }
        for told in self
            .told()
            .into_iter()
            .chain(self.notes.iter().map(|n| visible(n)))
        {
            let _ = writeln!(out, "- {told}");
        }
        if !self.next.is_empty() {
            let _ = write!(out, "\n```sh\n{}\n```\n", self.next.join("\n"));
        }
        out
    }
}

/// One row of the table.
pub(super) fn cells(group: &GroupWatch) -> [String; 6] {
    let score = |known: Option<(f64, usize)>| match known {
        Some((value, n)) => format!("{:.1} (n {n})", value * 100.0),
        None => "no label".to_owned(),
    };
    let all = match group.score {
        Some([value, low, high]) => format!(
            "{:.1} [{:.1}, {:.1}] (n {})",
            value * 100.0,
            low * 100.0,
            high * 100.0,
            group.labels
        ),
        None => "no label".to_owned(),
    };
    let fall = if group.reference.is_none() {
        "not watched".to_owned()
    } else {
        evidence(&group.fall)
    };
    [
        visible(&group.group),
        score(group.reference),
        score(group.last),
        all,
        fall,
        evidence(&group.shares),
    ]
}

/// How far the evidence is, of the bar.
fn evidence(of: &ChangeEvidence) -> String {
    if of.alarm {
        "ALARM".to_owned()
    } else {
        format!("{:.1} of {:.0}", of.capital, of.bar)
    }
}
