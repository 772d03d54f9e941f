//! Paths of one machine and of what stands outside the project: nobody else has them.

use super::{Tree, Violation};

/// Each with the reason. Put together, so that this file is not found itself.
const FORBIDDEN: [(&str, &str); 4] = [
    (concat!("../", "shared"), "is outside the project"),
    (concat!("/work", "/main"), "is a path of one machine"),
    (concat!("/work", "/shared"), "is a path of one machine"),
    (concat!("/root", "/."), "is a path of one machine"),
];

/// Links that happen to look like it: a folder of the project may be called so.
const INSIDE: &str = concat!("../", "shared", "-");

pub(super) fn check(tree: &Tree, violations: &mut Vec<Violation>) {
    for file in &tree.files {
        for (number, line) in file.text.lines().enumerate() {
            for (mention, reason) in FORBIDDEN {
                if line.contains(mention) && !line.contains(INSIDE) {
                    violations.push(Violation::at(&file.path, number + 1, format!("`{mention}` {reason}")));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_paths_are_found_with_their_line() {
        let text = format!("fine\nsee {}/main/x\n", "/work");
        let mut found = Vec::new();
        check(&Tree::of(&[("docs/a.md", &text)]), &mut found);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, Some(2));
    }
}
