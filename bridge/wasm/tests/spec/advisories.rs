//! What advisories of wasmtime are about, as scripts: on both engines each runs as it says, without a crash. What needs a whole call is in
//! `sandbox/advisories.rs`; docs/reference/advisories.md has all of them.

use std::path::Path;

use crate::run;

#[test]
fn every_script_of_an_advisory_runs_as_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/advisories");
    let engines = [true, false].map(run::engine);
    let mut scripts = 0;
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let (name, text) = (path.display().to_string(), std::fs::read_to_string(&path).unwrap());
        for engine in &engines {
            all_ran(&run::run(engine, &name, &text), &name);
        }
        scripts += 1;
    }
    assert!(scripts >= 9, "{scripts}");
}

/// GHSA-mghf-wjfp-p5xm: on aarch64 a jump over a long table could end elsewhere. Each of 40,000 entries leads to one of 61 places.
#[test]
fn a_long_jump_table_leads_where_it_says() {
    let target = |entry: usize| (entry * 7 + entry / 61) % 61;
    let entries: Vec<String> = (0..40_000).map(|entry| target(entry).to_string()).collect();
    // Leaving the block of a place returns its number.
    let places: Vec<String> = (0..61).map(|place| format!(") (return (i32.const {place}))")).collect();
    let module = format!(
        "(module (func (export \"jump\") (param i32) (result i32) {} (br_table {} 0 (local.get 0)) {} (unreachable)))",
        "(block ".repeat(61),
        entries.join(" "),
        places.concat(),
    );
    let jump =
        |entry: usize| format!("(assert_return (invoke \"jump\" (i32.const {entry})) (i32.const {}))", target(entry));
    let jumps = (0..40_000).step_by(97).chain([39_999]).map(jump).collect::<Vec<_>>().concat();
    let text = format!("{module}\n{jumps}\n(assert_return (invoke \"jump\" (i32.const -1)) (i32.const 0))");
    for is_pooled in [true, false] {
        all_ran(&run::run(&run::engine(is_pooled), "a long jump table", &text), "a long jump table");
    }
}

/// GHSA-m9w2-8782-2946, -q49f-xg75-m9xw, -f984-pcp8-v2p7 and -xx5w-cvp6-jv83 are about the compiler Winch, which is in no build of ours.
#[test]
fn the_other_compiler_is_not_built_in() {
    let lock = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.lock")).unwrap();
    assert!(lock.contains("name = \"wasmtime-internal-cranelift\""));
    assert!(!lock.contains("winch"));
}

fn all_ran(count: &run::Count, name: &str) {
    assert_eq!(count.failures, Vec::<String>::new(), "{name}");
    assert!(count.ran > 0 && count.refused.is_empty() && count.resting == 0, "{name}: {count:?}");
}

/// The page that lists the advisories names every script, and no test that is not there.
#[test]
fn the_page_of_advisories_is_true() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = std::fs::read_to_string(root.join("docs/reference/advisories.md")).unwrap();
    for path in std::fs::read_dir(root.join("bridge/wasm/tests/advisories")).unwrap().map(|entry| entry.unwrap().path())
    {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let row = page.lines().find(|line| line.contains(name) && line.contains("script of its name"));
        assert!(row.is_some(), "{name} has no row");
    }
    let scripts = page.matches("script of its name").count();
    assert_eq!(scripts, std::fs::read_dir(root.join("bridge/wasm/tests/advisories")).unwrap().count());
    let mut sources = String::new();
    for file in ["bridge/wasm/tests", "bridge/wasm/src", "core/src", "tests/it"]
        .iter()
        .flat_map(|folder| rust_files(&root.join(folder)))
    {
        sources += &std::fs::read_to_string(file).unwrap();
    }
    let named = page.split('`').skip(1).step_by(2).filter(|word| word.contains('_') && !word.contains(['/', '.']));
    for name in named.filter(|name| *name != "br_table") {
        assert!(sources.contains(&format!("fn {name}(")), "there is no test {name}");
    }
}

fn rust_files(folder: &Path) -> Vec<std::path::PathBuf> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}
