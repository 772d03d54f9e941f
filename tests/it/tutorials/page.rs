//! A page as its fenced blocks, each with what a reader does with it.

/// A fenced block.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// Where it begins, from 1.
    pub(super) line: usize,
    /// What it is.
    pub(super) what: What,
    /// What is in it; every line ends with a line's end.
    pub(super) text: String,
}

/// What a reader does with a block.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum What {
    /// `LANGUAGE title=PATH`: writes this file.
    File { path: String },
    /// `sh run`, `sh run exit=N`: runs it to its end, which is with that code.
    Run { exit: i32 },
    /// `sh start until=WORD`: starts it in a terminal of its own, and goes on when it shows that word.
    Start { until: String },
    /// `sh elsewhere`: has done it before.
    Elsewhere,
    /// `text output`: sees this, which is all that the command before it showed.
    Output,
    /// `text log`: sees this among what the terminals of `sh start` show.
    Log,
}

/// The blocks of a page in their order. The error begins with its line.
pub(super) fn read(page: &str) -> Result<Vec<Block>, String> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String, What, String)> = None;
    for (line, text) in (1..).zip(page.lines()) {
        match &mut open {
            None if text.trim_start().starts_with("```") => {
                let fence = text.chars().take_while(|c| *c == '`').collect::<String>();
                if fence.is_empty() {
                    return Err(format!("{line}: a block that is indented"));
                }
                let what = what(&text[fence.len()..]).map_err(|why| format!("{line}: {why}"))?;
                open = Some((line, fence, what, String::new()));
            }
            None if text.trim_start().starts_with("~~~") => return Err(format!("{line}: blocks are fenced with ```")),
            None => {}
            Some((_, fence, ..)) if text == fence => {
                let Some((line, _, what, text)) = open.take() else { continue };
                blocks.push(Block { line, what, text });
            }
            Some((.., content)) => {
                content.push_str(text);
                content.push('\n');
            }
        }
    }
    match open {
        Some((line, ..)) => Err(format!("{line}: the block does not end")),
        None => Ok(blocks),
    }
}

fn what(info: &str) -> Result<What, String> {
    let words: Vec<&str> = info.split_whitespace().collect();
    let unknown = || format!("nobody knows what to do with a block of {info:?}; CONTRIBUTING.md has the words");
    match words.as_slice() {
        ["sh", "run"] => Ok(What::Run { exit: 0 }),
        ["sh", "elsewhere"] => Ok(What::Elsewhere),
        ["text", "output"] => Ok(What::Output),
        ["text", "log"] => Ok(What::Log),
        ["sh", "run", exit] => {
            let exit = exit.strip_prefix("exit=").and_then(|exit| exit.parse().ok()).ok_or_else(unknown)?;
            Ok(What::Run { exit })
        }
        ["sh", "start", until] => {
            let until = until.strip_prefix("until=").filter(|until| !until.is_empty()).ok_or_else(unknown)?;
            Ok(What::Start { until: until.to_owned() })
        }
        [_language, title] => {
            let path = title.strip_prefix("title=").filter(|path| !path.is_empty()).ok_or_else(unknown)?;
            if path.starts_with('/') || path.split('/').any(|part| part == "..") {
                return Err(format!("{path:?} is outside of the reader's folder"));
            }
            Ok(What::File { path: path.to_owned() })
        }
        _ => Err(unknown()),
    }
}

#[test]
fn blocks_are_read_with_what_they_are() {
    let page = "# T\n```sh run exit=1\nstk check\n```\n```ts title=a/b.ts\n  x\n\n```\n````text output\n```\n…\n````\n";
    let blocks = read(page).unwrap();
    let what: Vec<(usize, &What, &str)> = blocks.iter().map(|block| (block.line, &block.what, &*block.text)).collect();
    let file = What::File { path: "a/b.ts".to_owned() };
    let expected =
        vec![(2, &What::Run { exit: 1 }, "stk check\n"), (5, &file, "  x\n\n"), (9, &What::Output, "```\n…\n")];
    assert_eq!(what, expected);
}

#[test]
fn what_is_not_known_fails() {
    for (page, said) in [
        ("```sh\nstk dev\n```\n", "1: nobody knows"),
        ("```\nx\n```\n", "1: nobody knows"),
        ("x\n```sh run exit=no\nx\n```\n", "2: nobody knows"),
        ("```sh runn\nx\n```\n", "1: nobody knows"),
        ("```sh start\nx\n```\n", "1: nobody knows"),
        ("```yaml titel=x\nx\n```\n", "1: nobody knows"),
        ("```ts title=../x\nx\n```\n", "1: \"../x\" is outside"),
        ("- x\n  ```sh run\n  x\n  ```\n", "2: a block that is indented"),
        ("~~~sh run\nx\n~~~\n", "1: blocks are fenced"),
        ("```sh run\nx\n", "1: the block does not end"),
    ] {
        let why = read(page).unwrap_err();
        assert!(why.starts_with(said), "{page:?}: {why}");
    }
}
