//! Text of files that are not in UTF-8: told by the file itself or by the study,
//! and handed on as UTF-8, streaming.

use std::cell::RefCell;
use std::io::{self, BufRead, Cursor, Read};
use std::rc::Rc;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Decoder, Encoding, UTF_8, WINDOWS_1252};
use shiftproof_tasks::lint::{LintFinding, LintSeverity};

/// Findings of several files of one load.
pub(super) type Found = Rc<RefCell<Vec<LintFinding>>>;

/// Bytes that the decision rests on, from the first that is not ASCII.
const SAMPLE: u64 = 4 << 20;
/// Bytes handed on at once.
const CHUNK: usize = 64 << 10;
/// Characters of a line that a warning shows.
const SHOWN: usize = 60;

/// A file as UTF-8.
pub(super) struct Utf8Reader<R> {
    name: String,
    inner: R,
    state: DecoderState,
    /// What was read ahead to decide.
    sample: Cursor<Vec<u8>>,
    /// The line that the first byte beyond ASCII stands in, up to it.
    line: Vec<u8>,
    /// Whether nothing was handed on yet.
    is_start: bool,
    out: Vec<u8>,
    at: usize,
    found: Found,
}

enum DecoderState {
    /// Only ASCII so far.
    Undecided,
    /// Handed on as it is.
    AsIs,
    Decoded(Decoder),
    Ended,
}

impl<R: BufRead> Utf8Reader<R> {
    /// A file of this name. Without an encoding that is asked for, the first
    /// bytes beyond ASCII decide, and what is not beyond doubt is told.
    pub fn new(name: String, inner: R, asked: Option<&'static Encoding>, found: Found) -> Self {
        let state = match asked {
            None => DecoderState::Undecided,
            Some(encoding) if encoding == UTF_8 => DecoderState::AsIs,
            Some(encoding) => DecoderState::Decoded(encoding.new_decoder_with_bom_removal()),
        };
        Self {
            name,
            inner,
            state,
            sample: Cursor::default(),
            line: Vec::new(),
            is_start: true,
            out: Vec::new(),
            at: 0,
            found,
        }
    }

    /// Makes the next bytes ready.
    fn advance(&mut self) -> io::Result<()> {
        self.out.clear();
        self.at = 0;
        if matches!(self.state, DecoderState::Undecided) {
            let ahead = self.inner.fill_buf()?;
            let ascii = ahead.iter().take_while(|byte| byte.is_ascii()).count();
            if ascii > 0 || ahead.is_empty() {
                self.out.extend_from_slice(&ahead[..ascii]);
                self.inner.consume(ascii);
                self.keep_line();
                self.is_start = false;
                return Ok(());
            }
            self.decide()?;
        }
        let mut chunk = Vec::with_capacity(CHUNK);
        self.sample
            .by_ref()
            .chain(self.inner.by_ref())
            .take(CHUNK as u64)
            .read_to_end(&mut chunk)?;
        match &mut self.state {
            DecoderState::AsIs => self.out = chunk,
            DecoderState::Decoded(decoder) => {
                let mut text = String::new();
                let room = decoder.max_utf8_buffer_length(chunk.len());
                text.reserve(room.unwrap_or(CHUNK * 4));
                let last = chunk.is_empty();
                let _ = decoder.decode_to_string(&chunk, &mut text, last);
                self.out = text.into_bytes();
                if last {
                    self.state = DecoderState::Ended;
                } else if self.out.is_empty() {
                    // Half a character; the rest comes next.
                    return self.advance();
                }
            }
            DecoderState::Undecided | DecoderState::Ended => {}
        }
        Ok(())
    }

    /// Keeps the line that is not ended yet.
    fn keep_line(&mut self) {
        if let Some(at) = self.out.iter().rposition(|byte| *byte == b'\n') {
            self.line.clear();
            self.line.extend_from_slice(&self.out[at + 1..]);
        } else {
            self.line.extend_from_slice(&self.out);
        }
    }

