use crate::{
    Answer, AnswerForm, AnswerSchema, Demonstration, Example, Finish, Grader, Input, Label,
    Message, Metric, Outcome, Prompt, Renderer, Reply, Request, parse, render,
};

/// A job that a prompt does for a recommender or classifier.
///
/// Only [`name`](Task::name), [`seed`](Task::seed) and
/// [`answer_form`](Task::answer_form) are required; the rest has defaults that
/// suit classification, ratings, rankings and exact-match text.
///
/// ```
/// use shiftproof_tasks::{AnswerForm, Input, Prompt, Reply, Task};
///
/// struct Spam;
///
/// impl Task for Spam {
///     fn name(&self) -> &str { "spam" }
///     fn seed(&self) -> Prompt { Prompt::new("Is this message spam?") }
///     fn answer_form(&self, _: &Input) -> AnswerForm { AnswerForm::choice(["yes", "no"]) }
/// }
///
/// let input = Input::new("1", "mail").with_field("text", "You have won!");
/// let request = Spam.request(&Spam.seed(), &input);
/// assert_eq!(request.messages[0].content, "Is this message spam?\n\nYou have won!");
/// assert_eq!(Spam.parse(&input, &Reply::text("**Yes.**")).vote().as_deref(), Some("yes"));
/// ```
pub trait Task: Send + Sync {
    /// A short name for screens and reports.
    fn name(&self) -> &str;

    /// The prompt in use today. It always stays in the race.
    fn seed(&self) -> Prompt;

    /// The form of answer asked for of this input. Most tasks ask the same of
    /// every input; a ranking lists the input's own candidates.
    fn answer_form(&self, input: &Input) -> AnswerForm;

    /// The field that holds the options of each input, where every input has its own
    /// ([`AnswerForm::MultipleChoice`]): labels are then their letters. What weighs,
    /// states or calibrates by class does nothing there.
    fn options(&self) -> Option<&str> {
        None
    }

    /// The fields of an answer, where it is a JSON object ([`AnswerForm::Json`]): labels
    /// are then values of them.
    fn schema(&self) -> Option<&AnswerSchema> {
        None
    }

    /// Whether the label's column may hold several texts, each of which is right
    /// ([`Label::AnyOf`]), as a JSON array.
    fn takes_references(&self) -> bool {
        false
    }

    /// What a request says of the answer's form beside the prompt; `None` where the
    /// prompt says it, or nothing need be said.
    fn form_in_words(&self, _prompt: &Prompt) -> Option<String> {
        None
    }

    /// What each part of an answer is worth, by name and in `0..=1`, where it has parts:
    /// by default the fields of a [schema](Task::schema).
    fn parts(&self, answer: &Answer, label: &Label) -> Vec<(String, f64)> {
        match (self.schema(), answer, label) {
            (Some(schema), Answer::Fields(said), Label::Fields(truth)) => {
                schema.grades(said, truth)
            }
            _ => Vec::new(),
        }
    }

    /// How the outcomes of one group become its score.
    fn metric(&self) -> Metric {
        Metric::Accuracy
    }

    /// The input as text, as shown to the task model and in demonstrations. By
    /// default one field's text, or `name: value` lines of several.
    fn render(&self, input: &Input) -> String {
        render::fields(input)
    }

    /// What the input says, whatever words it is shown in: inputs of one content
    /// are one text to the checks for leaks and repetitions. By default what is
    /// rendered; for tasks that wrap inputs in several wordings.
    fn content(&self, input: &Input) -> String {
        self.render(input)
    }

    /// Whether `{field}` in an instruction stands for the input's value of that
    /// field ([`places`](crate::places)). By default it is text.
    fn fills_fields(&self) -> bool {
        false
    }

    /// The full request. By default one user message: instruction,
    /// demonstrations, input, so that all inputs of one prompt share a prefix. A
    /// task that [fills fields](Task::fills_fields) adds no input to an instruction
    /// that shows some of it itself.
    fn request(&self, prompt: &Prompt, input: &Input) -> Request {
        let text = if self.fills_fields() {
            render::filled(prompt, input, || self.render(input))
        } else {
            render::message(prompt, &self.render(input))
        };
        Request {
            messages: vec![Message::user(text)],
            answer: self.answer_form(input),
        }
    }

