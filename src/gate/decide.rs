//! From paired grades to a decision; pure.

use shiftproof_search::event::{GroupInfo, GroupOutcome};
use shiftproof_search::select;
use shiftproof_search::stats::{self, ClusteredSample, GroupState, PairedBootstrap};
use shiftproof_search::unusable::AnswerSurvey;

use super::{
    FORMAT, GateAudit, GateCriteria, GateDecision, GateMode, GateReport, GroupComparison,
    JudgedPrompt, ScoredPrompt, points, score,
};
use crate::report::worst;

/// Everything a decision rests on.
pub struct DecisionEvidence<'a> {
    /// The study's name.
    pub study: &'a str,
    /// What is decided.
    pub mode: GateMode,
    /// The model's identity.
    pub model: &'a str,
    /// The metric's name.
    pub metric: &'a str,
    /// What is demanded.
    pub demand: GateCriteria,
    /// The audit.
    pub audit: GateAudit,
    /// Groups in the study's order.
    pub groups: &'a [GroupInfo],
    /// The incumbent, then the prompts to judge, their robust scores open.
    pub contenders: Vec<ScoredPrompt>,
    /// The model of the incumbent's grades, where they were recorded.
    pub incumbent_model: Option<String>,
    /// Grades of all of them on the same examples.
    pub sample: &'a ClusteredSample,
    /// Examples left out because some prompt has no grade for them.
    pub dropped: usize,
    /// What a reader has to know.
    pub notes: Vec<String>,
    /// What came of all answers asked for.
    pub unusable: AnswerSurvey,
}

/// Decides. Spending is left at zero for the caller, who knows it.
pub fn judge(evidence: DecisionEvidence<'_>) -> GateReport {
    let DecisionEvidence {
        demand,
        sample,
        groups,
        mode,
        ..
    } = evidence;
    let objective = select::of_means(&demand.objective);
    let robust = |means: &[f64]| objective.as_ref().map_or(f64::NAN, |of| of(means));
    let seen: Vec<usize> = (0..sample.groups())
        .filter(|&g| sample.examples(g) > 0)
        .collect();
    let mut contenders = evidence.contenders;
    for (at, contender) in contenders.iter_mut().enumerate() {
        let means: Vec<f64> = seen.iter().map(|&g| sample.means(g)[at]).collect();
        contender.score = Some(robust(&means)).filter(|value| value.is_finite());
    }
    let finalists: Vec<usize> = (1..contenders.len()).collect();
    let gate = stats::ShipGate {
        alpha: demand.level,
        tolerance: demand.tolerance,
        proof: demand.proof,
        bootstrap: PairedBootstrap {
            replicates: demand.replicates,
            ..PairedBootstrap::default()
        },
    };
    let verdict = stats::gate(sample, 0, &finalists, gate, robust);
    let mut all = contenders.into_iter();
    let incumbent = all.next().expect("there is always an incumbent");
    let checked = |at: usize| verdict.as_ref().and_then(|v| v.finalists.get(at));
    let candidates: Vec<JudgedPrompt> = all
        .enumerate()
        .map(|(at, contender)| candidate(contender, checked(at), groups, sample, &demand))
        .collect();
    let mut report = GateReport {
        format: FORMAT,
        study: evidence.study.to_owned(),
        mode,
        decision: GateDecision::Measured,
        reason: String::new(),
        model: evidence.model.to_owned(),
        metric: evidence.metric.to_owned(),
        demand,
        audit: evidence.audit,
        notes: evidence.notes,
        unusable: evidence.unusable,
        incumbent,
        incumbent_model: evidence.incumbent_model,
        candidates,
        spent: shiftproof_search::budget::Spend::default(),
        sent: 0,
    };
    report
        .notes
        .extend(missing(&report, groups, sample, evidence.dropped));
    let (decision, reason) = rule(&report);
    report.decision = decision;
    report.reason = reason;
    report
}

