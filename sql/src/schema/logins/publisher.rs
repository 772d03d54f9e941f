//! The procedure by which a login publishes events in its own transaction. It has the rights of who made it, writes one row of the outbox, and asks
//! for a token: a guest that speaks SQL in the same session may call it, and writes nothing. Whose events they are stands in it.

use santokit_core::{
    release::logins::{OUTBOX, Publisher},
    schema::Type,
    value::Value,
};

use super::{PREFIX, mysql};
use crate::{
    dialect::Dialect,
    schema::{Engine, alter::quoted, default::quote},
    statement::Bound,
};

/// Of [`Procedure::name`], [`Procedure::hash`] and a login: whether that login, and nobody else, has it as it is to be; `1` or `0`.
pub const POSTGRES_STATE: &str = "SELECT count(*)::text FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace \
    JOIN pg_roles AS o ON o.oid = p.proowner WHERE n.nspname = current_schema() AND p.proname = $1 AND p.prosecdef \
    AND position($2 IN p.prosrc) > 0 AND o.rolname = current_user \
    AND EXISTS (SELECT 1 FROM aclexplode(p.proacl) AS e JOIN pg_roles AS r ON r.oid = e.grantee WHERE r.rolname = $3) \
    AND NOT EXISTS (SELECT 1 FROM aclexplode(p.proacl) AS e JOIN pg_roles AS r ON r.oid = e.grantee \
    WHERE r.rolname NOT IN ($3, current_user)) AND NOT EXISTS (SELECT 1 FROM aclexplode(p.proacl) AS e WHERE e.grantee = 0)";

/// Of a login: its procedure with its signature, where there is one.
pub const POSTGRES_OF: &str = "SELECT p.oid::regprocedure::text FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace \
    WHERE n.nspname = current_schema() AND p.proname = replace($1, 'stk_g_', 'stk_p_') AND $1 LIKE 'stk\\_g\\_%'";

/// Of [`Procedure::name`] and [`Procedure::hash`]: whether it is there as it is to be; `1` or `0`.
pub const MYSQL_STATE: &str = "SELECT CAST(count(*) AS CHAR) FROM information_schema.routines \
    WHERE routine_schema = database() AND routine_name = ? AND security_type = 'DEFINER' AND locate(?, routine_definition) > 0";

/// Of a login: how many procedures it has that the session's user can see.
pub const MYSQL_OF: &str = "SELECT CAST(count(*) AS CHAR) FROM information_schema.routines \
    WHERE routine_schema = database() AND routine_name = replace(?, 'stk_g_', 'stk_p_')";

/// What the row has of the call, in the order of the procedure's params: column, type on PostgreSQL, type on MySQL.
const GIVEN: [(&str, &str, &str); 9] = [
    ("id", "text", "VARCHAR(40)"),
    ("release", "text", "VARCHAR(40)"),
    ("topic", "text", "VARCHAR(40)"),
    ("payload", "bytea", "LONGBLOB"),
    ("published_at", "timestamptz", "DATETIME(6)"),
    ("published_by", "text", "VARCHAR(100)"),
    ("caused_by", "text", "VARCHAR(40)"),
    ("depth", "integer", "INT"),
    ("expires_at", "timestamptz", "DATETIME(6)"),
];

/// A procedure that is to be there.
#[derive(Clone, Debug)]
pub struct Procedure {
    name: String,
    hash: String,
    project: String,
    env: String,
}

/// A call of it.
#[derive(Clone, Debug)]
pub struct Call {
    /// With the engine's placeholders.
    pub sql: String,
    /// For them: the token, and then the row's.
    pub params: Vec<Bound>,
}

