//! Files that are read, and what is doubtful about them.

use super::*;

/// What is told of files that could be read.
fn findings(spec: &RecSpec, files: &[(&str, &[u8])]) -> Vec<String> {
    match RecommendationFiles::parse(files, spec).unwrap() {
        RecommendationFiles::Events { findings, .. } => findings
            .into_iter()
            .map(|finding| finding.message)
            .collect(),
        RecommendationFiles::Rows(_) => panic!("rows"),
    }
}

#[test]
fn encoded_titles_are_read() {
    let titles = "2::千と千尋の神隠し (2001)::アニメ\n3::七人の侍 (1954)::時代劇\n";
    let (bytes, ..) = encoding_rs::SHIFT_JIS.encode(titles);
    let csv = "movieId,title,genres\n2,\"Сталкер, полная версия (1979)\",Фантастика\n3,Летят журавли (1957),Драма\n";
    let (table, ..) = encoding_rs::WINDOWS_1251.encode(csv);
    let mut spec = spec(FileLayout::Movielens);
    let ratings: (&str, &[u8]) = ("ratings.dat", b"1::2::5::100\n1::3::5::100\n");
    let told = findings(&spec, &[ratings, ("movies.dat", bytes.as_ref())]);
    assert!(
        told[0].starts_with("movies.dat is not UTF-8; it was read as Shift_JIS, for example"),
        "{told:?}"
    );
    assert!(told[0].contains("千と千尋"), "{told:?}");
    let told = findings(&spec, &[ratings, ("movies.csv", table.as_ref())]);
    assert!(
        told[0].contains("read as windows-1251") && told[0].contains("Сталкер"),
        "{told:?}"
    );
    spec.encoding = Some("Shift-JIS".into());
    let files = [ratings, ("movies.dat", bytes.as_ref())];
    assert_eq!(findings(&spec, &files), Vec::<String>::new());
    let RecommendationFiles::Events { interactions, .. } =
        RecommendationFiles::parse(&files, &spec).unwrap()
    else {
        panic!("rows")
    };
    assert_eq!(interactions.items[1].title, "七人の侍 (1954)");
    spec.encoding = Some("klingon".into());
    let error = spec
        .prepare(RecommendationFiles::parse(&files, &spec).unwrap())
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("no encoding is called \"klingon\"")
    );
}

#[test]
fn untitled_items_are_counted() {
    let inter = ("x.inter", "user_id:token\titem_id:token\n1\t7\n1\t8\n");
    let recbole = |header: &str| {
        let item = format!("item_id:token\t{header}\n7\tBig Fish\n");
        findings(
            &spec(FileLayout::Recbole),
            &[(inter.0, inter.1.as_bytes()), ("x.item", item.as_bytes())],
        )
    };
    for header in [
        "app_name:token",
        "artist_name:token_seq",
        "movie_title:token_seq",
        "name:token",
    ] {
        let told = recbole(header);
        assert!(
            told[0].starts_with(
                "1 of 2 items have no title, so the model sees their ids, such as \"8\""
            ),
            "{told:?}"
        );
    }
    let told = recbole("label_text:token");
    assert!(told[0].starts_with("2 of 2 items"), "{told:?}");
    assert!(
        told[0].contains("columns taken for titles: title, item_title,"),
        "{told:?}"
    );
    assert!(
        told[0].contains("columns there are: item_id, label_text; rename"),
        "{told:?}"
    );
    let table = |csv: &str| findings(&spec(FileLayout::Table), &[("e.csv", csv.as_bytes())]);
    assert!(table("user,item,time,movie_title\na,1,1,Alien\na,2,2,Dune\n").is_empty());
    assert!(table("user,item,time,name\na,1,1,Alien\nb,1,2,Alien\n").is_empty());
    // The user's name, not the item's.
    let told = table("user,item,time,name\na,1,1,Ann\nb,1,2,Bob\n");
    assert!(told[0].contains("columns = { title = \"…\" }"), "{told:?}");
    let told = findings(
        &spec(FileLayout::Movielens),
        &[("ratings.dat", b"1::2::5::100\n")],
    );
    assert!(
        told[0].ends_with("add u.item, movies.dat or movies.csv to data.files"),
        "{told:?}"
    );
}

