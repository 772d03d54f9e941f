//! The tutorials, followed line by line: every fenced block of every page is done as written, in a folder of the page's own. What the
//! info strings of blocks mean is told in CONTRIBUTING.md. A block that is not known fails: nothing is passed over in silence.

use std::{fs, path::Path};

use santokit_tests::{Reader, repository};

mod page;
mod shown;

use page::{Block, What};
use shown::{fits, is_in};

/// Commands that a test does not run, and why. Each must be on some page.
const ELSEWHERE: [(&str, &str); 1] = [(
    "cargo install --path ../../cli    # once: the command `stk`",
    "it builds `stk` a second time; the one under test is on the path",
)];

/// Where the pages are.
const FOLDER: &str = "docs/tutorials";
/// A page outside of it, which is read in its own folder.
const SHOP: &str = "examples/shop/README.md";

#[tokio::test(flavor = "multi_thread")]
async fn rust() {
    follow("docs/tutorials/rust.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn typescript() {
    follow("docs/tutorials/typescript.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn javascript() {
    follow("docs/tutorials/javascript.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn python() {
    follow("docs/tutorials/python.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c() {
    follow("docs/tutorials/c.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_component() {
    follow("docs/tutorials/any-component.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn canary() {
    follow("docs/tutorials/canary.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events() {
    follow("docs/tutorials/events.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn storage() {
    follow("docs/tutorials/storage.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shop() {
    follow(SHOP).await;
}

/// The names of the tests above are those of the pages.
#[test]
fn every_page_is_followed_and_every_exception_is_met() {
    let tests = fs::read_to_string(repository().join("tests/it/tutorials.rs")).unwrap();
    let mut pages = vec![fs::read_to_string(repository().join(SHOP)).unwrap()];
    let mut count = 0;
    for entry in fs::read_dir(repository().join(FOLDER)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if name == "README" {
            continue;
        }
        count += 1;
        assert!(tests.contains(&format!("follow(\"{FOLDER}/{name}.md\")")), "no test follows {name}.md");
        pages.push(fs::read_to_string(path).unwrap());
    }
    assert!(count > 0, "there are no pages");
    for (command, why) in ELSEWHERE {
        assert!(pages.iter().any(|text| text.contains(command)), "no page has {command:?} ({why})");
    }
}

async fn follow(path: &str) {
    let text = fs::read_to_string(repository().join(path)).unwrap();
    let blocks = page::read(&text).unwrap_or_else(|why| panic!("{path}:{why}"));
    assert!(blocks.iter().any(|block| matches!(block.what, What::Run { .. })), "{path} runs nothing");
    let beside = (path == SHOP).then(|| repository().join(Path::new(SHOP).parent().unwrap()));
    let mut reader = Reader::new(beside.as_deref()).unwrap();
    let mut last = String::new();
    for block in &blocks {
        if let Err(why) = follow_block(block, &mut reader, &mut last).await {
            let (line, written) = (block.line, &block.text);
            panic!("{path}:{line}: {why}\n--- the block\n{written}--- what goes on shows\n{}", reader.shown());
        }
    }
}

/// `last` is what the last command showed.
async fn follow_block(block: &Block, reader: &mut Reader, last: &mut String) -> Result<(), String> {
    let told = |error: anyhow::Error| format!("{error:#}");
    if matches!(block.what, What::File { .. } | What::Run { .. }) {
        reader.look();
    }
    match &block.what {
        What::File { path } => reader.write(path, &block.text).map_err(told),
        What::Run { exit } => {
            let shown = reader.run(&block.text).await.map_err(told)?;
            if shown.code != *exit {
                return Err(format!("it ended with {} and not with {exit}; it showed\n{}", shown.code, shown.text));
            }
            *last = shown.text;
            Ok(())
        }
        What::Start { until } => reader.start(&block.text, until).await.map_err(told),
        What::Elsewhere => {
            if ELSEWHERE.iter().any(|(command, _)| *command == block.text.trim_end()) {
                Ok(())
            } else {
                Err("this command is not on the list of those that a test does not run".to_owned())
            }
        }
        What::Output if fits(&block.text, last) => Ok(()),
        What::Output => Err(format!("the command before it showed something else:\n{last}")),
        What::Log => {
            if reader.sees(|shown| is_in(&block.text, shown)).await {
                Ok(())
            } else {
                Err("what goes on does not show this".to_owned())
            }
        }
    }
}
