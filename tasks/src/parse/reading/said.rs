//! What sentences say of the answer.

use super::super::labels::LabelMention;
use super::super::predicate::{self, LabelStatement};
use super::super::sentence::{self, Sentence, is_closer, is_decor};
use super::super::{negation, words};
use super::{AnswerEvidence, FoldedReply};

/// What sentences say.
pub(super) struct StatedLabels {
    pub any: AnswerEvidence,
    pub concluding: AnswerEvidence,
    /// What sentences with "overall", "therefore" and the like say.
    pub overall: AnswerEvidence,
    /// What the last of them concludes.
    pub last: AnswerEvidence,
    /// What the text opens with, said of the whole: an answer that is explained
    /// below.
    pub lead: AnswerEvidence,
    /// Whether a sentence denies what it said.
    denied: bool,
}

impl Default for StatedLabels {
    fn default() -> Self {
        Self {
            any: AnswerEvidence::Nothing,
            concluding: AnswerEvidence::Nothing,
            overall: AnswerEvidence::Nothing,
            last: AnswerEvidence::Unclear,
            lead: AnswerEvidence::Nothing,
            denied: false,
        }
    }
}

impl FoldedReply<'_> {
    /// Whether the mention's clause denies it, doubts it or only supposes it.
    pub(super) fn is_denied(&self, mention: &LabelMention, sentence: &Sentence) -> bool {
        let (before, after) = self.clause(mention, sentence);
        negation::denied(before, after)
            || negation::supposes(&self.text()[sentence.start..mention.start])
            || after
                .chars()
                .find(|c| !is_closer(*c) && *c != ' ')
                .is_some_and(|c| c == '?')
    }

    /// What stands before and behind the mention in its clause. A word such as
    /// "but" begins a clause.
    fn clause(&self, mention: &LabelMention, sentence: &Sentence) -> (&str, &str) {
        let text = self.text();
        // "The answer is (B)."
        let opening =
            text[sentence.start..mention.start].trim_end_matches(['(', '[', '"', '*', '\'']);
        let start = sentence::clause_start(text, sentence.start, sentence.start + opening.len());
        let end = sentence::clause_end(text, mention.end, sentence.end);
        let before = &text[start..mention.start];
        let turn = words::words(before)
            .filter(|word| negation::is_adversative(word))
            .map(|word| offset(before, word))
            .rfind(|&at| {
                let after = before[at..]
                    .trim_start_matches(|c: char| c != ' ')
                    .trim_start();
                // "rather than", "instead of", "anything but" deny.
                !after.starts_with("than ")
                    && !after.starts_with("of ")
                    && !before[..at].trim_end().ends_with("anything")
            })
            .map_or(0, |at| at + before[at..].find(' ').unwrap_or(0));
        (&before[turn..], &text[mention.end..end])
    }

    /// What sentences say of anything, and what of the answer itself.
    pub(super) fn predicates(&self, heads: &[usize]) -> StatedLabels {
        let mut all = StatedLabels::default();
        let first = self.sentences.first().map_or(0, |sentence| sentence.start);
        for sentence in self.sentences.iter().filter(|sentence| !sentence.asks) {
            let said = self.predicates_of(sentence, heads);
            if said.denied {
                return StatedLabels {
                    any: AnswerEvidence::Unclear,
                    ..StatedLabels::default()
                };
            }
            all.any = all.any.and(said.any);
            all.concluding = all.concluding.and(said.concluding);
            all.overall = all.overall.and(said.overall);
            // Where several things are said the last may conclude.
            if said.any != AnswerEvidence::Nothing {
                all.last = match said.concluding {
                    AnswerEvidence::Nothing => AnswerEvidence::Unclear,
                    read => read,
                };
            }
            if sentence.start == first && sentence.ended {
                all.lead = said.lead;
            }
        }
        if all.concluding == AnswerEvidence::Unclear {
            all.concluding = all.last;
        }
        all
    }

    pub(super) fn predicates_of(&self, sentence: &Sentence, heads: &[usize]) -> StatedLabels {
        let mut found = StatedLabels::default();
        for (place, mention) in self.mentions.iter().enumerate() {
            if mention.start < sentence.start
                || mention.end > sentence.end
                || heads.contains(&place)
            {
                continue;
            }
            let (before, after) = self.clause(mention, sentence);
            if self.is_denied(mention, sentence) {
                found.denied |= found.any == AnswerEvidence::Label(mention.label);
                continue;
            }
            let before_all = &self.text()[sentence.start..mention.start];
            let said = predicate::said(before_all, before, after);
            let turned = predicate::is_modifier(before) && self.turns(mention, sentence);
            let Some(said) = said.or(turned.then_some(LabelStatement::default())) else {
                continue;
            };
            let end = mention.end + after.len();
            let tail = self.text()[end..sentence.end].trim_start_matches(|c: char| is_decor(c));
            let concedes = predicate::is_conceding(tail) || predicate::is_conceding(after);
            if concedes && !said.concludes && self.mentions.iter().any(|m| m.label != mention.label)
            {
                continue;
            }
            if !self.labels.is_weak(mention.label) || self.stands_out(mention, after) {
                let label = AnswerEvidence::Label(mention.label);
                found.any = found.any.and(label);
                if said.judges && !concedes {
                    found.lead = found.lead.and(label);
                }
                if said.draws {
                    found.overall = found.overall.and(label);
                }
                if said.concludes {
                    found.concluding = found.concluding.and(label);
                }
            }
        }
        found
    }

    /// A weak label is meant where nothing but its reason follows, or where it is
    /// emphasised.
    fn stands_out(&self, mention: &LabelMention, after: &str) -> bool {
        self.is_set_apart(mention, false)
            || after.trim().is_empty()
            || after.starts_with(is_closer)
            || predicate::is_chosen(after)
    }

    /// Whether the mention is the other half of "not positive but negative".
    fn turns(&self, mention: &LabelMention, sentence: &Sentence) -> bool {
        let before = &self.text()[sentence.start..mention.start];
        let turn = words::words(before)
            .rev()
            .find(|word| !predicate::is_modifier(word));
        turn.is_some_and(negation::is_adversative)
            && self.in_sentence(sentence).iter().any(|other| {
                other.end <= mention.start
                    && other.label != mention.label
                    && self.is_denied(other, sentence)
            })
    }

    /// In free text: the one label that is named at all, in the first or the last
    /// sentence, where a clause ends or with emphasis.
    pub(super) fn named(&self, heads: &[usize]) -> AnswerEvidence {
        let first = &self.mentions[0];
        let alone = self
            .mentions
            .iter()
            .all(|mention| mention.label == first.label);
        if !alone || self.labels.is_weak(first.label) {
            return AnswerEvidence::Unclear;
        }
        let mut found = AnswerEvidence::Nothing;
        for (index, sentence) in self.sentences.iter().enumerate() {
            for mention in self.in_sentence(sentence) {
                if sentence.asks || self.is_denied(mention, sentence) {
                    return AnswerEvidence::Unclear;
                }
                let (before, after) = self.clause(mention, sentence);
                let edge = index == 0 || index + 1 == self.sentences.len();
                let short = self.text()[mention.start..mention.end].chars().count() < 2;
                let after_noun = predicate::is_noun(after) && !after.starts_with('-');
                let ends = (after_noun && words::words(before).count() <= 8)
                    || before.ends_with(|c: char| is_closer(c)) && after.starts_with(is_closer);
                if ends && edge && !short && !heads.contains(&0) {
                    found = AnswerEvidence::Label(mention.label);
                }
            }
        }
        found
    }
}

/// Where `part`, a slice of `whole`, begins in it.
fn offset(whole: &str, part: &str) -> usize {
    part.as_ptr() as usize - whole.as_ptr() as usize
}
