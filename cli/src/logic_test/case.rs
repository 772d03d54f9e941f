//! One case: its databases, its calls in order, and what is not as expected.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use chrono::{DateTime, SecondsFormat, Utc};
use santokit_bridge::{
    app::{Call, GivenByTest},
    edge::auth::Pinned,
    generation::Generation,
    guest_log::GuestLogs,
    recording::Recordings,
    rehearsal::{GivenAnswer, Rehearsal, Seen},
};
use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
    project::test_file::{Begun, Expect, ExpectError, GivenHttp, Matcher, TestCase, TestStep, UsageMax},
    schema::Schema,
};
use santokit_wasm::{CallError, EventInfo, Frame, Level, LogLine, RunInfo, Usage};
use serde_json::{Value as Json, json, value::RawValue};

use super::{
    compare::{Difference, compare},
    database::Databases,
    hidden::Hidden,
    stage::Stage,
    suites::is_suite,
};

/// How a case ended.
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// The step whose differences these are, from 1, where there are several.
    pub(super) step: Option<usize>,
    pub(super) differences: Vec<Difference>,
    /// Why it could not be run to its end.
    pub(super) trouble: Option<String>,
    /// What the guest logged in the step that differs.
    pub(super) logs: Vec<String>,
    /// Where the guest failed.
    pub(super) failure: Vec<String>,
    pub(super) elapsed: Duration,
}

impl Ended {
    pub(super) fn passed(&self) -> bool {
        self.differences.is_empty() && self.trouble.is_none()
    }
}

/// Runs it; whatever goes wrong is how it ended.
pub(super) async fn run(stage: &Stage, case: &TestCase) -> Ended {
    let started = Instant::now();
    let mut ended = Ended::default();
    if let Err(error) = steps(stage, case, &mut ended).await {
        ended.trouble = Some(Hidden::of(case).text(&format!("{error:#}")));
    }
    ended.elapsed = started.elapsed();
    ended
}

/// Up to the first step that is not as expected.
async fn steps(stage: &Stage, case: &TestCase, ended: &mut Ended) -> anyhow::Result<()> {
    let databases = stage.databases(case).await?;
    let generation = stage.generation(case, &databases).await?;
    let hidden = Hidden::of(case);
    let mut published = 0;
    for (index, step) in case.steps.iter().enumerate() {
        // Each call has random numbers of its own, or two calls would make the same ids.
        let random = case.given.random_seed.map(|seed| seed.wrapping_add(index as u64));
        let mut rehearsal = Rehearsal::new(case.given.now, random);
        rehearsal.http = case.given.http.iter().map(given_answer).collect();
        let rehearsal = Arc::new(rehearsal);
        let outcome = call(stage, &generation, step, &rehearsal).await;
        if case.steps.len() > 1 {
            ended.step = Some(index + 1);
        }
        let seen = std::mem::take(&mut *rehearsal.seen());
        let lines: Vec<String> = seen.lines.iter().map(line).collect();
        let mut differences = outcome_differs(&step.logic, &step.expect, &outcome);
        let hidden_differences = |differences: Vec<Difference>| -> Vec<Difference> {
            let hide = |value: Option<Json>| value.map(|value| hidden.json(&value));
            let hide = |of: Difference| Difference { path: of.path, expected: hide(of.expected), got: hide(of.got) };
            differences.into_iter().map(hide).collect()
        };
        // The answer is what the author asked to see; all else is not.
        if outcome.is_err() {
            differences = hidden_differences(differences);
        }
        let mut rest = Vec::new();
        logs_differ(&step.expect, &lines, &mut rest);
        if let Some(usage) = &seen.usage {
            usage_differs(&step.expect.usage, usage, &mut rest);
        }
        let looked = database_differs(&step.expect, &databases, stage, &mut rest).await;
        let events = Box::pin(databases.events(&stage.project)).await?;
        if let Some(expected) = &step.expect.events {
            compare("events", expected, &events.iter().skip(published).cloned().collect(), &mut rest);
        }
        published = events.len();
        differences.extend(hidden_differences(rest));
        if !differences.is_empty() || looked.is_err() {
            ended.differences = differences;
            ended.logs = lines.iter().map(|line| hidden.text(line)).collect();
            ended.failure = failure(&step.logic, &seen, &outcome).iter().map(|line| hidden.text(line)).collect();
            return looked;
        }
    }
    Ok(())
}

