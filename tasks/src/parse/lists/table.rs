//! Lists in tables of Markdown.

/// Heads of the column that holds the items.
const ITEM: [&str; 10] = [
    "title",
    "movie",
    "film",
    "item",
    "name",
    "candidate",
    "book",
    "product",
    "song",
    "titel",
];
/// Heads of the column that holds their places.
const PLACE: [&str; 6] = ["rank", "#", "place", "position", "no", "rang"];

/// The items of the table in `text`, in the order of its places; `None` without
/// a table.
pub(super) fn items(text: &str) -> Option<Vec<String>> {
    let rows: Vec<Vec<&str>> = text
        .lines()
        .map(str::trim)
        .filter(|line| line.matches('|').count() > 1 || (line.starts_with('|') && line.len() > 1))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let rule = |row: &Vec<&str>| {
        row.iter()
            .all(|cell| !cell.is_empty() && cell.bytes().all(|b| matches!(b, b'-' | b':' | b' ')))
    };
    let head = rows.iter().position(rule)?;
    let rows_below: Vec<&Vec<&str>> = rows[head + 1..].iter().filter(|row| !rule(row)).collect();
    let heads: Vec<String> = rows[..head]
        .last()
        .map(|row| {
            row.iter()
                .map(|cell| cell.trim_matches('*').to_lowercase())
                .collect()
        })
        .unwrap_or_default();
    let column = |names: &[&str]| {
        heads.iter().position(|head| {
            names
                .iter()
                .any(|name| head.split([' ', '.', '(']).any(|word| word == *name))
        })
    };
    let item = column(&ITEM).or_else(|| {
        // Else the first column that is no number.
        let first = rows_below.first()?;
        first.iter().position(|cell| cell.parse::<f64>().is_err())
    })?;
    let mut cells: Vec<(Option<f64>, &str)> = rows_below
        .iter()
        .filter_map(|row| {
            let place = column(&PLACE).and_then(|place| {
                let cell = row.get(place)?.trim_matches(['*', '#', '.', ' ']);
                cell.parse::<f64>().ok()
            });
            Some((place, *row.get(item)?))
        })
        .collect();
    if cells.iter().all(|(place, _)| place.is_some()) {
        cells.sort_by(|a, b| a.0.unwrap_or_default().total_cmp(&b.0.unwrap_or_default()));
    }
    let items = super::clean(cells.into_iter().map(|(_, cell)| cell));
    (!items.is_empty()).then_some(items)
}
