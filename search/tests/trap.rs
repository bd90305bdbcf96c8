//! A world with a trap: prompts that gain on the source alone, beside a smaller gain
//! that holds everywhere. What a search that looks at the source finds is the trap.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use shiftproof_search::budget::{BudgetLimits, Meter, Price};
use shiftproof_search::event::{Event, GroupInfo, GroupRole};
use shiftproof_search::event_log::EventLog;
use shiftproof_search::gateway::{Gateway, PricedModel};
use shiftproof_search::ledger::Ledger;
use shiftproof_search::llm::{Capabilities, Llm, LlmError, ModelCall};
use shiftproof_search::methods::MethodRegistry;
use shiftproof_search::run::Run;
use shiftproof_search::seeds;
use shiftproof_search::spec::{MethodName, SearchSpec};
use shiftproof_tasks::{
    AnswerForm, Data, Example, Finish, Input, Label, LabelReads, LabelledTarget, Prompt, Reply,
    SealedAudit, Source, Task, UnlabelledTarget, Usage,
};
use tokio_util::sync::CancellationToken;

const LABELS: [&str; 2] = ["yes", "no"];
const SOURCE: &str = "shop";
const TARGETS: [&str; 3] = ["north", "south", "east"];

/// Prompts of one kind: their accuracy on the source and on each target group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Seed,
    Trap,
    Gain,
    Harm,
    Null,
}

impl Kind {
    fn accuracy(self, group: &str) -> f64 {
        let target = TARGETS.iter().position(|name| *name == group);
        match (self, target) {
            (Self::Trap, Some(at)) => [0.56, 0.58, 0.60][at],
            (Self::Trap, None) => 0.90,
            (Self::Gain, Some(_)) => 0.82,
            (Self::Gain, None) => 0.80,
            (Self::Harm, _) => 0.60,
            (Self::Seed | Self::Null, _) => 0.70,
        }
    }

    /// Of an instruction, by the sentence that makes it.
    fn of(instruction: &str) -> Self {
        let kinds = [Self::Trap, Self::Gain, Self::Harm, Self::Null];
        let named = kinds
            .into_iter()
            .find(|kind| instruction.contains(kind.sentence()));
        named.unwrap_or(Self::Seed)
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::Seed => "",
            Self::Trap => "Trust the price that is named",
            Self::Gain => "Weigh what the buyer says about use",
            Self::Harm => "Go by the length of the text",
            Self::Null => "Read the whole text first",
        }
    }
}

/// The world.
#[derive(Debug, Clone)]
struct TrapWorld {
    seed: u64,
    /// Chance that a proposal is of each kind: trap, gain, harmful; null is the rest.
    shares: [f64; 3],
    /// Share of inputs on which prompts of one kind answer as one.
    likeness: f64,
}

const WAYS: [&str; 12] = [
    "above all",
    "at first",
    "in every case",
    "with care",
    "before anything else",
    "as a rule",
    "each time",
    "once more",
    "calmly",
    "step by step",
    "to the end",
    "in full",
];

impl TrapWorld {
    fn unit(&self, name: &str) -> f64 {
        seeds::number(self.seed, name) as f64 / u64::MAX as f64
    }

