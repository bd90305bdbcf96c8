use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::forward::forward_to_task;
use crate::{AnswerForm, Input, Message, Prompt, Reply, Request, Role, Task, places};

/// Which message of the conversation the optimised prompt is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PromptRole {
    /// The user's, before the input.
    #[default]
    User,
    /// The system's; the user's message is the rendered input alone, after the
    /// prompt's demonstrations.
    System,
}

/// What surrounds a task's prompt in every request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PromptFrame {
    /// Text that is sent as system message and stays as it is; a field's
    /// [place](crate::places) is filled where the task fills those of its prompt.
    pub system: Option<String>,
    /// Where the prompt goes. In the system message it follows `system`.
    pub prompt_role: PromptRole,
}

/// A task whose requests are framed; everything else is the task's own.
pub struct FramedTask {
    task: Arc<dyn Task>,
    frame: PromptFrame,
}

impl FramedTask {
    /// The task in a frame.
    pub fn new(task: Arc<dyn Task>, frame: PromptFrame) -> Self {
        Self { task, frame }
    }

    /// The request that `ask` makes of a prompt, framed.
    fn framed(
        &self,
        prompt: &Prompt,
        input: &Input,
        ask: impl FnOnce(&Prompt) -> Option<Request>,
    ) -> Option<Request> {
        let filled = |text: &str| {
            if self.task.fills_fields() {
                places::fill(text, input).0.into_owned()
            } else {
                text.to_owned()
            }
        };
        let mut system: Vec<String> = self.frame.system.iter().map(|text| filled(text)).collect();
        let mut request = match self.frame.prompt_role {
            PromptRole::User => ask(prompt)?,
            PromptRole::System => {
                system.push(filled(&prompt.instruction));
                system.extend(self.task.form_in_words(prompt));
                ask(&Prompt {
                    instruction: String::new(),
                    ..prompt.clone()
                })?
            }
        };
        system.retain(|text| !text.trim().is_empty());
        let system = system.join("\n\n");
        match &mut request.answer {
            // What is embedded is a text, not a conversation.
            AnswerForm::Nearest { .. } => return Some(request),
            AnswerForm::Likelihood { prior, .. } if !prior.is_empty() => lead(prior, &system),
            _ => {}
        }
        lead(&mut request.messages, &system);
        Some(request)
    }
}

/// Puts a system message first, before what the task's own says.
fn lead(messages: &mut Vec<Message>, system: &str) {
    match messages.first_mut() {
        _ if system.is_empty() => {}
        Some(first) if first.role == Role::System => {
            first.content = format!("{system}\n\n{}", first.content);
        }
        _ => messages.insert(0, Message::system(system)),
    }
}

impl Task for FramedTask {
    fn request(&self, prompt: &Prompt, input: &Input) -> Request {
        let request = self.framed(prompt, input, |prompt| {
            Some(self.task.request(prompt, input))
        });
        request.unwrap_or_else(|| self.task.request(prompt, input))
    }

    fn next(&self, prompt: &Prompt, input: &Input, replies: &[Reply]) -> Option<Request> {
        let ask = |prompt: &Prompt| self.task.next(prompt, input, replies);
        // A question that the prompt is no part of, such as how good the answer to it was,
        // has no prompt above it either.
        let blank = Prompt::new("");
        if self.frame.prompt_role == PromptRole::System && ask(prompt) == ask(&blank) {
            return self.framed(&blank, input, ask);
        }
        self.framed(prompt, input, ask)
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
        render,
        content,
        fills_fields,
        calls,
        conclude,
        embeds,
        renderer,
        fitting,
        demonstration,
        parse,
        grade,
        metric,
        grader,
        score,
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ClassifySpec, ClassifyTask, Demonstration, Metric};

