//! Sentences that say what something is: "The sentiment is negative", "I would
//! classify this as X", "这条评论是正面的".

use super::sentence::is_decor;
use super::words::{Words, set, words};

/// Verbs, and what else stands right before what is said of something.
static VERB: Words = std::sync::LazyLock::new(|| {
    set(
        "is was are be being been seems appears sounds feels remains it's that's as choose chose choosing \
         select selected pick picked say answer labeled labelled label classified classify considered \
         deemed rated called call categorized categorised assign assigned option letter \
         ist sind wäre wirkt scheint als wähle \
         est c'est sont semble paraît comme choisis es está son parece como elijo \
         è sono sembra come scelgo é são está parece como escolho \
         is lijkt klinkt als är verkar som er virker vaikuttaa jest są jako je jsou este e sunt \
         είναι это является как \
         là adalah merupakan termasuk sebagai olarak है हैं هو هي היא הוא",
    )
});

/// Words between the verb and what is said.
static MODIFIER: Words = std::sync::LazyLock::new(|| {
    set(
        "a an the very clearly overall mostly mainly generally predominantly primarily largely strongly highly \
         quite pretty definitely certainly likely probably most really extremely fairly slightly somewhat \
         moderately overwhelmingly indeed also best more of type category class label option choice letter \
         ein eine einen einer einem eines der die das eher sehr klar eindeutig deutlich überwiegend insgesamt \
         un une le la les plutôt très clairement globalement nettement \
         una el los muy claramente más bien bastante uno il lo molto chiaramente um uma o muito \
         een het zeer duidelijk en ett et mycket tydligt zdecydowanie bardzo foarte очень явно",
    )
});

/// Verbs of having, which need a noun behind: "expresses a positive sentiment".
static HAVING: Words = std::sync::LazyLock::new(|| {
    set(
        "has have had expresses express expressing conveys conveying shows showing indicates indicating \
         reflects reflecting carries suggests suggesting contains gives hat zeigt drückt exprime montre \
         expresa muestra tiene esprime mostra ha expressa demonstra tem",
    )
});

/// Verbs of sorting, which take a preposition.
static SORTING: Words = std::sync::LazyLock::new(|| {
    set(
        "falls fall belongs belong fits fit fitting categorized categorised classified categorize classify \
         assigned placed put sorted pertains relates related corresponds matches gehört fällt passt \
         appartient relève pertenece corresponde encaja appartiene rientra pertence enquadra \
         относится принадлежит należy hoort valt handelt tratta s'agit trata gaat",
    )
});

static PREPOSITION: Words = std::sync::LazyLock::new(|| {
    set(
        "under into in to within with as zu zur zum in unter à au dans en a al alla nella nel ao na no к do \
         bij onder tot um di de d'un d'une om",
    )
});

/// Nouns that may follow what is said of them.
static NOUN: Words = std::sync::LazyLock::new(|| {
    set(
        "sentiment sentiments tone opinion review attitude emotion emotions polarity rating view evaluation \
         feedback stance one category class label comment statement message text tweet experience \
         impression feeling feelings priority urgency severity level outlook perspective assessment answer relationship \
         bewertung stimmung rezension kritik meinung kategorie sentiment tonfall haltung \
         avis commentaire critique sentiment opinion catégorie évaluation note \
         reseña opinión sentimiento comentario valoración categoría recensione opinione sentimento \
         commento valutazione categoria avaliação opinião comentário resenha \
         beoordeling recensie categorie отзыв отзывом категории категория recenzja opinia stars star",
    )
});

/// Words that may go on after what was said.
static GOES_ON: Words = std::sync::LazyLock::new(|| {
    set(
        "because since as due based given for with overall here in from considering so and which where \
         weil da denn aufgrund wegen und car parce puisque et porque ya y debido perché poiché e pois \
         omdat want потому так поскольку и ponieważ bo eftersom fordi koska",
    )
});

/// What Chinese, Japanese and Thai put right before what is said.
const BEFORE: [&str; 22] = [
    "是",
    "为",
    "為",
    "属于",
    "屬於",
    "成",
    "选择",
    "選擇",
    "选",
    "选项",
    "は",
    "が",
    "を",
    "、",
    "เป็น",
    "คือ",
    "ว่า",
    "เชิง",
    "เป็นเชิง",
    "ແມ່ນ",
    "គឺ",
    "在",
];
/// What may stand between.
const BETWEEN: [&str; 14] = [
    "一条",
    "一個",
    "一个",
    "一则",
    "一篇",
    "典型的",
    "明显的",
    "非常",
    "很",
    "较",
    "偏",
    "一種",
    "一种",
    "とても",
];
/// What Japanese and Korean put right behind.
const BEHIND: [&str; 20] = [
    "적입니다",
    "적이다",
    "적인 ",
    "적으로",
    "です",
    "である",
    "だと",
    "だ。",
    "と判断",
    "と評価",
    "と分類",
    "に分類",
    "と言え",
    "なレビュー",
    "な評価",
    "な感情",
    "입니다",
    "이다",
    "으로 분류",
    "으로 판단",
];

