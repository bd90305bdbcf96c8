use serde_json::{Map, Value, json};

use super::{Grade, Grader, GradingCase, Renderer};
use crate::{Answer, AnswerForm, Input, Label, Message, Metric, Prompt, Reply, Request, Role};

/// Room for what a program answers: it is no model, and nothing is generated.
const ROOM: u32 = 1;

/// A program that scores answers or renders requests, one JSON object a line.
///
/// What it is asked and answers travels as the text of a request's one message and of
/// its reply, so that a program's answers are stored, counted and resumed like a
/// model's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProgramGrader {
    takes_label: bool,
    /// What the line says is to be done, where the program does more than one thing.
    verb: Option<&'static str>,
}

impl ProgramGrader {
    /// A program that is told the label, or is not.
    pub const fn new(takes_label: bool) -> Self {
        Self {
            takes_label,
            verb: None,
        }
    }

    /// One that is a task's own, and is told what it is to do in `"do"`.
    pub(crate) const fn of_task(takes_label: bool) -> Self {
        Self {
            takes_label,
            verb: Some("score"),
        }
    }
}

/// What a line says of an example.
fn line(verb: Option<&str>, prompt: &Prompt, input: &Input) -> Map<String, Value> {
    let mut line = Map::new();
    let mut put = |key: &str, value: Value| {
        line.insert(key.to_owned(), value);
    };
    if let Some(verb) = verb {
        put("do", verb.into());
    }
    put("id", input.id.clone().into());
    put("group", input.group.clone().into());
    put("input", json!(input.fields));
    put("prompt", prompt.instruction.clone().into());
    if !prompt.demonstrations.is_empty() {
        let shown = prompt.demonstrations.iter();
        let shown = shown.map(|one| json!({"input": one.input, "answer": one.answer}));
        put("demonstrations", shown.collect());
    }
    line
}

/// The request that carries a line.
fn carry(line: Map<String, Value>) -> Request {
    Request {
        messages: vec![Message::user(Value::Object(line).to_string())],
        answer: AnswerForm::Text { max_tokens: ROOM },
    }
}

fn label_value(label: &Label) -> Value {
    match label {
        Label::Class(text) | Label::Text(text) => text.clone().into(),
        Label::Number(number) => json!(number),
        Label::Relevant(items) | Label::AnyOf(items) => json!(items),
        Label::Fields(values) => json!(values),
    }
}

fn answer_value(answer: &Answer) -> Value {
    match answer {
        Answer::Class { label, .. } => label.clone().into(),
        Answer::Number(number) => json!(number),
        Answer::Ranking(items) => json!(items),
        Answer::Fields(values) => json!(values),
        Answer::Text(text) | Answer::Unparseable { text } => text.clone().into(),
    }
}

/// The object of an answered line; an error says what is wrong with it.
fn object(reply: &Reply) -> Result<Map<String, Value>, String> {
    match serde_json::from_str(&reply.text) {
        Ok(Value::Object(line)) => Ok(line),
        _ => Err(format!(
            "the program answered {:?}, which is no JSON object",
            reply.text
        )),
    }
}

impl Grader for ProgramGrader {
    fn metric(&self) -> Metric {
        Metric::Command
    }

    fn takes_label(&self) -> bool {
        self.takes_label
    }

    fn request(&self, case: &GradingCase<'_>) -> Request {
        let mut line = line(self.verb, case.prompt, case.input);
        if let Some(label) = case.label.filter(|_| self.takes_label) {
            line.insert("label".to_owned(), label_value(label));
        }
        line.insert("answer".to_owned(), answer_value(case.answer));
        line.insert("reply".to_owned(), case.reply.into());
        carry(line)
    }

    fn max_tokens(&self) -> u32 {
        ROOM
    }

    fn read(&self, reply: &Reply) -> Option<Grade> {
        let line = match object(reply) {
            Ok(line) => line,
            Err(problem) => return Some(Grade::Failed(problem)),
        };
        if let Some(why) = line.get("unreadable") {
            return Some(Grade::Unreadable(text(why)));
        }
        let Some(score) = line.get("score") else {
            return Some(Grade::Failed(format!(
                "the program answered {}, which has neither \"score\" nor \"unreadable\" nor \
                 \"error\"",
                reply.text
            )));
        };
        let number = match score {
            Value::Bool(is) => Some(f64::from(*is)),
            score => score.as_f64(),
        };
        Some(match number.filter(|number| (0.0..=1.0).contains(number)) {
            Some(number) => Grade::Score(number),
            None => Grade::Failed(format!(
                "the program's score is {score}, but must be a number in 0 to 1"
            )),
        })
    }

    /// What the program says beside its score.
    fn reason(&self, reply: &Reply) -> Option<String> {
        let line = object(reply).ok()?;
        let said = line.get("reason")?.as_str()?.trim();
        (!said.is_empty()).then(|| said.to_owned())
    }

    fn counted_calls(&self) -> usize {
        0
    }
}

/// A program that makes the messages of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProgramRenderer;

impl Renderer for ProgramRenderer {
    fn request(&self, prompt: &Prompt, input: &Input) -> Request {
        carry(line(Some("render"), prompt, input))
    }

    fn read(&self, reply: &Reply) -> Result<Vec<Message>, String> {
        let line = object(reply)?;
        let messages = match line.get("messages") {
            Some(Value::String(text)) => Some(vec![Message::user(text)]),
            Some(Value::Array(messages)) => messages.iter().map(message).collect(),
            _ => None,
        };
        messages
            .filter(|messages: &Vec<Message>| !messages.is_empty())
            .ok_or_else(|| {
                format!(
                    "the program answered {}, but \"messages\" must be a text, or a list of objects \
                     with \"role\" (system, user, assistant) and \"content\"",
                    reply.text
                )
            })
    }
}

fn message(value: &Value) -> Option<Message> {
    let role = match value.get("role")?.as_str()? {
        "system" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        _ => return None,
    };
    let content = value.get("content")?.as_str()?.to_owned();
    Some(Message { role, content })
}

/// What a value says; a text without its quotation marks.
fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
