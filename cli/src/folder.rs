//! The project folder on disk: finding it, reading its files for `core::project`, and building its components into a
//! [`Candidate`] for a release. It must not talk to a Hub.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use futures_util::{StreamExt, TryStreamExt, stream};
use santokit_core::{
    component::{self, ComponentError, Handled, Inspection},
    project::{
        self, BuiltComponent, ComponentSource, Diagnostic, Language as Named, LogicSource, Project, SourceTree,
        WasmSource, is_project_file,
    },
    release::{Digest, Manifest},
};

use crate::{
    build::{BuildError, BuildSpec, Built, CACHE_DIR, Language, Progress, build_component},
    failure::Failure,
    report::took,
    types,
};

mod queries;

/// A file that is larger is no project file; the parser is given its beginning and refuses it.
const FILE_BYTES_MAX: u64 = 4 << 20;
const DEPTH_MAX: usize = 16;
/// Compilers use more than one core each.
const BUILDS_AT_ONCE: usize = 2;
/// `stk dev` sees a new component with every save.
const INSPECTIONS_MAX: usize = 1000;
/// Names of folders that are read by nobody and watched by nobody.
pub const FOREIGN: [&str; 3] = [".stk", "target", "node_modules"];

/// A project folder.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
}

/// What stands between a project and a release.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// The files are wrong.
    #[error("{}", count(.0))]
    Findings(Vec<Diagnostic>),
    /// A logic does not build.
    #[error("logic {logic} does not build: {why}")]
    Build {
        /// The logic's name.
        logic: String,
        /// Why.
        why: BuildError,
    },
    /// A logic was built into what no Bridge takes.
    #[error("the component of logic {logic} is refused: {why}")]
    Component {
        /// The logic's name.
        logic: String,
        /// Why.
        why: String,
    },
}

/// A project whose components are built: everything that a release is made of.
#[derive(Debug)]
pub struct Candidate {
    /// As parsed.
    pub project: Project,
    /// Canonical once serialised with [`Manifest::canonical`].
    pub manifest: Manifest,
    /// Of the manifest.
    pub digest: Digest,
    /// Components by digest.
    pub blobs: BTreeMap<Digest, Arc<Vec<u8>>>,
    /// What was built, not taken from the cache.
    pub built: Vec<Report>,
}

/// One build, for people.
#[derive(Clone, Debug)]
pub struct Report {
    /// The logic's name.
    pub logic: String,
    /// Its language.
    pub language: &'static str,
    /// Of the component.
    pub size_bytes: u64,
    /// How long it took.
    pub elapsed: Duration,
}

