use shiftproof_tasks::{Input, Reply, Role, Task};

use super::*;
use crate::llm::ModelCall;
use crate::propose::library::prompts;
use crate::propose::screen::{ProposalScreen, padded};
use crate::scripted::{Bench, ProposerBench};

/// A task of one form, which fills fields.
struct Asks(AnswerForm);

impl Task for Asks {
    fn name(&self) -> &'static str {
        "asks"
    }

    fn seed(&self) -> Prompt {
        Prompt::new("Do it.")
    }

    fn answer_form(&self, _: &Input) -> AnswerForm {
        self.0.clone()
    }

    fn fills_fields(&self) -> bool {
        true
    }
}

fn forms() -> Vec<AnswerForm> {
    let films = || vec!["Heat".to_owned(), "Alien".to_owned()];
    vec![
        AnswerForm::choice(["angry", "calm", "glad"]),
        AnswerForm::Number { min: 1.0, max: 5.0 },
        AnswerForm::Ranking {
            candidates: films(),
        },
        AnswerForm::likelihood(films()),
        AnswerForm::Nearest {
            candidates: films(),
        },
        AnswerForm::Text { max_tokens: 9 },
    ]
}

fn bench(form: AnswerForm) -> ProposerBench {
    let bench = Bench::new(|_: &ModelCall| Ok(Reply::text("")));
    let mut bench = ProposerBench::new(bench, 1);
    bench.task = Box::new(Asks(form));
    bench
}

#[test]
fn patterns_are_told_by_terms() {
    for form in forms() {
        let own = pattern(Some(&form));
        let words = padded(own.text);
        for term in own.terms {
            assert!(
                words.contains(&padded(term)),
                "{term} is not in {}",
                own.about
            );
        }
    }
}

#[test]
fn requests_name_their_form() {
    let needles: [&[&str]; 6] = [
        &["angry, calm or glad", "the label alone"],
        &["one number from 1 to 5"],
        &["one for each user", "best first, one per line"],
        &["one for each user", "the title of one item"],
        &["one for each user", "the title of one item"],
        &["says what the output looks like"],
    ];
    for (form, needles) in forms().into_iter().zip(needles) {
        let bench = bench(form.clone());
        let view = bench.view();
        let chunk = &bench.source[..2];
        let [system, user] = &induce(&view, chunk, &["a further note".into()], None)[..] else {
            panic!("two messages");
        };
        assert_eq!((system.role, user.role), (Role::System, Role::User));
        for needle in needles {
            assert!(user.content.contains(needle), "{form:?}: {}", user.content);
        }
        for shown in [
            "source note number 1\nOutput: negative",
            "Input: a further note\n",
        ] {
            assert!(user.content.contains(shown), "{}", user.content);
        }
        // The last words ask for the tags.
        assert!(user.content.ends_with(TAGS));
        // A prompt in use takes the place of the pattern.
        let current = Prompt::new("Judge this by its tone.");
        let anew = &induce(&view, chunk, &[], Some(&current))[1].content;
        assert!(anew.contains(&current.instruction) && !anew.contains(LIKE_THIS));
        assert!(user.content.contains(LIKE_THIS));
    }
}

#[test]
fn systems_keep_placeholders_and_limit() {
    let mut bench = bench(AnswerForm::choice(["angry", "calm"]));
    bench.limit = 400;
    let view = bench.view();
    let told = |instruction: &str| {
        let parent = Prompt::new(instruction);
        paraphrase(&view, &parent)[0].content.clone()
    };
    let plain = told("Judge the note.");
    assert!(plain.contains("at most 300 words") && plain.contains("no placeholder"));
    let filled = told("Judge {text} and {mood}.");
    assert!(
        filled.contains("keeps {text} exactly as written"),
        "{filled}"
    );
}

/// A proposer that knows names alone writes prompts that leave out what values may be.
#[test]
fn requests_tell_fields_with_types() {
    let schema = serde_json::json!({
        "type": "object",
        "properties": {
            "severity": {
                "type": "string",
                "enum": ["minor", "major"],
                "description": "How bad it is for the customer.",
            },
            "refund": {"type": ["number", "null"]},
            "tags": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["severity", "refund", "tags"],
    });
    let form = |schema| AnswerForm::Json {
        schema,
        max_tokens: 99,
    };
    let told = "\"refund\": a number, or null where the text does not say; \"severity\": \"minor\" \
                or \"major\" (How bad it is for the customer); \"tags\": a list of texts";
    let own = bench(form(schema));
    let view = own.view();
    let parent = Prompt::new("Judge the note.");
    for messages in [
        induce(&view, &own.source[..2], &[], None),
        induce(&view, &own.source[..2], &[], Some(&parent)),
        paraphrase(&view, &parent),
        mend(&view, &parent, &[], Some("too short")),
        mutate(&view, &parent, &[]),
    ] {
        let text = &messages[1].content;
        let asked = text.contains(told);
        // Without an example nothing is known of the form.
        assert!(asked || !text.contains("Output:"), "{text}");
    }
    assert!(
        induce(&view, &own.source[..2], &[], None)[1]
            .content
            .contains(told)
    );
    assert!(crate::propose::written::contract(&view).contains(told));
    // A schema of a plugged-in task that is no flat one is shown as it is.
    let nested = serde_json::json!({"type": "object", "properties": {"at": {"type": "object"}}});
    let own = bench(form(nested.clone()));
    let contract = crate::propose::written::contract(&own.view());
    assert!(contract.contains(&nested.to_string()), "{contract}");
}

/// What everybody gets for nothing must be good enough for everybody's own screen.
#[test]
fn library_passes_own_screen() {
    for form in forms() {
        let bench = bench(form.clone());
        let view = bench.view();
        let screen = ProposalScreen::new(&view);
        let generic = prompts(&form);
        let different: std::collections::BTreeSet<&String> = generic.iter().collect();
        assert_eq!(different.len(), generic.len());
        assert_eq!(generic.is_empty(), matches!(form, AnswerForm::Text { .. }));
        for prompt in &generic {
            let kept = screen.line(prompt);
            assert!(kept.is_ok(), "{prompt}: {kept:?}");
        }
    }
}

#[test]
fn openings_and_clauses_fit_form() {
    use crate::propose::library::{clauses, openings};
    for form in forms() {
        let (openings, clauses) = (openings(&form), clauses(&form));
        assert!(openings.len() >= 4 && clauses.len() >= 5, "{form:?}");
        // An opening is begun, a clause is whole.
        assert!(openings.iter().all(|own| !own.ends_with('.')));
        assert!(clauses.iter().all(|own| own.ends_with('.')));
        let asks = clauses
            .iter()
            .any(|own| own.contains("angry, calm or glad"));
        assert_eq!(asks, matches!(form, AnswerForm::Choice { .. }));
    }
    let either = |labels: &[&str]| {
        let labels: Vec<String> = labels.iter().map(|own| (*own).to_owned()).collect();
        crate::propose::library::either(&labels)
    };
    assert_eq!(either(&[]), "");
    assert_eq!(either(&["a"]), "a");
    assert_eq!(either(&["a", "b"]), "a or b");
    assert_eq!(either(&["a", "b", "c"]), "a, b or c");
}
