//! The tables of docs/PERFORMANCE.md, between two marks; the words around them are written by people.

use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::Value as Json;

const BEGIN: &str = "<!-- measured: written by `cargo xtask bench` -->";
const END: &str = "<!-- end of measured -->";

/// One table: the benchmark's name, a title, and its columns.
struct Table {
    bench: &'static str,
    title: &'static str,
    columns: &'static [(&'static str, Column)],
}

/// What stands in a column.
enum Column {
    /// A field as it is.
    Text(&'static str),
    /// A number with so many decimals.
    Number(&'static str, usize),
    /// One field over another.
    Ratio(&'static str, &'static str),
}

use Column::{Number, Ratio, Text};

const TABLES: [Table; 14] = [
    Table {
        bench: "invocation",
        title: "A call in a fresh instance",
        columns: &[
            ("language", Text("name")),
            ("component KiB", Number("sizeKiB", 0)),
            ("load ms", Number("loadMs", 0)),
            ("wasmtime alone, p50 µs", Number("bareP50Us", 1)),
            ("sandbox, p50 µs", Number("sandboxP50Us", 1)),
            ("sandbox, p99 µs", Number("sandboxP99Us", 1)),
            ("ratio of p50", Ratio("sandboxP50Us", "bareP50Us")),
        ],
    },
    Table {
        bench: "supply",
        title: "A call with instances made ahead, beside one that makes its own; callers that leave a processor free",
        columns: &[
            ("language", Text("name")),
            ("callers", Number("concurrent", 0)),
            ("own instance, p50 µs", Number("plainP50Us", 1)),
            ("p99 µs", Number("plainP99Us", 1)),
            ("made ahead, p50 µs", Number("suppliedP50Us", 1)),
            ("p99 µs", Number("suppliedP99Us", 1)),
            ("found one, %", Number("suppliedPercent", 0)),
            ("ratio of p50", Ratio("suppliedP50Us", "plainP50Us")),
            ("ratio of p99", Ratio("suppliedP99Us", "plainP99Us")),
            ("preempted in 1,000 calls, own", Number("plainPreempted", 1)),
            ("made ahead", Number("suppliedPreempted", 1)),
            ("wasmtime, one instance kept, p50 µs", Number("keptP50Us", 1)),
        ],
    },
    Table {
        bench: "supply",
        title: "The same, callers that never wait; and what one instance keeps resident",
        columns: &[
            ("language", Text("name")),
            ("callers", Number("concurrent", 0)),
            ("own instance, calls a second", Number("plainPerSecond", 0)),
            ("made ahead", Number("suppliedPerSecond", 0)),
            ("found one, %", Number("fullSuppliedPercent", 0)),
            ("ratio", Ratio("suppliedPerSecond", "plainPerSecond")),
            ("wasmtime, one instance kept", Number("keptPerSecond", 0)),
            ("resident, made, KiB", Number("madeKiB", 0)),
            ("resident, called, KiB", Number("calledKiB", 0)),
        ],
    },
    Table {
        bench: "http",
        title: "`POST /logics/…` over HTTP, fresh instances, beside a handler in axum and `wasmtime serve`",
        columns: &[
            ("logic", Text("name")),
            ("callers", Number("concurrent", 0)),
            ("requests a second", Number("perSecond", 0)),
            ("axum by hand", Number("axumPerSecond", 0)),
            ("`wasmtime serve`", Number("servePerSecond", 0)),
            ("to axum", Ratio("perSecond", "axumPerSecond")),
            ("to `wasmtime serve`", Ratio("perSecond", "servePerSecond")),
        ],
    },
    Table {
        bench: "beside",
        title: "`POST /logics/…` of a quiet project beside a hostile one on the same Bridge, one caller, in turn with and without",
        columns: &[
            ("beside", Text("beside")),
            ("alone, p50 µs", Number("aloneP50Us", 0)),
            ("p99 µs", Number("aloneP99Us", 0)),
            ("beside it, p50 µs", Number("besideP50Us", 0)),
            ("p99 µs", Number("besideP99Us", 0)),
            ("ratio of p99", Ratio("besideP99Us", "aloneP99Us")),
            ("p99 more, ms, median of rounds", Number("moreP99Ms", 2)),
            ("most", Number("mostP99Ms", 2)),
            ("processors that the hostile one has", Number("processors", 2)),
        ],
    },
    Table {
        bench: "start",
        title: "A Bridge with many logics, all different, that starts from what it has on disk: until it answers",
        columns: &[
            ("logics", Number("logics", 0)),
            ("component KiB", Number("componentKiB", 0)),
            ("ms", Number("startMs", 0)),
            ("with one logic, ms", Number("oneMs", 0)),
            ("first start, nothing fetched or compiled, ms", Number("firstMs", 0)),
            ("to the first start", Ratio("startMs", "firstMs")),
            ("resident MiB", Number("residentMiB", 0)),
            ("with one logic, MiB", Number("oneResidentMiB", 0)),
            ("each more logic, KiB", Number("eachKiB", 1)),
            ("of it no file's, KiB", Number("eachAnonymousKiB", 1)),
        ],
    },
    Table {
        bench: "crud",
        title: "`POST /db/…` over HTTP, beside handlers in axum and sqlx that run the same statements",
        columns: &[
            ("request", Text("name")),
            ("engine", Text("engine")),
            ("callers", Number("concurrent", 0)),
            ("requests a second", Number("perSecond", 0)),
            ("by hand", Number("axumPerSecond", 0)),
            ("ratio, median of rounds", Number("ratio", 2)),
            ("least", Number("leastRatio", 2)),
            ("most", Number("mostRatio", 2)),
            ("plan µs", Number("planUs", 1)),
            ("statement µs", Number("statementUs", 1)),
        ],
    },
    Table {
        bench: "presign",
        title: "A URL of an object is signed",
        columns: &[
            ("asked", Text("name")),
            ("provider", Text("provider")),
            ("how", Text("how")),
            ("p50 µs", Number("p50Us", 1)),
            ("p99 µs", Number("p99Us", 1)),
        ],
    },
    Table {
        bench: "transfer",
        title: "A gigabyte to and from a bucket on the disk, beside a handler in axum for files in a folder",
        columns: &[
            ("way", Text("name")),
            ("MB a second", Number("perSecond", 0)),
            ("by hand", Number("axumPerSecond", 0)),
            ("ratio, median of rounds", Number("ratio", 2)),
            ("by hand, hashed", Number("hashedPerSecond", 0)),
            ("ratio", Number("ratioHashed", 2)),
            ("most memory, MiB more than before", Number("grownMiB", 1)),
            ("by hand", Number("axumGrownMiB", 1)),
        ],
    },
    Table {
        bench: "apply",
        title: "`stk apply` of a project of 100 tables to an empty database, beside its statements through sqlx",
        columns: &[
            ("engine", Text("engine")),
            ("statements", Number("statements", 0)),
            ("apply ms", Number("applyMs", 0)),
            ("longest ms", Number("mostMs", 0)),
            ("sqlx ms", Number("sqlxMs", 0)),
            ("ratio, median of rounds", Number("ratio", 2)),
        ],
    },
    Table {
        bench: "events",
        title: "Events from requests that write a row to handlers that do nothing, beside graphile-worker on the same server",
        columns: &[
            ("engine", Text("engine")),
            ("Bridges, or workers", Number("bridges", 0)),
            ("published a second", Number("published", 0)),
            ("by hand, to the library", Number("libraryPublished", 0)),
            ("handled a second", Number("handled", 0)),
            ("library", Number("libraryHandled", 0)),
            ("ratio, median of rounds", Number("ratio", 2)),
            ("library, many jobs at once", Number("libraryBatched", 0)),
            ("ratio", Ratio("handled", "libraryBatched")),
            ("request to handler, p50 ms", Number("p50Ms", 1)),
            ("p99 ms", Number("p99Ms", 1)),
            ("library, p50 ms", Number("libraryP50Ms", 1)),
            ("p99 ms", Number("libraryP99Ms", 1)),
        ],
    },
    Table {
        bench: "sqlOne",
        title: "One row by its key from a guest, beside the same statement through sqlx",
        columns: &[
            ("language", Text("name")),
            ("guest µs", Number("guestUs", 1)),
            ("sqlx µs", Number("nativeUs", 1)),
            ("ratio", Ratio("guestUs", "nativeUs")),
        ],
    },
    Table {
        bench: "sqlRows",
        title: "10,000 rows by cursor from a guest, beside the same statement through sqlx",
        columns: &[
            ("language", Text("name")),
            ("guest ms", Number("guestMs", 1)),
            ("sqlx ms", Number("nativeMs", 1)),
            ("ratio", Ratio("guestMs", "nativeMs")),
        ],
    },
    Table {
        bench: "save",
        title: "From a save to the release that serves it, under `stk dev`",
        columns: &[("language", Text("name")), ("ms", Number("swappedMs", 0))],
    },
];

/// Replaces what stands between the marks. A table that nothing was measured for stays as it is.
pub(super) fn write(path: &Path, lines: &[Json]) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let Some((before, rest)) = text.split_once(BEGIN) else { bail!("{} has no mark {BEGIN}", path.display()) };
    let Some((earlier, after)) = rest.split_once(END) else { bail!("{} has no mark {END}", path.display()) };
    let tables: Vec<String> =
        TABLES.iter().filter_map(|table| table.render(lines).or_else(|| table.find(earlier))).collect();
    let text = format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", tables.join("\n\n"));
    std::fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

impl Table {
    /// None where nothing was measured for it.
    fn render(&self, lines: &[Json]) -> Option<String> {
        let row = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
        let head = row(self.columns.iter().map(|(name, _)| (*name).to_owned()).collect());
        let rule = row(self.columns.iter().map(|_| "---".to_owned()).collect());
        let rows = lines.iter().filter(|line| line["bench"] == self.bench);
        let rows: Vec<String> =
            rows.map(|line| row(self.columns.iter().map(|(_, column)| column.cell(line)).collect())).collect();
        if rows.is_empty() {
            return None;
        }
        let all: Vec<String> = [self.heading() + "\n", head, rule].into_iter().chain(rows).collect();
        Some(all.join("\n"))
    }

    /// As it was written before.
    fn find(&self, earlier: &str) -> Option<String> {
        let (_, from) = earlier.split_once(&format!("{}\n", self.heading()))?;
        let end = from.find("\n### ").unwrap_or(from.len());
        Some(format!("{}\n{}", self.heading(), from[..end].trim_end()))
    }

    fn heading(&self) -> String {
        format!("### {}", self.title)
    }
}

impl Column {
    fn cell(&self, line: &Json) -> String {
        let number = |field: &str| line[field].as_f64();
        let written = match self {
            Text(field) => line[field].as_str().map(str::to_owned),
            Number(field, decimals) => number(field).map(|number| format!("{number:.decimals$}")),
            Ratio(one, other) => number(one).zip(number(other)).map(|(one, other)| format!("{:.2}", one / other)),
        };
        // What has nothing to stand beside.
        written.unwrap_or_else(|| "–".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("PERFORMANCE.md");
        std::fs::write(&path, format!("words\n{BEGIN}\nold\n{END}\nmore words\n")).unwrap();
        let line = json!({"bench": "sqlOne", "name": "rust", "guestUs": 30.0, "nativeUs": 20.0});
        for _ in 0..2 {
            write(&path, std::slice::from_ref(&line)).unwrap();
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.starts_with("words\n") && text.ends_with("more words\n") && !text.contains("old"), "{text}");
            assert!(text.contains("| rust | 30.0 | 20.0 | 1.50 |"), "{text}");
        }
        // What a later run does not measure stays.
        let other = json!({"bench": "save", "name": "rust", "swappedMs": 7.0});
        let mut texts = Vec::new();
        for _ in 0..2 {
            write(&path, std::slice::from_ref(&other)).unwrap();
            texts.push(std::fs::read_to_string(&path).unwrap());
        }
        assert!(
            texts[0].contains("| rust | 30.0 | 20.0 | 1.50 |") && texts[0].contains("| rust | 7 |"),
            "{}",
            texts[0]
        );
        assert_eq!(texts[0], texts[1]);
    }
}
