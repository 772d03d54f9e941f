//! Where a part of a condition stands. The tree carries no places, but its names stand in it in the order of the source: the nth
//! `resource` of the tree is the nth of the text.

use cel::common::ast::{EntryExpr, Expr, IdedExpr};

/// The places of `resource` in a source.
pub(super) struct Places<'e> {
    /// The node of each, in order, and its place.
    known: Vec<(*const IdedExpr, (u32, u32, u32))>,
    tree: std::marker::PhantomData<&'e IdedExpr>,
}

impl<'e> Places<'e> {
    pub(super) fn of(source: &str, tree: &'e IdedExpr) -> Self {
        let mut nodes = Vec::new();
        idents(tree, &mut |name, node| {
            if name == "resource" {
                nodes.push(std::ptr::from_ref(node));
            }
        });
        let words = words(source, "resource");
        // A macro that stands for several mentions of one word would shift the rest: then no place is better than a wrong one.
        let known = if words.len() == nodes.len() { nodes.into_iter().zip(words).collect() } else { Vec::new() };
        Self { known, tree: std::marker::PhantomData }
    }

    /// (line, column, width) of the first `resource` in the part, with the names behind it.
    pub(super) fn of_row_in(&self, part: &'e IdedExpr) -> (u32, u32, u32) {
        let mut first = None;
        idents(part, &mut |name, node| {
            if name == "resource" && first.is_none() {
                first = Some(std::ptr::from_ref(node));
            }
        });
        let place = first.and_then(|node| self.known.iter().find(|(known, _)| *known == node));
        place.map_or((1, 1, 0), |(_, place)| *place)
    }
}

/// Calls `seen` with every name that stands alone, in the order of the source. Depth is bounded where the tree is read.
pub(super) fn idents<'e>(tree: &'e IdedExpr, seen: &mut dyn FnMut(&'e str, &'e IdedExpr)) {
    match &tree.expr {
        Expr::Unspecified | Expr::Literal(_) | Expr::Struct(_) => {}
        Expr::Ident(name) => seen(name, tree),
        Expr::Select(select) => idents(&select.operand, seen),
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).for_each(|part| idents(part, seen)),
        Expr::List(list) => list.elements.iter().for_each(|part| idents(part, seen)),
        Expr::Map(map) => {
            for entry in &map.entries {
                if let EntryExpr::MapEntry(entry) = &entry.expr {
                    idents(&entry.key, seen);
                    idents(&entry.value, seen);
                }
            }
        }
        Expr::Comprehension(part) => {
            for part in [&part.iter_range, &part.accu_init, &part.loop_cond, &part.loop_step, &part.result] {
                idents(part, seen);
            }
        }
    }
}

/// (line, column, width) of a word wherever it stands alone: not in a string or comment, not behind a point. The width takes in what
/// is selected from it.
fn words(source: &str, word: &str) -> Vec<(u32, u32, u32)> {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let (mut line, mut column) = (1_u32, 1_u32);
    let (mut rest, mut previous, mut behind_point) = (source, ' ', false);
    while let Some(c) = rest.chars().next() {
        let step = match c {
            '"' | '\'' => literal(rest, previous),
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            c if part_of_word(c) && !part_of_word(previous) => {
                let length = rest.find(|c| !part_of_word(c)).unwrap_or(rest.len());
                if &rest[..length] == word && !behind_point {
                    let end = rest.find(|c: char| !part_of_word(c) && c != '.').unwrap_or(rest.len());
                    found.push((line, column, u32::try_from(rest[..end].chars().count()).unwrap_or(0)));
                }
                length
            }
            c => c.len_utf8(),
        };
        for c in rest[..step].chars() {
            (line, column) = if c == '\n' { (line + 1, 1) } else { (line, column + 1) };
            if !c.is_whitespace() {
                behind_point = c == '.';
            }
            previous = c;
        }
        rest = &rest[step..];
    }
    found
}

/// Bytes of the string literal that the text begins with; `previous` tells a raw one.
fn literal(text: &str, previous: char) -> usize {
    let is_raw = matches!(previous, 'r' | 'R');
    let quote = &text[..1];
    let triple = quote.repeat(3);
    let close = if text.starts_with(&triple) { triple.as_str() } else { quote };
    let mut at = close.len();
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with(close) {
            return at + close.len();
        }
        let mut chars = rest.chars();
        let c = chars.next().map_or(1, char::len_utf8);
        let escaped = if rest.starts_with('\\') && !is_raw { chars.next().map_or(0, char::len_utf8) } else { 0 };
        at += c + escaped;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn words_stand_alone_and_outside_of_strings() {
        let source = "resource.a == 'resource' && request.params.resource == \"\\\"resource\" // resource\n || resources\n  &&resource . b";
        assert_eq!(words(source, "resource"), [(1, 1, 10), (3, 5, 8)]);
        assert_eq!(words("r'\\' == resource.é", "resource"), [(1, 9, 10)]);
        assert_eq!(words("'''a'resource''' == resource.b", "resource"), [(1, 21, 10)]);
    }
}
