//! Why a build failed, and what to do about it. Every message is for the developer who sits in front of it.

use std::io;
use std::path::{Path, PathBuf};

/// A build failed. [`BuildError::compiler_output`] has the compiler's own words.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A language of the contract that this version does not build.
    #[error(
        "building {language} is not supported yet: build the component yourself and say `component: {{path: …}}` or `component: {{command: …, output: …}}` in logic.yaml"
    )]
    Unsupported {
        /// The language.
        language: &'static str,
    },
    /// The folder has no source of the language that its manifest names.
    #[error("no {language} source in {}: expected {expected}", dir.display())]
    NoSource {
        /// The language.
        language: &'static str,
        /// The logic's folder.
        dir: PathBuf,
        /// The files that were looked for.
        expected: String,
    },
    /// A tool is missing and could not be installed.
    #[error("{missing}: {next}")]
    Toolchain {
        /// What is missing.
        missing: String,
        /// What to do.
        next: String,
        /// What the attempts to install it said.
        output: String,
    },
    /// The compiler, bundler or command refused the source.
    #[error("{tool} failed: {summary}")]
    Compiler {
        /// Which tool.
        tool: String,
        /// The first error, on one line.
        summary: String,
        /// All that the tool said.
        output: String,
    },
    /// The build ended well and left no component.
    #[error("{} is no component: {why}", path.display())]
    NotComponent {
        /// The file.
        path: PathBuf,
        /// What is wrong with it and what to do.
        why: String,
    },
    /// A file cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// `read`, `write`, …
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl BuildError {
    /// What the compiler or installer said, where one ran. May be many lines.
    pub fn compiler_output(&self) -> Option<&str> {
        match self {
            Self::Toolchain { output, .. } | Self::Compiler { output, .. } if !output.is_empty() => Some(output),
            _ => None,
        }
    }

    pub(super) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }
}
