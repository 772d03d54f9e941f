//! What a page says that a command shows, against what it showed. `…` stands for what varies: alone in a line for any lines, else for
//! any part of one line.

/// Whether it is all of it.
pub(super) fn fits(expected: &str, shown: &str) -> bool {
    let (expected, shown) = (lines(expected), lines(shown));
    fitting(&expected, &shown).any(|rest| rest == shown.len())
}

/// Whether it begins at some line, and goes on line after line.
pub(super) fn is_in(expected: &str, shown: &str) -> bool {
    let (expected, shown) = (lines(expected), lines(shown));
    (0..shown.len()).any(|from| fitting(&expected, &shown[from..]).next().is_some())
}

/// Without what cannot be seen at the ends.
fn lines(text: &str) -> Vec<&str> {
    text.trim_matches('\n').lines().map(str::trim_end).collect()
}

/// After how many lines the expected ones may have been seen.
fn fitting(expected: &[&str], shown: &[&str]) -> impl Iterator<Item = usize> {
    let mut ends = vec![false; shown.len() + 1];
    ends[0] = true;
    for line in expected {
        let mut next = vec![false; shown.len() + 1];
        if line.trim() == "…" {
            let first = ends.iter().position(|is_end| *is_end).unwrap_or(ends.len());
            next[first..].fill(true);
        } else {
            for (index, text) in shown.iter().enumerate() {
                next[index + 1] = ends[index] && line_fits(line, text);
            }
        }
        ends = next;
    }
    ends.into_iter().enumerate().filter_map(|(index, is_end)| is_end.then_some(index))
}

fn line_fits(expected: &str, shown: &str) -> bool {
    let mut parts = expected.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = shown.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[test]
fn dots_stand_for_what_varies_and_nothing_else() {
    for (expected, shown, whole, part) in [
        ("a\nb", "a\nb\n", true, true),
        ("a\nb", "a\nb\nc", false, true),
        ("b\nc", "a\nb\nc", false, true),
        ("a\nc", "a\nb\nc", false, false),
        ("a\n…\nc", "a\nb\nb\nc", true, true),
        ("a\n…\nc", "a\nc", true, true),
        ("…\nc", "a\nb\nc", true, true),
        ("…", "", true, false),
        ("in … ms", "in 12 ms", true, true),
        ("in … ms", "in 12 s", false, false),
        ("…x…y", "axbxcy", true, true),
        ("…x…y", "axbxcyz", false, false),
        ("a…a", "a", false, false),
        ("a", "  a", false, false),
        ("a  ", "a", true, true),
    ] {
        assert_eq!((fits(expected, shown), is_in(expected, shown)), (whole, part), "{expected:?} in {shown:?}");
    }
}
