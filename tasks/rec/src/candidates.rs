//! The items to be ranked: the target among others, which the user has not met
//! unless the study asks for it.

use std::collections::{BTreeMap, BTreeSet};

use shiftproof_tasks::diagnostic::DataProblem;

use super::leave_one_out::{TargetEvent, history, only_shown};
use super::list_builder::Lists;
use super::seeded::NumberStream;
use super::{Interactions, ItemCatalogue, NegativeSampling, RecSpec, RepeatPolicy};

/// One example's list, in the order it is shown.
pub(super) struct CandidateList {
    /// Items, no title twice; empty where the whole catalogue is to be ranked.
    pub items: Vec<u32>,
    /// The items that are right.
    pub relevant: Vec<u32>,
}

pub(super) struct CandidateSampler<'d> {
    spec: &'d RecSpec,
    data: &'d Interactions,
    catalogue: &'d ItemCatalogue,
    lists: BTreeMap<&'d str, Vec<u32>>,
    /// Training events of all items up to and with each.
    cumulated: Vec<u64>,
}

impl<'d> CandidateSampler<'d> {
    pub fn new(
        spec: &'d RecSpec,
        data: &'d Interactions,
        catalogue: &'d ItemCatalogue,
        lists: &'d Lists,
    ) -> Self {
        let at: BTreeMap<&str, u32> = (data.items.iter().map(|item| item.id.as_str()))
            .zip(0..)
            .collect();
        let place = |ids: &Vec<String>| -> Vec<u32> {
            let found = ids.iter().filter_map(|id| at.get(id.as_str()).copied());
            found.collect()
        };
        let mut sum = 0;
        let cumulated = (0..data.items.len() as u32)
            .map(|item| {
                sum += u64::from(catalogue.popularity(item));
                sum
            })
            .collect();
        Self {
            spec,
            data,
            catalogue,
            lists: lists
                .iter()
                .map(|(user, ids)| (user.as_str(), place(ids)))
                .collect(),
            cumulated,
        }
    }

    /// The candidates of one target.
    pub fn list(&self, aim: &TargetEvent, id: &str) -> Result<CandidateList, DataProblem> {
        let sampling = self.spec.candidates.sampling;
        let mut chosen = ChosenItems::new(self.data, aim.item);
        let mut relevant = vec![aim.item];
        if sampling == NegativeSampling::Catalogue {
            return Ok(CandidateList {
                items: Vec::new(),
                relevant,
            });
        }
        let mut stream = NumberStream::new(self.spec.seed, "candidates", id);
        let user = self.data.of(aim.user);
        let met: BTreeSet<u32> = user.iter().map(|event| event.item).collect();
        let count = self.spec.candidates.count;
        if self.spec.repeats == RepeatPolicy::Keep
            && matches!(
                sampling,
                NegativeSampling::Uniform | NegativeSampling::Popularity
            )
        {
            self.met_before(aim, &mut chosen, 1 + (count - 1) / 2, &mut stream);
        }
        match sampling {
            NegativeSampling::Uniform => {
                self.fill(&mut chosen, count, &met, &mut stream, |stream| {
                    stream.below(self.data.items.len() as u64) as u32
                });
            }
            NegativeSampling::Popularity if self.cumulated.last().is_some_and(|sum| *sum > 0) => {
                let sum = self.cumulated.last().copied().unwrap_or(1);
                self.fill(&mut chosen, count, &met, &mut stream, |stream| {
                    let at = stream.below(sum);
                    self.cumulated.partition_point(|below| *below <= at) as u32
                });
            }
            NegativeSampling::File => {
                let name = &self.data.users[aim.user as usize].id;
                let listed = self.lists.get(name.as_str());
                for item in listed.into_iter().flatten() {
                    if chosen.items.len() < count {
                        chosen.take(*item);
                    }
                }
            }
            NegativeSampling::Logged => {
                let moment: Vec<_> = user.iter().filter(|event| event.time == aim.time).collect();
                for event in moment.iter().filter(|event| !only_shown(event)) {
                    if chosen.take(event.item) {
                        relevant.push(event.item);
                    }
                }
                let mut shown: Vec<u32> = moment
                    .iter()
                    .filter(|event| only_shown(event))
                    .map(|event| event.item)
                    .collect();
                stream.shuffle(&mut shown);
                for item in shown {
                    if chosen.items.len() < count {
                        chosen.take(item);
                    }
                }
            }
            NegativeSampling::Popularity | NegativeSampling::Catalogue => {}
        }
        if chosen.items.len() < 2 {
            return Err(DataProblem::new(
                "data.interactions.candidates",
                format!("the example {id:?} has one candidate only"),
            )
            .help("take another sampling, or a larger catalogue"));
        }
        stream.shuffle(&mut chosen.items);
        Ok(CandidateList {
            items: chosen.items,
            relevant,
        })
    }

    /// Takes items that the user met before, so that being one of them says
    /// nothing of a candidate.
    fn met_before(
        &self,
        aim: &TargetEvent,
        chosen: &mut ChosenItems<'_>,
        count: usize,
        stream: &mut NumberStream,
    ) {
        let before: BTreeSet<u32> = history(self.spec, self.data, aim)
            .into_iter()
            .map(|event| event.item)
            .collect();
        let mut before: Vec<u32> = before.into_iter().collect();
        stream.shuffle(&mut before);
        for item in before {
            if chosen.items.len() < count {
                chosen.take(item);
            }
        }
    }

    /// Draws until there are enough; where most items are known, the rest is
    /// taken from all that is left in an even order.
    fn fill(
        &self,
        chosen: &mut ChosenItems<'_>,
        count: usize,
        met: &BTreeSet<u32>,
        stream: &mut NumberStream,
        draw: impl Fn(&mut NumberStream) -> u32,
    ) {
        for _ in 0..count.saturating_mul(50) {
            if chosen.items.len() >= count {
                return;
            }
            let item = draw(stream);
            if !met.contains(&item) {
                chosen.take(item);
            }
        }
        let mut left: Vec<u32> = (0..self.catalogue.len() as u32)
            .filter(|item| !met.contains(item))
            .collect();
        stream.shuffle(&mut left);
        for item in left {
            if chosen.items.len() >= count {
                return;
            }
            chosen.take(item);
        }
    }
}

/// Items so far, no title twice.
struct ChosenItems<'d> {
    data: &'d Interactions,
    items: Vec<u32>,
    titles: BTreeSet<&'d str>,
}

impl<'d> ChosenItems<'d> {
    fn new(data: &'d Interactions, first: u32) -> Self {
        let mut chosen = Self {
            data,
            items: Vec::new(),
            titles: BTreeSet::new(),
        };
        chosen.take(first);
        chosen
    }

    /// Takes an item in unless its title is there; says whether it did.
    fn take(&mut self, item: u32) -> bool {
        let new = self.titles.insert(&self.data.items[item as usize].title);
        if new {
            self.items.push(item);
        }
        new
    }
}
