use proptest::prelude::*;

use super::super::{ExampleForm, GroupShift, Interactions};
use super::*;

mod doubts;

/// One small data set per format, made up for these tests.
pub(super) const SAMPLES: &[(FileLayout, &[(&str, &str)])] = &[
    (
        FileLayout::Table,
        &[(
            "events.csv",
            "user,item,rating,time,title\nu1,i1,4,10,Alien\nu1,i2,2,20,\"Dune, part one\"\n",
        )],
    ),
    (
        FileLayout::Table,
        &[(
            "events.jsonl",
            "{\"user\":1,\"item\":\"i1\",\"rating\":4.5,\"time\":10}\n{\"user\":1,\"item\":\"i2\"}\n",
        )],
    ),
    (
        FileLayout::Recbole,
        &[
            (
                "x.inter",
                "user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t7\t4\t1.5e3\n1\t8\t2\t99\n",
            ),
            (
                "x.item",
                "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n7\tBig Fish\t2003\tDrama Fantasy\n",
            ),
            (
                "x.user",
                "user_id:token\tage:token\tgender:token\tzip_code:token\n1\t33\tF\t12345\n",
            ),
        ],
    ),
    (
        FileLayout::Recbole,
        &[(
            "seq.test.inter",
            "user_id:token\titem_id_list:token_seq\titem_id:token\n9\t1 2 3\t4\n",
        )],
    ),
    (
        FileLayout::Movielens,
        &[
            ("u.data", "1\t2\t5\t100\n1\t3\t1\t50\n"),
            (
                "u.item",
                "2|Big Fish (2003)|01-Jan-2003||http://x|0|0|0|0|0|0|0|0|1|1|0|0|0|0|0|0|0|0|0\n",
            ),
            ("u.user", "1|24|M|writer|85711\n"),
        ],
    ),
    (
        FileLayout::Movielens,
        &[
            ("ml/ratings.dat", "1::2::5::100\r\n1::3::1::50\r\n"),
            ("ml/movies.dat", "2::Alien::Again (1979)::Horror|Sci-Fi\n"),
            ("ml/users.dat", "1::F::18::20::00000\n"),
        ],
    ),
    (
        FileLayout::Movielens,
        &[
            (
                "ratings.csv",
                "userId,movieId,rating,timestamp\n1,2,4.5,100\n",
            ),
            (
                "movies.csv",
                "movieId,title,genres\n2,\"American President, The (1995)\",Comedy|Drama\n",
            ),
        ],
    ),
    (
        FileLayout::Mind,
        &[
            (
                "news.tsv",
                "N1\tsports\tgolf\tA title\tAn abstract\t\t[]\t[]\nN2\tnews\tworld\tOther\t\t\t[]\t[]\n",
            ),
            (
                "behaviors.tsv",
                "1\tU1\t11/15/2019 8:55:22 AM\tN1\tN2-1 N3-0\n2\tU1\t11/15/2019 9:55:22 AM\tN1\tN4-0\n",
            ),
        ],
    ),
    (
        FileLayout::Amazon,
        &[
            (
                "reviews.jsonl",
                "{\"reviewerID\":\"A\",\"asin\":\"P1\",\"overall\":5.0,\"unixReviewTime\":100}\n{\"user_id\":\"B\",\"asin\":\"V\",\"parent_asin\":\"P2\",\"rating\":2,\"timestamp\":100000}\n",
            ),
            (
                "meta.jsonl",
                "{\"asin\":\"P1\",\"title\":\"A game\",\"brand\":\"Acme\",\"category\":[\"Games\",\"PC\"]}\n{\"parent_asin\":\"P2\",\"title\":\"A toy\",\"store\":\"Toys\",\"main_category\":\"Toys\",\"categories\":[]}\n",
            ),
        ],
    ),
    (
        FileLayout::Tallrec,
        &[(
            "book_test.json",
            "[\n {\n  \"instruction\": \"i\",\n  \"input\": \"User Preference: \\\"A\\\" written by X, \\\"B, or C\\\" written by Y\\nUser Unpreference: \\nWhether the user will like the target book \\\"\\\"D\\\" written by Z\\\"?\",\n  \"output\": \"No.\"\n },\n {\n  \"input\": \"User Preference: \\\"E (1990)\\\"\\nUser Unpreference: \\\"F, The (1991)\\\", \\\"G\\\"\\nWhether the user will like the target movie \\\"H (1992)\\\"?\",\n  \"output\": \"Yes.\"\n }\n]",
        )],
    ),
    (
        FileLayout::Sasrec,
        &[
            ("ml-1m.txt", "1 3\n1 4\r\n2\t3\n"),
            ("item_plain_text.txt", "3 Big Fish (2003)\n"),
        ],
    ),
    (
        FileLayout::Openp5,
        &[
            ("Toys/user_sequence.txt", "A B1 B2 B1\nC B2\n"),
            (
                "Toys/item_plain_text.txt",
                "B1 title: A toy; with a bell; brand: Acme; categories: Toys, Games\n",
            ),
        ],
    ),
];

