//! Logins of MySQL and MariaDB: users with privileges on tables, none on a database, so that one sees no other table. One without
//! any cannot name a database when it connects.
//!
//! What a user has is told by `SHOW GRANTS`, which a user may ask of itself: who makes users need not be able to read theirs.

use std::collections::BTreeSet;

use super::{AND_TO_GIVE, Lacking, Login, Secret};
use crate::schema::{Engine, alter::quoted, default::quote};

/// A privilege of MySQL: its object is as the server writes it.
pub type Privilege = super::Privilege<String>;

/// What the session's user has, a line each.
pub const GRANTS: &str = "SHOW GRANTS";
/// What everybody has, a line each; MySQL, and MariaDB before 10.11, know nobody of that name.
pub const GRANTS_OF_EVERYBODY: &str = "SHOW GRANTS FOR PUBLIC";
/// Who the session is of, `name@host`.
pub const ADMIN: &str = "SELECT CAST(current_user() AS CHAR)";
/// The database.
pub const PLACE: &str = "SELECT CAST(database() AS CHAR)";
/// Of the database: each relation, and whether it is a table.
pub const RELATIONS: &str = "SELECT CAST(table_name AS CHAR), CAST(table_type = 'BASE TABLE' AS CHAR) FROM information_schema.tables \
    WHERE table_schema = database()";
/// Sessions of a user, as far as they can be seen.
pub const SESSIONS: &str = "SELECT CAST(id AS CHAR) FROM information_schema.processlist WHERE user = ?";
/// Whether the session's user may make users, as far as that can be seen: what it has by a role is not listed.
pub const MAY_CREATE_USERS: &str = "SELECT CAST(count(*) AS CHAR) FROM information_schema.user_privileges \
    WHERE privilege_type = 'CREATE USER' AND grantee = CONCAT('''', REPLACE(current_user(), '@', '''@'''), '''')";

impl Login<'_> {
    /// Makes the user; nothing happens where it is there.
    pub fn create_mysql(&self, engine: Engine, secret: &Secret) -> String {
        let (user, by, most) = (account(self.user), secret.identified_by(engine), self.sessions_max);
        format!("CREATE USER IF NOT EXISTS {user} IDENTIFIED BY {by} WITH MAX_USER_CONNECTIONS {most}")
    }

    /// Gives it its password again, and its bound.
    pub fn alter_mysql(&self, engine: Engine, secret: &Secret) -> String {
        let (user, by, most) = (account(self.user), secret.identified_by(engine), self.sessions_max);
        format!("ALTER USER {user} IDENTIFIED BY {by} WITH MAX_USER_CONNECTIONS {most} ACCOUNT UNLOCK")
    }
}

/// A user from anywhere: from where it may come is the network's matter.
fn account(user: &str) -> String {
    format!("{}@'%'", quote(Engine::Mysql, user))
}

/// A table as `SHOW GRANTS` writes it.
fn table(database: &str, table: &str) -> String {
    format!("{}.{}", quoted(Engine::Mysql, database), quoted(Engine::Mysql, table))
}

/// What a login needs: verbs of tables that are there.
pub fn wanted<'a>(database: &str, tables: impl IntoIterator<Item = (&'a str, &'a str)>) -> BTreeSet<Privilege> {
    let all = tables.into_iter();
    all.map(|(name, verb)| Privilege::new(table(database, name), verb.to_uppercase())).collect()
}

/// What `SHOW GRANTS` tells of everybody, in words: a user's own list has it as well.
pub fn of_everybody(lines: &[String]) -> Vec<String> {
    let powers = lines.iter().filter_map(|line| line.strip_prefix("GRANT ")?.strip_suffix(" TO PUBLIC"));
    powers.filter(|power| !power.starts_with("USAGE ON")).map(|power| format!("PUBLIC may {power}")).collect()
}

/// What `SHOW GRANTS` tells of the user itself; none where a line is of a kind that no login of ours ever has (a role, a proxy).
pub fn granted(lines: &[String]) -> Option<BTreeSet<Privilege>> {
    let mut all = BTreeSet::new();
    for line in lines.iter().filter(|line| !line.ends_with(" TO PUBLIC")) {
        let (verbs, rest) = line.strip_prefix("GRANT ")?.split_once(" ON ")?;
        let (object, rest) = rest.split_once(" TO ")?;
        let may_give = if rest.contains("WITH GRANT OPTION") { AND_TO_GIVE.to_string() } else { String::new() };
        let verbs = verbs.split(", ").filter(|verb| *verb != "USAGE" || !may_give.is_empty());
        all.extend(verbs.map(|verb| Privilege::new(object.to_owned(), format!("{verb}{may_give}"))));
    }
    Some(all)
}

/// What turns the privileges that a user has into those that it is to have. What is more is taken by taking all: who has more was
/// changed by somebody else, and by which words is not known.
pub fn correct(user: &str, has: Option<&BTreeSet<Privilege>>, wanted: &BTreeSet<Privilege>) -> Vec<String> {
    let (user, none) = (account(user), BTreeSet::new());
    let kept = has.filter(|has| has.is_subset(wanted));
    let mut all = Vec::new();
    if kept.is_none() {
        all.push(format!("REVOKE ALL PRIVILEGES, GRANT OPTION FROM {user}"));
    }
    let missing = Privilege::by_object(wanted.difference(kept.unwrap_or(&none))).into_iter();
    all.extend(missing.map(|(object, verbs)| format!("GRANT {} ON {object} TO {user}", verbs.join(", "))));
    all
}