    /// Reads ahead and tells how the rest is written.
    fn decide(&mut self) -> io::Result<()> {
        let mut sample = Vec::new();
        let taken = self.inner.by_ref().take(SAMPLE).read_to_end(&mut sample)?;
        let is_all = (taken as u64) < SAMPLE;
        let marked = Encoding::for_bom(&sample).filter(|_| self.is_start);
        let (encoding, doubt) = match marked {
            Some((encoding, _)) => (encoding, None),
            None => detect(&sample, is_all),
        };
        if let Some(doubt) = doubt {
            let first = sample.split(|byte| *byte == b'\n').next().unwrap_or(&[]);
            let line = [self.line.as_slice(), first].concat();
            let (text, ..) = encoding.decode(&line);
            let start = text.find(|c: char| !c.is_ascii()).unwrap_or(0);
            let before = text[..start].chars().count().saturating_sub(SHOWN / 3);
            let shown: String = text.trim_end().chars().skip(before).take(SHOWN).collect();
            self.found.borrow_mut().push(LintFinding {
                severity: LintSeverity::Warning,
                code: "encoding",
                message: format!(
                    "{} is not UTF-8{doubt}, for example {shown:?}; where that is wrong, name the \
                     encoding: data.interactions.encoding = \"…\"",
                    self.name
                ),
                places: Vec::new(),
            });
        }
        self.state = if encoding == UTF_8 {
            DecoderState::AsIs
        } else {
            DecoderState::Decoded(encoding.new_decoder_with_bom_removal())
        };
        self.sample = Cursor::new(sample);
        Ok(())
    }
}

impl<R: BufRead> Read for Utf8Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let taken = self.fill_buf()?.read(buffer)?;
        self.consume(taken);
        Ok(taken)
    }
}

impl<R: BufRead> BufRead for Utf8Reader<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at >= self.out.len() && !matches!(self.state, DecoderState::Ended) {
            self.advance()?;
        }
        Ok(&self.out[self.at..])
    }

    fn consume(&mut self, amount: usize) {
        self.at = (self.at + amount).min(self.out.len());
    }
}

/// How these bytes, which begin with one beyond ASCII, are written, and what is
/// doubtful about it.
fn detect(sample: &[u8], is_all: bool) -> (&'static Encoding, Option<String>) {
    match std::str::from_utf8(sample) {
        Ok(_) => return (UTF_8, None),
        // A character may be cut at the sample's end.
        Err(error) if error.error_len().is_none() && !is_all => return (UTF_8, None),
        Err(_) => {}
    }
    let lines = || {
        sample
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_ascii())
    };
    let broken = lines().filter(|line| std::str::from_utf8(line).is_err());
    let (broken, all) = (broken.count(), lines().count());
    if broken * 10 <= all {
        // These lines are read one by one.
        return (
            UTF_8,
            Some(format!(
                " in {broken} of its lines, which were read as windows-1252"
            )),
        );
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(sample, is_all);
    let guess = detector.guess(None, Utf8Detection::Deny);
    match (guess, is_western(sample)) {
        (guess, true) if guess == WINDOWS_1252 || !guess.is_single_byte() => (WINDOWS_1252, None),
        (guess, false) if guess == WINDOWS_1252 => (
            WINDOWS_1252,
            Some(" and looks like no known encoding; it was read as windows-1252".into()),
        ),
        (guess, _) => (guess, Some(format!("; it was read as {}", guess.name()))),
    }
}

