//! Building JavaScript and TypeScript: the same source is the same component wherever it lies, and every mistake is told with
//! its place in the developer's own file.

use santokit_tests::{ProjectFolder, StkDev, stk, toolchains};
use serde_json::{Value, json};

const GOOD: &str = "import { log, logic, LogicError } from \"@santokit/guest\";\n\
    import { twice } from \"./twice.ts\";\n\
    interface Input { number: number }\n\
    export default logic<Input, number>(({ number }) => {\n  \
      if (number < 0) throw new LogicError(\"NEGATIVE\", \"not below zero\");\n  \
      log.info(\"counting\", { at: new Date() });\n  \
      return twice(number);\n});\n";
const TWICE: &str = "export function twice(number: number): number {\n  \
      if (number === 13) throw new RangeError(\"unlucky\");\n  \
      return number * 2;\n}\n";

/// What is wrong with a source, what is said, and where.
const MISTAKES: [(&str, &str, &str); 8] = [
    ("a syntax error", "export default (((;\n", "index.ts:1:18"),
    (
        "a type error",
        "import { logic } from \"@santokit/guest\";\nexport default logic<object, number>(() => \"text\");\n",
        "index.ts(2,44)",
    ),
    ("no default export", "export const handler = 1;\n", "the module must have a default export"),
    (
        "a module of Node",
        "import \"node:fs\";\nimport { logic } from \"@santokit/guest\";\nexport default logic(() => 1);\n",
        "a logic has no Node.js",
    ),
    (
        "a package that is not there",
        "import \"left-pad\";\nimport { logic } from \"@santokit/guest\";\nexport default logic(() => 1);\n",
        "npm install",
    ),
    (
        "the host is called while the module is loaded",
        "import { logic } from \"@santokit/guest\";\nconst started = new Date();\nexport default logic(() => started);\n",
        "calls the host (runtime/clock",
    ),
    (
        "the module throws while it is loaded",
        "import { logic } from \"@santokit/guest\";\n\nconst table: Record<string, { length: number }> = {};\nexport const size = table[\"none\"]!.length;\nexport default logic(() => size);\n",
        "index.ts:4",
    ),
    ("no source", "", "one of src/index.ts"),
];

const ENGINES: [&str; 2] = ["quickjs", "starlingmonkey"];

fn project(source: &str, engine: &str) -> ProjectFolder {
    let folder = ProjectFolder::new([
        ("santokit.yaml", "version: 1\nname: js\n"),
        ("santokit.dev.yaml", "connections:\n  main: {engine: sqlite, url: \"sqlite:.stk/dev/main.db\"}\n"),
        (
            "logics/count/logic.yaml",
            &format!(
                "component: {{build: ts, engine: {engine}}}\nauth: public\nparams: {{number: {{type: int, required: true}}}}\n"
            ),
        ),
    ])
    .unwrap();
    if !source.is_empty() {
        folder.write("logics/count/index.ts", source).unwrap();
        folder.write("logics/count/twice.ts", TWICE).unwrap();
    }
    folder
}

