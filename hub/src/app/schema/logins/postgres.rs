//! Logins of PostgreSQL. Each is made or corrected in one transaction, and read again before it ends: what the catalogue says is
//! what holds, not what was ordered.

use std::collections::{BTreeMap, BTreeSet};

use santokit_sql::schema::logins::{
    Lacking, Login, postgres as sql,
    publisher::{self, Procedure},
};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::{Address, Needed, Outlook, Stopped, tables};
use crate::app::schema::{
    address::Options,
    database::{PG_WAIT, lock_postgres},
};

/// `insufficient_privilege`.
const DENIED: &str = "42501";
/// `invalid_password`.
const WRONG_PASSWORD: &str = "28P01";

/// What is there, asked once for all logins of a database.
struct There {
    admin: String,
    may_create: bool,
    place: sql::Place,
    /// As settings have it.
    quoted_schema: String,
    relations: BTreeMap<String, bool>,
    sequences: Vec<(String, String, String)>,
}

pub(super) async fn outlook(db: &mut PgConnection) -> Result<Outlook, sqlx::Error> {
    let (admin, may_create, _): (String, String, String) = sqlx::query_as(sql::ADMIN).fetch_one(&mut *db).await?;
    let lacking = (may_create != "true").then(|| sql::lacks_create_role(&admin));
    let tables_of_others = sqlx::query_scalar(sql::TABLES_OF_OTHERS).fetch_all(&mut *db).await?;
    let of_everybody = sqlx::query_scalar(sql::PUBLIC_POWERS).fetch_all(&mut *db).await?;
    Ok(Outlook { lacking, is_known: true, tables_of_others, of_everybody })
}

