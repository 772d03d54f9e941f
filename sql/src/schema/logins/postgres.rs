//! Logins of PostgreSQL: roles that are members of nothing, with privileges of their own only. What PUBLIC may do they may do too;
//! that is no part of this, and is told by [`PUBLIC_POWERS`].

use std::collections::BTreeSet;

use super::{AND_TO_GIVE, Lacking, Login, Secret};
use crate::schema::{Engine, alter::quoted, default::quote};

/// A statement of a login may take no longer than a logic can; a transaction that nobody uses ends.
const TIMEOUT_MS: u32 = 300_000;

/// A privilege of PostgreSQL.
pub type Privilege = super::Privilege<Object>;

/// What a privilege is on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Object {
    /// The database.
    Database(String),
    /// A schema.
    Schema(String),
    /// A table, or what is used as one.
    Table(String, String),
    /// A column: schema, table, name.
    Column(String, String, String),
    /// A sequence.
    Sequence(String, String),
}

/// Where the logins are, and what PUBLIC has there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The database.
    pub database: String,
    /// The schema of the project's tables.
    pub schema: String,
    /// Everybody may connect.
    pub public_connects: bool,
    /// Everybody may name what is in the schema.
    pub public_uses: bool,
}

/// What an administrator has to do is said for this user: name, may make roles, may do anything.
pub const ADMIN: &str = "SELECT rolname::text, (rolcreaterole OR rolsuper)::text, rolsuper::text FROM pg_roles WHERE rolname = current_user";

/// A [`Place`]: database, schema (none where the search path leads nowhere), the two of PUBLIC.
pub const PLACE: &str = "SELECT current_database()::text, current_schema()::text, \
    has_database_privilege('public', current_database(), 'CONNECT')::text, \
    coalesce(has_schema_privilege('public', current_schema(), 'USAGE'), false)::text, quote_ident(current_schema())";

/// Of the schema: each relation, and whether it is a table. A view shows what its owner may see, so that none is granted.
pub const RELATIONS: &str = "SELECT c.relname::text, (c.relkind IN ('r', 'p'))::text FROM pg_class AS c \
    JOIN pg_namespace AS n ON n.oid = c.relnamespace \
    WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v', 'm', 'f')";

/// Sequences that an insert counts up by itself: of which table, schema, name. Those of identity columns need no privilege.
pub const SEQUENCES: &str = "SELECT t.relname::text, sn.nspname::text, s.relname::text FROM pg_depend AS d \
    JOIN pg_class AS s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_namespace AS sn ON sn.oid = s.relnamespace \
    JOIN pg_class AS t ON t.oid = d.refobjid JOIN pg_namespace AS tn ON tn.oid = t.relnamespace \
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'a' AND d.refobjsubid > 0 \
    AND tn.nspname = current_schema()";

/// Of `$1`: none where there is no such role; whether it is as it was made, has a power that no statement of ours takes away, and its
/// settings, one a line; `$2` is how many sessions it may have.
pub const STATE: &str = "SELECT (r.rolcanlogin AND NOT r.rolinherit AND NOT r.rolcreatedb AND NOT r.rolcreaterole \
    AND r.rolconnlimit = $2 AND coalesce(r.rolvaliduntil, 'infinity') = 'infinity')::text, \
    (r.rolsuper OR r.rolreplication OR r.rolbypassrls)::text, \
    (SELECT count(*) FROM pg_db_role_setting AS s WHERE s.setrole = r.oid AND s.setdatabase = 0)::text, \
    coalesce((SELECT array_to_string(s.setconfig, E'\\n') FROM pg_db_role_setting AS s JOIN pg_database AS d ON d.oid = s.setdatabase \
    WHERE s.setrole = r.oid AND d.datname = current_database()), '') \
    FROM pg_roles AS r WHERE r.rolname = $1";

