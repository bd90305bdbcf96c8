//! Headings after which an answer stands: "Answer: …", "**Sentiment** = …".

use super::words::{self, Words, set};

/// What a heading promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum HeadingWeight {
    /// Some heading; what stands behind counts if it is a label and nothing else.
    Any,
    /// An answer.
    Answer,
    /// The answer that is meant to stand.
    Final,
}

static FINAL: Words = std::sync::LazyLock::new(|| {
    set(
        "final finally overall conclusion conclusions verdict therefore thus summary decision outcome \
         endergebnis fazit gesamturteil urteil insgesamt abschließend abschliessend \
         conclusión veredicto finale definitivo definitiva conclusione verdetto conclusão veredito \
         finalement globalement вывод итог итоговый итого вердикт wniosek werdykt závěr slutsats \
         konklusion conclusie oordeel sonuç kesimpulan 结论 結論 总体 總體 最终答案 最終答案 最终 最終 \
         総合 결론 최종 ข้อสรุป สรุป निष्कर्ष الخلاصة מסקנה",
    )
});

static ANSWER: Words = std::sync::LazyLock::new(|| {
    set(
        "answer label labels output prediction predicted class classification category verdict sentiment \
         rating result letter polarity judgment judgement choice option response decision intent priority match topic tone \
         stance relation relationship emotion genre stars score evaluation assessment \
         antwort etikett kategorie klasse klassifikation klassifizierung einordnung einstufung stimmung \
         sentimentanalyse bewertung ergebnis wertung ausgabe polarität urteil \
         réponse étiquette catégorie classe polarité tonalité résultat verdict note \
         respuesta etiqueta categoría clase clasificación sentimiento polaridad resultado veredicto \
         puntuación calificación \
         risposta etichetta categoria classificazione sentimento risultato verdetto valutazione punteggio \
         resposta rótulo classificação polaridade avaliação pontuação nota veredito \
         antwoord label categorie klasse classificatie oordeel beoordeling \
         ответ метка категория класс классификация тональность настроение результат оценка вердикт \
         відповідь категорія тональність оцінка \
         odpowiedź kategoria klasa klasyfikacja sentyment wynik ocena odpověď kategorie hodnocení \
         svar etikett kategori klass betyg vastaus luokka cevap yanıt kategori duygu sonuç puan \
         απάντηση κατηγορία συναίσθημα răspuns categorie válasz kategória hangulat \
         答案 回答 标签 標籤 类别 類別 分类 分類 情感 情绪 情緒 感情 判断 判斷 评价 評價 评分 評分 结果 結果 \
         答え ラベル カテゴリ カテゴリー センチメント 判定 評価 \
         답 정답 답변 대답 라벨 레이블 카테고리 분류 범주 감정 감성 판단 평가 결과 평점 \
         คำตอบ หมวดหมู่ ความรู้สึก ผลลัพธ์ jawaban kategori sentimen label hasil \
         đáp án trả lời cảm xúc nhãn phân loại kết quả \
         उत्तर जवाब श्रेणी भावना परिणाम वर्ग الإجابة إجابة الجواب التصنيف الفئة المشاعر النتيجة \
         תשובה קטגוריה סנטימנט",
    )
});

/// Headings whose text says how sure, how or why: never the answer.
static ASIDE: Words = std::sync::LazyLock::new(|| {
    set(
        "confidence certainty reason reasons reasoning explanation rationale justification note notes \
         analysis evidence thought thoughts step steps hint warning probability likelihood \
         begründung erklärung grund analyse raison explication justification analyse confiance \
         razón explicación razonamiento justificación confianza motivo spiegazione motivazione \
         razão explicação justificativa объяснение причина обоснование uzasadnienie \
         理由 解释 解釋 分析 説明 原因 根拠 이유 설명 분석 근거 เหตุผล alasan lý do कारण السبب \
         alternative alternatives runner-up second options candidates labels choices possible",
    )
});