#[test]
fn python_metadata_is_read() {
    let reviews = "{\"reviewerID\":\"A\",\"asin\":\"P1\",\"overall\":5.0,\"unixReviewTime\":100}\n";
    let meta = "{'asin': 'P1', 'title': \"It's a game\", 'categories': [['Games', 'PC'], ['Games', 'Toys']], 'price': 3.5, 'related': {'also_bought': ['P2']}}\n";
    let data = match parse(FileLayout::Amazon, &[("r.json", reviews), ("m.json", meta)]).unwrap() {
        RecommendationFiles::Events { interactions, .. } => interactions,
        RecommendationFiles::Rows(_) => panic!("rows"),
    };
    assert_eq!(data.items[0].title, "It's a game");
    assert_eq!(data.items[0].attributes["categories"], "Games, PC, Toys");
    let cut = "{'asin': 'P1', 'title': 'cut\n";
    let error = parse(FileLayout::Amazon, &[("r.json", reviews), ("m.json", cut)]).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("m.json:1: a dictionary of Python"),
        "{error}"
    );
}

/// The rarer unit is the one to look at, and both places are named.
#[test]
fn mixed_units_of_time_are_an_error_with_places() {
    let rows =
        "user,item,time\na,1,1700000000\na,2,1700000100\nb,1,1700000200000\nb,3,1700000300\n";
    let error = parse(FileLayout::Table, &[("e.csv", rows)])
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("e.csv:4: the time 1700000200000 is in milliseconds, and 1700000000 at e.csv:2 in seconds (1 and 3 events)"),
        "{error}"
    );
    // Reviews of 2018 beside reviews of 2023.
    let old =
        "{\"reviewerID\":\"A\",\"asin\":\"P1\",\"overall\":5.0,\"unixReviewTime\":1514764800}\n"
            .repeat(2);
    let new =
        "{\"user_id\":\"A\",\"parent_asin\":\"P2\",\"rating\":2,\"timestamp\":1672531200000}\n";
    let error = parse(
        FileLayout::Amazon,
        &[("old.json", &old), ("new.jsonl", new)],
    )
    .unwrap_err();
    assert!(
        error.to_string().contains("new.jsonl:1") && error.to_string().contains("old.json:1"),
        "{error}"
    );
    // Counts and years have no unit to mix.
    let steps = "user,item,time\na,1,1\na,2,2024\nb,1,1700000200\n";
    assert!(parse(FileLayout::Table, &[("e.csv", steps)]).is_ok());
}

#[test]
fn sequences_are_read_in_their_order() {
    let read = |format, files: &[(&str, &str)]| match parse(format, files).unwrap() {
        RecommendationFiles::Events { interactions, .. } => interactions,
        RecommendationFiles::Rows(_) => panic!("rows"),
    };
    let data = read(
        FileLayout::Openp5,
        &[
            ("user_sequence.txt", "A B2 B1\nC B1\n"),
            (
                "item_plain_text.txt",
                "B1 title: A toy; with: a bell; brand: Acme; categories: Toys, Games\nB2 Plain words\n",
            ),
        ],
    );
    let order: Vec<(u32, &str)> = data
        .events
        .iter()
        .map(|event| (event.user, data.items[event.item as usize].title.as_str()))
        .collect();
    assert_eq!(order, [(0, "Plain words"), (0, "A toy"), (1, "A toy")]);
    let toy = &data.items[1].attributes;
    assert_eq!(
        (toy["brand"].as_str(), toy["category"].as_str()),
        ("Acme", "Toys, Games")
    );
    assert_eq!(
        read(FileLayout::Sasrec, &[("x.txt", "1 3\n1 2\n")])
            .events
            .len(),
        2
    );
    let error = parse(FileLayout::Sasrec, &[("x.txt", "1 3\n1 2 4\n")])
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("x.txt:2: 3 values, not two") && error.contains("openp5"),
        "{error}"
    );
    let error = parse(FileLayout::Openp5, &[("x.txt", "A\n")])
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("x.txt:1: a user without an item"),
        "{error}"
    );
}
