//! What an optimisation came to.

use shiftproof_search::budget::Spend;
use shiftproof_search::event::{
    AuditedPrompt, GroupOutcome, GroupRole, RunEnding, ScoreDifference,
};
use shiftproof_tasks::Prompt;

use crate::exit::Failure;
use crate::failures::PromptFailures;
use crate::report::{
    CandidateStanding, NamedRun, ReportFormat, RunSummary, RunVerdict, VerdictTone, render,
};
use crate::runs::session::FinishedRun;

/// What an optimisation came to.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RunResult {
    /// The run's name: reports and events of a run in a folder are found by it.
    pub run: String,
    /// The prompt that the search started from.
    pub seed: Prompt,
    /// The prompt to use. It is the seed where nothing beat it.
    pub selected: Prompt,
    /// How the selected prompt stands against the seed, in one sentence.
    pub verdict: RunVerdict,
    /// Every group in the order of the settings, sources first, with its audited scores.
    pub groups: Vec<GroupResult>,
    /// Selected − seed on the worst audited target group (of the source's where no target
    /// is audited), in `-1..=1`; none without an audit.
    pub worst: Option<ScoreDifference>,
    /// All prompts that entered the race, best first by the objective's latest value;
    /// those without one last.
    pub candidates: Vec<CandidateStanding>,
    /// Whether all phases were done, or the budget ended the search early.
    pub ending: RunEnding,
    /// What the run was charged: calls, tokens and money. Answers found in the store
    /// count like those that were paid for.
    pub spent: Spend,
    /// Calls that this process sent to a model.
    pub sent: u64,
    /// Requests beside these that brought no answer, at most; they count against the
    /// limits.
    pub unanswered: u64,
    /// Everything else that the events tell.
    pub summary: RunSummary,
    failures: Vec<PromptFailures>,
}

/// One group's audited scores.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct GroupResult {
    /// Its name.
    pub name: String,
    /// Its role.
    pub role: GroupRole,
    /// The seed's score in `0..=1` with its 95% interval; none where the audit has no
    /// example of the group.
    pub seed: Option<GroupOutcome>,
    /// The selected prompt's.
    pub selected: Option<GroupOutcome>,
    /// Selected − seed, paired by example, with its 95% interval.
    pub difference: Option<ScoreDifference>,
}

impl GroupResult {
    /// Whether the selected prompt is worse than the seed here, beyond chance.
    pub fn is_regressed(&self) -> bool {
        self.difference.as_ref().is_some_and(|row| row.high < 0.0)
    }
}

impl RunResult {
    /// Whether the selected prompt is better than the seed on the worst target group of
    /// the audit, beyond chance: the lower end of the 95% interval is above 0.
    pub fn is_better(&self) -> bool {
        self.verdict.tone == VerdictTone::Better
    }

    /// Target groups that no labelled example of the audit speaks for.
    pub fn unverified(&self) -> &[String] {
        &self.summary.unverified
    }

    /// The report, as the program writes it.
    ///
    /// # Errors
    /// Where the form cannot be written.
    pub fn report(&self, format: ReportFormat) -> Result<String, Failure> {
        let run = NamedRun::new(&self.run, self.summary.clone());
        let run = run.with_failures(self.failures.clone());
        render(format, &[run])
    }

    pub(super) fn of(run: String, seed: Prompt, done: FinishedRun) -> Self {
        let FinishedRun {
            ended,
            summary,
            sent,
            lost,
            failures,
            ..
        } = done;
        let mut candidates: Vec<CandidateStanding> = summary.candidates.values().cloned().collect();
        // The map is in the order of ids, so that equal scores keep an order.
        candidates.sort_by(|a, b| {
            let score = |standing: &CandidateStanding| standing.score.unwrap_or(f64::NEG_INFINITY);
            score(b).total_cmp(&score(a))
        });
        Self {
            run,
            seed,
            selected: ended.selected,
            verdict: summary.verdict(),
            groups: groups(&summary),
            worst: summary.worst.clone(),
            candidates,
            ending: ended.ending,
            spent: ended.spent,
            sent,
            unanswered: lost,
            summary,
            failures,
        }
    }
}

fn groups(summary: &RunSummary) -> Vec<GroupResult> {
    let of = |contestant, name: &str| {
        let audited = summary.audited(contestant)?;
        audited.iter().find(|group| group.group == name).cloned()
    };
    let groups = summary.started.iter().flat_map(|started| &started.groups);
    groups
        .map(|group| GroupResult {
            name: group.name.clone(),
            role: group.role,
            seed: of(AuditedPrompt::Seed, &group.name),
            selected: of(AuditedPrompt::Selected, &group.name),
            difference: summary
                .compared
                .iter()
                .find(|row| row.group == group.name)
                .cloned(),
        })
        .collect()
}
