//! One task in another: what the outer one leaves to the inner.

/// Methods of [`Task`](crate::Task) that are those of the field `task`. Whoever wraps a
/// task names all but its own, and a method that the trait gains is added here once.
macro_rules! forward_to_task {
    (@ name) => { fn name(&self) -> &str { self.task.name() } };
    (@ seed) => { fn seed(&self) -> crate::Prompt { self.task.seed() } };
    (@ answer_form) => {
        fn answer_form(&self, input: &crate::Input) -> crate::AnswerForm { self.task.answer_form(input) }
    };
    (@ options) => { fn options(&self) -> Option<&str> { self.task.options() } };
    (@ schema) => { fn schema(&self) -> Option<&crate::AnswerSchema> { self.task.schema() } };
    (@ takes_references) => { fn takes_references(&self) -> bool { self.task.takes_references() } };
    (@ form_in_words) => {
        fn form_in_words(&self, prompt: &crate::Prompt) -> Option<String> { self.task.form_in_words(prompt) }
    };
    (@ parts) => {
        fn parts(&self, answer: &crate::Answer, label: &crate::Label) -> Vec<(String, f64)> {
            self.task.parts(answer, label)
        }
    };
    (@ metric) => { fn metric(&self) -> crate::Metric { self.task.metric() } };
    (@ render) => { fn render(&self, input: &crate::Input) -> String { self.task.render(input) } };
    (@ content) => { fn content(&self, input: &crate::Input) -> String { self.task.content(input) } };
    (@ fills_fields) => { fn fills_fields(&self) -> bool { self.task.fills_fields() } };
    (@ request) => {
        fn request(&self, prompt: &crate::Prompt, input: &crate::Input) -> crate::Request {
            self.task.request(prompt, input)
        }
    };
    (@ calls) => { fn calls(&self) -> usize { self.task.calls() } };
    (@ next) => {
        fn next(
            &self,
            prompt: &crate::Prompt,
            input: &crate::Input,
            replies: &[crate::Reply],
        ) -> Option<crate::Request> {
            self.task.next(prompt, input, replies)
        }
    };
    (@ conclude) => {
        fn conclude(&self, input: &crate::Input, replies: Vec<crate::Reply>) -> crate::Reply {
            self.task.conclude(input, replies)
        }
    };
    (@ embeds) => { fn embeds(&self) -> bool { self.task.embeds() } };
    (@ grader) => { fn grader(&self) -> Option<&dyn crate::Grader> { self.task.grader() } };
    (@ renderer) => { fn renderer(&self) -> Option<&dyn crate::Renderer> { self.task.renderer() } };
    (@ fitting) => { fn fitting(&self) -> Option<&dyn crate::Fitting> { self.task.fitting() } };
    (@ demonstration) => {
        fn demonstration(&self, example: &crate::Example) -> crate::Demonstration {
            self.task.demonstration(example)
        }
    };
    (@ parse) => {
        fn parse(&self, input: &crate::Input, reply: &crate::Reply) -> crate::Answer {
            self.task.parse(input, reply)
        }
    };
    (@ grade) => {
        fn grade(&self, answer: &crate::Answer, label: &crate::Label) -> crate::Outcome {
            self.task.grade(answer, label)
        }
    };
    (@ score) => {
        fn score(&self, example: &crate::Example, reply: &crate::Reply) -> crate::Outcome {
            self.task.score(example, reply)
        }
    };
    ($($method:ident),+ $(,)?) => { $( $crate::forward::forward_to_task!(@ $method); )+ };
}

pub(crate) use forward_to_task;
