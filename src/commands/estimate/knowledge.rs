//! What it costs to have knowledge written, and how much longer requests are with it.

use std::borrow::Cow;

use shiftproof_search::augment;
use shiftproof_search::budget::Spend;
use shiftproof_tasks::Data;
use shiftproof_tasks::augment::fill;

use super::cost;
use crate::runs::session::StudySession;
use crate::study::ModelSpec;

/// The part of an answer's room that is used, about: facts are short, and a question asks
/// for a line a factor.
const USED: u32 = 2;
/// As long as a token is, about.
const TOKEN: &str = "text";

/// What all of it costs: about, and at most. Nothing where nobody writes.
pub(super) fn spend(session: &StudySession) -> (Spend, Spend) {
    let (Some(connected), Some(augmentation)) = (
        session.auxiliary_models.writer(),
        &session.built.augmentation,
    ) else {
        return Default::default();
    };
    let model = &connected.model;
    let inputs = session.loaded.data.inputs();
    let calls = augment::calls(augmentation.as_ref(), &model.llm.capabilities(), inputs);
    let (mut about, mut worst) = (Spend::default(), Spend::default());
    for mut call in calls {
        worst += model.worst_case(&call);
        call.sampling.max_tokens = call.sampling.max_tokens.div_ceil(USED);
        about += cost(model, spec(session), &call);
    }
    (about, worst)
}

/// The model that writes, as the study has it.
pub(super) fn spec(session: &StudySession) -> &ModelSpec {
    let study = &session.resolved.study;
    let own = study.augment.as_ref().and_then(|own| own.model.as_ref());
    own.unwrap_or(&study.model)
}

/// The study's data with texts of about the length that will be written.
pub(super) fn typical(session: &StudySession) -> Cow<'_, Data> {
    let data = &session.loaded.data;
    let Some(augmentation) = &session.built.augmentation else {
        return Cow::Borrowed(data);
    };
    let mut data = data.clone();
    for input in data.inputs_mut() {
        let questions = augmentation.questions(input);
        let texts: Vec<String> = questions
            .iter()
            .map(|asked| TOKEN.repeat(asked.max_tokens.div_ceil(USED) as usize))
            .collect();
        let written: Vec<_> = questions
            .iter()
            .zip(texts.iter().map(|text| Some(text.as_str())))
            .collect();
        fill(augmentation.as_ref(), input, &written);
    }
    Cow::Owned(data)
}