/// Whether bytes make sense as a western language in windows-1252: letters beyond
/// ASCII stand alone or in pairs among others, and there are hardly any signs.
fn is_western(bytes: &[u8]) -> bool {
    let (text, _) = WINDOWS_1252.decode_without_bom_handling(bytes);
    let (mut all, mut odd, mut run) = (0_usize, 0_usize, 0_usize);
    for c in text.chars() {
        if c.is_ascii() {
            run = 0;
            continue;
        }
        run += 1;
        all += 1;
        let is_usual = c.is_alphabetic() || "‘’“”„‚–—…•€£©®™°«»¿¡½¼¾²³·\u{a0}\u{ad}".contains(c);
        odd += usize::from(run > 2 || !is_usual || c.is_control());
    }
    odd * 10 <= all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8], asked: Option<&str>) -> (String, Vec<LintFinding>) {
        let found = Found::default();
        let asked = asked.and_then(|label| Encoding::for_label(label.as_bytes()));
        let mut text = String::new();
        // A small buffer, so that characters are cut.
        let inner = io::BufReader::with_capacity(7, bytes);
        Utf8Reader::new("x.dat".into(), inner, asked, Rc::clone(&found))
            .read_to_string(&mut text)
            .unwrap();
        (text, found.take())
    }

    fn encoded(text: &str, label: &str) -> Vec<u8> {
        let encoding = Encoding::for_label(label.as_bytes()).unwrap();
        let (bytes, _, unmappable) = encoding.encode(text);
        assert!(!unmappable, "{label}");
        bytes.into_owned()
    }

    const CHINESE: &str = "1::霸王别姬 (1993)::剧情\n2::英雄 (2002)::动作\n3::卧虎藏龙 (2000)::动作\n4::花样年华 (2000)::爱情\n";
    const JAPANESE: &str = "1::千と千尋の神隠し (2001)::アニメ\n2::七人の侍 (1954)::時代劇\n3::となりのトトロ (1988)::アニメ\n";
    const RUSSIAN: &str = "1::Броненосец Потёмкин (1925)::Драма\n2::Летят журавли (1957)::Драма\n3::Сталкер (1979)::Фантастика\n";
    const FRENCH: &str = "72::Misérables, Les (1995)::Drama\n73::Cité des enfants perdus, La (1995)::Sci-Fi\n74::Young Poisoner’s Handbook – uncut (1995)::Crime\n";

    #[test]
    fn western_titles_are_windows_1252() {
        assert_eq!(
            read(&encoded(FRENCH, "windows-1252"), None),
            (FRENCH.into(), vec![])
        );
        // A single accent among plain titles, as in the older data sets.
        let plain =
            "1::Toy Story (1995)::Comedy\n2::Il Postino (1994)::Drama\n3::Léon (1994)::Crime\n";
        assert_eq!(
            read(&encoded(plain, "latin1"), None),
            (plain.into(), vec![])
        );
    }

    #[test]
    fn other_encodings_are_reported() {
        for (text, label, name, shown) in [
            (CHINESE, "gbk", "GBK", "霸王别姬"),
            (JAPANESE, "shift_jis", "Shift_JIS", "千と千尋"),
            (RUSSIAN, "windows-1251", "windows-1251", "Броненосец"),
        ] {
            let (read, found) = read(&encoded(text, label), None);
            assert_eq!(read, text, "{label}");
            assert_eq!(found.len(), 1);
            let message = &found[0].message;
            assert!(
                message.contains(&format!("x.dat is not UTF-8; it was read as {name}")),
                "{message}"
            );
            assert!(message.contains(shown), "{message}");
        }
    }

    #[test]
    fn declared_encoding_is_used() {
        let bytes = encoded(CHINESE, "gb18030");
        assert_eq!(read(&bytes, Some("gb18030")), (CHINESE.into(), vec![]));
        let (wrong, found) = read(&bytes, Some("latin1"));
        assert!(wrong.contains("°ÔÍõ±ð¼§") && found.is_empty());
    }

    #[test]
    fn utf_with_mark_is_silent() {
        for text in [CHINESE, FRENCH, "plain\n"] {
            assert_eq!(read(text.as_bytes(), None), (text.into(), vec![]));
            let units: Vec<u8> = std::iter::once(0xfeff)
                .chain(text.encode_utf16())
                .flat_map(u16::to_le_bytes)
                .collect();
            assert_eq!(read(&units, None), (text.into(), vec![]));
        }
    }

    #[test]
    fn broken_lines_are_reported() {
        let mut bytes = "é\n".repeat(20).into_bytes();
        bytes.extend(b"caf\xe9\n");
        let found = Found::default();
        let mut out = Vec::new();
        Utf8Reader::new("x.dat".into(), bytes.as_slice(), None, Rc::clone(&found))
            .read_to_end(&mut out)
            .unwrap();
        assert_eq!(out, bytes);
        assert!(
            found.take()[0]
                .message
                .contains("not UTF-8 in 1 of its lines")
        );
    }

    proptest! {
        #[test]
        fn utf_8_passes_unchanged(text in "\\PC{0,80}", size in 1_usize..9) {
            let mut out = String::new();
            let inner = io::BufReader::with_capacity(size, text.as_bytes());
            Utf8Reader::new("x".into(), inner, None, Found::default()).read_to_string(&mut out).unwrap();
            prop_assert_eq!(out, text);
        }

        #[test]
        fn no_bytes_break_decoding(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut out = Vec::new();
            let read = Utf8Reader::new("x".into(), bytes.as_slice(), None, Found::default()).read_to_end(&mut out);
            prop_assert!(read.is_ok());
        }
    }
}
