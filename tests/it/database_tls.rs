//! TLS to databases: the modes of a connection's URL on real servers of a test's own that show a certificate of an authority that
//! nobody else knows, and what `stk connections test` says of them.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use santokit_bridge::db::{Database, DatabaseSettings, DbError, Mode};
use santokit_core::{
    schema::Type,
    wire::{RuntimeConnection, Sealed},
};
use santokit_sql::{
    failure::FailureKind,
    statement::{OutputColumn, Statement},
};
use santokit_tests::{Engine, OwnServer, ShownCertificate};
use tempfile::TempDir;

use crate::lab::Lab;

/// Two authorities, and a server that shows a certificate of the first for `localhost`.
struct Encrypted {
    engine: Engine,
    server: OwnServer,
    folder: TempDir,
}

/// A URL of that server: which host is named, which mode, and whose certificates are trusted.
#[derive(Clone, Copy, Debug)]
struct Way {
    host: &'static str,
    mode: Encryption,
    authority: Option<&'static str>,
}

/// The modes, which each engine has its own words for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encryption {
    Disable,
    Require,
    VerifyAuthority,
    VerifyFull,
}

const OWN: &str = "own.pem";
const OTHER: &str = "other.pem";

const WORKS: [Way; 3] = [
    Way { host: "localhost", mode: Encryption::VerifyFull, authority: Some(OWN) },
    // Another name of the same machine, which only the authority vouches for.
    Way { host: "127.0.0.1", mode: Encryption::VerifyAuthority, authority: Some(OWN) },
    // Encrypted, to whoever it is.
    Way { host: "127.0.0.1", mode: Encryption::Require, authority: None },
];