impl Folder {
    /// The nearest folder with a `santokit.yaml`, from `start` up.
    pub fn find(start: &Path) -> anyhow::Result<Self> {
        let has_project = |dir: &&Path| dir.join("santokit.yaml").is_file() || dir.join("santokit.yml").is_file();
        match start.ancestors().find(has_project) {
            Some(root) => Ok(Self { root: root.to_owned() }),
            None => Err(Failure::usage(format!("there is no santokit.yaml in {} or above it", start.display()))
                .hint("make a project with `stk init NAME`, or name its folder with --dir")
                .into()),
        }
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where builds are kept.
    pub fn cache(&self) -> PathBuf {
        self.root.join(CACHE_DIR)
    }

    /// The name in `santokit.yaml`, if the project can be read.
    pub fn project_name(&self) -> Option<String> {
        Some(self.parse().ok()?.ok()?.name)
    }

    /// Reads and checks the project.
    pub fn parse(&self) -> anyhow::Result<Result<Project, Vec<Diagnostic>>> {
        match project::parse(&self.sources()?) {
            Ok(project) => queries::typed(project),
            Err(findings) => Ok(Err(findings)),
        }
    }

    /// The project's files.
    pub fn sources(&self) -> anyhow::Result<SourceTree> {
        let mut files = SourceTree::new();
        read_dir(&self.root, "", 0, &mut files)?;
        Ok(files)
    }

    /// The project, or its findings as an error.
    pub fn project(&self) -> anyhow::Result<Project> {
        Ok(self.parse()?.map_err(NotReady::Findings)?)
    }

    /// Builds what changed and puts a release together.
    pub async fn candidate(&self, project: Project, progress: Progress<'_>) -> anyhow::Result<Candidate> {
        types::write(&self.root, &project)?;
        self.release(project, progress).await
    }

    /// The same, of a project whose types are written: it may have but some of its logics.
    pub async fn release(&self, project: Project, progress: Progress<'_>) -> anyhow::Result<Candidate> {
        let jobs: Vec<(&String, &WasmSource)> = project
            .logics
            .iter()
            .filter_map(|(name, logic)| match &logic.source {
                LogicSource::Wasm(source) => Some((name, &**source)),
                LogicSource::Sql(_) => None,
            })
            .collect();
        let parts: Vec<Part> = stream::iter(jobs.into_iter().map(|(name, source)| self.part(name, source, progress)))
            .buffer_unordered(BUILDS_AT_ONCE)
            .try_collect()
            .await?;
        let mut components = BTreeMap::new();
        let (mut blobs, mut built) = (BTreeMap::new(), Vec::new());
        for part in parts {
            blobs.insert(part.digest, part.wasm);
            built.extend(part.report);
            components.insert(part.name, part.component);
        }
        built.sort_by(|a, b| a.logic.cmp(&b.logic));
        let manifest = project.manifest(&components)?;
        let digest = manifest.digest()?;
        Ok(Candidate { project, manifest, digest, blobs, built })
    }

    /// Builds the component of one logic.
    pub async fn build(&self, name: &str, source: &WasmSource, progress: Progress<'_>) -> Result<Built, NotReady> {
        let spec = spec(&source.component);
        let dir = self.root.join(&source.dir);
        let said = |line: &str| progress(&format!("{name}: {line}"));
        build_component(&spec, &dir, &self.cache(), &said)
            .await
            .map_err(|why| NotReady::Build { logic: name.to_owned(), why })
    }

    async fn part(&self, name: &str, source: &WasmSource, progress: Progress<'_>) -> anyhow::Result<Part> {
        let built = self.build(name, source, progress).await?;
        let digest = Digest::of(&built.wasm);
        let inspection = accept(name, source, &digest, &built.wasm)?;
        let size_bytes = built.wasm.len() as u64;
        let report = (!built.from_cache && built.language != "component").then(|| {
            progress(&format!("{name}: built in {}", took(built.elapsed)));
            Report { logic: name.to_owned(), language: built.language, size_bytes, elapsed: built.elapsed }
        });
        let component = BuiltComponent {
            digest: digest.clone(),
            size_bytes,
            language: built.language.to_owned(),
            imports: inspection.imports.clone(),
            handles: inspection.handles(),
            sbom: None,
        };
        Ok(Part { name: name.to_owned(), digest, wasm: Arc::new(built.wasm), component, report })
    }
}

impl NotReady {
    /// What the compiler said, where one ran.
    pub fn output(&self) -> Option<&str> {
        match self {
            NotReady::Build { why, .. } => why.compiler_output(),
            NotReady::Findings(_) | NotReady::Component { .. } => None,
        }
    }
}

/// Whether a component is what every Bridge takes, and imports no more than its logic is granted.
pub fn accept(name: &str, source: &WasmSource, digest: &Digest, bytes: &[u8]) -> Result<Arc<Inspection>, NotReady> {
    let checked = inspect(digest, bytes).and_then(|inspection| {
        component::check_world(&inspection, source.world())?;
        component::check_imports(&inspection.imports, &source.grants)?;
        if let Some(subscription) = source.subscription.clone()
            && !inspection.handles().contains(&Handled::Event)
        {
            return Err(ComponentError::NoEvents(subscription));
        }
        if let Some(job) = source.job_at.clone()
            && inspection.handles().is_disjoint(&BTreeSet::from([Handled::Call, Handled::Cron]))
        {
            return Err(ComponentError::NoCalls(job));
        }
        Ok(inspection)
    });
    checked.map_err(|error| {
        let why = match error {
            ComponentError::NotGranted { .. } => format!("{error} ({})", source.grants_at),
            error => error.to_string(),
        };
        NotReady::Component { logic: name.to_owned(), why }
    })
}

/// Looks at a component; the same bytes are looked at once in a process.
pub fn inspect(digest: &Digest, bytes: &[u8]) -> Result<Arc<Inspection>, ComponentError> {
    static SEEN: Mutex<BTreeMap<Digest, Arc<Inspection>>> = Mutex::new(BTreeMap::new());
    let seen = || SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(inspection) = seen().get(digest) {
        return Ok(inspection.clone());
    }
    let inspection = Arc::new(component::inspect(bytes)?);
    let mut all = seen();
    if all.len() >= INSPECTIONS_MAX {
        all.clear();
    }
    all.insert(digest.clone(), inspection.clone());
    Ok(inspection)
}

struct Part {
    name: String,
    digest: Digest,
    wasm: Arc<Vec<u8>>,
    component: BuiltComponent,
    report: Option<Report>,
}

fn spec(source: &ComponentSource) -> BuildSpec {
    match source {
        ComponentSource::Path(path) => BuildSpec::Path(path.into()),
        ComponentSource::Build(language) => BuildSpec::Build(match language {
            Named::Rust => Language::Rust,
            Named::Js(engine) => Language::Js(*engine),
            Named::Ts(engine) => Language::Ts(*engine),
            Named::Python => Language::Python,
            Named::C => Language::C,
        }),
        ComponentSource::Command { command, output } => {
            BuildSpec::Command { command: command.clone(), output: output.into() }
        }
    }
}

fn read_dir(dir: &Path, prefix: &str, depth: usize, files: &mut SourceTree) -> anyhow::Result<()> {
    let shown = || format!("cannot read {}", dir.display());
    for entry in fs::read_dir(dir).with_context(shown)? {
        let entry = entry.with_context(shown)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = format!("{prefix}{name}");
        let kind = entry.file_type().with_context(shown)?;
        if kind.is_dir() {
            if depth < DEPTH_MAX && !name.starts_with('.') && !FOREIGN.contains(&name.as_str()) {
                read_dir(&entry.path(), &format!("{path}/"), depth + 1, files)?;
            }
        } else if is_project_file(&path) && entry.path().is_file() {
            files.insert(path, read_bounded(&entry.path())?);
        }
    }
    Ok(())
}

/// As much of a file as is more than any project file has.
pub(crate) fn read_bounded(path: &Path) -> anyhow::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes))
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(bytes)
}

fn count(findings: &[Diagnostic]) -> String {
    let errors = findings.iter().filter(|finding| finding.severity == project::Severity::Error).count();
    format!("{errors} error{} in the project", if errors == 1 { "" } else { "s" })
}
