//! Types, checked by tsc with the developer's own settings. Mistakes in the SDK's sources under those settings do not count.

use std::path::Path;

use serde_json::{Map, Value as Json, json};
use tokio::process::Command;

use super::{Source, failure, tool};
use crate::build::{BuildError, Progress};

/// Runs tsc where the source is TypeScript.
pub(super) async fn check(tsc: &Path, source: &Source<'_>, progress: Progress<'_>) -> Result<(), BuildError> {
    let is_typed = source.entry.extension().is_some_and(|extension| extension == "ts" || extension == "mts");
    if !is_typed {
        return Ok(());
    }
    let folder = tempfile::tempdir().map_err(|error| BuildError::io("create", Path::new("a folder"), error))?;
    let config = folder.path().join("tsconfig.json");
    std::fs::write(&config, settings(source).to_string()).map_err(|error| BuildError::io("write", &config, error))?;
    let mut command = Command::new(tsc);
    command.arg("-p").arg(&config).args(["--pretty", "false"]).current_dir(source.dir);
    let finished = tool(&mut command, tsc, progress).await?;
    let said = String::from_utf8_lossy(&finished.stdout);
    let errors = errors(&said, source);
    if !errors.is_empty() {
        return Err(failure(errors.join("\n")));
    }
    // A tool that fails without an error of the developer's has failed itself, unless all it found is in the SDK.
    if !finished.success && !said.contains("error TS") {
        return Err(failure(format!("tsc failed: {}{}", said.trim(), finished.stderr.trim())));
    }
    Ok(())
}

/// The developer's tsconfig.json counts where there is one.
fn settings(source: &Source<'_>) -> Json {
    let own = source.dir.join("tsconfig.json");
    let text = std::fs::read_to_string(&own).ok();
    let mut paths = text.as_deref().map(|text| own_paths(text, source.dir)).unwrap_or_default();
    paths.insert("@santokit/guest".to_owned(), json!([source.sdk.join("src/index.ts")]));
    paths.insert("@santokit/guest/test".to_owned(), json!([source.sdk.join("src/test.ts")]));
    paths.insert("@santokit/project".to_owned(), json!([source.project_types]));
    let mut options = json!({
        "module": "preserve", "moduleResolution": "bundler", "noEmit": true, "allowImportingTsExtensions": true, "paths": paths,
    });
    let mut config = json!({"files": [source.entry, source.sdk.join("src/host.d.ts")], "include": []});
    if text.is_some() {
        config["extends"] = json!(own);
    } else {
        for (key, value) in [
            ("target", json!("es2024")),
            ("lib", json!(["esnext"])),
            ("strict", json!(true)),
            ("skipLibCheck", json!(true)),
            ("types", json!([])),
        ] {
            options[key] = value;
        }
    }
    config["compilerOptions"] = options;
    config
}

/// The developer's own path aliases, where their tsconfig.json is plain JSON.
fn own_paths(text: &str, dir: &Path) -> Map<String, Json> {
    let Ok(config) = serde_json::from_str::<Json>(text) else { return Map::new() };
    let options = &config["compilerOptions"];
    let base = dir.join(options["baseUrl"].as_str().unwrap_or("."));
    let absolute = |places: &Json| -> Json {
        places.as_array().into_iter().flatten().filter_map(Json::as_str).map(|place| json!(base.join(place))).collect()
    };
    let paths = options["paths"].as_object().into_iter().flatten();
    paths.map(|(name, places)| (name.clone(), absolute(places))).collect()
}

/// Each error with its indented lines; those of the SDK left out.
fn errors(said: &str, source: &Source<'_>) -> Vec<String> {
    let mut errors: Vec<String> = Vec::new();
    for line in said.lines() {
        match errors.last_mut() {
            Some(error) if line.starts_with(' ') => {
                error.push('\n');
                error.push_str(line);
            }
            _ => errors.push(line.to_owned()),
        }
    }
    let sdk = super::outside(source.sdk, source.dir).to_string_lossy().replace('\\', "/");
    errors.retain(|error| error.contains("error TS") && !error.starts_with(&sdk));
    errors
}
