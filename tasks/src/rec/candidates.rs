//! The items to be ranked: the target among others, which the user has not met
//! unless the study asks for it.

use std::collections::{BTreeMap, BTreeSet};

use super::build::Lists;
use super::seeded::Stream;
use super::targets::{Aim, history, only_shown};
use super::{Catalogue, Interactions, RecSpec, Repeats, Sampling};
use crate::problem::Problem;

/// One example's list, in the order it is shown.
pub(super) struct List {
    /// Items, no title twice; empty where the whole catalogue is to be ranked.
    pub items: Vec<u32>,
    /// The items that are right.
    pub relevant: Vec<u32>,
}

pub(super) struct Sampler<'d> {
    spec: &'d RecSpec,
    data: &'d Interactions,
    catalogue: &'d Catalogue,
    lists: BTreeMap<&'d str, Vec<u32>>,
    /// Training events of all items up to and with each.
    cumulated: Vec<u64>,
}

impl<'d> Sampler<'d> {
    pub fn new(
        spec: &'d RecSpec,
        data: &'d Interactions,
        catalogue: &'d Catalogue,
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
    pub fn list(&self, aim: &Aim, id: &str) -> Result<List, Problem> {
        let sampling = self.spec.candidates.sampling;
        let mut chosen = Chosen::new(self.data, aim.item);
        let mut relevant = vec![aim.item];
        if sampling == Sampling::Catalogue {
            return Ok(List {
                items: Vec::new(),
                relevant,
            });
        }
        let mut stream = Stream::new(self.spec.seed, "candidates", id);
        let user = self.data.of(aim.user);
        let met: BTreeSet<u32> = user.iter().map(|event| event.item).collect();
        let count = self.spec.candidates.count;
        if self.spec.repeats == Repeats::Keep
            && matches!(sampling, Sampling::Uniform | Sampling::Popularity)
        {
            self.met_before(aim, &mut chosen, 1 + (count - 1) / 2, &mut stream);
        }
        match sampling {
            Sampling::Uniform => self.fill(&mut chosen, count, &met, &mut stream, |stream| {
                stream.below(self.data.items.len() as u64) as u32
            }),
            Sampling::Popularity if self.cumulated.last().is_some_and(|sum| *sum > 0) => {
                let sum = self.cumulated.last().copied().unwrap_or(1);
                self.fill(&mut chosen, count, &met, &mut stream, |stream| {
                    let at = stream.below(sum);
                    self.cumulated.partition_point(|below| *below <= at) as u32
                });
            }
            Sampling::File => {
                let name = &self.data.users[aim.user as usize].id;
                let listed = self.lists.get(name.as_str());
                for item in listed.into_iter().flatten() {
                    if chosen.items.len() < count {
                        chosen.take(*item);
                    }
                }
            }
            Sampling::Logged => {
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
            Sampling::Popularity | Sampling::Catalogue => {}
        }
        if chosen.items.len() < 2 {
            return Err(Problem::new(
                "data.interactions.candidates",
                format!("the example {id:?} has one candidate only"),
            )
            .mend("take another sampling, or a larger catalogue"));
        }
        stream.shuffle(&mut chosen.items);
        Ok(List {
            items: chosen.items,
            relevant,
        })
    }

    /// Takes items that the user met before, so that being one of them says
    /// nothing of a candidate.
    fn met_before(&self, aim: &Aim, chosen: &mut Chosen<'_>, count: usize, stream: &mut Stream) {
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
        chosen: &mut Chosen<'_>,
        count: usize,
        met: &BTreeSet<u32>,
        stream: &mut Stream,
        draw: impl Fn(&mut Stream) -> u32,
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
struct Chosen<'d> {
    data: &'d Interactions,
    items: Vec<u32>,
    titles: BTreeSet<&'d str>,
}

impl<'d> Chosen<'d> {
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
