//! A planted world of groups: phrases help one group each, and a proposer finds those of
//! a group whose failures it is shown. It answers as models do: dressed up, now and then
//! declining, copying, looping, in another language or without an end.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;

use async_trait::async_trait;
use shiftproof_search::event::{GroupInfo, GroupRole};
use shiftproof_search::{Capabilities, Llm, LlmError, ModelCall};
use shiftproof_tasks::{
    AnswerForm, Data, Example, Finish, Input, Label, LabelReads, LabelledTarget, Prompt, Reply,
    SealedAudit, Source, Task, UnlabelledTarget,
};

pub const SOURCES: [&str; 3] = ["letters", "forms", "calls"];
/// Shifted: what helps on calls helps here.
pub const TARGET: &str = "chats";
pub const SEED: &str = "Answer yes or no.";
const LABELS: [&str; 2] = ["yes", "no"];
const OWN_WORDS: [&str; 6] = [
    "Read the text and answer yes or no.",
    "Which is right for the text, yes or no?",
    "Decide about the text: yes or no.",
    "Say yes or say no to each text.",
    "Is it a yes or a no? Answer with that word.",
    "Give the answer to the text, yes or no.",
];
/// Sentences that help nowhere.
const NEUTRAL: [&str; 6] = [
    "Do not hurry.",
    "Be fair to each text.",
    "Look at it twice.",
    "Use common sense.",
    "Mind every word of it.",
    "Stay calm.",
];
/// Phrases that help one group.
const PHRASES: usize = 4;

/// What is right of the seed in each group, and what each of its phrases adds.
fn planted(group: &str) -> (f64, f64) {
    match group {
        "letters" => (0.80, 0.03),
        "forms" => (0.78, 0.03),
        "calls" => (0.50, 0.09),
        _ => (0.52, 0.09),
    }
}

/// The task's model and the proposer in one; keeps what the proposer is asked.
pub struct GroupWorld {
    pub seed: u64,
    /// Whether the proposer can go on from an opening, and cannot do more.
    pub prefill: bool,
    pub asked: Mutex<Vec<String>>,
}

