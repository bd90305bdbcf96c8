//! Groups: what a shift's word means for one example.

use super::leave_one_out::TargetEvent;
use super::{GroupShift, Interactions, ItemCatalogue, RecSpec};

/// Names of thirds by length.
pub(super) const LENGTHS: [&str; 3] = ["short", "medium", "long"];
const ACTIVITY: [&str; 3] = ["light", "regular", "heavy"];
/// Training events from which on a user or item is warm.
const WARM: u32 = 5;

/// The group of each target.
pub(super) fn groups(
    spec: &RecSpec,
    data: &Interactions,
    catalogue: &ItemCatalogue,
    activity: &[u32],
    aims: &[TargetEvent],
) -> Vec<String> {
    let measure: Vec<f64> = match spec.shift {
        GroupShift::Activity => aims
            .iter()
            .map(|aim| f64::from(activity[aim.user as usize]))
            .collect(),
        GroupShift::HistoryLength => aims.iter().map(|aim| aim.before as f64).collect(),
        GroupShift::Time => aims
            .iter()
            .map(|aim| aim.time.unwrap_or_default() as f64)
            .collect(),
        _ => Vec::new(),
    };
    let parts = if spec.shift == GroupShift::Time { 2 } else { 3 };
    let cuts = cuts(&measure, parts);
    let heat = |events: u32| if events >= WARM { "warm" } else { "cold" };
    let of = |(index, aim): (usize, &TargetEvent)| -> String {
        let user = &data.users[aim.user as usize];
        let attribute = |name: &str| {
            let value = user.attributes.get(name).map(String::as_str);
            value.unwrap_or("unknown").to_owned()
        };
        match spec.shift {
            GroupShift::None | GroupShift::File => "all".to_owned(),
            GroupShift::Popularity => popularity(catalogue.percentile(aim.item)).to_owned(),
            GroupShift::Activity => ACTIVITY[band(&cuts, measure[index])].to_owned(),
            GroupShift::HistoryLength => LENGTHS[band(&cuts, measure[index])].to_owned(),
            GroupShift::ColdItems => heat(catalogue.popularity(aim.item)).to_owned(),
            GroupShift::ColdUsers => heat(activity[aim.user as usize]).to_owned(),
            GroupShift::Time => match aim.time {
                None => "unknown",
                Some(_) if band(&cuts, measure[index]) == 0 => "early",
                Some(_) => "late",
            }
            .to_owned(),
            GroupShift::Gender => attribute("gender"),
            GroupShift::Occupation => attribute("occupation"),
            GroupShift::Age => age(&attribute("age")).to_owned(),
            GroupShift::Category => {
                let attributes = &catalogue.items()[aim.item as usize].attributes;
                let kinds = attributes.get("category").or(attributes.get("genres"));
                let first = kinds.and_then(|kinds| kinds.split(", ").next());
                first.unwrap_or("unknown").to_owned()
            }
        }
    };
    aims.iter().enumerate().map(of).collect()
}

/// A tenth of the items is the head, the less popular half the tail. Items of
/// equal counts are never parted.
fn popularity(percentile: f64) -> &'static str {
    match percentile {
        p if p >= 0.9 => "head",
        p if p >= 0.5 => "mid",
        _ => "tail",
    }
}

fn age(years: &str) -> &'static str {
    match years.trim().parse::<f64>() {
        Ok(years) if years < 25.0 => "<25",
        Ok(years) if years < 35.0 => "25-34",
        Ok(years) if years < 45.0 => "35-44",
        Ok(_) => "45+",
        Err(_) => "unknown",
    }
}

/// Where to cut into this many parts as equal in size as values that stay
/// together allow.
pub(super) fn cuts(values: &[f64], parts: usize) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let cut = |part: usize| {
        let wanted = sorted.len() * part / parts;
        let value = sorted.get(wanted)?;
        let before = sorted.partition_point(|other| other < value);
        let after = sorted.partition_point(|other| other <= value);
        let next = sorted.get(after);
        Some(match next {
            Some(next) if after - wanted < wanted - before => *next,
            _ => *value,
        })
    };
    (1..parts).filter_map(cut).collect()
}

/// Which part a value falls in; a cut belongs to the part above it.
pub(super) fn band(cuts: &[f64], value: f64) -> usize {
    cuts.partition_point(|cut| *cut <= value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_share_one_part() {
        let values = [1.0, 1.0, 1.0, 2.0, 3.0, 9.0];
        let cuts = cuts(&values, 3);
        let bands = values.map(|value| band(&cuts, value));
        assert_eq!(bands, [0, 0, 0, 1, 2, 2]);
        let cuts = super::cuts(&[1.0, 2.0, 9.0, 9.0, 9.0, 9.0], 2);
        assert_eq!([1.0, 2.0, 9.0].map(|value| band(&cuts, value)), [0, 0, 1]);
        assert_eq!(super::cuts(&[], 3), Vec::<f64>::new());
    }

    #[test]
    fn popularity_words_meet_at_edges() {
        assert_eq!(
            [0.0, 0.499, 0.5, 0.899, 0.9].map(popularity),
            ["tail", "tail", "mid", "mid", "head"]
        );
        assert_eq!(
            ["24", "25", "44", "45", "x"].map(age),
            ["<25", "25-34", "35-44", "45+", "unknown"]
        );
    }
}
