//! A guest's standard output and error: bounded, never blocking, cut into log lines.
//!
//! Its own stream rather than the library's adapter over `AsyncWrite`, which queues without a bound.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::{
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamResult},
};

use crate::host::{Level, LogLine, LogSource};

/// The longest line before it is cut in two.
const LINE_BYTES_MAX: usize = 8 << 10;

/// What a line costs of the byte limit beside its text, so that a flood of empty ones has an end too.
pub(crate) const LINE_BYTES_EXTRA: u64 = 32;

/// Lines that wait for the next host call or the end.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Buffer>>);

#[derive(Default)]
struct Buffer {
    partial: [Vec<u8>; 2],
    finished: Vec<LogLine>,
    kept_bytes: u64,
    dropped_bytes: u64,
}

#[derive(Clone)]
pub(crate) struct GuestStream {
    lines: Lines,
    source: LogSource,
    bytes_max: u64,
}

impl Lines {
    /// The lines that have ended.
    pub(crate) fn take_finished(&self) -> Vec<LogLine> {
        std::mem::take(&mut self.lock().finished)
    }

    /// All lines, an unfinished last one too, and how many bytes were dropped.
    pub(crate) fn take_all(&self) -> (Vec<LogLine>, u64) {
        let mut buffer = self.lock();
        for source in [LogSource::Stdout, LogSource::Stderr] {
            buffer.finish_line(source);
        }
        (std::mem::take(&mut buffer.finished), buffer.dropped_bytes)
    }

    fn lock(&self) -> MutexGuard<'_, Buffer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buffer {
    fn take_in(&mut self, bytes: &[u8], source: LogSource, bytes_max: u64) {
        let index = usize::from(source == LogSource::Stderr);
        for (at, byte) in bytes.iter().enumerate() {
            if self.kept_bytes >= bytes_max {
                self.dropped_bytes += (bytes.len() - at) as u64;
                return;
            }
            if *byte == b'\n' || self.partial[index].len() >= LINE_BYTES_MAX {
                self.kept_bytes += LINE_BYTES_EXTRA;
                self.finish_line(source);
            }
            if *byte != b'\n' {
                self.kept_bytes += 1;
                self.partial[index].push(*byte);
            }
        }
    }

    fn finish_line(&mut self, source: LogSource) {
        let bytes = std::mem::take(&mut self.partial[usize::from(source == LogSource::Stderr)]);
        if !bytes.is_empty() {
            let level = if source == LogSource::Stderr { Level::Warn } else { Level::Info };
            let message = String::from_utf8_lossy(&bytes).into_owned();
            self.finished.push(LogLine { level, message, fields: Vec::new(), source });
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
        self.lines.lock().take_in(&bytes, self.source, self.bytes_max);
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
