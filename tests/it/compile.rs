//! Compiling is work on hostile input: it has a process of its own, with an end; and what was compiled is kept.

use std::{fmt::Write as _, path::PathBuf, sync::Arc, time::Duration};

use santokit_bridge::host::GuestHost;
use santokit_tests::{repository, stk_process::stk_binary};
use santokit_wasm::{CompileLimits, CompiledStore, LoadError, Sandbox, SandboxConfig, WorkerConfig};

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
    std::fs::read(repository().join("tests/guests/kept/logic-0.1.0-rust.wasm")).unwrap()
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

/// Modules that the gate lets through and that cost the compiler as much as their author could think of.
fn bombs() -> Vec<(&'static str, String)> {
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
        ("one huge function", format!("(module (func (param i32) {sums}))")),
        ("deep nesting", format!("(module (func {deep}))")),
        ("a storm of br_table", format!("(module (func (param i32) {storm}))")),
        (
            "all locals alive at once",
            format!(
                "(module (func (param i32) (result i32) (local {}) loop {counted} end i32.const 0 {alive}))",
                "i32 ".repeat(8_999)
            ),
        ),
        ("very many functions", format!("(module {})", "(func)".repeat(190_000))),
        ("a million functions", format!("(module {})", "(func)".repeat(1_000_000))),
        (
            "operands without end",
            format!("(module (func (result i32) {} {}))", "i32.const 1 ".repeat(100_000), "i32.add ".repeat(99_999)),
        ),
        (
            "loops within loops",
            format!(
                "(module (func (param i32) {} {}))",
                "loop ".repeat(20_000),
                "local.get 0 br_if 0 end ".repeat(20_000)
            ),
        ),
        (
            "calls with a thousand values",
            format!(
                "(module (func $f (param {}) (result {0})  unreachable) (func {} {}))",
                "i64 ".repeat(1_000),
                "i64.const 1 ".repeat(1_000),
                "call $f ".repeat(200) + &"drop ".repeat(1_000)
            ),
        ),
        ("a giant table", "(module (table 10000000 funcref))".to_owned()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bombs_end_within_their_limits_and_others_compile_on() {
    let limits =
        CompileLimits { memory_bytes_max: 2 << 30, cpu: Duration::from_secs(1), timeout: Duration::from_mins(1) };
    let sandbox = sandbox(stk(), limits, None);
    for (name, bomb) in bombs() {
        match sandbox.load(&with_module(&bomb), name).await {
            Ok(_) | Err(LoadError::Refused(_) | LoadError::Probe(_)) => {}
            // The table is compiled at once, and is more than an instance may have.
            Err(LoadError::Compile(told)) => {
                assert!(told.contains("raise the Bridge's") || told.contains("does not fit"), "{name}: {told}");
            }
            Err(error) => panic!("{name}: {error}"),
        }
        assert!(sandbox.load(&harmless(), &format!("after {name}")).await.is_ok(), "after {name}");
    }
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
    let mut seen = 0;
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let read = |name: &str| std::fs::read_to_string(process.path().join(name)).unwrap_or_default();
        let status = read("status");
        let is_ours = status.contains(&format!("PPid:\t{}\n", std::process::id()));
        // The arguments are apart by zeros. Other tests of this process have compilers that may just be starting.
        if is_ours && read("cmdline").contains("compile-worker") && status.contains("Seccomp:\t2\n") {
            assert!(status.contains("NoNewPrivs:\t1\n"), "{status}");
            seen += 1;
        }
    }
    assert!(seen > 0);
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