/// Of the role `$1`: kind, schema, name, column, verb of every privilege in this database on what has one of ours.
pub const PRIVILEGES: &str = "WITH login AS (SELECT oid FROM pg_roles WHERE rolname = $1), held AS ( \
    SELECT 'database' AS kind, '' AS nsp, d.datname::text AS name, '' AS col, d.datacl AS acl FROM pg_database AS d \
    WHERE d.datname = current_database() \
    UNION ALL SELECT 'schema', '', nspname::text, '', nspacl FROM pg_namespace \
    UNION ALL SELECT CASE relkind WHEN 'S' THEN 'sequence' ELSE 'table' END, n.nspname::text, c.relname::text, '', c.relacl \
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
    UNION ALL SELECT 'column', n.nspname::text, c.relname::text, a.attname::text, a.attacl FROM pg_attribute AS a \
    JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE a.attacl IS NOT NULL) \
    SELECT h.kind, h.nsp, h.name, h.col, e.privilege_type || CASE WHEN e.is_grantable THEN '*' ELSE '' END \
    FROM held AS h, login AS l, aclexplode(h.acl) AS e WHERE e.grantee = l.oid";

/// What the role `$1` is a member of.
pub const MEMBERSHIPS: &str = "SELECT g.rolname::text FROM pg_auth_members AS m JOIN pg_roles AS g ON g.oid = m.roleid \
    JOIN pg_roles AS r ON r.oid = m.member WHERE r.rolname = $1";

/// What else names the role `$1` in this database or for all of them: privileges on, or ownership of, what we never give.
pub const OTHERS: &str = "SELECT CASE d.deptype WHEN 'o' THEN 'owns ' ELSE 'has powers on ' END || \
    coalesce(pg_describe_object(d.classid, d.objid, d.objsubid), 'something') FROM pg_shdepend AS d \
    JOIN pg_roles AS r ON r.oid = d.refobjid WHERE d.refclassid = 'pg_authid'::regclass AND r.rolname = $1 \
    AND d.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())) \
    AND NOT (d.deptype = 'a' AND d.classid IN ('pg_class'::regclass, 'pg_namespace'::regclass, 'pg_database'::regclass)) \
    AND NOT (d.deptype = 'a' AND d.classid = 'pg_proc'::regclass AND EXISTS (SELECT 1 FROM pg_proc AS p \
    WHERE p.oid = d.objid AND p.proname = replace(r.rolname, 'stk_g_', 'stk_p_'))) \
    AND NOT d.classid = 'pg_auth_members'::regclass LIMIT 20";

/// Tables of the schema that the user of the session may not grant.
pub const TABLES_OF_OTHERS: &str = "SELECT c.relname::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
    WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND NOT has_table_privilege(c.oid, 'SELECT WITH GRANT OPTION') \
    ORDER BY c.relname LIMIT 10";

/// What PUBLIC may do beyond reading the catalogue: every login may do it too.
pub const PUBLIC_POWERS: &str = "SELECT 'PUBLIC may create objects in schema ' || quote_ident(nspname) FROM pg_namespace \
    WHERE has_schema_privilege('public', oid, 'CREATE') AND nspname NOT LIKE 'pg\\_temp%' AND nspname NOT LIKE 'pg\\_toast%' \
    UNION ALL SELECT DISTINCT 'PUBLIC may ' || lower(e.privilege_type) || ' ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname) \
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace, aclexplode(c.relacl) AS e \
    WHERE e.grantee = 0 AND n.nspname NOT IN ('pg_catalog', 'information_schema') \
    UNION ALL SELECT DISTINCT 'PUBLIC may ' || lower(e.privilege_type) || ' columns of ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname) \
    FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace, \
    aclexplode(a.attacl) AS e WHERE e.grantee = 0 AND n.nspname NOT IN ('pg_catalog', 'information_schema') \
    UNION ALL SELECT 'PUBLIC may run ' || p.oid::regprocedure || ', which has the rights of its owner' FROM pg_proc AS p \
    JOIN pg_namespace AS n ON n.oid = p.pronamespace WHERE p.prosecdef AND has_function_privilege('public', p.oid, 'EXECUTE') \
    AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1 LIMIT 20";