/// One call.
pub(super) async fn call(
    stage: &Stage,
    generation: &Arc<Generation>,
    step: &TestStep,
    rehearsal: &Arc<Rehearsal>,
) -> Outcome<Box<RawValue>> {
    let call = Call {
        pinned: Pinned { actor: step.caller.clone(), generation: Arc::clone(generation) },
        name: step.logic.clone(),
        params: step.params.clone(),
        request_id: "test".into(),
    };
    // Nothing is sent: a request without a given answer has none.
    let (logs, recordings) = (GuestLogs::default(), Arc::new(Recordings::none(Arc::clone(stage.metrics()))));
    let kept = (&logs, &recordings);
    let rehearsal = Arc::clone(rehearsal);
    let Some(given) = given(&step.begun, rehearsal.now) else {
        return call.run(stage.metrics(), stage.crud(), &Arc::default(), kept, Some(rehearsal)).await;
    };
    let given = Box::pin(call.give((given, rehearsal), stage.metrics(), stage.crud(), &Arc::default(), kept)).await;
    // Nobody is answered.
    given.map(|()| Box::<RawValue>::default())
}

/// What is no call.
fn given(begun: &Begun, now: Option<DateTime<Utc>>) -> Option<GivenByTest> {
    match begun.clone() {
        Begun::Caller => None,
        Begun::Event(event) => Some(GivenByTest::Event(EventInfo {
            id: event.id,
            topic: event.topic,
            published_at: now.unwrap_or_else(Utc::now).to_rfc3339_opts(SecondsFormat::Micros, true),
            attempt: event.attempt,
            depth: event.caused_by.iter().count().try_into().unwrap_or(1),
            caused_by: event.caused_by,
        })),
        Begun::Run(run) => {
            let info = RunInfo { id: run.id, job: run.job, due_at: run.due_at, cause: run.cause };
            Some(GivenByTest::Run(info, run.timeout))
        }
    }
}

fn given_answer(given: &GivenHttp) -> GivenAnswer {
    let GivenHttp { method, url, status, headers, body } = given.clone();
    GivenAnswer { method, url, status, headers, body }
}

fn outcome_differs(logic: &str, expect: &Expect, outcome: &Outcome<Box<RawValue>>) -> Vec<Difference> {
    let mut all = Vec::new();
    match (outcome, &expect.error) {
        (Ok(answer), Some(expected)) => {
            let got = parsed(answer);
            all.push(Difference::new("error", Some(json!({"code": expected.code})), None));
            all.push(Difference::new("answer", None, Some(got)));
        }
        (Ok(answer), None) => {
            if let Some(expected) = &expect.answer {
                compare("answer", expected, &parsed(answer), &mut all);
            }
        }
        (Err(problem), Some(expected)) => error_differs(expected, problem, &mut all),
        (Err(problem), None) if is_suite(logic) && own_code(problem) == Some("TEST_FAILED") => {
            test_failed(problem, &mut all);
        }
        (Err(problem), None) => all.push(Difference::new("error", None, Some(told(problem)))),
    }
    all
}

fn own_code(problem: &Problem) -> Option<&str> {
    problem.details.get("code").and_then(Json::as_str)
}

/// What an assertion of a test in the guest's language said: its two sides, place by place.
fn test_failed(problem: &Problem, all: &mut Vec<Difference>) {
    let details = problem.details.get("details").unwrap_or(&Json::Null);
    let path = problem.message.as_str();
    match (details.get("expected"), details.get("got")) {
        (Some(expected), Some(got)) => {
            let before = all.len();
            compare(path, &Matcher::Exactly(expected.clone()), got, all);
            if all.len() == before {
                all.push(Difference::new(path, Some(expected.clone()), Some(got.clone())));
            }
        }
        (expected, got) => all.push(Difference::new(path, expected.cloned(), got.cloned())),
    }
}

fn parsed(answer: &RawValue) -> Json {
    serde_json::from_str(answer.get()).unwrap_or_else(|_| Json::String(answer.get().to_owned()))
}

/// An error as its caller sees it, with the logic's own code where the logic said no.
fn told(problem: &Problem) -> Json {
    let is_own = problem.code == Code::LogicError;
    let own = problem.details.get("code").filter(|_| is_own).cloned();
    let details = match problem.details.get("details") {
        Some(details) if is_own => Some(details.clone()),
        _ if is_own || problem.details.is_empty() => None,
        _ => Some(Json::Object(problem.details.clone())),
    };
    let mut told = json!({"code": own.unwrap_or_else(|| json!(problem.code)), "message": problem.message});
    if let Some(details) = details {
        told["details"] = details;
    }
    told
}

