//! What follows from a summary and is shown in more than one form.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use shiftproof_search::event::{
    AuditedPrompt, GroupOutcome, GroupRole, RunEnding, RunStarted, ScoreDifference,
};
use shiftproof_tasks::PromptId;

use super::{CandidateStanding, RunSummary, grouped};
use crate::assets::SMOLLM2_BLAKE3;

/// Groups on which the selected prompt is worse than the seed beyond chance.
pub(crate) fn regressed(summary: &RunSummary) -> Vec<&ScoreDifference> {
    let rows = summary.compared.iter();
    rows.filter(|row| row.high < 0.0).collect()
}

/// What a limit did to the run, where it did: the plan was made smaller to fit, or it
/// ended early.
pub(crate) fn budget_ending(summary: &RunSummary) -> Option<String> {
    if summary.ending != Some(RunEnding::BudgetExhausted) {
        return None;
    }
    let whole = "The budget did not allow the whole plan";
    let limits = summary.started.as_ref().map(|started| started.limits);
    let used = summary.spent.map(|spent| spent + summary.unanswered);
    if let (Some(limits), Some(used)) = (limits, used)
        && let Some(calls) = limits.calls
        && !is_near(used.calls as f64, calls as f64)
        && !limits
            .tokens
            .is_some_and(|limit| is_near(used.tokens() as f64, limit as f64))
        && !limits.usd.is_some_and(|limit| is_near(used.usd(), limit))
    {
        return Some(format!(
            "{whole}: it was scaled down so that its worst case fits the limit of {} calls, and \
             used {} of them.",
            grouped(calls),
            grouped(used.calls)
        ));
    }
    Some(format!("{whole}; this is the best of what it allowed."))
}

/// Whether nothing is left of a limit that would be worth a word.
fn is_near(used: f64, limit: f64) -> bool {
    used >= 0.95 * limit
}

/// How far a target group falls behind the source.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TargetGap {
    /// The target group.
    pub group: String,
    /// Source − target of the seed prompt.
    pub seed: Option<ScoreDifference>,
    /// Source − target of the selected prompt.
    pub selected: Option<ScoreDifference>,
}

/// The gaps of all target groups; none where no source group was audited.
pub(crate) fn gaps(summary: &RunSummary) -> Vec<TargetGap> {
    let seed = summary.audited(AuditedPrompt::Seed).unwrap_or_default();
    let selected = summary.audited(AuditedPrompt::Selected).unwrap_or_default();
    selected
        .iter()
        .filter(|group| group.role == GroupRole::Target)
        .map(|group| TargetGap {
            group: group.group.clone(),
            seed: gap(seed, &group.group),
            selected: gap(selected, &group.group),
        })
        .filter(|gap| gap.selected.is_some())
        .collect()
}

/// The mean of the source groups less one target group. The interval is MOVER's
/// for independent estimates (Zou and Donner 2008, *Statistics in Medicine*
/// 27, eq. 4): it needs no more than the intervals of the parts, whatever the
/// metric.
fn gap(groups: &[GroupOutcome], target: &str) -> Option<ScoreDifference> {
    struct GroupPart {
        value: f64,
        down: f64,
        up: f64,
    }
    let part = |group: &GroupOutcome| {
        let value = group.value?;
        Some(GroupPart {
            value,
            down: value - group.low?,
            up: group.high? - value,
        })
    };
    let sources: Vec<GroupPart> = groups
        .iter()
        .filter(|group| group.role == GroupRole::Source)
        .map(part)
        .collect::<Option<_>>()?;
    let target = groups.iter().find(|group| group.group == target)?;
    let (n, target) = (target.n, (target.group.clone(), part(target)?));
    if sources.is_empty() {
        return None;
    }
    let k = sources.len() as f64;
    let mean = sources.iter().map(|part| part.value).sum::<f64>() / k;
    let down = sources.iter().map(|part| part.down.powi(2)).sum::<f64>() / (k * k);
    let up = sources.iter().map(|part| part.up.powi(2)).sum::<f64>() / (k * k);
    let value = mean - target.1.value;
    Some(ScoreDifference {
        group: target.0,
        value,
        low: value - (down + target.1.up.powi(2)).sqrt(),
        high: value + (up + target.1.down.powi(2)).sqrt(),
        n,
    })
}

/// One prompt in the selected prompt's descent.
pub(crate) struct PromptAncestor<'a> {
    /// Its id.
    pub id: PromptId,
    /// Generations back from the selected prompt.
    pub depth: usize,
    /// The prompt.
    pub standing: &'a CandidateStanding,
}

/// The selected prompt and what it was made from, each prompt once, every child
/// before its parents.
pub(crate) fn lineage(summary: &RunSummary) -> Vec<PromptAncestor<'_>> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    let mut open: Vec<(PromptId, usize)> = summary.selected.map(|id| (id, 0)).into_iter().collect();
    while let Some((id, depth)) = open.pop() {
        let Some(standing) = summary.candidates.get(&id) else {
            continue;
        };
        if seen.insert(id) {
            found.push(PromptAncestor {
                id,
                depth,
                standing,
            });
            open.extend(standing.parents.iter().rev().map(|id| (*id, depth + 1)));
        }
    }
    found
}

