//! A guest's standard output and error: bounded, never blocking, cut into log lines.
//!
//! Its own stream rather than the library's adapter over `AsyncWrite`, which queues without a bound.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::{
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamResult},
};

use crate::host::{Level, LogLine, LogSource};

/// The longest line before it is cut in two.
const LINE_BYTES_MAX: usize = 8 << 10;

/// Lines that wait for the next host call or the end.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Buffer>>);

#[derive(Default)]
struct Buffer {
    partial: [Vec<u8>; 2],
    lines: Vec<LogLine>,
    taken_bytes: u64,
}

#[derive(Clone)]
pub(crate) struct GuestStream {
    lines: Lines,
    source: LogSource,
    bytes_max: u64,
}

impl Lines {
    /// All lines so far, an unfinished last one too.
    pub(crate) fn take(&self) -> Vec<LogLine> {
        let mut buffer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for source in [LogSource::Stdout, LogSource::Stderr] {
            buffer.finish_line(source);
        }
        std::mem::take(&mut buffer.lines)
    }
}

impl Buffer {
    fn finish_line(&mut self, source: LogSource) {
        let bytes = std::mem::take(&mut self.partial[usize::from(source == LogSource::Stderr)]);
        if !bytes.is_empty() {
            let level = if source == LogSource::Stderr { Level::Warn } else { Level::Info };
            let message = String::from_utf8_lossy(&bytes).into_owned();
            self.lines.push(LogLine { level, message, fields: Vec::new(), source });
        }
    }
}

impl GuestStream {
    pub(crate) fn stdout(lines: Lines, bytes_max: u64) -> Self {
        Self { lines, source: LogSource::Stdout, bytes_max }
    }

    pub(crate) fn stderr(lines: Lines, bytes_max: u64) -> Self {
        Self { lines, source: LogSource::Stderr, bytes_max }
    }

    fn take_in(&self, bytes: &[u8]) {
        let mut buffer = self.lines.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One line more than the limit is let in, so that the limit is seen to be reached; the rest is not kept.
        let room = self.bytes_max.saturating_add(LINE_BYTES_MAX as u64).saturating_sub(buffer.taken_bytes);
        let bytes = &bytes[..bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX))];
        buffer.taken_bytes += bytes.len() as u64;
        let index = usize::from(self.source == LogSource::Stderr);
        for byte in bytes {
            if *byte == b'\n' || buffer.partial[index].len() >= LINE_BYTES_MAX {
                buffer.finish_line(self.source);
            }
            if *byte != b'\n' {
                buffer.partial[index].push(*byte);
            }
        }
    }
}

impl IsTerminal for GuestStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        // Only WASI 0.3 asks for it, which is not linked.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for GuestStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take_in(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(LINE_BYTES_MAX)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for GuestStream {
    async fn ready(&mut self) {}
}
