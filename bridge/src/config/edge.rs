//! The settings of the edge: what a client may do to a connection, TLS, how many requests a caller may send, and whose word about a
//! caller's address is taken.

use std::{fmt, net::IpAddr, num::NonZeroU32, path::PathBuf, time::Duration};

use santokit_core::quantity::{Millis, QuantityError};
use santokit_edge::{Bounds, TlsFiles};
use secrecy::SecretString;

use super::{
    Settings,
    read::{Check, Text, duration, number, pause, secret, size, truth},
};

/// What hyper needs to read any head.
const HEADER_BYTES_MIN: usize = 8 << 10;
const HEADER_BYTES_MAX: usize = 1 << 20;

/// Twice the requests at once that are the default: some connections are at rest.
const CONNECTIONS_MAX: usize = 20_000;

/// A budget over more than a day is a quota, and would be forgotten at every restart.
const PERIOD_MAX: Duration = Duration::from_hours(24);

/// How clients are met.
#[derive(Clone, Debug)]
pub struct EdgeConfig {
    /// Of every connection.
    pub bounds: Bounds,
    /// The certificate of the applications' listener. None: plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Whether the metrics' listener shows it too.
    pub metrics_tls: bool,
    /// How long `/readyz` says that the Bridge ends before it takes no new connection. A part of the drain timeout.
    pub drain_grace: Duration,
    /// How many requests a caller may send.
    pub rates: Rates,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// Where the Bridges of a fleet count together. None: each counts for itself.
    pub redis: Option<RedisConfig>,
}

/// How many requests a caller may send; none is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Of each API key.
    pub api_key: Option<Rate>,
    /// Of each end user.
    pub user: Option<Rate>,
    /// Of each address: callers without a credential, or with a wrong one.
    pub address: Option<Rate>,
    /// Events of each topic, by requests and by logics.
    pub topic: Option<Rate>,
}

/// So many requests in so long. All of them may come at once; what was used comes back evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub requests: NonZeroU32,
    /// In how long; at least a microsecond for each.
    pub period: Duration,
}

/// A Redis.
#[derive(Clone, Debug)]
pub struct RedisConfig {
    /// `redis://` or `rediss://`, with its password.
    pub url: SecretString,
    /// How long a request waits for it.
    pub timeout: Duration,
}

/// An address, or all that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Settings {
    pub(super) fn edge(&mut self, check: &mut Check) -> EdgeConfig {
        let rate = |requests| Rate { requests, period: Duration::from_mins(1) };
        let [per_key, per_user, per_address, per_topic] =
            [1_000, 100, 600, 10_000].map(|requests| NonZeroU32::new(requests).map(rate));
        let redis_timeout =
            check.value("redisTimeout", self.redis_timeout.take(), Duration::from_millis(100), duration);
        let url = check.optional("redisUrl", self.redis_url.take(), redis_url);
        EdgeConfig {
            bounds: self.bounds(check),
            tls: self.tls(check),
            metrics_tls: check.value("metricsTls", self.metrics_tls.take(), false, truth),
            drain_grace: check.value("drainGrace", self.drain_grace.take(), Duration::from_secs(5), pause),
            rates: Rates {
                api_key: check.value("apiKeyRate", self.api_key_rate.take(), per_key, Rate::parse),
                user: check.value("userRate", self.user_rate.take(), per_user, Rate::parse),
                address: check.value("addressRate", self.address_rate.take(), per_address, Rate::parse),
                topic: check.value("publishRate", self.publish_rate.take(), per_topic, Rate::parse),
            },
            trusted_proxies: check.list("trustedProxies", self.trusted_proxies.take(), Network::parse),
            redis: url.map(|url| RedisConfig { url, timeout: redis_timeout }),
        }
    }

    fn bounds(&mut self, check: &mut Check) -> Bounds {
        let bounds = Bounds {
            connections_max: check.value("connections", self.connections.take(), CONNECTIONS_MAX, number),
            header_timeout: check.value("headerTimeout", self.header_timeout.take(), Duration::from_secs(10), duration),
            idle_timeout: check.value("idleTimeout", self.idle_timeout.take(), Duration::from_secs(75), duration),
            answer_timeout: check.value("answerTimeout", self.answer_timeout.take(), Duration::from_mins(5), duration),
            header_bytes_max: check.value("headerLimit", self.header_limit.take(), 32 << 10, size),
            streams_max: check.value("http2Streams", self.http2_streams.take(), 100, number),
        };
        if !(HEADER_BYTES_MIN..=HEADER_BYTES_MAX).contains(&bounds.header_bytes_max) {
            check.add("headerLimit", "must be between 8KiB and 1MiB");
        }
        if bounds.connections_max == 0 {
            check.add("connections", "must be at least 1");
        }
        if bounds.streams_max == 0 {
            check.add("http2Streams", "must be at least 1");
        }
        bounds
    }

    fn tls(&mut self, check: &mut Check) -> Option<TlsFiles> {
        let path = |text: Text| PathBuf::from(text.0);
        match (self.tls_cert.take().map(path), self.tls_key.take().map(path)) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
            (None, None) => None,
            (Some(_), None) => {
                check.add("tlsKey", "is needed with tlsCert");
                None
            }
            (None, Some(_)) => {
                check.add("tlsCert", "is needed with tlsKey");
                None
            }
        }
    }
}

