//! YAML as a tree in which every node knows its place. Everything above it sees no YAML library.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{
    Location, Spanned,
    options::{DuplicateKeyPolicy, MergeKeyPolicy},
};

/// Levels of maps and lists in one file: far more than any file kind has, far less than a stack holds.
const DEPTH_MAX: usize = 32;

/// Nodes in one file.
const NODES_MAX: usize = 200_000;

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// From 1.
    pub(super) line: u32,
    /// From 1, in characters.
    pub(super) column: u32,
    /// Characters; 0 where it is a point or goes over several lines.
    pub(super) width: u32,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) yaml: Yaml,
    pub(super) span: Span,
    /// The scalar as written: numbers keep their digits.
    pub(super) raw: String,
}

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Yaml {
    Null,
    Boolean(bool),
    Whole(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    /// In the order of the file; a key can stand there twice.
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) span: Span,
    pub(super) value: Node,
}

/// Why a file is no YAML.
#[derive(Debug)]
pub(super) struct YamlError {
    pub(super) span: Span,
    pub(super) message: String,
}

impl Node {
    /// The value of a key, where it is a map that has it.
    pub(super) fn field(&self, key: &str) -> Option<&Node> {
        match &self.yaml {
            Yaml::Map(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value),
            _ => None,
        }
    }
}

impl Span {
    /// The first character of a file.
    pub(super) const START: Span = Span { line: 1, column: 1, width: 0 };
}

/// Reads one document. Anchors are few and includes are none, so that a small file cannot become a large tree.
pub(super) fn parse(text: &str) -> Result<Node, YamlError> {
    let budget = serde_saphyr::budget! {
        max_depth: DEPTH_MAX,
        max_nodes: NODES_MAX,
        max_events: 2 * NODES_MAX,
        max_aliases: 64,
        max_anchors: 64,
        max_recorded_anchor_bytes: 64 << 10,
    };
    let options = serde_saphyr::options! {
        budget: budget,
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Error,
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 10_000 },
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    };
    let lines = Lines::of(text);
    match serde_saphyr::from_str_with_options::<Option<Spanned<Tree>>>(text, options) {
        Ok(Some(tree)) => Ok(lines.node(tree)),
        Ok(None) => Ok(Node { yaml: Yaml::Null, span: Span::START, raw: String::new() }),
        Err(error) => {
            let span = error.location().map_or(Span::START, |location| lines.span(location));
            Err(YamlError { span: Span { width: 0, ..span }, message: plain(&error) })
        }
    }
}

/// The library's message without the place, which the diagnostic has.
fn plain(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let line = text.lines().next().unwrap_or_default();
    let line = line.split(" at line ").next().unwrap_or(line);
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

/// What the library fills.
enum Tree {
    Null,
    Boolean(bool),
    Whole(i64),
    Float(f64),
    Text(String),
    List(Vec<Spanned<Tree>>),
    Map(Vec<(Spanned<String>, Spanned<Tree>)>),
}

/// The file's text and how long its lines are, for spans.
struct Lines<'t> {
    text: &'t str,
    widths: Vec<u32>,
}

impl<'t> Lines<'t> {
    fn of(text: &'t str) -> Self {
        let width = |line: &str| u32::try_from(line.chars().count()).unwrap_or(u32::MAX);
        Self { text, widths: text.lines().map(width).collect() }
    }

    /// Recursion is bounded by [`DEPTH_MAX`].
    fn node(&self, tree: Spanned<Tree>) -> Node {
        let span = self.span(tree.referenced);
        let yaml = match tree.value {
            Tree::Null => Yaml::Null,
            Tree::Boolean(truth) => Yaml::Boolean(truth),
            Tree::Whole(n) => Yaml::Whole(n),
            Tree::Float(n) => Yaml::Float(n),
            Tree::Text(text) => Yaml::Text(text),
            Tree::List(items) => Yaml::List(items.into_iter().map(|item| self.node(item)).collect()),
            Tree::Map(entries) => Yaml::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| Entry {
                        span: self.span(key.referenced),
                        key: key.value,
                        value: self.node(value),
                    })
                    .collect(),
            ),
        };
        let raw = match &yaml {
            Yaml::Whole(_) | Yaml::Float(_) => self.slice(tree.defined).unwrap_or_default().trim().to_owned(),
            _ => String::new(),
        };
        Node { yaml, span, raw }
    }

    fn slice(&self, location: Location) -> Option<&'t str> {
        let start = usize::try_from(location.span().byte_offset()?).ok()?;
        let length = usize::try_from(location.span().byte_len()?).ok()?;
        self.text.get(start..start.checked_add(length)?)
    }

    fn span(&self, location: Location) -> Span {
        let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX).max(1);
        let (line, column) = (number(location.line()), number(location.column()));
        let width = u32::try_from(location.span().len()).unwrap_or(0);
        let room = self.widths.get(line as usize - 1).copied().unwrap_or(0);
        let fits = u64::from(column) - 1 + u64::from(width) <= u64::from(room);
        Span { line, column, width: if fits { width } else { 0 } }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Tree, E> {
        Ok(Tree::Boolean(truth))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Tree, E> {
        Ok(Tree::Whole(n))
    }

    fn visit_u64<E>(self, n: u64) -> Result<Tree, E> {
        #[expect(clippy::cast_precision_loss, reason = "above 2^63 the digits as written are used, not this value")]
        Ok(i64::try_from(n).map_or(Tree::Float(n as f64), Tree::Whole))
    }

    fn visit_i128<E>(self, n: i128) -> Result<Tree, E> {
        #[expect(clippy::cast_precision_loss, reason = "above 2^63 the digits as written are used, not this value")]
        Ok(i64::try_from(n).map_or(Tree::Float(n as f64), Tree::Whole))
    }

    fn visit_u128<E>(self, n: u128) -> Result<Tree, E> {
        #[expect(clippy::cast_precision_loss, reason = "above 2^63 the digits as written are used, not this value")]
        Ok(i64::try_from(n).map_or(Tree::Float(n as f64), Tree::Whole))
    }

    fn visit_f64<E>(self, n: f64) -> Result<Tree, E> {
        Ok(Tree::Float(n))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Text(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        Tree::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Tree::Map(map))
    }
}
