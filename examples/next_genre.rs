//! A task of one's own in Rust: which genre does a viewer want next?
//!
//! ```text
//! cargo run --release --example next_genre -- optimize examples/next_genre.toml
//! ```
//!
//! The binary is the whole program with one task more, which a study names by
//! `kind = "next-genre"`. Rust is needed where a study's `input` template is not
//! enough: here the history becomes a list.

use shiftproof_tasks::{AnswerForm, Input, Prompt, Task};

struct NextGenre;

impl Task for NextGenre {
    fn name(&self) -> &'static str {
        "next-genre"
    }

    fn seed(&self) -> Prompt {
        Prompt::new("Which genre does this viewer want next, crime or comedy?")
    }

    fn answer_form(&self, _: &Input) -> AnswerForm {
        AnswerForm::choice(["crime", "comedy"])
    }

    fn render(&self, input: &Input) -> String {
        let list = input.field("history").replace("; ", "\n- ");
        format!("Watched, latest last:\n- {list}")
    }
}

fn main() -> std::process::ExitCode {
    shiftproof::App::new().task(NextGenre).run()
}
