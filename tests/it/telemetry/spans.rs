//! Traces of `stk dev`, and of a Hub and a Bridge as two processes: names, nesting, attributes, whose fault, whose trace.

use reqwest::Method;
use santokit_tests::{Answer, Bridge, Collector, ProjectFolder, StkDev, StkServer, Traced, planes::OPERATOR};
use serde_json::{Value as Json, json};

use super::{ALL, KEY, OFTEN, project, request_id, trace, watched};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// Every name that there is. A name with a path, a table or a logic in it would be one of thousands.
const NAMES: [&str; 11] = [
    "auth",
    "bridge.request",
    "db.execute",
    "host.config",
    "host.secrets",
    "host.sql",
    "hub.call",
    "hub.request",
    "logic.invoke",
    "permission",
    "sql.generate",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_one_trace_with_the_names_of_the_contract() {
    let (folder, collector) = (project(), Collector::start().await.unwrap());
    let dev = watched(&folder, &collector, &[]).await;
    sql_logic(&dev, &collector).await;
    component(&dev, &collector).await;
    whose_fault(&dev, &collector).await;
    refusals(&dev, &collector).await;

    for span in collector.spans() {
        assert!(NAMES.contains(&span.name.as_str()) || span.name == "response", "{span:?}");
        assert_eq!(span.events, 0, "events carry what libraries say: {span:?}");
        assert_eq!(span.resource["service.name"], "stk-dev", "{span:?}");
        assert!(span.resource["service.version"].is_string(), "{span:?}");
        assert!(span.attributes.values().all(|value| value != "twice"), "{span:?}");
    }
    assert_eq!(collector.faults(), Vec::<String>::new());
}

async fn sql_logic(dev: &StkDev, collector: &Collector) {
    let answer = dev.client.with_key(KEY).logic("find", json!({"text": "x"})).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    let (root, below) = trace(collector, &answer).await;
    assert_eq!(paths(&below), ["auth", "permission", "logic.invoke", "logic.invoke/db.execute", "response"]);
    assert_eq!((root.name.as_str(), root.kind, root.is_error), ("bridge.request", "server", false));
    for (name, value) in [
        ("http.request.method", json!("POST")),
        ("http.route", json!("/logics/{name}")),
        ("http.response.status_code", json!(200)),
        ("requestId", json!(request_id(&answer))),
        ("project", json!("watch")),
        ("env", json!("dev")),
        ("releaseId", json!(dev.release_id)),
        ("authType", json!("apiKey")),
        ("logic", json!("find")),
    ] {
        assert_eq!(root.attribute(name), &value, "{name} of {root:?}");
    }
    assert_eq!(one(&below, "auth").attribute("authType"), "apiKey");
    assert_eq!(one(&below, "permission").attribute("allowed"), true);
    let statement = one(&below, "logic.invoke/db.execute");
    assert_eq!((statement.kind, statement.attribute("db.system.name")), ("client", &json!("sqlite")));
    assert_eq!(statement.attribute("db.response.returned_rows"), 1);

    let answer =
        dev.client.post("/call", json!({"path": "logics/find", "params": {"text": "x"}}).to_string()).await.unwrap();
    assert_eq!(trace(collector, &answer).await.0.attribute("http.route"), "/call");
}

async fn component(dev: &StkDev, collector: &Collector) {
    let answer = dev.client.logic("work", json!({"value": "none"})).await.unwrap();
    assert_eq!(answer.body["data"]["denied"], json!([true, true, true, true, true, true, true, true]), "{answer:?}");
    let (root, below) = trace(collector, &answer).await;
    assert_eq!(root.attribute("authType"), "anonymous");
    let invoke = one(&below, "logic.invoke");
    assert_eq!((invoke.attribute("logic"), invoke.attribute("outcome")), (&json!("work"), &json!("ok")));
    let outcomes = |path: &str, name: &str| -> Vec<Json> {
        below.iter().filter(|(known, _)| known == path).map(|(_, span)| span.attribute(name).clone()).collect()
    };
    assert_eq!(outcomes("logic.invoke/host.secrets", "outcome"), ["ok", "denied", "denied"]);
    assert_eq!(outcomes("logic.invoke/host.config", "outcome"), ["ok", "denied", "denied"]);
    assert_eq!(outcomes("logic.invoke/host.sql", "outcome"), ["denied", "database", "database", "ok"]);
    assert_eq!(outcomes("logic.invoke/host.sql", "op"), ["query", "query", "execute", "query"]);
    assert_eq!(outcomes("logic.invoke/host.sql", "connection"), ["main", "main", "main", "main"]);
    assert_eq!(
        outcomes("logic.invoke/host.sql/db.execute", "error.type"),
        [json!("not_authorized"), json!("statement"), json!("unique"), Json::Null]
    );
    let statements: Vec<bool> = below
        .iter()
        .filter(|(path, _)| path == "logic.invoke/host.sql/db.execute")
        .map(|(_, span)| span.is_error)
        .collect();
    assert_eq!(statements, [true, true, true, false]);
    assert!(!invoke.is_error && !root.is_error, "a guest that was told no goes on");
}

/// The guest's no, the guest's failure, a limit, and the host's failure.
async fn whose_fault(dev: &StkDev, collector: &Collector) {
    let cases = [
        ("refuse", 422, "error", false, Json::Null, Json::Null),
        ("throw", 500, "failed", true, json!("LOGIC_FAILED"), Json::Null),
        ("loop", 500, "failed", true, json!("LOGIC_FAILED"), json!("cpu")),
    ];
    for (mode, status, outcome, is_error, error_type, limit) in cases {
        let answer = dev.client.logic("work", json!({"mode": mode})).await.unwrap();
        assert_eq!(answer.status, status, "{answer:?}");
        let (root, below) = trace(collector, &answer).await;
        let invoke = one(&below, "logic.invoke");
        assert_eq!(invoke.attribute("outcome"), outcome, "{mode}");
        assert_eq!((invoke.is_error, root.is_error), (is_error, is_error), "{mode}");
        assert_eq!(
            (invoke.attribute("error.type"), root.attribute("error.type")),
            (&error_type, &error_type),
            "{mode}"
        );
        assert_eq!(invoke.attribute("limit"), &limit, "{mode}");
        assert_eq!(root.attribute("http.response.status_code"), status, "{mode}");
        assert_eq!(root.attribute("code"), answer.code(), "{mode}");
    }
    let taken = dev.client.logic("take", json!({"text": "1"})).await.unwrap();
    assert_eq!(taken.status, 409, "{taken:?}");
    let (root, below) = trace(collector, &taken).await;
    assert_eq!((one(&below, "logic.invoke").attribute("outcome"), root.is_error), (&json!("error"), false));
    assert_eq!(one(&below, "logic.invoke/db.execute").attribute("error.type"), "unique");
}

async fn refusals(dev: &StkDev, collector: &Collector) {
    let denied = dev.client.with_key(KEY).logic("guarded", json!({})).await.unwrap();
    assert_eq!(denied.status, 403);
    let (root, below) = trace(collector, &denied).await;
    assert_eq!(paths(&below), ["auth", "permission", "response"]);
    assert_eq!(one(&below, "permission").attribute("allowed"), false);
    assert!(
        !root.is_error && root.attribute("code") == "FORBIDDEN",
        "a client's fault is none of the server's: {root:?}"
    );

    let unknown = dev.client.with_key("stk_watcher.wrong").logic("find", json!({"text": "x"})).await.unwrap();
    let (_, below) = trace(collector, &unknown).await;
    assert_eq!(paths(&below), ["auth", "response"]);
    assert_eq!(one(&below, "auth").attribute("code"), "UNAUTHORIZED");

    // What is asked for is in no name and no attribute, however often it is asked for.
    let nowhere = dev.client.post("/no/such/path-71", "{}".to_owned()).await.unwrap();
    assert_eq!(trace(collector, &nowhere).await.0.attribute("http.route"), "unmatched");
    let method = Method::from_bytes(b"SECRETWORD").unwrap();
    let request = dev.client.http().request(method, format!("{}/call", dev.client.url()));
    let other = dev.client.send(request).await.unwrap();
    assert_eq!(trace(collector, &other).await.0.attribute("http.request.method"), "_OTHER");
    for path in ["/healthz", "/readyz", "/metrics"] {
        dev.client.get(path).await.unwrap();
    }
    let last = dev.client.logic("find", json!({"text": "x"})).await.unwrap();
    trace(collector, &last).await;
    let is_probe =
        |span: &Traced| ["/healthz", "/readyz", "/metrics"].iter().any(|path| span.attribute("http.route") == path);
    assert!(!collector.spans().iter().any(is_probe), "probes would bury the rest");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_to_a_table_becomes_a_statement_that_is_run() {
    let (folder, collector) = (tables_only(), Collector::start().await.unwrap());
    let dev = watched(&folder, &collector, &[]).await;
    table(&dev, &collector).await;
    assert!(collector.spans().iter().all(|span| NAMES.contains(&span.name.as_str()) || span.name == "response"));
    assert_eq!(collector.faults(), Vec::<String>::new());
}

/// A project without logics.
fn tables_only() -> ProjectFolder {
    let dev = format!(
        "connections:\n  main: {{engine: sqlite, url: \"sqlite:.stk/dev/main.db\"}}\n\
         apiKeys:\n  - {{name: watcher, key: {KEY}, roles: [watcher]}}\n"
    );
    ProjectFolder::new([
        ("santokit.yaml", "version: 1\nname: tables\n"),
        ("santokit.dev.yaml", dev.as_str()),
        ("config/permissions.yaml", "tables:\n  notes:\n    select: {roles: [watcher]}\n"),
        (
            "schema/notes.yaml",
            "version: 1\ntables:\n  notes:\n    id: {name: id, generate: client}\n    columns:\n      text: {type: string}\n",
        ),
        ("seed/notes.sql", "INSERT INTO notes (id, text) VALUES ('1', 'x');\n"),
    ])
    .unwrap()
}

/// A request to a table: its plan becomes a statement, and that is run. With a count it is two statements, each made and run.
async fn table(dev: &StkDev, collector: &Collector) {
    let caller = dev.client.with_key(KEY);
    for (params, statements) in [(json!({"where": {"id": "1"}}), 1), (json!({"count": true}), 2)] {
        let answer = caller.post("/db/notes/select", params.to_string()).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        let (root, below) = trace(collector, &answer).await;
        let made_and_run = ["sql.generate", "db.execute"].repeat(statements);
        let expected = [&["auth", "permission"], made_and_run.as_slice(), &["response"]].concat();
        assert_eq!(paths(&below), expected, "{params}");
        assert_eq!((root.attribute("table"), root.attribute("op")), (&json!("notes"), &json!("select")));
        for (path, span) in &below {
            assert!(!format!("{span:?}").contains("SELECT"), "the text is not told: {span:?}");
            assert!(path != "db.execute" || span.attribute("db.response.returned_rows") == 1, "{span:?}");
        }
    }
    // What is refused before it becomes a statement has none.
    let unknown = caller.post("/db/notes/select", json!({"where": {"none": 1}}).to_string()).await.unwrap();
    assert_eq!(paths(&trace(collector, &unknown).await.1), ["auth", "permission", "response"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callers_trace_goes_on_and_its_decision_to_sample_holds() {
    let (folder, collector) = (project(), Collector::start().await.unwrap());
    // The caller's decision against a rate that would hardly ever sample, and against one that always does.
    for rate in ["0.000000001", "1"] {
        let dev = watched(&folder, &collector, &[("STK_OTEL_SAMPLE_RATE", rate)]).await;
        let state = [("tracestate", "vendor=abc,other=1".to_owned())];
        let sampled = with_trace(&dev, &[("traceparent", format!("00-{TRACE}-{PARENT}-01"))], &state).await;
        let (root, below) = trace(&collector, &sampled).await;
        assert_eq!((root.trace.as_str(), root.parent.as_str()), (TRACE, PARENT), "{rate}");
        assert_eq!(root.state, "vendor=abc,other=1");
        assert!(below.iter().all(|(_, span)| span.trace == TRACE) && below.len() > 3, "{below:?}");

        let left_out = with_trace(&dev, &[("traceparent", format!("00-{TRACE}-{PARENT}-00"))], &[]).await;
        // One that is sampled comes after it, so that it would have come before.
        let after = with_trace(&dev, &[("traceparent", format!("00-{TRACE}-{PARENT}-01"))], &[]).await;
        collector.request(request_id(&after)).await.unwrap();
        let is_it = |span: &Traced| span.attribute("requestId") == request_id(&left_out);
        assert!(!collector.spans().iter().any(is_it), "not sampled by the caller, at rate {rate}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_of_a_trace_that_are_hostile_or_broken_are_left_out() {
    let (folder, collector) = (project(), Collector::start().await.unwrap());
    let dev = watched(&folder, &collector, &[]).await;
    let huge = "x".repeat(20_000);
    let members = (0..200).map(|n| format!("planted{n}=1")).collect::<Vec<_>>().join(",");
    let parent = format!("00-{TRACE}-{PARENT}-01");
    let broken = [
        huge.clone(),
        String::new(),
        "00".to_owned(),
        format!("00-{TRACE}-{PARENT}"),
        format!("00-{TRACE}-{PARENT}-01-{huge}"),
        format!("ff-{TRACE}-{PARENT}-01"),
        format!("00-{}-{PARENT}-01", "0".repeat(32)),
        format!("00-{TRACE}-{}-01", "0".repeat(16)),
        format!("00-{}-{PARENT}-01", "z".repeat(32)),
        format!("00-{}-{PARENT}-01", TRACE.to_uppercase()),
        "00-\t-\t-\t".to_owned(),
        "00-é-é-é".to_owned(),
    ];
    for header in &broken {
        let answer = with_trace(&dev, &[("traceparent", header.clone())], &[]).await;
        assert_eq!(answer.status, 200, "{header:.80}: {answer:?}");
        let (root, below) = trace(&collector, &answer).await;
        assert_eq!(root.parent, "", "{header:.80}");
        assert_ne!(root.trace, TRACE, "{header:.80}");
        assert_eq!(below.len(), 5, "{header:.80}");
    }
    for state in [huge.clone(), members, "no pairs".to_owned()] {
        let headers = [("tracestate", state.clone()), ("baggage", format!("planted-baggage={huge}"))];
        let answer = with_trace(&dev, &[("traceparent", parent.clone())], &headers).await;
        let (root, _) = trace(&collector, &answer).await;
        assert_eq!((root.trace.as_str(), root.state.as_str()), (TRACE, ""), "{state:.80}");
    }
    for id in [huge.as_str(), "a b", "a\tb", "é", "<script>", ""] {
        let answer = with_trace(&dev, &[], &[("x-request-id", id.to_owned())]).await;
        assert_ne!(request_id(&answer), id);
        assert!(request_id(&answer).starts_with("req_"), "{answer:?}");
        trace(&collector, &answer).await;
    }
    let sent: usize = collector.spans().iter().map(|span| format!("{span:?}").len()).max().unwrap();
    assert!(sent < 8_192, "a span of {sent} bytes");
    for part in ["planted-baggage", "xxxxxxxxxx", "<script>", "planted1="] {
        assert!(!collector.has_bytes(part), "{part}");
        assert!(!dev.output().contains(part), "{part}");
    }
    assert_eq!(collector.faults(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridges_question_and_the_hubs_answer_are_one_trace() {
    let (dir, collector) = (tempfile::tempdir().unwrap(), Collector::start().await.unwrap());
    let endpoint = format!("{}/v1/traces", collector.url);
    let traced = [("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", endpoint.as_str()), OFTEN, ALL];
    let args = ["hub", "serve", "--json", "--listen", "127.0.0.1:0", "--data-dir", "hub"];
    let env: Vec<_> = traced.into_iter().chain([("STK_HUB_OPERATOR_TOKEN", OPERATOR)]).collect();
    let hub = StkServer::start(dir.path(), &args, &env, "\"ready\"").await.unwrap();
    let url = hub.ready()["url"].as_str().unwrap().to_owned();
    let operator = |method: Method, path: &str| {
        reqwest::Client::new().request(method, format!("{url}{path}")).bearer_auth(OPERATOR)
    };
    let mut answers = Vec::new();
    for (path, body) in [
        ("/v1/projects", json!({"name": "shop"})),
        ("/v1/projects/shop/envs", json!({"name": "prod"})),
        ("/v1/service-tokens", json!({"name": "fleet", "envs": ["shop/prod"]})),
    ] {
        let answer = operator(Method::POST, path).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}");
        answers.push(answer.json::<Json>().await.unwrap());
    }
    let keys: Json = operator(Method::GET, "/v1/keys").send().await.unwrap().json().await.unwrap();
    let settings = [
        ("STK_BRIDGE_HUB_URL", url.as_str()),
        ("STK_BRIDGE_SERVICE_TOKEN", answers[2]["token"].as_str().unwrap()),
        ("STK_BRIDGE_TRUSTED_KEYS", keys["keys"][0]["key"].as_str().unwrap()),
        ("STK_BRIDGE_ENVS", "shop/prod"),
        ("STK_BRIDGE_POLL_INTERVAL", "1s"),
    ];
    let settings: Vec<_> = settings.into_iter().chain(traced).collect();
    let _bridge = Bridge::start(dir.path(), &settings).await.unwrap();

    let asked = |span: &Traced| span.name == "hub.call" && span.attribute("url.template") == "releases/current";
    let question = collector.until("hub.call", asked).await.unwrap();
    assert_eq!((question.kind, &question.resource["service.name"]), ("client", &json!("stk-bridge")));
    assert_eq!((question.attribute("http.request.method"), question.parent.as_str()), (&json!("GET"), ""));
    let answer = collector.until("hub.request", |span| span.parent == question.id).await.unwrap();
    assert_eq!((answer.name.as_str(), answer.kind, &answer.trace), ("hub.request", "server", &question.trace));
    assert_eq!(answer.resource["service.name"], "stk-hub");
    assert_eq!(answer.attribute("http.route"), "/internal/releases/current");
    assert_eq!(answer.attribute("http.response.status_code"), question.attribute("http.response.status_code"));
    assert!(answer.attribute("http.response.status_code").is_i64(), "{answer:?}");

    // An operator's own trace, as the Bridge's.
    let parent = format!("00-{TRACE}-{PARENT}-01");
    operator(Method::GET, "/v1/projects").header("traceparent", parent).send().await.unwrap();
    let asked = collector.until("of the operator", |span| span.trace == TRACE).await.unwrap();
    assert_eq!((asked.name.as_str(), asked.parent.as_str()), ("hub.request", PARENT));
    assert!(!collector.has_bytes(OPERATOR) && !collector.has_bytes(settings[1].1));
}

async fn with_trace(dev: &StkDev, first: &[(&'static str, String)], more: &[(&'static str, String)]) -> Answer {
    let mut request = dev.client.http().post(format!("{}/logics/find", dev.client.url())).body(r#"{"text": "x"}"#);
    for (name, value) in first.iter().chain(more) {
        request = request.header(*name, value.as_bytes());
    }
    dev.client.send(request).await.unwrap()
}

fn paths(below: &[(String, Traced)]) -> Vec<&str> {
    below.iter().map(|(path, _)| path.as_str()).collect()
}

fn one<'a>(below: &'a [(String, Traced)], path: &str) -> &'a Traced {
    let found: Vec<&Traced> = below.iter().filter(|(known, _)| known == path).map(|(_, span)| span).collect();
    assert_eq!(found.len(), 1, "{path} in {:?}", paths(below));
    found[0]
}
