//! Fixed prompts on given examples, without a search.

use std::collections::BTreeMap;

use shiftproof_tasks::{Data, Example, Input, Outcome, Prompt, Task};

use crate::board::{Answers, Board, Desk};
use crate::calibrate::Calibration;
use crate::event::{GroupInfo, GroupScore};
use crate::gateway::{Gateway, Model, Stop};
use crate::stats::Sample;

/// Inputs per group that a batch calibration settles on.
const SETTLING: usize = 32;

/// Scores prompts under the rules of a run's audit.
pub struct Evaluator<'a> {
    /// The task.
    pub task: &'a dyn Task,
    /// The way to the model: stored answers are reused and the budget holds.
    pub gateway: &'a Gateway,
    /// The model.
    pub model: &'a Model,
    /// Calibration of scored labels.
    pub calibration: Calibration,
    /// The study's groups.
    pub groups: &'a [GroupInfo],
    /// Where a batch calibration is learnt: inputs outside the examples scored,
    /// because a deployed prompt cannot wait for a batch. Asked only when the
    /// calibration wants them.
    pub settle_on: Vec<Input>,
}

/// What an evaluation came to.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// Per prompt: its groups' scores, in the study's order. An example that
    /// the budget left out is in no score.
    pub scores: Vec<Vec<GroupScore>>,
    /// Per prompt and example: the grade in `0..=1`, `None` where the call
    /// failed or the budget left it out.
    pub grades: Vec<Vec<Option<f64>>>,
    /// Per example: the number of its group.
    pub groups: Vec<usize>,
    /// Per example: a number shared within its cluster.
    pub clusters: Vec<u64>,
    /// Whether the budget sufficed.
    pub complete: bool,
}

impl Evaluation {
    /// The examples for which every row of `grades` has one, and how many have
    /// not.
    pub fn paired(&self, grades: &[&[Option<f64>]], groups: usize) -> (Sample, usize) {
        let mut sample = Sample::new(grades.len(), groups);
        let mut dropped = 0;
        for (example, (&group, &cluster)) in self.groups.iter().zip(&self.clusters).enumerate() {
            let row: Option<Vec<f64>> = grades
                .iter()
                .map(|row| row.get(example).copied().flatten())
                .collect();
            if !row.is_some_and(|row| sample.push(group, cluster, &row)) {
                dropped += 1;
            }
        }
        (sample, dropped)
    }
}

/// Inputs that no audit scores, evenly from every group that has them, for
/// [`Evaluator::settle_on`]. No label is read.
pub fn settling_inputs(data: &Data) -> Vec<Input> {
    let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
    let validation = data.source.validation.iter().map(|example| &example.input);
    validation
        .chain(&data.target.inputs)
        .filter(|input| {
            let count = taken.entry(&input.group).or_default();
            *count += 1;
            *count <= SETTLING
        })
        .cloned()
        .collect()
}

impl Evaluator<'_> {
    /// Scores each prompt on `examples`.
    pub async fn score(
        &self,
        prompts: &[Prompt],
        examples: &[Example],
    ) -> Result<Evaluation, Stop> {
        let mut board = Board::new(self.groups.to_vec());
        let desk = Desk {
            task: self.task,
            gateway: self.gateway,
            model: self.model,
            calibration: self.calibration,
        };
        for prompt in prompts {
            // The same prompt twice is one candidate.
            let _ = board.enter(prompt.clone(), Vec::new(), None);
        }
        let candidates: Vec<usize> = (0..board.candidates.len()).collect();
        let batch =
            self.calibration == Calibration::Batch && self.model.llm.capabilities().label_scores;
        let mut complete = true;
        if batch {
            let settling = board.add_inputs(self.settle_on.iter());
            complete = board.ask(desk, &candidates, &settling).await?;
        }
        // Fixed before an example is scored; the contextual calibration asks
        // its own content-free inputs first.
        let fixed: Vec<Option<Vec<f64>>> = candidates
            .iter()
            .map(|&c| board.bias(self.calibration, c))
            .collect();
        let inputs = board.add_examples(examples);
        complete = complete && board.ask(desk, &candidates, &inputs).await?;
        let views: Vec<Answers<'_>> = prompts
            .iter()
            .map(|prompt| {
                let at = board.candidates.iter().position(|c| c.id == prompt.id());
                let at = at.expect("every prompt was entered");
                let view = board.answers(desk, at);
                if batch {
                    view.with_bias(fixed[at].clone())
                } else {
                    view
                }
            })
            .collect();
        let grade =
            |view: &Answers<'_>, input| view.outcome(input).as_ref().and_then(Outcome::value);
        Ok(Evaluation {
            scores: views
                .iter()
                .map(|view| view.group_scores(&inputs))
                .collect(),
            grades: views
                .iter()
                .map(|view| inputs.iter().map(|&input| grade(view, input)).collect())
                .collect(),
            groups: inputs.iter().map(|&input| board.group_of(input)).collect(),
            clusters: board.clusters(&inputs),
            complete,
        })
    }
}