impl Rate {
    /// Reads `1000/1m`, or `off`.
    pub fn parse(text: &str) -> Result<Option<Self>, String> {
        // A YAML of the old kind reads `off` as false.
        if matches!(text, "off" | "false") {
            return Ok(None);
        }
        let form = || format!("{text:?} is not a rate such as 1000/1m, nor off");
        let (requests, period) = text.split_once('/').ok_or_else(form)?;
        let requests: NonZeroU32 = requests.trim().parse().map_err(|_| form())?;
        let period: Millis = period.trim().parse().map_err(|error: QuantityError| error.to_string())?;
        let rate = Self { requests, period: period.duration() };
        if rate.period > PERIOD_MAX {
            return Err("a rate is over a day at most".to_owned());
        }
        if rate.interval() < Duration::from_micros(1) {
            return Err("a rate is a million requests a second at most; off is no limit".to_owned());
        }
        Ok(Some(rate))
    }

    /// After which one of the requests comes back.
    pub fn interval(self) -> Duration {
        self.period / self.requests.get()
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {:?}", self.requests, self.period)
    }
}

impl Network {
    /// Reads `10.0.0.0/8`, or one address.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is neither an address nor a network such as 10.0.0.0/8");
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), str::parse).map_err(|_| wrong())?;
        if bits > most { Err(wrong()) } else { Ok(Self { address, bits }) }
    }

    /// Whether it is no more than one address.
    pub fn is_one_address(&self) -> bool {
        self.bits == if self.address.is_ipv4() { 32 } else { 128 }
    }

    /// Whether an address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(mine), IpAddr::V4(other)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                mine.to_bits() & mask == other.to_bits() & mask
            }
            (IpAddr::V6(mine), IpAddr::V6(other)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                mine.to_bits() & mask == other.to_bits() & mask
            }
            _ => false,
        }
    }
}

fn redis_url(text: &str) -> Result<SecretString, String> {
    let is_redis = text.starts_with("redis://") || text.starts_with("rediss://");
    // The library's own words may repeat the address, and with it the password.
    let ok = is_redis && redis::Client::open(text).is_ok();
    if ok {
        secret(text)
    } else {
        Err("is not the address of a Redis, such as rediss://user:password@host:6379/0".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_they_are_written() {
        let rate = |text| Rate::parse(text).map(|rate| rate.map(|rate| (rate.requests.get(), rate.period.as_secs())));
        assert_eq!(rate("1000/1m"), Ok(Some((1000, 60))));
        assert_eq!(rate("5 / 1s"), Ok(Some((5, 1))));
        assert_eq!(rate("off"), Ok(None));
        for wrong in ["", "0/1m", "1000", "1000/0s", "-1/1m", "10/2d", "4000000/1s", "1000/1y", "5000000000/1d"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_network_has_what_begins_as_it_does() {
        let within = |network: &str, address: &str| Network::parse(network).unwrap().contains(address.parse().unwrap());
        assert!(within("10.0.0.0/8", "10.255.1.2") && !within("10.0.0.0/8", "11.0.0.1"));
        assert!(within("0.0.0.0/0", "203.0.113.7") && !within("0.0.0.0/0", "::1"));
        assert!(within("192.0.2.7", "192.0.2.7") && !within("192.0.2.7", "192.0.2.8"));
        assert!(within("2001:db8::/32", "2001:db8:1::1") && !within("2001:db8::/32", "2001:db9::1"));
        for wrong in ["", "10.0.0.0/33", "10.0.0", "::/129", "10.0.0.0/x", "host"] {
            assert!(Network::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_does_not_fit_together_is_told() {
        let settings = Settings {
            tls_cert: Some("cert.pem".into()),
            header_limit: Some("1KiB".into()),
            http2_streams: Some("0".into()),
            connections: Some("0".into()),
            drain_grace: Some("30s".into()),
            drain_timeout: Some("30s".into()),
            redis_url: Some("http://:hunter2@host".into()),
            trusted_proxies: Some("10.0.0.0/8, everyone".into()),
            ..Settings::default()
        };
        let told = settings.check().unwrap_err().to_string();
        for key in ["tlsKey", "headerLimit", "http2Streams", "connections", "drainGrace", "redisUrl", "trustedProxies"]
        {
            assert!(told.contains(key), "{key} is missing in: {told}");
        }
        assert!(!told.contains("hunter2"), "{told}");
    }
}
