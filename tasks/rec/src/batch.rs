//! A day's log: what users did after everything that a study knows of them, as examples of
//! the study's form and in its groups.

use std::collections::HashMap;
use std::path::Path;

use shiftproof_tasks::Example;
use shiftproof_tasks::diagnostic::{DataError, DataProblem};
use shiftproof_tasks::lint::LintFinding;

use super::leave_one_out::{self, TargetEvents};
use super::prepare::{BuiltExamples, build};
use super::{
    GroupShift, Interaction, Interactions, Item, ItemCatalogue, RecSpec, RecommendationFiles,
    shift, target_findings,
};

/// The files of a study and of a day. Names are relative to one folder, or absolute.
#[derive(Debug, Clone, Copy)]
pub struct BatchFiles<'a> {
    /// The study's own.
    pub study: &'a [String],
    /// Those of the days between the study's and this one: history alone.
    pub before: &'a [String],
    /// The day's.
    pub batch: &'a str,
}

/// The examples of a day.
#[derive(Debug, Clone)]
pub struct PreparedBatch {
    /// By user and time.
    pub examples: Vec<Example>,
    /// How many of them are about items that the study's files do not have.
    pub new_items: usize,
    /// What is worth a look.
    pub findings: Vec<LintFinding>,
}

impl RecSpec {
    /// Makes the examples of a day's log. Targets are events of the batch alone: the last
    /// one of each user, with `split = "ratio"` the last tenth, with `"time"` and `"rolling"`
    /// all. What was before them is history, whichever file it is in. Popularity, and with it
    /// the groups, are the study's; of what its files do not have, nothing is known.
    ///
    /// # Errors
    /// [`DataError`], as `file:line` or by the study's key.
    pub fn load_batch(
        &self,
        root: &Path,
        files: BatchFiles<'_>,
        catalogue: &ItemCatalogue,
    ) -> Result<PreparedBatch, DataError> {
        self.check_batch()?;
        let mut names = files.study.to_vec();
        names.extend_from_slice(files.before);
        let known = events_of(RecommendationFiles::read(root, &names, self)?)?.0;
        names.push(files.batch.to_owned());
        let (all, lists, mut findings) = events_of(RecommendationFiles::read(root, &names, self)?)?;
        let mut data = aligned(all, catalogue);
        leave_one_out::order(&mut data, self.ties);
        let (data, batch) = parted(&known, data);
        if !batch.contains(&true) {
            return Err(DataProblem::new(
                files.batch,
                "every event of it is in the study's files, or in those of the days before",
            )
            .help("name a file of what happened after them")
            .into());
        }
        let TargetEvents {
            aims,
            repeats,
            tied,
            ..
        } = leave_one_out::find(self, &data, &lists, Some(&batch))?;
        findings.extend(target_findings::met_before(self, repeats, aims.len()));
        findings.extend(target_findings::ties(self, tied, aims.len()));
        let new: Vec<Item> = data.items[catalogue.len()..].to_vec();
        let extended = catalogue.clone().extended(new);
        let groups = shift::groups(self, &data, &extended, &[], &aims);
        let BuiltExamples {
            examples, problems, ..
        } = build(self, &data, &lists, &extended, (&aims, groups));
        problems.or(())?;
        let is_new = |item: u32| item as usize >= catalogue.len();
        Ok(PreparedBatch {
            examples,
            new_items: aims.iter().filter(|aim| is_new(aim.item)).count(),
            findings,
        })
    }

    /// What cannot be said of a day apart from the rest.
    fn check_batch(&self) -> Result<(), DataError> {
        self.check()?;
        let cut = match self.shift {
            GroupShift::Activity => Some("activity"),
            GroupShift::HistoryLength => Some("history-length"),
            GroupShift::Time => Some("time"),
            GroupShift::ColdUsers => Some("cold-users"),
            _ => None,
        };
        if let Some(cut) = cut {
            return Err(DataProblem::new(
                "data.interactions.shift",
                format!(
                    "groups by {cut} are cut by all examples there are, so those of a day would be \
                     others than the study's"
                ),
            )
            .help(
                "use popularity, cold-items, category, gender, age, occupation or none to watch \
                 days",
            )
            .into());
        }
        if self.core > 1 {
            return Err(DataProblem::new(
                "data.interactions.core",
                "a day's events change which users and items have enough",
            )
            .help("leave it out to watch days, or filter the files beforehand")
            .into());
        }
        Ok(())
    }
}