/// Whether the last line of what leads up to an answer says that it is the one that is
/// meant to stand: "Final answer:", "Corrected:".
pub(crate) fn concludes(lead: &str) -> bool {
    let said = |line: &&str| line.chars().any(char::is_alphanumeric);
    // A fence's language is no heading.
    let lead = lead.trim_end();
    let lead = lead
        .strip_suffix("```json")
        .or(lead.strip_suffix("```"))
        .unwrap_or(lead);
    let Some(line) = lead.lines().rev().find(said) else {
        return false;
    };
    let line = line.to_lowercase();
    words::words(&line).any(|word| {
        FINAL.contains(word) || matches!(word, "corrected" | "revised" | "korrigiert" | "corrigé")
    })
}

/// The weight of a heading, folded and without its colon; `None` if the text is
/// too long or says no such thing.
pub(super) fn weight(head: &str) -> Option<HeadingWeight> {
    const MOST: usize = 6;
    let (mut found, mut count) = (HeadingWeight::Any, 0);
    // "Answer (yes/no)"
    let choices = head.find('(').filter(|_| head.contains(')'));
    for word in words::words(&head[..choices.unwrap_or(head.len())]) {
        count += 1;
        if count > MOST || ASIDE.contains(word) {
            return None;
        }
        if FINAL.contains(word) {
            found = HeadingWeight::Final;
        } else if ANSWER.contains(word) {
            found = found.max(HeadingWeight::Answer);
        } else if !word.is_ascii() && word.chars().any(super::fold::borderless) {
            // Words of such scripts do not part: "情感分类".
            let holds = |set: &Words| {
                set.iter()
                    .any(|noun| !noun.is_ascii() && word.ends_with(noun))
            };
            if holds(&ASIDE) || word.chars().count() > 12 {
                return None;
            }
            if FINAL
                .iter()
                .any(|noun| !noun.is_ascii() && word.contains(noun))
            {
                found = HeadingWeight::Final;
            } else if holds(&ANSWER) {
                found = found.max(HeadingWeight::Answer);
            }
        } else if super::negation::denied(word, "") {
            return None;
        }
    }
    (count > 0).then_some(found)
}

/// A heading in a folded text, and where what it heads begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AnswerHeading {
    pub weight: HeadingWeight,
    pub start: usize,
    pub value: usize,
}

/// The heading that the sentence at `start..end` begins with.
pub(super) fn of(text: &str, start: usize, end: usize) -> Option<AnswerHeading> {
    const LONGEST: usize = 80;
    let sentence = &text[start..end];
    let mut colon = sentence
        .find([':', '=', '→'])
        .or_else(|| sentence.find("->"))?;
    if colon > LONGEST {
        return None;
    }
    // "**Answer**: …", "Answer => …"
    let head = &sentence[..colon];
    let head = head.rsplit(", ").next().unwrap_or(head);
    let weight = weight(head)?;
    while let Some(c) = sentence[colon..]
        .chars()
        .next()
        .filter(|c| matches!(c, ':' | '=' | '>' | '-' | '→'))
    {
        if c == '-' && !sentence[colon..].starts_with("->") {
            break;
        }
        colon += c.len_utf8();
    }
    Some(AnswerHeading {
        weight,
        start,
        value: start + colon,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_weighed() {
        for (head, expected) in [
            ("answer", Some(HeadingWeight::Answer)),
            ("**the correct answer is", Some(HeadingWeight::Answer)),
            ("final answer", Some(HeadingWeight::Final)),
            ("overall", Some(HeadingWeight::Final)),
            ("kategorie", Some(HeadingWeight::Answer)),
            ("情感分类", Some(HeadingWeight::Answer)),
            ("最终答案", Some(HeadingWeight::Final)),
            ("정답", Some(HeadingWeight::Answer)),
            ("battery", Some(HeadingWeight::Any)),
            ("confidence", None),
            ("判断の理由", None),
            ("the reviewer says a lot of good things about it", None),
            ("wrong answer", None),
            ("", None),
        ] {
            assert_eq!(weight(head), expected, "{head}");
        }
    }

    #[test]
    fn headings_need_colons() {
        let text = "**answer:** no";
        let marker = of(text, 0, text.len()).unwrap();
        assert_eq!(&text[marker.value..], "** no");
        assert_eq!(of("answer no", 0, 9), None);
        assert_eq!(of("answer => no", 0, 12).unwrap().value, 9);
    }
}
