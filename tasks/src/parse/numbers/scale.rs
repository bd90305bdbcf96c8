//! Scales, stars and units: what stands beside a number.

pub(super) const STARS: [char; 4] = ['★', '⭐', '🌟', '✭'];
pub(super) const EMPTY: [char; 2] = ['☆', '✩'];
/// Ends of a scale are named with one of these between.
pub(super) const TO: [&str; 25] = [
    "to", "-", "–", "—", "~", "through", "bis", "à", "a", "до", "tot", "til", "till", "al", "do",
    "から", "到", "至", "ile", "and", "und", "에서", "or", "oder", "ou",
];
pub(super) const SCALE: [&str; 14] = [
    "scale",
    "skala",
    "échelle",
    "escala",
    "scala",
    "шкале",
    "шкала",
    "skali",
    "schaal",
    "between",
    "from",
    "von",
    "range",
    "entre",
];
/// What a number is counted in, if not in points of the scale.
pub(super) const UNITS: [&str; 50] = [
    "films",
    "movies",
    "books",
    "users",
    "songs",
    "products",
    "day",
    "days",
    "week",
    "weeks",
    "month",
    "months",
    "year",
    "years",
    "hour",
    "hours",
    "minute",
    "minutes",
    "min",
    "times",
    "people",
    "reviews",
    "words",
    "sentences",
    "points:",
    "reasons",
    "issues",
    "things",
    "dollars",
    "euros",
    "percent",
    "inch",
    "inches",
    "mm",
    "cm",
    "kg",
    "gb",
    "mb",
    "mah",
    "tage",
    "wochen",
    "jahre",
    "jours",
    "días",
    "giorni",
    "dias",
    "дней",
    "mentions",
    "aspects",
    "items",
];
pub(super) const BEFORE: [&str; 12] = [
    "step", "part", "section", "example", "version", "top", "point", "item", "chapter", "model",
    "gpt", "no",
];
pub(super) const SPELLED: [&str; 11] = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
];

/// Whether the number between is an end of the scale by its words.
pub(super) fn is_limit(before: &str, after: &str) -> bool {
    const AFTER: [&str; 16] = [
        "-point",
        "-star",
        "点満点",
        "分满分",
        "分滿分",
        "점 만점",
        "分制",
        "段階",
        "点中",
        "分中",
        "星中",
        "つ星中",
        "= ",
        "being",
        "is the lowest",
        "is the highest",
    ];
    let after = after.trim_start();
    AFTER.iter().any(|word| after.starts_with(word))
        || ["满分", "滿分", "满分为", "满分是", "out of"]
            .iter()
            .any(|word| before.trim_end().ends_with(word))
}

pub(super) fn is_starred(after: &str) -> bool {
    let after = after.trim_start_matches([' ', '-', '*']);
    STARS.iter().any(|star| after.starts_with(*star))
        || [
            "star",
            "stern",
            "étoile",
            "estrella",
            "stell",
            "estrela",
            "ster",
            "звезд",
            "звёзд",
            "gwiazd",
            "星",
            "つ星",
            "点",
            "분",
            "점",
            "분",
            "yıldız",
            "stjärn",
            "stjern",
        ]
        .iter()
        .any(|unit| after.starts_with(unit))
        || after.starts_with('分') && !after.starts_with("分钟") && !after.starts_with("分間")
}

/// The scale behind a number.
pub(super) struct Denominator {
    pub of: f64,
    pub len: usize,
    /// Whether the words say that it is a scale.
    pub certain: bool,
}

/// The scale in "/5", " / 5", " out of 5", "von 5" and what it takes of the text.
pub(super) fn denominator(after: &str) -> Option<Denominator> {
    const WORDS: [(&str, bool); 16] = [
        ("/", true),
        ("out of a possible ", true),
        ("out of ", true),
        ("stars out of ", true),
        ("of ", false),
        ("von ", false),
        ("sur ", false),
        ("de ", false),
        ("su ", false),
        ("av ", false),
        ("van de ", false),
        ("van ", false),
        ("из ", false),
        ("na ", false),
        ("z ", false),
        ("em ", false),
    ];
    let trimmed = after.trim_start_matches([' ', '*']);
    let (rest, certain) = WORDS
        .iter()
        .find_map(|(word, certain)| Some((trimmed.strip_prefix(word)?, *certain)))?;
    let rest = rest.trim_start_matches([' ', '*']);
    let (of, len) = leading(rest).or_else(|| {
        let place = SPELLED.iter().position(|word| rest.starts_with(word))?;
        Some((place as f64, SPELLED[place].len()))
    })?;
    Some(Denominator {
        of,
        len: after.len() - rest.len() + len,
        certain,
    })
}

/// The number that `text` starts with, and how long it is.
pub(super) fn leading(text: &str) -> Option<(f64, usize)> {
    let run = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let bytes = text.as_bytes();
    let mut end = run(text);
    let mut number = text[..end].to_owned();
    if end == 0 {
        // ".5" is a number, "." is not.
        if bytes.first() != Some(&b'.') || run(&text[1..]) == 0 {
            return None;
        }
        number.push('0');
    }
    // Thousands: "1,000" but not "1,2" nor "1,0000".
    let whole = end;
    while end > 0 && bytes.get(end) == Some(&b',') && run(&text[end + 1..]) == 3 {
        number.push_str(&text[end + 1..end + 4]);
        end += 4;
    }
    let fraction = |mark: u8| {
        (bytes.get(end) == Some(&mark))
            .then(|| run(&text[end + 1..]))
            .filter(|&digits| digits > 0)
    };
    if let Some(digits) = fraction(b'.') {
        number.push_str(&text[end..=end + digits]);
        end += 1 + digits;
    } else if let Some(digits) = fraction(b',').filter(|&digits| digits <= 2 && end == whole && end > 0)
        // "1,2,3" is a list.
        && bytes.get(end + 1 + digits) != Some(&b',')
    {
        number.push('.');
        number.push_str(&text[end + 1..=end + digits]);
        end += 1 + digits;
    }
    Some((number.parse().ok()?, end))
}
