//! Prompts of other tasks, shown to say what a good prompt looks like.
//!
//! Told in words alone what a prompt should contain, a small model writes those
//! words down as its prompt; shown one for something else, it writes one for the
//! task. The other tasks are rare ones, so that nobody's own is among them.

use shiftproof_tasks::AnswerForm;

const LABELS: PromptPattern = PromptPattern {
    about: "sorts notes from a bicycle workshop",
    text: "You are shown a note that a customer left at a bicycle workshop. Decide whether it is \
           about brakes, gears or wheels.\n\n\
           - brakes: the bicycle does not stop as it should, or squeals when it does. Worn pads \
           belong here even where a wheel has to come off.\n\
           - gears: the chain slips, jumps or rattles. A lever that is hard to push belongs here.\n\
           - wheels: flat tyres, bent rims, broken spokes.\n\n\
           Go by what the note is mainly about, not by a single word in it. Answer with one label \
           alone: brakes, gears or wheels.",
    situation: "a note that a customer left",
    terms: ["bicycle", "workshop", "brakes", "gears"],
};

const OPTION: PromptPattern = PromptPattern {
    about: "says what a beekeeper should do next",
    text: "You are shown what a beekeeper saw at a hive, and things that may be done next, each \
           under a letter. Choose the one that helps the bees most.\n\n\
           - Find out what the bees lack: food, room, warmth or a queen.\n\
           - Rule out what would chill the brood or spread a disease.\n\
           - Of two that help alike, take the one that disturbs the hive less.\n\n\
           Go by what was seen, not by what is usual. Answer with the letter of one option alone.",
    situation: "and things that may be done next each under a letter",
    terms: ["beekeeper", "hive", "brood", "queen"],
};

const NUMBER: PromptPattern = PromptPattern {
    about: "says how steep a footpath is",
    text: "You are shown what a walker wrote about a footpath. Say how steep the path is, as a \
           number from 1 to 5.\n\n\
           - 1: flat, fit for a pram.\n\
           - 3: it climbs, with level stretches in between.\n\
           - 5: hands are needed, or the walker had to turn back.\n\n\
           Go by the path itself, not by how fit the walker is or what the weather was like. \
           Answer with the number alone.",
    situation: "what a walker wrote",
    terms: ["footpath", "walker", "steep", "pram"],
};

const RANKING: PromptPattern = PromptPattern {
    about: "puts gardens in order for a visitor",
    text: "You are shown gardens that a visitor has been to, the latest last, and gardens that \
           the visitor may go to next. Put the second list in the order in which the visitor will \
           want to see them.\n\n\
           - Find out what the visits have in common: plants, size, age, region.\n\
           - The latest visits say more than the first.\n\
           - Of two gardens that fit alike, the better known comes first.\n\n\
           List all of them, best first, one per line.",
    situation: "that a visitor has been to",
    terms: ["gardens", "visitor", "visits", "plants"],
};

const ITEM: PromptPattern = PromptPattern {
    about: "names the garden that a visitor goes to next",
    text: "You are shown gardens that a visitor has been to, the latest last. Name the garden \
           that the visitor will go to next.\n\n\
           - Find out what the visits have in common: plants, size, age, region.\n\
           - The latest visits say more than the first.\n\n\
           Answer with the name of one garden alone.",
    situation: "that a visitor has been to",
    terms: ["gardens", "visitor", "visits", "plants"],
};

const TEXT: PromptPattern = PromptPattern {
    about: "names birds",
    text: "You are shown what somebody says about a bird. Name the bird.\n\n\
           - Size and voice say more than colours, which depend on the light.\n\
           - Where two birds fit, name the commoner one.\n\n\
           Answer with the name alone.",
    situation: "what somebody says about a bird",
    terms: ["bird", "commoner", "voice", "colours"],
};

/// A prompt of another task.
pub(in crate::propose) struct PromptPattern {
    /// What that task does, as a verb with its object.
    pub about: &'static str,
    /// The prompt.
    pub text: &'static str,
    /// Words of its text that say where the inputs come from: a small model keeps them
    /// when it puts other nouns into the pattern, and its prompt is for no task at all.
    pub situation: &'static str,
    /// Words of that task: a prompt for another one has hardly two of them.
    pub terms: [&'static str; 4],
}

/// A prompt that asks for this form of answer.
pub(in crate::propose) fn pattern(form: Option<&AnswerForm>) -> &'static PromptPattern {
    match form {
        Some(AnswerForm::Choice { .. }) => &LABELS,
        Some(AnswerForm::MultipleChoice { .. }) => &OPTION,
        Some(AnswerForm::Number { .. }) => &NUMBER,
        Some(AnswerForm::Ranking { .. }) => &RANKING,
        Some(AnswerForm::Likelihood { .. } | AnswerForm::Nearest { .. }) => &ITEM,
        Some(AnswerForm::Json { .. } | AnswerForm::Text { .. }) | None => &TEXT,
    }
}
