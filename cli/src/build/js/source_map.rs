//! Which line of the developer's files a line of the bundle came from, so that a stack names them.

use std::io;

use serde::Serialize;
use sourcemap::SourceMap;

/// How QuickJS and StarlingMonkey name the bundle in a stack: a line and a column follow.
const FRAMES: [&str; 2] = ["componentize-qjs:user.js:", "santokit-bundle.js:"];

/// One entry per line of the bundle, in the form that the SDK's `stack.ts` reads.
#[derive(Clone, Debug, Serialize)]
pub(super) struct LineTable {
    sources: Vec<String>,
    lines: Vec<Line>,
}

/// Index of the source and its line from 1; or nothing, which is written as 0.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(untagged)]
enum Line {
    Of(u32, u32),
    Nothing(u8),
}

impl LineTable {
    /// From a source map; `name` makes a source's path one that people know.
    pub(super) fn read(text: &str, name: impl Fn(&str) -> String) -> io::Result<Self> {
        let map = SourceMap::from_slice(text.as_bytes()).map_err(io::Error::other)?;
        let mut lines = Vec::new();
        for token in map.tokens().filter(sourcemap::Token::has_source) {
            let line = token.get_dst_line() as usize;
            if line >= lines.len() {
                lines.resize(line, Line::Nothing(0));
                // The first place of a line stands for all of it.
                lines.push(Line::Of(token.get_src_id(), token.get_src_line() + 1));
            }
        }
        Ok(Self { sources: map.sources().map(name).collect(), lines })
    }

    /// A statement behind the bundle that hands the table to the SDK.
    pub(super) fn statement(&self) -> String {
        // Strings and numbers are always JSON.
        let table = serde_json::to_string(self).unwrap_or_else(|_| "null".to_owned());
        format!("\nglobalThis.santokitLines = {table};\n")
    }

    /// A stack or message with the places of the bundle replaced by those of the sources.
    pub(super) fn translated(&self, text: &str) -> String {
        FRAMES.iter().fold(text.to_owned(), |text, frame| {
            let mut parts = text.split(frame);
            let mut translated = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                match self.place(part) {
                    Some((place, rest)) => translated.extend([place.as_str(), rest]),
                    None => translated.extend([frame, part]),
                }
            }
            translated
        })
    }

    /// The place for `line:column…`, and what follows it.
    fn place<'t>(&self, text: &'t str) -> Option<(String, &'t str)> {
        let (line, rest) = text.split_once(':')?;
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let index = line.parse::<usize>().ok()?.checked_sub(1)?;
        let Line::Of(source, line) = self.lines.get(index)? else { return None };
        Some((format!("{}:{line}", self.sources.get(*source as usize)?), rest))
    }
}

#[cfg(test)]
mod tests {
    use super::LineTable;

    /// Line 1 has no source; line 2 is line 3 of the first; line 4 is line 1 of the second.
    const MAP: &str = r#"{"version":3,"sources":["../a.ts","../b.ts"],"names":[],"mappings":";AAEA,IAAI;;ACFJ"}"#;

    #[test]
    fn places_are_those_of_the_sources() {
        let table = LineTable::read(MAP, |path| path.trim_start_matches("../").to_owned()).unwrap();
        assert_eq!(
            table.statement().trim(),
            r#"globalThis.santokitLines = {"sources":["a.ts","b.ts"],"lines":[0,[0,3],0,[1,1]]};"#
        );
        let other = "f@santokit-bundle.js:2:14\n@santokit-bundle.js:4:1\n";
        assert_eq!(table.translated(other), "f@a.ts:3\n@b.ts:1\n");
        let stack = "at f (componentize-qjs:user.js:2:14)\nat g (componentize-qjs:user.js:4:1)\nat componentize-qjs:user.js:9:1";
        assert_eq!(table.translated(stack), "at f (a.ts:3)\nat g (b.ts:1)\nat componentize-qjs:user.js:9:1");
    }
}
