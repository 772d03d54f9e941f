//! How many requests a caller may send: a budget for each API key, each end user, and each address of callers who show no credential
//! or a wrong one; and how many events may be published of a topic. Counted in Redis where the Bridges of a fleet share their budgets, in memory where they do not and while Redis
//! is away.
//!
//! It decides from the actor, the address or the topic alone, and reads no request.

use std::{net::IpAddr, sync::Arc, time::Duration};

use santokit_core::{
    access::{Actor, ActorKind},
    code::Code,
    problem::{Outcome, Problem},
};
use tokio::sync::watch;

use super::address;
use crate::{
    config::{EdgeConfig, EnvName, Rate, Rates},
    metrics::Metrics,
};

mod local;
mod redis;

use self::redis::Shared;
use local::Local;

/// How often budgets that are whole again are forgotten.
const TIDY_INTERVAL: Duration = Duration::from_secs(30);

/// Counts requests.
#[derive(Debug)]
pub struct RateLimiter {
    rates: Rates,
    api_keys: Option<Local>,
    users: Option<Local>,
    addresses: Option<Local>,
    topics: Option<Local>,
    shared: Option<Arc<Shared>>,
    metrics: Arc<Metrics>,
}

/// A kind of budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Budget {
    ApiKey,
    User,
    Address,
    Topic,
}

/// Whose budget it is: project, env, and who.
type Owner<'a> = (&'a str, &'a str, &'a str);

impl RateLimiter {
    /// With every budget whole.
    pub fn new(config: &EdgeConfig, metrics: Arc<Metrics>) -> Result<Self, ::redis::RedisError> {
        let rates = config.rates;
        let shared = config.redis.as_ref().map(|redis| Shared::new(redis).map(Arc::new)).transpose()?;
        Ok(Self {
            rates,
            api_keys: rates.api_key.map(Local::new),
            users: rates.user.map(Local::new),
            addresses: rates.address.map(Local::new),
            topics: rates.topic.map(Local::new),
            shared,
            metrics,
        })
    }

    /// Takes one request from a caller's budget; `TOO_MANY_REQUESTS` where there is none left.
    pub async fn admit(&self, env: &EnvName, actor: &Actor, address: IpAddr) -> Outcome<()> {
        let subject = actor.subject.as_deref();
        match (actor.kind, subject) {
            (ActorKind::ApiKey, Some(id)) => self.take(Budget::ApiKey, (&env.project, &env.env, id)).await,
            (ActorKind::User, Some(sub)) => self.take(Budget::User, (&env.project, &env.env, sub)).await,
            (ActorKind::System, _) => Ok(()),
            // Who shows nothing that can be counted is counted by where it comes from.
            (ActorKind::Anonymous | ActorKind::ApiKey | ActorKind::User | ActorKind::Service, _) => {
                let from = address::bucket(address).to_string();
                self.take(Budget::Address, (&env.project, &env.env, &from)).await
            }
        }
    }

    /// Takes one request from the budget of an address that showed a wrong credential: guessing is not free.
    pub async fn admit_refused(&self, address: IpAddr) -> Outcome<()> {
        let from = address::bucket(address).to_string();
        self.take(Budget::Address, ("", "", &from)).await
    }

    /// Takes one event from what may be published of a topic, whoever publishes it.
    pub async fn admit_publish(&self, (project, env): (&str, &str), topic: &str) -> Outcome<()> {
        self.take(Budget::Topic, (project, env, topic)).await
    }

    /// Whether requests are counted with other Bridges now.
    pub fn is_shared(&self) -> bool {
        self.shared.as_ref().is_some_and(|shared| shared.is_there())
    }

    /// Forgets what is whole again, and keeps up the connection to Redis, until the Bridge ends.
    pub async fn run(self: Arc<Self>, mut stopped: watch::Receiver<bool>) {
        let shared = self.shared.clone();
        let keeping = async {
            match shared {
                Some(shared) => shared.keep().await,
                None => std::future::pending().await,
            }
        };
        let tidying = async {
            loop {
                tokio::time::sleep(TIDY_INTERVAL).await;
                for local in [&self.api_keys, &self.users, &self.addresses, &self.topics].into_iter().flatten() {
                    local.tidy();
                }
            }
        };
        tokio::select! {
            () = keeping => {}
            () = tidying => {}
            _ = stopped.wait_for(|stopped| *stopped) => {}
        }
    }

    async fn take(&self, budget: Budget, owner: Owner<'_>) -> Outcome<()> {
        let (rate, local) = match budget {
            Budget::ApiKey => (self.rates.api_key, &self.api_keys),
            Budget::User => (self.rates.user, &self.users),
            Budget::Address => (self.rates.address, &self.addresses),
            Budget::Topic => (self.rates.topic, &self.topics),
        };
        let (Some(rate), Some(local)) = (rate, local) else { return Ok(()) };
        let taken = match &self.shared {
            None => local.take(&owner),
            Some(shared) => {
                if let Some(taken) = shared.take(budget.as_str(), owner, rate).await {
                    taken
                } else {
                    self.metrics.rate_limit_fallback();
                    local.take(&owner)
                }
            }
        };
        taken.map_err(|wait| {
            self.metrics.rate_limited(budget.as_str());
            budget.spent(rate, wait)
        })
    }
}

