//! NATS JetStream, which hands events over: for each env and connection a stream of tickets, for each subscription a durable consumer of it. A ticket
//! names a row of the database and no more: what has become of an event stands there alone, so that a ticket that is lost, late or there twice changes nothing
//! (decision 0040). Nothing of a payload is sent here.

use std::{
    collections::BTreeMap,
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_nats::{
    AuthError, Client, ConnectOptions, Event, ServerAddr,
    connection::State,
    jetstream::{
        self, Context, ErrorCode,
        consumer::{AckPolicy, Consumer, DeliverPolicy, pull},
        message::PublishMessage,
        stream::{Config as StreamConfig, DiscardPolicy, RetentionPolicy, StorageType},
    },
};
use futures_util::future::try_join_all;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use crate::config::NatsConfig;

mod credentials;
mod names;

use credentials::Credentials;
pub use credentials::CredentialsError;
pub use names::Names;

/// For an answer of the broker.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// A dead connection is found out within two of these.
const PING: Duration = Duration::from_secs(10);

/// Tickets that a stream holds. Beyond, none is taken, and events wait in the database.
const TICKETS_MAX: i64 = 1_000_000;

/// Tickets that nobody has asked for in so long are nobody's: their rows were handed over again since.
const TICKET_AGE_MAX: Duration = Duration::from_hours(24);

/// Within it a ticket that is published again is the same one.
const DUPLICATE_WINDOW: Duration = Duration::from_mins(2);

/// How often it is told that the broker is away.
const TOLD_EVERY: Duration = Duration::from_mins(1);

/// The broker of a Bridge.
pub struct Broker {
    client: Client,
    context: Context,
    prefix: String,
    replicas: usize,
    /// Whose events it does not hand over.
    failing: Mutex<BTreeMap<String, Failing>>,
    unconnected: Unconnected,
}

/// Why there is no connection, as far as the client has said it since there was one.
type Unconnected = Arc<Mutex<Option<String>>>;

/// Since when, and when that was told.
#[derive(Debug)]
struct Failing {
    since: Instant,
    told: Option<Instant>,
}

/// What is handed over: an attempt of an event for a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ticket {
    /// The row.
    pub delivery: String,
    /// How many attempts there were: of a row that has more, or that somebody tries, the ticket is void.
    pub attempts: u32,
}

/// A ticket on its way to the broker.
#[derive(Clone, Debug)]
pub struct Given {
    /// To whom.
    pub subscription: String,
    /// Which.
    pub ticket: Ticket,
    /// What was in the row, so that another hand-over of it is another one: when it was due.
    pub due_at: String,
}

/// What a consumer is to be.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The subscription.
    pub subscription: &'a str,
    /// Tickets that are out at once, over all Bridges.
    pub at_once: u32,
    /// When one that nobody has answered for is given to another.
    pub answer_within: Duration,
}

