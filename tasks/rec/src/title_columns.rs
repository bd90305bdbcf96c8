//! Which column of a file holds the items' titles.

/// Names that are taken for a title, the first before the later ones.
pub(crate) const NAMES: [&str; 32] = [
    "title",
    "item_title",
    "item_name",
    "movie_title",
    "movie_name",
    "film_title",
    "book_title",
    "book_name",
    "product_title",
    "product_name",
    "app_title",
    "app_name",
    "game_title",
    "game_name",
    "song_title",
    "song_name",
    "track_title",
    "track_name",
    "album_title",
    "album_name",
    "news_title",
    "article_title",
    "video_title",
    "course_name",
    "recipe_name",
    "anime_name",
    "business_name",
    "venue_name",
    "poi_name",
    "artist_name",
    "headline",
    "name",
];

/// The column that holds the titles, if any is called like one. Case, blanks and
/// dashes do not matter.
pub(super) fn column<'c>(columns: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let rank = |column: &str| {
        let plain = column.trim().to_lowercase().replace([' ', '-', '.'], "_");
        let joined = plain.replace('_', "");
        NAMES
            .iter()
            .position(|name| *name == plain || name.replace('_', "") == joined)
    };
    let ranked = columns
        .into_iter()
        .filter_map(|column| Some((rank(column)?, column)));
    ranked.min().map(|(_, column)| column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likeliest_column_is_taken() {
        assert_eq!(column(["id", "name", "movie_title"]), Some("movie_title"));
        assert_eq!(column(["id", "Artist Name"]), Some("Artist Name"));
        assert_eq!(column(["itemName", "brand_name"]), Some("itemName"));
        assert_eq!(column(["brand_name", "user_name", "category"]), None);
    }
}
