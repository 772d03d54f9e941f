//! Building C, with the compiler that a developer would have: what is made of a folder, and what is said of mistakes. The
//! host-free half of the SDK runs here under the sanitizers of the machine's own compiler.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::{BuildError, BuildSpec, Built, Language, build_component};

const HANDLER: &str = "#include <santokit.h>\n#include \"twice.h\"\n\njson_t *stk_handle(const json_t *input)\n{\n    \
    return json_integer(twice((int)json_integer_value(json_object_get(input, \"number\"))));\n}\n";
const TWICE_H: &str = "int twice(int number);\n";
const TWICE_C: &str = "#include \"twice.h\"\n\nint twice(int number)\n{\n    return number * 2;\n}\n";

/// What is wrong with `handler.c`, and the summary that is made of it.
const MISTAKES: [(&str, &str, &str); 6] = [
    ("a type that nobody declared", "json_t *stk_handle(void);\n", "unknown type name 'json_t' --> handler.c:1:1"),
    (
        "a missing semicolon",
        "#include <santokit.h>\njson_t *stk_handle(const json_t *input)\n{\n    return json_null()\n}\n",
        "expected ';' after return statement --> handler.c:4:23",
    ),
    (
        "a function that is nowhere declared",
        "#include <santokit.h>\njson_t *stk_handle(const json_t *input)\n{\n    return json_boolean(undeclared(input));\n}\n",
        "--> handler.c:4:25",
    ),
    (
        "a number in the place of a pointer",
        "#include <santokit.h>\njson_t *stk_handle(const json_t *input)\n{\n    return 7 + !input;\n}\n",
        "handler.c:4:",
    ),
    ("no such header", "#include <missing.h>\n", "'missing.h' file not found --> handler.c:1:10"),
    ("no stk_handle", "int unused;\n", "write `json_t *stk_handle(const json_t *input)`"),
];

/// A project with the logic `logics/count`. The compiled SDK is shared with all tests.
fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = project_apart(files);
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/guests/c");
    std::fs::create_dir_all(&shared).unwrap();
    let cache = folder.path().join(".stk/cache");
    std::fs::create_dir_all(&cache).unwrap();
    std::os::unix::fs::symlink(shared, cache.join("c-toolchain")).unwrap();
    folder
}

/// The same with everything its own.
fn project_apart(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        write(folder.path(), path, text);
    }
    folder
}

