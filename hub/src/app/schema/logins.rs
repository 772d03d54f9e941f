//! Logins for guests' SQL in a customer's database: making them what they are to be, under the lock of applies, and dropping them.
//! Which are needed, and what they are called, is decided elsewhere.

use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
    release::logins::{Publisher, TablePowers, publishes},
};
use santokit_sql::schema::{
    bookkeeping::OUTBOX,
    logins::{Lacking, Secret, publisher::Procedure},
};

use super::{Address, cannot, database::Opened};

mod mysql;
mod postgres;

/// A login that is to be there.
#[derive(Debug)]
pub struct Needed<'a> {
    /// Its name.
    pub user: &'a str,
    /// Its password.
    pub secret: &'a Secret,
    /// What it may do, and nothing else.
    pub powers: &'a TablePowers,
    /// Sessions that it may have at once.
    pub sessions_max: u32,
    /// Whose events it publishes: project and env.
    pub of: (&'a str, &'a str),
}

/// What is seen of a database before a login is made.
#[derive(Clone, Debug, Default)]
pub struct Outlook {
    /// What the user of the connection lacks to make logins, as far as that can be seen.
    pub lacking: Option<Lacking>,
    /// Whether it is known that nothing of that lacks.
    pub is_known: bool,
    /// Tables that it may not grant.
    pub tables_of_others: Vec<String>,
    /// What everybody may do in the database, and so every login.
    pub of_everybody: Vec<String>,
}

/// Why it was not done.
#[derive(Debug)]
enum Stopped {
    /// The user of the connection may not do it.
    Lacking(Vec<Lacking>),
    /// Anything else.
    Database(sqlx::Error),
}

/// Looks, and changes nothing.
pub async fn look(address: &Address) -> Outcome<Outlook> {
    let mut opened = Opened::open(address, false).await.map_err(|error| cannot(address, "cannot be opened", error))?;
    let found = opened.outlook().await;
    opened.close().await;
    found.map_err(|error| cannot(address, "cannot be read", error))
}

/// Makes every one what it is to be. What is worth knowing, in words; where one cannot be made, the release is blocked.
pub async fn bring(address: &Address, needed: &[Needed<'_>]) -> Outcome<Vec<String>> {
    let opened = Opened::open(address, false).await.map_err(|error| cannot(address, "cannot be opened", error))?;
    let done = match opened {
        Opened::Sqlite(_) => Ok(Vec::new()),
        Opened::Postgres(mut connection) => postgres::bring(&mut connection, address, needed).await,
        Opened::Mysql(mut connection, engine) => mysql::bring(&mut connection, engine, address, needed).await,
    };
    done.map_err(|stopped| match stopped {
        Stopped::Lacking(lacking) => blocked(address, &lacking),
        Stopped::Database(error) => cannot(address, "did not take a login", error),
    })
}

/// Ends the sessions of logins and drops them. Of each: whether it is gone.
pub async fn drop_all(address: &Address, users: &[String]) -> Result<Vec<bool>, sqlx::Error> {
    let mut opened = Opened::open(address, false).await?;
    let mut gone = Vec::new();
    for user in users {
        let done = match &mut opened {
            Opened::Sqlite(_) => Ok(()),
            Opened::Postgres(connection) => postgres::remove(connection, user).await,
            Opened::Mysql(connection, _) => mysql::remove(connection, user).await,
        };
        if let Err(error) = &done {
            tracing::warn!(connection = address.name, user, %error, "a login of guests' SQL cannot be dropped");
        }
        gone.push(done.is_ok());
    }
    opened.close().await;
    Ok(gone)
}

/// What an administrator has to do first.
pub fn blocked(address: &Address, lacking: &[Lacking]) -> Box<Problem> {
    let what: Vec<&str> = lacking.iter().map(|lacking| lacking.what.as_str()).collect();
    let statements: Vec<String> = lacking.iter().map(|lacking| format!("{};", lacking.statement)).collect();
    let first = lacking.first().map_or("", |lacking| lacking.statement.as_str());
    let more = if statements.len() > 1 {
        format!(" (and {} more, in the details)", statements.len() - 1)
    } else {
        String::new()
    };
    let message = format!(
        "guests' SQL on connection {:?} needs logins of the database, and the Hub's user there lacks {}",
        address.name,
        what.first().copied().unwrap_or_default()
    );
    Problem::new(Code::ReleaseBlocked, message)
        .hint(format!("an administrator of the database runs: {first};{more} or give the connection an adminUrl of a user that may"))
        .detail("connection", address.name.clone())
        .detail("lacking", what.iter().map(|what| (*what).to_owned()).collect::<Vec<_>>())
        .detail("statements", statements)
}

impl Opened {
    /// What is seen before a login is made.
    pub(super) async fn outlook(&mut self) -> Result<Outlook, sqlx::Error> {
        match self {
            Opened::Sqlite(_) => Ok(Outlook { is_known: true, ..Outlook::default() }),
            Opened::Postgres(connection) => postgres::outlook(connection).await,
            Opened::Mysql(connection, _) => mysql::outlook(connection).await,
        }
    }
}

/// Verbs of the tables that are there; what is not there, or is no table, is told.
fn tables<'a>(
    needed: &Needed<'a>,
    is_table: impl Fn(&str) -> Option<bool>,
    remarks: &mut Vec<String>,
) -> Vec<(&'a str, &'a str)> {
    let mut all = Vec::new();
    for (table, verbs) in needed.powers.iter().filter(|(table, _)| *table != OUTBOX) {
        match is_table(table) {
            Some(true) => all.extend(verbs.iter().map(|verb| (table.as_str(), verb.as_str()))),
            Some(false) => remarks.push(format!("{table} is a view, and guests' SQL has no login that may use one")),
            None => remarks.push(format!("guests' SQL may use {table}, which is not there; apply again when it is")),
        }
    }
    all
}

impl Needed<'_> {
    /// What it publishes events with.
    fn procedure(&self) -> Option<Procedure> {
        publishes(self.powers).then(|| Procedure::new(&Publisher::of(self.user, self.secret.expose()), self.of))
    }
}

impl From<sqlx::Error> for Stopped {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<Lacking> for Stopped {
    fn from(lacking: Lacking) -> Self {
        Self::Lacking(vec![lacking])
    }
}