/// Drops a user with what it has.
pub fn drop(user: &str) -> String {
    format!("DROP USER IF EXISTS {}", account(user))
}

/// Ends a session.
pub fn end_session(id: u64) -> String {
    format!("KILL {id}")
}

/// Without the right to make users. `admin` is `name@host`.
pub fn lacks_create_user(admin: &str) -> Lacking {
    Lacking { what: "CREATE USER".to_owned(), statement: format!("GRANT CREATE USER ON *.* TO {}", named(admin)) }
}

/// Without the right to give privileges on tables away.
pub fn lacks_grant(admin: &str, database: &str) -> Lacking {
    let verbs = "SELECT, INSERT, UPDATE, DELETE";
    let database = quoted(Engine::Mysql, database);
    Lacking {
        what: format!("{verbs} on {database} with the right to grant them"),
        statement: format!("GRANT {verbs} ON {database}.* TO {} WITH GRANT OPTION", named(admin)),
    }
}

/// Without the right to make procedures and to give them away.
pub fn lacks_routine(admin: &str, database: &str) -> Lacking {
    let verbs = "CREATE ROUTINE, ALTER ROUTINE, EXECUTE";
    let database = quoted(Engine::Mysql, database);
    Lacking {
        what: format!("{verbs} on {database}, by which guests publish events in their transactions"),
        statement: format!("GRANT {verbs} ON {database}.* TO {} WITH GRANT OPTION", named(admin)),
    }
}

/// `name@host`, each as a literal.
fn named(admin: &str) -> String {
    let (name, host) = admin.rsplit_once('@').unwrap_or((admin, "%"));
    format!("{}@{}", quote(Engine::Mysql, name), quote(Engine::Mysql, host))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    #[test]
    fn statements_of_a_user() {
        let (login, secret) = (Login { user: "stk_g_1", sessions_max: 40 }, Secret::parse(SECRET).unwrap());
        let maria = login.create_mysql(Engine::Mariadb, &secret);
        assert!(maria.starts_with("CREATE USER IF NOT EXISTS 'stk_g_1'@'%' IDENTIFIED BY PASSWORD '*"), "{maria}");
        assert!(maria.ends_with("' WITH MAX_USER_CONNECTIONS 40") && !maria.contains(SECRET), "{maria}");
        assert_eq!(
            login.alter_mysql(Engine::Mysql, &secret),
            format!("ALTER USER 'stk_g_1'@'%' IDENTIFIED BY '{SECRET}' WITH MAX_USER_CONNECTIONS 40 ACCOUNT UNLOCK")
        );
        assert_eq!(drop("x'\\; --"), "DROP USER IF EXISTS 'x''\\\\; --'@'%'");
        assert_eq!(lacks_create_user("hub@10.%").statement, "GRANT CREATE USER ON *.* TO 'hub'@'10.%'");
        assert_eq!(
            lacks_grant("hub@%", "sh`op").statement,
            "GRANT SELECT, INSERT, UPDATE, DELETE ON `sh``op`.* TO 'hub'@'%' WITH GRANT OPTION"
        );
    }

    #[test]
    fn privileges_become_exactly_what_is_wanted() {
        let wanted = wanted("shop", [("orders", "insert"), ("orders", "select"), ("items", "select")]);
        let all = ["GRANT SELECT ON `shop`.`items` TO 'g'@'%'", "GRANT INSERT, SELECT ON `shop`.`orders` TO 'g'@'%'"];
        let usage = "GRANT USAGE ON *.* TO `g`@`%` IDENTIFIED BY PASSWORD '*0' WITH MAX_USER_CONNECTIONS 40".to_owned();
        let found = |more: &str| {
            let line = "GRANT SELECT, INSERT ON `shop`.`orders` TO `g`@`%`".to_owned();
            let mut lines = vec![usage.clone(), line];
            lines.extend((!more.is_empty()).then(|| more.to_owned()));
            granted(&lines)
        };
        assert_eq!(correct("g", granted(std::slice::from_ref(&usage)).as_ref(), &wanted), all);
        assert_eq!(correct("g", found("").as_ref(), &wanted), all[..1]);
        assert!(correct("g", found("GRANT SELECT ON `shop`.`items` TO `g`@`%`").as_ref(), &wanted).is_empty());
        // What everybody has is not the user's to lose.
        let public = "GRANT DELETE ON `shop`.`items` TO PUBLIC";
        assert_eq!(correct("g", found(public).as_ref(), &wanted), all[..1]);
        assert_eq!(of_everybody(&[usage.clone(), public.to_owned()]), ["PUBLIC may DELETE ON `shop`.`items`"]);
        let revoked = "REVOKE ALL PRIVILEGES, GRANT OPTION FROM 'g'@'%'";
        for more in [
            "GRANT SELECT, DELETE ON `shop`.`items` TO `g`@`%`",
            "GRANT SELECT ON `shop`.`items` TO `g`@`%` WITH GRANT OPTION",
            "GRANT USAGE ON *.* TO `g`@`%` WITH GRANT OPTION",
            "GRANT ALL PRIVILEGES ON `shop`.* TO `g`@`%`",
            "GRANT SELECT (`id`) ON `shop`.`secrets` TO `g`@`%`",
            "GRANT `admins` TO `g`@`%`",
            "GRANT EXECUTE ON PROCEDURE `shop`.`p` TO `g`@`%`",
        ] {
            assert_eq!(correct("g", found(more).as_ref(), &wanted), [revoked, all[0], all[1]], "{more}");
        }
    }
}
