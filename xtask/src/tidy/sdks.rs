//! Guest SDKs as packages: what their registries show stands in each manifest, versions are the workspace's, a README tells the
//! API and how to generate its pages, and what is public has a comment. Rust's own comments are the compiler's (`missing_docs`).

use std::path::Path;

use serde_json::Value as Json;

use super::{File, Tree, Violation};

const FOLDERS: [&str; 4] = ["rust", "js", "python", "c"];
const CARGO: &str = "sdk-guest/rust/Cargo.toml";
const NPM: &str = "sdk-guest/js/package.json";
const PYPI: &str = "sdk-guest/python/pyproject.toml";
const HEADER: &str = "sdk-guest/c/include/santokit.h";

/// What a registry shows or a tool asks for.
const CARGO_KEYS: [&str; 11] = [
    "name",
    "version",
    "edition",
    "rust-version",
    "license",
    "description",
    "readme",
    "keywords",
    "categories",
    "include",
    "metadata",
];
const NPM_KEYS: [&str; 10] =
    ["name", "version", "description", "license", "type", "exports", "types", "files", "keywords", "engines"];
const PYPI_KEYS: [&str; 9] = [
    "name",
    "version",
    "description",
    "readme",
    "license",
    "license-files",
    "requires-python",
    "keywords",
    "classifiers",
];

pub(super) fn check(tree: &Tree, violations: &mut Vec<Violation>) {
    if !tree.holds(Path::new("sdk-guest")) {
        return;
    }
    let version = workspace_version(tree);
    manifests(tree, &version, violations);
    for folder in FOLDERS {
        beside(tree, folder, violations);
    }
    for file in tree.with_extension("ts").filter(|file| file.path.starts_with("sdk-guest/js/src")) {
        typescript(file, violations);
    }
    for file in tree.with_extension("py").filter(|file| file.path.starts_with("sdk-guest/python/src")) {
        python(file, violations);
    }
    if let Some(file) = tree.get(Path::new(HEADER)) {
        header(file, violations);
    }
}

fn workspace_version(tree: &Tree) -> String {
    let root = tree.get(Path::new("Cargo.toml")).and_then(|file| file.text.parse::<toml::Table>().ok());
    let version = root.as_ref().and_then(|root| root.get("workspace")?.get("package")?.get("version")?.as_str());
    version.unwrap_or_default().to_owned()
}

fn manifests(tree: &Tree, version: &str, violations: &mut Vec<Violation>) {
    let toml = |path: &str| tree.get(Path::new(path)).and_then(|file| file.text.parse::<toml::Table>().ok());
    let json = tree.get(Path::new(NPM)).and_then(|file| serde_json::from_str::<Json>(&file.text).ok());
    let cargo = toml(CARGO).and_then(|table| serde_json::to_value(table.get("package")?).ok());
    let pypi = toml(PYPI).and_then(|table| serde_json::to_value(table.get("project")?).ok());
    for (path, keys, manifest) in
        [(CARGO, &CARGO_KEYS[..], cargo), (NPM, &NPM_KEYS[..], json), (PYPI, &PYPI_KEYS[..], pypi)]
    {
        let Some(manifest) = manifest else {
            violations.push(Violation::of(Path::new(path), "is missing or does not parse"));
            continue;
        };
        let is_empty = |value: &Json| match value {
            Json::Null => true,
            Json::String(text) => text.is_empty(),
            Json::Array(items) => items.is_empty(),
            Json::Object(fields) => fields.is_empty(),
            Json::Bool(_) | Json::Number(_) => false,
        };
        for key in keys.iter().filter(|key| is_empty(&manifest[**key])) {
            violations.push(Violation::of(Path::new(path), format!("a package needs `{key}`: say it")));
        }
        if manifest["version"].as_str() != Some(version) {
            violations
                .push(Violation::of(Path::new(path), format!("has another version than the workspace, {version}")));
        }
    }
    let warned = toml(CARGO).and_then(|table| table.get("lints")?.get("rust")?.get("missing_docs").cloned());
    if warned.is_none() {
        violations.push(Violation::of(Path::new(CARGO), "turn on the lint `missing_docs`"));
    }
    let header = tree.get(Path::new(HEADER)).map_or("", |file| file.text.as_str());
    if !header.contains(&format!("#define STK_VERSION \"{version}\"")) {
        violations.push(Violation::of(Path::new(HEADER), format!("STK_VERSION is not the workspace's, {version}")));
    }
}

/// README and licence, which are packed.
fn beside(tree: &Tree, folder: &str, violations: &mut Vec<Violation>) {
    let folder = Path::new("sdk-guest").join(folder);
    let readme = folder.join("README.md");
    let text = tree.get(&readme).map_or("", |file| file.text.as_str());
    if !text.contains("\n## API\n") {
        violations
            .push(Violation::of(&readme, "needs a section `## API`: what there is, and how its pages are generated"));
    }
    let licence = |path: &Path| tree.get(path).map(|file| file.text.clone());
    if licence(&folder.join("LICENSE")) != licence(Path::new("LICENSE")) {
        violations.push(Violation::of(&folder.join("LICENSE"), "copy LICENSE of the root here: a package carries it"));
    }
}

/// Exports at the left margin have a comment above; of several signatures of a function the first.
fn typescript(file: &File, violations: &mut Vec<Violation>) {
    let mut above = "";
    for (index, line) in file.text.lines().enumerate() {
        let declared = line.strip_prefix("export ").map(|rest| rest.trim_start_matches("abstract "));
        let declared = declared.and_then(|rest| {
            let kinds = ["class ", "function ", "const ", "interface ", "type "];
            kinds.iter().find_map(|kind| rest.strip_prefix(kind)).filter(|name| !name.starts_with('{'))
        });
        if let Some(name) = declared {
            let name: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let is_next_signature = above.starts_with("export function") && above.contains(&format!(" {name}("));
            if !above.trim_end().ends_with("*/") && !is_next_signature {
                violations.push(Violation::at(&file.path, index + 1, format!("{name} is exported and has no comment")));
            }
        }
        // A word to another tool may stand between.
        if !line.starts_with("// ") {
            above = line;
        }
    }
}