    fn task(prompt: &str, frame: PromptFrame) -> FramedTask {
        let spec = ClassifySpec {
            prompt: prompt.into(),
            input: "Review: {text}".into(),
            labels: vec!["good".into(), "bad".into()],
            options: None,
            metric: Metric::Accuracy,
        };
        FramedTask::new(Arc::new(ClassifyTask::new("t", spec).unwrap()), frame)
    }

    #[track_caller]
    fn check(prompt: &str, system: Option<&str>, role: PromptRole, expect: &[(Role, &str)]) {
        let frame = PromptFrame {
            system: system.map(str::to_owned),
            prompt_role: role,
        };
        let task = task(prompt, frame);
        let input = Input::new("1", "g").with_field("text", "fine");
        let request = task.request(&task.seed(), &input);
        let got: Vec<(Role, &str)> = request
            .messages
            .iter()
            .map(|message| (message.role, message.content.as_str()))
            .collect();
        assert_eq!(got, expect);
    }

    #[test]
    fn system_text_goes_where_declared() {
        use PromptRole::{System as AsSystem, User as AsUser};
        use Role::{System, User};
        check(
            "Judge.",
            Some("Be brief."),
            AsUser,
            &[(System, "Be brief."), (User, "Judge.\n\nReview: fine")],
        );
        check(
            "Judge.",
            Some("Be brief."),
            AsSystem,
            &[(System, "Be brief.\n\nJudge."), (User, "Review: fine")],
        );
        check(
            "Judge.",
            None,
            AsSystem,
            &[(System, "Judge."), (User, "Review: fine")],
        );
        check(
            "Judge {text} now.",
            Some("{text}?"),
            AsUser,
            &[(System, "fine?"), (User, "Judge fine now.")],
        );
        check(
            "Judge {text} now.",
            None,
            AsSystem,
            &[(System, "Judge fine now."), (User, "Review: fine")],
        );
        check("Judge.", None, AsUser, &[(User, "Judge.\n\nReview: fine")]);
    }

    /// Asks with the prompt, then without it.
    struct RatedAnswer;

    impl Task for RatedAnswer {
        fn name(&self) -> &'static str {
            "rated"
        }

        fn seed(&self) -> Prompt {
            Prompt::new("Write.")
        }

        fn answer_form(&self, _: &Input) -> AnswerForm {
            AnswerForm::Text { max_tokens: 8 }
        }

        fn calls(&self) -> usize {
            3
        }

        fn next(&self, prompt: &Prompt, input: &Input, replies: &[Reply]) -> Option<Request> {
            match replies.len() {
                1 => Some(Request {
                    messages: vec![Message::user("How good is it?")],
                    answer: self.answer_form(input),
                }),
                _ => Some(self.request(prompt, input)),
            }
        }
    }

    #[test]
    fn questions_without_prompt_stay_so() {
        let frame = PromptFrame {
            system: Some("Be brief.".into()),
            prompt_role: PromptRole::System,
        };
        let task = FramedTask::new(Arc::new(RatedAnswer), frame);
        let input = Input::new("1", "g").with_field("text", "fine");
        let reply = Reply::text("words");
        let system = |replies: &[Reply]| {
            let request = task.next(&task.seed(), &input, replies).unwrap();
            request.messages[0].content.clone()
        };
        assert_eq!(system(std::slice::from_ref(&reply)), "Be brief.");
        assert_eq!(system(&[reply.clone(), reply]), "Be brief.\n\nWrite.");
    }

    #[test]
    fn demonstrations_stay_with_user() {
        let frame = PromptFrame {
            system: None,
            prompt_role: PromptRole::System,
        };
        let task = task("Judge.", frame);
        let input = Input::new("1", "g").with_field("text", "fine");
        let prompt = task.seed().with_demonstrations(vec![Demonstration {
            input: "Review: ugly".into(),
            answer: "bad".into(),
        }]);
        let request = task.request(&prompt, &input);
        assert_eq!(
            request.messages[1].content,
            "Review: ugly\nAnswer: bad\n\nReview: fine"
        );
    }
}
