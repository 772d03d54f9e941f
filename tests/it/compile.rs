//! Compiling is work on hostile input: it has a process of its own, with an end; and what was compiled is kept.

use std::{
    fmt::Write as _,
    fs,
    path::PathBuf,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use santokit_bridge::host::GuestHost;
use santokit_core::component::ComponentError;
use santokit_tests::{repository, stk_process::stk_binary};
use santokit_wasm::{CompileLimits, CompiledStore, LoadError, Sandbox, SandboxConfig, WorkerConfig};
use serde_json::json;

use crate::lab::{Lab, assert_serves};

fn sandbox(program: PathBuf, limits: CompileLimits, store: Option<CompiledStore>) -> Arc<Sandbox<GuestHost>> {
    let arguments = ["bridge", "compile-worker"].map(str::to_owned).to_vec();
    let worker = Some(WorkerConfig { program, arguments, limits });
    Sandbox::with_store(&SandboxConfig { worker, instances_max: 16, ..SandboxConfig::default() }, store).unwrap()
}

fn stk() -> PathBuf {
    stk_binary().unwrap()
}

/// A guest as users make them.
fn harmless() -> Vec<u8> {
    fs::read(repository().join("tests/guests/kept/logic-0.1.0-rust.wasm")).unwrap()
}

/// The same with one more core module in it, which nothing uses and the compiler compiles all the same.
fn with_module(wat: &str) -> Vec<u8> {
    let module = wat::parse_str(wat).unwrap();
    let mut component = harmless();
    component.push(1);
    let mut length = module.len();
    while length > 127 {
        component.push(u8::try_from(length & 127).unwrap() | 128);
        length >>= 7;
    }
    component.push(u8::try_from(length).unwrap());
    component.extend(module);
    component
}

/// How a bomb ends.
#[derive(Clone, Copy, Debug)]
enum End {
    /// Compiled within the limits, which depends on the machine, or stopped by one of them.
    Compiler,
    /// By the gate, which says that there is too much of this.
    Gate(&'static str),
    /// Compiled, and more than an instance may have.
    Instance,
}

/// Modules that cost the compiler as much as their author could think of.
fn bombs() -> Vec<(&'static str, End, String)> {
    let sums = "local.get 0 i32.const 77777 i32.mul local.set 0 ".repeat(100_000);
    let deep = format!("{}{}", "block ".repeat(100_000), "end ".repeat(100_000));
    let targets = "0 ".repeat(60_000);
    let storm = format!("block local.get 0 br_table {targets} end ").repeat(8);
    let (mut counted, mut alive) = (String::new(), String::new());
    for local in 0..9_000 {
        write!(counted, "local.get {local} i32.const 1 i32.add local.set {local} ").unwrap();
        write!(alive, "local.get {local} i32.xor ").unwrap();
    }
    vec![
        ("one huge function", End::Compiler, format!("(module (func (param i32) {sums}))")),
        ("deep nesting", End::Compiler, format!("(module (func {deep}))")),
        ("a storm of br_table", End::Compiler, format!("(module (func (param i32) {storm}))")),
        (
            "all locals alive at once",
            End::Compiler,
            format!(
                "(module (func (param i32) (result i32) (local {}) loop {counted} end i32.const 0 {alive}))",
                "i32 ".repeat(8_999)
            ),
        ),
        ("very many functions", End::Compiler, format!("(module {})", "(func)".repeat(190_000))),
        ("a million functions", End::Gate("functions"), format!("(module {})", "(func)".repeat(1_000_000))),
        (
            "operands without end",
            End::Compiler,
            format!("(module (func (result i32) {} {}))", "i32.const 1 ".repeat(100_000), "i32.add ".repeat(99_999)),
        ),
        (
            "loops within loops",
            End::Compiler,
            format!(
                "(module (func (param i32) {} {}))",
                "loop ".repeat(20_000),
                "local.get 0 br_if 0 end ".repeat(20_000)
            ),
        ),
        (
            "calls with a thousand values",
            End::Compiler,
            format!(
                "(module (func $f (param {}) (result {0})  unreachable) (func {} {}))",
                "i64 ".repeat(1_000),
                "i64.const 1 ".repeat(1_000),
                "call $f ".repeat(200) + &"drop ".repeat(1_000)
            ),
        ),
        ("a giant table", End::Instance, "(module (table 10000000 funcref))".to_owned()),
    ]
}

/// Whether it ended as it should.
fn ended_so(end: End, loaded: &Result<(), LoadError>) -> bool {
    match (end, loaded) {
        (End::Compiler, Ok(())) => true,
        (End::Compiler, Err(LoadError::Compile(told))) => {
            told.contains("raise the Bridge's `compileCpu`") || told.contains("raise the Bridge's `compileMemory`")
        }
        (End::Gate(what), Err(LoadError::Refused(ComponentError::TooLarge { what: found, .. }))) => {
            found.contains(what)
        }
        (End::Instance, Err(LoadError::Compile(told))) => told.contains("does not fit"),
        _ => false,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bombs_end_within_their_limits_and_others_compile_on() {
    let limits =
        CompileLimits { memory_bytes_max: 2 << 30, cpu: Duration::from_secs(1), timeout: Duration::from_mins(1) };
    let sandbox = sandbox(stk(), limits, None);
    for (name, end, bomb) in bombs() {
        let bomb = with_module(&bomb);
        let began = Instant::now();
        let hostile = async {
            let loaded = sandbox.load_for("hostile", &bomb, name).await.map(drop);
            (loaded, began.elapsed())
        };
        // Another project's, at the same time.
        let beside = format!("beside {name}");
        let small = harmless();
        let ((loaded, took), other) = tokio::join!(hostile, sandbox.load_for("shop", &small, &beside));
        assert!(ended_so(end, &loaded), "{name} must end by {end:?}, and did by {loaded:?}");
        assert!(took < limits.timeout + Duration::from_mins(1), "{name} took {took:?}");
        assert!(other.is_ok(), "beside {name}");
        assert!(sandbox.load_for("shop", &small, &format!("after {name}")).await.is_ok(), "after {name}");
    }
}

/// A Bridge serves what it has while a release that it will refuse keeps its compiler busy.
#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_answers_while_a_bomb_compiles() {
    let lab = Lab::start("bombed").await;
    let bridge = lab.bridge("cache", &[("STK_BRIDGE_COMPILE_CPU", "2s")]).await;
    lab.apply().await;
    fs::write(lab.folder.path().join("logics/every/every.wasm"), heavy()).unwrap();
    let mut applying = pin!(lab.stk(&["apply", "--accept-grants", "--yes"], ""));
    let mut answered = 0;
    let refused = loop {
        tokio::select! {
            refused = &mut applying => break refused,
            answer = bridge.client.logic("every", json!({})) => {
                let answer = answer.unwrap();
                assert_eq!(answer.status, 200, "{answer:?}");
                answered += 1;
            }
        }
    };
    let row = &refused.json()["bridges"][0];
    assert_eq!((refused.code, &row["state"]), (3, &json!("refused")), "{refused:?}");
    assert!(row["refused"]["message"].to_string().contains("`compileCpu`"), "{row}");
    assert!(answered > 0, "nobody was answered meanwhile");
    assert_serves(&bridge, &lab.api_key.0, 1).await;
}

/// A compiler that was taken over can say that gigabytes follow: they are not waited for, and nothing is made for them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn machine_code_without_end_is_not_taken() {
    let word = r#"{"landlock":true,"seccomp":true,"nice":true}"#;
    let mut said = (word.len() as u64).to_le_bytes().to_vec();
    said.extend_from_slice(word.as_bytes());
    // Machine code, of one byte more than there may be.
    said.push(0);
    said.extend_from_slice(&((256_u64 << 20) + 1).to_le_bytes());
    let said = said.iter().fold(String::new(), |mut text, byte| {
        write!(text, "\\{byte:03o}").unwrap();
        text
    });
    let arguments = vec!["-c".to_owned(), format!("printf '{said}'; exec cat >/dev/null")];
    let worker = Some(WorkerConfig { program: "/bin/sh".into(), arguments, limits: CompileLimits::default() });
    let config = SandboxConfig { worker, instances_max: 16, ..SandboxConfig::default() };
    let failed = Sandbox::<GuestHost>::new(&config).unwrap().load(&harmless(), "guest").await.map(drop);
    assert!(matches!(&failed, Err(LoadError::Host(told)) if told.contains("its answer is too long")), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_limit_of_a_compilation_is_named() {
    let ample = CompileLimits::default();
    let heavy = heavy();
    let cases = [
        ("`compileCpu`", CompileLimits { cpu: Duration::from_secs(1), ..ample }),
        ("`compileTimeout`", CompileLimits { timeout: Duration::from_millis(100), ..ample }),
        ("`compileMemory`", CompileLimits { memory_bytes_max: 256 << 20, ..ample }),
    ];
    for (named, limits) in cases {
        let sandbox = sandbox(stk(), limits, None);
        match sandbox.load(&heavy, "heavy").await.map(drop) {
            Err(LoadError::Compile(told)) => assert!(told.contains(named), "{named}: {told}"),
            other => panic!("{named}: {other:?}"),
        }
    }
}

/// More work than any limit here leaves time for.
fn heavy() -> Vec<u8> {
    let sums = "local.get 0 i32.const 77777 i32.mul local.set 0 ".repeat(40_000);
    with_module(&format!("(module {})", format!("(func (param i32) {sums})").repeat(16)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bombs_of_one_project_hold_up_no_other() {
    let sandbox = sandbox(stk(), CompileLimits::default(), None);
    let bombs: Vec<_> = (0..4)
        .map(|number| {
            let sandbox = Arc::clone(&sandbox);
            tokio::spawn(async move { sandbox.load_for("hostile", &heavy(), &number.to_string()).await.map(drop) })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    // One after the other: who had to wait for them would see them ended.
    assert!(sandbox.load_for("shop", &harmless(), "harmless").await.is_ok());
    assert!(bombs.iter().filter(|bomb| bomb.is_finished()).count() < 3);
    for bomb in bombs {
        bomb.abort();
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compiler_has_no_system_call_that_it_does_not_need() {
    let sandbox = sandbox(stk(), CompileLimits::default(), None);
    assert!(sandbox.load(&harmless(), "harmless").await.is_ok());
    let own = nice(&fs::read_to_string("/proc/self/stat").unwrap());
    let mut seen = 0;
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let read = |name: &str| fs::read_to_string(process.path().join(name)).unwrap_or_default();
        let status = read("status");
        let is_ours = status.contains(&format!("PPid:\t{}\n", std::process::id()));
        // The arguments are apart by zeros. Other tests of this process have compilers that may just be starting.
        if is_ours && read("cmdline").contains("compile-worker") && status.contains("Seccomp:\t2\n") {
            assert!(status.contains("NoNewPrivs:\t1\n"), "{status}");
            assert_eq!(nice(&read("stat")), (own + 10).min(19), "it lets everything else go first");
            seen += 1;
        }
    }
    assert!(seen > 0);
}

/// Of a process's `stat`: behind its name, which may have any characters, it is the seventeenth word.
#[cfg(target_os = "linux")]
fn nice(stat: &str) -> i32 {
    stat.rsplit_once(')').unwrap().1.split_whitespace().nth(16).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_compiled_is_loaded_without_a_compiler() {
    let folder = tempfile::tempdir().unwrap();
    let store = || Some(CompiledStore::open(folder.path(), None, 1 << 30).unwrap());
    let made = sandbox(stk(), CompileLimits::default(), store()).load(&harmless(), "sha256:guest").await.map(drop);
    assert!(made.is_ok(), "{made:?}");
    let without = sandbox("/nonexistent".into(), CompileLimits::default(), store());
    let kept = without.load(&harmless(), "sha256:guest").await.map(drop);
    assert!(kept.is_ok(), "{kept:?}");
    let other = without.load(&harmless(), "sha256:other").await.map(drop);
    let others = without.load_for("others", &harmless(), "sha256:guest").await.map(drop);
    assert!(matches!(&others, Err(LoadError::Host(told)) if told.contains("cannot be started")), "{others:?}");
    assert!(matches!(&other, Err(LoadError::Host(told)) if told.contains("cannot be started")), "{other:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compiler_that_is_none_fails_the_load_and_nothing_else() {
    for program in ["/bin/false", "/bin/true", "/bin/echo", "/bin/cat"] {
        let limits = CompileLimits { timeout: Duration::from_secs(2), ..CompileLimits::default() };
        let failed = sandbox(program.into(), limits, None).load(&harmless(), "guest").await.map(drop);
        assert!(matches!(&failed, Err(LoadError::Host(_) | LoadError::Compile(_))), "{program}: {failed:?}");
    }
}