/// Why the broker does not do something.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// A file is none of credentials.
    #[error("the credentials for NATS in {} cannot be used; see STK_BRIDGE_NATS_CREDS_FILE", .0.display())]
    Credentials(PathBuf, #[source] CredentialsError),
    /// A setting.
    #[error("the client for NATS cannot be made; see STK_BRIDGE_NATS_URL and STK_BRIDGE_NATS_CA_FILE")]
    Connect(#[from] async_nats::ConnectError),
    /// There is no connection.
    #[error("the broker cannot be reached: {0}")]
    Away(String),
    /// It says no, or nothing.
    #[error("the broker does not {what}")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// Its words.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Broker {
    /// Of the settings. Whether it is there is found out later, and again and again.
    pub async fn connect(config: &NatsConfig, bridge: &str) -> Result<Self, BrokerError> {
        let unconnected = Unconnected::default();
        let noted = Arc::clone(&unconnected);
        let mut options = shown(config)?
            .name(format!("santokit-bridge {bridge}"))
            .retry_on_initial_connect()
            .max_reconnects(None)
            .ping_interval(PING)
            .connection_timeout(ANSWER_MAX)
            .event_callback(move |event| {
                note(&noted, &event);
                std::future::ready(())
            });
        if let Some(path) = &config.ca_file {
            options = options.add_root_certificates(path.clone());
        }
        let client = options.connect(config.urls.clone()).await?;
        let context = jetstream::ContextBuilder::new().timeout(ANSWER_MAX).build(client.clone());
        let (prefix, failing) = (config.prefix.clone(), Mutex::default());
        Ok(Self { client, context, prefix, replicas: config.replicas, failing, unconnected })
    }

    /// The names of an env's connection.
    pub fn names(&self, env: (&str, &str), connection: &str) -> Names {
        Names::of(&self.prefix, env, connection)
    }

    /// Whether there is a connection; why not, where it is known.
    pub fn connected(&self) -> Result<(), BrokerError> {
        if self.is_connected() {
            return Ok(());
        }
        let why = self.unconnected.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Err(BrokerError::Away(why.unwrap_or_else(|| "it does not answer; see STK_BRIDGE_NATS_URL".to_owned())))
    }

    fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// Whether it hands over everybody's events, as far as is known.
    pub fn is_there(&self) -> bool {
        self.failing().is_empty()
    }

    /// Notes that it hands these over; for how long it did not, where it did not before.
    pub fn works(&self, names: &Names) -> Option<Duration> {
        self.failing().remove(names.stream()).map(|failing| failing.since.elapsed())
    }

    /// Notes that it does not; for how long, where that is to be told.
    pub fn fails(&self, names: &Names) -> Option<Duration> {
        let mut failing = self.failing();
        let new = || Failing { since: Instant::now(), told: None };
        let failing = failing.entry(names.stream().to_owned()).or_insert_with(new);
        if failing.told.is_some_and(|told| told.elapsed() < TOLD_EVERY) {
            return None;
        }
        failing.told = Some(Instant::now());
        Some(failing.since.elapsed())
    }

    /// Sees that there is a stream; whether there was none, so that what was handed over before is lost.
    pub async fn stream(&self, names: &Names) -> Result<bool, BrokerError> {
        let said = |error| refused("keep a stream", error);
        match self.context.get_stream(names.stream()).await {
            Ok(stream) => {
                self.replicate(&stream.cached_info().config).await;
                return Ok(false);
            }
            Err(error) => match error.kind() {
                jetstream::context::GetStreamErrorKind::JetStream(error)
                    if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {}
                _ => return Err(refused("answer for its streams", error)),
            },
        }
        let stream = StreamConfig {
            name: names.stream().to_owned(),
            subjects: vec![names.all()],
            // What is answered for goes, and nothing else does before its time.
            retention: RetentionPolicy::WorkQueue,
            discard: DiscardPolicy::New,
            max_messages: TICKETS_MAX,
            max_age: TICKET_AGE_MAX,
            duplicate_window: DUPLICATE_WINDOW,
            storage: StorageType::File,
            num_replicas: self.replicas,
            description: Some("Santokit: events that are handed over to their subscriptions".to_owned()),
            ..StreamConfig::default()
        };
        self.context.create_stream(stream).await.map_err(said)?;
        Ok(true)
    }

    /// Lets as many servers keep a stream as the settings say now. One that cannot be kept so is kept as it was, and hands events over.
    async fn replicate(&self, kept: &StreamConfig) {
        if kept.num_replicas == self.replicas {
            return;
        }
        let (stream, replicas) = (&kept.name, self.replicas);
        let wanted = StreamConfig { num_replicas: replicas, ..kept.clone() };
        match self.context.update_stream(wanted).await {
            Ok(_) => tracing::info!(stream, replicas, "NATS keeps a stream on another number of servers"),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(
                    stream,
                    replicas,
                    error,
                    "NATS does not keep a stream on so many servers: it stays as it was; see STK_BRIDGE_NATS_REPLICAS"
                );
            }
        }
    }

    /// Sees that a subscription has its consumer, as its release wants it.
    pub async fn consumer(&self, names: &Names, wanted: Wanted<'_>) -> Result<Consumer<pull::Config>, BrokerError> {
        let config = pull::Config {
            durable_name: Some(names.consumer(wanted.subscription)),
            filter_subject: names.subject(wanted.subscription),
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::Explicit,
            ack_wait: wanted.answer_within,
            // How often an event is tried is said by its row.
            max_deliver: -1,
            max_ack_pending: i64::from(wanted.at_once),
            // Of a subscription that is gone: its tickets are gone then, too.
            inactive_threshold: TICKET_AGE_MAX,
            ..pull::Config::default()
        };
        let made = self.context.create_consumer_on_stream(config, names.stream()).await;
        made.map_err(|error| refused("keep a consumer", error))
    }

    /// Hands tickets over; done when the broker has said of each that it has it.
    pub async fn hand_over(&self, names: &Names, given: &[Given]) -> Result<(), BrokerError> {
        let failed = |error| refused("take a ticket", error);
        let mut answers = Vec::with_capacity(given.len());
        for given in given {
            let Ticket { delivery, attempts } = &given.ticket;
            let payload = serde_json::to_vec(&given.ticket).map_err(|error| refused("take a ticket", error))?;
            let id = format!("{delivery}:{attempts}:{}", given.due_at);
            let message = PublishMessage::build().payload(payload.into()).message_id(id);
            let sent = self.context.send_publish(names.subject(&given.subscription), message).await;
            answers.push(async move { sent.map_err(failed)?.await.map_err(failed) });
        }
        try_join_all(answers).await.map(drop)
    }

    fn failing(&self) -> MutexGuard<'_, BTreeMap<String, Failing>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// As it was sent; none where somebody else wrote it.
    pub fn read(payload: &[u8]) -> Option<Self> {
        serde_json::from_slice(payload).ok()
    }
}