impl Login<'_> {
    fn quoted(&self) -> String {
        quoted(Engine::Postgres, self.user)
    }

    /// Makes the role.
    pub fn create_postgres(&self, secret: &Secret, salt: &[u8; 16]) -> String {
        format!(
            "CREATE ROLE {} LOGIN NOSUPERUSER NOINHERIT NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT {} \
             PASSWORD '{}'",
            self.quoted(),
            self.sessions_max,
            secret.scram(salt)
        )
    }

    /// Makes a role again what it was made as, with its password. What only a superuser may take away is not named: on PostgreSQL 15
    /// and before, naming it needs one.
    pub fn alter_postgres(&self, secret: &Secret, salt: &[u8; 16]) -> String {
        format!(
            "ALTER ROLE {} LOGIN NOINHERIT NOCREATEDB NOCREATEROLE CONNECTION LIMIT {} PASSWORD '{}' VALID UNTIL 'infinity'",
            self.quoted(),
            self.sessions_max,
            secret.scram(salt)
        )
    }

    /// What sessions begin with; a session may change it, and a Bridge sets what it needs. `pg_temp` comes last, so that no temporary
    /// table is taken for a table of the project.
    pub fn settings_postgres(&self, place: &Place) -> Vec<String> {
        let (user, database) = (self.quoted(), quoted(Engine::Postgres, &place.database));
        let schema = quoted(Engine::Postgres, &place.schema);
        let order = format!("ALTER ROLE {user} IN DATABASE {database}");
        let mut all = vec![format!("ALTER ROLE {user} RESET ALL"), format!("{order} RESET ALL")];
        all.push(format!("{order} SET search_path TO {schema}, pg_temp"));
        let settings = settings().into_iter();
        all.extend(settings.map(|(name, value)| format!("{order} SET {name} TO '{value}'")));
        all
    }
}

/// Name and value of each but the search path.
fn settings() -> [(&'static str, String); 6] {
    [
        ("statement_timeout", TIMEOUT_MS.to_string()),
        ("idle_in_transaction_session_timeout", TIMEOUT_MS.to_string()),
        ("TimeZone", "UTC".to_owned()),
        ("DateStyle", "ISO".to_owned()),
        ("default_transaction_isolation", "read committed".to_owned()),
        ("standard_conforming_strings", "on".to_owned()),
    ]
}

/// Whether the catalogue's settings of a role, one a line, are those that it was made with. `schema` is quoted where it needs it.
pub fn has_settings(found: &str, schema: &str) -> bool {
    let found: BTreeSet<&str> = found.lines().collect();
    let mut wanted: BTreeSet<String> = settings().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    wanted.insert(format!("search_path={schema}, pg_temp"));
    found.len() == wanted.len() && wanted.iter().all(|line| found.contains(line.as_str()))
}

/// From the rows of [`PRIVILEGES`].
pub fn privilege(kind: &str, schema: &str, name: &str, column: &str, verb: &str) -> Privilege {
    let (schema, name) = (schema.to_owned(), name.to_owned());
    let object = match kind {
        "database" => Object::Database(name),
        "schema" => Object::Schema(name),
        "sequence" => Object::Sequence(schema, name),
        "column" => Object::Column(schema, name, column.to_owned()),
        _ => Object::Table(schema, name),
    };
    Privilege::new(object, verb)
}

/// What a login needs. `tables` are verbs of tables that are there, `sequences` as [`SEQUENCES`] tells them.
pub fn wanted<'a>(
    place: &Place,
    tables: impl IntoIterator<Item = (&'a str, &'a str)>,
    sequences: &[(String, String, String)],
) -> BTreeSet<Privilege> {
    let mut all = BTreeSet::new();
    if !place.public_connects {
        all.insert(Privilege::new(Object::Database(place.database.clone()), "CONNECT"));
    }
    for (table, verb) in tables {
        if !place.public_uses {
            all.insert(Privilege::new(Object::Schema(place.schema.clone()), "USAGE"));
        }
        let object = Object::Table(place.schema.clone(), table.to_owned());
        all.insert(Privilege::new(object, verb.to_uppercase()));
        let counted = sequences.iter().filter(|(of, ..)| of == table && verb == "insert");
        all.extend(
            counted.map(|(_, schema, name)| Privilege::new(Object::Sequence(schema.clone(), name.clone()), "USAGE")),
        );
    }
    all
}

