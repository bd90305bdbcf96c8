//! MIND: `news.tsv` and `behaviors.tsv` (Wu et al., "MIND: A Large-scale Dataset
//! for News Recommendation", ACL 2020). Clicks before the log began have no time
//! and no rating; an impression's items have its time, and rating 1 if clicked,
//! else 0.

use std::collections::HashSet;

use chrono::NaiveDateTime;
use shiftproof_tasks::diagnostic::{DataProblem, DataProblems, SourceLocation};

use super::lines::{each, id, parts, unknown_file};
use super::{InteractionsBuilder, NamedFile};

pub(super) fn read(
    files: Vec<NamedFile<'_>>,
    builder: &mut InteractionsBuilder,
    problems: &mut DataProblems,
) {
    // A user's history stands on each of the user's lines.
    let mut known = HashSet::new();
    for file in files {
        match file.base() {
            "news.tsv" => each(file, problems, |place, line| {
                let what = "id, category, subcategory, title, abstract, …";
                let values = parts(place, line, "\t", 4, what)?;
                let item = builder.item(id(place, "the news id", values[0])?);
                builder.item_attribute(item, "category", values[1]);
                builder.item_attribute(item, "subcategory", values[2]);
                builder.title(item, values[3]);
                Ok(())
            }),
            "behaviors.tsv" => each(file, problems, |place, line| {
                let what = "impression id, user, time, history, impressions";
                let values = parts(place, line, "\t", 5, what)?;
                let name = id(place, "the user", values[1])?;
                let time = moment(values[2]).ok_or_else(|| {
                    DataProblem::new(place, format!("{:?} is no time", values[2]))
                        .help("write it as 11/15/2019 8:55:22 AM")
                })?;
                let shown = impressions(place, values[4])?;
                let user = builder.user(name);
                if known.insert(user) {
                    for clicked in values[3].split_whitespace() {
                        let item = builder.item(clicked);
                        builder.event(place, (user, item), None, None);
                    }
                }
                for (item, rating) in shown {
                    let item = builder.item(item);
                    builder.event(place, (user, item), Some(rating), Some(time));
                }
                Ok(())
            }),
            _ => problems.push(unknown_file(&file.name, "news.tsv and behaviors.tsv")),
        }
    }
}

/// `N1-0 N2-1`: items with 1 where they were clicked.
fn impressions<'t>(
    place: &SourceLocation,
    text: &'t str,
) -> Result<Vec<(&'t str, f32)>, DataProblem> {
    text.split_whitespace()
        .map(|shown| match shown.rsplit_once('-') {
            Some((item, "0")) if !item.is_empty() => Ok((item, 0.0)),
            Some((item, "1")) if !item.is_empty() => Ok((item, 1.0)),
            _ => Err(DataProblem::new(
                place,
                format!("the impression {shown:?} ends in neither -0 nor -1"),
            )
            .help("clicks are known in the training and validation parts only")),
        })
        .collect()
}

/// Seconds since 1970 of `11/15/2019 8:55:22 AM`.
fn moment(text: &str) -> Option<i64> {
    let moment = NaiveDateTime::parse_from_str(text, "%m/%d/%Y %I:%M:%S %p").ok()?;
    Some(moment.and_utc().timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_seconds_since_1970() {
        // Recounted with the system's `date -u +%s`.
        assert_eq!(moment("1/1/1970 12:00:00 AM"), Some(0));
        assert_eq!(moment("11/15/2019 8:55:22 AM"), Some(1_573_808_122));
        assert_eq!(moment("2/29/2020 12:30:00 PM"), Some(1_582_979_400));
        for wrong in [
            "",
            "11/15/2019",
            "13/1/2019 1:00:00 AM",
            "1/1/2019 13:00:00 AM",
            "1/1/2019 1:00 AM",
        ] {
            assert_eq!(moment(wrong), None, "{wrong}");
        }
    }
}
