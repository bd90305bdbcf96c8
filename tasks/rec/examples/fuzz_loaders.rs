//! Mutates small files of every format and hands them to its loader, for as long
//! as asked: `cargo run --release -p shiftproof-rec --example fuzz_loaders -- 300`.
//! A panic ends it with the bytes that did it; otherwise it prints what became of
//! the files.
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use shiftproof_rec::{
    EventSplit, ExampleForm, FileLayout, GroupShift, NegativeSampling, RecSpec, RecommendationFiles,
};

/// Seeds of the mutation, one list of files per format.
const SEEDS: &[(FileLayout, &[(&str, &str)])] = &[
    (
        FileLayout::Table,
        &[(
            "a.csv",
            "user,item,rating,time,title\nu1,i1,4,10,Alien\nu1,i2,2,20,\"Dune, one\"\nu2,i1,,,\n",
        )],
    ),
    (
        FileLayout::Table,
        &[(
            "a.jsonl",
            "{\"user\":1,\"item\":\"i1\",\"rating\":4.5,\"time\":10}\n{\"user\":1,\"item\":2}\n",
        )],
    ),
    (
        FileLayout::Recbole,
        &[
            (
                "x.inter",
                "user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t7\t4\t15\n1\t8\t2\t99\n2\t7\t1\t3\n",
            ),
            (
                "x.item",
                "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n7\tBig Fish\t2003\tDrama Fantasy\n",
            ),
            ("x.user", "user_id:token\tage:token\n1\t33\n"),
            ("x.lists", "1\t7 8\n2\t8 7\n"),
        ],
    ),
    (
        FileLayout::Recbole,
        &[(
            "s.inter",
            "user_id:token\titem_id_list:token_seq\titem_id:token\n9\t1 2 3\t4\n8\t1 2\t3\n",
        )],
    ),
    (
        FileLayout::Movielens,
        &[
            ("u.data", "1\t2\t5\t100\n1\t3\t1\t50\n2\t3\t4\t10\n"),
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
            ("ratings.dat", "1::2::5::100\n1::3::1::50\n2::3::4::7\n"),
            ("movies.dat", "2::Alien (1979)::Horror|Sci-Fi\n"),
            ("users.dat", "1::F::18::20::00000\n"),
        ],
    ),
    (
        FileLayout::Movielens,
        &[
            (
                "ratings.csv",
                "userId,movieId,rating,timestamp\n1,2,4.5,100\n1,3,2,200\n",
            ),
            (
                "movies.csv",
                "movieId,title,genres\n2,\"President, The (1995)\",Comedy|Drama\n",
            ),
        ],
    ),
    (
        FileLayout::Mind,
        &[
            (
                "news.tsv",
                "N1\tsports\tgolf\tA title\tAn abstract\t\t[]\t[]\n",
            ),
            (
                "behaviors.tsv",
                "1\tU1\t11/15/2019 8:55:22 AM\tN1\tN2-1 N3-0\n2\tU1\t11/15/2019 9:55:22 PM\tN1\tN4-0\n",
            ),
        ],
    ),
    (
        FileLayout::Amazon,
        &[
            (
                "r.jsonl",
                "{\"reviewerID\":\"A\",\"asin\":\"P1\",\"overall\":5.0,\"unixReviewTime\":100}\n{\"user_id\":\"A\",\"parent_asin\":\"P2\",\"rating\":2,\"timestamp\":100000}\n",
            ),
            (
                "m.jsonl",
                "{\"asin\":\"P1\",\"title\":\"A game\",\"brand\":\"Acme\",\"category\":[\"Games\"]}\n",
            ),
        ],
    ),
    (
        FileLayout::Tallrec,
        &[(
            "t.json",
            "[{\"input\":\"User Preference: \\\"A\\\" written by X, \\\"B\\\"\\nUser Unpreference: \\nWhether the user will like the target book \\\"\\\"D\\\" written by Z\\\"?\",\"output\":\"No.\"}]",
        )],
    ),
];