/// What turns the privileges that a role has into those that it is to have: nothing where they are the same.
pub fn correct(user: &str, has: &BTreeSet<Privilege>, wanted: &BTreeSet<Privilege>) -> Vec<String> {
    let user = quoted(Engine::Postgres, user);
    let revoked = Privilege::by_object(has.difference(wanted)).into_iter().map(|(object, verbs)| {
        let verbs = verbs.iter().map(|verb| verb.trim_end_matches(AND_TO_GIVE)).collect::<Vec<_>>();
        format!("REVOKE {} FROM {user} CASCADE", object.with(&verbs))
    });
    let granted = Privilege::by_object(wanted.difference(has)).into_iter();
    let granted = granted.map(|(object, verbs)| format!("GRANT {} TO {user}", object.with(&verbs)));
    revoked.chain(granted).collect()
}

/// Ends a membership.
pub fn leave(user: &str, group: &str) -> String {
    format!("REVOKE {} FROM {}", quoted(Engine::Postgres, group), quoted(Engine::Postgres, user))
}

/// Nobody may log in with it any more; to be kept before sessions are ended.
pub fn close(user: &str) -> String {
    format!("ALTER ROLE {} NOLOGIN", quoted(Engine::Postgres, user))
}

/// Ends the sessions of the role `$1`.
pub const END_SESSIONS: &str = "SELECT count(pg_terminate_backend(pid))::text FROM pg_stat_activity WHERE usename = $1";

/// Lets the user that drops a role have its rights, without which it cannot.
pub fn join(user: &str) -> String {
    format!("GRANT {} TO CURRENT_USER", quoted(Engine::Postgres, user))
}

/// Drops a role with what it has and owns in this database.
pub fn drop(user: &str) -> [String; 2] {
    let user = quoted(Engine::Postgres, user);
    [format!("DROP OWNED BY {user}"), format!("DROP ROLE {user}")]
}

/// Whether the user of the session has the rights of the role `$1`; none where there is no such role.
pub const HAS_RIGHTS: &str = "SELECT pg_has_role(current_user, oid, 'USAGE')::text FROM pg_roles WHERE rolname = $1";

/// Without the right to make roles.
pub fn lacks_create_role(admin: &str) -> Lacking {
    Lacking {
        what: "CREATEROLE".to_owned(),
        statement: format!("ALTER ROLE {} CREATEROLE", quoted(Engine::Postgres, admin)),
    }
}

/// Without the right to give a privilege away.
pub fn lacks_grant(admin: &str, privilege: &Privilege) -> Lacking {
    let given = privilege.object.with(&[privilege.verb.as_str()]);
    Lacking {
        what: format!("{given} with the right to grant it"),
        statement: format!("GRANT {given} TO {} WITH GRANT OPTION", quoted(Engine::Postgres, admin)),
    }
}

/// A privilege that is not ours to take away.
pub fn lacks_revoke(user: &str, privilege: &Privilege) -> Lacking {
    let verb = privilege.verb.trim_end_matches(AND_TO_GIVE);
    let held = privilege.object.with(&[verb]);
    Lacking {
        what: format!("the right to take {held} from {user}, which somebody else gave to it"),
        statement: format!("REVOKE {held} FROM {} CASCADE", quoted(Engine::Postgres, user)),
    }
}