pub(super) async fn bring(
    db: &mut PgConnection,
    address: &Address,
    needed: &[Needed<'_>],
) -> Result<Vec<String>, Stopped> {
    // It ends with the connection.
    lock_postgres(db).await?;
    sqlx::query(PG_WAIT).execute(&mut *db).await?;
    let there = There::read(db).await?;
    let mut remarks = Vec::new();
    for needed in needed {
        bring_one(db, address, &there, needed, &mut remarks).await?;
    }
    remarks.extend(sqlx::query_scalar::<_, String>(sql::PUBLIC_POWERS).fetch_all(&mut *db).await?);
    Ok(remarks)
}

async fn bring_one(
    db: &mut PgConnection,
    address: &Address,
    there: &There,
    needed: &Needed<'_>,
    remarks: &mut Vec<String>,
) -> Result<(), Stopped> {
    let (place, user) = (&there.place, needed.user);
    let tables = tables(needed, |name| there.relations.get(name).copied(), remarks);
    let wanted = sql::wanted(place, tables, &there.sequences);
    let login = Login { user, sessions_max: needed.sessions_max };
    let limit = i32::try_from(needed.sessions_max).unwrap_or(i32::MAX);
    let state: Option<(String, String, String, String)> =
        sqlx::query_as(sql::STATE).bind(user).bind(limit).fetch_optional(&mut *db).await?;
    let has = privileges(db, user).await?;
    there.need(db, user, state.as_ref(), wanted.difference(&has)).await?;
    let mut orders: Vec<String> = Vec::new();
    let (is_right, has_settings) = match &state {
        None => (false, false),
        Some((right, _, elsewhere, settings)) => {
            (right == "true", elsewhere == "0" && sql::has_settings(settings, &there.quoted_schema))
        }
    };
    match &state {
        None => orders.push(login.create_postgres(needed.secret, &salt()?)),
        Some(_) if !is_right => orders.push(login.alter_postgres(needed.secret, &salt()?)),
        Some(_) => {}
    }
    if !has_settings {
        orders.extend(login.settings_postgres(place));
    }
    let groups: Vec<String> = sqlx::query_scalar(sql::MEMBERSHIPS).bind(user).fetch_all(&mut *db).await?;
    orders.extend(groups.iter().map(|group| sql::leave(user, group)));
    orders.extend(sql::correct(user, &has, &wanted));
    if let Some(procedure) = needed.procedure()
        && !is_made(db, &procedure, user).await?
    {
        orders.extend(procedure.postgres(&place.schema, user));
    }
    if !orders.is_empty() {
        let mut transaction = db.begin().await?;
        for order in orders {
            run(&mut transaction, order, there).await?;
        }
        let more: Vec<Lacking> = privileges(&mut transaction, user)
            .await?
            .difference(&wanted)
            .map(|privilege| sql::lacks_revoke(user, privilege))
            .collect();
        if !more.is_empty() {
            return Err(Stopped::Lacking(more));
        }
        transaction.commit().await?;
    }
    // A session may change its own password: then nobody else comes in any more, until it is set again.
    if is_right && is_refused(address, needed).await {
        run(db, login.alter_postgres(needed.secret, &salt()?), there).await?;
        remarks.push(format!("the password of {user} was changed by somebody else, and is set again"));
    }
    let others: Vec<String> = sqlx::query_scalar(sql::OTHERS).bind(user).fetch_all(&mut *db).await?;
    remarks.extend(others.into_iter().map(|other| format!("{user} {other}, which no grant says")));
    Ok(())
}

impl There {
    async fn read(db: &mut PgConnection) -> Result<Self, Stopped> {
        let (admin, may_create, _): (String, String, String) = sqlx::query_as(sql::ADMIN).fetch_one(&mut *db).await?;
        let (database, schema, connects, uses, quoted): (String, Option<String>, String, String, Option<String>) =
            sqlx::query_as(sql::PLACE).fetch_one(&mut *db).await?;
        let is_true = |text: &str| text == "true";
        Ok(Self {
            admin,
            may_create: is_true(&may_create),
            place: sql::Place {
                database,
                schema: schema.unwrap_or_default(),
                public_connects: is_true(&connects),
                public_uses: is_true(&uses),
            },
            quoted_schema: quoted.unwrap_or_default(),
            relations: sqlx::query_as::<_, (String, String)>(sql::RELATIONS)
                .fetch_all(&mut *db)
                .await?
                .into_iter()
                .map(|(name, table)| (name, is_true(&table)))
                .collect(),
            sequences: sqlx::query_as(sql::SEQUENCES).fetch_all(&mut *db).await?,
        })
    }

    /// Before anything is tried: all that lacks is told at once.
    async fn need(
        &self,
        db: &mut PgConnection,
        user: &str,
        state: Option<&(String, String, String, String)>,
        missing: impl Iterator<Item = &sql::Privilege>,
    ) -> Result<(), Stopped> {
        let mut lacking = Vec::new();
        match state {
            None if !self.may_create => lacking.push(sql::lacks_create_role(&self.admin)),
            Some((_, mighty, ..)) if mighty == "true" => lacking.push(sql::lacks_lower(user)),
            _ => {}
        }
        for privilege in missing {
            let may: String = sqlx::query_scalar(AssertSqlSafe(sql::may_grant(privilege))).fetch_one(&mut *db).await?;
            if may != "true" {
                lacking.push(sql::lacks_grant(&self.admin, privilege));
            }
        }
        if lacking.is_empty() { Ok(()) } else { Err(Stopped::Lacking(lacking)) }
    }
}

/// Whether a login has its procedure, as it is to be, and nobody else has it.
async fn is_made(db: &mut PgConnection, procedure: &Procedure, user: &str) -> Result<bool, sqlx::Error> {
    let found = sqlx::query_scalar::<_, String>(publisher::POSTGRES_STATE).bind(procedure.name());
    let found = found.bind(procedure.hash()).bind(user).fetch_one(db).await?;
    Ok(found == "1")
}

async fn privileges(db: &mut PgConnection, user: &str) -> Result<BTreeSet<sql::Privilege>, sqlx::Error> {
    let rows: Vec<(String, String, String, String, String)> =
        sqlx::query_as(sql::PRIVILEGES).bind(user).fetch_all(db).await?;
    Ok(rows.iter().map(|(kind, schema, name, column, verb)| sql::privilege(kind, schema, name, column, verb)).collect())
}

/// Runs a statement that `santokit_sql` has made: names are quoted there.
async fn run(db: &mut PgConnection, order: String, there: &There) -> Result<(), Stopped> {
    let is_of_roles = order.starts_with("CREATE ROLE") || order.starts_with("ALTER ROLE");
    match sqlx::query(AssertSqlSafe(order.clone())).execute(db).await {
        Ok(_) => Ok(()),
        Err(error) if is_code(&error, DENIED) && is_of_roles => Err(sql::lacks_create_role(&there.admin).into()),
        Err(error) if is_code(&error, DENIED) => {
            Err(Lacking { what: "a right that only an administrator has".to_owned(), statement: order }.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether the server knows another password. That it lets nobody in from here, or has no room, says nothing of that.
async fn is_refused(address: &Address, needed: &Needed<'_>) -> bool {
    let Ok(Options::Postgres(options)) = address.as_login(needed.user, needed.secret.expose()) else { return false };
    match tokio::time::timeout(crate::app::schema::database::CONNECT_MAX, PgConnection::connect_with(&options)).await {
        Ok(Ok(connection)) => {
            let _ = connection.close().await;
            false
        }
        Ok(Err(error)) => is_code(&error, WRONG_PASSWORD),
        Err(_) => false,
    }
}

pub(super) async fn remove(db: &mut PgConnection, user: &str) -> Result<(), sqlx::Error> {
    let rights: Option<String> = sqlx::query_scalar(sql::HAS_RIGHTS).bind(user).fetch_optional(&mut *db).await?;
    let Some(rights) = rights else { return Ok(()) };
    sqlx::query(PG_WAIT).execute(&mut *db).await?;
    sqlx::query(AssertSqlSafe(sql::close(user))).execute(&mut *db).await?;
    if rights != "true" {
        sqlx::query(AssertSqlSafe(sql::join(user))).execute(&mut *db).await?;
    }
    sqlx::query(sql::END_SESSIONS).bind(user).execute(&mut *db).await?;
    let mut transaction = db.begin().await?;
    let procedures: Vec<String> =
        sqlx::query_scalar(publisher::POSTGRES_OF).bind(user).fetch_all(&mut *transaction).await?;
    let procedures = procedures.into_iter().map(|signature| format!("DROP FUNCTION {signature}"));
    for statement in procedures.chain(sql::drop(user)) {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut *transaction).await?;
    }
    transaction.commit().await
}

fn is_code(error: &sqlx::Error, code: &str) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref() == Some(code)
}

fn salt() -> Result<[u8; 16], sqlx::Error> {
    let mut salt = [0_u8; 16];
    aws_lc_rs::rand::fill(&mut salt).map_err(|_| sqlx::Error::Encode("no randomness".into()))?;
    Ok(salt)
}
