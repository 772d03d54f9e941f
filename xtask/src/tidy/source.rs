//! Rust files: what they are for stands at their top, and neither they nor their functions grow without end.

use std::path::Path;

use proc_macro2::Span;
use syn::spanned::Spanned as _;
use syn::visit::Visit;

use super::{File, Tree, Violation};

/// Hard limits; the aim is far lower.
const FILE_LINES: usize = 600;
const TEST_FILE_LINES: usize = 1_000;
const FUNCTION_LINES: usize = 70;
const TEST_FUNCTION_LINES: usize = 120;

pub(super) fn check(tree: &Tree, violations: &mut Vec<Violation>) {
    for file in tree.with_extension("rs").filter(|file| !is_template(file)) {
        if !file.text.starts_with("//!") {
            let message = "begin with `//!`: what the file is for, and what it must not do";
            violations.push(Violation::at(&file.path, 1, message));
        }
        match syn::parse_file(&file.text) {
            Ok(parsed) => check_sizes(file, &parsed, violations),
            Err(error) => {
                let line = error.span().start().line;
                violations.push(Violation::at(&file.path, line, format!("does not parse: {error}")));
            }
        }
    }
}

/// Files that are written into a customer's folder: they follow the customer's eye, not ours.
pub(super) fn is_template(file: &File) -> bool {
    file.path.iter().any(|part| part == "templates" || part == "template")
}

fn check_sizes(file: &File, parsed: &syn::File, violations: &mut Vec<Violation>) {
    let in_tests = is_test_path(&file.path);
    let mut functions = Functions { in_tests, test_lines: 0, long: Vec::new() };
    functions.visit_file(parsed);
    for (name, line, lines, limit) in functions.long {
        let message = format!("`{name}` has {lines} lines, {limit} are allowed: split it by topic");
        violations.push(Violation::at(&file.path, line, message));
    }
    let lines = file.text.lines().count();
    let (lines, limit) = if in_tests { (lines, TEST_FILE_LINES) } else { (lines - functions.test_lines, FILE_LINES) };
    if lines > limit {
        let message = format!("{lines} lines, {limit} are allowed: one topic a file");
        violations.push(Violation::of(&file.path, message));
    }
}

/// Whether all of a file is test code.
fn is_test_path(path: &Path) -> bool {
    path.starts_with("tests") || path.iter().any(|part| part == "tests" || part == "tests.rs")
}

/// Collects functions that are too long and the lines of inline test modules.
struct Functions {
    in_tests: bool,
    test_lines: usize,
    /// Name, line, length, limit.
    long: Vec<(String, usize, usize, usize)>,
}

impl Functions {
    fn measure(&mut self, name: &syn::Ident, span: Span) {
        let lines = lines_of(span);
        let limit = if self.in_tests { TEST_FUNCTION_LINES } else { FUNCTION_LINES };
        if lines > limit {
            self.long.push((name.to_string(), name.span().start().line, lines, limit));
        }
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.measure(&item.sig.ident, signature_to_end(&item.sig, &item.block));
        syn::visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.measure(&item.sig.ident, signature_to_end(&item.sig, &item.block));
        syn::visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.measure(&item.sig.ident, signature_to_end(&item.sig, block));
        }
        syn::visit::visit_trait_item_fn(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item.content.is_some() && is_for_tests(&item.attrs) && !self.in_tests {
            self.test_lines += lines_of(item.span());
            self.in_tests = true;
            syn::visit::visit_item_mod(self, item);
            self.in_tests = false;
        } else {
            syn::visit::visit_item_mod(self, item);
        }
    }
}

/// From `fn` to the last brace, without attributes and docs.
fn signature_to_end(signature: &syn::Signature, block: &syn::Block) -> Span {
    signature.span().join(block.span()).unwrap_or_else(|| block.span())
}

fn lines_of(span: Span) -> usize {
    span.end().line - span.start().line + 1
}

/// `#[cfg(test)]`.
fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|condition| condition.is_ident("test"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(path: &str, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        check(&Tree::of(&[(path, text)]), &mut found);
        found.iter().map(ToString::to_string).collect()
    }

    fn function(lines: usize) -> String {
        format!("fn long() {{\n{}}}\n", "    step();\n".repeat(lines - 2))
    }

    #[test]
    fn a_file_says_what_it_is_for() {
        assert_eq!(violations("core/src/a.rs", "//! A.\n"), Vec::<String>::new());
        let found = violations("core/src/a.rs", "fn a() {}\n");
        assert_eq!(found, ["core/src/a.rs:1: begin with `//!`: what the file is for, and what it must not do"]);
    }

    #[test]
    fn a_long_function_is_found_with_its_line() {
        assert_eq!(violations("core/src/a.rs", &format!("//! A.\n{}", function(70))), Vec::<String>::new());
        let found = violations("core/src/a.rs", &format!("//! A.\n{}", function(71)));
        assert_eq!(found, ["core/src/a.rs:2: `long` has 71 lines, 70 are allowed: split it by topic"]);
    }

    #[test]
    fn a_long_method_is_found() {
        let text = format!("//! A.\nimpl A {{\n{}}}\n", function(80));
        assert_eq!(violations("core/src/a.rs", &text).len(), 1);
    }

    #[test]
    fn inline_tests_do_not_count_for_the_file() {
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "    fn a() {}\n".repeat(300));
        let code = "fn b() {}\n".repeat(500);
        assert_eq!(violations("core/src/a.rs", &format!("//! A.\n{code}{tests}")), Vec::<String>::new());
        let more = "fn b() {}\n".repeat(600);
        assert_eq!(
            violations("core/src/a.rs", &format!("//! A.\n{more}{tests}")),
            ["core/src/a.rs: 601 lines, 600 are allowed: one topic a file"]
        );
    }

    #[test]
    fn what_does_not_parse_is_a_violation() {
        assert_eq!(violations("core/src/a.rs", "//! A.\nfn (\n").len(), 1);
    }
}
