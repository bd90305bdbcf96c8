//! Knowledge that a model writes about inputs before any prompt is evaluated on them:
//! further fields, the same for every prompt.

mod task;

use std::collections::BTreeMap;

use crate::diagnostic::DataProblem;
use crate::{AnswerForm, FieldTemplate, Input, Message, Request};

pub use self::task::AugmentedTask;

/// What a model is asked to write about inputs, once, as further fields of theirs.
///
/// It sees inputs alone, so no label can be in a question.
pub trait Augmentation: Send + Sync {
    /// The fields it writes, in the order in which they are shown.
    fn fields(&self) -> &[KnowledgeField];

    /// What is asked about this input: nothing where it has nothing to ask about. Like
    /// everything in a task it depends on its arguments alone; equal questions about
    /// several inputs are asked once.
    fn questions(&self, input: &Input) -> Vec<KnowledgeQuestion>;
}

/// A field that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnowledgeField {
    /// Its name: a placeholder like that of any field.
    pub name: String,
    /// The line above it, for tasks whose requests have no place of their own for it.
    pub heading: String,
    /// Whether it tells of several things, a line each; else of one, in as many lines as
    /// it takes.
    pub several: bool,
}

/// One question whose answer becomes a field, or a line of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnowledgeQuestion {
    /// The name of the field.
    pub field: String,
    /// What it is about, for a field that tells of [several](KnowledgeField::several).
    pub subject: String,
    /// The request as it is sent.
    pub text: String,
    /// The part of it that is the same for all inputs. An answer that repeats a sentence of
    /// it is none.
    pub wording: String,
    /// Tokens of the answer at most.
    pub max_tokens: u32,
}

impl KnowledgeQuestion {
    /// The request that asks it.
    pub fn request(&self) -> Request {
        Request {
            messages: vec![Message::user(&self.text)],
            answer: AnswerForm::Text {
                max_tokens: self.max_tokens,
            },
        }
    }
}

/// Puts what was written about an input into its fields. A field about which nothing was
/// written is the empty text. `written`: questions of this input in their order, each with
/// its answer where there is one.
pub fn fill(
    augmentation: &dyn Augmentation,
    input: &mut Input,
    written: &[(&KnowledgeQuestion, Option<&str>)],
) {
    for field in augmentation.fields() {
        let own = written
            .iter()
            .filter(|(asked, _)| asked.field == field.name);
        let told = own.filter_map(|(asked, text)| Some((asked, (*text)?)));
        let lines: Vec<String> = told
            .map(|(asked, text)| {
                if field.several {
                    format!(
                        "{}: {}",
                        asked.subject,
                        text.lines().collect::<Vec<_>>().join("; ")
                    )
                } else {
                    text.to_owned()
                }
            })
            .collect();
        input.fields.insert(field.name.clone(), lines.join("\n"));
    }
}

/// Questions by template: a field each, asked in a text that shows some of the input.
#[derive(Debug, Clone)]
pub struct TemplateAugmentation {
    fields: Vec<KnowledgeField>,
    questions: BTreeMap<String, FieldTemplate>,
    max_tokens: u32,
}

impl TemplateAugmentation {
    /// A field for every question, by its name; `max_tokens`: of an answer.
    ///
    /// # Errors
    /// A question that shows nothing of the input has the same answer for all, and one that
    /// shows a field that is still to be written can have none.
    pub fn new(
        questions: BTreeMap<String, FieldTemplate>,
        max_tokens: u32,
    ) -> Result<Self, DataProblem> {
        for (name, question) in &questions {
            let shown = question.fields();
            if shown.is_empty() {
                return Err(DataProblem::new(
                    format!("augment.questions.{name}"),
                    "shows nothing of the input, so that its answer is the same for all",
                )
                .help("write {column} where a value of the input belongs"));
            }
            if let Some(other) = shown.iter().find(|shown| questions.contains_key(**shown)) {
                return Err(DataProblem::new(
                    format!("augment.questions.{name}"),
                    format!("shows {{{other}}}, which is written at the same time"),
                )
                .help("show columns of the data"));
            }
        }
        let fields = questions.keys().map(|name| KnowledgeField {
            name: name.clone(),
            heading: format!("{}:", name.replace('_', " ")),
            several: false,
        });
        Ok(Self {
            fields: fields.collect(),
            questions,
            max_tokens,
        })
    }

    /// The columns that the questions show, sorted, each once.
    pub fn columns(&self) -> Vec<String> {
        let mut shown: Vec<String> = self
            .questions
            .values()
            .flat_map(FieldTemplate::fields)
            .map(str::to_owned)
            .collect();
        shown.sort();
        shown.dedup();
        shown
    }
}

impl Augmentation for TemplateAugmentation {
    fn fields(&self) -> &[KnowledgeField] {
        &self.fields
    }

    fn questions(&self, input: &Input) -> Vec<KnowledgeQuestion> {
        let of = |(name, question): (&String, &FieldTemplate)| {
            let says = question
                .fields()
                .into_iter()
                .any(|field| !input.field(field).trim().is_empty());
            says.then(|| KnowledgeQuestion {
                field: name.clone(),
                subject: String::new(),
                text: question.render(input),
                wording: String::new(),
                max_tokens: self.max_tokens,
            })
        };
        self.questions.iter().filter_map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn templates(questions: &[(&str, &str)]) -> Result<TemplateAugmentation, DataProblem> {
        let questions = questions
            .iter()
            .map(|(name, text)| ((*name).to_owned(), FieldTemplate::new(*text).unwrap()));
        TemplateAugmentation::new(questions.collect(), 64)
    }

    #[test]
    fn questions_show_the_input() {
        let own = templates(&[("topic", "Topic of: {text}"), ("who", "Who wrote {text}?")]);
        let own = own.unwrap();
        assert_eq!(own.columns(), ["text"]);
        let input = Input::new("1", "g").with_field("text", "The {tap} leaks");
        let asked = own.questions(&input);
        // Values are put in once.
        assert_eq!(asked[0].text, "Topic of: The {tap} leaks");
        assert_eq!(asked.len(), 2);
        let blank = Input::new("2", "g").with_field("text", "  ");
        assert_eq!(own.questions(&blank), []);
        assert!(templates(&[("a", "Say something.")]).is_err());
        assert!(templates(&[("a", "{text}"), ("b", "{a}")]).is_err());
    }

    #[test]
    fn missing_knowledge_is_an_empty_field() {
        let own = templates(&[("a", "{x}"), ("b", "{x}")]).unwrap();
        let mut input = Input::new("1", "g").with_field("x", "y");
        let asked = own.questions(&input);
        let written: Vec<_> = asked.iter().zip([Some("one\ntwo"), None]).collect();
        fill(&own, &mut input, &written);
        assert_eq!((input.field("a"), input.field("b")), ("one\ntwo", ""));
        assert!(input.fields.contains_key("b"));
    }
}
