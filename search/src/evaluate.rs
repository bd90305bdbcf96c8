//! Fixed prompts on given examples, without a search.

use shiftproof_tasks::{Example, Prompt, Task};

use crate::board::{Board, Desk};
use crate::calibrate::Calibration;
use crate::event::{GroupInfo, GroupScore};
use crate::gateway::{Gateway, Model, Stop};

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
