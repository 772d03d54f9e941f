//! What a case of the command line says, and whether a finished command is what its step expects.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, Result};
use santokit_tests::{Finished, repository};
use serde::Deserialize;
use serde_json::Value as Json;

use super::subset;

/// `{name}` in a text of a case.
pub(crate) type Variables = BTreeMap<String, String>;

/// A file of cases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaseFile {
    #[serde(skip)]
    pub(crate) path: String,
    /// Commands whose success is shown by a test in Rust.
    #[serde(default)]
    pub(crate) elsewhere: Vec<Elsewhere>,
    #[serde(default)]
    pub(crate) cases: Vec<Case>,
}

/// `command` succeeds in the test `test` of `tests/it`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Elsewhere {
    pub(crate) command: String,
    pub(crate) test: String,
}

/// Steps in one fresh folder.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) with: With,
    /// Path and text.
    #[serde(default)]
    pub(crate) files: BTreeMap<String, String>,
    /// Path and what is copied there.
    #[serde(default)]
    pub(crate) copies: BTreeMap<String, String>,
    pub(crate) steps: Vec<Step>,
}

/// What is there, and named in the environment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum With {
    /// No Hub.
    #[default]
    Nothing,
    /// A Hub.
    Hub,
    /// A project of this case, with the env `prod` and its connection `main`.
    Project,
    /// The project that all share, with a Bridge that serves a release. It is not changed.
    Fleet,
}

/// One command, and what becomes of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    pub(crate) run: Vec<String>,
    #[serde(default)]
    pub(crate) stdin: String,
    /// Typed on a terminal that all its streams are then on.
    #[serde(default)]
    pub(crate) typed: Option<String>,
    /// More variables of the environment; null removes one.
    #[serde(default)]
    pub(crate) env: BTreeMap<String, Option<String>>,
    #[serde(default)]
    pub(crate) exit: i32,
    /// Parts of standard output.
    #[serde(default)]
    stdout: Vec<String>,
    /// Parts of standard error.
    #[serde(default)]
    stderr: Vec<String>,
    /// In neither.
    #[serde(default)]
    absent: Vec<String>,
    /// A part of standard output as JSON.
    #[serde(default)]
    json: Option<Json>,
    /// Variables for later steps, by their place in standard output as JSON.
    #[serde(default)]
    keep: BTreeMap<String, String>,
}

/// All files of cases, in the order of their names.
pub(crate) fn files() -> Result<Vec<CaseFile>> {
    let root = repository().join("tests/cases/cli");
    let mut paths: Vec<_> = fs::read_dir(root)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.sort();
    let read = |path: std::path::PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut file: CaseFile = serde_saphyr::from_str(&fs::read_to_string(&path)?).with_context(|| name.clone())?;
        file.path = name;
        Ok(file)
    };
    paths.into_iter().map(read).collect()
}

/// A text with its variables replaced; other braces stay.
pub(crate) fn filled(text: &str, variables: &Variables) -> String {
    variables.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

impl Step {
    /// What is not as expected.
    pub(crate) fn differences(&self, finished: &Finished, variables: &Variables) -> Vec<String> {
        let mut all = Vec::new();
        if finished.code != self.exit {
            all.push(format!("exit code: expected {}, got {}", self.exit, finished.code));
        }
        for (name, parts, text) in
            [("stdout", &self.stdout, &finished.stdout), ("stderr", &self.stderr, &finished.stderr)]
        {
            for part in parts.iter().map(|part| filled(part, variables)).filter(|part| !text.contains(part)) {
                all.push(format!("{name} does not hold {part:?}"));
            }
        }
        for part in self.absent.iter().map(|part| filled(part, variables)) {
            if finished.stdout.contains(&part) || finished.stderr.contains(&part) {
                all.push(format!("it shows {part:?}"));
            }
        }
        if let Some(expected) = &self.json {
            let expected = serde_json::from_str(&filled(&expected.to_string(), variables)).unwrap_or(Json::Null);
            match serde_json::from_str(&finished.stdout) {
                Ok(got) => subset("json", &expected, &got, &mut all),
                Err(error) => all.push(format!("stdout is no JSON: {error}")),
            }
        }
        all
    }

    /// Takes what later steps name.
    pub(crate) fn keep(&self, finished: &Finished, variables: &mut Variables) -> Vec<String> {
        let (answer, mut missing) = (finished.json(), Vec::new());
        for (name, place) in &self.keep {
            match answer.pointer(place).and_then(Json::as_str) {
                Some(text) => drop(variables.insert(name.clone(), text.to_owned())),
                None => missing.push(format!("there is no {place} to keep")),
            }
        }
        missing
    }
}
