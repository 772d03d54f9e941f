//! Components that another project publishes with its sources: the package `wit-component`, which every toolchain builds on, has those of its own tests.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use santokit_core::component::{ComponentError, inspect};
use wasmtime::component::Component;

use crate::{compare, run};

/// Each is refused by the gate, and then by the engine as well, or compiles. What the gate says of each stands in `published.txt`.
#[test]
fn components_of_wit_component_are_refused_or_compile() {
    let engines = [true, false].map(run::engine);
    let (mut table, mut taken) = (String::new(), 0);
    for (name, text) in components(&package("wit-component")) {
        // The newest form of the text is not always the one that they are written in.
        let Ok(bytes) = wat::parse_str(&text) else {
            writeln!(table, "{name}: not read").unwrap();
            continue;
        };
        let gate = inspect(&bytes);
        for engine in &engines {
            let compiled = Component::new(engine, &bytes).map(drop).map_err(|error| format!("{error:#}"));
            match &gate {
                Ok(_) => assert_eq!(compiled, Ok(()), "{name}"),
                Err(ComponentError::Malformed(_)) => assert!(compiled.is_err(), "{name}: the engine takes {gate:?}"),
                Err(_) => {}
            }
        }
        taken += usize::from(gate.is_ok());
        let said = gate.map_or_else(|error| error.to_string(), |found| format!("taken, {} modules", found.modules));
        // Where in the bytes is of no interest.
        writeln!(table, "{name}: {}", said.split(" (at byte").next().unwrap_or_default()).unwrap();
    }
    assert!(taken > 50, "{taken}");
    compare("published.txt", &table);
}

/// The text of every component in the tests of a package.
fn components(package: &Path) -> Vec<(String, String)> {
    let folders = std::fs::read_dir(package.join("tests/components")).unwrap();
    let mut found: Vec<(String, String)> = folders
        .map(|entry| entry.unwrap())
        .filter_map(|entry| {
            let text = std::fs::read_to_string(entry.path().join("component.wat")).ok()?;
            Some((entry.file_name().into_string().unwrap(), text))
        })
        .collect();
    found.sort();
    found
}

/// The folder of a package, in the version that the tests are built with.
fn package(name: &str) -> PathBuf {
    let answer = |command: &mut Command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let machine = answer(Command::new("rustc").arg("-vV"));
    let machine = machine.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let metadata = answer(Command::new(env!("CARGO")).current_dir(env!("CARGO_MANIFEST_DIR")).args([
        "metadata",
        "--format-version=1",
        "--locked",
        "--offline",
        "--filter-platform",
        machine,
    ]));
    let metadata: serde_json::Value = serde_json::from_str(&metadata).unwrap();
    let of_ours = |package: &&serde_json::Value| {
        package["name"] == name && package["version"].as_str().is_some_and(|version| version.starts_with("0.254."))
    };
    let package = metadata["packages"].as_array().unwrap().iter().find(of_ours).unwrap();
    Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap().to_owned()
}