impl Procedure {
    /// For the events of a project and env.
    pub fn new(publisher: &Publisher, (project, env): (&str, &str)) -> Self {
        let (name, hash) = (publisher.procedure.clone(), publisher.hash());
        Self { name, hash, project: project.to_owned(), env: env.to_owned() }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it knows of its token.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Makes it in a schema, for one login.
    pub fn postgres(&self, schema: &str, user: &str) -> [String; 3] {
        let names = |name: &str| quoted(Engine::Postgres, name);
        let (schema, name, user) = (names(schema), names(&self.name), names(user));
        let params: Vec<String> = GIVEN.iter().map(|(column, kind, _)| format!("p_{column} {kind}")).collect();
        let kinds: Vec<&str> = GIVEN.iter().map(|(_, kind, _)| *kind).collect();
        let insert = self.insert(Engine::Postgres, &format!("{schema}.{}", names(OUTBOX)));
        let body = format!(
            "BEGIN IF p_token IS NULL OR encode(pg_catalog.sha256(convert_to(p_token, 'UTF8')), 'hex') <> '{}' THEN \
             RAISE insufficient_privilege USING MESSAGE = 'events are published by the host'; END IF; {insert}; END",
            self.hash
        );
        let create = format!(
            "CREATE OR REPLACE FUNCTION {schema}.{name}(p_token text, {}) RETURNS void LANGUAGE plpgsql SECURITY DEFINER \
             SET search_path TO pg_catalog, pg_temp AS {}",
            params.join(", "),
            quote(Engine::Postgres, &body)
        );
        let signature = format!("{schema}.{name}(text, {})", kinds.join(", "));
        [
            create,
            format!("REVOKE ALL ON FUNCTION {signature} FROM PUBLIC"),
            format!("GRANT EXECUTE ON FUNCTION {signature} TO {user}"),
        ]
    }

    /// Makes it in the session's database, in the place of what has its name.
    pub fn mysql(&self) -> [String; 2] {
        let name = quoted(Engine::Mysql, &self.name);
        let params: Vec<String> = GIVEN.iter().map(|(column, _, kind)| format!("IN p_{column} {kind}")).collect();
        let insert = self.insert(Engine::Mysql, &quoted(Engine::Mysql, OUTBOX));
        let create = format!(
            "CREATE PROCEDURE {name}(IN p_token VARCHAR(64), {}) MODIFIES SQL DATA SQL SECURITY DEFINER \
             BEGIN IF p_token IS NULL OR SHA2(p_token, 256) <> '{}' THEN \
             SIGNAL SQLSTATE '42000' SET MESSAGE_TEXT = 'events are published by the host'; END IF; {insert}; END",
            params.join(", "),
            self.hash
        );
        [drop_named(&self.name), create]
    }

    /// The privilege that its login has of it.
    pub fn privilege(&self, database: &str) -> mysql::Privilege {
        let (database, name) = (quoted(Engine::Mysql, database), quoted(Engine::Mysql, &self.name));
        mysql::Privilege::new(format!("PROCEDURE {database}.{name}"), "EXECUTE")
    }

    fn insert(&self, engine: Engine, table: &str) -> String {
        let columns: Vec<String> = ["project", "env"]
            .into_iter()
            .chain(GIVEN.iter().map(|(column, ..)| *column))
            .map(|name| quoted(engine, name))
            .collect();
        let values: Vec<String> = [&self.project, &self.env]
            .into_iter()
            .map(|text| quote(engine, text))
            .chain(GIVEN.iter().map(|(column, ..)| format!("p_{column}")))
            .collect();
        format!("INSERT INTO {table} ({}) VALUES ({})", columns.join(", "), values.join(", "))
    }
}

impl Call {
    /// Of a row's values, in the order of [`given`].
    pub fn new(dialect: Dialect, publisher: &Publisher, values: Vec<Bound>) -> Self {
        let token = Bound { kind: Type::String, value: Value::Text(publisher.token.expose().to_owned()) };
        let params: Vec<Bound> = std::iter::once(token).chain(values).collect();
        let (engine, verb) = match dialect {
            Dialect::Mysql => (Engine::Mysql, "CALL"),
            Dialect::Postgres | Dialect::Sqlite => (Engine::Postgres, "SELECT"),
        };
        let places: Vec<String> = (1..=params.len())
            .map(|number| if engine == Engine::Mysql { "?".to_owned() } else { format!("${number}") })
            .collect();
        let sql = format!("{verb} {}({})", quoted(engine, &publisher.procedure), places.join(", "));
        Self { sql, params }
    }
}

/// The columns that a call gives, in its order.
pub fn given() -> impl Iterator<Item = &'static str> {
    GIVEN.iter().map(|(column, ..)| *column)
}

/// Drops the procedure of a login, where there is one.
pub fn drop_mysql(user: &str) -> String {
    drop_named(&user.replacen(PREFIX, "stk_p_", 1))
}

fn drop_named(name: &str) -> String {
    format!("DROP PROCEDURE IF EXISTS {}", quoted(Engine::Mysql, name))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn it_writes_the_events_of_one_env_for_who_has_the_token() {
        let publisher = Publisher::of("stk_g_1", "password");
        let procedure = Procedure::new(&publisher, ("shop", "it's"));
        let [create, revoke, grant] = procedure.postgres("pub\"lic", "stk_g_1");
        assert!(
            create.starts_with("CREATE OR REPLACE FUNCTION \"pub\"\"lic\".\"stk_p_1\"(p_token text, p_id text,"),
            "{create}"
        );
        assert!(create.contains(publisher.hash().as_str()) && !create.contains(publisher.token.expose()), "{create}");
        // Twice: in the body, and the body in its literal.
        assert!(create.contains("''shop'', ''it''''s'', p_id"), "{create}");
        assert!(revoke.ends_with("FROM PUBLIC") && grant.ends_with("TO \"stk_g_1\""), "{revoke} {grant}");
        let [drop, create] = procedure.mysql();
        assert_eq!(drop, "DROP PROCEDURE IF EXISTS `stk_p_1`");
        assert!(create.contains("'shop', 'it''s', p_id") && create.contains("SQL SECURITY DEFINER"), "{create}");
        assert_eq!(drop_mysql("stk_g_1"), drop);
        let granted = mysql::correct("stk_g_1", Some(&BTreeSet::new()), &[procedure.privilege("db")].into());
        assert_eq!(granted, ["GRANT EXECUTE ON PROCEDURE `db`.`stk_p_1` TO 'stk_g_1'@'%'"]);
    }

    #[test]
    fn a_call_binds_all_that_it_says() {
        let publisher = Publisher::of("stk_g_1", "password");
        let values: Vec<Bound> = given().map(|_| Bound { kind: Type::String, value: Value::Null }).collect();
        let call = Call::new(Dialect::Postgres, &publisher, values.clone());
        assert_eq!(call.sql, "SELECT \"stk_p_1\"($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)");
        assert_eq!(call.params.len(), 10);
        assert_eq!(Call::new(Dialect::Mysql, &publisher, values).sql, "CALL `stk_p_1`(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    }
}
