//! Words around what is said of something, in the languages that models answer
//! in.

use super::super::words::{Words, set};

/// Verbs, and what else stands right before what is said of something.
pub(super) static VERB: Words = std::sync::LazyLock::new(|| {
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
pub(super) static MODIFIER: Words = std::sync::LazyLock::new(|| {
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
pub(super) static HAVING: Words = std::sync::LazyLock::new(|| {
    set(
        "has have had expresses express expressing conveys conveying shows showing indicates indicating \
         reflects reflecting carries suggests suggesting contains gives hat zeigt drückt exprime montre \
         expresa muestra tiene esprime mostra ha expressa demonstra tem",
    )
});

/// Verbs of sorting, which take a preposition.
pub(super) static SORTING: Words = std::sync::LazyLock::new(|| {
    set(
        "falls fall belongs belong fits fit fitting categorized categorised classified categorize classify \
         assigned placed put sorted pertains relates related corresponds matches gehört fällt passt \
         appartient relève pertenece corresponde encaja appartiene rientra pertence enquadra \
         относится принадлежит należy hoort valt handelt tratta s'agit trata gaat",
    )
});

pub(super) static PREPOSITION: Words = std::sync::LazyLock::new(|| {
    set(
        "under into in to within with as zu zur zum in unter à au dans en a al alla nella nel ao na no к do \
         bij onder tot um di de d'un d'une om",
    )
});

/// Nouns that may follow what is said of them.
pub(super) static NOUN: Words = std::sync::LazyLock::new(|| {
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
pub(super) static GOES_ON: Words = std::sync::LazyLock::new(|| {
    set(
        "because since as due based given for with overall here in from considering so and which where \
         ein weil da denn aufgrund wegen und car parce puisque et porque ya y debido perché poiché e pois \
         omdat want потому так поскольку и ponieważ bo eftersom fordi koska",
    )
});

/// Nouns for what is judged as a whole, and verbs of judging.
pub(super) static WHOLE: Words = std::sync::LazyLock::new(|| {
    set(
        "review sentiment text message statement sentence comment tweet article post email passage question \
         customer category label answer classification this it classified labeled labelled categorized \
         bewertung rezension stimmung kommentar text nachricht artikel avis commentaire texte critique \
         reseña opinión sentimiento comentario texto recensione sentimento commento testo avaliação \
         comentário resenha recensie beoordeling отзыв тональность текст комментарий recenzja opinia tekst \
         yorum metin समीक्षा anmeldelse recension omdömet",
    )
});

/// Words for a part, of which more may be said.
pub(super) static PART: Words = std::sync::LazyLock::new(|| {
    set(
        "first second third part half beginning initial start end sentences aspect aspects phrase word words \
         section opening tone mixed both some mostly partly teil erste zweite partie première aspecto parte primera \
         prima primeira часть первая",
    )
});

/// Words that draw a conclusion.
pub(super) static CONCLUDING: Words = std::sync::LazyLock::new(|| {
    set(
        "overall therefore thus hence conclusion conclude finally ultimately summary short brief consequently final so \
         insgesamt daher somit folglich fazit abschließend zusammenfassend donc globalement ainsi conclusion \
         conclusión conclusion resumen consecuente portanto conclusão resumo quindi pertanto dunque \
         conclusione complesso итак поэтому следовательно целом образом podsumowując zatem dus alltså kortom \
         sonuç kesimpulannya",
    )
});

/// What Chinese, Japanese and Thai put right before what is said.
pub(super) const BEFORE: [&str; 22] = [
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
pub(super) const BETWEEN: [&str; 14] = [
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
pub(super) const BEHIND: [&str; 20] = [
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

pub(super) const WHOLE_INSIDE: [&str; 14] = [
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

pub(super) const CONCLUDING_INSIDE: [&str; 14] = [
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
