//! `stk schema pull`: a database that is there becomes `schema/*.yaml`, as far as a project can say it. What cannot be said is
//! told, and stands as a comment in the file; the rest is served.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use anyhow::Context as _;
use santokit_core::{
    name::check_label,
    project::{self, Project, SourceTree},
};
use santokit_sql::schema::{
    bookkeeping,
    pull::{Pulled, Remark},
};
use serde_json::{Value as Json, json};

use super::{Shell, Source, list, yaml};
use crate::{
    context::Target,
    failure::{Exit, Failure},
    folder::Folder,
    report::{Tone, printable},
};

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The connection; default: the project's
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
    /// The file, below schema/; default: schema/CONNECTION.yaml
    #[arg(long, short = 'o', value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print it and write nothing
    #[arg(long, conflicts_with = "output")]
    print: bool,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
    /// The Hub, project and env; without a Hub, the databases of santokit.dev.yaml.
    #[command(flatten)]
    target: Target,
}

/// Where it goes, and what the project's other files have.
struct Place {
    /// Relative to the project folder.
    path: String,
    /// The project's files without it.
    others: SourceTree,
    /// Tables of the other files, and their connection.
    declared: BTreeMap<String, String>,
    connection: String,
    is_default: bool,
}

/// Runs it.
pub(super) async fn run(options: &Options, shell: &Shell) -> anyhow::Result<()> {
    let folder = shell.folder()?;
    let source = Source::of(shell, &options.target)?;
    let place = Place::of(&folder, options)?;
    let file = folder.root().join(&place.path);
    if !options.print && !options.force && file.exists() {
        return Err(Failure::new(Exit::Refused, format!("{} is there already", place.path))
            .hint("look with --print first; --force writes over it, --output FILE beside it")
            .into());
    }
    let answer = source.pull(&place.connection).await?;
    let mut pulled = Pulled {
        schema: serde_json::from_value(answer["schema"].clone()).context("the Hub answers a schema")?,
        remarks: serde_json::from_value(answer["remarks"].clone()).context("the Hub answers remarks")?,
    };
    place.leave_out(&mut pulled);
    let engine = answer["engine"].as_str().unwrap_or_default();
    let head =
        format!("Written by `stk schema pull` from connection {} ({engine}); yours to change.", place.connection);
    let text = yaml::write(&pulled, &head, (!place.is_default).then_some(&place.connection));
    let project = place.check(&text)?;
    if !options.print {
        if let Some(dir) = file.parent() {
            fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        }
        fs::write(&file, &text).with_context(|| format!("cannot write {}", place.path))?;
    }
    let open = still_open(&source, &project, &place.connection).await?;
    let tables: Vec<&String> = pulled.schema.tables.keys().collect();
    let written = (!options.print).then_some(&place.path);
    let report = json!({
        "connection": place.connection, "engine": engine, "path": written, "tables": tables, "remarks": pulled.remarks,
        "differences": open, "yaml": options.print.then_some(&text),
    });
    for remark in &pulled.remarks {
        shell.terminal.warn(&printable(&line(remark)));
    }
    shell.terminal.answer(&report, |terminal| {
        if options.print {
            terminal.say(text.trim_end());
        } else {
            let good = terminal.tone(Tone::Good, "wrote");
            terminal.say(&format!("{good} {}: {} table(s)", place.path, tables.len()));
        }
    });
    for difference in &open {
        shell.terminal.warn(&format!("still different: {}", printable(difference)));
    }
    Ok(())
}

fn line(remark: &Remark) -> String {
    let column = remark.column.as_ref().map(|column| format!(".{column}")).unwrap_or_default();
    let what = if remark.left_out { "left out: " } else { "" };
    format!("{}{column}: {what}{}", remark.table, remark.message)
}

/// What an apply of the project would still change, or refuse to, but for the platform's own tables.
async fn still_open(source: &Source, project: &Project, connection: &str) -> anyhow::Result<Vec<String>> {
    let Some(schema) = project.connections.get(connection) else { return Ok(Vec::new()) };
    let declared = BTreeMap::from([(connection.to_owned(), schema.clone())]);
    let answer = source.compare(&declared).await?;
    let mut open = Vec::new();
    for connection in list(&answer, "connections") {
        let is_own = |step: &&Json| step["table"].as_str().is_some_and(|table| bookkeeping::TABLES.contains(&table));
        let steps = list(connection, "steps").iter().filter(|step| !is_own(step));
        open.extend(
            steps.chain(list(connection, "refusals")).filter_map(|one| one["description"].as_str().map(str::to_owned)),
        );
    }
    Ok(open)
}