fn write(project: &Path, path: &str, text: &str) {
    let path = project.join("logics/count").join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

async fn build(project: &Path) -> Result<Built, BuildError> {
    let spec = BuildSpec::Build(Language::C);
    build_component(&spec, &project.join("logics/count"), &project.join(".stk/cache"), &|_| {}).await
}

const GOOD: [(&str, &str); 3] = [("handler.c", HANDLER), ("include/twice.h", TWICE_H), ("src/deep/twice.c", TWICE_C)];

#[tokio::test]
async fn the_same_source_is_the_same_component_in_any_folder() {
    let (one, other) = (project(&GOOD), project_apart(&GOOD));
    let (first, second) = (build(one.path()).await.unwrap(), build(other.path()).await.unwrap());
    assert!(first.wasm == second.wasm, "the bytes differ");
    assert_eq!(first.source_digest, second.source_digest);
    assert!(build(one.path()).await.unwrap().from_cache);
    for place in [one.path(), Path::new(env!("CARGO_MANIFEST_DIR"))] {
        let place = place.to_str().unwrap().as_bytes();
        assert!(!first.wasm.windows(place.len()).any(|bytes| bytes == place), "a folder of this machine is in it");
    }
    // Of several files each counts.
    write(other.path(), "src/deep/twice.c", &TWICE_C.replace("* 2", "* 3"));
    let changed = build(other.path()).await.unwrap();
    assert!(!changed.from_cache && changed.wasm != first.wasm);
}

#[tokio::test]
async fn a_mistake_is_told_with_its_place() {
    for (name, source, said) in MISTAKES {
        let folder = project(&[("handler.c", source)]);
        let error = build(folder.path()).await.unwrap_err();
        assert!(matches!(error, BuildError::Compiler { .. }), "{name}: {error}");
        assert!(error.to_string().contains(said), "{name}: {said:?} is not in {error}");
        let output = error.compiler_output().unwrap();
        assert!(!output.contains(".build-"), "a file of the build's own is named, {name}: {output}");
    }
    let empty = project(&[("notes.txt", "no C here")]);
    let error = build(empty.path()).await.unwrap_err();
    assert!(matches!(error, BuildError::NoSource { language: "c", .. }), "{error}");
}

#[tokio::test]
async fn a_header_outside_of_the_folder_is_part_of_what_it_is_made_of() {
    let handler = "#include <santokit.h>\n#include \"../common/answer.h\"\n#include \"project.h\"\n\n\
        json_t *stk_handle(const json_t *input)\n{\n    return json_pack(\"[i,s,b]\", ANSWER, ITEMS_COLUMNS, input == NULL);\n}\n";
    let folder = project(&[("handler.c", handler), ("../common/answer.h", "#define ANSWER 41\n")]);
    let types = folder.path().join(".stk/types/project.h");
    std::fs::create_dir_all(types.parent().unwrap()).unwrap();
    std::fs::write(&types, "#define ITEMS_COLUMNS \"id\"\n").unwrap();
    let first = build(folder.path()).await.unwrap();
    assert!(build(folder.path()).await.unwrap().from_cache);

    write(folder.path(), "../common/answer.h", "#define ANSWER 42\n");
    let second = build(folder.path()).await.unwrap();
    assert!(!second.from_cache && second.wasm != first.wasm);

    std::fs::write(&types, "#define ITEMS_COLUMNS \"id, name\"\n").unwrap();
    let third = build(folder.path()).await.unwrap();
    assert!(!third.from_cache && third.wasm != second.wasm);

    std::fs::remove_file(&types).unwrap();
    let error = build(folder.path()).await.unwrap_err();
    assert!(error.to_string().contains("'project.h' file not found --> handler.c:3:10"), "{error}");
}

#[tokio::test]
async fn a_warning_is_shown_while_the_build_goes_on() {
    let source = HANDLER.replace("{\n", "{\n    int forgotten;\n");
    let folder = project(&[("handler.c", &source), ("twice.h", TWICE_H), ("twice.c", TWICE_C)]);
    let lines = std::sync::Mutex::new(Vec::new());
    let spec = BuildSpec::Build(Language::C);
    let (dir, cache) = (folder.path().join("logics/count"), folder.path().join(".stk/cache"));
    build_component(&spec, &dir, &cache, &|line| lines.lock().unwrap().push(line.to_owned())).await.unwrap();
    let lines = lines.into_inner().unwrap();
    assert!(
        lines.iter().any(|line| line.starts_with("handler.c:6:9: warning: unused variable 'forgotten'")),
        "{lines:?}"
    );
}

/// Reading of packed rows, numbers, moments and text, with the sanitizers of the machine's own compiler.
#[test]
fn the_host_free_half_of_the_sdk_is_sound() {
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sdk-guest/c");
    let folder = tempfile::tempdir().unwrap();
    let program: PathBuf = folder.path().join("pure_test");
    let mut compiler = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
    compiler.current_dir(&sdk);
    compiler.args(["-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-Werror"]);
    compiler.args(["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]);
    compiler.args(["-Iinclude", "-isystem", "third_party/jansson", "-Isrc", "tests/pure_test.c"]);
    compiler.args(["src/packed.c", "src/number.c", "src/datetime.c", "src/utf8.c", "-o"]).arg(&program).arg("-lm");
    for mut step in [compiler, Command::new(&program)] {
        let output = step.output().unwrap_or_else(|error| panic!("{step:?}: {error}"));
        assert!(output.status.success(), "{step:?}\n{}", String::from_utf8_lossy(&output.stderr));
    }
}