/// Public functions and classes begin with a docstring, but for further signatures and what `_` hides.
fn python(file: &File, violations: &mut Vec<Violation>) {
    let is_hidden = file.path.iter().any(|part| {
        let part = part.to_string_lossy();
        part.starts_with('_') && part != "__init__.py"
    });
    if is_hidden {
        return;
    }
    let lines: Vec<&str> = file.text.lines().collect();
    let (mut is_in_docstring, mut is_in_hidden_class) = (false, false);
    for (index, line) in lines.iter().enumerate() {
        let was_in_docstring = is_in_docstring;
        is_in_docstring ^= line.matches("\"\"\"").count() % 2 == 1;
        if !line.starts_with([' ', ')']) && !line.is_empty() {
            is_in_hidden_class = line.starts_with("class _");
        }
        if was_in_docstring || is_in_hidden_class {
            continue;
        }
        let indented = line.len() - line.trim_start().len();
        let declared = ["def ", "async def ", "class "].iter().find_map(|kind| line.trim_start().strip_prefix(kind));
        let Some(name) = declared.filter(|name| indented <= 4 && !name.starts_with('_')) else { continue };
        let is_signature = index > 0 && lines[index - 1].trim().ends_with("overload");
        let mut rest = lines[index..].iter().skip_while(|line| !line.trim_end().ends_with(':')).skip(1);
        let has_docstring =
            rest.find(|line| !line.trim().is_empty()).is_some_and(|line| line.trim().starts_with("\"\"\""));
        if !has_docstring && !is_signature {
            let name: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            violations.push(Violation::at(&file.path, index + 1, format!("{name} is public and has no docstring")));
        }
    }
}

/// Functions have a comment above, or stand in a group that has one.
fn header(file: &File, violations: &mut Vec<Violation>) {
    let mut is_told = false;
    for (index, line) in file.text.lines().enumerate() {
        let is_function = !line.starts_with([' ', '#', '/', '}', '\t']) && line.contains("stk_") && line.contains('(');
        if is_function && !line.starts_with("typedef") && !is_told {
            violations.push(Violation::at(&file.path, index + 1, "a function without a comment above"));
        }
        is_told = line.trim_end().ends_with("*/") || (is_told && !line.trim().is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(check: impl Fn(&File, &mut Vec<Violation>), path: &str, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        check(&File { path: path.into(), text: text.to_owned() }, &mut found);
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_public_without_a_comment_is_found() {
        let good = "/** Says. */\nexport function a(): void;\nexport function a(b: number): void;\nexport { c };\n";
        assert_eq!(found(typescript, "a.ts", good), Vec::<String>::new());
        let bad = "export class A {\n}\n\n/** Says. */\n\nexport abstract class B {\n";
        assert_eq!(
            found(typescript, "a.ts", bad),
            ["a.ts:1: A is exported and has no comment", "a.ts:6: B is exported and has no comment"]
        );
        let good = "class A:\n    \"\"\"Says.\"\"\"\n\n    def a(\n        self,\n    ) -> int:\n        \"\"\"Says.\"\"\"\n    def _b(self): ...\n";
        assert_eq!(found(python, "a.py", good), Vec::<String>::new());
        assert_eq!(
            found(python, "a.py", "def a() -> int:\n    return 1\n"),
            ["a.py:1: a is public and has no docstring"]
        );
        assert_eq!(found(python, "_a.py", "def a() -> int:\n    return 1\n"), Vec::<String>::new());
        let good = "/* Says. */\nbool stk_a(void);\nbool stk_b(void);\n";
        assert_eq!(found(header, "a.h", good), Vec::<String>::new());
        let bad = found(header, "a.h", "/* Says. */\nbool stk_a(void);\n\nbool stk_b(void);\n");
        assert_eq!(bad, ["a.h:4: a function without a comment above"]);
    }

    #[test]
    fn an_incomplete_package_is_found() {
        let tree = Tree::of(&[
            ("Cargo.toml", "[workspace.package]\nversion = \"0.2.0\"\n"),
            ("LICENSE", "licence"),
            (CARGO, "[package]\nname = \"a\"\nversion = \"0.1.0\"\n"),
            (NPM, "{\"name\": \"a\", \"version\": \"0.2.0\", \"files\": []}"),
        ]);
        let mut found = Vec::new();
        check(&tree, &mut found);
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        for said in [
            "sdk-guest/rust/Cargo.toml: a package needs `description`: say it",
            "sdk-guest/rust/Cargo.toml: has another version than the workspace, 0.2.0",
            "sdk-guest/rust/Cargo.toml: turn on the lint `missing_docs`",
            "sdk-guest/js/package.json: a package needs `files`: say it",
            "sdk-guest/python/pyproject.toml: is missing or does not parse",
            "sdk-guest/c/include/santokit.h: STK_VERSION is not the workspace's, 0.2.0",
            "sdk-guest/c/README.md: needs a section `## API`: what there is, and how its pages are generated",
            "sdk-guest/js/LICENSE: copy LICENSE of the root here: a package carries it",
        ] {
            assert!(found.iter().any(|found| found == said), "{said} is not in {found:#?}");
        }
        assert!(!found.iter().any(|found| found.starts_with("sdk-guest/js/package.json: has another")));
    }
}
