//! The form of a case in `tests/cases/http/**/*.yaml`. Adding a case is adding data; what a key means is said here.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use santokit_core::release::Manifest;
use santokit_tests::folder::repository;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

/// A file of cases, taken in order.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CaseFile {
    /// Who is asked.
    pub(crate) server: Server,
    /// The cases.
    pub(crate) cases: Vec<Case>,
    /// From the repository's root.
    #[serde(skip)]
    pub(crate) path: String,
}

/// Who is asked.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Server {
    /// The Bridge of `stk dev` over `tests/cases/http/project`.
    Bridge,
    /// A `stk bridge serve` with small limits, for two envs of which one has no release.
    Fleet,
    /// The listener of that one that is for operators.
    Scrape,
    /// The listener of that one that takes operators with a token.
    Admin,
    /// A `stk hub serve` of the file's own.
    Hub,
}

/// One request and what its answer must be.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Case {
    /// What is true if it passes.
    pub(crate) name: String,
    /// Method and path, sent as they stand here.
    pub(crate) request: String,
    /// The variable whose value is shown as a bearer token.
    #[serde(default)]
    pub(crate) bearer: Option<String>,
    /// The variable whose value is shown as `X-Santokit-Api-Key`.
    #[serde(default)]
    pub(crate) key: Option<String>,
    /// Further headers.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// What is sent; nothing by default.
    #[serde(default)]
    pub(crate) body: Body,
    /// So many times, with `${n}` from 1; every answer must fit.
    #[serde(default = "once")]
    pub(crate) times: u32,
    /// The planted secret that this answer is there to give.
    #[serde(default)]
    pub(crate) shows: Option<String>,
    /// The answer.
    pub(crate) expect: Expect,
    /// Variables for later cases: where in the body (a JSON pointer) or in the headers (`header: name`).
    #[serde(default)]
    pub(crate) keep: BTreeMap<String, String>,
}

/// What is sent.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) enum Body {
    /// Nothing.
    #[default]
    None,
    /// JSON.
    Json(Json),
    /// Text as it stands.
    Text(String),
    /// Bytes.
    Base64(String),
    /// A long text.
    Repeat(Repeat),
    /// A file of the repository.
    File(String),
    /// The body of an apply: the manifest in its canonical form.
    Apply(Apply),
}

/// `before`, then `text` so many times (`${i}` is its number, from 1), then `after`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Repeat {
    #[serde(default)]
    before: String,
    text: String,
    times: usize,
    #[serde(default)]
    after: String,
}

/// An apply.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Apply {
    /// The manifest as an object.
    #[serde(default)]
    manifest: Json,
    /// Or as a long text.
    #[serde(default)]
    repeat: Option<Repeat>,
    /// The other fields of the body.
    #[serde(default)]
    with: Map<String, Json>,
}

/// What the answer must be.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Expect {
    /// HTTP status.
    pub(crate) status: u16,
    /// `error.code`.
    #[serde(default)]
    pub(crate) code: Option<String>,
    /// `error.details.limit`.
    #[serde(default)]
    pub(crate) limit: Option<String>,
    /// What the body has at least: fields of objects, every element of lists.
    #[serde(default)]
    pub(crate) body: Option<Json>,
    /// Parts of the body's text.
    #[serde(default)]
    pub(crate) contains: Vec<String>,
    /// What stands neither in the headers nor in the body.
    #[serde(default)]
    pub(crate) absent: Vec<String>,
    /// The HTTP library refuses it before it is a request of ours: there is neither id nor error.
    #[serde(default)]
    pub(crate) before_http: bool,
    /// Headers; `*` is any value, null is none.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, Option<String>>,
}

/// The files of `tests/cases/http/bridge` that are about tables only, so that they are asked on every engine.
pub(crate) const TABLES_FILES: [&str; 4] = ["tables.yaml", "denied.yaml", "batch.yaml", "idempotency.yaml"];

/// What they need of `tests/cases/http/project`.
pub(crate) const TABLES_PROJECT: [&str; 5] =
    ["santokit.yaml", "schema/cases.yaml", "schema/notes.yaml", "schema/shop.yaml", "config/permissions.yaml"];

/// What cases may name as `${name}`.
pub(crate) type Variables = BTreeMap<String, Json>;

fn once() -> u32 {
    1
}

