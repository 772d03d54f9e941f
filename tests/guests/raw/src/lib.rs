//! Answers requests of `wasi:http` as their path says. It is a logic as well, which answers who called.

use std::io::{Read as _, Write as _};

use santokit_guest::prelude::*;
use serde_json::Value as Json;
use wasip2::{
    clocks::monotonic_clock::subscribe_duration,
    exports::http::incoming_handler::Guest,
    http::{
        outgoing_handler,
        types::{
            ErrorCode, Fields, FutureIncomingResponse, IncomingBody, IncomingRequest, Method, OutgoingBody,
            OutgoingRequest, OutgoingResponse, ResponseOutparam, Scheme,
        },
    },
    io::streams::StreamError,
};

struct Raw;

impl Guest for Raw {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        match path.split('?').next().unwrap_or_default() {
            "/echo" => echo(&request, out),
            "/script" => script(&read(&request), out),
            "/fetch" => fetch(&read(&request), out),
            "/deaf" => answer(out, 200, &[], b"heard nothing"),
            _ => answer(out, 200, &[("content-type", "application/json")], seen(&request).to_string().as_bytes()),
        }
    }
}

wasip2::http::proxy::export!(Raw);

/// As a logic.
fn handle(_input: NoInput) -> Result<Json, LogicError> {
    Ok(who())
}

santokit_guest::logic!(handle);

fn who() -> Json {
    let (caller, invocation) = (context::caller(), context::invocation());
    json!({
        "kind": caller.kind, "subject": caller.subject, "roles": caller.roles, "logic": invocation.logic,
        "trigger": invocation.trigger, "requestId": invocation.request_id,
    })
}

/// All that it is given of a request.
fn seen(request: &IncomingRequest) -> Json {
    let headers: Vec<(String, String)> = request
        .headers()
        .entries()
        .into_iter()
        .map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned()))
        .collect();
    json!({
        "method": format!("{:?}", request.method()), "path": request.path_with_query(), "authority": request.authority(),
        "scheme": format!("{:?}", request.scheme()), "headers": headers, "who": who(),
    })
}

fn read(request: &IncomingRequest) -> Vec<u8> {
    let body = request.consume().expect("the body is there once");
    let mut stream = body.stream().expect("its stream is there once");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("the body arrives");
    drop(stream);
    IncomingBody::finish(body);
    bytes
}

/// Gives back what comes, as it comes.
fn echo(request: &IncomingRequest, out: ResponseOutparam) {
    let body = request.consume().expect("the body is there once");
    let input = body.stream().expect("its stream is there once");
    let response = OutgoingResponse::new(Fields::new());
    let answer = response.body().expect("the body is there once");
    ResponseOutparam::set(out, Ok(response));
    let mut output = answer.write().expect("its stream is there once");
    loop {
        match input.blocking_read(8192) {
            Ok(chunk) => output.write_all(&chunk).expect("the answer is taken"),
            Err(StreamError::Closed) => break,
            Err(error) => panic!("the body does not arrive: {error}"),
        }
    }
    drop(output);
    OutgoingBody::finish(answer, None).expect("the answer is whole");
}

fn answer(out: ResponseOutparam, status: u16, headers: &[(&str, &str)], body: &[u8]) {
    let fields = Fields::new();
    for (name, value) in headers {
        fields.append(name, value.as_bytes()).expect("the field is taken");
    }
    let response = OutgoingResponse::new(fields);
    response.set_status_code(status).expect("a status");
    let outgoing = response.body().expect("the body is there once");
    ResponseOutparam::set(out, Ok(response));
    let mut stream = outgoing.write().expect("its stream is there once");
    stream.write_all(body).expect("the answer is taken");
    drop(stream);
    OutgoingBody::finish(outgoing, None).expect("the answer is whole");
}

#[derive(Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Script {
    /// What goes wrong before there is an answer.
    before: String,
    status: u16,
    headers: Vec<(String, String)>,
    part: String,
    times: usize,
    /// Between two parts.
    wait_ms: u64,
    /// How it ends.
    end: String,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            before: String::new(),
            status: 200,
            headers: Vec::new(),
            part: String::new(),
            times: 1,
            wait_ms: 0,
            end: String::new(),
        }
    }
}

fn go_wrong(how: &str) {
    match how {
        "" => {}
        "trap" => panic!("told to"),
        "spin" => loop {
            std::hint::black_box(());
        },
        "wait" => subscribe_duration(60_000_000_000).block(),
        "memory" => drop(std::hint::black_box(vec![1_u8; 1 << 30])),
        other => panic!("unknown: {other}"),
    }
}