pub(super) fn spec(format: FileLayout) -> RecSpec {
    RecSpec {
        format,
        examples: ExampleForm::Pointwise,
        shift: GroupShift::None,
        ..RecSpec::default()
    }
}

fn parse(format: FileLayout, files: &[(&str, &str)]) -> Result<RecommendationFiles, DataError> {
    let files: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(name, text)| (*name, text.as_bytes()))
        .collect();
    RecommendationFiles::parse(&files, &spec(format))
}

fn events(sample: usize) -> Interactions {
    let (format, files) = SAMPLES[sample];
    match parse(format, files).unwrap() {
        RecommendationFiles::Events { interactions, .. } => interactions,
        RecommendationFiles::Rows(_) => panic!("rows"),
    }
}

/// Events as `user item rating time`.
fn shown(data: &Interactions) -> Vec<String> {
    let number = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    data.events
        .iter()
        .map(|event| {
            format!(
                "{} {} {} {}",
                data.users[event.user as usize].id,
                data.items[event.item as usize].id,
                number(event.rating.map(|rating| rating.to_string())),
                number(event.time.map(|time| time.to_string()))
            )
        })
        .collect()
}

fn item(data: &Interactions, id: &str) -> String {
    let item = data.items.iter().find(|item| item.id == id).unwrap();
    format!("{} {:?}", item.title, item.attributes)
}

#[test]
fn formats_give_one_model() {
    let table = events(0);
    assert_eq!(shown(&table), ["u1 i1 4 10", "u1 i2 2 20"]);
    assert_eq!(item(&table, "i2"), "Dune, part one {}");
    assert_eq!(shown(&events(1)), ["1 i2 - -", "1 i1 4.5 10"]);
    let recbole = events(2);
    assert_eq!(shown(&recbole), ["1 8 2 99", "1 7 4 1500"]);
    assert_eq!(
        item(&recbole, "7"),
        "Big Fish {\"genres\": \"Drama, Fantasy\", \"year\": \"2003\"}"
    );
    assert_eq!(
        format!("{:?}", recbole.users[0].attributes),
        "{\"age\": \"33\", \"gender\": \"F\"}"
    );
    assert_eq!(
        shown(&events(3)),
        ["9 1 - -", "9 2 - -", "9 3 - -", "9 4 - -"]
    );
    let oldest = events(4);
    assert_eq!(shown(&oldest), ["1 3 1 50", "1 2 5 100"]);
    assert_eq!(
        item(&oldest, "2"),
        "Big Fish (2003) {\"genres\": \"Drama, Fantasy\", \"year\": \"2003\"}"
    );
    let million = events(5);
    assert_eq!(
        item(&million, "2"),
        "Alien::Again (1979) {\"genres\": \"Horror, Sci-Fi\", \"year\": \"1979\"}"
    );
    assert_eq!(million.users[0].attributes["occupation"], "writer");
    assert_eq!(
        item(&events(6), "2"),
        "American President, The (1995) {\"genres\": \"Comedy, Drama\", \"year\": \"1995\"}"
    );
    let mind = events(7);
    assert_eq!(
        shown(&mind),
        [
            "U1 N1 - -",
            "U1 N2 1 1573808122",
            "U1 N3 0 1573808122",
            "U1 N4 0 1573811722"
        ]
    );
    let amazon = events(8);
    assert_eq!(shown(&amazon), ["A P1 5 100", "B P2 2 100000"]);
    assert_eq!(
        item(&amazon, "P2"),
        "A toy {\"brand\": \"Toys\", \"category\": \"Toys\"}"
    );
}

#[test]
fn tallrec_rows_keep_their_lists() {
    let (format, files) = SAMPLES[9];
    let RecommendationFiles::Rows(rows) = parse(format, files).unwrap() else {
        panic!("events")
    };
    let first = &rows[0].input;
    assert_eq!(first.id, "book_test:0");
    assert_eq!(first.field("liked"), "A written by X\nB, or C written by Y");
    assert_eq!(first.field("disliked"), "");
    assert_eq!(first.field("item"), "D written by Z");
    let second = &rows[1].input;
    assert_eq!(second.field("disliked"), "F, The (1991)\nG");
    assert_eq!(second.field("item"), "H (1992)");
    assert_eq!(rows[1].label, shiftproof_tasks::Label::Class("yes".into()));
    assert_ne!(first.cluster, second.cluster);
}

#[test]
fn user_windows_form_one_cluster() {
    let row = |from: usize| {
        let titles: Vec<String> = (from..from + 5).map(|n| format!("\\\"T{n}\\\"")).collect();
        format!(
            "{{\"input\":\"User Preference: {}\\nUser Unpreference: \\nWhether the user will like the target movie \\\"T{}\\\"?\",\"output\":\"Yes.\"}}",
            titles.join(", "),
            from + 5
        )
    };
    let text = format!("[{},{},{}]", row(0), row(100), row(1));
    let Ok(RecommendationFiles::Rows(rows)) = parse(FileLayout::Tallrec, &[("m.json", &text)])
    else {
        panic!("no rows")
    };
    let clusters: Vec<_> = rows.iter().map(|row| row.input.cluster.clone()).collect();
    assert_eq!(clusters[0], clusters[2]);
    assert_ne!(clusters[0], clusters[1]);
}