    /// The calls that one evaluation makes at most, at least 1. Plans and budgets
    /// count with it; tasks that ask more than once override it together with
    /// [`next`](Task::next).
    fn calls(&self) -> usize {
        1
    }
    /// What is asked next in the same evaluation, after these replies (at least
    /// one, in the order they came); `None` when nothing is. Asked after at most
    /// [`calls`](Task::calls) − 1 replies. Like everything in a task it depends
    /// on its arguments alone.
    fn next(&self, _prompt: &Prompt, _input: &Input, _replies: &[Reply]) -> Option<Request> {
        None
    }
    /// The one reply that stands for all replies of an evaluation; [`parse`](Task::parse)
    /// sees only this. By default the last one.
    fn conclude(&self, _input: &Input, replies: Vec<Reply>) -> Reply {
        let last = replies.into_iter().next_back();
        last.unwrap_or_else(|| Reply::text(""))
    }
    /// Whether some request asks for [`AnswerForm::Nearest`], so that a model
    /// without embeddings gets an embedder beside it.
    fn embeds(&self) -> bool {
        false
    }

    /// Who is asked for the grade of an answer, where a comparison with the label does
    /// not do; by default nobody. Its grade is in [`Reply::grade`] by the time
    /// [`score`](Task::score) is called.
    fn grader(&self) -> Option<&dyn Grader> {
        None
    }
    /// Who is asked for the messages that are sent; by default nobody, and
    /// [`request`](Task::request) makes them. Where somebody is, `request` stands for
    /// what will be sent in estimates, and for its answer form.
    fn renderer(&self) -> Option<&dyn Renderer> {
        None
    }

    /// What the task learns, per prompt, about reading its replies; by default
    /// nothing.
    fn fitting(&self) -> Option<&dyn Fitting> {
        None
    }

    /// A worked example of this one, for a prompt to show.
    fn demonstration(&self, example: &Example) -> Demonstration {
        Demonstration {
            input: self.render(&example.input),
            answer: example.label.to_answer(),
        }
    }

    /// Reads a reply without knowing the label. By default as
    /// [`parse::parse`] does for the answer form: one reading for shipped tasks and
    /// those of others, of choices, numbers, rankings and texts. What is not
    /// certainly an answer is [`Answer::Unparseable`].
    fn parse(&self, input: &Input, reply: &Reply) -> Answer {
        parse::parse(&self.answer_form(input), reply)
    }

    /// Compares an answer with the truth. By default as
    /// [`Metric::grade`] does for the task's metric.
    fn grade(&self, answer: &Answer, label: &Label) -> Outcome {
        self.metric().grade(answer, label)
    }

    /// Reads and grades in one go. A reply that a content filter withheld is a
    /// failed call, not a wrong answer; one that the token limit cut off before it
    /// could be read is [truncated](Outcome::Truncated), no wrong answer either. A
    /// grade that a [grader](Task::grader) gave counts as it is.
    fn score(&self, example: &Example, reply: &Reply) -> Outcome {
        read_and_grade(self, example, reply)
    }
}

/// What [`Task::score`] does by default, for tasks that grade beside it.
pub fn read_and_grade<T: Task + ?Sized>(task: &T, example: &Example, reply: &Reply) -> Outcome {
    if let Some(grade) = &reply.grade {
        return grade.outcome(task.parse(&example.input, reply));
    }
    if reply.finish == Finish::Filtered {
        return Outcome::Failed {
            reason: "a content filter withheld the reply".into(),
        };
    }
    match task.parse(&example.input, reply) {
        Answer::Unparseable { text } if reply.finish == Finish::Length => {
            Outcome::Truncated { text }
        }
        answer => task.grade(&answer, &example.label),
    }
}

/// A setting of how replies are read that is learnt from graded ones, such as the
/// strength of a prior. It is learnt prompt by prompt on labelled source examples,
/// never on an audit, and costs no call: the replies are there.
pub trait Fitting {
    /// The numbers that read these replies best; `None` where there are too few.
    fn fit(&self, graded: &[(&Example, &Reply)]) -> Option<Vec<f64>>;
    /// The reply as it is read under what [`fit`](Fitting::fit) found.
    fn apply(&self, input: &Input, reply: Reply, fit: &[f64]) -> Reply;
    /// What was learnt, or why nothing was, in words for a person.
    fn describe(&self, fit: Option<&[f64]>) -> String;
}