    fn truth(&self, text: &str) -> &'static str {
        LABELS[usize::from(self.unit(&format!("truth {text}")) < 0.5)]
    }

    fn answer(&self, instruction: &str, text: &str) -> &'static str {
        let kind = Kind::of(instruction);
        let group = text.split(' ').next().unwrap();
        let alone = format!("{instruction} {text}");
        let draw = if self.unit(&format!("alike {alone}")) < self.likeness {
            self.unit(&format!("{kind:?} {text}"))
        } else {
            self.unit(&format!("own {alone}"))
        };
        let truth = self.truth(text);
        if draw < kind.accuracy(group) {
            truth
        } else {
            LABELS[usize::from(truth == LABELS[0])]
        }
    }

    fn propose(&self, text: &str, seed: u64) -> String {
        let unit = |name: &str| self.unit(&format!("{name} {seed} {text}"));
        let draw = unit("kind");
        let [trap, gain, harm] = self.shares;
        let kind = if draw < trap {
            Kind::Trap
        } else if draw < trap + gain {
            Kind::Gain
        } else if draw < trap + gain + harm {
            Kind::Harm
        } else {
            Kind::Null
        };
        let way = WAYS[(unit("way") * WAYS.len() as f64) as usize];
        format!("Answer yes or no. {} {way}.", kind.sentence())
    }

    /// `labelled`: target examples with labels in each group.
    fn data(&self, labelled: usize) -> (Data, Vec<GroupInfo>) {
        let examples = |group: &str, role: &str, n: usize| -> Vec<Example> {
            let one = |index| {
                let text = format!("{group} {role} {index}");
                let label = Label::Class(self.truth(&text).to_owned());
                let input = Input::new(text.clone(), group).with_field("text", text);
                Example { input, label }
            };
            (0..n).map(one).collect()
        };
        let targets = |role: &'static str, n: usize| {
            let of = TARGETS.iter().flat_map(|group| examples(group, role, n));
            of.collect::<Vec<_>>()
        };
        let reads = LabelReads::default();
        let mut audit = examples(SOURCE, "audit", 40);
        audit.extend(targets("audit", 40));
        let data = Data {
            source: Source {
                train: examples(SOURCE, "train", 36),
                validation: examples(SOURCE, "validation", 120),
            },
            target: UnlabelledTarget {
                inputs: targets("unlabelled", 40)
                    .into_iter()
                    .map(|e| e.input)
                    .collect(),
                ..UnlabelledTarget::default()
            },
            labelled_target: LabelledTarget::new(targets("labelled", labelled), reads.clone()),
            audit: SealedAudit::new(audit, reads.clone()),
            reads,
        };
        let source = GroupInfo {
            name: SOURCE.to_owned(),
            role: GroupRole::Source,
            train: 36,
            validation: 120,
            labelled: 0,
            unlabelled: 0,
            audit: 40,
        };
        let mut groups = vec![source];
        groups.extend(TARGETS.map(|name| GroupInfo {
            name: name.to_owned(),
            role: GroupRole::Target,
            train: 0,
            validation: 0,
            labelled: 0,
            unlabelled: 40,
            audit: 40,
        }));
        (data, groups)
    }
}

struct TrapTask;

impl Task for TrapTask {
    fn name(&self) -> &'static str {
        "trap"
    }

    fn seed(&self) -> Prompt {
        Prompt::new("Answer yes or no.")
    }

    fn answer_form(&self, _: &Input) -> AnswerForm {
        AnswerForm::choice(LABELS)
    }
}

#[async_trait]
impl Llm for TrapWorld {
    fn identity(&self) -> &'static str {
        "trap"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            concurrency: 8,
            batch: 1,
            ..Capabilities::default()
        }
    }

    async fn call(&self, call: &ModelCall) -> Result<Reply, LlmError> {
        let messages = &call.request.messages;
        let text = &messages[messages.len() - 1].content;
        let reply = if call.request.answer.labels().is_some() {
            let (instruction, input) = text.split_once("\n\n").unwrap();
            self.answer(instruction, input).to_owned()
        } else {
            self.propose(text, call.sampling.seed)
        };
        Ok(Reply {
            text: reply,
            label_logprobs: None,
            candidate_scores: None,
            distances: None,
            grade: None,
            grade_reason: None,
            finish: Finish::Stop,
            usage: Usage::default(),
        })
    }
}

/// The kind that is selected, and what was told.
async fn selected(
    world: &TrapWorld,
    method: &str,
    labelled: usize,
    limit: Option<u64>,
) -> (Kind, Vec<Event>) {
    let limits = BudgetLimits {
        calls: limit,
        ..BudgetLimits::default()
    };
    let gateway = Gateway::new(
        Arc::new(Ledger::in_memory()),
        EventLog::unlogged(vec![]),
        Meter::new(limits),
        CancellationToken::new(),
        None,
        Vec::new(),
    );
    let model = PricedModel {
        llm: Arc::new(world.clone()),
        price: Price::default(),
    };
    let (data, groups) = world.data(labelled);
    let ended = Run {
        study: "trap".into(),
        task: Arc::new(TrapTask),
        data,
        groups,
        baselines: vec![],
        method: MethodRegistry::default().get(method).unwrap(),
        spec: SearchSpec {
            method: MethodName::new(method),
            library: false,
            ensemble: 0,
            ..SearchSpec::default()
        },
        human: vec![],
        seed: world.seed,
        task_model: model.clone(),
        proposer_model: model,
        gateway: &gateway,
        earlier: None,
        judge: None,
        fitted: false,
        keep_going: false,
    }
    .execute()
    .await
    .unwrap();
    (Kind::of(&ended.selected.instruction), gateway.emitted())
}

