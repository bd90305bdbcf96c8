//! The search as a library: a classifier on examples in memory, with models of one's own.
//!
//! ```text
//! cargo run --example library_classifier
//! ```
//!
//! Tickets by e-mail are sorted already; chats are not, and customers write differently
//! there. The two models stand for clients of yours (they answer by rules, so that the
//! example runs anywhere): `Clerk` sorts tickets and knows chat slang only where the
//! prompt explains it, `Author` writes prompts.

use std::io::{self, Write as _};

use shiftproof::tasks::{
    AnswerForm, ClassifySpec, ClassifyTask, Example, Input, Label, Reply, Usage,
};
use shiftproof::{
    BudgetLimits, Capabilities, GroupsSpec, Llm, LlmError, ModelCall, ModelChoice, Optimization,
    OptimizationError, Price, RunResult, async_trait,
};

/// Labels, how e-mails put the matter, and how chats do.
const TOPICS: [(&str, [&str; 2], [&str; 2]); 3] = [
    (
        "billing",
        ["the invoice", "the refund"],
        ["my money", "being charged twice"],
    ),
    (
        "delivery",
        ["the parcel", "the shipment"],
        ["my stuff", "something not here yet"],
    ),
    (
        "account",
        ["the password", "the login"],
        ["being locked out", "getting back in"],
    ),
];

/// Sorts tickets.
struct Clerk;

#[async_trait]
impl Llm for Clerk {
    fn identity(&self) -> &'static str {
        "clerk-1"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            batch: 1,
            concurrency: 8,
            ..Capabilities::default()
        }
    }

    async fn call(&self, call: &ModelCall) -> Result<Reply, LlmError> {
        let asked = last_message(call);
        let (instruction, ticket) = asked.rsplit_once("\n\n").unwrap_or(("", asked));
        let sorted = TOPICS.iter().find(|(_, plain, slang)| {
            let explained = slang.iter().any(|words| instruction.contains(words));
            plain.iter().any(|words| ticket.contains(words))
                || explained && slang.iter().any(|words| ticket.contains(words))
        });
        let label = sorted.map_or("I cannot tell.", |(label, ..)| label);
        Ok(answered(call, label))
    }
}

/// Writes prompts, with a sentence around them as models do.
struct Author;

#[async_trait]
impl Llm for Author {
    fn identity(&self) -> &'static str {
        "author-1"
    }

    fn capabilities(&self) -> Capabilities {
        Clerk.capabilities()
    }

    async fn call(&self, call: &ModelCall) -> Result<Reply, LlmError> {
        let AnswerForm::Text { .. } = call.request.answer else {
            return Err(LlmError::Request("it only writes".to_owned()));
        };
        let mut prompt = String::from("Sort the customer's message under one label.\n");
        for (label, plain, slang) in TOPICS {
            // It writes rules for what it was shown.
            let shown = slang.iter().any(|words| last_message(call).contains(words));
            let words = if shown {
                [plain, slang].concat()
            } else {
                plain.to_vec()
            };
            let words = words.join(", ");
            prompt.extend([
                "- ",
                label,
                ": it is about ",
                &words,
                ".
",
            ]);
        }
        prompt += "Answer with one label: billing, delivery or account.";
        let text = format!("Here is a prompt for it:\n\n<prompt>\n{prompt}\n</prompt>");
        Ok(answered(call, &text))
    }
}

/// A reply with the tokens it took, of about four letters each.
fn answered(call: &ModelCall, text: &str) -> Reply {
    Reply {
        usage: Usage {
            prompt_tokens: last_message(call).len() as u64 / 4,
            completion_tokens: text.len() as u64 / 4 + 1,
            ..Usage::default()
        },
        ..Reply::text(text)
    }
}

fn last_message(call: &ModelCall) -> &str {
    let last = call.request.messages.last();
    last.map_or("", |message| &message.content)
}

/// Tickets of a channel: so many of ten are put as e-mails put the matter, the others as
/// chats do, and one in nine does not say what it is about.
fn tickets(channel: &str, count: usize, plainly: usize) -> Vec<Example> {
    let ticket = |n: usize| {
        let (label, plain, slang) = TOPICS[n % TOPICS.len()];
        let words = if n * 7 % 10 < plainly { plain } else { slang };
        let matter = if n.is_multiple_of(9) {
            "please call me"
        } else {
            words[n / 3 % 2]
        };
        Input::new(format!("{channel}-{n}"), channel)
            .with_field("text", format!("Order {n} by {channel}: {matter}"))
            .with_label(Label::Class(label.to_owned()))
    };
    (0..count).map(ticket).collect()
}

/// Runs the search.
///
/// # Errors
/// Where it does not come to its end.
pub fn run() -> Result<RunResult, OptimizationError> {
    let task = ClassifyTask::new(
        "tickets",
        ClassifySpec::new(
            "Sort this customer message.",
            "{text}",
            TOPICS.map(|(label, ..)| label),
        ),
    );
    let chats = tickets("chat", 240, 3);
    // Most chats have no label; 90 were sorted by hand and are sealed for the audit.
    let (sorted, unsorted) = chats.split_at(90);
    Optimization::builder()
        .name("tickets")
        .task(task.map_err(shiftproof::exit::Failure::from)?)
        .examples(tickets("email", 240, 7))
        .examples(sorted.iter().cloned())
        .inputs(unsorted.iter().map(|example| example.input.clone()))
        .groups(GroupsSpec {
            source: vec!["email".to_owned()],
            target: vec!["chat".to_owned()],
            train: Some(36),
            validation: Some(60),
            audit: Some(90),
            ..GroupsSpec::default()
        })
        .model(ModelChoice::llm(Clerk).priced(Price::per_million(0.15, 0.60)))
        .proposer(ModelChoice::llm(Author).priced(Price::per_million(2.0, 8.0)))
        .budget(BudgetLimits {
            calls: Some(3000),
            ..BudgetLimits::default()
        })
        .in_memory() // `.store("FOLDER")` where replies are paid for
        .run_blocking()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let result = run()?;
    let mut out = io::stdout();
    writeln!(out, "{}\n", result.verdict.sentence)?;
    for group in &result.groups {
        if let (Some(seed), Some(selected)) = (&group.seed, &group.selected) {
            let [seed, selected] = [seed, selected].map(|score| score.value.unwrap_or(f64::NAN));
            writeln!(out, "{}: {seed:.2} before, {selected:.2} now", group.name)?;
        }
    }
    writeln!(out, "\n{}\n", result.selected.instruction)?;
    writeln!(
        out,
        "{} calls, {:.4} US dollars",
        result.spent.calls,
        result.spent.usd()
    )?;
    Ok(())
}