impl GroupWorld {
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            prefill: false,
            asked: Mutex::default(),
        }
    }

    /// A number in `0..1` for each name.
    fn unit(&self, name: &str) -> f64 {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.seed.to_be_bytes());
        hasher.update(name.as_bytes());
        let bytes: [u8; 8] = hasher.finalize().as_bytes()[..8].try_into().unwrap();
        u64::from_be_bytes(bytes) as f64 / u64::MAX as f64
    }

    fn truth(&self, text: &str) -> &'static str {
        LABELS[usize::from(self.unit(&format!("truth {text}")) < 0.5)]
    }

    /// Hard inputs are hard for most prompts, as they are for models.
    fn answer(&self, instruction: &str, text: &str) -> &'static str {
        let group = text.split(' ').next().unwrap();
        let own = self.unit(&format!("own {instruction} {text}")) < 0.3;
        let hard = if own {
            self.unit(&format!("answer {instruction} {text}"))
        } else {
            self.unit(&format!("hard {text}"))
        };
        let truth = self.truth(text);
        if hard < accuracy(instruction, group) {
            truth
        } else {
            LABELS[usize::from(truth == LABELS[0])]
        }
    }

    /// The prompt that is shown, with what the failures suggest.
    fn propose(&self, text: &str, draw: &str) -> String {
        let shown = text.split("<current_prompt>\n").nth(1);
        let shown = shown.and_then(|rest| rest.split("\n</current_prompt>").next());
        // Without one it finds words of its own, which say no more.
        let at = (self.unit(&format!("words {draw}")) * OWN_WORDS.len() as f64) as usize;
        let mut prompt = shown.unwrap_or(OWN_WORDS[at]).to_owned();
        let lines: Vec<&str> = text.lines().collect();
        // What is shown of each group: failures, or demonstrations.
        let mut failures: BTreeMap<&str, usize> = BTreeMap::new();
        let mut others: BTreeMap<&str, usize> = BTreeMap::new();
        for (at, line) in lines.iter().enumerate() {
            let Some(input) = line.strip_prefix("Input: ") else {
                continue;
            };
            let group = input.split(' ').next().unwrap();
            let of = |from: usize, head: &str| lines.get(from).and_then(|l| l.strip_prefix(head));
            match (of(at + 1, "Its output: "), of(at + 2, "Right output: ")) {
                (Some(said), Some(right)) if said != right => {
                    *failures.entry(group).or_default() += 1;
                }
                _ if of(at + 1, "Output: ").is_some() => *others.entry(group).or_default() += 1,
                _ => {}
            }
        }
        // Two prompts put together have the phrases of both.
        if let Some(other) = text.split("<other_prompt>\n").nth(1)
            && text.contains("one that is right wherever one of the two is")
        {
            for group in SOURCES {
                for at in 0..PHRASES {
                    if other.contains(&phrase(group, at)) && !prompt.contains(&phrase(group, at)) {
                        let _ = write!(prompt, " {}", phrase(group, at));
                    }
                }
            }
        }
        // One thing is noticed in a request, the likelier the more there is of it;
        // demonstrations alone seldom say what makes the difference.
        for (shown, chance) in [(failures, 0.25), (others, 0.02)] {
            let all: usize = shown.values().sum();
            let mut drawn = (self.unit(&format!("notices {draw}")) * all as f64) as usize;
            let noticed = shown.iter().find(|(_, count)| {
                let here = drawn < **count;
                drawn = drawn.saturating_sub(**count);
                here
            });
            let Some((group, count)) = noticed else {
                continue;
            };
            let chance = (chance * *count as f64).min(0.9);
            let at = (self.unit(&format!("which {draw}")) * PHRASES as f64) as usize;
            if SOURCES.contains(group)
                && self.unit(&format!("finds {draw}")) < chance
                && !prompt.contains(&phrase(group, at))
            {
                let _ = write!(prompt, " {}", phrase(group, at));
            }
        }
        // What notices nothing says something all the same, and so does a paraphrase.
        if shown == Some(prompt.as_str()) {
            let at = (self.unit(&format!("says {draw}")) * NEUTRAL.len() as f64) as usize;
            let _ = write!(prompt, " {}", NEUTRAL[at]);
        }
        prompt
    }

    /// The prompt as models send it.
    fn dressed(&self, prompt: &str, draw: &str) -> Reply {
        let kind = (self.unit(&format!("dress {draw}")) * 20.0) as usize;
        Reply::text(match kind {
            0 => "I'm sorry, but I can't help with that.".to_owned(),
            1 => {
                return Reply {
                    finish: Finish::Length,
                    ..Reply::text("Once more from the beginning. ".repeat(60))
                };
            }
            2 => format!(
                "<prompt>{}yes or no.</prompt>",
                "Weigh each word. ".repeat(2500)
            ),
            3 => {
                "Lies den Text sorgfältig bis zum Ende und entscheide dann, ob die Antwort richtig \
                  ist. Antworte nur mit einem Wort: yes oder no."
                    .to_owned()
            }
            4 => "<prompt>For \"calls train 3\" and \"calls train 5\" and calls train 7 answer \
                  no, for letters train 2 yes.</prompt>"
                .to_owned(),
            5 => format!("```\n{prompt}\n```\n\nThis prompt works because it is complete."),
            6 => format!("<think>What do they share?</think>{prompt}"),
            7 => format!("Sure! Here is the prompt:\n\n{prompt}\n\nLet me know if it fits!"),
            _ => format!("<prompt>\n{prompt}\n</prompt>"),
        })
    }

    pub fn data(&self, n: usize) -> (Data, Vec<GroupInfo>) {
        let examples = |group: &str, role: &str, n: usize| -> Vec<Example> {
            (0..n)
                .map(|index| {
                    let text = format!("{group} {role} {index}");
                    Example {
                        label: Label::Class(self.truth(&text).to_owned()),
                        input: Input::new(text.clone(), group).with_field("text", text),
                    }
                })
                .collect()
        };
        let all = |role: &str, n: usize| -> Vec<Example> {
            SOURCES
                .iter()
                .flat_map(|group| examples(group, role, n))
                .collect()
        };
        let reads = LabelReads::default();
        let mut audit = all("audit", n);
        audit.extend(examples(TARGET, "audit", n));
        let inputs = examples(TARGET, "unlabelled", n);
        let data = Data {
            source: Source {
                train: all("train", 20),
                validation: all("validation", n),
            },
            target: UnlabelledTarget {
                inputs: inputs.into_iter().map(|example| example.input).collect(),
                ..UnlabelledTarget::default()
            },
            labelled_target: LabelledTarget::new(Vec::new(), reads.clone()),
            audit: SealedAudit::new(audit, reads.clone()),
            reads,
        };
        let info = |name: &str, role| GroupInfo {
            name: name.to_owned(),
            role,
            train: 20,
            validation: n,
            labelled: 0,
            unlabelled: n,
            audit: n,
        };
        let mut groups: Vec<GroupInfo> = SOURCES
            .iter()
            .map(|group| info(group, GroupRole::Source))
            .collect();
        groups.push(info(TARGET, GroupRole::Target));
        (data, groups)
    }
}