/// A role that somebody made mightier than any login.
pub fn lacks_lower(user: &str) -> Lacking {
    Lacking {
        what: format!(
            "the right to take from {user} what somebody else made it: a superuser, or one that row security does not hold"
        ),
        statement: format!("ALTER ROLE {} NOSUPERUSER NOREPLICATION NOBYPASSRLS", quoted(Engine::Postgres, user)),
    }
}

/// Asks whether the user of the session may give a privilege away.
pub fn may_grant(privilege: &Privilege) -> String {
    let verb = format!("{} WITH GRANT OPTION", privilege.verb);
    let text = |text: &str| quote(Engine::Postgres, text);
    let name = |schema: &str, name: &str| {
        text(&format!("{}.{}", quoted(Engine::Postgres, schema), quoted(Engine::Postgres, name)))
    };
    let (function, object) = match &privilege.object {
        Object::Database(name) => ("has_database_privilege", text(name)),
        Object::Schema(name) => ("has_schema_privilege", text(name)),
        Object::Table(schema, table) | Object::Column(schema, table, _) => ("has_table_privilege", name(schema, table)),
        Object::Sequence(schema, sequence) => ("has_sequence_privilege", name(schema, sequence)),
    };
    format!("SELECT {function}({object}, '{verb}')::text")
}

