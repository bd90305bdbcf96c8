//! Human-written openings and clauses per answer form. They carry no domain
//! knowledge: what they are about comes from the data and the model.

use shiftproof_tasks::AnswerForm;

/// How an instruction may begin. A small model asked plainly for an instruction
/// talks about something else; made to continue one of these it stays on topic.
pub(super) fn openings(form: &AnswerForm) -> Vec<String> {
    let own: &[&str] = match form {
        AnswerForm::Choice { labels } => {
            let either = either(labels);
            return [
                "Decide whether the",
                "Classify the",
                "Read the text and",
                "Determine if the",
                "Judge whether",
                "Say whether the writer",
                "What is the",
                "Label each",
            ]
            .iter()
            .map(|opening| (*opening).to_owned())
            .chain([
                format!("Answer {either}: does the"),
                format!("Is the text {either}"),
            ])
            .collect();
        }
        AnswerForm::Number { .. } => &[
            "Rate how",
            "Give a number for",
            "Read the text and rate",
            "Predict the rating",
        ],
        AnswerForm::Ranking { .. } => &[
            "Rank the candidates by",
            "Order the items so that",
            "Put first the items that",
        ],
        AnswerForm::Text { .. } => &[
            "Write",
            "Read the text and write",
            "Answer with",
            "Name the",
        ],
    };
    own.iter().map(|opening| (*opening).to_owned()).collect()
}

/// Whole prompts that suit any task of this form.
pub(crate) fn prompts(form: &AnswerForm) -> Vec<String> {
    let AnswerForm::Choice { labels } = form else {
        return Vec::new();
    };
    let either = either(labels);
    vec![
        format!("Classify the text as {either}. Answer with one word."),
        format!("Is the text {either}? Answer with one word."),
        format!("Read the text and decide whether it is {either}."),
        format!("Which label fits the text best, {either}?"),
        format!("What is the right label for the text? Answer {either}."),
    ]
}

/// Clauses an edit may add.
pub(super) fn clauses(form: &AnswerForm) -> Vec<String> {
    let mut clauses: Vec<String> = [
        "Read the whole text before you answer.",
        "Judge only what the text says.",
        "Consider the tone of the writer.",
        "Give only the answer.",
    ]
    .iter()
    .map(|clause| (*clause).to_owned())
    .collect();
    match form {
        AnswerForm::Choice { labels } => {
            clauses.push("Answer with one word.".into());
            clauses.push(format!("Answer {}.", either(labels)));
            clauses.push(format!("The answer is {}.", either(labels)));
            let mut reversed = labels.clone();
            reversed.reverse();
            clauses.push(format!("Answer {}.", either(&reversed)));
        }
        AnswerForm::Number { min, max } => {
            clauses.push(format!("Answer with one number from {min} to {max}."));
        }
        AnswerForm::Ranking { .. } => {
            clauses.push("List every candidate once, best first.".into());
        }
        AnswerForm::Text { .. } => clauses.push("Answer briefly.".into()),
    }
    clauses
}

/// "a, b or c".
pub(super) fn either(labels: &[String]) -> String {
    match labels {
        [] => String::new(),
        [only] => only.clone(),
        [front @ .., last] => format!("{} or {last}", front.join(", ")),
    }
}