/// The chance of a right answer.
pub fn accuracy(prompt: &str, group: &str) -> f64 {
    let (base, gain) = planted(group);
    let of = if group == TARGET { "calls" } else { group };
    let own = (0..PHRASES).filter(|&at| prompt.contains(&phrase(of, at)));
    (base + gain * own.count() as f64).clamp(0.05, 0.95)
}

fn accuracies(prompt: &str) -> impl Iterator<Item = f64> {
    let groups = SOURCES.into_iter().chain([TARGET]);
    groups.map(move |group| accuracy(prompt, group))
}

/// That of the group where it is least.
pub fn worst(prompt: &str) -> f64 {
    accuracies(prompt).fold(1.0, f64::min)
}

/// Its mean over the groups.
pub fn mean(prompt: &str) -> f64 {
    accuracies(prompt).sum::<f64>() / 4.0
}

fn phrase(group: &str, at: usize) -> String {
    let rule = ["tone", "order", "wording", "length"][at];
    format!("With {group} go by their {rule}.")
}

#[async_trait]
impl Llm for GroupWorld {
    fn identity(&self) -> &'static str {
        "group world"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            prefill: self.prefill,
            batch: 1,
            concurrency: 8,
            ..Capabilities::default()
        }
    }

    async fn call(&self, call: &ModelCall) -> Result<Reply, LlmError> {
        let messages = &call.request.messages;
        let text = &messages[messages.len() - 1].content;
        if call.request.answer.labels().is_some() {
            let (instruction, input) = text.rsplit_once("\n\n").unwrap();
            return Ok(Reply::text(self.answer(instruction, input)));
        }
        let all: Vec<&str> = messages.iter().map(|m| m.content.as_str()).collect();
        self.asked.lock().unwrap().push(all.join("\n"));
        if self.prefill && text.contains("Copy this sentence") {
            return Ok(Reply::text("Sure, here is it."));
        }
        let draw = format!("{} {} {text}", call.sampling.seed, call.sample);
        if let Some(opening) = text.strip_prefix("The instruction was: ") {
            // One that cannot do more says the opening's rest, or something else.
            return Ok(Reply::text(if self.unit(&draw) < 0.5 {
                " weather is fine."
            } else if opening.starts_with("Decide") {
                " answer to it is yes or no."
            } else {
                " text, answer yes or no."
            }));
        }
        if text.contains("different reasons") {
            return Ok(Reply::text(if self.unit(&draw) < 0.2 {
                "I cannot say."
            } else {
                "1. It does not say what to go by.\n2. It knows nothing of where a text is from."
            }));
        }
        Ok(self.dressed(&self.propose(text, &draw), &draw))
    }
}

pub struct YesNo;

impl Task for YesNo {
    fn name(&self) -> &'static str {
        "planted"
    }

    fn seed(&self) -> Prompt {
        Prompt::new(SEED)
    }

    fn answer_form(&self, _: &Input) -> AnswerForm {
        AnswerForm::choice(LABELS)
    }
}
