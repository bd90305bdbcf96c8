//! Going on from an earlier run: its candidates race at once, with all they answered.

use std::collections::BTreeMap;

use super::SearchContext;
use crate::earlier::EarlierRun;
use crate::event::{CandidateProposed, Event, Origin};
use crate::gateway::RunError;
use crate::response_matrix::{CandidateIndex, InputIndex};
use crate::turns::{self, Case};

impl SearchContext<'_> {
    /// Enters the candidates of `earlier`, and takes over every answer of theirs to
    /// an input of this run that is stored. Those count against no limit: the run that
    /// paid for them has counted them.
    pub(super) async fn carry_over(&mut self, earlier: &EarlierRun) -> Result<(), RunError> {
        let mut entered = Vec::new();
        for prompt in &earlier.candidates {
            entered.extend(self.matrix.carry(prompt.clone()));
        }
        let wanted = self.stored_answers(earlier).await?;
        let answers = wanted.values().map(Vec::len).sum();
        self.run
            .gateway
            .emit(&earlier.told(entered.len(), answers))?;
        for index in entered {
            let candidate = &self.matrix.candidates[index];
            self.run.gateway.emit(&Event::Proposed(CandidateProposed {
                candidate: candidate.id,
                prompt: candidate.prompt.clone(),
                origin: Origin::Carried,
                parents: Vec::new(),
            }))?;
        }
        self.affordable &= self.matrix.ask_each(self.run.context(), &wanted).await?;
        Ok(())
    }

    /// What each candidate answered in `earlier` of the inputs of this run, as far as
    /// the replies are stored; they are free from here on.
    async fn stored_answers(
        &self,
        earlier: &EarlierRun,
    ) -> Result<BTreeMap<CandidateIndex, Vec<InputIndex>>, RunError> {
        let (task, model) = (self.run.task.as_ref(), &self.run.task_model);
        let capabilities = model.llm.capabilities();
        let inputs = self.screen.iter().chain(&self.fresh);
        let inputs = inputs.chain(&self.labelled).chain(&self.train_inputs);
        let inputs = inputs.chain(&self.target);
        let inputs: Vec<InputIndex> = inputs.copied().collect();
        let mut wanted = BTreeMap::new();
        for (index, candidate) in self.matrix.candidates.iter().enumerate() {
            let known = inputs.iter().copied().filter(|&input| {
                let named = self.matrix.input(input);
                earlier.has_answered(candidate.id, &named.group, &named.id)
            });
            let known: Vec<InputIndex> = known.collect();
            let cases: Vec<Case<'_>> = known
                .iter()
                .map(|&input| (&candidate.prompt, self.matrix.input(input)))
                .collect();
            // What has no request has no answer that is stored either.
            let (known, calls): (Vec<InputIndex>, Vec<_>) = known
                .iter()
                .zip(turns::requests(task, self.run.gateway, &cases).await?)
                .filter_map(|(&input, request)| {
                    Some((input, turns::call(request.ok()?, &capabilities)))
                })
                .unzip();
            let stored = self.run.gateway.carry(model, &calls)?;
            let known = known.into_iter().zip(stored);
            let known: Vec<InputIndex> = known.filter(|(_, is)| *is).map(|(i, _)| i).collect();
            if !known.is_empty() {
                wanted.insert(index, known);
            }
        }
        Ok(wanted)
    }
}
