//! Words that deny, doubt or suppose what stands beside them.

use std::sync::LazyLock;

use super::words::{self, Words, set};

/// English words of denial and doubt: they deny what follows them.
static ENGLISH: Words = LazyLock::new(|| {
    set(
        "not never no neither nor non hardly barely scarcely without cannot cant isnt wasnt arent \
         doesnt dont didnt wont unlikely doubt doubtful doubts lack lacks lacking absence opposite \
         incorrect wrong wrongly less least nothing fails failed fail avoid avoids none nobody \
         refute refutes deny denies excluding except mistake mistaken leaning false sarcastic sarcastically ironic ironically inaccurate misleading overly exaggerated if whether unless could might may either \
         expected expects hoped hoping hopes wanted wants wished wishes supposed intended \
         initially surface surface-level seemingly superficially would-be pretends pretending \
         although though while whereas despite unlike versus vs or",
    )
});

/// Words of denial in other languages, wherever they stand in the clause.
static OTHER: Words = LazyLock::new(|| {
    set(
        "nicht kein keine keinen keiner keinem keineswegs nie niemals weder ohne kaum obwohl während wenn ob \
         könnte oder zwar \
         pas n'est n'a n'était jamais aucun aucune sans ni guère ou \
         nunca jamás jamas tampoco sin ningún ninguna aunque \
         mai senza nessun nessuna neppure neanche nemmeno anziché benché sebbene oppure \
         nem não nao tampouco sem nenhum nenhuma embora ou \
         niet geen nooit zonder hoewel \
         ikke ikkje inte ej icke aldri aldrig aldrei ekki uden uten utan eller \
         ei eivät eikä älä ilman tai \
         не нет ни без нельзя никогда вряд хотя если или \
         ні немає або nie nigdy bez ani lub choć ne není nejsou nikdy nebo nije nisu nikad ili nije \
         nu nici fără sau nincs sem soha vagy \
         δεν μη μην όχι χωρίς ή αν \
         değil değildir yok hiç asla olmayan veya \
         नहीं न मत बिना नहीँ या না নয় নেই নাই நல்ல இல்லை అல்ல కాదు లేదు ಅಲ್ಲ ಇಲ್ಲ അല്ല ഇല്ല નથી नाही ਨਹੀਂ \
         لا ليس ليست لم لن غير بدون أو نیست نه بدون یا نہیں לא אין בלי או \
         tidak bukan tak tanpa belum atau không chẳng chưa chả hoặc wala \
         nav nėra hapana",
    )
});

/// Denial inside text without spaces.
const INSIDE: [&str; 40] = [
    "不",
    "没",
    "沒",
    "非",
    "无",
    "無",
    "未",
    "勿",
    "并非",
    "否认",
    "虽",
    "雖",
    "如果",
    "还是",
    "還是",
    "或",
    "ない",
    "なく",
    "なかっ",
    "ません",
    "ぬ",
    "ざる",
    "ずに",
    "ありえ",
    "ไม่",
    "หรือ",
    "ບໍ່",
    "មិន",
    "គ្មាន",
    "ဘူး",
    "မဟုတ်",
    "아니",
    "아닙",
    "아님",
    "아닌",
    "않",
    "못",
    "없",
    "비록",
    "거나",
];

/// Phrases that hold such a word and deny nothing.
const HARMLESS: [&str; 26] = [
    "no doubt",
    "without a doubt",
    "without doubt",
    "without any doubt",
    "undoubtedly",
    "not only",
    "nothing but",
    "ohne zweifel",
    "zweifellos",
    "nicht nur",
    "sans aucun doute",
    "sans doute",
    "sin duda",
    "senza dubbio",
    "sem dúvida",
    "zonder twijfel",
    "без сомнения",
    "非常",
    "毫无疑问",
    "无疑",
    "毫無疑問",
    "無疑",
    "不错",
    "不仅",
    "しかない",
    "に違いない",
];

/// Words of Portuguese, in which "no" is "in the".
const PORTUGUESE: [&str; 7] = ["é", "uma", "não", "são", "dos", "das", "ao"];

