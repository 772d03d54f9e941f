//! Relative links of Markdown files: the file is there, and so is the heading after `#`.

use std::path::Path;

use super::{File, Tree, Violation, normal};

pub(super) fn check(tree: &Tree, violations: &mut Vec<Violation>) {
    for file in tree.with_extension("md") {
        for (line, target) in links(&file.text) {
            if let Some(message) = broken(tree, file, target) {
                violations.push(Violation::at(&file.path, line, message));
            }
        }
    }
}

/// Why a link leads nowhere, if it does.
fn broken(tree: &Tree, file: &File, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    let to = if path.is_empty() {
        file.path.clone()
    } else {
        let folder = file.path.parent().unwrap_or(Path::new(""));
        match normal(&folder.join(path)) {
            Some(to) if tree.holds(&to) => to,
            _ => return Some(format!("the link to `{target}` leads nowhere")),
        }
    };
    let in_markdown = to.extension().is_some_and(|extension| extension == "md");
    if heading.is_empty() || !in_markdown {
        return None;
    }
    let has_heading = tree.get(&to).is_some_and(|to| headings(&to.text).any(|own| own == heading));
    (!has_heading).then(|| format!("the link to `{target}`: there is no such heading"))
}

/// Targets of `[text](target)` with their lines, outside code.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        let mut is_code = false;
        for part in line.split('`') {
            if !is_code {
                let targets = part.match_indices("](").filter_map(|(place, _)| {
                    let rest = &part[place + 2..];
                    rest.split_once(')').map(|(target, _)| target.split(' ').next().unwrap_or(target))
                });
                found.extend(targets.map(|target| (number, target)));
            }
            is_code = !is_code;
        }
    }
    found
}

/// Lines outside fenced code, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        if line.trim_start().starts_with("```") {
            is_fenced = !is_fenced;
            return None;
        }
        (!is_fenced).then_some((index + 1, line))
    })
}

/// The anchors of a file's headings, made as the usual viewers make them.
fn headings(text: &str) -> impl Iterator<Item = String> {
    prose(text).filter(|(_, line)| line.starts_with('#')).map(|(_, line)| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        title
            .chars()
            .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'))
            .map(|letter| if letter == ' ' { '-' } else { letter })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_files_folders_and_headings() {
        let tree = Tree::of(&[
            (
                "docs/A.md",
                "[b](B.md) [up](../README.md#the-two-commands) [folder](decisions)\n[`c`](C.md)\n```\n[x](none)\n```\n\
                 `[y](none)` [web](https://example.org) [here](#part-1-a) [no](B.md#none)\n\n## Part 1: a\n",
            ),
            ("docs/B.md", ""),
            ("docs/decisions/README.md", ""),
            ("README.md", "## The two commands\n[out](../elsewhere)\n"),
        ]);
        let mut found = Vec::new();
        check(&tree, &mut found);
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "docs/A.md:2: the link to `C.md` leads nowhere",
                "docs/A.md:6: the link to `B.md#none`: there is no such heading",
                "README.md:2: the link to `../elsewhere` leads nowhere",
            ]
        );
    }
}