/// A model's name for people; its whole identity is for keys, JSON and facts.
pub(crate) fn machine(identity: &str) -> String {
    // What stands beside a model only lends it embeddings.
    let identity = identity.split(" beside ").next().unwrap_or(identity);
    if let Some(rest) = identity.strip_prefix("embedded:") {
        let (name, hash) = rest.split_once("/blake3:").unwrap_or((rest, ""));
        let name = if hash.starts_with(SMOLLM2_BLAKE3) {
            SMOLLM2
        } else {
            name
        };
        return format!("{name} (embedded)");
    }
    if let Some((address, model)) = identity
        .strip_prefix("openai ")
        .and_then(|rest| rest.split_once(' '))
    {
        let model = model.trim_end_matches(" continued");
        let model = model.trim_end_matches(" scores");
        let host = address.split_once("://").map_or(address, |(_, rest)| rest);
        let host = host.split('/').next().unwrap_or(host);
        return format!("{model} ({host})");
    }
    identity.to_owned()
}

/// What the catalogue's weights are called; their own name for themselves says
/// how they were trained.
const SMOLLM2: &str = "SmolLM2-135M-Instruct Q4_1";

/// The command that takes the same course again; `study`: the study file.
pub(crate) fn command(started: &RunStarted, study: &str) -> String {
    let mut command = format!(
        "shiftproof optimize {study} --method {} --seed {}",
        started.method, started.seed
    );
    let limits = &started.limits;
    for (flag, value) in [
        ("--max-calls", limits.calls.map(|n| n.to_string())),
        ("--max-tokens", limits.tokens.map(|n| n.to_string())),
        ("--max-usd", limits.usd.map(|usd| usd.to_string())),
    ] {
        if let Some(value) = value {
            let _ = write!(command, " {flag} {value}");
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use shiftproof_search::budget::{BudgetLimits, Spend};

    use super::*;
    use crate::report::fixture;

    fn score(group: &str, role: GroupRole, value: f64, half: f64) -> GroupOutcome {
        GroupOutcome {
            group: group.into(),
            role,
            voted: false,
            value: Some(value),
            low: Some(value - half),
            high: Some(value + half),
            n: 100,
            unparseable: 0,
            truncated: 0,
            failed: 0,
        }
    }

    /// What is left of a limit is no budget that ran out.
    #[test]
    fn endings_say_what_a_limit_did() {
        let told = |calls: Option<u64>, spent: u64, tokens: Option<u64>| {
            let limits = BudgetLimits {
                calls,
                tokens,
                usd: None,
            };
            let mut summary = RunSummary::of(&fixture::events("gpo", 1, 0.06));
            summary.ending = Some(RunEnding::BudgetExhausted);
            if let Some(started) = &mut summary.started {
                started.limits = limits;
            }
            summary.spent = Some(Spend {
                calls: spent,
                prompt_tokens: 900,
                ..Spend::default()
            });
            budget_ending(&summary).unwrap()
        };
        let scaled = told(Some(300), 204, None);
        assert!(
            scaled.contains(
                "scaled down so that its worst case fits the limit of 300 calls, and used 204"
            ),
            "{scaled}"
        );
        for ran_out in [
            told(Some(300), 299, None),
            told(None, 204, Some(1000)),
            told(Some(300), 204, Some(900)),
        ] {
            assert!(
                ran_out.ends_with("this is the best of what it allowed."),
                "{ran_out}"
            );
        }
        let mut whole = RunSummary::of(&fixture::events("gpo", 1, 0.06));
        whole.ending = Some(RunEnding::Completed);
        assert_eq!(budget_ending(&whole), None);
    }

    #[test]
    fn models_have_names_for_people() {
        let own = format!("embedded:Smollm2 135M Ep2/blake3:{SMOLLM2_BLAKE3}/embedded-1");
        assert_eq!(machine(&own), "SmolLM2-135M-Instruct Q4_1 (embedded)");
        assert_eq!(
            machine("embedded:Tiny/blake3:0123abcd/embedded-1"),
            "Tiny (embedded)"
        );
        assert_eq!(
            machine("openai http://127.0.0.1:8080/v1 org/large-7b scores continued"),
            "org/large-7b (127.0.0.1:8080)"
        );
        assert_eq!(machine("planted"), "planted");
    }

    #[test]
    fn gaps_widen_by_root_two() {
        let groups = [
            score("a", GroupRole::Source, 0.8, 0.1),
            score("b", GroupRole::Target, 0.6, 0.1),
        ];
        let gap = gap(&groups, "b").unwrap();
        assert!((gap.value - 0.2).abs() < 1e-12);
        let half = 0.1 * 2.0_f64.sqrt();
        assert!((gap.low - (0.2 - half)).abs() < 1e-12, "{gap:?}");
        assert!((gap.high - (0.2 + half)).abs() < 1e-12, "{gap:?}");
    }

    #[test]
    fn mean_of_sources_is_narrower() {
        let one = [
            score("a", GroupRole::Source, 0.8, 0.1),
            score("b", GroupRole::Target, 0.6, 0.1),
        ];
        let mut two = one.to_vec();
        two.push(score("c", GroupRole::Source, 0.8, 0.1));
        let width = |groups: &[GroupOutcome]| {
            let gap = gap(groups, "b").unwrap();
            gap.high - gap.low
        };
        assert!(width(&two) < width(&one));
        assert_eq!(gap(&one[1..], "b"), None);
    }
}