fn script(told: &[u8], out: ResponseOutparam) {
    let script: Script = serde_json::from_slice(told).expect("a script");
    match script.before.as_str() {
        "none" => return,
        "error" => return ResponseOutparam::set(out, Err(ErrorCode::InternalError(Some("told to".to_owned())))),
        how => go_wrong(how),
    }
    let fields = Fields::new();
    let mut refused = Vec::new();
    for (name, value) in &script.headers {
        if fields.append(name, value.as_bytes()).is_err() {
            refused.push(name.as_str());
        }
    }
    fields.append("x-refused", refused.join(" ").as_bytes()).expect("the field is taken");
    let response = OutgoingResponse::new(fields);
    response.set_status_code(script.status).expect("a status");
    let body = response.body().expect("the body is there once");
    ResponseOutparam::set(out, Ok(response));
    let mut stream = body.write().expect("its stream is there once");
    for number in 0..script.times {
        if number > 0 && script.wait_ms > 0 {
            subscribe_duration(script.wait_ms * 1_000_000).block();
        }
        if stream.write_all(script.part.as_bytes()).is_err() {
            return;
        }
    }
    match script.end.as_str() {
        // Neither ended nor dropped: the end of the invocation is its end.
        "leak" => {
            std::mem::forget(stream);
            std::mem::forget(body);
        }
        "drop" => {
            drop(stream);
            drop(body);
        }
        // All of it was written, and then something goes wrong.
        "late" => {
            drop(stream);
            drop(OutgoingBody::finish(body, None));
            go_wrong("trap");
        }
        how => {
            go_wrong(how);
            drop(stream);
            drop(OutgoingBody::finish(body, None));
        }
    }
}

#[derive(Deserialize)]
#[serde(default)]
struct Step {
    method: String,
    scheme: String,
    authority: String,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
    /// Not to wait for it.
    forget: bool,
}

impl Default for Step {
    fn default() -> Self {
        Self {
            method: "GET".to_owned(),
            scheme: "https".to_owned(),
            authority: String::new(),
            path: "/".to_owned(),
            headers: Vec::new(),
            body: String::new(),
            forget: false,
        }
    }
}

/// Sends all at once, and answers what each came to.
fn fetch(told: &[u8], out: ResponseOutparam) {
    let steps: Vec<Step> = serde_json::from_slice(told).expect("steps");
    let sent: Vec<Option<Result<FutureIncomingResponse, String>>> =
        steps.iter().map(|step| Some(send(step)).filter(|_| !step.forget)).collect();
    let came: Vec<Json> = sent
        .into_iter()
        .map(|sent| match sent {
            None => json!("forgotten"),
            Some(sent) => sent.and_then(received).unwrap_or_else(|error| json!({"error": error})),
        })
        .collect();
    answer(out, 200, &[("content-type", "application/json")], json!(came).to_string().as_bytes());
}

fn send(step: &Step) -> Result<FutureIncomingResponse, String> {
    let fields = Fields::new();
    for (name, value) in &step.headers {
        fields.append(name, value.as_bytes()).map_err(|error| format!("{error:?}"))?;
    }
    let request = OutgoingRequest::new(fields);
    let method = match step.method.as_str() {
        "GET" => Method::Get,
        "POST" => Method::Post,
        "DELETE" => Method::Delete,
        other => Method::Other(other.to_owned()),
    };
    let scheme = match step.scheme.as_str() {
        "https" => Scheme::Https,
        "http" => Scheme::Http,
        other => Scheme::Other(other.to_owned()),
    };
    request.set_method(&method).map_err(|()| "method")?;
    request.set_scheme(Some(&scheme)).map_err(|()| "scheme")?;
    request.set_authority(Some(&step.authority)).map_err(|()| "authority")?;
    request.set_path_with_query(Some(&step.path)).map_err(|()| "path")?;
    let body = request.body().map_err(|()| "body")?;
    let sent = outgoing_handler::handle(request, None).map_err(|error| format!("{error:?}"))?;
    let mut stream = body.write().map_err(|()| "stream")?;
    let written = stream.write_all(step.body.as_bytes());
    drop(stream);
    // The host may have had enough of it: it says why.
    drop(OutgoingBody::finish(body, None));
    drop(written);
    Ok(sent)
}

fn received(sent: FutureIncomingResponse) -> Result<Json, String> {
    sent.subscribe().block();
    let response = sent.get().ok_or("not ready")?.map_err(|()| "taken twice")?.map_err(|error| format!("{error:?}"))?;
    let body = response.consume().map_err(|()| "body")?;
    let mut stream = body.stream().map_err(|()| "stream")?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(
        json!({"status": response.status(), "length": bytes.len(), "body": String::from_utf8_lossy(&bytes[..bytes.len().min(200)])}),
    )
}
