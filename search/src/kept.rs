//! What came of calls, as it is kept for as long as a run lasts.
//!
//! Millions of replies are short texts that say the same few things. Each of those takes
//! 48 bytes here and shares its text; nothing of a reply is lost.

use std::collections::HashSet;
use std::sync::Arc;

use shiftproof_tasks::{Finish, Reply, Usage};

use crate::gateway::CallOutcome;

/// Longer texts are hardly ever alike.
const SHARED: usize = 128;

/// Texts that several replies say.
#[derive(Debug, Default)]
pub(crate) struct SharedTexts(HashSet<Arc<str>>);

impl SharedTexts {
    fn share(&mut self, text: &str) -> Arc<str> {
        if text.len() > SHARED {
            return text.into();
        }
        if let Some(known) = self.0.get(text) {
            return known.clone();
        }
        let shared: Arc<str> = text.into();
        self.0.insert(shared.clone());
        shared
    }
}

/// A [`CallOutcome`] in little room.
#[derive(Debug)]
pub(crate) enum KeptOutcome {
    Plain(PlainReply),
    /// With what few have: candidates' scores, distances, a grade, a share in a cache.
    Other(Box<CallOutcome>),
}

/// A reply of text or label scores.
#[derive(Debug)]
pub(crate) struct PlainReply {
    text: Arc<str>,
    label_logprobs: Option<Box<[f64]>>,
    prompt_tokens: u32,
    completion_tokens: u32,
    finish: Finish,
    batched: bool,
    estimated: bool,
}

impl PlainReply {
    /// `None` where a reply has more than this holds.
    fn of(reply: &Reply, texts: &mut SharedTexts) -> Option<Self> {
        let usage = Usage {
            cached_prompt_tokens: 0,
            cache_write_tokens: 0,
            ..reply.usage
        };
        let is_plain = reply.candidate_scores.is_none()
            && reply.distances.is_none()
            && reply.grade.is_none()
            && reply.grade_reason.is_none()
            && usage == reply.usage;
        if !is_plain {
            return None;
        }
        Some(Self {
            prompt_tokens: usage.prompt_tokens.try_into().ok()?,
            completion_tokens: usage.completion_tokens.try_into().ok()?,
            text: texts.share(&reply.text),
            label_logprobs: reply.label_logprobs.as_deref().map(Into::into),
            finish: reply.finish,
            batched: usage.batched,
            estimated: usage.estimated,
        })
    }

    fn whole(&self) -> Reply {
        Reply {
            label_logprobs: self.label_logprobs.as_deref().map(<[f64]>::to_vec),
            finish: self.finish,
            usage: Usage {
                prompt_tokens: self.prompt_tokens.into(),
                completion_tokens: self.completion_tokens.into(),
                batched: self.batched,
                estimated: self.estimated,
                ..Usage::default()
            },
            ..Reply::text(&*self.text)
        }
    }
}

impl KeptOutcome {
    pub fn new(outcome: CallOutcome, texts: &mut SharedTexts) -> Self {
        let plain = match &outcome {
            CallOutcome::Reply(reply) => PlainReply::of(reply, texts),
            CallOutcome::Refused(_) | CallOutcome::Unaffordable => None,
        };
        plain.map_or_else(|| Self::Other(Box::new(outcome)), Self::Plain)
    }

    /// What came of the call.
    pub fn whole(&self) -> CallOutcome {
        match self {
            Self::Plain(reply) => CallOutcome::Reply(reply.whole()),
            Self::Other(outcome) => (**outcome).clone(),
        }
    }

    /// The reply, where there is one.
    pub fn reply(&self) -> Option<Reply> {
        match self.whole() {
            CallOutcome::Reply(reply) => Some(reply),
            CallOutcome::Refused(_) | CallOutcome::Unaffordable => None,
        }
    }

    /// The scores of labels in a reply.
    pub fn label_logprobs(&self) -> Option<&[f64]> {
        match self {
            Self::Plain(reply) => reply.label_logprobs.as_deref(),
            Self::Other(outcome) => match &**outcome {
                CallOutcome::Reply(reply) => reply.label_logprobs.as_deref(),
                CallOutcome::Refused(_) | CallOutcome::Unaffordable => None,
            },
        }
    }

    /// What was said; of a refusal the reason.
    pub fn said(&self) -> Option<Arc<str>> {
        match self {
            Self::Plain(reply) => Some(reply.text.clone()),
            Self::Other(outcome) => match &**outcome {
                CallOutcome::Reply(reply) => Some(reply.text.as_str().into()),
                CallOutcome::Refused(reason) => Some(reason.as_str().into()),
                CallOutcome::Unaffordable => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shiftproof_tasks::{CandidateScore, Grade};

    use super::*;

    fn kept(outcome: &CallOutcome) -> KeptOutcome {
        KeptOutcome::new(outcome.clone(), &mut SharedTexts::default())
    }

    prop_compose! {
        fn replies()(
            text in ".{0,200}",
            labels in proptest::option::of(proptest::collection::vec(-9.0_f64..0.0, 0..4)),
            scores in proptest::option::of(Just(vec![CandidateScore {
                logprob: -1.0,
                tokens: 2,
                prior: None,
            }])),
            distances in proptest::option::of(Just(vec![0.5_f32])),
            grade in proptest::option::of(Just(Grade::Score(0.5))),
            (prompt, completion) in (0..2 * u64::from(u32::MAX), 0..300_u64),
            (cached, written) in (0..2_u64, 0..2_u64),
            (batched, estimated, cut) in any::<(bool, bool, bool)>(),
        ) -> Reply {
            Reply {
                label_logprobs: labels,
                candidate_scores: scores,
                distances,
                finish: if cut { Finish::Length } else { Finish::Stop },
                usage: Usage {
                    prompt_tokens: prompt,
                    completion_tokens: completion,
                    cached_prompt_tokens: cached,
                    cache_write_tokens: written,
                    batched,
                    estimated,
                },
                grade,
                ..Reply::text(text)
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_of_a_reply_is_lost(reply in replies()) {
            let outcome = CallOutcome::Reply(reply.clone());
            let kept = kept(&outcome);
            prop_assert_eq!(kept.whole(), outcome);
            prop_assert_eq!(kept.label_logprobs(), reply.label_logprobs.as_deref());
            let said = kept.said().unwrap();
            prop_assert_eq!(&*said, reply.text.as_str());
            prop_assert_eq!(kept.reply(), Some(reply));
        }
    }

    #[test]
    fn refusals_are_kept() {
        let refused = CallOutcome::Refused("too long".into());
        let kept = kept(&refused);
        assert_eq!(kept.whole(), refused);
        assert_eq!(kept.said().as_deref(), Some("too long"));
        assert_eq!((kept.reply(), kept.label_logprobs()), (None, None));
    }

    /// What a million evaluations rest on.
    #[test]
    fn replies_are_small_and_share_their_text() {
        assert_eq!(size_of::<KeptOutcome>(), 48);
        let mut texts = SharedTexts::default();
        let mut said = |text: &str| {
            let reply = CallOutcome::Reply(Reply::text(text));
            KeptOutcome::new(reply, &mut texts).said().unwrap()
        };
        assert!(Arc::ptr_eq(&said("positive"), &said("positive")));
        assert!(!Arc::ptr_eq(&said("positive"), &said("negative")));
        let long = "long ".repeat(100);
        assert!(!Arc::ptr_eq(&said(&long), &said(&long)));
        assert_eq!(texts.0.len(), 2);
    }
}
