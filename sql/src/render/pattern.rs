//! Patterns of `$like` and `$ilike` in the form that an engine takes: `%` is any text, `_` one character, `\` before a character is that
//! character. What comes out is a value, to be bound.

/// The character that escapes in patterns for `LIKE`; a backslash would mean two things on MySQL.
pub(super) const ESCAPE: char = '!';

enum Token {
    Any,
    One,
    Literal(char),
}

/// For `LIKE … ESCAPE '!'`.
pub(super) fn like(pattern: &str) -> String {
    let mut text = String::with_capacity(pattern.len());
    for token in tokens(pattern) {
        match token {
            Token::Any => text.push('%'),
            Token::One => text.push('_'),
            Token::Literal(c) => {
                if matches!(c, '%' | '_' | ESCAPE) {
                    text.push(ESCAPE);
                }
                text.push(c);
            }
        }
    }
    text
}

/// For SQLite's `GLOB`, which is case-sensitive.
pub(super) fn glob(pattern: &str) -> String {
    let mut text = String::with_capacity(pattern.len());
    for token in tokens(pattern) {
        match token {
            Token::Any => text.push('*'),
            Token::One => text.push('?'),
            Token::Literal(c @ ('*' | '?' | '[')) => text.extend(['[', c, ']']),
            Token::Literal(c) => text.push(c),
        }
    }
    text
}

/// Runs of `%` are one: each costs the engine a walk over the rest of the text. A `\` at the end is itself.
fn tokens(pattern: &str) -> Vec<Token> {
    let mut tokens = Vec::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' if matches!(tokens.last(), Some(Token::Any)) => {}
            '%' => tokens.push(Token::Any),
            '_' => tokens.push(Token::One),
            '\\' => tokens.push(Token::Literal(chars.next().unwrap_or('\\'))),
            c => tokens.push(Token::Literal(c)),
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_the_same_in_each_form() {
        for (pattern, in_like, in_glob) in [
            ("a%b_c", "a%b_c", "a*b?c"),
            (r"100\%", "100!%", "100%"),
            (r"\_\\\%!", r"!_\!%!!", r"_\%!"),
            ("*?[x]%%%", "*?[x]%", "[*][?][[]x]*"),
            (r"end\", r"end\", r"end\"),
            (r"\a%\%%", "a%!%%", "a*%*"),
            ("", "", ""),
        ] {
            assert_eq!((like(pattern).as_str(), glob(pattern).as_str()), (in_like, in_glob), "{pattern}");
        }
    }
}
