use std::sync::Arc;

use super::KnowledgeField;
use crate::forward::forward_to_task;
use crate::{
    AnswerForm, Demonstration, Example, Input, Message, Prompt, Reply, Request, Role, Task,
};

/// A task whose requests show what was written about the input, before the input itself;
/// everything else is the task's own.
///
/// A task with placeholders shows what its prompt and its input have a place for, and
/// nothing else. A field that a task shows as it is, as `name: value`, is not shown again,
/// and one that holds nothing is not shown at all: then the request is as it would be
/// without.
pub struct AugmentedTask {
    task: Arc<dyn Task>,
    fields: Vec<KnowledgeField>,
}

impl AugmentedTask {
    /// The task with these fields.
    pub fn new(task: Arc<dyn Task>, fields: Vec<KnowledgeField>) -> Self {
        Self { task, fields }
    }

    /// What is known of the input and is not `shown` yet; `all`: with what is told of
    /// several things.
    fn known(&self, input: &Input, shown: &str, all: bool) -> String {
        if self.task.fills_fields() {
            return String::new();
        }
        let told = |field: &KnowledgeField| {
            let text = input.field(&field.name);
            let stands = || shown.contains(&format!("{}: {text}", field.name));
            let brief = all || !field.several || !text.contains('\n');
            let fresh = !text.is_empty() && brief && !stands();
            fresh.then(|| format!("{}\n{text}", field.heading))
        };
        let blocks: Vec<String> = self.fields.iter().filter_map(told).collect();
        blocks.join("\n\n")
    }

    fn shown(&self, mut request: Request, prompt: &Prompt, input: &Input) -> Request {
        // What is embedded is a text, not a question.
        if matches!(request.answer, AnswerForm::Nearest { .. }) {
            return request;
        }
        let own = |message: &&mut Message| message.role == Role::User;
        if let Some(message) = request.messages.iter_mut().find(own) {
            let known = self.known(input, &message.content, true);
            place(
                &mut message.content,
                &known,
                &self.task.render(input),
                prompt,
            );
        }
        request
    }
}

/// Puts `known` before the input; where that stands in other words, after the instruction;
/// else first.
fn place(message: &mut String, known: &str, rendered: &str, prompt: &Prompt) {
    if known.is_empty() {
        return;
    }
    let instruction = prompt.instruction.as_str();
    match message.rfind(rendered).filter(|_| !rendered.is_empty()) {
        Some(at) => message.insert_str(at, &format!("{known}\n\n")),
        None if !instruction.is_empty() && message.starts_with(instruction) => {
            message.insert_str(instruction.len(), &format!("\n\n{known}"));
        }
        None => message.insert_str(0, &format!("{known}\n\n")),
    }
}

impl Task for AugmentedTask {
    fn request(&self, prompt: &Prompt, input: &Input) -> Request {
        self.shown(self.task.request(prompt, input), prompt, input)
    }

    fn next(&self, prompt: &Prompt, input: &Input, replies: &[Reply]) -> Option<Request> {
        let request = self.task.next(prompt, input, replies)?;
        Some(self.shown(request, prompt, input))
    }

    fn render(&self, input: &Input) -> String {
        let rendered = self.task.render(input);
        before(&self.known(input, &rendered, true), rendered)
    }

    /// With what is known of one thing: what is told of several would leave a request room for
    /// few examples.
    fn demonstration(&self, example: &Example) -> Demonstration {
        let shown = self.task.demonstration(example);
        let known = self.known(&example.input, &shown.input, false);
        Demonstration {
            input: before(&known, shown.input),
            ..shown
        }
    }

    forward_to_task!(
        name,
        seed,
        answer_form,
        options,
        schema,
        takes_references,
        form_in_words,
        parts,
        metric,
        content,
        fills_fields,
        calls,
        conclude,
        embeds,
        grader,
        renderer,
        fitting,
        parse,
        grade,
        score,
    );
}

fn before(known: &str, rendered: String) -> String {
    if known.is_empty() {
        return rendered;
    }
    format!("{known}\n\n{rendered}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ClassifySpec, ClassifyTask, Label, Metric};

    struct Plain;

    impl Task for Plain {
        fn name(&self) -> &'static str {
            "plain"
        }

        fn seed(&self) -> Prompt {
            Prompt::new("Will they like it?")
        }

        fn answer_form(&self, _: &Input) -> AnswerForm {
            AnswerForm::choice(["yes", "no"])
        }

        fn render(&self, input: &Input) -> String {
            format!("Film: {}", input.field("film"))
        }
    }

    fn augmented(task: impl Task + 'static) -> AugmentedTask {
        let field = |name: &str, several| KnowledgeField {
            name: name.into(),
            heading: format!("About the {name}:"),
            several,
        };
        AugmentedTask::new(
            Arc::new(task),
            vec![field("user", false), field("films", true)],
        )
    }

    fn input() -> Input {
        Input::new("1", "g")
            .with_field("film", "Heat")
            .with_field("user", "likes crime")
            .with_field("films", "Heat: crime\nAlien: space")
    }

    #[test]
    fn knowledge_stands_before_the_input() {
        let task = augmented(Plain);
        let ask = |input: &Input| {
            task.request(&task.seed(), input).messages[0]
                .content
                .clone()
        };
        assert_eq!(
            ask(&input()),
            "Will they like it?\n\nAbout the user:\nlikes crime\n\nAbout the films:\nHeat: crime\n\
             Alien: space\n\nFilm: Heat"
        );
        let nothing = Input::new("1", "g")
            .with_field("film", "Heat")
            .with_field("user", "");
        assert_eq!(ask(&nothing), "Will they like it?\n\nFilm: Heat");
        assert_eq!(task.render(&nothing), "Film: Heat");
        // Texts are compared by what the data say.
        assert_eq!(task.content(&input()), "Film: Heat");
    }

    #[test]
    fn knowledge_follows_examples() {
        let task = augmented(Plain);
        let shown = task.demonstration(&input().with_label(Label::Class("yes".into())));
        assert_eq!(shown.input, "About the user:\nlikes crime\n\nFilm: Heat");
        let prompt = task.seed().with_demonstrations(vec![shown]);
        let other = Input::new("2", "g")
            .with_field("film", "Alien")
            .with_field("user", "likes space");
        let text = task.request(&prompt, &other).messages[0].content.clone();
        assert!(
            text.ends_with("Answer: yes\n\nAbout the user:\nlikes space\n\nFilm: Alien"),
            "{text}"
        );
    }

    #[test]
    fn placeholders_show_it_once() {
        struct Lines;
        impl Task for Lines {
            fn name(&self) -> &'static str {
                "lines"
            }
            fn seed(&self) -> Prompt {
                Prompt::new("Judge.")
            }
            fn answer_form(&self, _: &Input) -> AnswerForm {
                AnswerForm::choice(["yes", "no"])
            }
        }
        let text = augmented(Lines).render(&input());
        assert_eq!(text.matches("likes crime").count(), 1, "{text}");
        let spec = ClassifySpec {
            prompt: "Judge.".into(),
            input: "{film} for one who {user}".into(),
            labels: vec!["yes".into(), "no".into()],
            options: None,
            metric: Metric::Accuracy,
        };
        let task = augmented(ClassifyTask::new("t", spec).unwrap());
        let input = Input {
            fields: [("film", "Heat"), ("user", "likes crime")]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into(),
            ..Input::new("1", "g")
        };
        let text = &task.request(&task.seed(), &input).messages[0].content;
        assert_eq!(text, "Judge.\n\nHeat for one who likes crime");
    }
}
