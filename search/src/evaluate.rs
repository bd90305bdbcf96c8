//! Fixed prompts on given examples, without a search.

use shiftproof_tasks::rec::Baseline;
use shiftproof_tasks::{Example, Outcome, Prompt, Task};

use crate::board::{Board, Desk, InputIndex};
use crate::calibrate::Calibration;
use crate::event::{GroupInfo, GroupScore};
use crate::gateway::{Gateway, Model, Stop};
use crate::score::group_scores;

/// Scores each prompt on `examples`, group by group in the order of `groups`.
///
/// Calls pass the gateway: stored answers are reused and the budget holds. An
/// example that the budget leaves out is in no score.
pub async fn evaluate(
    task: &dyn Task,
    gateway: &Gateway,
    model: &Model,
    calibration: Calibration,
    groups: &[GroupInfo],
    prompts: &[Prompt],
    examples: &[Example],
) -> Result<Vec<Vec<GroupScore>>, Stop> {
    let mut board = Board::new(groups.to_vec());
    let desk = Desk {
        task,
        gateway,
        model,
        calibration,
    };
    let inputs = board.add_examples(examples);
    for prompt in prompts {
        // The same prompt twice is one candidate.
        let _ = board.enter(prompt.clone(), Vec::new(), None);
    }
    let candidates: Vec<usize> = (0..board.candidates.len()).collect();
    board.ask(desk, &candidates, &inputs).await?;
    Ok(prompts
        .iter()
        .map(|prompt| {
            let index = board.candidates.iter().position(|c| c.id == prompt.id());
            index.map_or_else(Vec::new, |c| board.answers(desk, c).group_scores(&inputs))
        })
        .collect())
}

/// What a baseline scores on `examples`, group by group in the order of
/// `groups`, read and graded by the task; empty where its predictions do not fit
/// the task's answer form.
pub fn baseline(
    task: &dyn Task,
    groups: &[GroupInfo],
    baseline: &Baseline,
    examples: &[Example],
) -> Vec<GroupScore> {
    let mut board = Board::new(groups.to_vec());
    let inputs = board.add_examples(examples);
    baseline_scores(task, &board, baseline, &inputs)
}

/// As [`baseline`], on inputs of a board.
pub(crate) fn baseline_scores(
    task: &dyn Task,
    board: &Board,
    baseline: &Baseline,
    inputs: &[InputIndex],
) -> Vec<GroupScore> {
    let outcome = |&index: &InputIndex| -> Option<(InputIndex, Outcome)> {
        let input = board.input(index);
        let reply = baseline.reply(&input.id, &task.answer_form(input))?;
        let answer = task.parse(input, &reply);
        Some((index, task.grade(&answer, board.label(index)?)))
    };
    let outcomes: Vec<_> = inputs.iter().filter_map(outcome).collect();
    group_scores(board, task.metric(), &outcomes)
}
