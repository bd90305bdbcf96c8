/// Several rankings as one by Borda's count: the sum of the places each gives an
/// item. An item that a ranking leaves out shares the places it has left. Ties
/// go to the item met first, ranking by ranking.
pub fn borda<'a>(rankings: impl IntoIterator<Item = &'a [String]>) -> Vec<String> {
    let rankings: Vec<&[String]> = rankings.into_iter().collect();
    let mut items: Vec<&String> = Vec::new();
    for item in rankings.iter().flat_map(|ranking| ranking.iter()) {
        if !items.contains(&item) {
            items.push(item);
        }
    }
    let all = items.len();
    let place = |ranking: &[String], item: &String| {
        let left = f64::midpoint(ranking.len() as f64, all as f64 - 1.0);
        let found = ranking.iter().position(|other| other == item);
        found.map_or(left, |place| place as f64)
    };
    let mut placed: Vec<(f64, &String)> = items
        .into_iter()
        .map(|item| (rankings.iter().map(|r| place(r, item)).sum(), item))
        .collect();
    placed.sort_by(|a, b| a.0.total_cmp(&b.0));
    placed.into_iter().map(|(_, item)| item.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(items: &str) -> Vec<String> {
        items.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn borda_sums_places() {
        let (a, b, c) = (list("x y z"), list("y z x"), list("y"));
        assert_eq!(borda([a.as_slice(), &b]), ["y", "x", "z"]);
        // x: 0 + 1.5, y: 1 + 0, z: 2 + 1.5.
        assert_eq!(borda([a.as_slice(), &c]), ["y", "x", "z"]);
        assert_eq!(borda([a.as_slice()]), a);
        assert!(borda([]).is_empty());
    }
}