fn candidate(
    contender: ScoredPrompt,
    checked: Option<&stats::GateFinalist>,
    groups: &[GroupInfo],
    sample: &ClusteredSample,
    demand: &GateCriteria,
) -> JudgedPrompt {
    let compared = groups.iter().enumerate().map(|(number, group)| {
        let check = checked.and_then(|f| f.groups.iter().find(|check| check.group == number));
        GroupComparison {
            group: group.name.clone(),
            role: group.role,
            pairs: sample.examples(number),
            clusters: sample.clusters(number),
            state: check.map_or(GroupState::Unproven, |check| check.state),
            blocks: check.is_none_or(|check| check.blocks),
            difference: check.map(|check| check.difference),
        }
    });
    let compared: Vec<GroupComparison> = compared.collect();
    let largest = compared.iter().map(|row| row.pairs).max().unwrap_or(0);
    let needed = checked
        .and_then(|f| f.needed)
        .map(|times| ((times * largest as f64).ceil() as usize).max(largest + 1));
    JudgedPrompt {
        ships: checked.is_some_and(|f| f.ships),
        harmed: checked.is_some_and(|f| f.harmed),
        below: below(&contender.groups, demand),
        robust: checked.map(|f| f.robust),
        compared,
        needed,
        contender,
    }
}

/// The bars that these scores miss.
fn below(groups: &[GroupOutcome], demand: &GateCriteria) -> Vec<String> {
    let mut missed = Vec::new();
    let mut hold = |what: String, value: Option<f64>, bar: f64| match value {
        Some(value) if value >= bar => {}
        Some(value) => missed.push(format!("{what} has {}, below {}", score(value), score(bar))),
        None => missed.push(format!(
            "{what} has no score to hold against {}",
            score(bar)
        )),
    };
    if let Some(bar) = demand.min_worst {
        let found = worst(groups);
        let name = found.map_or_else(String::new, |group| format!(" ({})", group.group));
        hold(
            format!("the worst target group{name}"),
            found.and_then(|g| g.value),
            bar,
        );
    }
    for bar in &demand.min_groups {
        let group = groups.iter().find(|group| group.group == bar.group);
        hold(bar.group.clone(), group.and_then(|g| g.value), bar.score);
    }
    missed
}

/// What is missing from the comparison, and for whom.
fn missing(
    report: &GateReport,
    groups: &[GroupInfo],
    sample: &ClusteredSample,
    dropped: usize,
) -> Vec<String> {
    let mut notes = Vec::new();
    let failed = |contender: &ScoredPrompt| {
        let groups = contender.groups.iter();
        groups.map(|g| g.failed + g.truncated).sum::<usize>()
    };
    if dropped > 0 {
        let each: Vec<String> = std::iter::once(&report.incumbent)
            .chain(report.candidates.iter().map(|c| &c.contender))
            .map(|contender| format!("{} for {:#}", failed(contender), contender.id))
            .collect();
        notes.push(format!(
            "{dropped} of {} examples are in no comparison because a call failed or its reply was cut off: {}.",
            report.audit.examples,
            each.join(", ")
        ));
    }
    let empty: Vec<&str> = groups
        .iter()
        .enumerate()
        .filter(|(number, _)| sample.examples(*number) == 0)
        .map(|(_, group)| group.name.as_str())
        .collect();
    if !empty.is_empty() {
        notes.push(format!(
            "Nothing can be shown of {}: no example has a grade from every prompt.",
            empty.join(", ")
        ));
    }
    notes
}

fn rule(report: &GateReport) -> (GateDecision, String) {
    let Some(leading) = report.leading() else {
        let missed = below(&report.incumbent.groups, &report.demand);
        return if missed.is_empty() {
            (
                GateDecision::Measured,
                "One prompt was scored and compared with none.".into(),
            )
        } else {
            (GateDecision::BelowBar, sentence(&missed))
        };
    };
    if report.candidates.iter().all(|c| c.harmed) {
        return (GateDecision::Regressed, harmed(leading));
    }
    match report.mode {
        GateMode::Ship => ship(report, leading),
        GateMode::Guard if !leading.below.is_empty() => {
            (GateDecision::BelowBar, sentence(&leading.below))
        }
        GateMode::Guard => (GateDecision::Holds, holds(report, leading)),
    }
}

