//! Logins of MySQL and MariaDB. A statement of users cannot be taken back, so that each stands by itself; what a login has is read
//! as the login, which may always ask for its own.

use std::collections::{BTreeMap, BTreeSet};

use santokit_sql::schema::{
    Engine,
    logins::{
        Lacking, Login, mysql as sql,
        publisher::{self, Procedure},
    },
};
use sqlx::{AssertSqlSafe, Executor as _, MySqlConnection, mysql::MySqlDatabaseError};

use super::{Address, Needed, Outlook, Stopped, tables};
use crate::app::schema::database::{MYSQL_LOCK, MYSQL_UNLOCK, Opened, busy};

/// A privilege is missing: of the server, of a table, of a column, to grant, of a database.
const DENIED: [u16; 6] = [1227, 1142, 1143, 1410, 1044, 1045];
/// To make a procedure, or to take another one's place.
const ROUTINE_DENIED: [u16; 4] = [1227, 1044, 1370, 1142];
/// A login is refused: another password, no such user, locked (MySQL, MariaDB), with a password that has expired.
const REFUSED: [u16; 6] = [1045, 1698, 3118, 4151, 1862, 1820];

/// What a login says of itself.
enum Own {
    /// What it has, and what everybody has.
    Has(Option<BTreeSet<sql::Privilege>>, Vec<String>),
    /// There is no such user, or it has another password.
    Refused,
    /// It cannot be asked now.
    Unknown,
}

pub(super) async fn outlook(db: &mut MySqlConnection) -> Result<Outlook, sqlx::Error> {
    // What it has by a role is not seen: what is not found is not known to be missing.
    let found: String = sqlx::query_scalar(sql::MAY_CREATE_USERS).fetch_one(&mut *db).await?;
    // Servers that have no such grants say that there is no such user.
    let lines: Vec<String> = sqlx::query_scalar(sql::GRANTS_OF_EVERYBODY).fetch_all(&mut *db).await.unwrap_or_default();
    Ok(Outlook { is_known: found != "0", of_everybody: sql::of_everybody(&lines), ..Outlook::default() })
}

