//! Racing candidates on paired, balanced examples: sequential halving (Karnin
//! et al. 2013) on the objective over groups.

use shiftproof_tasks::PromptId;

use crate::board::{Board, CandidateIndex, Desk, InputIndex};
use crate::event::{Event, Phase};
use crate::gateway::Stop;
use crate::spec::ObjectiveKind;

/// What a race is run for.
#[derive(Clone, Copy)]
pub(crate) struct Race<'a> {
    pub phase: Phase,
    pub objective: ObjectiveKind,
    /// Examples in an order whose every prefix is balanced across groups and
    /// classes; all candidates see the same prefix.
    pub inputs: &'a [InputIndex],
    /// Evaluations to spend.
    pub evaluations: usize,
    /// Candidates to keep.
    pub keep: usize,
    /// The candidate that is never dropped.
    pub seed: CandidateIndex,
}

/// Fewer examples than this say nothing about a prompt.
const LEAST_INPUTS: usize = 8;

/// A candidate and its objective's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Standing {
    pub candidate: CandidateIndex,
    pub score: f64,
}

impl Race<'_> {
    /// Runs the race; returns the survivors, best first, the seed among them,
    /// and whether the budget sufficed.
    pub async fn run(
        &self,
        board: &mut Board,
        desk: Desk<'_>,
        mut entrants: Vec<CandidateIndex>,
    ) -> Result<(Vec<Standing>, bool), Stop> {
        if !entrants.contains(&self.seed) {
            entrants.push(self.seed);
        }
        let rounds = rounds(entrants.len(), self.keep);
        let mut shown = 0;
        for round in 0..rounds {
            let share = self.evaluations / rounds / entrants.len();
            shown = (shown + share).max(LEAST_INPUTS).min(self.inputs.len());
            let seen = &self.inputs[..shown];
            let complete = board.ask(desk, &entrants, seen).await?;
            let standings = self.standings(board, desk, &entrants, seen)?;
            let last = round + 1 == rounds || !complete;
            let keep = if last { self.keep } else { entrants.len().div_ceil(2).max(self.keep) };
            let kept = self.cut(board, desk, &standings, keep, seen.len())?;
            if last {
                return Ok((kept, complete));
            }
            entrants = kept.iter().map(|standing| standing.candidate).collect();
        }
        Ok((Vec::new(), true))
    }

    /// Scores every entrant on what it was asked of `seen`, best first. Equal
    /// scores keep the order in which candidates entered: the seed is first.
    fn standings(
        &self,
        board: &Board,
        desk: Desk<'_>,
        entrants: &[CandidateIndex],
        seen: &[InputIndex],
    ) -> Result<Vec<Standing>, Stop> {
        let mut standings = Vec::with_capacity(entrants.len());
        for &candidate in entrants {
            let groups = board.answers(desk, candidate).group_scores(seen);
            let values: Vec<(f64, usize)> =
                groups.iter().filter_map(|group| Some((group.value?, group.n))).collect();
            // A candidate that the budget left without answers cannot be ranked.
            let Some(score) = self.objective.value(&values) else { continue };
            desk.gateway.tell(&Event::Evaluated {
                candidate: board.candidates[candidate].id,
                phase: self.phase,
                score,
                groups,
            })?;
            standings.push(Standing { candidate, score });
        }
        standings.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.candidate.cmp(&b.candidate)));
        Ok(standings)
    }

    fn cut(
        &self,
        board: &Board,
        desk: Desk<'_>,
        standings: &[Standing],
        keep: usize,
        seen: usize,
    ) -> Result<Vec<Standing>, Stop> {
        let bar = standings.get(keep.saturating_sub(1)).map_or(0.0, |last| last.score);
        let mut kept = Vec::new();
        for (rank, standing) in standings.iter().enumerate() {
            let stays = rank < keep || standing.candidate == self.seed;
            let score = standing.score;
            let objective = self.objective;
            let reason = match (stays, rank < keep) {
                (_, true) => {
                    format!("{objective} {score:.3} on {seen} examples, rank {} of {}", rank + 1, standings.len())
                }
                (true, false) => {
                    format!("{objective} {score:.3} on {seen} examples; the seed always stays")
                }
                (false, false) => format!(
                    "{objective} {score:.3} on {seen} examples is below {bar:.3}, the last of the {keep} kept"
                ),
            };
            desk.gateway.tell(&Event::Decided {
                candidate: board.candidates[standing.candidate].id,
                kept: stays,
                reason,
            })?;
            if stays {
                kept.push(*standing);
            }
        }
        Ok(kept)
    }
}

/// Halvings from `entrants` down to `keep`, at least one round.
fn rounds(entrants: usize, keep: usize) -> usize {
    let mut left = entrants;
    let mut rounds = 1;
    while left.div_ceil(2) > keep.max(1) {
        left = left.div_ceil(2);
        rounds += 1;
    }
    rounds
}

/// The ids of some candidates.
pub(crate) fn ids(board: &Board, candidates: &[CandidateIndex]) -> Vec<PromptId> {
    candidates.iter().map(|&candidate| board.candidates[candidate].id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halving_takes_logarithmic_rounds() {
        assert_eq!(rounds(1, 1), 1);
        assert_eq!(rounds(8, 8), 1);
        assert_eq!(rounds(8, 4), 1);
        assert_eq!(rounds(9, 4), 2);
        assert_eq!(rounds(40, 6), 3);
        assert_eq!(rounds(64, 1), 6);
    }
}
