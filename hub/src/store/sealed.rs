//! Everything that is kept sealed under the master key: where it stands, and what each record is bound to. What is not in this list
//! is not sealed anew when the key changes, so that a test compares it with the tables.

use sqlx::AssertSqlSafe;

use super::{Db, StoreError};

/// A column of sealed records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub name: &'static str,
    /// What a record's context begins with.
    kind: &'static str,
    /// The columns whose values follow.
    key: &'static [&'static str],
}

/// All of them.
pub const COLUMNS: &[Column] = &[
    Column { table: "connections", name: "url", kind: "connection", key: &["project", "env", "name"] },
    Column { table: "connections", name: "admin_url", kind: "admin-connection", key: &["project", "env", "name"] },
    Column { table: "secrets", name: "value", kind: "secret", key: &["project", "env", "name"] },
    Column { table: "operators", name: "totp", kind: "totp", key: &["id"] },
    Column { table: "guest_logins", name: "password", kind: "guest-login", key: &["project", "env", "name"] },
    Column { table: "guest_logins", name: "address", kind: "guest-login-address", key: &["project", "env", "name"] },
    Column { table: "user_keys", name: "private", kind: "user-key", key: &["project", "env", "id"] },
    Column { table: "envs", name: "storage_key", kind: "storage-key", key: &["project", "name"] },
    Column { table: "signing_keys", name: "private", kind: "signing-key", key: &["id"] },
];

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place(Vec<String>);

impl Column {
    /// Where its records are.
    pub async fn places(&self, db: &mut Db) -> Result<Vec<Place>, StoreError> {
        // One text for each: names have no such character.
        let key = self.key.join(" || '/' || ");
        let order = self.key.join(", ");
        let sql = format!("SELECT {key} FROM {} WHERE {} IS NOT NULL ORDER BY {order}", self.table, self.name);
        let rows: Vec<(String,)> = sqlx::query_as(AssertSqlSafe(sql)).fetch_all(db).await?;
        Ok(rows.into_iter().map(|(key,)| Place(key.split('/').map(str::to_owned).collect())).collect())
    }

    /// What a record is bound to.
    pub fn context(&self, place: &Place) -> String {
        format!("{}/{}", self.kind, place.0.join("/"))
    }

    /// Of what was of a use before: a retired signing key has left its proof.
    pub fn other_context(&self, place: &Place) -> Option<String> {
        (self.kind == "signing-key").then(|| super::audit::proof_context(&place.0.join("/")))
    }

    /// A record.
    pub async fn get(&self, db: &mut Db, place: &Place) -> Result<Vec<u8>, StoreError> {
        let sql = format!("SELECT {} FROM {} WHERE {}", self.name, self.table, self.condition(1));
        let mut query = sqlx::query_as::<_, (Vec<u8>,)>(AssertSqlSafe(sql));
        for part in &place.0 {
            query = query.bind(part);
        }
        Ok(query.fetch_one(db).await?.0)
    }

    /// Replaces a record.
    pub async fn set(&self, db: &mut Db, place: &Place, sealed: Vec<u8>) -> Result<(), StoreError> {
        let sql = format!("UPDATE {} SET {} = $1 WHERE {}", self.table, self.name, self.condition(2));
        let mut query = sqlx::query(AssertSqlSafe(sql)).bind(sealed);
        for part in &place.0 {
            query = query.bind(part);
        }
        query.execute(db).await?;
        Ok(())
    }

    fn condition(&self, first: usize) -> String {
        let parts = self.key.iter().zip(first..).map(|(column, n)| format!("{column} = ${n}"));
        parts.collect::<Vec<_>>().join(" AND ")
    }
}
