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
        AnswerForm::MultipleChoice { .. } => &[
            "Choose the option that",
            "Read the text and choose",
            "Decide which option",
            "Compare the options and",
            "Work out which option",
            "Rule out the options that",
        ],
        AnswerForm::Number { .. } => &[
            "Rate how",
            "Give a number for",
            "Read the text and rate",
            "Predict the rating",
        ],
        AnswerForm::Ranking { .. } | AnswerForm::Likelihood { .. } | AnswerForm::Nearest { .. } => {
            &[
                "Rank the candidates by",
                "Recommend the",
                "Order the items so that",
                "Given what the user chose before, predict",
                "Put first the items that",
                "Choose the item that the user",
            ]
        }
        AnswerForm::Json { .. } => &[
            "Extract",
            "Read the text and write down",
            "Find in the text",
            "Copy from the text",
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

/// The openings that tell what to do. Where the demonstrations are hard ones, a small
/// model goes on from a question with rules about single inputs.
pub(super) fn imperatives(form: &AnswerForm) -> Vec<String> {
    let mut openings = openings(form);
    openings.retain(|opening| {
        let first = opening.split(' ').next().unwrap_or_default();
        !["What", "Is", "Answer"].contains(&first)
    });
    openings
}

/// Whole prompts that suit any task of this form; none for free text, of which
/// nothing is known.
pub(crate) fn prompts(form: &AnswerForm) -> Vec<String> {
    match form {
        AnswerForm::Choice { labels } => {
            let either = either(labels);
            vec![
                format!("Classify the text as {either}. Answer with one word."),
                format!("Is the text {either}? Answer with one word."),
                format!("Read the text and decide whether it is {either}."),
                format!("Which label fits the text best, {either}?"),
                format!("What is the right label for the text? Answer {either}."),
            ]
        }
        AnswerForm::MultipleChoice { .. } => [
            "Choose the right option. Answer with its letter alone.",
            "Which option is right? Answer with one letter.",
            "Read the text, consider every option, and answer with the letter of the best one.",
            "Rule out the options that cannot be right. Answer with the letter of the one that is \
             left.",
            "Think step by step. Then write \"Answer:\" and the letter of the right option.",
        ]
        .map(str::to_owned)
        .to_vec(),
        AnswerForm::Number { min, max } => vec![
            format!("Give a number from {min} to {max}. Answer with the number alone."),
            format!("Rate from {min} (lowest) to {max} (highest). Answer with one number."),
            format!("Predict the rating, a number from {min} to {max}."),
        ],
        // What is scored by likelihood is one item; what is written is a list.
        AnswerForm::Likelihood { .. } | AnswerForm::Nearest { .. } => [
            "Recommend the one the user will choose next.",
            "Here is what a user chose, in order. The next one was:",
            "Which one fits best with what the user chose before?",
            "Name the candidate that is most like the user's latest choices.",
            "People who chose these also chose:",
        ]
        .map(str::to_owned)
        .to_vec(),
        AnswerForm::Ranking { .. } => [
            "Rank the candidates by how likely the user is to choose each next. List all of them, \
             best first, one per line.",
            "Sort the candidates by how well they fit what the user chose before. Answer with a \
             numbered list.",
            "Order the candidates, giving the user's latest choices the most weight. Write one \
             candidate per line.",
        ]
        .map(str::to_owned)
        .to_vec(),
        // Of what they mean nothing is known but their names.
        AnswerForm::Json { .. } => {
            let fields = form.fields().unwrap_or_default().join(", ");
            vec![
                format!("Extract these fields from the text as JSON: {fields}."),
                format!(
                    "Read the text and write down what it says of {fields}. Answer with one JSON \
                     object."
                ),
                format!(
                    "Copy {fields} from the text as it has them, and answer with one JSON object. \
                     Guess nothing that the text does not say."
                ),
            ]
        }
        AnswerForm::Text { .. } => Vec::new(),
    }
}

/// Clauses an edit may add.
pub(super) fn clauses(form: &AnswerForm) -> Vec<String> {
    let about: &[&str] = match form {
        AnswerForm::Ranking { .. } | AnswerForm::Likelihood { .. } | AnswerForm::Nearest { .. } => {
            &[
                "Give the latest choices the most weight.",
                "Look for what the user's choices have in common.",
                "Do not favour a candidate for being well known.",
                "Do not favour a candidate for its place in the list.",
                "Prefer the same kind and the same years.",
            ]
        }
        AnswerForm::MultipleChoice { .. } => &[
            "Consider every option before you choose.",
            "Rule out first what cannot be right.",
            "Do not favour an option for its place in the list.",
            "Go by what the text says, not by what is usual.",
        ],
        AnswerForm::Json { .. } => &[
            "Read the whole text before you answer.",
            "Copy values as the text has them.",
            "Use null where the text does not say.",
            "Do not guess what the text does not say.",
        ],
        AnswerForm::Choice { .. } | AnswerForm::Number { .. } | AnswerForm::Text { .. } => &[
            "Read the whole text before you answer.",
            "Judge only what the text says.",
            "Consider the tone of the writer.",
            "Give only the answer.",
        ],
    };
    let mut clauses: Vec<String> = about.iter().map(|clause| (*clause).to_owned()).collect();
    match form {
        AnswerForm::Choice { labels } => {
            clauses.push("Answer with one word.".into());
            clauses.push(format!("Answer {}.", either(labels)));
            clauses.push(format!("The answer is {}.", either(labels)));
            let mut reversed = labels.clone();
            reversed.reverse();
            clauses.push(format!("Answer {}.", either(&reversed)));
        }
        AnswerForm::MultipleChoice { .. } => {
            clauses.push("Answer with one letter.".into());
            clauses.push("Answer with the letter of the right option.".into());
        }
        AnswerForm::Number { min, max } => {
            clauses.push(format!("Answer with one number from {min} to {max}."));
        }
        AnswerForm::Ranking { .. } => {
            clauses.push("List every candidate once, best first.".into());
        }
        AnswerForm::Likelihood { .. } | AnswerForm::Nearest { .. } => {
            clauses.push("Answer with one title.".into());
        }
        AnswerForm::Json { .. } => clauses.push("Answer with one JSON object alone.".into()),
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
