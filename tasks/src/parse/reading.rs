//! What a text concludes about a closed set.

mod lead;
mod said;

use lead::opens;

use super::fold::FoldedText;
use super::labels::{LabelMention, LabelSet};
use super::marker::{self, AnswerHeading, HeadingWeight};
use super::sentence::{self, Sentence, is_decor};
use super::verdict::{self, HeadedVerdicts};
use super::words;

/// What some text says of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AnswerEvidence {
    /// No label at all.
    Nothing,
    /// This one.
    Label(usize),
    /// Labels, but no answer.
    Unclear,
}

impl AnswerEvidence {
    /// Both: two different labels are no answer.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nothing, read) | (read, Self::Nothing) => read,
            (Self::Label(a), Self::Label(b)) if a == b => self,
            _ => Self::Unclear,
        }
    }
}

/// A folded reply with its sentences and the labels that stand in it.
pub(super) struct FoldedReply<'l> {
    labels: &'l LabelSet,
    folded: FoldedText,
    mentions: Vec<LabelMention>,
    sentences: Vec<Sentence>,
}

impl<'l> FoldedReply<'l> {
    pub fn new(labels: &'l LabelSet, text: &str) -> Self {
        let mut folded = labels.fold(text);
        folded.forget_quotes();
        let mentions = labels.mentions(&folded);
        let sentences = if mentions.is_empty() {
            Vec::new()
        } else {
            sentence::sentences(&folded.text)
        };
        let mut reading = Self {
            labels,
            folded,
            mentions,
            sentences,
        };
        reading.forget_further_examples();
        reading
    }

    fn text(&self) -> &str {
        &self.folded.text
    }

    /// Base models go on with examples of their own after the answer: "negative\n
    /// \nReview: …". What follows is about those.
    fn forget_further_examples(&mut self) {
        const HEADS: [&str; 14] = [
            "review:",
            "input:",
            "text:",
            "question:",
            "q:",
            "user:",
            "human:",
            "sentence:",
            "tweet:",
            "premise:",
            "message:",
            "example:",
            "instruction:",
            "comment:",
        ];
        let Some(first) = self.mentions.first() else {
            return;
        };
        let begins = |sentence: &&Sentence| {
            let said = self.text()[sentence.start..]
                .trim_start_matches(|c: char| is_decor(c) && c != '\n');
            sentence.line
                && sentence.start > first.end
                && HEADS.iter().any(|head| said.starts_with(head))
        };
        let Some(end) = self.sentences.iter().find(begins).map(|s| s.start) else {
            return;
        };
        self.mentions.retain(|mention| mention.start < end);
        self.sentences.retain(|sentence| sentence.start < end);
    }

    fn in_sentence(&self, sentence: &Sentence) -> &[LabelMention] {
        let from = self.mentions.partition_point(|m| m.start < sentence.start);
        let to = self.mentions.partition_point(|m| m.start < sentence.end);
        &self.mentions[from..to]
    }

    /// The label that the whole text is, decoration aside.
    pub fn whole(&self) -> Option<usize> {
        let sentence = Sentence {
            start: 0,
            end: self.text().len(),
            asks: false,
            line: true,
            ended: true,
        };
        self.is_label(&sentence)
    }

    /// The label that the sentence is, decoration aside.
    fn is_label(&self, sentence: &Sentence) -> Option<usize> {
        let mentions = self.in_sentence(sentence);
        let (first, last) = (mentions.first()?, mentions.last()?);
        if sentence.asks || mentions.iter().any(|m| m.label != first.label) || mentions.len() > 2 {
            return None;
        }
        let before = sentence::without_number(&self.text()[sentence.start..first.start]);
        let after = words::without_ending(&self.text()[last.end..sentence.end]);
        let between = &self.text()[first.end..last.start.max(first.end)];
        (opens(before) && after.chars().all(is_decor) && between.chars().all(is_decor))
            .then_some(first.label)
    }

    /// What the reply says.
    pub fn conclude(&self, cut_off: bool) -> AnswerEvidence {
        if self.mentions.is_empty() {
            return AnswerEvidence::Nothing;
        }
        let (heads, verdicts) = verdict::read(self.text(), &self.mentions, self.labels.names.len());
        let mut conclusion = match self.stated(&heads, &verdicts, cut_off) {
            (read, true) => return read,
            (read, false) => read,
        };
        let said = self.predicates(&heads);
        if cut_off {
            return conclusion.and(said.lead);
        }
        if conclusion == AnswerEvidence::Nothing {
            conclusion = said.concluding;
        } else if matches!(said.overall, AnswerEvidence::Label(_)) {
            return conclusion.and(said.overall);
        }
        match conclusion {
            AnswerEvidence::Nothing => {}
            other => return other,
        }
        match said.any {
            AnswerEvidence::Nothing => {}
            AnswerEvidence::Unclear if said.last == AnswerEvidence::Unclear => return said.lead,
            AnswerEvidence::Unclear => return said.last,
            AnswerEvidence::Label(_) => return said.any,
        }
        if !matches!(verdicts, HeadedVerdicts::None | HeadedVerdicts::Single(_)) {
            return AnswerEvidence::Unclear;
        }
        self.named(&heads)
    }