/// How a sentence says it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// Whether the sentence speaks of the answer itself, or draws a conclusion.
    pub concludes: bool,
    /// Whether it draws a conclusion from what was said before.
    pub draws: bool,
    /// Whether it speaks of the whole text to be judged.
    pub judges: bool,
}

/// Whether what stands between `before` and `after` is said of something. Both
/// are folded and end where the clause does; `sentence` is what stands before in
/// the whole sentence.
pub(super) fn said(sentence: &str, before: &str, after: &str) -> Option<Said> {
    let follows = follows(after)?;
    let said = precedes(before, follows)
        || (follows == Follows::Nothing && follows_from(sentence, before))
        || is_chosen(after)
        || is_followed(after)
        || spaceless(before, after);
    said.then(|| Said {
        concludes: concludes(sentence) || speaks_of_answer(before),
        draws: concludes(sentence),
        judges: judges(sentence),
    })
}

/// What follows a label that is said of something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Follows {
    Nothing,
    Noun,
}

fn follows(after: &str) -> Option<Follows> {
    if after.chars().all(is_decor) || spaceless_end(after) || is_followed(after) {
        return Some(Follows::Nothing);
    }
    let mut following = words(after);
    let first = following.next()?;
    if NOUN.contains(first) {
        return Some(Follows::Noun);
    }
    // "positive and encouraging sentiment", "negative customer experience"
    if following.take(2).any(|word| NOUN.contains(word)) {
        return Some(Follows::Noun);
    }
    (GOES_ON.contains(first) || is_chosen(after)).then_some(Follows::Nothing)
}

/// "X is the correct answer", "X fits best".
pub(super) fn is_chosen(after: &str) -> bool {
    let mut rest = words(after).take(7);
    if !rest
        .next()
        .is_some_and(|word| matches!(word, "is" | "would" | "seems" | "fits"))
    {
        return false;
    }
    let mut chosen = false;
    for word in rest {
        match word {
            "not" | "isn't" | "incorrect" | "wrong" => return false,
            "correct" | "right" | "best" | "answer" | "appropriate" | "accurate" | "suitable" => {
                chosen = true;
            }
            _ => {}
        }
    }
    chosen
}

/// Whether nothing but articles and the like stand in the text.
pub(super) fn is_modifier(text: &str) -> bool {
    words(text).all(|word| MODIFIER.contains(word))
}

/// Whether nothing but a noun or two follow: "Medium priority".
pub(super) fn is_noun(after: &str) -> bool {
    words(after).count() <= 2 && words(after).all(|word| NOUN.contains(word))
}

/// Verbs that stand behind what is said: "यह समीक्षा सकारात्मक है".
fn is_followed(after: &str) -> bool {
    let mut following = words(after);
    let verb = following.next().is_some_and(|word| {
        matches!(
            word,
            "है" | "हैं"
                | "था"
                | "थी"
                | "आहे"
                | "છે"
                | "ہے"
                | "است"
                | "هست"
                | "আছে"
        )
    });
    verb && following.next().is_none()
}

fn precedes(before: &str, follows: Follows) -> bool {
    let mut preceding = words(before).rev();
    for _ in 0..6 {
        let Some(word) = preceding.next() else {
            return false;
        };
        if VERB.contains(word) {
            return true;
        }
        if HAVING.contains(word) {
            return follows == Follows::Noun;
        }
        if PREPOSITION.contains(word) && preceding.clone().any(|word| SORTING.contains(word)) {
            return true;
        }
        // "is about politics", "I call this negative".
        if matches!(word, "about" | "this" | "it" | "that") {
            return preceding.next().is_some_and(|verb| {
                matches!(
                    verb,
                    "is" | "are" | "call" | "consider" | "rate" | "label" | "classify" | "find"
                )
            });
        }
        if !MODIFIER.contains(word) {
            return false;
        }
    }
    false
}

fn spaceless(before: &str, after: &str) -> bool {
    let mut before = before.trim_end_matches(|c: char| is_decor(c));
    if before.is_ascii() && after.is_ascii() {
        return false;
    }
    while let Some(shorter) = BETWEEN.iter().find_map(|word| before.strip_suffix(word)) {
        before = shorter;
    }
    BEFORE.iter().any(|word| before.ends_with(word))
        || BEHIND
            .iter()
            .any(|word| after.trim_start_matches(['"', '*']).starts_with(word))
}

/// Whether a clause without spaces may end so after what is said.
fn spaceless_end(after: &str) -> bool {
    const MOST: usize = 8;
    !after.is_ascii() && after.trim().chars().count() <= MOST
        || BEHIND.iter().any(|word| after.starts_with(word))
}