impl Place {
    fn of(folder: &Folder, options: &Options) -> anyhow::Result<Self> {
        let project = folder.project()?;
        let connection = options.connection.clone().unwrap_or_else(|| project.default_connection.clone());
        check_label("a connection's name", &connection).map_err(|error| Failure::usage(error.to_string()))?;
        let path = match &options.output {
            None => format!("schema/{connection}.yaml"),
            Some(path) => {
                let path = path.strip_prefix(folder.root()).unwrap_or(path);
                path.to_str().unwrap_or_default().to_owned()
            }
        };
        let is_schema_file = path.strip_prefix("schema/").is_some_and(|name| {
            name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml")).is_some_and(|stem| {
                !stem.is_empty() && stem.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
            })
        });
        if !is_schema_file {
            return Err(Failure::usage(format!("{path:?} is no file of the schema"))
                .hint("name one directly in schema/, for example schema/legacy.yaml")
                .into());
        }
        let without = |keep: &dyn Fn(&str) -> bool| -> anyhow::Result<SourceTree> {
            let files = folder.sources()?;
            let kept = files.iter().filter(|(name, _)| *name != path && keep(name));
            Ok(kept.map(|(name, bytes)| (name, bytes.to_vec())).collect())
        };
        let others = without(&|_| true)?;
        // Logics and permissions may name tables of the file that is written anew.
        let only_schema = without(&|name| name.starts_with("schema/") || name.starts_with("santokit.y"))?;
        let mut declared = BTreeMap::new();
        if let Ok(rest) = project::parse(&only_schema) {
            for (connection, schema) in rest.connections {
                declared.extend(schema.tables.into_keys().map(|table| (table, connection.clone())));
            }
        }
        let is_default = connection == project.default_connection;
        Ok(Self { path, others, declared, connection, is_default })
    }

    /// Names of tables are unique in a project, in whatever case.
    fn leave_out(&self, pulled: &mut Pulled) {
        let taken: BTreeMap<String, &String> =
            self.declared.iter().map(|(table, connection)| (table.to_ascii_lowercase(), connection)).collect();
        let all: Vec<String> = pulled.schema.tables.keys().cloned().collect();
        let mut gone = BTreeSet::new();
        for table in all {
            let Some(connection) = taken.get(&table.to_ascii_lowercase()) else { continue };
            pulled.schema.tables.remove(&table);
            gone.insert(table.clone());
            pulled.remarks.retain(|remark| remark.table != table);
            let message = if **connection == self.connection {
                "another file declares it already".to_owned()
            } else {
                format!("connection {connection} has a table of this name, and names of tables are unique in a project")
            };
            pulled.remarks.push(Remark { table, column: None, left_out: true, message });
        }
        // A reference to what is declared elsewhere on the same connection holds; to what is left out it cannot.
        let known = |table: &String| self.declared.get(table).is_none_or(|connection| *connection == self.connection);
        for (name, table) in &mut pulled.schema.tables {
            for column in &mut table.columns {
                let Some(reference) = column.references.take_if(|to| !known(&to.table)) else { continue };
                let message =
                    format!("it refers to {}, which is left out: the reference is not declared", reference.table);
                let remark =
                    Remark { table: name.clone(), column: Some(column.name.clone()), left_out: false, message };
                pulled.remarks.push(remark);
            }
        }
    }

    /// The project with the new file, or why that is none.
    fn check(&self, text: &str) -> anyhow::Result<Project> {
        let mut files = self.others.clone();
        files.insert(self.path.clone(), text.as_bytes().to_vec());
        project::parse(&files).map_err(|findings| {
            let all: Vec<String> = findings
                .iter()
                .map(|finding| format!("{}:{}: {}", finding.path, finding.line, finding.message))
                .collect();
            Failure::failed(format!("the project would not hold together: {}", all.join("; ")))
                .hint("nothing was written; --print shows what would be")
                .into()
        })
    }
}
