//! Names of indexes and constraints that the platform makes. Whether one is there already is told by its columns, not by its
//! name; a name only has to be free, valid on every engine and the same every time.

use santokit_core::release::Digest;

/// PostgreSQL takes 63 bytes, MySQL 64 characters.
const BYTES_MAX: usize = 63;
const HASH_CHARS: usize = 16;

/// What names of indexes and constraints of the platform's making begin with.
pub(super) const PREFIXES: [&str; 3] = ["stk_ix_", "stk_uq_", "stk_fk_"];

/// Of an index. Identifiers have no `$`, so that no two lists of columns have one name.
pub(super) fn index(table: &str, columns: &[String], is_unique: bool) -> String {
    bounded(format!("stk_{}_{table}${}", if is_unique { "uq" } else { "ix" }, columns.join("$")))
}

/// Of a foreign key.
pub(super) fn reference(table: &str, column: &str) -> String {
    bounded(format!("stk_fk_{table}${column}"))
}

/// Of a table while it is made anew.
pub(super) fn rebuilt(table: &str) -> String {
    bounded(format!("stk_rebuilt_{table}"))
}

/// A long name is cut and told apart by a hash of all of it. Names are ASCII (`core::name`) but for what an attacker of this
/// function sends, so that it is cut between characters.
fn bounded(name: String) -> String {
    if name.len() <= BYTES_MAX {
        return name;
    }
    let kept = name.floor_char_boundary(BYTES_MAX - HASH_CHARS - 1);
    format!("{}${}", &name[..kept], &Digest::of(name.as_bytes()).hex()[..HASH_CHARS])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn lists_of_columns_have_names_of_their_own() {
        assert_eq!(index("orders", &columns(&["customer", "total"]), false), "stk_ix_orders$customer$total");
        assert_ne!(index("user", &columns(&["group_id"]), true), index("user_group", &columns(&["id"]), true));
    }

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        let (a, b) = ("c".repeat(62) + "1", "c".repeat(62) + "2");
        let (a, b) = (reference("t", &a), reference("t", &b));
        assert!(a.len() <= BYTES_MAX && b.len() <= BYTES_MAX && a != b, "{a} {b}");
        assert!(reference(&"ä".repeat(60), "x").len() <= BYTES_MAX);
    }
}