impl Budget {
    /// As metrics and Redis see it.
    const fn as_str(self) -> &'static str {
        match self {
            Budget::ApiKey => "apiKeyRate",
            Budget::User => "userRate",
            Budget::Address => "addressRate",
            Budget::Topic => "publishRate",
        }
    }

    fn spent(self, rate: Rate, wait: Duration) -> Box<Problem> {
        let full = |limit: &str, whose: &str| {
            Problem::limit(Code::TooManyRequests, limit, format!("too many requests {whose}: it may send {rate}"))
        };
        let problem = match self {
            Budget::ApiKey => full("apiKeyRate", "with this API key"),
            Budget::User => full("userRate", "of this user"),
            Budget::Address => full("addressRate", "from this address"),
            Budget::Topic => {
                let message = format!("too many events of this topic: {rate} may be published");
                Problem::limit(Code::TooManyRequests, "publishRate", message)
            }
        };
        let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        problem.detail("retryAfterMs", millis).hint("try again after the time in Retry-After").retry_after(wait)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use serde_json::Map;

    use super::*;
    use crate::config::Settings;

    fn limiter(change: impl FnOnce(&mut Settings)) -> RateLimiter {
        let mut settings = Settings {
            service_token: Some("t".into()),
            envs: Some("shop/dev".into()),
            trusted_keys: Some(
                santokit_core::release::SigningKey::generate().unwrap().verifying_key().to_string().into(),
            ),
            ..Settings::default()
        };
        change(&mut settings);
        let config = settings.check().unwrap();
        RateLimiter::new(&config.edge, Arc::new(Metrics::new().unwrap())).unwrap()
    }

    fn actor(kind: ActorKind, subject: Option<&str>) -> Actor {
        Actor { kind, subject: subject.map(str::to_owned), roles: Vec::new(), claims: Map::new() }
    }

    async fn admitted(limiter: &RateLimiter, env: &str, actor: &Actor, address: &str, tries: u32) -> u32 {
        let env = EnvName::parse(env).unwrap();
        let mut admitted = 0;
        for _ in 0..tries {
            admitted += u32::from(limiter.admit(&env, actor, address.parse().unwrap()).await.is_ok());
        }
        admitted
    }

    #[tokio::test]
    async fn each_caller_has_a_budget_of_its_own() {
        let limiter = limiter(|settings| {
            settings.api_key_rate = Some("3/1h".into());
            settings.user_rate = Some("2/1h".into());
            settings.address_rate = Some("1/1h".into());
        });
        let (here, there) = ("192.0.2.1", "192.0.2.2");
        let (key, user) = (actor(ActorKind::ApiKey, Some("a")), actor(ActorKind::User, Some("a")));
        assert_eq!(admitted(&limiter, "shop/dev", &key, here, 9).await, 3);
        assert_eq!(admitted(&limiter, "shop/dev", &key, there, 9).await, 0, "a key is one, wherever it is used");
        assert_eq!(admitted(&limiter, "shop/prod", &key, here, 9).await, 3);
        assert_eq!(admitted(&limiter, "shop/dev", &actor(ActorKind::ApiKey, Some("b")), here, 9).await, 3);
        assert_eq!(admitted(&limiter, "shop/dev", &user, here, 9).await, 2);
        assert_eq!(admitted(&limiter, "shop/dev", &Actor::anonymous(), here, 9).await, 1);
        assert_eq!(admitted(&limiter, "shop/dev", &Actor::anonymous(), there, 9).await, 1);
        assert_eq!(admitted(&limiter, "shop/dev", &Actor::anonymous(), "2001:db8::1", 9).await, 1);
        assert_eq!(admitted(&limiter, "shop/dev", &Actor::anonymous(), "2001:db8::2", 9).await, 0);
        assert_eq!(admitted(&limiter, "shop/dev", &actor(ActorKind::System, None), here, 9).await, 9);
        assert!(limiter.admit_refused(here.parse().unwrap()).await.is_ok(), "a budget apart from its good requests");
        let problem = limiter.admit_refused(here.parse().unwrap()).await.unwrap_err();
        assert_eq!((problem.code, problem.details["limit"].as_str()), (Code::TooManyRequests, Some("addressRate")));
        let wait = problem.retry_after.unwrap();
        assert!(wait > Duration::from_mins(50) && wait <= Duration::from_hours(1), "{wait:?}");
    }

    #[tokio::test]
    async fn the_defaults_are_those_of_the_contract_and_off_is_off() {
        let limiter_of_defaults = limiter(|_| {});
        let rate = |requests| Rate { requests: NonZeroU32::new(requests).unwrap(), period: Duration::from_mins(1) };
        let expected = Rates {
            api_key: Some(rate(1000)),
            user: Some(rate(100)),
            address: Some(rate(600)),
            topic: Some(rate(10_000)),
        };
        assert_eq!(limiter_of_defaults.rates, expected);
        let key = actor(ActorKind::ApiKey, Some("a"));
        let admitted_by_default = admitted(&limiter_of_defaults, "shop/dev", &key, "192.0.2.1", 3000).await;
        assert!((1000..2000).contains(&admitted_by_default), "{admitted_by_default}");
        let off = limiter(|settings| settings.api_key_rate = Some("off".into()));
        assert_eq!(admitted(&off, "shop/dev", &key, "192.0.2.1", 3000).await, 3000);
    }
}
