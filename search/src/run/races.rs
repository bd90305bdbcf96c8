//! Scoring candidates: on chosen examples, in a race, in the final.

use super::balance::balanced;
use super::{Run, SearchContext};
use crate::budget::BudgetLimits;
use crate::event::{Event, Phase};
use crate::gateway::RunError;
use crate::race::{Race, RaceResult, ids};
use crate::response_matrix::{CandidateIndex, InputIndex};
use crate::seeds;

/// Examples that a prompt is asked about which nothing is raced against.
const ALONE: usize = 20;
/// How likely a prompt has to be better than the seed prompt to take its place: two to
/// one. Where next to nothing was measured, no prompt is. Of the true gains that 1,500
/// calls find in the trap worlds 1000 to 1039 (`tests/trap.rs`) four to one loses twelve of
/// 28 and two to one four, and neither loses a trap.
const LEAST_CHANCE: f64 = 2.0 / 3.0;

impl SearchContext<'_> {
    /// Asks each candidate about each of these examples, unless it was asked
    /// before. `false`: what the phase's plan has left is too little, and nothing
    /// was asked; or the budget was, and [`is_affordable`](Self::is_affordable)
    /// says so.
    pub async fn evaluate(
        &mut self,
        candidates: &[CandidateIndex],
        examples: &[InputIndex],
    ) -> Result<bool, RunError> {
        let complete = self.ask_planned(candidates, examples).await?;
        self.matrix.emit_unusable(self.run.context())?;
        Ok(complete)
    }

    /// As [`evaluate`](Self::evaluate), without telling of unusable answers.
    pub(super) async fn ask_planned(
        &mut self,
        candidates: &[CandidateIndex],
        examples: &[InputIndex],
    ) -> Result<bool, RunError> {
        let fresh = self.matrix.unasked(candidates, examples);
        if !self.allowance.take_evaluations(self.phase, fresh) {
            return Ok(false);
        }
        let context = self.run.context();
        let complete = self.matrix.ask(context, candidates, examples).await?;
        self.affordable &= complete;
        Ok(complete)
    }

    /// Races candidates, and the seed with them, by the study's allocation rule on
    /// the [examples of races](Self::race_examples), for what the plan gives this
    /// phase each time. Returns the `keep` best, best first, and the seed with
    /// them; candidates without an answer that can be scored are left out.
    pub async fn race(
        &mut self,
        entrants: Vec<CandidateIndex>,
        keep: usize,
    ) -> Result<Vec<CandidateIndex>, RunError> {
        self.race_within(entrants, keep, usize::MAX).await
    }

    /// As [`race`](Self::race), for at most `most` evaluations: what is not used is
    /// left to the phase.
    pub async fn race_within(
        &mut self,
        entrants: Vec<CandidateIndex>,
        keep: usize,
        most: usize,
    ) -> Result<Vec<CandidateIndex>, RunError> {
        if self
            .plan
            .step(self.phase)
            .is_none_or(|step| step.share <= 0.0)
        {
            let reason = format!("it races in the phase {}, and plans none there", self.phase);
            return Err(self.run.departed(reason));
        }
        let evaluations = self.allowance.take_race(self.phase, most);
        let inputs = self.race_examples();
        let (finish, inputs) = self.run_race(entrants, inputs, evaluations, keep).await?;
        self.affordable &= finish.affordable;
        if finish.ranked.is_empty() {
            return Err(self.unranked(&inputs));
        }
        Ok(finish
            .ranked
            .iter()
            .map(|ranked| ranked.candidate)
            .collect())
    }

    /// The final: finalists and seed on source examples no race has used, and
    /// the pick. Returns it and the prompts of the ensemble.
    pub(super) async fn select(
        &mut self,
        finalists: Vec<CandidateIndex>,
    ) -> Result<(CandidateIndex, Vec<CandidateIndex>), RunError> {
        let mut inputs = self.fresh.clone();
        inputs.extend(self.pseudo_labelled.iter().chain(&self.labelled));
        let inputs = balanced(&self.matrix, &inputs, self.run.seed, "final");
        self.enter_phase(
            Phase::Final,
            format!("{} finalists on {} examples", finalists.len(), inputs.len()),
        )?;
        let evaluations = self.plan.final_evaluations(self.run.spec.evaluations);
        let keep = finalists.len().max(1);
        let finalists_raced = finalists.clone();
        let (finish, inputs) = self
            .run_race(finalists.clone(), inputs, evaluations, keep)
            .await?;
        self.affordable &= finish.affordable;
        let was_asked = self.matrix.was_asked(&self.fresh);
        // Without money for the final, or an answer in it, the search has the word.
        let (ranked, reason) = if finish.affordable && (!finish.ranked.is_empty() || !was_asked) {
            let ranked = finish.ranked.iter().map(|ranked| ranked.candidate);
            (ranked.collect(), finish.reason)
        } else {
            let why = if finish.affordable {
                "no answer of the final can be scored"
            } else {
                "the budget left no final"
            };
            (finalists, format!("the best so far: {why}"))
        };
        let &first = ranked.first().ok_or_else(|| self.unranked(&inputs))?;
        let (ranked, reason) = if first == self.seed {
            (ranked, "no candidate beats the seed prompt".to_owned())
        } else {
            self.unless_seed_stays(ranked, reason)
        };
        let best = ranked[0];
        let ensemble = self.ensemble(&ranked);
        self.run.gateway.emit(&Event::Selected {
            candidate: self.matrix.candidates[best].id,
            reason,
            ensemble: ids(&self.matrix, &ensemble),
        })?;
        self.tell_cross_fit(&finalists_raced, best, &inputs)?;
        Ok((best, ensemble))
    }

    /// The ranking, with the seed prompt first where too little speaks for the one that
    /// is: on all examples, those of the races too, for who leads by a few of the final
    /// may have led by luck.
    fn unless_seed_stays(
        &self,
        mut ranked: Vec<CandidateIndex>,
        reason: String,
    ) -> (Vec<CandidateIndex>, String) {
        let first = ranked[0];
        let mut inputs = self.race_examples();
        inputs.extend(&self.fresh);
        let mut entrants = ranked.clone();
        entrants.push(self.seed);
        entrants.sort_unstable();
        entrants.dedup();
        let race = Race {
            pseudo_label_weight: self.pseudo_label_weight,
            ..self.run.race(self.phase, self.seed, &inputs, &self.screen)
        };
        let chance = race.chance_over_seed(&self.matrix, self.run.context(), &entrants, first);
        let least = self.least_chance(first);
        if chance.is_some_and(|chance| chance >= least) {
            return (ranked, reason);
        }
        ranked.retain(|&candidate| candidate != self.seed);
        ranked.insert(0, self.seed);
        let id = self.matrix.candidates[first].id.to_string();
        let reason = match chance {
            Some(chance) => format!(
                "the seed prompt stays: {id:.8} is ahead, with a chance of {:.0}% to be the better \
                 one, and {:.0}% is asked for",
                100.0 * chance,
                100.0 * least
            ),
            None => format!(
                "the seed prompt stays: the budget left nothing to compare {id:.8} with it by"
            ),
        };
        (ranked, reason)
    }

    /// The chance to be better than the seed prompt that is asked of a candidate in its
    /// place. A price on length is a wish to have the shorter of two that are as good.
    pub(super) fn least_chance(&self, candidate: CandidateIndex) -> f64 {
        let charge = |candidate: CandidateIndex| {
            let tokens = self.matrix.candidates[candidate].prompt.tokens();
            self.run.spec.length_charge(tokens)
        };
        if charge(candidate) < charge(self.seed) {
            0.5
        } else {
            LEAST_CHANCE
        }
    }

    /// The prompts that vote together; one alone is no ensemble.
    fn ensemble(&self, ranked: &[CandidateIndex]) -> Vec<CandidateIndex> {
        let members = ranked.len().min(self.run.spec.ensemble);
        if members > 1 {
            ranked[..members].to_vec()
        } else {
            Vec::new()
        }
    }

    /// Races in the present phase; gives the examples back with the result.
    async fn run_race(
        &mut self,
        mut entrants: Vec<CandidateIndex>,
        inputs: Vec<InputIndex>,
        evaluations: usize,
        keep: usize,
    ) -> Result<(RaceResult, Vec<InputIndex>), RunError> {
        if !entrants.contains(&self.seed) {
            entrants.push(self.seed);
        }
        self.measure_alone(&entrants, &inputs, evaluations).await?;
        let context = self.run.context();
        let race = Race {
            pseudo_label_weight: self.pseudo_label_weight,
            evaluations,
            keep,
            ..self.run.race(self.phase, self.seed, &inputs, &self.screen)
        };
        let finish = race.run(&mut self.matrix, context, entrants).await?;
        self.matrix.emit_unusable(context)?;
        self.tell_headroom()?;
        Ok((finish, inputs))
    }

    /// One prompt races against nobody, so a rule buys nothing. Whether it can be
    /// measured at all is to be known all the same before the audit is opened.
    async fn measure_alone(
        &mut self,
        entrants: &[CandidateIndex],
        inputs: &[InputIndex],
        evaluations: usize,
    ) -> Result<(), RunError> {
        if entrants.len() == 1 {
            let few = &inputs[..inputs.len().min(evaluations.min(ALONE))];
            let context = self.run.context();
            self.affordable &= self.matrix.ask(context, entrants, few).await?;
        }
        Ok(())
    }

    /// Why a race on these inputs ranks no prompt.
    fn unranked(&self, inputs: &[InputIndex]) -> RunError {
        let nothing = self.matrix.nothing_usable(self.run.context(), inputs);
        match nothing {
            Some(stop) if self.affordable => stop,
            // Its money is spent, or the plan was scaled down until nothing was left.
            _ if !self.affordable || self.run.fitted => {
                let limits = named(self.run.gateway.limits());
                RunError::Budget(format!("not one evaluation fits; raise {limits}"))
            }
            _ => RunError::Plan("raise search.evaluations".into()),
        }
    }
}

impl Run<'_> {
    /// A race on these examples that asks nothing and keeps one.
    pub(super) fn race<'a>(
        &'a self,
        phase: Phase,
        seed: CandidateIndex,
        inputs: &'a [InputIndex],
        check: &'a [InputIndex],
    ) -> Race<'a> {
        Race {
            phase,
            spec: &self.spec,
            inputs,
            check,
            pseudo_label_weight: 0.0,
            evaluations: 0,
            keep: 1,
            seed,
            draws: seeds::number(self.seed, &format!("race {phase}")),
            classes: self.task.options().is_none(),
        }
    }
}

/// The flags of the limits that are set.
fn named(limits: BudgetLimits) -> String {
    let flags = [
        (limits.calls.is_some(), "--max-calls"),
        (limits.tokens.is_some(), "--max-tokens"),
        (limits.usd.is_some(), "--max-usd"),
    ];
    let set: Vec<&str> = flags.iter().filter(|(set, _)| *set).map(|f| f.1).collect();
    set.join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_named_by_flags() {
        let limits = BudgetLimits {
            calls: Some(9),
            usd: Some(0.5),
            ..BudgetLimits::default()
        };
        assert_eq!(named(limits), "--max-calls or --max-usd");
    }
}
