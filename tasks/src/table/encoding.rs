//! Bytes of a file as UTF-8.

use std::io::{self, BufRead, Cursor};

/// A reader of UTF-8 and whether the file is written in UTF-16, as Excel's
/// "Unicode text" is: told by its byte-order mark, or by a zero in every other
/// byte of its beginning. A UTF-8 mark is left to the reader of the format.
///
/// # Errors
/// As the reader; `InvalidData` where UTF-16 is cut or broken.
pub(super) fn decoded<'a>(
    mut reader: impl BufRead + 'a,
) -> io::Result<(Box<dyn BufRead + 'a>, bool)> {
    let low_first = match reader.fill_buf()? {
        [0xff, 0xfe, ..] => true,
        [0xfe, 0xff, ..] => false,
        [a, 0, b, 0, ..] if *a != 0 && *b != 0 => true,
        [0, a, 0, b, ..] if *a != 0 && *b != 0 => false,
        _ => return Ok((Box::new(reader), false)),
    };
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes)?;
    let text = utf16(&bytes, low_first)?;
    Ok((Box::new(Cursor::new(text.into_bytes())), true))
}

fn utf16(bytes: &[u8], low_first: bool) -> io::Result<String> {
    let invalid = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    let units = bytes.chunks_exact(2);
    if !units.remainder().is_empty() {
        return Err(invalid(
            "it is UTF-16 with half a character at its end; save it as UTF-8".to_owned(),
        ));
    }
    let units = units.map(|pair| {
        let pair = [pair[0], pair[1]];
        if low_first {
            u16::from_le_bytes(pair)
        } else {
            u16::from_be_bytes(pair)
        }
    });
    let mut line = 1_u64;
    let mut text = String::with_capacity(bytes.len());
    for unit in char::decode_utf16(units) {
        match unit {
            Ok('\u{feff}') if text.is_empty() => {}
            Ok(c) => {
                line += u64::from(c == '\n');
                text.push(c);
            }
            Err(_) => {
                return Err(invalid(format!(
                    "it is UTF-16 with a broken character in line {line}; save it as UTF-8"
                )));
            }
        }
    }
    Ok(text)
}