/// Nouns for what is judged as a whole, and verbs of judging.
static WHOLE: Words = std::sync::LazyLock::new(|| {
    set(
        "review sentiment text message statement sentence comment tweet article post email passage question \
         customer category label answer classification this it classified labeled labelled categorized \
         bewertung rezension stimmung kommentar text nachricht artikel avis commentaire texte critique \
         reseña opinión sentimiento comentario texto recensione sentimento commento testo avaliação \
         comentário resenha recensie beoordeling отзыв тональность текст комментарий recenzja opinia tekst \
         yorum metin समीक्षा anmeldelse recension omdömet",
    )
});

const WHOLE_INSIDE: [&str; 14] = [
    "评论",
    "評論",
    "评价",
    "情感",
    "文本",
    "レビュー",
    "感情",
    "文章",
    "리뷰",
    "감정",
    "รีวิว",
    "ความคิดเห็น",
    "ข้อความ",
    "答案",
];

/// Words for a part, of which more may be said.
static PART: Words = std::sync::LazyLock::new(|| {
    set(
        "first second third part half beginning initial start end sentences aspect aspects phrase word words \
         section opening tone mixed both some mostly partly teil erste zweite partie première aspecto parte primera \
         prima primeira часть первая",
    )
});

fn judges(before: &str) -> bool {
    let whole = words(before).take(8).any(|word| WHOLE.contains(word))
        || (!before.is_ascii() && WHOLE_INSIDE.iter().any(|word| before.contains(word)));
    whole && !words(before).any(|word| PART.contains(word))
}

/// "…; hence negative", "In short, yes".
fn follows_from(sentence: &str, before: &str) -> bool {
    concludes(sentence)
        && words(before)
            .all(|word| CONCLUDING.contains(word) || MODIFIER.contains(word) || word == "in")
}

/// Words that draw a conclusion.
static CONCLUDING: Words = std::sync::LazyLock::new(|| {
    set(
        "overall therefore thus hence conclusion conclude finally ultimately summary short brief consequently final so \
         insgesamt daher somit folglich fazit abschließend zusammenfassend donc globalement ainsi conclusion \
         conclusión conclusion resumen consecuente portanto conclusão resumo quindi pertanto dunque \
         conclusione complesso итак поэтому следовательно целом образом podsumowując zatem dus alltså kortom \
         sonuç kesimpulannya",
    )
});

const CONCLUDING_INSIDE: [&str; 14] = [
    "因此",
    "所以",
    "综上",
    "綜上",
    "总体",
    "總體",
    "总的来说",
    "整体",
    "したがって",
    "よって",
    "総合",
    "따라서",
    "그러므로",
    "전반적",
];

pub(super) fn concludes(before: &str) -> bool {
    words(before).any(|word| CONCLUDING.contains(word))
        || (!before.is_ascii() && CONCLUDING_INSIDE.iter().any(|word| before.contains(word)))
}

/// "The answer is", "the correct category is", not "the tone is".
fn speaks_of_answer(before: &str) -> bool {
    words(before).any(|word| {
        matches!(
            word,
            "answer"
                | "label"
                | "classification"
                | "verdict"
                | "antwort"
                | "réponse"
                | "respuesta"
                | "risposta"
                | "resposta"
                | "antwoord"
                | "ответ"
                | "odpowiedź"
                | "svar"
        )
    }) || ["答案", "答え", "정답"]
        .iter()
        .any(|word| before.contains(word))
}

/// Whether the clause stands after such a word that it only concedes.
pub(super) fn is_conceding(after: &str) -> bool {
    let mut following = words(after);
    following.next().is_some_and(|word| {
        matches!(
            word,
            "but"
                | "however"
                | "yet"
                | "aber"
                | "jedoch"
                | "mais"
                | "pero"
                | "sino"
                | "ma"
                | "mas"
                | "но"
                | "однако"
                | "maar"
                | "men"
        )
    }) || ["但", "しかし", "が、", "だが", "지만"]
        .iter()
        .any(|word| after.trim_start().starts_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predicates_are_known_in_several_languages() {
        for (before, after) in [
            ("the sentiment is ", ""),
            ("i would classify this as a ", " review"),
            ("i would call this a ", " review"),
            ("the text expresses a ", " and warm sentiment"),
            ("it falls under the ", " category"),
            ("the article is about ", ""),
            ("", " is the correct answer"),
            ("option ", " fits best"),
            (
                "es handelt sich insgesamt um eine klare sache, das ist ",
                "",
            ),
            ("cet avis est plutôt ", ""),
            ("la reseña es ", ""),
            ("la recensione è molto ", ""),
            ("这条评论是", "的"),
            ("このレビューは", "です"),
            ("이 리뷰는 ", "입니다"),
        ] {
            assert!(said(before, before, after).is_some(), "{before}|{after}");
        }
        for (before, after) in [
            ("the film has ", " sides"),
            ("the text expresses ", ""),
            ("the film is ", " about life"),
            ("some ", " words"),
            ("", " is not the correct answer"),
        ] {
            assert!(said(before, before, after).is_none(), "{before}|{after}");
        }
    }
}
