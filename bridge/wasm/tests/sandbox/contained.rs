//! Each kind of misbehaviour has its own error.

use std::time::Duration;

use santokit_core::{
    limit::{InvocationLimits, LimitName},
    quantity::{Bytes, Millis},
};
use santokit_wasm::{Blame, CallError, LogSource, LogicError, Sandbox, SandboxConfig, WrongCalls};

use crate::{beside_a_neighbour, call, host::Record, load, sandbox};

pub(crate) fn limits() -> InvocationLimits {
    InvocationLimits::default()
}

pub(crate) fn hit(outcome: Result<Vec<u8>, CallError>) -> LimitName {
    match outcome {
        Err(error @ CallError::Limit { limit, .. }) => {
            assert_eq!(error.blame(), Blame::Guest);
            limit
        }
        Err(error) => panic!("no limit, but {error}"),
        Ok(output) => panic!("an answer of {} bytes", output.len()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_loop_ends_with_its_cpu_time() {
    let invocation =
        beside_a_neighbour("endless_loop", "{}", &InvocationLimits { timeout: Millis(20_000), ..limits() }).await;
    assert_eq!(hit(invocation.outcome), LimitName::Cpu);
    assert!(invocation.usage.cpu >= Duration::from_millis(200), "{:?}", invocation.usage.cpu);
    assert!(invocation.host.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_ends_with_the_wall_time_and_costs_no_cpu() {
    let invocation =
        beside_a_neighbour("waiting_host", "{}", &InvocationLimits { timeout: Millis(300), ..limits() }).await;
    assert_eq!(hit(invocation.outcome), LimitName::Timeout);
    assert!(invocation.usage.wall >= Duration::from_millis(300));
    assert!(invocation.usage.cpu < Duration::from_millis(200), "{:?}", invocation.usage.cpu);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_guest_notices_its_wall_time() {
    let limits = InvocationLimits { timeout: Millis(200), cpu: Millis(60_000), ..limits() };
    let invocation = beside_a_neighbour("endless_loop", "{}", &limits).await;
    assert_eq!(hit(invocation.outcome), LimitName::Timeout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_ends_at_its_limit() {
    let invocation = beside_a_neighbour("memory_growth", "{}", &limits()).await;
    assert_eq!(hit(invocation.outcome), LimitName::Memory);
    assert!(invocation.usage.memory_peak_bytes <= 64 << 20);
    assert!(invocation.usage.memory_peak_bytes > 60 << 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_bears_its_memory_limit_answers() {
    let (invocation, _) =
        call("memory_growth_borne", "[1]", &InvocationLimits { memory: Bytes(4 << 20), ..limits() }).await;
    assert_eq!(invocation.outcome.unwrap(), b"[1]");
    // The operator's ceiling stands over the manifest.
    let (invocation, _) =
        call("memory_growth_borne", "[1]", &InvocationLimits { memory: Bytes(8 << 30), ..limits() }).await;
    assert!(invocation.usage.memory_peak_bytes <= 256 << 20, "{}", invocation.usage.memory_peak_bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_end_at_their_limit() {
    let (invocation, _) = call("table_growth", "{}", &limits()).await;
    assert_eq!(hit(invocation.outcome), LimitName::Table);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deep_recursion_ends_with_the_stack() {
    let invocation = beside_a_neighbour("deep_recursion", "{}", &limits()).await;
    assert_eq!(hit(invocation.outcome), LimitName::Stack);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_huge_answer_is_refused() {
    let invocation = beside_a_neighbour("huge_output", "{}", &limits()).await;
    assert_eq!(hit(invocation.outcome), LimitName::Output);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_host_calls_end_it() {
    let invocation = beside_a_neighbour("host_calls", "{}", &limits()).await;
    assert_eq!(hit(invocation.outcome), LimitName::HostCalls);
    assert_eq!(invocation.usage.host_calls["clock"], 1_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_clock_tells_less_than_a_microsecond() {
    let (invocation, _) = call("clocks", "{}", &InvocationLimits { host_calls: 100_000, ..limits() }).await;
    assert_eq!(String::from_utf8(invocation.outcome.unwrap()).unwrap(), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_handles_end_it() {
    let invocation =
        beside_a_neighbour("handle_flood", "{}", &InvocationLimits { host_calls: 100_000, ..limits() }).await;
    assert_eq!(hit(invocation.outcome), LimitName::Handles);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trap_has_a_symbolised_backtrace() {
    let invocation = beside_a_neighbour("trap", "{}", &limits()).await;
    let Err(CallError::Trap { message, backtrace }) = invocation.outcome else { panic!("{:?}", invocation.outcome) };
    assert!(message.contains("unreachable"), "{message}");
    assert_eq!(backtrace[0].function, "guest::explode");
    assert_eq!(backtrace.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exit_is_the_guests_failure() {
    let (invocation, _) = call("exit", "{}", &limits()).await;
    let error = invocation.outcome.unwrap_err();
    assert_eq!(error.blame(), Blame::Guest);
    assert!(error.to_string().contains("exit status 1"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_flood_is_cut_and_says_so() {
    let limits = InvocationLimits { host_calls: 10_000, ..limits() };
    let (invocation, record) = call("log_flood", "{}", &limits).await;
    assert!(invocation.outcome.is_ok());
    assert!(invocation.usage.is_log_cut);
    assert!(invocation.usage.log_bytes <= 64 << 10);
    let lines = record.lines();
    let kept = lines.len() - 1;
    assert!((500..1_500).contains(&kept), "{kept}");
    assert_eq!(lines[kept].source, LogSource::Sandbox);
    assert!(lines[kept].message.contains(&format!("{} lines", 5_000 - kept)), "{}", lines[kept].message);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn standard_output_becomes_lines() {
    let (invocation, record) = call("standard_output", "[\n]", &limits()).await;
    assert!(invocation.outcome.is_ok(), "{:?}", invocation.outcome);
    let lines: Vec<_> = record.lines().into_iter().map(|line| (line.source, line.message)).collect();
    let line = |text: &str| (LogSource::Stdout, text.to_owned());
    assert_eq!(lines, [line("["), line("]["), line("]["), line("]")]);

    let limits = InvocationLimits { log_bytes: Bytes(1_000), ..limits() };
    let (invocation, record) = call("standard_output", &"123456789\n".repeat(100), &limits).await;
    assert!(invocation.usage.is_log_cut);
    assert!(record.lines().len() < 30, "{}", record.lines().len());
    assert!(record.lines().last().unwrap().message.contains("bytes of output were dropped"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_and_bytes_are_counted() {
    let (invocation, _) = call("many_rows", "rows 100", &limits()).await;
    assert_eq!(invocation.outcome.unwrap(), b"1");
    assert_eq!(invocation.usage.sql_rows, 100);
    assert_eq!(invocation.usage.sql_bytes, 100 * 108);
    let (invocation, _) = call("many_rows", "rows 10001", &limits()).await;
    assert_eq!(hit(invocation.outcome), LimitName::SqlRows);
    assert_eq!(invocation.usage.host_calls["sql"], 2);
    assert_eq!(invocation.usage.host_calls_wrong["sql"], WrongCalls { denied: 0, failed: 1 });
    let (invocation, _) =
        call("many_rows", "rows 100", &InvocationLimits { sql_bytes: Bytes(1_000), ..limits() }).await;
    assert_eq!(hit(invocation.outcome), LimitName::SqlBytes);
}

/// What the host makes of a guest's JSON is counted as the guest's before it is made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_that_grows_when_it_is_read_is_held_to_the_memory() {
    let (list, text) = (format!("[{}0]", "0,".repeat(1_000_000)), format!("\"{}\"", "0,".repeat(1_000_000)));
    let common = InvocationLimits { cpu: Millis(60_000), timeout: Millis(60_000), ..limits() };
    let roomy = InvocationLimits { memory: Bytes(256 << 20), ..common.clone() };
    for (guest, capability, code, answer) in
        [("hands_over", "logics", "invalid", None), ("asks_table", "crud", "error", Some("[]"))]
    {
        let (invocation, _) = call(guest, &list, &common).await;
        let Err(CallError::Logic(error)) = invocation.outcome else { panic!("{guest} was answered, or worse") };
        assert_eq!(error.code, code);
        assert!(error.message.contains("the limit `memory` (64MiB)"), "{}", error.message);
        assert_eq!(invocation.usage.host_calls_wrong[capability], WrongCalls { denied: 0, failed: 1 });
        for (input, limits) in [(&text, &common), (&list, &roomy)] {
            let (invocation, _) = call(guest, input, limits).await;
            assert!(invocation.outcome.unwrap() == answer.unwrap_or(input).as_bytes(), "{guest}");
        }
        let (invocation, _) = call(guest, &format!("\"{}\"", "0".repeat(10_000_000)), &roomy).await;
        let error = invocation.outcome.unwrap_err().to_string();
        assert!(error.contains("longer than 10000000 bytes"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_transaction_is_rolled_back() {
    let (invocation, record) = call("transaction_dropped", "{}", &limits()).await;
    assert!(invocation.outcome.is_ok());
    assert_eq!(record.events(), ["begin", "rollback"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_logic_error_is_given_on() {
    let (invocation, _) = call("logic_error", r#"{"left": 0}"#, &limits()).await;
    let Err(CallError::Logic(error)) = invocation.outcome else { panic!("{:?}", invocation.outcome) };
    let details = Some(serde_json::json!({"left": 0}));
    assert_eq!(error, LogicError { code: "OUT_OF_STOCK".to_owned(), message: "nothing left".to_owned(), details });
}

/// What the host would make of it in words is six times as large as all that the guest may have.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_giant_name_is_not_looked_up_and_not_repeated() {
    let limits = InvocationLimits { cpu: Millis(60_000), timeout: Millis(60_000), ..limits() };
    let (invocation, record) = call("giant_name", "[1]", &limits).await;
    assert_eq!(invocation.outcome.unwrap(), b"[1]");
    assert!(record.events().is_empty(), "{:?}", record.events());
    let usage = invocation.usage;
    assert_eq!((usage.host_calls["sql"], usage.host_calls["queries"]), (3, 3));
    for (capability, denied, failed) in [("config", 1, 0), ("secrets", 1, 0), ("sql", 1, 1), ("queries", 2, 1)] {
        assert_eq!(usage.host_calls_wrong[capability], WrongCalls { denied, failed }, "{capability}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_no_json_is_the_guests_fault() {
    let logic = load(&sandbox(), "echo").await;
    for bad in [&b"not json"[..], b"", b"{} {}", b"\"\xff\"", b"{\"a\":}"] {
        let invocation = logic.call(Record::default().host(), bad.to_vec(), &limits()).await;
        let error = invocation.outcome.unwrap_err();
        assert!(matches!(error, CallError::Output(_)), "{error}");
        assert_eq!(error.blame(), Blame::Guest);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_nobody_waits_for_stops() {
    let sandbox = sandbox();
    let (waiting, busy) = (load(&sandbox, "waiting_host").await, load(&sandbox, "endless_loop").await);
    let patient = InvocationLimits { timeout: Millis(60_000), cpu: Millis(60_000), ..limits() };
    // More often than there are instances: each must give its own back.
    for _ in 0..40 {
        let record = Record::default();
        let gone = tokio::select! {
            _ = waiting.call(record.host(), Vec::new(), &patient) => false,
            () = record.until("hanging") => true,
        };
        assert!(gone);
        assert_eq!(record.events(), ["hanging", "dropped"]);
    }
    let record = Record::default();
    assert!(
        tokio::time::timeout(Duration::from_millis(20), busy.call(record.host(), Vec::new(), &patient)).await.is_err()
    );
    assert_eq!(record.events(), ["dropped"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_sandbox_is_the_hosts_matter() {
    let sandbox = sandbox();
    let (waiting, echo) = (std::sync::Arc::new(load(&sandbox, "waiting_host").await), load(&sandbox, "echo").await);
    let patient = InvocationLimits { timeout: Millis(1_500), ..limits() };
    let calls: Vec<_> = (0..32)
        .map(|_| {
            let (waiting, patient) = (std::sync::Arc::clone(&waiting), patient.clone());
            tokio::spawn(async move { waiting.call(Record::default().host(), Vec::new(), &patient).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let hurried = InvocationLimits { timeout: Millis(100), ..limits() };
    let refused = echo.call(Record::default().host(), b"1".to_vec(), &hurried).await;
    let error = refused.outcome.unwrap_err();
    assert!(error.blame() == Blame::Host && error.to_string().contains("sandboxInstances"), "{error}");
    assert!(refused.host.is_some());
    for call in calls {
        assert_eq!(hit(call.await.unwrap().outcome), LimitName::Timeout);
    }
    assert!(echo.call(Record::default().host(), b"1".to_vec(), &limits()).await.outcome.is_ok());
}

/// One env floods its slow logics; of the same Bridge, another env and even the same env's other logic go on as if nothing was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_one_env_is_not_anothers_matter() {
    let config = SandboxConfig { instances_max: 32, env_instances_max: Some(16), ..SandboxConfig::default() };
    let sandbox = Sandbox::new(&config).unwrap();
    let waiting = std::sync::Arc::new(load(&sandbox, "waiting_host").await.shared_by("flood", "prod", "slow"));
    let same_env = load(&sandbox, "echo").await.shared_by("flood", "prod", "quick");
    let neighbour = load(&sandbox, "echo").await.shared_by("quiet", "prod", "quick");
    let patient = InvocationLimits { timeout: Millis(3_000), ..limits() };
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let (waiting, patient) = (std::sync::Arc::clone(&waiting), patient.clone());
            tokio::spawn(async move { waiting.call(Record::default().host(), Vec::new(), &patient).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let hurried = InvocationLimits { timeout: Millis(1_000), ..limits() };
    for _ in 0..50 {
        for logic in [&neighbour, &same_env] {
            let answer = logic.call(Record::default().host(), b"1".to_vec(), &hurried).await;
            assert_eq!(answer.outcome.unwrap(), b"1");
        }
    }
    let refused = waiting.call(Record::default().host(), Vec::new(), &hurried).await.outcome.unwrap_err();
    assert!(matches!(refused, CallError::Busy { setting: "sandboxLogicInstances" }), "{refused}");
    for call in calls {
        call.abort();
    }
}

/// Two envs of a project flood together, each within its share; another project goes on as if nothing was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_two_envs_is_not_another_projects_matter() {
    let (project_instances_max, env_instances_max) = (Some(16), Some(16));
    let config =
        SandboxConfig { instances_max: 32, project_instances_max, env_instances_max, ..SandboxConfig::default() };
    let sandbox = Sandbox::new(&config).unwrap();
    let mut floods = Vec::new();
    for (env, logic) in [("dev", "one"), ("dev", "two"), ("prod", "one"), ("prod", "two")] {
        floods.push(std::sync::Arc::new(load(&sandbox, "waiting_host").await.shared_by("flood", env, logic)));
    }
    let neighbour = load(&sandbox, "echo").await.shared_by("quiet", "dev", "one");
    let patient = InvocationLimits { timeout: Millis(300_000), ..limits() };
    let calls: Vec<_> = (0..100)
        .map(|number: usize| {
            let (flood, patient) = (std::sync::Arc::clone(&floods[number % floods.len()]), patient.clone());
            tokio::spawn(async move { flood.call(Record::default().host(), Vec::new(), &patient).await })
        })
        .collect();
    // Once their project has no place left, its share is what bounds an env that has had none yet.
    let newcomer = load(&sandbox, "echo").await.shared_by("flood", "third", "one");
    let hurried = InvocationLimits { timeout: Millis(50), ..limits() };
    let refused = tokio::time::timeout(Duration::from_mins(1), async {
        loop {
            // Before that it has a place, and may have had no time to answer.
            let outcome = newcomer.call(Record::default().host(), b"1".to_vec(), &hurried).await.outcome;
            if let Err(CallError::Busy { setting }) = outcome {
                break setting;
            }
        }
    });
    assert_eq!(refused.await.unwrap(), "sandboxProjectInstances");
    let bearable = InvocationLimits { timeout: Millis(30_000), ..limits() };
    for _ in 0..50 {
        let answer = neighbour.call(Record::default().host(), b"1".to_vec(), &bearable).await;
        assert_eq!(answer.outcome.unwrap(), b"1");
    }
    for call in calls {
        assert!(!call.is_finished(), "the flood is still there");
        call.abort();
    }
}

/// Every processor computes for one env, in more guests than there are processors; another env goes on. How fast is for the benchmark to say.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guests_on_every_processor_leave_a_neighbour_its_share() {
    let sandbox = sandbox();
    let hostile = std::sync::Arc::new(load(&sandbox, "endless_loop").await.shared_by("hostile", "prod", "spin"));
    let neighbour = load(&sandbox, "echo").await.shared_by("quiet", "prod", "quick");
    let long = InvocationLimits { timeout: Millis(60_000), cpu: Millis(60_000), ..limits() };
    let calls: Vec<_> = (0..12)
        .map(|_| {
            let (hostile, long) = (std::sync::Arc::clone(&hostile), long.clone());
            tokio::spawn(async move { hostile.call(Record::default().host(), Vec::new(), &long).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    for _ in 0..50 {
        let answer = neighbour.call(Record::default().host(), b"1".to_vec(), &limits()).await;
        assert_eq!(answer.outcome.unwrap(), b"1");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // So does one that computes as they do.
    let small = InvocationLimits { cpu: Millis(100), timeout: Millis(30_000), ..limits() };
    let long_one = load(&sandbox, "endless_loop").await.shared_by("busy", "prod", "spin");
    let invocation = long_one.call(Record::default().host(), Vec::new(), &small).await;
    assert_eq!(hit(invocation.outcome), LimitName::Cpu);
    for call in calls {
        assert!(!call.is_finished());
        call.abort();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_stays_from_call_to_call() {
    let logic = load(&sandbox(), "memory_growth_borne").await;
    let small = InvocationLimits { memory: Bytes(4 << 20), ..limits() };
    for _ in 0..200 {
        let invocation = logic.call(Record::default().host(), b"1".to_vec(), &small).await;
        assert_eq!(invocation.outcome.unwrap(), b"1");
    }
}
