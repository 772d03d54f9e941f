//! Decision records: numbered without a gap, listed in their index, and in one form.

use std::path::Path;

use super::{Tree, Violation};

const FOLDER: &str = "docs/decisions";
const SECTIONS: [&str; 3] = ["## Context", "## Decision", "## Consequences"];

pub(super) fn check(tree: &Tree, violations: &mut Vec<Violation>) {
    let index_path = Path::new(FOLDER).join("README.md");
    let index = tree.get(&index_path).map_or("", |file| file.text.as_str());
    let mut expected = 1_usize;
    for file in tree.with_extension("md").filter(|file| file.path.parent() == Some(Path::new(FOLDER))) {
        let Some(name) = file.path.file_name().and_then(|name| name.to_str()) else { continue };
        if name == "README.md" {
            continue;
        }
        if !name.starts_with(&format!("{expected:04}-")) {
            let message = format!("records are `NNNN-title.md` without a gap; the next number is {expected:04}");
            violations.push(Violation::of(&file.path, message));
        }
        expected += 1;
        let number = name.split('-').next().unwrap_or_default();
        if !file.text.starts_with(&format!("# {number}: ")) {
            violations.push(Violation::at(&file.path, 1, format!("begin with `# {number}: ` and the title")));
        }
        for section in SECTIONS.iter().filter(|section| !file.text.lines().any(|line| line == **section)) {
            violations.push(Violation::of(&file.path, format!("the section `{section}` is missing")));
        }
        if !index.contains(&format!("({name})")) {
            violations.push(Violation::of(&index_path, format!("does not list {name}")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_numbered_listed_and_in_form() {
        let record = "# 0001: A\n\n## Context\n\n## Decision\n\n## Consequences\n";
        let tree = Tree::of(&[
            ("docs/decisions/0001-a.md", record),
            ("docs/decisions/0003-b.md", "# 0003: B\n## Context\n## Decision\n"),
            ("docs/decisions/README.md", "- [a](0001-a.md)\n"),
        ]);
        let mut found = Vec::new();
        check(&tree, &mut found);
        let messages: Vec<_> = found.iter().map(|violation| violation.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "records are `NNNN-title.md` without a gap; the next number is 0002",
                "the section `## Consequences` is missing",
                "does not list 0003-b.md",
            ]
        );
    }
}