/// Who the Bridge says that it is: by credentials, or as the addresses have it.
fn shown(config: &NatsConfig) -> Result<ConnectOptions, BrokerError> {
    if let Some(path) = config.credentials.clone() {
        // What is wrong with them now is told now.
        Credentials::read(&path).map_err(|error| BrokerError::Credentials(path.clone(), error))?;
        return Ok(ConnectOptions::with_auth_callback(move |nonce| {
            // Some kilobytes of a file, at each connection.
            let shown = Credentials::read(&path).and_then(|credentials| credentials.show(&nonce));
            std::future::ready(shown.map_err(AuthError::new))
        }));
    }
    // The same on all of them: a user and a password, or a token alone.
    let login = |url: &ServerAddr| Some((decoded(url.username()?), url.password().map(decoded)));
    Ok(match config.urls.iter().find_map(login) {
        Some((user, Some(password))) => ConnectOptions::new().user_and_password(user, password),
        Some((token, None)) => ConnectOptions::new().token(token),
        None => ConnectOptions::new(),
    })
}

/// Notes why there is no connection. Neither the client's words nor the server's have what was shown to it.
fn note(unconnected: &Unconnected, event: &Event) {
    let said = match event {
        Event::Connected => {
            tracing::info!("NATS is there");
            None
        }
        Event::ServerError(_) | Event::ClientError(_) => {
            tracing::debug!(%event, "NATS");
            let said = event.to_string();
            // A violation, a time that is over, a file that signs nothing.
            let is_refused = ["uthori", "uthenti", "nonce"].iter().any(|word| said.contains(word));
            let whose = "STK_BRIDGE_NATS_CREDS_FILE, or user and password in STK_BRIDGE_NATS_URL";
            Some(if is_refused { format!("{said}; see {whose}") } else { said })
        }
        event => {
            tracing::debug!(%event, "NATS");
            None
        }
    };
    *unconnected.lock().unwrap_or_else(PoisonError::into_inner) = said;
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn refused(what: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> BrokerError {
    BrokerError::Refused { what, source: source.into() }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The client would show addresses, with passwords.
        f.debug_struct("Broker").field("isConnected", &self.is_connected()).finish_non_exhaustive()
    }
}