async fn digest(folder: &ProjectFolder) -> String {
    let built = stk(folder.path(), &["logic", "build", "count", "--json"], &[]).await.unwrap();
    assert_eq!(built.code, 0, "{}{}", built.stdout, built.stderr);
    let answer: Value = serde_json::from_str(&built.stdout).unwrap();
    answer["built"][0]["digest"].as_str().unwrap_or_else(|| panic!("a digest in {answer}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_source_is_the_same_component_in_any_folder() {
    let mut seen = Vec::new();
    for engine in ENGINES {
        let (one, other) = (project(GOOD, engine), project(GOOD, engine));
        let (first, second) = tokio::join!(digest(&one), digest(&other));
        assert_eq!(first, second, "{engine}");
        other.write("logics/count/twice.ts", &TWICE.replace("* 2", "+ number")).unwrap();
        assert_ne!(digest(&other).await, first, "{engine}");
        // The manifest is no source, but its engine is: nothing of another one is taken from the cache.
        let another = if engine == "quickjs" { "starlingmonkey" } else { "quickjs" };
        one.edit("logics/count/logic.yaml", engine, another).unwrap();
        let changed = digest(&one).await;
        assert_ne!(changed, first, "{engine}");
        seen.push((first, changed));
    }
    assert_eq!((&seen[0].0, &seen[0].1), (&seen[1].1, &seen[1].0), "quickjs and starlingmonkey");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mistake_is_told_with_its_place() {
    for ((name, source, said), engine) in
        MISTAKES.into_iter().flat_map(|mistake| ENGINES.map(|engine| (mistake, engine)))
    {
        let folder = project(source, engine);
        let built = stk(folder.path(), &["logic", "build", "count"], &[]).await.unwrap();
        let output = built.stdout + &built.stderr;
        assert_eq!(built.code, 1, "{name} ({engine}): {output}");
        assert!(output.contains(said), "{name} ({engine}): {said:?} is not in\n{output}");
    }
}

/// What is fetched has the pinned digest or is not used: a registry that answers something else is an error that says so.
#[tokio::test(flavor = "multi_thread")]
async fn an_engine_of_another_digest_is_refused() {
    let folder = project(GOOD, "starlingmonkey");
    digest(&folder).await;
    // A folder that has the tools and not the engine.
    let (shared, own) = (toolchains().unwrap().join("js"), tempfile::tempdir().unwrap());
    for tool in std::fs::read_dir(&shared).unwrap().flatten() {
        let name = tool.file_name();
        if name.to_string_lossy().contains("esbuild") || name.to_string_lossy().contains("typescript") {
            std::os::unix::fs::symlink(tool.path(), own.path().join(&name)).unwrap();
        }
    }
    folder.write("logics/count/twice.ts", &TWICE.replace("unlucky", "again")).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let registry = format!("http://{}", listener.local_addr().unwrap());
    let app = axum::Router::new().fallback(|| async { "no package" });
    tokio::spawn(async move { axum::serve(listener, app).await });
    for (registry, said) in [(registry.as_str(), "has the digest sha512-"), ("http://127.0.0.1:1", "cannot be fetched")]
    {
        let env = [("STK_JS_TOOLCHAIN_DIR", own.path().to_str().unwrap()), ("NPM_CONFIG_REGISTRY", registry)];
        let built = stk(folder.path(), &["logic", "build", "count"], &env).await.unwrap();
        let output = built.stdout + &built.stderr;
        assert_eq!(built.code, 1, "{output}");
        assert!(output.contains(said) && output.contains("componentize-js 0.23.0"), "{said:?} is not in\n{output}");
    }
    let left = std::fs::read_dir(own.path()).unwrap().flatten().filter(|file| file.path().is_dir()).count();
    assert_eq!(left, 2, "nothing was unpacked");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_thrown_in_a_call_names_the_source_and_only_in_the_log() {
    let folder = project(GOOD, "quickjs");
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    assert_eq!(dev.client.logic("count", json!({"number": 4})).await.unwrap().body["data"], 8);
    let refused = dev.client.logic("count", json!({"number": -1})).await.unwrap();
    assert_eq!((refused.code(), &refused.body["error"]["details"]["code"]), ("LOGIC_ERROR", &json!("NEGATIVE")));
    let thrown = dev.client.logic("count", json!({"number": 13})).await.unwrap();
    assert_eq!(thrown.code(), "LOGIC_FAILED", "{thrown:?}");
    assert!(!thrown.body.to_string().contains("unlucky"), "{thrown:?}");
    dev.wait_for_output("twice.ts:2").await.unwrap();
    assert!(dev.output().contains("uncaught RangeError: unlucky"), "{}", dev.output());
}

/// A column that goes away breaks what used it, at the place where it was used.
#[tokio::test(flavor = "multi_thread")]
async fn rows_and_params_of_the_project_are_types() {
    let folder = project(
        "import { logic, sql } from \"@santokit/guest\";\n\
         import type { CountParams, ItemsRow } from \"@santokit/project\";\n\
         export default logic<CountParams, string>(({ number }) =>\n  \
           sql.open(\"main\").queryOne<ItemsRow>(\"SELECT * FROM items WHERE size = ?\", [number]).label);\n",
        "quickjs",
    );
    let granted = "auth: public\ngrants: {sql: [{connection: main, tables: {items: [select]}}]}";
    folder.edit("logics/count/logic.yaml", "auth: public", granted).unwrap();
    let schema = |column: &str| {
        format!(
            "version: 1\ntables:\n  items:\n    id: {{name: id, generate: client}}\n    columns:\n      {column}: {{type: string, nullable: false}}\n"
        )
    };
    folder.write("schema/main.yaml", &schema("label")).unwrap();
    let first = digest(&folder).await;
    folder.write("schema/main.yaml", &schema("title")).unwrap();
    let built = stk(folder.path(), &["logic", "build", "count"], &[]).await.unwrap();
    let output = built.stdout + &built.stderr;
    assert_eq!(built.code, 1, "{output}");
    assert!(output.contains("index.ts(4,87)") && output.contains("label"), "{output}");
    folder.write("schema/main.yaml", &schema("label")).unwrap();
    assert_eq!(digest(&folder).await, first);
}