fn error_differs(expected: &ExpectError, problem: &Problem, all: &mut Vec<Difference>) {
    let told = told(problem);
    if told["code"] != json!(expected.code) {
        all.push(Difference::new("error.code", Some(json!(expected.code)), Some(told["code"].clone())));
        if expected.message.is_none() {
            all.push(Difference::new("error.message", None, Some(told["message"].clone())));
        }
    }
    if let Some(message) = &expected.message {
        compare("error.message", message, &told["message"], all);
    }
    if let Some(details) = &expected.details {
        match told.get("details") {
            Some(got) => compare("error.details", details, got, all),
            None => compare("error.details", details, &Json::Null, all),
        }
    }
    if let Some(limit) = expected.limit {
        let got = problem.details.get("limit");
        if got != Some(&json!(limit.as_str())) {
            all.push(Difference::new("error.limit", Some(json!(limit.as_str())), got.cloned()));
        }
    }
}

fn logs_differ(expect: &Expect, lines: &[String], all: &mut Vec<Difference>) {
    for (index, part) in expect.logs.iter().enumerate() {
        if !lines.iter().any(|line| line.contains(part)) {
            all.push(Difference::new(format!("logs[{index}]"), Some(json!(part)), None));
        }
    }
}

fn usage_differs(most: &UsageMax, usage: &Usage, all: &mut Vec<Difference>) {
    let cpu = u64::try_from(usage.cpu.as_millis()).unwrap_or(u64::MAX);
    let calls = usage.host_calls.values().sum();
    for (name, most, used) in [
        ("cpu", most.cpu.map(|most| most.0), cpu),
        ("memory", most.memory.map(|most| most.0), usage.memory_peak_bytes),
        ("hostCalls", most.host_calls, calls),
        ("sqlRows", most.sql_rows, usage.sql_rows),
        ("sqlBytes", most.sql_bytes.map(|most| most.0), usage.sql_bytes),
        ("output", most.output.map(|most| most.0), usage.output_bytes),
        ("logBytes", most.log_bytes.map(|most| most.0), usage.log_bytes),
    ] {
        if let Some(most) = most.filter(|most| used > *most) {
            all.push(Difference::new(format!("usage.{name}"), Some(json!({"atMost": most})), Some(json!(used))));
        }
    }
}

async fn database_differs(
    expect: &Expect,
    databases: &Databases,
    stage: &Stage,
    all: &mut Vec<Difference>,
) -> anyhow::Result<()> {
    let empty = Schema::default();
    let schema = |name: &str| stage.project.connections.get(name).unwrap_or(&empty);
    for expected in &expect.rows {
        let got = databases.table(expected, schema(&expected.connection)).await?;
        compare(&format!("rows.{}", expected.of), &expected.rows, &got, all);
    }
    for (index, expected) in expect.sql.iter().enumerate() {
        let found = databases.look(&expected.connection, &expected.of, schema(&expected.connection)).await;
        let got = found.with_context(|| format!("the query sql[{index}]"))?;
        compare(&format!("sql[{index}].rows"), &expected.rows, &got, all);
    }
    Ok(())
}

/// `info greeting who=world`.
fn line(line: &LogLine) -> String {
    let level = match line.level {
        Level::Trace => "trace",
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    };
    let fields = line.fields.iter().map(|(name, value)| format!(" {name}={value}"));
    format!("{level} {}{}", line.message, fields.collect::<String>())
}

/// What only the log of a Bridge would have.
fn failure(logic: &str, seen: &Seen, outcome: &Outcome<Box<RawValue>>) -> Vec<String> {
    let frames = |frames: &[Frame]| -> Vec<String> {
        let line = |frame: &Frame| match &frame.place {
            Some(place) => format!("  {} at {place}", frame.function),
            None => format!("  {}", frame.function),
        };
        frames.iter().map(line).collect()
    };
    let stack = outcome.as_ref().err().and_then(|problem| problem.details.get("details")?.get("stack")?.as_str());
    if let (Some(stack), true) = (stack, is_suite(logic)) {
        return stack.lines().map(|line| line.trim().to_owned()).collect();
    }
    match (&seen.failure, outcome) {
        (Some(CallError::Trap { message, backtrace }), _) => {
            [vec![format!("trapped: {message}")], frames(backtrace)].concat()
        }
        (Some(CallError::Limit { limit, backtrace }), _) => {
            [vec![format!("stopped by its limit {}", limit.as_str())], frames(backtrace)].concat()
        }
        (
            Some(error @ (CallError::Output(_) | CallError::Answer(_) | CallError::Host(_) | CallError::Busy { .. })),
            _,
        ) => {
            vec![error.to_string()]
        }
        (_, Err(problem)) => problem.cause.iter().map(|cause| format!("cause: {cause}")).collect(),
        _ => Vec::new(),
    }
}
