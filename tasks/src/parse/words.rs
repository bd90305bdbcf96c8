//! Words around labels, in the languages that models answer in.

use std::collections::BTreeSet;
use std::sync::LazyLock;

/// A set of words, folded, written as one text.
pub(super) type Words = LazyLock<BTreeSet<&'static str>>;

/// The words of a text as a set.
pub(super) fn set(words: &'static str) -> BTreeSet<&'static str> {
    words.split_whitespace().collect()
}

/// The words of a folded text, apostrophes inside kept ("isn't").
pub(super) fn words(text: &str) -> impl DoubleEndedIterator<Item = &str> + Clone {
    text.split(|c: char| !is_word(c))
        .map(|word| word.trim_matches('\''))
        .filter(|word| !word.is_empty())
}

/// Whether the character belongs to a word. Signs that combine with letters do
/// (vowels of Indic scripts, accents that have no composed form).
pub(super) fn is_word(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || c == '\'';
    }
    c.is_alphanumeric() || unicode_normalization::char::is_combining_mark(c)
}

/// Yes, no and other words that mean something else than an answer in running
/// text.
static WEAK: Words = LazyLock::new(|| {
    set(
        "yes no true false none other others not maybe unknown na null nil all both any it is in on \
         to of or and so ok ja nein doch oui non si sí sì da nu tak nie ne sim não nao нет да evet hayır \
         hayir yok var nem igen ei kyllä on nej no nee jo ano hai iie vai ya tidak có không ใช่ ไม่ はい \
         いいえ 是 否 对 不 有 无 無 好 네 예 아니요 아니오 हाँ नहीं نعم لا כן לא i a",
    )
});

pub(super) fn is_weak(label: &str) -> bool {
    let mut chars = label.chars();
    let one = chars.next().is_some() && chars.next().is_none();
    (one && label.chars().all(char::is_alphanumeric))
        || WEAK.contains(label)
        || label.bytes().all(|b| b.is_ascii_digit())
}

/// "a", "i" and "no" are English words before they are labels: in "a good film"
/// or "no doubt" they answer nothing. A clause may follow ("no, because", "no it
/// is").
pub(super) fn goes_on(label: &str, after: &str) -> bool {
    /// What a model says that agrees to answer, before it does.
    const AGREES: [&str; 8] = [
        "i understand",
        "i can help",
        "i can do that",
        "i will help",
        "i'd be happy",
        "i would be happy",
        "i'm ready",
        "of course",
    ];
    if label == "yes" {
        let said = after.trim_start_matches([',', '.', '!', ' ']);
        return AGREES.iter().any(|agrees| said.starts_with(agrees));
    }
    if !matches!(label, "a" | "i" | "no") {
        return false;
    }
    let Some(next) = after.strip_prefix(' ').and_then(|rest| {
        rest.split(|c: char| !c.is_alphanumeric())
            .next()
            .filter(|word| !word.is_empty())
    }) else {
        return false;
    };
    !matches!(
        next,
        "because"
            | "since"
            | "as"
            | "it"
            | "this"
            | "the"
            | "they"
            | "he"
            | "she"
            | "we"
            | "is"
            | "for"
            | "based"
            | "with"
    )
}

/// Whether the Korean text begins with what may follow a noun.
pub(super) fn is_particle(after: &str) -> bool {
    const PARTICLES: [&str; 26] = [
        "적",
        "입니다",
        "이다",
        "이며",
        "이고",
        "이라",
        "인",
        "임",
        "이에",
        "예요",
        "이",
        "은",
        "는",
        "을",
        "를",
        "으로",
        "로",
        "의",
        "과",
        "와",
        "도",
        "에",
        "일",
        "다",
        "라",
        "하",
    ];
    PARTICLES.iter().any(|particle| after.starts_with(particle))
}

/// What may follow a label that is a whole sentence, in scripts without spaces
/// and in Korean.
pub(super) fn without_ending(after: &str) -> &str {
    const ENDINGS: [&str; 24] = [
        "的",
        "性",
        "类",
        "類",
        "です",
        "でした",
        "である",
        "だ",
        "な",
        "になります",
        "となります",
        "と判断します",
        "입니다",
        "이다",
        "적입니다",
        "적이다",
        "적",
        "임",
        "이에요",
        "예요",
        "요",
        "ค่ะ",
        "ครับ",
        "นะ",
    ];
    let mut rest = after;
    loop {
        let Some(next) = ENDINGS
            .iter()
            .filter_map(|ending| rest.strip_prefix(ending))
            .min_by_key(|rest| rest.len())
        else {
            return rest;
        };
        rest = next;
    }
}

/// Other forms of an adjective: only endings that tell the language, so that
/// English labels keep to themselves ("positives" are points, no verdict).
pub(super) fn inflected(word: &str) -> Vec<String> {
    const MIN: usize = 5;
    const RULES: [(&str, &str, &str); 13] = [
        // German, Dutch, Scandinavian.
        ("iv", "", "e er en es em t a"),
        ("isch", "", "e er en es em"),
        ("lich", "", "e er en es em"),
        ("al", "", "er en em"),
        ("ief", "f", "ve"),
        // French.
        ("if", "f", "ve fs ves"),
        // Spanish, Italian, Portuguese.
        ("ivo", "o", "a os as i e"),
        ("oso", "o", "a os as i e"),
        ("ado", "o", "a os as"),
        // Russian, Ukrainian, Bulgarian.
        ("ый", "ый", "ая ое ые ого ому ым ой ую ых ыми"),
        ("ий", "ий", "ая ое ие яя ее его ого им ой ую ых"),
        // Polish, Czech.
        ("ny", "y", "a e ego ej ą ym i"),
        ("ní", "í", "ího ím"),
    ];
    if word.chars().count() < MIN {
        return Vec::new();
    }
    RULES
        .iter()
        .find(|(ending, ..)| word.ends_with(ending))
        .map(|(_, cut, endings)| {
            let stem = &word[..word.len() - cut.len()];
            endings
                .split(' ')
                .map(|ending| format!("{stem}{ending}"))
                .filter(|form| form != word)
                .collect()
        })
        .unwrap_or_default()
}