/// The best candidate that meets every demand and bar ships.
fn ship(report: &GateReport, leading: &JudgedPrompt) -> (GateDecision, String) {
    let able: Vec<&JudgedPrompt> = report.candidates.iter().filter(|c| c.ships).collect();
    let Some(winner) = report.winner() else {
        return match able.first() {
            Some(blocked) => (
                GateDecision::BelowBar,
                format!(
                    "{:#} is better than the incumbent, but {}",
                    blocked.contender.id,
                    sentence(&blocked.below)
                ),
            ),
            None => (GateDecision::NoSignificantWinner, open(report, leading)),
        };
    };
    let difference = winner.robust.map_or(0.0, |robust| robust.estimate);
    let lower = winner.robust.map_or(0.0, |robust| robust.lower);
    (
        GateDecision::Ship,
        format!(
            "{:#} may replace the incumbent: robust score {} (lower bound {}), and no group loses \
             more than {} points.",
            winner.contender.id,
            points(difference),
            points(lower),
            score(report.demand.tolerance)
        ),
    )
}

/// Why nothing ships, and what would decide.
fn open(report: &GateReport, leading: &JudgedPrompt) -> String {
    if leading.contender.id == report.incumbent.id {
        return "The candidate is the incumbent itself; it stays.".into();
    }
    let level = report.demand.level;
    let mut why = Vec::new();
    match leading.robust {
        Some(robust) if robust.p > level => why.push(format!(
            "the robust score's gain of {} is within chance (p = {:.3}, {level:.3} asked)",
            points(robust.estimate),
            robust.p
        )),
        None => why.push("no example has a grade from every prompt".into()),
        Some(_) => {}
    }
    let unproven: Vec<&str> = leading
        .compared
        .iter()
        .filter(|row| row.blocks)
        .map(|row| row.group.as_str())
        .collect();
    if !unproven.is_empty() {
        why.push(format!(
            "a loss of more than {} points cannot be ruled out for {}",
            score(report.demand.tolerance),
            unproven.join(", ")
        ));
    }
    let most = leading
        .compared
        .iter()
        .map(|row| row.pairs)
        .max()
        .unwrap_or(0);
    let next = match leading.needed {
        Some(needed) => format!(
            "About {needed} audit examples per group (now {most}) would likely decide, were the \
             truth as estimated."
        ),
        None => "More examples would not let it ship if the truth is as estimated.".into(),
    };
    format!("The incumbent stays: {}. {next}", why.join("; "))
}

fn harmed(leading: &JudgedPrompt) -> String {
    let mut lost: Vec<String> = leading
        .compared
        .iter()
        .filter(|row| row.state == GroupState::Regressed)
        .filter_map(|row| Some((&row.group, row.difference?)))
        .map(|(group, d)| {
            format!(
                "{group} {} (upper bound {})",
                points(d.estimate),
                points(d.upper)
            )
        })
        .collect();
    if lost.is_empty()
        && let Some(robust) = leading.robust
    {
        lost.push(format!(
            "the robust score {} (upper bound {})",
            points(robust.estimate),
            points(robust.upper)
        ));
    }
    format!(
        "{:#} is worse than the incumbent beyond chance: {}.",
        leading.contender.id,
        lost.join("; ")
    )
}

fn holds(report: &GateReport, leading: &JudgedPrompt) -> String {
    if leading.contender.id == report.incumbent.id && report.trusted().is_none() {
        return "The prompt is the baseline's; every bar that was set is reached.".into();
    }
    let difference = leading.robust.map_or_else(
        || "no example has a grade from both prompts".into(),
        |robust| format!("robust score {}", points(robust.estimate)),
    );
    format!(
        "{:#} is not shown to be worse than the baseline ({difference}); every bar that was set is \
         reached.",
        leading.contender.id
    )
}

fn sentence(parts: &[String]) -> String {
    format!("{}.", parts.join("; "))
}

impl GateReport {
    /// The candidate that may replace the incumbent, bars included.
    pub fn winner(&self) -> Option<&JudgedPrompt> {
        self.candidates
            .iter()
            .filter(|c| c.ships && c.below.is_empty())
            .max_by(|a, b| {
                let of = |c: &JudgedPrompt| c.robust.map_or(f64::NEG_INFINITY, |r| r.estimate);
                of(a).total_cmp(&of(b))
            })
    }

    /// Whether another candidate ships, so that what speaks against this one is
    /// no complaint.
    pub(super) fn passed_over(&self, candidate: &JudgedPrompt) -> bool {
        self.winner()
            .is_some_and(|winner| winner.contender.id != candidate.contender.id)
            && self.decision == GateDecision::Ship
    }

    /// The model that the incumbent's grades were recorded with, where they
    /// were not asked anew.
    pub fn trusted(&self) -> Option<&str> {
        self.incumbent_model.as_deref()
    }
}