const REFUSED: [Way; 5] = [
    Way { host: "localhost", mode: Encryption::VerifyFull, authority: Some(OTHER) },
    Way { host: "localhost", mode: Encryption::VerifyAuthority, authority: Some(OTHER) },
    // Of no authority that the system trusts.
    Way { host: "localhost", mode: Encryption::VerifyFull, authority: None },
    // Of another name.
    Way { host: "127.0.0.1", mode: Encryption::VerifyFull, authority: Some(OWN) },
    // The server takes nobody who does not encrypt.
    Way { host: "127.0.0.1", mode: Encryption::Disable, authority: None },
];

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_has_to_prove_what_the_url_asks_for() {
    Encrypted::start(Engine::Postgres).await.modes_are_kept().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mysql_has_to_prove_what_the_url_asks_for() {
    Encrypted::start(Engine::Mysql).await.modes_are_kept().await;
}

/// Of what the Hub finds, an operator is told which it is: encryption, and neither the login nor the network.
#[tokio::test(flavor = "multi_thread")]
async fn the_test_of_a_connection_names_what_is_wrong_with_tls() {
    let lab = Lab::start("encrypted").await;
    for engine in Engine::ALL {
        let encrypted = Encrypted::start(engine).await;
        let set = async |way: Way| {
            let url = encrypted.url(way);
            lab.done(&["connections", "set", "main", "--engine", engine.as_str(), "--url-stdin"], &url).await;
            lab.stk(&["connections", "test", "main"], "").await
        };
        let tested = set(WORKS[0]).await;
        assert_eq!((tested.code, &tested.json()["ok"]), (0, &true.into()), "{engine:?}: {tested:?}");
        for way in &REFUSED[..4] {
            let tested = set(*way).await;
            let said = tested.json()["bridge"]["checks"].to_string();
            assert!(tested.code != 0 && tested.json()["ok"] == false, "{engine:?} {way:?}: {tested:?}");
            assert!(said.contains("\"tls\"") && said.contains("sslrootcert"), "{engine:?} {way:?}: {said}");
            assert!(!said.contains(encrypted.folder.path().to_str().unwrap()), "{said}");
        }
        // A file that is not there is not taken for trust in everybody.
        let tested = set(Way { authority: Some("no-such.pem"), ..WORKS[0] }).await;
        let said = tested.json()["bridge"]["checks"].to_string();
        assert!(tested.code != 0 && said.contains("cannot be read here"), "{engine:?}: {tested:?}");
    }
}

impl Encrypted {
    async fn start(engine: Engine) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (shown, own) = issue();
        let (_, other) = issue();
        std::fs::write(folder.path().join(OWN), own).unwrap();
        std::fs::write(folder.path().join(OTHER), other).unwrap();
        Self { engine, server: engine.service().start_with_tls(&shown).await.unwrap(), folder }
    }

    async fn modes_are_kept(&self) {
        for way in WORKS {
            let found = self.encryption(way).await;
            // The server's own word, for a URL that says nothing would work too.
            assert!(found.as_ref().is_ok_and(|found| found.starts_with("TLSv1.")), "{way:?}: {found:?}");
        }
        for way in REFUSED {
            let error = self.encryption(way).await.unwrap_err();
            assert_eq!(error.kind, FailureKind::Unavailable, "{way:?}: {error:?}");
            assert_eq!(error.problem().code.as_str(), "SERVICE_UNAVAILABLE");
        }
        let missing = Way { authority: Some("no-such.pem"), ..WORKS[0] };
        assert!(self.encryption(missing).await.is_err());
    }

    /// What a Bridge's connection speaks, as the server says.
    async fn encryption(&self, way: Way) -> Result<String, DbError> {
        let connection = RuntimeConnection {
            engine: self.engine.as_str().to_owned(),
            url: Sealed::new(self.url(way)),
            guests: Vec::new(),
        };
        let settings = DatabaseSettings { pool_wait: Duration::from_secs(2), ..DatabaseSettings::default() };
        let database = Database::open("main", &connection, &settings)?;
        let sql = match self.engine {
            Engine::Postgres => "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
            Engine::Mysql => {
                "SELECT variable_value FROM information_schema.session_status WHERE variable_name = 'ssl_version'"
            }
        };
        let statement = Statement {
            sql: sql.to_owned(),
            params: Vec::new(),
            columns: vec![OutputColumn { name: "version".to_owned(), kind: Type::String }],
        };
        let deadline = Instant::now() + Duration::from_mins(1);
        let rows = database.rows(Mode::Read, &statement, deadline).await?;
        Ok(match &rows[0][0] {
            santokit_core::value::Value::Text(version) => version.clone(),
            other => format!("{other:?}"),
        })
    }

    fn url(&self, Way { host, mode, authority }: Way) -> String {
        let plain = self.server.url().split('?').next().unwrap();
        let plain = plain.replace("127.0.0.1", host);
        let plain = if self.engine == Engine::Mysql { format!("{plain}mysql") } else { plain };
        let (mode_key, authority_key, word) = match (self.engine, mode) {
            (Engine::Postgres, Encryption::Disable) => ("sslmode", "sslrootcert", "disable"),
            (Engine::Postgres, Encryption::Require) => ("sslmode", "sslrootcert", "require"),
            (Engine::Postgres, Encryption::VerifyAuthority) => ("sslmode", "sslrootcert", "verify-ca"),
            (Engine::Postgres, Encryption::VerifyFull) => ("sslmode", "sslrootcert", "verify-full"),
            (Engine::Mysql, Encryption::Disable) => ("ssl-mode", "ssl-ca", "DISABLED"),
            (Engine::Mysql, Encryption::Require) => ("ssl-mode", "ssl-ca", "REQUIRED"),
            (Engine::Mysql, Encryption::VerifyAuthority) => ("ssl-mode", "ssl-ca", "VERIFY_CA"),
            (Engine::Mysql, Encryption::VerifyFull) => ("ssl-mode", "ssl-ca", "VERIFY_IDENTITY"),
        };
        let path: Option<PathBuf> = authority.map(|name| Path::new(self.folder.path()).join(name));
        let authority = path.map(|path| format!("&{authority_key}={}", path.display())).unwrap_or_default();
        format!("{plain}?{mode_key}={word}{authority}")
    }
}

/// A certificate for `localhost`, and that of its authority.
pub(crate) fn issue() -> (ShownCertificate, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(params, authority_key);
    let key = KeyPair::generate().unwrap();
    let made = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    (ShownCertificate { certificate: made.pem(), key: key.serialize_pem() }, authority.pem())
}
