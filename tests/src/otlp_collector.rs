//! A collector of traces as an operator runs one: OTLP over HTTP, protobuf. It keeps every span and every byte that it was sent,
//! and it can refuse, or take and never answer. What the spans should be is a test's matter.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Result, bail};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1::Span,
};
use prost::Message;
use serde_json::{Map, Value as Json, json};
use tokio::{net::TcpListener, task::JoinHandle};

const LOOK_AGAIN: Duration = Duration::from_millis(50);
const LOOKS: usize = 1_200;

/// Where `STK_OTEL_ENDPOINT` points to. Ends when dropped.
pub struct Collector {
    /// `http://127.0.0.1:…`
    pub url: String,
    kept: Arc<Mutex<Kept>>,
    serving: JoinHandle<()>,
}

/// How it treats what it is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// As it should.
    #[default]
    Takes,
    /// With 500.
    Refuses,
    /// It never answers.
    Hangs,
}

/// A span.
#[derive(Clone, Debug)]
pub struct Traced {
    /// Its name.
    pub name: String,
    /// In hexadecimal.
    pub trace: String,
    /// In hexadecimal.
    pub id: String,
    /// In hexadecimal; empty for a root.
    pub parent: String,
    /// `internal`, `server`, `client`, `producer`, `consumer`.
    pub kind: &'static str,
    /// Whether its status is an error.
    pub is_error: bool,
    /// Its attributes, by name.
    pub attributes: BTreeMap<String, Json>,
    /// Of the process.
    pub resource: BTreeMap<String, Json>,
    /// W3C `tracestate`.
    pub state: String,
    /// How many events it has.
    pub events: usize,
    /// When it began, in nanoseconds.
    pub began: u64,
}

#[derive(Default)]
struct Kept {
    manner: Manner,
    requests: usize,
    bytes: Vec<u8>,
    spans: Vec<Traced>,
    faults: Vec<String>,
}

impl Collector {
    /// It takes what it is sent.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let kept = Arc::new(Mutex::new(Kept::default()));
        let router = Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&kept));
        let serving = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
        Ok(Self { url, kept, serving })
    }

    /// From now on.
    pub fn behave(&self, manner: Manner) {
        lock(&self.kept).manner = manner;
    }

    /// All spans so far, in the order in which they came.
    pub fn spans(&self) -> Vec<Traced> {
        lock(&self.kept).spans.clone()
    }

    /// How often it was asked to take something.
    pub fn requests(&self) -> usize {
        lock(&self.kept).requests
    }

    /// What it was sent that is no OTLP.
    pub fn faults(&self) -> Vec<String> {
        lock(&self.kept).faults.clone()
    }

    /// Whether a text is in anything that it was sent: headers and bodies, as they came.
    pub fn has_bytes(&self, text: &str) -> bool {
        lock(&self.kept).bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }

    /// Waits for a span. Those that began and ended within it are there as well.
    pub async fn until(&self, what: &str, is_it: impl Fn(&Traced) -> bool) -> Result<Traced> {
        for _ in 0..LOOKS {
            if let Some(span) = self.spans().into_iter().find(&is_it) {
                return Ok(span);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        let names: Vec<String> = self.spans().into_iter().map(|span| span.name).collect();
        bail!("no span {what}; there are {names:?}, {} requests, faults {:?}", self.requests(), self.faults())
    }

    /// Waits for the root of a request's trace, by the request's id.
    pub async fn request(&self, id: &str) -> Result<Traced> {
        self.until(id, |span| span.attributes.get("requestId").is_some_and(|known| known == id)).await
    }

    /// What is below a span, by path: `logic.invoke/host.sql/db.execute`, in the order of their beginnings.
    pub fn below(&self, root: &Traced) -> Vec<(String, Traced)> {
        let spans = self.spans();
        let mut found = Vec::new();
        for span in spans.iter().filter(|span| span.trace == root.trace && span.id != root.id) {
            let mut path = span.name.clone();
            let mut parent = span.parent.as_str();
            while parent != root.id {
                // A span whose parent is not of this process, or not here, is not below.
                let Some(next) = spans.iter().find(|other| other.id == parent) else { break };
                path.insert_str(0, &format!("{}/", next.name));
                parent = &next.parent;
            }
            if parent == root.id {
                found.push((path, span.clone()));
            }
        }
        found.sort_by_key(|(_, span)| span.began);
        found
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Traced {
    /// An attribute; null where there is none.
    pub fn attribute(&self, name: &str) -> &Json {
        self.attributes.get(name).unwrap_or(&Json::Null)
    }

    fn of(span: Span, resource: &BTreeMap<String, Json>) -> Self {
        let kinds = ["unspecified", "internal", "server", "client", "producer", "consumer"];
        Self {
            kind: usize::try_from(span.kind).ok().and_then(|kind| kinds.get(kind)).copied().unwrap_or_default(),
            is_error: span.status.as_ref().is_some_and(|status| status.code == 2),
            attributes: attributes(span.attributes),
            resource: resource.clone(),
            trace: hexadecimal(&span.trace_id),
            id: hexadecimal(&span.span_id),
            parent: hexadecimal(&span.parent_span_id),
            name: span.name,
            state: span.trace_state,
            events: span.events.len(),
            began: span.start_time_unix_nano,
        }
    }
}

async fn take(State(kept): State<Arc<Mutex<Kept>>>, headers: HeaderMap, body: Bytes) -> Response {
    let manner = {
        let mut kept = lock(&kept);
        kept.requests += 1;
        kept.manner
    };
    match manner {
        Manner::Hangs => std::future::pending().await,
        Manner::Refuses => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Manner::Takes => {
            keep(&mut lock(&kept), &headers, &body);
            ([(header::CONTENT_TYPE, "application/x-protobuf")], ExportTraceServiceResponse::default().encode_to_vec())
                .into_response()
        }
    }
}

fn keep(kept: &mut Kept, headers: &HeaderMap, body: &Bytes) {
    for (name, value) in headers {
        kept.bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\n"].concat());
    }
    kept.bytes.extend_from_slice(body);
    let sent = match ExportTraceServiceRequest::decode(body.clone()) {
        Ok(sent) => sent,
        Err(error) => return kept.faults.push(error.to_string()),
    };
    for of_process in sent.resource_spans {
        let resource = attributes(of_process.resource.unwrap_or_default().attributes);
        let spans = of_process.scope_spans.into_iter().flat_map(|scope| scope.spans);
        kept.spans.extend(spans.map(|span| Traced::of(span, &resource)));
    }
}

fn attributes(sent: Vec<KeyValue>) -> BTreeMap<String, Json> {
    let mut known = BTreeMap::new();
    for KeyValue { key, value, .. } in sent {
        // Twice is a fault of the sender: which one holds is anybody's guess.
        let value = value.map_or(Json::Null, json_of);
        if known.insert(key.clone(), value).is_some() {
            known.insert(key, json!("twice"));
        }
    }
    known
}

fn json_of(value: AnyValue) -> Json {
    match value.value {
        Some(Value::StringValue(text)) => json!(text),
        Some(Value::BoolValue(value)) => json!(value),
        Some(Value::IntValue(value)) => json!(value),
        Some(Value::DoubleValue(value)) => json!(value),
        Some(Value::BytesValue(bytes)) => json!(hexadecimal(&bytes)),
        Some(Value::ArrayValue(list)) => list.values.into_iter().map(json_of).collect(),
        Some(Value::KvlistValue(list)) => Json::Object(Map::from_iter(attributes(list.values))),
        Some(other) => json!(format!("{other:?}")),
        None => Json::Null,
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}
