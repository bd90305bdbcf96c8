use std::sync::Arc;

use shiftproof_tasks::{Example, Input, Label, Prompt, Task};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::budget::{BudgetLimits, Meter, Price};
use crate::event_log::EventLog;
use crate::gateway::{Gateway, PricedModel};
use crate::ledger::Ledger;
use crate::propose::ProposalForm;
use crate::simulate::SimulatedWorld;

/// A task that asks for one form of answer and fills `{text}`.
struct Asks(AnswerForm);

impl Task for Asks {
    fn name(&self) -> &'static str {
        "asks"
    }

    fn seed(&self) -> Prompt {
        Prompt::new("Judge.")
    }

    fn answer_form(&self, _: &Input) -> AnswerForm {
        self.0.clone()
    }

    fn fills_fields(&self) -> bool {
        true
    }
}

/// Screens with a seed prompt and examples of a toaster; `check` gets the screen.
fn with_screen(form: AnswerForm, seed: &str, check: impl FnOnce(&ProposalScreen<'_>, &Prompt)) {
    let gateway = Gateway::new(
        Arc::new(Ledger::in_memory()),
        EventLog::unlogged(vec![]),
        Meter::new(BudgetLimits::default()),
        CancellationToken::new(),
        None,
        Vec::new(),
    );
    let model = PricedModel {
        llm: Arc::new(SimulatedWorld::new(1, 0.0)),
        price: Price::default(),
    };
    let text = "This toaster burned my bread, then my house, and the shop would not take it back \
                although it was a week old.";
    let example = Example {
        input: Input::new("1", "g")
            .with_field("text", text)
            .with_field("title", "A toaster"),
        label: Label::Class("negative".into()),
    };
    let source = [example];
    let seed = Prompt::new(seed);
    let view = ProposerView {
        task: &Asks(form),
        gateway: &gateway,
        model: &model,
        source: &source,
        target: &[],
        pseudo_labelled: &[],
        seed_prompt: &seed,
        parents: std::slice::from_ref(&seed),
        form: ProposalForm::Plain,
        limit: 400,
        count: 1,
        seed: 1,
    };
    check(&ProposalScreen::new(&view), &seed);
}

fn moods() -> AnswerForm {
    AnswerForm::choice(["positive", "negative"])
}

const SEED: &str = "Is this review of a shop positive or negative?";

#[track_caller]
fn line(text: &str, expect: Result<&str, &str>) {
    with_screen(moods(), SEED, |screen, _| {
        let got = screen.mended_line(text).map(|prompt| prompt.instruction);
        assert_eq!(got.as_deref().map_err(String::as_str), expect);
    });
}

#[track_caller]
fn whole(seed: &str, text: &str, expect: Result<&str, &str>) {
    with_screen(moods(), seed, |screen, seed| {
        let got = screen
            .whole(text, Some(seed))
            .map(|prompt| prompt.instruction);
        assert_eq!(got.as_deref().map_err(String::as_str), expect, "{text}");
    });
}

#[test]
fn lines_become_instructions() {
    line(
        "The instruction was: \"Say if it is positive or negative.\"",
        Ok("Say if it is positive or negative."),
    );
    line(
        "Judge the mood of the text",
        Ok("Judge the mood of the text. Answer positive or negative."),
    );
    line(
        "Is it positive or negative?\n\nInput: more text",
        Ok("Is it positive or negative?"),
    );
    line("Yes.", Err("it is too short to be an instruction"));
    line(
        "Answer negative when this TOASTER burned my bread then",
        Err("it copies text of an example"),
    );
    line(
        "I'm sorry, but I have no idea here.",
        Err("the model declined"),
    );
}

#[test]
fn numbers_and_lists_get_formats() {
    let text =
        |screen: &ProposalScreen<'_>, text: &str| screen.mended_line(text).unwrap().instruction;
    with_screen(
        AnswerForm::Number { min: 1.0, max: 5.0 },
        SEED,
        |stars, _| {
            assert_eq!(
                text(stars, "Rate how much the user would like the film"),
                "Rate how much the user would like the film. Answer with one number from 1 to 5."
            );
            assert!(stars.line("Rate it from 1 to 5 stars.").is_ok());
            assert_eq!(
                stars.line("Write a poem about the sea.").unwrap_err(),
                "it asks for no number"
            );
        },
    );
    with_screen(
        AnswerForm::Ranking { candidates: vec![] },
        SEED,
        |list, _| {
            assert_eq!(
                text(list, "Put first what the user wants next."),
                "Put first what the user wants next. List the candidates, best first, one per line."
            );
        },
    );
    with_screen(AnswerForm::likelihood(["Heat"]), SEED, |scored, _| {
        let instruction = "Recommend the film that the user will watch next.";
        assert_eq!(text(scored, instruction), instruction);
        assert_eq!(
            scored
                .line("Recommend the weather in Paris today.")
                .unwrap_err(),
            "it speaks of no item or user"
        );
    });
}

#[test]
fn long_prompts_pass_named_limit() {
    let rules = "Weigh what the writer says about use and price. ".repeat(25);
    let long = format!("Judge the mood.\n\n{rules}\n\nAnswer positive or negative.");
    whole(SEED, &long, Ok(&long));
    let longer = format!("{long}\n\n{rules}");
    whole(
        SEED,
        &longer,
        Err("it is longer than 400 tokens (search.max_prompt_tokens)"),
    );
}

#[test]
fn sorry_people_are_no_refusal() {
    let prompt = "A writer who says \"I'm sorry\" or \"I cannot complain\" is judged by the rest.\n\n\
                  Answer positive or negative.";
    whole(SEED, prompt, Ok(prompt));
    whole(
        SEED,
        "Sorry, but I can't help with writing prompts about negative reviews.",
        Err("the model declined"),
    );
    let role = "As an AI assistant, please say if the review is positive or negative.";
    whole(SEED, role, Ok(role));
    whole(
        SEED,
        "As an AI assistant, I do not write prompts about negative reviews.",
        Err("the model declined"),
    );
}

#[test]
fn copies_exclude_seed_words() {
    let about = "Judge the mood of a note about things of the house. ".repeat(8);
    // One phrase in a long prompt is a turn of phrase.
    let phrase = format!(
        "{about}A writer whom the shop would not take it back from is negative, else positive."
    );
    whole(SEED, &phrase, Ok(&phrase));
    let run = format!(
        "{about}If this toaster burned my bread, then my house, and the shop would not take it \
         back, say negative, else positive."
    );
    whole(SEED, &run, Err("it copies text of an example"));
    let quoted = format!("{about}Notes such as \"burned my bread\" are negative, else positive.");
    whole(SEED, &quoted, Err("it copies text of an example"));
    let common = format!("{about}Notes such as \"well made\" are positive, else negative.");
    whole(SEED, &common, Ok(&common));
    let own = format!(
        "{SEED} This toaster burned my bread, then my house, and the shop would not take it back."
    );
    whole(&own, &own, Ok(&own));
}

#[test]
fn request_echoes_are_rejected() {
    const ECHO: Result<&str, &str> = Err("it repeats the words of the request");
    whole(
        SEED,
        "Write the prompt for this task. It says what these inputs are: positive or negative.",
        ECHO,
    );
    whole(
        SEED,
        "Bicycle notes: brakes and gears that work are positive, all others negative.",
        ECHO,
    );
    // The shape of the pattern may be taken over, and words of the prompt in use.
    let shape = "You are shown a review of a kettle. Decide whether it is positive or negative.\n\n\
                 - positive: the writer would buy it again.\n\
                 - negative: the writer would not.\n\n\
                 Go by what the review is mainly about, not by a single word in it. Answer with one \
                 label alone: positive or negative.";
    whole(SEED, shape, Ok(shape));
    // With other nouns than its own or the study's it is a prompt for nothing: a
    // Qwen2.5 of 1.5B wrote such for SocialIQA, where they were raced and chosen.
    whole(
        SEED,
        "You are shown a note that a customer left at a gym. Decide whether it is about cardio, \
         strength training, or stretching.\n\nAnswer with one label alone: cardio, strength \
         training or stretching.",
        ECHO,
    );
    let notes = "Is a note that a customer left at our counter positive or negative?";
    whole(notes, notes, Ok(notes));
    let own = "A language model does a task by this prompt: say if it is positive or negative.";
    whole(SEED, own, ECHO);
    whole(own, own, Ok(own));
}

#[test]
fn labels_and_placeholders_are_restored() {
    whole(
        SEED,
        "Judge the mood of the text.\n\nWeigh the price.",
        Ok("Judge the mood of the text.\n\nWeigh the price.\n\nAnswer positive or negative."),
    );
    let seed = "Title: {title}\nReview: {text}\nIs it positive or negative?";
    // Without any place the whole input follows.
    whole(
        seed,
        "Say if it is positive or negative.",
        Ok("Say if it is positive or negative."),
    );
    whole(
        seed,
        "Is \"{text}\" positive or negative?",
        Ok("Is \"{text}\" positive or negative?\n\ntitle: {title}"),
    );
    whole(
        seed,
        "Judge the mood.\nReview: {text}\nTitle: {title}",
        Ok("Answer positive or negative.\n\nJudge the mood.\nReview: {text}\nTitle: {title}"),
    );
    whole(
        seed,
        "Is {review} positive or negative?",
        Err("it has a placeholder that names no field"),
    );
    let json = "Write {\"mood\": \"positive\"} or {\"mood\": \"negative\"}.";
    whole(SEED, json, Ok(json));
    whole(
        SEED,
        "Answer {positive} or {negative}.",
        Ok("Answer {positive} or {negative}."),
    );
}

#[test]
fn another_language_is_named() {
    let german = "Lies die Bewertung sorgfältig durch und entscheide, ob der Kunde zufrieden ist. \
                  Antworte nur mit positive oder negative, ohne weitere Erklärungen.";
    whole(
        SEED,
        german,
        Err("it is written in another language than prompts and data"),
    );
    let seed = "Entscheide, ob der Kunde mit der Ware zufrieden ist, und antworte nur mit positive \
                oder negative. Begründe deine Entscheidung bitte nicht.";
    whole(seed, german, Ok(german));
}
