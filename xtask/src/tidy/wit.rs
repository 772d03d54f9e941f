//! Copies of the WIT packages: an SDK is published with them, so that it holds its own, equal to those of `wit/`.

use std::path::Path;

use super::{Tree, Violation};

pub(super) fn check(tree: &Tree, violations: &mut Vec<Violation>) {
    for file in tree.with_extension("wit").filter(|file| !file.path.starts_with("wit")) {
        if file.path.starts_with("tests") {
            // Worlds that tests make wrong on purpose.
            continue;
        }
        let Some(original) = original(&file.path) else { continue };
        match tree.get(&original) {
            None => {
                let message = format!("copies nothing: there is no {}", original.display());
                violations.push(Violation::of(&file.path, message));
            }
            Some(original) if original.text != file.text => {
                let line = first_difference(&original.text, &file.text);
                let message = format!("differs from {}: copy it again", original.path.display());
                violations.push(Violation::at(&file.path, line, message));
            }
            Some(_) => {}
        }
    }
}

/// `sdk-guest/rust/wit/sql/sql.wit` and `…/wit/deps/sql/sql.wit` copy `wit/sql/sql.wit`.
fn original(copy: &Path) -> Option<std::path::PathBuf> {
    let parts: Vec<_> = copy.iter().collect();
    let folder = parts.iter().position(|part| *part == "wit")?;
    let inside = parts[folder + 1..].iter().filter(|part| **part != "deps");
    Some(Path::new("wit").join(inside.collect::<std::path::PathBuf>()))
}

/// From 1.
fn first_difference(left: &str, right: &str) -> usize {
    left.lines().zip(right.lines()).take_while(|(left, right)| left == right).count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_that_differs_is_found() {
        let tree = Tree::of(&[
            ("wit/sql/sql.wit", "a\nb\n"),
            ("sdk-guest/rust/wit/sql/sql.wit", "a\nb\n"),
            ("sdk-guest/c/wit/deps/sql/sql.wit", "a\nc\n"),
            ("sdk-guest/c/wit/old.wit", ""),
        ]);
        let mut found = Vec::new();
        check(&tree, &mut found);
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "sdk-guest/c/wit/deps/sql/sql.wit:2: differs from wit/sql/sql.wit: copy it again",
                "sdk-guest/c/wit/old.wit: copies nothing: there is no wit/old.wit",
            ]
        );
    }
}