#[test]
fn latin_1_is_read() {
    let files: [(&str, &[u8]); 2] = [
        ("ratings.dat", b"1::2::5::100\n"),
        ("movies.dat", b"2::Am\xe9lie (2001)::Comedy\n"),
    ];
    let source = RecommendationFiles::parse(&files, &spec(FileLayout::Movielens)).unwrap();
    let RecommendationFiles::Events { interactions, .. } = source else {
        panic!("rows")
    };
    assert_eq!(interactions.items[0].title, "Amélie (2001)");
}

#[test]
fn malformed_files_name_their_line() {
    let cases: &[(FileLayout, &str, &str)] = &[
        (
            FileLayout::Table,
            "a.csv",
            "user,item,rating\nu,i,4\nu,,3\nu,j,x\n",
        ),
        (FileLayout::Table, "a.csv", "usr,item\nu,i\n"),
        (FileLayout::Table, "a.txt", "x"),
        (
            FileLayout::Recbole,
            "a.inter",
            "user_id:token\titem_id\n1\t2\n",
        ),
        (
            FileLayout::Recbole,
            "a.inter",
            "user_id:token\titem_id:token\trating:float\n1\t2\tgood\n1\t2\n\n1\t3\tinf\n",
        ),
        (
            FileLayout::Recbole,
            "a.inter",
            "usr_id:token\titem_id:token\n1\t2\n",
        ),
        (
            FileLayout::Movielens,
            "ratings.dat",
            "1::2::5::100\n1::2::5\n1::2::5::soon\n",
        ),
        (FileLayout::Movielens, "users.dat", "1::F::18::21::0\n"),
        (
            FileLayout::Movielens,
            "u.item",
            "1|T|d||u|2|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0\n",
        ),
        (
            FileLayout::Movielens,
            "ratings.csv",
            "userId,movieId,rating\n1,2,3\n",
        ),
        (FileLayout::Movielens, "films.csv", "1\n"),
        (
            FileLayout::Mind,
            "behaviors.tsv",
            "1\tU\tyesterday\tN1\tN2-1\n1\tU\t11/15/2019 8:55:22 AM\tN1\tN2\n1\tU\n",
        ),
        (
            FileLayout::Amazon,
            "r.jsonl",
            "{\"reviewerID\":\"A\"}\n[1]\n{\"reviewerID\":\"A\",\"asin\":\"P\",\"overall\":\"5\"}\n",
        ),
        (
            FileLayout::Tallrec,
            "t.json",
            "[\n{\"input\": \"hello\",\n\"output\": \"Yes.\"}]",
        ),
        (FileLayout::Tallrec, "t.json", "[\n{\"input\": 3}]"),
    ];
    let told: Vec<String> = cases
        .iter()
        .map(|(format, name, text)| parse(*format, &[(name, text)]).unwrap_err().to_string())
        .collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn candidate_lists_need_known_items() {
    let with = |list: &'static str| {
        let mut spec = spec(FileLayout::Recbole);
        spec.candidates.sampling = NegativeSampling::File;
        spec.candidates.file = Some("x.bm25".to_owned());
        let mut files: Vec<(&str, &[u8])> = SAMPLES[3]
            .1
            .iter()
            .map(|(name, text)| (*name, text.as_bytes()))
            .collect();
        files.push(("x.bm25", list.as_bytes()));
        RecommendationFiles::parse(&files, &spec)
    };
    let RecommendationFiles::Events { lists, .. } = with("9\t3 2\n").unwrap() else {
        panic!("rows")
    };
    assert_eq!(lists["9"], ["3", "2"]);
    for (list, line) in [("9 3 2\n", 1), ("9\t3\n9\t2\n", 2), ("9\t77\n", 1)] {
        let error = with(list).unwrap_err().to_string();
        assert!(error.starts_with(&format!("x.bm25:{line}: ")), "{error}");
    }
}

proptest! {
    /// Broken bytes are an error or data, never a panic, in loading and in what
    /// follows.
    #[test]
    fn no_bytes_break_loaders(
        sample in 0..SAMPLES.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..12),
        which in any::<prop::sample::Index>(),
    ) {
        let (format, files) = SAMPLES[sample];
        let mut files: Vec<(&str, Vec<u8>)> =
            files.iter().map(|(name, text)| (*name, text.as_bytes().to_vec())).collect();
        let at = which.index(files.len());
        let bytes = &mut files[at].1;
        for (place, byte, kind) in edits {
            if bytes.is_empty() {
                break;
            }
            let place = place.index(bytes.len());
            match kind {
                0 => bytes[place] = byte,
                1 => bytes.insert(place, byte),
                _ => {
                    bytes.remove(place);
                }
            }
        }
        let files: Vec<(&str, &[u8])> =
            files.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
        let spec = spec(format);
        if let Ok(source) = RecommendationFiles::parse(&files, &spec) {
            let _ = spec.prepare(source);
        }
    }
}