/// Every file of cases.
pub(crate) fn files() -> Result<Vec<CaseFile>> {
    let root = repository().canonicalize()?;
    let mut paths = Vec::new();
    for group in ["bridge", "hub"] {
        let folder = root.join("tests/cases/http").join(group);
        for entry in fs::read_dir(&folder).with_context(|| format!("read {}", folder.display()))? {
            paths.push(entry?.path());
        }
    }
    paths.sort();
    paths.iter().map(|path| read(&root, path)).collect()
}

fn read(root: &Path, path: &PathBuf) -> Result<CaseFile> {
    let shown = path.strip_prefix(root)?.display().to_string();
    let text = fs::read_to_string(path).with_context(|| shown.clone())?;
    let mut file: CaseFile = serde_saphyr::from_str(&text).with_context(|| shown.clone())?;
    let mut names: Vec<&str> = file.cases.iter().map(|case| case.name.as_str()).collect();
    names.sort_unstable();
    ensure!(names.windows(2).all(|pair| pair[0] != pair[1]), "{shown}: two cases have one name");
    file.path = shown;
    Ok(file)
}

impl Case {
    /// Method and path, with variables filled in.
    pub(crate) fn line(&self, variables: &Variables) -> Result<(String, String)> {
        let line = text(&self.request, variables)?;
        let (method, path) = line.split_once(' ').context("a request is a method and a path")?;
        Ok((method.to_owned(), path.to_owned()))
    }

    /// All headers that the case names.
    pub(crate) fn headers(&self, variables: &Variables) -> Result<Vec<(String, String)>> {
        let mut all = Vec::new();
        if let Some(name) = &self.bearer {
            all.push(("authorization".to_owned(), format!("Bearer {}", text(&format!("${{{name}}}"), variables)?)));
        }
        if let Some(name) = &self.key {
            all.push(("x-santokit-api-key".to_owned(), text(&format!("${{{name}}}"), variables)?));
        }
        for (name, value) in &self.headers {
            all.push((name.clone(), text(value, variables)?));
        }
        Ok(all)
    }
}

impl Body {
    /// The bytes, and the content type that belongs to them.
    pub(crate) fn bytes(&self, variables: &Variables) -> Result<(Vec<u8>, Option<&'static str>)> {
        let json = Some("application/json");
        Ok(match self {
            Self::None => (Vec::new(), None),
            Self::Json(value) => (serde_json::to_vec(&filled(value, variables)?)?, json),
            Self::Text(sent) => (text(sent, variables)?.into_bytes(), json),
            Self::Base64(sent) => (STANDARD.decode(sent)?, json),
            Self::Repeat(repeat) => (text(&repeat.text(), variables)?.into_bytes(), json),
            Self::File(path) => (fs::read(repository().join(path))?, Some("application/wasm")),
            Self::Apply(apply) => (serde_json::to_vec(&apply.body(variables)?)?, json),
        })
    }
}

impl Repeat {
    fn text(&self) -> String {
        let middle: String = (1..=self.times).map(|i| self.text.replace("${i}", &i.to_string())).collect();
        [&self.before, middle.as_str(), &self.after].concat()
    }
}

impl Apply {
    fn body(&self, variables: &Variables) -> Result<Json> {
        let manifest = match &self.repeat {
            Some(repeat) => serde_json::from_str(&repeat.text())?,
            None => filled(&self.manifest, variables)?,
        };
        let manifest: Manifest = serde_json::from_value(manifest).context("the case's manifest")?;
        let mut body = filled(&Json::Object(self.with.clone()), variables)?;
        body["manifest"] = json!(String::from_utf8(manifest.canonical()?)?);
        Ok(body)
    }
}

/// A text with its `${variables}` filled in.
pub(crate) fn text(template: &str, variables: &Variables) -> Result<String> {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}').context("${ without }")?;
        let value = variables.get(name).with_context(|| format!("there is no variable {name}"))?;
        filled.push_str(before);
        filled.push_str(&value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// The same for every text of a value. A text that is one variable becomes the variable's value.
pub(crate) fn filled(value: &Json, variables: &Variables) -> Result<Json> {
    Ok(match value {
        Json::String(template) => {
            let whole = template.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
            match whole.and_then(|name| variables.get(name)) {
                Some(value) => value.clone(),
                None => Json::String(text(template, variables)?),
            }
        }
        Json::Array(items) => Json::Array(items.iter().map(|item| filled(item, variables)).collect::<Result<_>>()?),
        Json::Object(fields) => {
            let pairs = fields.iter().map(|(name, value)| Ok((text(name, variables)?, filled(value, variables)?)));
            Json::Object(pairs.collect::<Result<_>>()?)
        }
        other => other.clone(),
    })
}