    /// What stands by itself: the label that leads, sentences that are a label,
    /// what follows a heading. `true` if nothing weaker may be asked.
    fn stated(
        &self,
        heads: &[usize],
        verdicts: &HeadedVerdicts,
        cut_off: bool,
    ) -> (AnswerEvidence, bool) {
        let mut stated = self
            .leading(heads, verdicts, cut_off)
            .map_or(AnswerEvidence::Nothing, AnswerEvidence::Label);
        let mut marked = HeadedLabels::default();
        for sentence in &self.sentences {
            if cut_off && !sentence.ended {
                continue;
            }
            if let Some(marker) = marker::of(self.text(), sentence.start, sentence.end) {
                if !self.heads(heads, &marker) {
                    marked.add(marker.weight, self.value(&marker, sentence, cut_off));
                    marked.blocked |= marker.weight > HeadingWeight::Any
                        && self.is_other_value(&marker, sentence);
                }
            } else if let Some(label) = self.is_label(sentence) {
                stated = stated.and(AnswerEvidence::Label(label));
            }
        }
        if marked.finals != AnswerEvidence::Nothing {
            return (stated.and(marked.finals), true);
        }
        let by_label = match verdicts {
            HeadedVerdicts::One(label) => AnswerEvidence::Label(*label),
            HeadedVerdicts::Unclear => AnswerEvidence::Unclear,
            _ => AnswerEvidence::Nothing,
        };
        match stated.and(by_label).and(marked.answers) {
            AnswerEvidence::Nothing if matches!(marked.any, AnswerEvidence::Label(_)) => {
                (marked.any, marked.blocked)
            }
            AnswerEvidence::Nothing => (AnswerEvidence::Nothing, marked.blocked),
            read => (read, read == AnswerEvidence::Unclear),
        }
    }

    /// Whether a word or three that are no label stand where the answer should:
    /// "Answer: mixed".
    fn is_other_value(&self, marker: &AnswerHeading, sentence: &Sentence) -> bool {
        let value = &self.text()[marker.value..sentence.end];
        let count = words::words(value).count();
        let number = value
            .trim_start_matches(is_decor)
            .starts_with(|c: char| c.is_ascii_digit());
        (1..=3).contains(&count)
            && !number
            && !self
                .mentions
                .iter()
                .any(|m| m.start >= marker.value && m.end <= sentence.end)
    }

    /// Whether the marker's heading is one of the labels that head something.
    fn heads(&self, heads: &[usize], marker: &AnswerHeading) -> bool {
        heads.iter().any(|&place| {
            let mention = &self.mentions[place];
            mention.start >= marker.start && mention.start < marker.value
        })
    }

    /// What stands behind a marker, on its line or the next one that is not blank.
    fn value(&self, marker: &AnswerHeading, sentence: &Sentence, cut_off: bool) -> AnswerEvidence {
        let blank = self.text()[marker.value..sentence.end]
            .chars()
            .all(is_decor);
        let sentence = if blank && self.text()[sentence.end..].starts_with('\n') {
            let Some(next) = self.sentences.iter().find(|s| s.start >= sentence.end) else {
                return AnswerEvidence::Nothing;
            };
            *next
        } else {
            Sentence {
                start: marker.value,
                ..*sentence
            }
        };
        let mentions = self.in_sentence(&sentence);
        let Some(first) = mentions.first() else {
            return AnswerEvidence::Nothing;
        };
        if sentence.asks {
            // "Answer: positive? Let me see."
            return AnswerEvidence::Nothing;
        }
        if let Some(label) = self.is_label(&sentence) {
            return AnswerEvidence::Label(label);
        }
        if marker.weight == HeadingWeight::Any {
            return AnswerEvidence::Nothing;
        }
        let before = &self.text()[sentence.start..first.start];
        if opens(before) && self.is_set_apart(first, cut_off) && !self.is_listed(mentions) {
            return AnswerEvidence::Label(first.label);
        }
        let said = self.predicates_of(&sentence, &[]);
        match said.any {
            AnswerEvidence::Nothing if self.is_only(&sentence) => {
                AnswerEvidence::Label(first.label)
            }
            AnswerEvidence::Nothing => AnswerEvidence::Unclear,
            read => read,
        }
    }

    /// Whether the sentence names one label and denies nothing.
    fn is_only(&self, sentence: &Sentence) -> bool {
        let mentions = self.in_sentence(sentence);
        let Some(first) = mentions.first() else {
            return false;
        };
        mentions
            .iter()
            .all(|m| m.label == first.label && !self.is_denied(m, sentence))
            && !self.labels.is_weak(first.label)
            && words::words(&self.text()[sentence.start..sentence.end]).count() <= 6
    }
}

/// What headings head, by their weight.
struct HeadedLabels {
    answers: AnswerEvidence,
    finals: AnswerEvidence,
    any: AnswerEvidence,
    /// Whether an answer is given that is no label.
    blocked: bool,
}

impl Default for HeadedLabels {
    fn default() -> Self {
        Self {
            answers: AnswerEvidence::Nothing,
            finals: AnswerEvidence::Nothing,
            any: AnswerEvidence::Nothing,
            blocked: false,
        }
    }
}

impl HeadedLabels {
    fn add(&mut self, weight: HeadingWeight, read: AnswerEvidence) {
        match weight {
            HeadingWeight::Any if !matches!(read, AnswerEvidence::Label(_)) => {}
            HeadingWeight::Any => self.any = self.any.and(read),
            HeadingWeight::Answer => self.answers = self.answers.and(read),
            HeadingWeight::Final => self.finals = self.finals.and(read),
        }
    }
}