/// What files of events hold.
#[allow(clippy::type_complexity)] // The parts of `RecommendationFiles::Events`.
fn events_of(
    files: RecommendationFiles,
) -> Result<(Interactions, super::list_builder::Lists, Vec<LintFinding>), DataError> {
    match files {
        RecommendationFiles::Events {
            interactions,
            lists,
            findings,
        } => Ok((interactions, lists, findings)),
        RecommendationFiles::Rows(_) => Err(DataProblem::new(
            "data.interactions.format",
            "ready rows are no log of events",
        )
        .help("a day's log needs users, items and times")
        .into()),
    }
}

/// The same events with the catalogue's items first, in its order.
fn aligned(data: Interactions, catalogue: &ItemCatalogue) -> Interactions {
    let known: HashMap<&str, u32> = catalogue
        .items()
        .iter()
        .map(|item| item.id.as_str())
        .zip(0..)
        .collect();
    let mut items = catalogue.items().to_vec();
    let places: Vec<u32> = data
        .items
        .into_iter()
        .map(|item| {
            if let Some(place) = known.get(item.id.as_str()) {
                return *place;
            }
            items.push(item);
            items.len() as u32 - 1
        })
        .collect();
    let moved = |event: Interaction| Interaction {
        item: places[event.item as usize],
        ..event
    };
    Interactions {
        users: data.users,
        items,
        events: data.events.into_iter().map(moved).collect(),
    }
}

