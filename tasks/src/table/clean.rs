//! The bytes of a delimited file with one kind of line end, watched for quotes
//! that a lenient reader would pass over.

use std::io::{self, BufRead, Read};

use super::dialect::DelimiterDialect;

/// A last line of our own. A reader that does not see it as a row of its own is
/// still inside a quote, which it would not tell.
pub(super) const END: &[u8] = b"\0\n";

/// Faults of one file that are kept.
const MOST: usize = 1000;

/// A value that goes on behind its closing quotation mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct QuoteFault {
    /// The line on which the value is opened, from 1.
    pub opened: u64,
    /// The line on which it is closed.
    pub closed: u64,
}

/// Makes CRLF and a lone CR into LF, ends the last line, and adds [`END`].
pub(super) struct CleanReader<R> {
    inner: R,
    after_return: bool,
    last: u8,
    quotes: QuoteTracker,
    /// What is still to come after the file's own bytes.
    ending: &'static [u8],
}

impl<R: BufRead> CleanReader<R> {
    /// Leaves out the byte-order mark.
    pub fn new(mut inner: R, dialect: DelimiterDialect) -> io::Result<Self> {
        if inner.fill_buf()?.starts_with(super::MARK) {
            inner.consume(super::MARK.len());
        }
        Ok(Self {
            inner,
            after_return: false,
            last: b'\n',
            quotes: QuoteTracker {
                dialect,
                state: QuoteState::Start,
                line: 1,
                opened: 1,
                faults: Vec::new(),
            },
            ending: END,
        })
    }

    /// The faults seen.
    pub fn faults(self) -> Vec<QuoteFault> {
        self.quotes.faults
    }

    fn finish(&mut self, out: &mut [u8]) -> usize {
        if self.last != b'\n' && self.ending.len() == END.len() {
            out[0] = b'\n';
            self.last = b'\n';
            return 1;
        }
        let count = self.ending.len().min(out.len());
        out[..count].copy_from_slice(&self.ending[..count]);
        self.ending = &self.ending[count..];
        count
    }
}

impl<R: BufRead> Read for CleanReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            let chunk = self.inner.fill_buf()?;
            if chunk.is_empty() {
                return Ok(self.finish(out));
            }
            let (mut used, mut written) = (0, 0);
            for &byte in chunk.iter().take(out.len()) {
                used += 1;
                let follows_return = std::mem::replace(&mut self.after_return, byte == b'\r');
                let byte = match byte {
                    b'\n' if follows_return => continue,
                    b'\r' => b'\n',
                    other => other,
                };
                self.quotes.see(byte);
                out[written] = byte;
                written += 1;
            }
            self.inner.consume(used);
            if written > 0 {
                self.last = out[written - 1];
                return Ok(written);
            }
        }
    }
}

/// Where in a value the last byte stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum QuoteState {
    Start,
    Text,
    Quoted,
    /// Behind a quotation mark that closes, unless another follows.
    Closed,
    /// The same, with spaces between, which are let pass.
    Spaced,
}

struct QuoteTracker {
    dialect: DelimiterDialect,
    state: QuoteState,
    line: u64,
    opened: u64,
    faults: Vec<QuoteFault>,
}

impl QuoteTracker {
    #[inline]
    fn see(&mut self, byte: u8) {
        if byte == b'\n' {
            self.line += 1;
        }
        if !self.dialect.quoting {
            return;
        }
        let ends = byte == b'\n' || byte == self.dialect.delimiter;
        self.state = match (self.state, byte) {
            (QuoteState::Quoted, b'"') => QuoteState::Closed,
            (QuoteState::Quoted, _) | (QuoteState::Closed, b'"') => QuoteState::Quoted,
            (QuoteState::Start, b'"') => {
                self.opened = self.line;
                QuoteState::Quoted
            }
            _ if ends => QuoteState::Start,
            (QuoteState::Start | QuoteState::Text, _) => QuoteState::Text,
            (QuoteState::Closed | QuoteState::Spaced, b' ') => QuoteState::Spaced,
            (QuoteState::Closed | QuoteState::Spaced, _) => {
                if self.faults.len() < MOST {
                    self.faults.push(QuoteFault {
                        opened: self.opened,
                        closed: self.line,
                    });
                }
                QuoteState::Text
            }
        };
    }
}
