//! `MovieLens` as published: 100K (`u.*`), 1M and 10M (`*.dat`, separated by
//! `::`), 20M and later (`*.csv`).

use shiftproof_tasks::diagnostic::{DataProblem, DataProblems, SourceLocation};
use shiftproof_tasks::{DataTable, FileFormat};

use super::lines::{each, id, parts, rating, time, unknown_file};
use super::{InteractionsBuilder, NamedFile};

/// The flags of `u.item`, in its order.
const GENRES: [&str; 19] = [
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
];

/// The codes of `users.dat`, as its README spells them out.
const OCCUPATIONS: [&str; 21] = [
    "other",
    "academic/educator",
    "artist",
    "clerical/admin",
    "college/grad student",
    "customer service",
    "doctor/health care",
    "executive/managerial",
    "farmer",
    "homemaker",
    "K-12 student",
    "lawyer",
    "programmer",
    "retired",
    "sales/marketing",
    "scientist",
    "self-employed",
    "technician/engineer",
    "tradesman/craftsman",
    "unemployed",
    "writer",
];

pub(super) fn read(
    files: Vec<NamedFile<'_>>,
    builder: &mut InteractionsBuilder,
    problems: &mut DataProblems,
) {
    for file in files {
        match file.base() {
            "u.data" => lines(file, problems, "\t", 4, "user, item, rating, time", |place, v| {
                event(place, v, builder)
            }),
            "u.item" => lines(file, problems, "|", 24, "id, title, dates, link, 19 flags", |place, v| {
                old_item(place, v, builder)
            }),
            "u.user" => lines(file, problems, "|", 4, "id, age, gender, occupation", |place, v| {
                let user = builder.user(id(place, "the user", v[0])?);
                for (name, value) in ["age", "gender", "occupation"].iter().zip(&v[1..]) {
                    builder.user_attribute(user, name, value);
                }
                Ok(())
            }),
            "ratings.dat" => lines(file, problems, "::", 4, "user, item, rating, time", |place, v| {
                event(place, v, builder)
            }),
            "movies.dat" => lines(file, problems, "::", 3, "id, title, genres", |place, v| {
                // A title may hold the separator; id and genres cannot.
                let title = v[1..v.len() - 1].join("::");
                item(place, v[0], &title, v[v.len() - 1], builder)
            }),
            "users.dat" => lines(
                file,
                problems,
                "::",
                4,
                "id, gender, age, occupation",
                |place, v| person(place, v, builder),
            ),
            "ratings.csv" => table(file, problems, &["userId", "movieId", "rating", "timestamp"], |place, v| {
                event(place, v, builder)
            }),
            "movies.csv" => table(file, problems, &["movieId", "title", "genres"], |place, v| {
                item(place, v[0], v[1], v[2], builder)
            }),
            _ => problems.push(unknown_file(
                &file.name,
                "u.data, u.item, u.user; ratings.dat, movies.dat, users.dat; ratings.csv, movies.csv",
            )),
        }
    }
}

fn lines(
    file: NamedFile<'_>,
    problems: &mut DataProblems,
    separator: &str,
    n: usize,
    what: &str,
    mut take: impl FnMut(&SourceLocation, &[&str]) -> Result<(), DataProblem>,
) {
    each(file, problems, |place, line| {
        take(place, &parts(place, line, separator, n, what)?)
    });
}

fn table(
    file: NamedFile<'_>,
    problems: &mut DataProblems,
    names: &[&str],
    mut take: impl FnMut(&SourceLocation, &[&str]) -> Result<(), DataProblem>,
) {
    match DataTable::parse(&file.name, FileFormat::Csv, file.reader) {
        Err(error) => problems.extend(error),
        Ok(rows) => {
            for row in &rows.rows {
                let missing = names.iter().find(|name| !row.values.contains_key(name));
                if let Some(name) = missing {
                    problems.push(
                        DataProblem::new(&file.name, format!("there is no column {name:?}"))
                            .help(format!("the header is {}", names.join(","))),
                    );
                    return;
                }
                let values: Vec<&str> = names.iter().map(|name| &row.values[*name]).collect();
                if let Err(problem) = take(&row.place(), &values) {
                    problems.push(problem);
                }
            }
        }
    }
}

fn event(
    place: &SourceLocation,
    values: &[&str],
    builder: &mut InteractionsBuilder,
) -> Result<(), DataProblem> {
    let user = id(place, "the user", values[0])?;
    let item = id(place, "the item", values[1])?;
    let stars = rating(place, values[2])?;
    let at = time(place, values[3])?;
    let (user, item) = (builder.user(user), builder.item(item));
    builder.event(place, (user, item), stars, at);
    Ok(())
}

fn item(
    place: &SourceLocation,
    name: &str,
    title: &str,
    genres: &str,
    builder: &mut InteractionsBuilder,
) -> Result<(), DataProblem> {
    let item = builder.item(id(place, "the item", name)?);
    builder.title(item, title);
    if let Some(year) = year(title) {
        builder.item_attribute(item, "year", year);
    }
    if genres.trim() != "(no genres listed)" {
        builder.item_attribute(item, "genres", &genres.trim().replace('|', ", "));
    }
    Ok(())
}

fn old_item(
    place: &SourceLocation,
    values: &[&str],
    builder: &mut InteractionsBuilder,
) -> Result<(), DataProblem> {
    let mut genres = Vec::new();
    // The flags are the last values; the title before them may hold the separator.
    let (text, flags) = values.split_at(values.len() - GENRES.len());
    for (genre, flag) in GENRES.iter().zip(flags) {
        match flag.trim() {
            "1" => genres.push(*genre),
            "0" => {}
            other => {
                return Err(DataProblem::new(
                    place,
                    format!("the flag of {genre} is {other:?}, not 0 or 1"),
                )
                .help("a line ends in 19 flags"));
            }
        }
    }
    let title = text[1..text.len() - 3].join("|");
    item(place, text[0], &title, &genres.join("|"), builder)
}

/// 1M codes age as the lower end of its band, 1 for "under 18", and occupation as a
/// number.
fn person(
    place: &SourceLocation,
    values: &[&str],
    builder: &mut InteractionsBuilder,
) -> Result<(), DataProblem> {
    let user = builder.user(id(place, "the user", values[0])?);
    let code = values[3].trim();
    let occupation = code
        .parse()
        .ok()
        .and_then(|code: usize| OCCUPATIONS.get(code))
        .ok_or_else(|| {
            DataProblem::new(place, format!("the occupation is {code:?}, not 0 to 20"))
                .help("a line is id::gender::age::occupation::postcode")
        })?;
    builder.user_attribute(user, "gender", values[1]);
    builder.user_attribute(user, "age", values[2]);
    builder.user_attribute(user, "occupation", occupation);
    Ok(())
}

/// The year in brackets at a title's end.
fn year(title: &str) -> Option<&str> {
    let (_, year) = title.trim_end().strip_suffix(')')?.rsplit_once('(')?;
    (year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit())).then_some(year)
}
