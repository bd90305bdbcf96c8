use std::collections::{BTreeMap, BTreeSet, HashMap};

use shiftproof_tasks::diagnostic::{DataProblem, SourceLocation};
use shiftproof_tasks::lint::{LintFinding, LintSeverity};

use super::load::clock::ClockUnits;
use super::text::one_line;
use super::title_columns::NAMES as TITLES;
use super::{FileLayout, Interaction, Interactions, Item, User};

/// Lists of item ids by user id, best first.
pub(super) type Lists = BTreeMap<String, Vec<String>>;

/// Collects users, items and events by their ids.
#[derive(Default)]
pub(super) struct InteractionsBuilder {
    users: Vec<User>,
    items: Vec<Item>,
    events: Vec<Interaction>,
    // Only looked up in; the order of everything is that of the files.
    user_at: HashMap<String, u32>,
    item_at: HashMap<String, u32>,
    /// Which items were given a title.
    titled: Vec<bool>,
    /// Columns that may tell about items.
    columns: BTreeSet<String>,
    /// The units that times are in.
    clocks: ClockUnits,
}

impl InteractionsBuilder {
    pub fn user(&mut self, id: &str) -> u32 {
        if let Some(at) = self.user_at.get(id) {
            return *at;
        }
        let at = self.users.len() as u32;
        self.users.push(User {
            id: one_line(id),
            attributes: BTreeMap::new(),
        });
        self.user_at.insert(id.to_owned(), at);
        at
    }

    pub fn item(&mut self, id: &str) -> u32 {
        if let Some(at) = self.item_at.get(id) {
            return *at;
        }
        let at = self.items.len() as u32;
        self.items.push(Item {
            id: one_line(id),
            title: one_line(id),
            attributes: BTreeMap::new(),
        });
        self.titled.push(false);
        self.item_at.insert(id.to_owned(), at);
        at
    }

    /// Whether an item of this id was met.
    pub fn knows(&self, item: &str) -> bool {
        self.item_at.contains_key(item)
    }

    /// Sets the title unless it is blank.
    pub fn title(&mut self, item: u32, title: &str) {
        let title = one_line(title);
        if !title.is_empty() {
            self.items[item as usize].title = title;
            self.titled[item as usize] = true;
        }
    }

    /// Sets an attribute of an item unless it is blank.
    pub fn item_attribute(&mut self, item: u32, name: &str, value: &str) {
        let value = one_line(value);
        if !value.is_empty() {
            let attributes = &mut self.items[item as usize].attributes;
            attributes.insert(one_line(name), value);
        }
    }

    /// Sets an attribute of a user unless it is blank.
    pub fn user_attribute(&mut self, user: u32, name: &str, value: &str) {
        let value = one_line(value);
        if !value.is_empty() {
            let attributes = &mut self.users[user as usize].attributes;
            attributes.insert(one_line(name), value);
        }
    }

    /// An event of the line at `place`.
    pub fn event(
        &mut self,
        place: &SourceLocation,
        (user, item): (u32, u32),
        rating: Option<f32>,
        time: Option<i64>,
    ) {
        if let Some(time) = time {
            self.clocks.note(place, time);
        }
        self.events.push(Interaction {
            user,
            item,
            rating,
            time,
        });
    }

    /// Notes columns among which a title may be.
    pub fn columns<'c>(&mut self, names: impl IntoIterator<Item = &'c str>) {
        self.columns.extend(names.into_iter().map(str::to_owned));
    }

    /// What is wrong with the times.
    pub fn mixed_times(&self) -> Option<DataProblem> {
        self.clocks.problem()
    }

    /// A warning where a model will see ids instead of titles.
    pub fn untitled(&self, format: FileLayout) -> Option<LintFinding> {
        let (all, without) = (
            self.items.len(),
            self.titled.iter().filter(|titled| !**titled).count(),
        );
        let first = self.titled.iter().position(|titled| !titled)?;
        let mend = match format {
            FileLayout::Table => {
                "name the column: data.interactions.columns = { title = \"…\" }".to_owned()
            }
            FileLayout::Recbole => {
                "rename the column that holds the titles in the .item file, or add that file to \
                 data.files"
                    .to_owned()
            }
            FileLayout::Movielens => {
                "add u.item, movies.dat or movies.csv to data.files".to_owned()
            }
            FileLayout::Mind => "add news.tsv to data.files".to_owned(),
            FileLayout::Amazon => "add the metadata file to data.files".to_owned(),
            FileLayout::Sasrec | FileLayout::Openp5 => {
                "add item_plain_text.txt to data.files".to_owned()
            }
            FileLayout::Tallrec => return None,
        };
        let mut columns = String::new();
        if matches!(format, FileLayout::Table | FileLayout::Recbole) {
            let names: Vec<&str> = self.columns.iter().map(String::as_str).collect();
            columns = format!(
                "; columns taken for titles: {}; columns there are: {}",
                TITLES.join(", "),
                names.join(", ")
            );
        }
        Some(LintFinding {
            severity: LintSeverity::Warning,
            code: "untitled",
            message: format!(
                "{without} of {all} items have no title, so the model sees their ids, such as \
                 {:?}{columns}; {mend}",
                self.items[first].id
            ),
            places: Vec::new(),
        })
    }

    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub fn finish(self) -> Interactions {
        Interactions::new(self.users, self.items, self.events)
    }
}