/// Proposals of a world: shares of trap, gain and harmful prompts, and how alike
/// prompts of one kind answer.
type Proposals = ([f64; 3], f64);

const APART: Proposals = ([0.25, 0.25, 0.2], 0.0);
const ALIKE: Proposals = ([0.25, 0.25, 0.2], 0.9);
const MANY_TRAPS: Proposals = ([0.5, 0.15, 0.15], 0.9);
const MOSTLY_TRAPS: Proposals = ([0.65, 0.15, 0.1], 0.9);

/// Worlds that the constants of votes were looked at on.
const SEEN: std::ops::Range<u64> = 0..10;
/// Worlds that nothing was chosen by, for figures that are told (the odds for which the
/// seed prompt gives way were, by 1000 to 1039).
const UNSEEN: std::ops::Range<u64> = 2000..2040;

/// How often each kind is selected in some worlds, and how many prompts were passed
/// over because they left the others.
async fn selections(
    seeds: std::ops::Range<u64>,
    method: &str,
    (shares, likeness): Proposals,
    labelled: usize,
    limit: Option<u64>,
) -> (BTreeMap<Kind, usize>, usize) {
    let (mut counts, mut left) = (BTreeMap::new(), 0);
    for seed in seeds {
        let world = TrapWorld {
            seed,
            shares,
            likeness,
        };
        let (kind, events) = selected(&world, method, labelled, limit).await;
        *counts.entry(kind).or_insert(0) += 1;
        let told = events.iter().filter(|event| {
            matches!(event, Event::Decided { kept: false, reason, .. } if reason.contains("have left"))
        });
        left += told.count();
    }
    println!("{method}, {labelled} labels, limit {limit:?}: {counts:?}, {left} passed over");
    (counts, left)
}

#[tokio::test]
async fn source_alone_finds_trap() {
    for proposals in [APART, ALIKE] {
        let (counts, _) = selections(SEEN, "ape", proposals, 0, None).await;
        assert!(counts[&Kind::Trap] >= 8, "{counts:?}");
    }
}

#[tokio::test]
async fn votes_pass_over_traps() {
    for proposals in [APART, ALIKE] {
        let (counts, left) = selections(SEEN, "gpo", proposals, 0, None).await;
        let traps = counts.get(&Kind::Trap).copied().unwrap_or(0);
        assert!(traps <= 2, "{counts:?}");
        assert!(left > 0, "nobody is told to have left the others");
    }
}

#[tokio::test]
async fn few_labels_find_true_gain() {
    let mut gains = 0;
    for proposals in [APART, ALIKE, MANY_TRAPS, MOSTLY_TRAPS] {
        let (counts, _) = selections(SEEN, "gpo", proposals, 20, Some(1500)).await;
        assert_eq!(counts.get(&Kind::Trap), None, "{counts:?}");
        gains += counts[&Kind::Gain];
    }
    assert!(gains >= 34, "{gains} of 40");
}

/// What is found out, as docs/votes.md has it: a person runs it.
#[tokio::test]
#[ignore = "a table for docs/votes.md"]
async fn traps_by_share_of_proposals() {
    for proposals in [APART, ALIKE, MANY_TRAPS, MOSTLY_TRAPS] {
        println!("{proposals:?}");
        for method in ["ape", "gpo-paper", "gpo"] {
            selections(UNSEEN, method, proposals, 0, None).await;
        }
        selections(UNSEEN, "gpo", proposals, 0, Some(1500)).await;
        selections(UNSEEN, "gpo", proposals, 20, Some(1500)).await;
    }
}