/// `all` without events that stand in `known` once more, and for every event that is left
/// whether it is not one of `known`. Where some of these have a time, those without are what a
/// log tells of the time before it.
fn parted(known: &Interactions, mut all: Interactions) -> (Interactions, Vec<bool>) {
    type EventKey<'d> = (&'d str, &'d str, Option<u32>, Option<i64>);
    fn key<'d>(data: &'d Interactions, event: &Interaction) -> EventKey<'d> {
        let user = data.users[event.user as usize].id.as_str();
        let item = data.items[event.item as usize].id.as_str();
        (user, item, event.rating.map(f32::to_bits), event.time)
    }
    let mut left: HashMap<EventKey<'_>, usize> = HashMap::new();
    for event in &known.events {
        *left.entry(key(known, event)).or_default() += 1;
    }
    let mut kept = Vec::with_capacity(all.events.len());
    let mut fresh = Vec::with_capacity(all.events.len());
    for event in &all.events {
        let is_fresh = match left.get_mut(&key(&all, event)) {
            None => true,
            // A day's log that begins with the end of the day before.
            Some(0) => continue,
            Some(left) => {
                *left -= 1;
                false
            }
        };
        kept.push(*event);
        fresh.push(is_fresh);
    }
    all.events = kept;
    let timed = |(event, fresh): (&Interaction, &bool)| *fresh && event.time.is_some();
    if all.events.iter().zip(&fresh).any(timed) {
        for (event, fresh) in all.events.iter().zip(&mut fresh) {
            *fresh &= event.time.is_some();
        }
    }
    (all, fresh)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::fs;

    use shiftproof_tasks::field;

    use super::*;
    use crate::{EventSplit, ExampleForm, FileLayout};

    /// A row of the log: times are seconds.
    type LogRow = (&'static str, &'static str, u8, i64);

    fn csv(rows: &[LogRow]) -> String {
        let mut text = String::from("user,item,title,rating,time\n");
        for (user, item, rating, time) in rows {
            writeln!(text, "{user},{item},Film {item},{rating},{time}").unwrap();
        }
        text
    }

    /// Twelve films, of which a and b are watched most.
    const COMMITTED: [LogRow; 14] = [
        ("u1", "a", 5, 10),
        ("u1", "b", 4, 11),
        ("u2", "a", 4, 10),
        ("u2", "c", 2, 12),
        ("u3", "a", 3, 10),
        ("u3", "d", 4, 13),
        ("u4", "e", 4, 14),
        ("u4", "f", 4, 15),
        ("u5", "g", 4, 14),
        ("u5", "h", 4, 15),
        ("u6", "i", 4, 14),
        ("u6", "j", 4, 15),
        ("u7", "k", 4, 14),
        ("u7", "b", 4, 15),
    ];

    struct Days {
        folder: tempfile::TempDir,
        spec: RecSpec,
        catalogue: std::sync::Arc<ItemCatalogue>,
    }

    impl Days {
        fn new(spec: RecSpec) -> Self {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("log.csv"), csv(&COMMITTED)).unwrap();
            let study = spec.load(folder.path(), &["log.csv".to_owned()]).unwrap();
            Self {
                catalogue: study.catalogue.unwrap(),
                folder,
                spec,
            }
        }

        fn read(&self, before: &[&[LogRow]], batch: &[LogRow]) -> Result<PreparedBatch, String> {
            let path = |name: String, rows: &[LogRow]| {
                let path = self.folder.path().join(name);
                fs::write(&path, csv(rows)).unwrap();
                path.to_string_lossy().into_owned()
            };
            let before: Vec<String> = before
                .iter()
                .enumerate()
                .map(|(at, rows)| path(format!("before-{at}.csv"), rows))
                .collect();
            let files = BatchFiles {
                study: &["log.csv".to_owned()],
                before: &before,
                batch: &path("day.csv".to_owned(), batch),
            };
            let read = self
                .spec
                .load_batch(self.folder.path(), files, &self.catalogue);
            read.map_err(|error| error.to_string())
        }
    }

    fn listwise() -> RecSpec {
        RecSpec {
            format: FileLayout::Table,
            shift: GroupShift::Popularity,
            candidates: crate::CandidateSource {
                count: 4,
                ..crate::CandidateSource::default()
            },
            ..RecSpec::default()
        }
    }

    const TUESDAY: [LogRow; 4] = [
        ("u1", "c", 4, 20),
        ("u1", "d", 4, 21),
        ("u2", "b", 5, 20),
        ("u9", "a", 5, 20),
    ];
    const WEDNESDAY: [LogRow; 3] = [("u1", "k", 4, 30), ("u2", "new", 4, 30), ("u9", "b", 4, 30)];

    #[test]
    fn last_events_of_day_are_targets() {
        let days = Days::new(listwise());
        let tuesday = days.read(&[], &TUESDAY).unwrap();
        let told: Vec<(&str, &str)> = tuesday
            .examples
            .iter()
            .map(|example| (&*example.input.id, example.input.field(field::HISTORY)))
            .collect();
        // The one event of a user of whom nothing was known has no history.
        assert_eq!(
            told,
            [
                ("u1:d:21", "Film a\nFilm b\nFilm c"),
                ("u2:b:20", "Film a\nFilm c"),
            ]
        );
        assert_eq!(tuesday.new_items, 0);
        let again = days.read(&[], &TUESDAY).unwrap();
        assert_eq!(again.examples, tuesday.examples);
    }

    #[test]
    fn days_before_are_history_alone() {
        let days = Days::new(listwise());
        let alone = days.read(&[], &WEDNESDAY).unwrap();
        assert_eq!(alone.examples.len(), 2);
        let wednesday = days.read(&[&TUESDAY], &WEDNESDAY).unwrap();
        let histories: Vec<&str> = wednesday
            .examples
            .iter()
            .map(|example| example.input.field(field::HISTORY))
            .collect();
        assert_eq!(
            histories,
            [
                "Film a\nFilm b\nFilm c\nFilm d",
                "Film a\nFilm c\nFilm b",
                "Film a",
            ]
        );
        // Groups are the study's: k has a training event, as few films do, b has none, for it
        // was last of whoever watched it, whatever the days say.
        let groups: Vec<&str> = wednesday.examples.iter().map(|e| &*e.input.group).collect();
        assert_eq!(groups, ["mid", "tail", "tail"]);
        // What the study has never heard of is of the tail, and counted.
        let new = &wednesday.examples[1];
        assert_eq!((&*new.input.group, wednesday.new_items), ("tail", 1));
        assert_eq!(
            new.label,
            shiftproof_tasks::Label::Relevant(vec!["Film new".into()])
        );
        let told = days.read(&[&WEDNESDAY], &WEDNESDAY).unwrap_err();
        assert!(
            told.contains("every event of it is in the study's files"),
            "{told}"
        );
    }

    #[test]
    fn every_event_is_target_where_time_is_cut() {
        let days = Days::new(RecSpec {
            split: EventSplit::Rolling,
            examples: ExampleForm::Pointwise,
            shift: GroupShift::None,
            ..listwise()
        });
        let tuesday = days.read(&[], &TUESDAY).unwrap();
        let ids: Vec<&str> = tuesday.examples.iter().map(|e| &*e.input.id).collect();
        assert_eq!(ids, ["u1:c:20", "u1:d:21", "u2:b:20"]);
    }

    #[test]
    fn cuts_by_all_examples_are_refused() {
        for shift in [
            GroupShift::Activity,
            GroupShift::Time,
            GroupShift::HistoryLength,
        ] {
            let mut days = Days::new(listwise());
            days.spec.shift = shift;
            let told = days.read(&[], &TUESDAY).unwrap_err();
            assert!(told.contains("data.interactions.shift"), "{told}");
        }
        let mut days = Days::new(listwise());
        days.spec.core = 2;
        let told = days.read(&[], &TUESDAY).unwrap_err();
        assert!(told.contains("data.interactions.core"), "{told}");
        days.spec.core = 1;
        let told = days.read(&[], &[("u9", "a", 5, 20)]).unwrap_err();
        assert!(
            told.contains("no event of the batch has 1 or more"),
            "{told}"
        );
        let path = days.folder.path().join("bad.csv");
        fs::write(&path, "user,item,rating,time\nu1,a,5,noon\n").unwrap();
        let files = BatchFiles {
            study: &["log.csv".to_owned()],
            before: &[],
            batch: &path.to_string_lossy(),
        };
        let root = days.folder.path();
        let told = days
            .spec
            .load_batch(root, files, &days.catalogue)
            .unwrap_err();
        assert!(told.to_string().contains("bad.csv:2"), "{told}");
    }

    #[test]
    fn untimed_events_of_dated_log_are_history() {
        let event = |user, item, time| Interaction {
            user,
            item,
            rating: None,
            time,
        };
        let item = |id: &str| Item {
            id: id.to_owned(),
            ..Item::default()
        };
        let user = |id: &str| crate::User {
            id: id.to_owned(),
            ..crate::User::default()
        };
        let data = |events: Vec<Interaction>| {
            let users = vec![user("u"), user("v")];
            Interactions::new(users, vec![item("a"), item("b")], events)
        };
        let known = data(vec![event(0, 0, Some(1))]);
        let all = data(vec![
            event(0, 0, Some(1)),
            event(0, 0, Some(1)),
            event(1, 0, None),
            event(1, 1, Some(2)),
        ]);
        // What the days before tell already is told once.
        let (left, fresh) = parted(&known, all);
        assert_eq!(left.events.len(), 3);
        assert_eq!(fresh, [false, false, true]);
        let untimed = data(vec![event(0, 0, None), event(0, 1, None)]);
        let before = data(vec![event(0, 0, None)]);
        assert_eq!(parted(&before, untimed).1, [false, true]);
    }
}
