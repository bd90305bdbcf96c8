use crate::{Answer, AnswerForm, Example, Input, Label, Outcome, Prompt, Reply, Request};

/// A job that a prompt does for a recommender or classifier.
///
/// Only [`name`](Task::name), [`seed`](Task::seed) and
/// [`answer_form`](Task::answer_form) are required; the rest has defaults that
/// suit classification.
pub trait Task: Send + Sync {
    /// A short name for screens and reports.
    fn name(&self) -> &str;

    /// The prompt in use today. It always stays in the race.
    fn seed(&self) -> Prompt;

    /// The form of answer asked for of this input. Most tasks ask the same of
    /// every input; a ranking lists the input's own candidates.
    fn answer_form(&self, input: &Input) -> AnswerForm;

    /// The input as text, as shown to the task model and in demonstrations.
    fn render(&self, input: &Input) -> String;

    /// The full request: instruction, demonstrations, input.
    fn request(&self, prompt: &Prompt, input: &Input) -> Request;

    /// Reads a reply without knowing the label.
    fn parse(&self, input: &Input, reply: &Reply) -> Answer;

    /// Compares an answer with the truth.
    fn grade(&self, answer: &Answer, label: &Label) -> Outcome;

    /// Reads and grades in one go.
    fn score(&self, example: &Example, reply: &Reply) -> Outcome {
        self.grade(&self.parse(&example.input, reply), &example.label)
    }
}
