//! A script of the suites, taken apart into its directives: so that one module which our engine refuses costs no more than what rests on it.

/// One directive of a script.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Directive<'s> {
    /// From 1.
    pub(crate) line: usize,
    /// With its parentheses.
    pub(crate) text: &'s str,
}

/// What directives begin with; anything else is the body of a module without `(module …)` around it.
const KEYWORDS: [&str; 17] = [
    "assert_exception",
    "assert_exhaustion",
    "assert_invalid",
    "assert_invalid_custom",
    "assert_malformed",
    "assert_malformed_custom",
    "assert_return",
    "assert_suspension",
    "assert_trap",
    "assert_unlinkable",
    "component",
    "get",
    "invoke",
    "module",
    "register",
    "thread",
    "wait",
];

impl<'s> Directive<'s> {
    /// Its words up to the first text in quotes or the number of `most`, without parentheses and comments.
    pub(crate) fn words(&self, most: usize) -> Vec<&'s str> {
        let mut words = Vec::new();
        let mut rest = self.text;
        while words.len() < most {
            rest = rest.trim_start_matches(|letter: char| letter.is_whitespace() || letter == '(');
            if let Some(after) = rest.strip_prefix(";;") {
                rest = after.split_once('\n').map_or("", |(_, rest)| rest);
            } else if rest.starts_with('"') || rest.starts_with(')') || rest.is_empty() {
                break;
            } else {
                let end = rest.find(|letter: char| letter.is_whitespace() || "()\"".contains(letter));
                let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
                words.push(word);
                rest = after;
            }
        }
        words
    }
}

/// The directives of a script, in order; the whole as one where it is the body of a module.
pub(crate) fn directives(text: &str) -> Vec<Directive<'_>> {
    let found = forms(text);
    let is_script = |directive: &Directive<'_>| directive.words(1).first().is_some_and(|word| KEYWORDS.contains(word));
    if found.iter().all(is_script) { found } else { vec![Directive { line: 1, text }] }
}

/// What stands in parentheses at the outermost level, but for annotations.
pub(crate) fn forms(text: &str) -> Vec<Directive<'_>> {
    let bytes = text.as_bytes();
    let (mut found, mut depth, mut comments, mut start, mut at) = (Vec::new(), 0_usize, 0_usize, 0, 0);
    // Counted up to an offset: each line once.
    let (mut line, mut counted) = (1, 0);
    while at < bytes.len() {
        let two = &bytes[at..(at + 2).min(bytes.len())];
        match (comments, bytes[at]) {
            (_, b'(') if two == b"(;" => {
                comments += 1;
                at += 1;
            }
            (1.., b';') if two == b";)" => {
                comments -= 1;
                at += 1;
            }
            (1.., _) => {}
            (_, b';') if two == b";;" => {
                at += bytes[at..].iter().position(|byte| *byte == b'\n' || *byte == b'\r').unwrap_or(bytes.len() - at);
                continue;
            }
            (_, b'"') => at = end_of_text(bytes, at),
            (_, b'(') => {
                if depth == 0 {
                    start = at;
                }
                depth += 1;
            }
            (_, b')') => {
                depth = depth.saturating_sub(1);
                if depth == 0 && !text[start..].starts_with("(@") {
                    line += text[counted..start].matches('\n').count();
                    counted = start;
                    found.push(Directive { line, text: &text[start..=at] });
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Where the text that begins at a quotation mark ends.
fn end_of_text(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at
}

#[test]
fn a_script_is_taken_apart_at_its_outermost_parentheses() {
    let text = "(module $a (func (export \"f)\\\"\") (; ( (; ;) ;) nop)) ;; (module)\n(@note (x))\n\
                (assert_return (invoke $a \"f\") (i32.const 1))\r\n(; (module) ;)(invoke \"f\")";
    let found: Vec<(usize, Vec<&str>)> =
        directives(text).iter().map(|directive| (directive.line, directive.words(3))).collect();
    let expected = [(1, vec!["module", "$a", "func"]), (3, vec!["assert_return", "invoke", "$a"]), (4, vec!["invoke"])];
    assert_eq!(found, expected);
    let body = "(func)\n(memory 0)";
    assert!(matches!(directives(body)[..], [Directive { line: 1, text }] if text == body));
}