pub(super) async fn bring(
    db: &mut MySqlConnection,
    engine: Engine,
    address: &Address,
    needed: &[Needed<'_>],
) -> Result<Vec<String>, Stopped> {
    let got: Option<String> = sqlx::query_scalar(MYSQL_LOCK).fetch_one(&mut *db).await?;
    if got.as_deref() != Some("1") {
        return Err(busy().into());
    }
    let admin: String = sqlx::query_scalar(sql::ADMIN).fetch_one(&mut *db).await?;
    let database: Option<String> = sqlx::query_scalar(sql::PLACE).fetch_one(&mut *db).await?;
    let there = There { engine, admin, database: database.unwrap_or_default(), relations: relations(db).await? };
    let mut remarks = Vec::new();
    for needed in needed {
        bring_one(db, address, &there, needed, &mut remarks).await?;
    }
    sqlx::query(MYSQL_UNLOCK).execute(&mut *db).await?;
    Ok(remarks)
}

struct There {
    engine: Engine,
    admin: String,
    database: String,
    relations: BTreeMap<String, bool>,
}

async fn relations(db: &mut MySqlConnection) -> Result<BTreeMap<String, bool>, sqlx::Error> {
    let rows: Vec<(String, String)> = sqlx::query_as(sql::RELATIONS).fetch_all(db).await?;
    Ok(rows.into_iter().map(|(name, table)| (name, table == "1")).collect())
}

async fn bring_one(
    db: &mut MySqlConnection,
    address: &Address,
    there: &There,
    needed: &Needed<'_>,
    remarks: &mut Vec<String>,
) -> Result<(), Stopped> {
    let tables = tables(needed, |name| there.relations.get(name).copied(), remarks);
    let mut wanted = sql::wanted(&there.database, tables);
    if let Some(procedure) = needed.procedure() {
        make(db, there, &procedure).await?;
        wanted.insert(procedure.privilege(&there.database));
    }
    let login = Login { user: needed.user, sessions_max: needed.sessions_max };
    let mut own = ask(address, needed).await;
    if matches!(own, Own::Refused) {
        // Not there, or changed by somebody else: both end with the password that is kept.
        for statement in
            [login.create_mysql(there.engine, needed.secret), login.alter_mysql(there.engine, needed.secret)]
        {
            run(db, statement, || sql::lacks_create_user(&there.admin)).await?;
        }
        own = ask(address, needed).await;
    }
    let has = match own {
        Own::Has(has, of_everybody) => {
            remarks.extend(of_everybody);
            has
        }
        Own::Refused => None,
        Own::Unknown => {
            remarks.push(format!("what {} may do could not be read; apply again to have it corrected", needed.user));
            Some(BTreeSet::new())
        }
    };
    for statement in sql::correct(needed.user, has.as_ref(), &wanted) {
        let is_grant = statement.starts_with("GRANT");
        let lacking = || {
            if is_grant {
                sql::lacks_grant(&there.admin, &there.database)
            } else {
                sql::lacks_create_user(&there.admin)
            }
        };
        run(db, statement, lacking).await?;
    }
    if let Own::Has(has, _) = ask(address, needed).await
        && has.as_ref() != Some(&wanted)
    {
        let user = needed.user;
        let what = format!("the right to take from {user} what somebody else gave to it");
        return Err(Lacking { what, statement: sql::drop(user) }.into());
    }
    Ok(())
}

/// Makes a procedure, unless it is there as it is to be. Made anew, it is nobody's until it is granted.
async fn make(db: &mut MySqlConnection, there: &There, procedure: &Procedure) -> Result<(), Stopped> {
    let found = sqlx::query_scalar::<_, String>(publisher::MYSQL_STATE).bind(procedure.name());
    if found.bind(procedure.hash()).fetch_one(&mut *db).await? == "1" {
        return Ok(());
    }
    for statement in procedure.mysql() {
        // A procedure cannot be prepared on every server.
        let sent = db.execute(AssertSqlSafe(statement)).await.map(drop);
        sent.map_err(|error| match number(&error) {
            Some(number) if ROUTINE_DENIED.contains(&number) => {
                sql::lacks_routine(&there.admin, &there.database).into()
            }
            _ => Stopped::from(error),
        })?;
    }
    Ok(())
}

/// Runs a statement that `santokit_sql` has made: names are quoted there.
async fn run(db: &mut MySqlConnection, statement: String, lacking: impl FnOnce() -> Lacking) -> Result<(), Stopped> {
    match sqlx::query(AssertSqlSafe(statement)).execute(db).await {
        Ok(_) => Ok(()),
        Err(error) if number(&error).is_some_and(|number| DENIED.contains(&number)) => Err(lacking().into()),
        Err(error) => Err(error.into()),
    }
}

async fn ask(address: &Address, needed: &Needed<'_>) -> Own {
    let Ok(options) = address.as_login(needed.user, needed.secret.expose()) else { return Own::Unknown };
    let mut opened = match Opened::open_with(options).await {
        Ok(opened) => opened,
        Err(error) if number(&error).is_some_and(|number| REFUSED.contains(&number)) => return Own::Refused,
        Err(_) => return Own::Unknown,
    };
    let Opened::Mysql(connection, _) = &mut opened else { return Own::Unknown };
    let lines: Result<Vec<String>, _> = sqlx::query_scalar(sql::GRANTS).fetch_all(&mut **connection).await;
    opened.close().await;
    lines.map_or(Own::Unknown, |lines| Own::Has(sql::granted(&lines), sql::of_everybody(&lines)))
}

pub(super) async fn remove(db: &mut MySqlConnection, user: &str) -> Result<(), sqlx::Error> {
    let sessions: Vec<String> = sqlx::query_scalar(sql::SESSIONS).bind(user).fetch_all(&mut *db).await?;
    sqlx::query(AssertSqlSafe(sql::drop(user))).execute(&mut *db).await?;
    // Who has made none may not be allowed to drop any, one that is not there included.
    let found: String = sqlx::query_scalar(publisher::MYSQL_OF).bind(user).fetch_one(&mut *db).await?;
    if found != "0" {
        db.execute(AssertSqlSafe(publisher::drop_mysql(user))).await?;
    }
    // They have no privilege any more; one that may not be ended goes when its Bridge closes it.
    for id in sessions.iter().filter_map(|id| id.parse().ok()) {
        let _ = sqlx::query(AssertSqlSafe(sql::end_session(id))).execute(&mut *db).await;
    }
    Ok(())
}

fn number(error: &sqlx::Error) -> Option<u16> {
    let sqlx::Error::Database(error) = error else { return None };
    error.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number)
}