/// Bytes that mean something to some format.
const TELLING: &[&[u8]] = &[
    b"\t",
    b"::",
    b"|",
    b",",
    b"\"",
    b"\n",
    b"\r\n",
    b"\0",
    b"\xff",
    b"\xe2\x80\xa8",
    b"1e308",
    b"-1",
    b"99999999999999999999",
    b"nan",
    b"{",
    b"]",
    b"\\u0000",
    b"-0",
    b"12/31/9999 12:59:59 PM",
];

fn main() {
    let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let end = Instant::now() + Duration::from_secs(seconds.unwrap_or(300));
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut counts: BTreeMap<String, [u64; 3]> = BTreeMap::new();
    while Instant::now() < end {
        for (format, seed) in SEEDS {
            let files: Vec<(&str, Vec<u8>)> = seed
                .iter()
                .map(|(name, text)| (*name, mutated(text.as_bytes(), &mut random)))
                .collect();
            let spec = spec(*format, seed, &mut random);
            let known: Vec<(&str, &[u8])> = files
                .iter()
                .map(|(name, bytes)| (*name, bytes.as_slice()))
                .collect();
            let run = || match RecommendationFiles::parse(&known, &spec) {
                Err(_) => 0,
                Ok(source) => 1 + usize::from(spec.prepare(source).is_ok()),
            };
            let Ok(outcome) = catch_unwind(AssertUnwindSafe(run)) else {
                println!("PANIC {spec:?}");
                for (name, bytes) in &files {
                    println!("{name}: {:?}", String::from_utf8_lossy(bytes));
                }
                panic!("a loader panicked");
            };
            counts.entry(format!("{format:?}")).or_default()[outcome] += 1;
        }
    }
    println!(
        "{:10} {:>10} {:>10} {:>10}",
        "format", "refused", "loaded", "prepared"
    );
    for (format, [refused, loaded, prepared]) in counts {
        println!("{format:10} {refused:>10} {loaded:>10} {prepared:>10}");
    }
}

fn spec(format: FileLayout, seed: &[(&str, &str)], random: &mut Random) -> RecSpec {
    let mut spec = RecSpec {
        format,
        examples: ExampleForm::Pointwise,
        ..RecSpec::default()
    };
    if format != FileLayout::Tallrec && random.below(2) == 0 {
        spec.examples = ExampleForm::Listwise;
        spec.candidates.count = 3;
        spec.candidates.sampling = [
            NegativeSampling::Uniform,
            NegativeSampling::Popularity,
            NegativeSampling::Logged,
            NegativeSampling::Catalogue,
        ][random.below(4)];
    }
    if format != FileLayout::Tallrec {
        spec.split = [
            EventSplit::LeaveOneOut,
            EventSplit::Time,
            EventSplit::Rolling,
        ][random.below(3)];
        spec.shift = [
            GroupShift::Popularity,
            GroupShift::Time,
            GroupShift::Activity,
        ][random.below(3)];
    }
    if seed.iter().any(|(name, _)| *name == "x.lists") {
        spec.candidates.sampling = NegativeSampling::File;
        spec.candidates.file = Some("x.lists".to_owned());
    }
    spec
}

/// Up to eight changes: a byte flipped, bytes taken out, doubled, or telling ones put in.
fn mutated(seed: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..random.below(9) {
        if bytes.is_empty() {
            return bytes;
        }
        let at = random.below(bytes.len());
        let end = (at + 1 + random.below(12)).min(bytes.len());
        match random.below(4) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => {
                bytes.drain(at..end);
            }
            2 => {
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            _ => {
                let put = TELLING[random.below(TELLING.len())];
                bytes.splice(at..at, put.iter().copied());
            }
        }
    }
    bytes
}

/// Xorshift (Marsaglia, 2003): enough to choose mutations by.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }
}
