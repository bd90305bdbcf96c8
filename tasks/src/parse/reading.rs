//! What a text concludes about a closed set.

mod lead;
mod said;

use lead::opens;

use super::fold::Folded;
use super::labels::{Labels, Mention};
use super::marker::{self, Marker, Weight};
use super::sentence::{self, Sentence, is_decor};
use super::verdict::{self, Verdicts};
use super::words;

/// What some text says of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// No label at all.
    Nothing,
    /// This one.
    Label(usize),
    /// Labels, but no answer.
    Unclear,
}

impl Read {
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
pub(super) struct Reading<'l> {
    labels: &'l Labels,
    folded: Folded,
    mentions: Vec<Mention>,
    sentences: Vec<Sentence>,
}

impl<'l> Reading<'l> {
    pub fn new(labels: &'l Labels, text: &str) -> Self {
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

    fn in_sentence(&self, sentence: &Sentence) -> &[Mention] {
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
    pub fn conclude(&self, cut_off: bool) -> Read {
        if self.mentions.is_empty() {
            return Read::Nothing;
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
        if conclusion == Read::Nothing {
            conclusion = said.concluding;
        } else if matches!(said.overall, Read::Label(_)) {
            return conclusion.and(said.overall);
        }
        match conclusion {
            Read::Nothing => {}
            other => return other,
        }
        match said.any {
            Read::Nothing => {}
            Read::Unclear if said.last == Read::Unclear => return said.lead,
            Read::Unclear => return said.last,
            Read::Label(_) => return said.any,
        }
        if !matches!(verdicts, Verdicts::None | Verdicts::Single(_)) {
            return Read::Unclear;
        }
        self.named(&heads)
    }

    /// What stands by itself: the label that leads, sentences that are a label,
    /// what follows a heading. `true` if nothing weaker may be asked.
    fn stated(&self, heads: &[usize], verdicts: &Verdicts, cut_off: bool) -> (Read, bool) {
        let mut stated = self
            .leading(heads, verdicts, cut_off)
            .map_or(Read::Nothing, Read::Label);
        let mut marked = Marked::default();
        for sentence in &self.sentences {
            if cut_off && !sentence.ended {
                continue;
            }
            if let Some(marker) = marker::of(self.text(), sentence.start, sentence.end) {
                if !self.heads(heads, &marker) {
                    marked.add(marker.weight, self.value(&marker, sentence, cut_off));
                    marked.blocked |=
                        marker.weight > Weight::Any && self.is_other_value(&marker, sentence);
                }
            } else if let Some(label) = self.is_label(sentence) {
                stated = stated.and(Read::Label(label));
            }
        }
        if marked.finals != Read::Nothing {
            return (stated.and(marked.finals), true);
        }
        let by_label = match verdicts {
            Verdicts::One(label) => Read::Label(*label),
            Verdicts::Unclear => Read::Unclear,
            _ => Read::Nothing,
        };
        match stated.and(by_label).and(marked.answers) {
            Read::Nothing if matches!(marked.any, Read::Label(_)) => (marked.any, marked.blocked),
            Read::Nothing => (Read::Nothing, marked.blocked),
            read => (read, read == Read::Unclear),
        }
    }

    /// Whether a word or three that are no label stand where the answer should:
    /// "Answer: mixed".
    fn is_other_value(&self, marker: &Marker, sentence: &Sentence) -> bool {
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
    fn heads(&self, heads: &[usize], marker: &Marker) -> bool {
        heads.iter().any(|&place| {
            let mention = &self.mentions[place];
            mention.start >= marker.start && mention.start < marker.value
        })
    }

    /// What stands behind a marker, on its line or the next one that is not blank.
    fn value(&self, marker: &Marker, sentence: &Sentence, cut_off: bool) -> Read {
        let blank = self.text()[marker.value..sentence.end]
            .chars()
            .all(is_decor);
        let sentence = if blank && self.text()[sentence.end..].starts_with('\n') {
            let Some(next) = self.sentences.iter().find(|s| s.start >= sentence.end) else {
                return Read::Nothing;
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
            return Read::Nothing;
        };
        if sentence.asks {
            // "Answer: positive? Let me see."
            return Read::Nothing;
        }
        if let Some(label) = self.is_label(&sentence) {
            return Read::Label(label);
        }
        if marker.weight == Weight::Any {
            return Read::Nothing;
        }
        let before = &self.text()[sentence.start..first.start];
        if opens(before) && self.is_set_apart(first, cut_off) && !self.is_listed(mentions) {
            return Read::Label(first.label);
        }
        let said = self.predicates_of(&sentence, &[]);
        match said.any {
            Read::Nothing if self.is_only(&sentence) => Read::Label(first.label),
            Read::Nothing => Read::Unclear,
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
struct Marked {
    answers: Read,
    finals: Read,
    any: Read,
    /// Whether an answer is given that is no label.
    blocked: bool,
}

impl Default for Marked {
    fn default() -> Self {
        Self {
            answers: Read::Nothing,
            finals: Read::Nothing,
            any: Read::Nothing,
            blocked: false,
        }
    }
}

impl Marked {
    fn add(&mut self, weight: Weight, read: Read) {
        match weight {
            Weight::Any if !matches!(read, Read::Label(_)) => {}
            Weight::Any => self.any = self.any.and(read),
            Weight::Answer => self.answers = self.answers.and(read),
            Weight::Final => self.finals = self.finals.and(read),
        }
    }
}
