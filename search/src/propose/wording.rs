//! Sentences that requests for prompts are made of, by proposer. They say nothing
//! about any task: a reply that repeats them is no prompt.

use super::meta;

/// All of them.
pub(super) fn own_words() -> Vec<&'static str> {
    [
        meta::OWN_WORDS.as_slice(),
        &meta::REFLECTIVE_WORDS,
        &trajectory::OWN_WORDS,
        &genetic::OWN_WORDS,
        &differential::OWN_WORDS,
        &recombine::OWN_WORDS,
        &grounded::OWN_WORDS,
    ]
    .concat()
}

/// Of OPRO.
pub(super) mod trajectory {
    pub(in crate::propose) const TRIED: &str = "Below are prompts that have been tried on one task, each with its score from \
                         0 (no output was right) to 100 (every output was right). The lowest score \
                         comes first.";
    pub(in crate::propose) const BETTER: &str = "Write one new prompt for this task that differs from all the tried ones and \
                          will score higher than the best of them.";
    pub(in crate::propose) const OWN_WORDS: [&str; 2] = [TRIED, BETTER];
}

/// Of `EvoPrompt`'s genetic algorithm.
pub(super) mod genetic {
    pub(in crate::propose) const STEPS: &str =
        "Make a new prompt out of two prompts for one task, in two steps.";
    pub(in crate::propose) const CROSS: &str = "1. Cross the two: take what is best in prompt 1 and what is best in \
                         prompt 2, and join it to one prompt.";
    pub(in crate::propose) const MUTATE: &str = "2. Mutate the outcome of step 1: change some of its wording, its order or \
                          its rules so that it may work better still.";
    pub(in crate::propose) const FINAL: &str =
        "Do step 1 for yourself, and send the outcome of step 2.";
    pub(in crate::propose) const OWN_WORDS: [&str; 4] = [STEPS, CROSS, MUTATE, FINAL];
}

/// Of `EvoPrompt`'s differential evolution.
pub(super) mod differential {
    pub(in crate::propose) const STEPS: &str =
        "Make a new prompt out of four prompts for one task, in four steps.";
    pub(in crate::propose) const DIFFER: &str =
        "1. Find the parts in which prompt A and prompt B differ.";
    pub(in crate::propose) const MUTATE: &str =
        "2. Mutate those parts: say or do something else in their place.";
    pub(in crate::propose) const COMBINE: &str = "3. Put the mutated parts into the best prompt, in place of the parts of it \
                           that they fit.";
    pub(in crate::propose) const CROSS: &str = "4. Cross the outcome of step 3 with the base prompt: take from each what is \
                         better.";
    pub(in crate::propose) const FINAL: &str =
        "Do steps 1 to 3 for yourself, and send the outcome of step 4.";
    pub(in crate::propose) const OWN_WORDS: [&str; 6] =
        [STEPS, DIFFER, MUTATE, COMBINE, CROSS, FINAL];
}

/// Of CAPO.
pub(super) mod recombine {
    pub(in crate::propose) const MERGE: &str = "Merge prompt 1 and prompt 2 into a single coherent prompt that keeps what is \
                         characteristic of either.";
    pub(in crate::propose) const VARY: &str = "Say this prompt anew: its core meaning stays, its style and structure become \
                        quite different ones.";
    pub(in crate::propose) const OWN_WORDS: [&str; 2] = [MERGE, VARY];
}

/// Of MIPRO.
pub(super) mod grounded {
    pub(in crate::propose) const SUMMARIZE: &str = "Describe these data in two or three sentences: what the inputs are about \
                             and how they are written, what decides the output, and what is easily \
                             got wrong. Quote none of them.";
    pub(in crate::propose) const SUMMARY: &str =
        "Somebody who has seen more of the data describes them so:";
    pub(in crate::propose) const IN_USE: &str = "The prompt in use for this task today:";
    pub(in crate::propose) const PROPOSE: &str = "Propose a prompt with which a language model will do this task well on all \
                           inputs of the kind.";
    pub(in crate::propose) const OWN_WORDS: [&str; 4] = [SUMMARIZE, SUMMARY, IN_USE, PROPOSE];
}