impl Object {
    /// `SELECT, INSERT ON TABLE "a"."b"`.
    fn with(&self, verbs: &[&str]) -> String {
        let quoted = |name: &str| quoted(Engine::Postgres, name);
        let joined = verbs.join(", ");
        match self {
            Object::Database(name) => format!("{joined} ON DATABASE {}", quoted(name)),
            Object::Schema(name) => format!("{joined} ON SCHEMA {}", quoted(name)),
            Object::Table(schema, name) => format!("{joined} ON TABLE {}.{}", quoted(schema), quoted(name)),
            Object::Sequence(schema, name) => format!("{joined} ON SEQUENCE {}.{}", quoted(schema), quoted(name)),
            Object::Column(schema, name, column) => {
                let column = quoted(column);
                let verbs: Vec<String> = verbs.iter().map(|verb| format!("{verb} ({column})")).collect();
                format!("{} ON TABLE {}.{}", verbs.join(", "), quoted(schema), quoted(name))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    fn place() -> Place {
        Place { database: "shop".into(), schema: "we\"ird".into(), public_connects: false, public_uses: false }
    }

    #[test]
    fn statements_of_a_role() {
        let (login, secret) = (Login { user: "stk_g_1", sessions_max: 40 }, Secret::parse(SECRET).unwrap());
        let (create, alter) = (login.create_postgres(&secret, &[7; 16]), login.alter_postgres(&secret, &[7; 16]));
        assert!(
            create.starts_with(
                "CREATE ROLE \"stk_g_1\" LOGIN NOSUPERUSER NOINHERIT NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS \
                 CONNECTION LIMIT 40 PASSWORD 'SCRAM-SHA-256$4096:"
            ),
            "{create}"
        );
        assert!(alter.ends_with("' VALID UNTIL 'infinity'") && !alter.contains("SUPERUSER"), "{alter}");
        assert!(!create.contains(SECRET) && !alter.contains(SECRET));
        let expected = [
            "ALTER ROLE \"stk_g_1\" RESET ALL",
            "ALTER ROLE \"stk_g_1\" IN DATABASE \"shop\" RESET ALL",
            "ALTER ROLE \"stk_g_1\" IN DATABASE \"shop\" SET search_path TO \"we\"\"ird\", pg_temp",
            "ALTER ROLE \"stk_g_1\" IN DATABASE \"shop\" SET statement_timeout TO '300000'",
            "ALTER ROLE \"stk_g_1\" IN DATABASE \"shop\" SET idle_in_transaction_session_timeout TO '300000'",
            "ALTER ROLE \"stk_g_1\" IN DATABASE \"shop\" SET TimeZone TO 'UTC'",
            "ALTER ROLE \"stk_g_1\" IN DATABASE \"shop\" SET DateStyle TO 'ISO'",
            "ALTER ROLE \"stk_g_1\" IN DATABASE \"shop\" SET default_transaction_isolation TO 'read committed'",
            "ALTER ROLE \"stk_g_1\" IN DATABASE \"shop\" SET standard_conforming_strings TO 'on'",
        ];
        assert_eq!(login.settings_postgres(&place()), expected);
        assert_eq!(
            drop("x\"; DROP ROLE y; --"),
            ["DROP OWNED BY \"x\"\"; DROP ROLE y; --\"", "DROP ROLE \"x\"\"; DROP ROLE y; --\"",]
        );
    }

    #[test]
    fn settings_are_known_again() {
        let kept = "statement_timeout=300000\nidle_in_transaction_session_timeout=300000\nTimeZone=UTC\nDateStyle=ISO\n\
                    default_transaction_isolation=read committed\nstandard_conforming_strings=on\nsearch_path=public, pg_temp";
        assert!(has_settings(kept, "public"));
        for changed in [kept.replace("public", "other"), format!("{kept}\nwork_mem=1"), kept.replace("on\n", "off\n")] {
            assert!(!has_settings(&changed, "public"), "{changed}");
        }
    }

    #[test]
    fn privileges_become_exactly_what_is_wanted() {
        let sequences = [("orders".to_owned(), "public".to_owned(), "orders_n_seq".to_owned())];
        let tables = [("orders", "select"), ("orders", "insert"), ("items", "select")];
        let wanted = wanted(&place(), tables, &sequences);
        assert_eq!(
            correct("g", &BTreeSet::new(), &wanted),
            [
                "GRANT CONNECT ON DATABASE \"shop\" TO \"g\"",
                "GRANT USAGE ON SCHEMA \"we\"\"ird\" TO \"g\"",
                "GRANT SELECT ON TABLE \"we\"\"ird\".\"items\" TO \"g\"",
                "GRANT INSERT, SELECT ON TABLE \"we\"\"ird\".\"orders\" TO \"g\"",
                "GRANT USAGE ON SEQUENCE \"public\".\"orders_n_seq\" TO \"g\"",
            ]
        );
        assert!(correct("g", &wanted, &wanted).is_empty());
        let mut has = wanted.clone();
        has.remove(&privilege("table", "we\"ird", "items", "", "SELECT"));
        has.insert(privilege("table", "we\"ird", "items", "", "SELECT*"));
        has.insert(privilege("column", "public", "secrets", "text", "UPDATE"));
        has.insert(privilege("schema", "", "public", "", "CREATE"));
        assert_eq!(
            correct("g", &has, &wanted),
            [
                "REVOKE CREATE ON SCHEMA \"public\" FROM \"g\" CASCADE",
                "REVOKE SELECT ON TABLE \"we\"\"ird\".\"items\" FROM \"g\" CASCADE",
                "REVOKE UPDATE (\"text\") ON TABLE \"public\".\"secrets\" FROM \"g\" CASCADE",
                "GRANT SELECT ON TABLE \"we\"\"ird\".\"items\" TO \"g\"",
            ]
        );
        assert_eq!(
            correct("g", &wanted, &self::wanted(&Place { public_connects: true, ..place() }, [], &[])).len(),
            5,
            "of nothing there is nothing but what PUBLIC has"
        );
    }

    #[test]
    fn what_lacks_is_told_with_the_statement_that_gives_it() {
        let orders = privilege("table", "public", "orders", "", "INSERT");
        assert_eq!(
            may_grant(&orders),
            "SELECT has_table_privilege('\"public\".\"orders\"', 'INSERT WITH GRANT OPTION')::text"
        );
        assert_eq!(
            lacks_grant("hub", &orders).statement,
            "GRANT INSERT ON TABLE \"public\".\"orders\" TO \"hub\" WITH GRANT OPTION"
        );
        assert_eq!(lacks_create_role("hub").statement, "ALTER ROLE \"hub\" CREATEROLE");
    }
}
