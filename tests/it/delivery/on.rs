//! On which engine, and over what: a case of a test is these two, and what it asks for is the same for all.

use async_nats::jetstream;
use futures_util::StreamExt as _;
use santokit_tests::{Engine, OwnServer, Service, TestDatabase, database::new_name};

/// What hands events over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// Turns at the database.
    Tables,
    /// NATS JetStream.
    Nats,
}

/// One case.
pub(super) struct On {
    engine: Option<Engine>,
    pub(super) database: Option<TestDatabase>,
    over: Over,
    settings: Vec<(&'static str, String)>,
}

impl On {
    /// On SQLite where no engine is named.
    pub(super) async fn new(engine: Option<Engine>, over: Over) -> Self {
        let database = match engine {
            Some(engine) => Some(TestDatabase::create(engine).await.unwrap()),
            None => None,
        };
        let settings = match over {
            Over::Tables => Vec::new(),
            Over::Nats => nats(Service::Nats.url().await.unwrap()),
        };
        Self { engine, database, over, settings }
    }

    /// On a server of the test's own.
    pub(super) async fn with_server(engine: Engine, server: &OwnServer, over: Over) -> Self {
        let mut on = Self::new(None, over).await;
        (on.engine, on.database) = (Some(engine), Some(TestDatabase::create_on(engine, server.url()).await.unwrap()));
        on
    }

    /// The same over a broker of the test's own.
    pub(super) async fn with_broker(engine: Option<Engine>, broker: &OwnServer) -> Self {
        let mut on = Self::new(engine, Over::Tables).await;
        (on.over, on.settings) = (Over::Nats, nats(broker.url()));
        on
    }

    /// `connections` of `stk dev`, through another address where one is given.
    pub(super) fn connection(&self, via: Option<std::net::SocketAddr>) -> String {
        let Some((engine, mut url)) = self.url() else { return String::new() };
        if let (Some(via), Some(database)) = (via, &self.database) {
            url = database.url_via(via).unwrap();
        }
        format!("connections:\n  main: {{engine: {}, url: \"{url}\"}}\n", engine.as_str())
    }

    /// Engine and URL of a server.
    pub(super) fn url(&self) -> Option<(Engine, String)> {
        Some((self.engine?, self.database.as_ref()?.url()))
    }

    /// What a Bridge is told.
    pub(super) fn settings(&self) -> Vec<(&str, &str)> {
        self.settings.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }

    /// A project of this case alone: logins on a server are named by it.
    pub(super) fn project(&self, name: &str) -> &'static str {
        let engine = self.engine.map_or("sqlite", Engine::as_str);
        let over = if self.over == Over::Nats { "_n" } else { "" };
        Box::leak(format!("{name}_{engine}{over}").into_boxed_str())
    }

    /// What streams and subjects of this case begin with.
    pub(super) fn prefix(&self) -> &str {
        let prefix = self.settings.iter().find(|(name, _)| *name == "STK_BRIDGE_NATS_PREFIX");
        prefix.map_or("", |(_, prefix)| prefix.as_str())
    }

    /// A client of the broker.
    pub(super) async fn client(&self) -> async_nats::Client {
        let url = self.settings.iter().find(|(name, _)| *name == "STK_BRIDGE_NATS_URL").unwrap();
        async_nats::connect(&url.1).await.unwrap()
    }
}

fn nats(url: &str) -> Vec<(&'static str, String)> {
    // 32 characters are the most.
    let prefix: String = new_name().chars().take(32).collect();
    vec![("STK_BRIDGE_NATS_URL", url.to_owned()), ("STK_BRIDGE_NATS_PREFIX", prefix)]
}

/// Streams of the case: a broker that is there for others as well is left as it was.
impl Drop for On {
    fn drop(&mut self) {
        let Some((_, url)) = self.settings.iter().find(|(name, _)| *name == "STK_BRIDGE_NATS_URL") else { return };
        let (url, prefix) = (url.clone(), format!("{}-", self.prefix()));
        // A runtime of its own: the test's may be the one thread that runs this.
        let removing = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let context = jetstream::new(async_nats::connect(url).await?);
                let mut names = context.stream_names();
                while let Some(Ok(name)) = names.next().await {
                    if name.starts_with(&prefix) {
                        context.delete_stream(name).await?;
                    }
                }
                Ok::<(), async_nats::Error>(())
            })
        });
        drop(removing.join());
    }
}