/// Whether a clause denies, doubts or only supposes what stands between
/// `before` and `after`, both folded.
///
/// English denies what follows ("not positive"), so `after` is searched for other
/// languages alone, where the word may stand behind (`olumlu değil`, `肯定的では
/// ない`).
pub(super) fn denied(before: &str, after: &str) -> bool {
    // Phrases are looked for where it matters only: most clauses deny nothing.
    holds_denial(before, after) && holds_denial(&harmless(before), &harmless(after))
}

fn holds_denial(before: &str, after: &str) -> bool {
    let mut last = "";
    for word in words::words(before) {
        let portuguese =
            || word == "no" && words::words(before).any(|word| PORTUGUESE.contains(&word));
        if (ENGLISH.contains(word) && !portuguese())
            || word.ends_with("n't")
            || OTHER.contains(word)
            || (word == "than" && last == "rather")
            || (word == "of" && last == "instead")
            || (word == "from" && last == "far")
            || (word == "but" && last == "anything")
        {
            return true;
        }
        last = word;
    }
    // "As positive as a root canal."
    let compared = matches!(last, "as" | "so") && words::words(after).next() == Some("as");
    compared
        || words::words(after).any(|word| OTHER.contains(word) && word.len() > 2)
        || [before, after].into_iter().any(|side| {
            side.contains(['≠', '¬', '❌', '✗', '✘', '🚫'])
                || (!side.is_ascii() && INSIDE.iter().any(|denial| side.contains(denial)))
        })
}

/// Whether a sentence that begins so only supposes what it says: "If the battery
/// were better, …".
pub(super) fn supposes(sentence: &str) -> bool {
    let mut said = words::words(sentence);
    let first = said.next().unwrap_or_default();
    matches!(
        first,
        "if" | "unless"
            | "wenn"
            | "falls"
            | "si"
            | "se"
            | "als"
            | "hvis"
            | "если"
            | "jeśli"
            | "gdyby"
            | "jos"
            | "eğer"
    ) && !matches!(said.next(), Some("tratta" | "trata"))
        || (!sentence.is_ascii()
            && ["如果", "假如", "もし", "만약", "यदि", "अगर", "ถ้า"]
                .iter()
                .any(|word| sentence.contains(word)))
}

/// The text with harmless phrases taken out.
fn harmless(text: &str) -> std::borrow::Cow<'_, str> {
    let mut text = std::borrow::Cow::Borrowed(text);
    for phrase in HARMLESS {
        if text.contains(phrase) {
            text = std::borrow::Cow::Owned(text.replace(phrase, " "));
        }
    }
    text
}

/// Words after which the opposite of what was denied follows.
static ADVERSATIVE: Words = LazyLock::new(|| {
    set(
        "but rather instead sondern vielmehr mais plutôt sino mas ma bensì senão а но maar utan men \
         vaan lecz ale ama ancak tapi melainkan mà nhưng जबकि बल्कि لكن بل",
    )
});

pub(super) fn is_adversative(word: &str) -> bool {
    ADVERSATIVE.contains(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denial_is_known_both_ways() {
        for (before, after) in [
            ("it is not ", ""),
            ("it isn't really ", ""),
            ("anything but ", ""),
            ("far from ", ""),
            ("die bewertung ist nicht ", ""),
            ("positiv ist das ", " nicht"),
            ("le commentaire n'est pas ", ""),
            ("yorum ", " değil"),
            ("このレビューは", "ではない"),
            ("这条评论不是", "的"),
            ("이 리뷰는 ", "이 아닙니다"),
            ("यह समीक्षा ", " नहीं है"),
            ("no es ", ""),
            ("if it were ", ""),
        ] {
            assert!(denied(before, after), "{before}|{after}");
        }
        for (before, after) in [
            ("it is ", ""),
            ("there is no doubt that it is ", ""),
            ("o sentimento no texto é ", ""),
            ("这条评论非常", "的"),
            ("it is ", " and not bad"),
            ("このレビューは", "です"),
        ] {
            assert!(!denied(before, after), "{before}|{after}");
        }
    }
}
