//! CEL expressions, bounded when they are read so that evaluating one can neither recurse deeply nor run long.
//!
//! The evaluator itself has no cost limit and recurses over the tree, so every bound is checked here, without recursion,
//! before an expression is ever evaluated. Nothing else in the workspace names the `cel` crate.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators};
use cel::{Context, Env, Value as CelValue, parser::PrattParser};

use crate::name::nearest;

/// Bytes of source.
pub const SOURCE_BYTES_MAX: usize = 2 << 10;

/// Nodes of the tree, macros expanded.
pub const NODES_MAX: usize = 500;

/// Levels of the tree.
pub const DEPTH_MAX: usize = 64;

/// Additions, macros' own left out: each can make its operands' text or list anew.
const ADDITIONS_MAX: usize = 16;

/// Bytes that a compiled regular expression of a condition may take.
const PATTERN_BYTES_MAX: usize = 64 << 10;

/// Functions that a condition may call. Each is linear in its arguments.
const FUNCTIONS: &[&str] = &[
    "size",
    "startsWith",
    "endsWith",
    "contains",
    "matches",
    "int",
    "double",
    "string",
    "bool",
    "timestamp",
    "duration",
    "getFullYear",
    "getMonth",
    "getDate",
    "getDayOfWeek",
    "getHours",
    "getMinutes",
    "getSeconds",
];

/// Operators, which the tree holds as calls too.
const OPERATORS: &[&str] = &[
    operators::CONDITIONAL,
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::SUBSTRACT,
    operators::ADD,
    operators::MULTIPLY,
    operators::DIVIDE,
    operators::MODULO,
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::GREATER_EQUALS,
    operators::LESS_EQUALS,
    operators::GREATER,
    operators::LESS,
    operators::NEGATE,
    operators::INDEX,
    operators::NOT_STRICTLY_FALSE,
    operators::IN,
];

/// What a condition stands at, and so which names it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// `request`.
    Call,
    /// `request` and `resource`.
    Row,
    /// `request` and `path`.
    Object,
    /// `event`.
    Event,
}

/// An expression within all bounds.
#[derive(Clone, Debug)]
pub struct Expression {
    tree: Arc<IdedExpr>,
    uses: Uses,
}

/// What an expression reads. Only what it reads is given to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    /// Names after `request.params.`, or after `event.payload.`
    pub params: BTreeSet<String>,
    /// `request.params` as a whole.
    pub all_params: bool,
    /// Names after `resource.`
    pub columns: BTreeSet<String>,
    /// Names after `path.`
    pub path: BTreeSet<String>,
    /// Whether it goes over lists.
    pub comprehension: bool,
}

/// Why an expression is refused, and where in its source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExpressionError {
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// Characters; 0 where it is a point.
    pub width: u32,
    /// One sentence, lower case.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

/// The standard environment, made once. Optional values are left out: nothing in a condition needs them.
static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::default().with_optional_support(false).with_stdlib()));

impl Expression {
    /// Reads and bounds an expression.
    pub fn parse(source: &str, scope: Scope) -> Result<Self, ExpressionError> {
        if source.len() > SOURCE_BYTES_MAX {
            return Err(ExpressionError::at_start(format!(
                "a condition is at most {SOURCE_BYTES_MAX} bytes; this one has {}",
                source.len()
            )));
        }
        if bracket_depth(source) > DEPTH_MAX {
            return Err(ExpressionError::too_deep());
        }
        let depth = u16::try_from(DEPTH_MAX).unwrap_or(u16::MAX);
        let parser = PrattParser::new().max_recursion_depth(depth).max_expression_node_count(NODES_MAX);
        let tree = parser.parse(source).map_err(|errors| ExpressionError::from_parser(&errors))?;
        let uses = Walk { source, scope, uses: Uses::default(), additions: 0 }.over(&tree)?;
        Ok(Self { tree: Arc::new(tree), uses })
    }

    /// What it reads.
    pub fn uses(&self) -> &Uses {
        &self.uses
    }

    pub(super) fn tree(&self) -> &IdedExpr {
        &self.tree
    }

    /// A part of it, which is within all bounds too.
    pub(super) fn part(&self, tree: &IdedExpr) -> Self {
        Self { tree: Arc::new(tree.clone()), uses: self.uses.clone() }
    }

    /// The value for some variables. The error is for the log and for operators: it can hold values of the request.
    pub(super) fn evaluate(
        &self,
        variables: impl IntoIterator<Item = (&'static str, CelValue)>,
    ) -> Result<CelValue, String> {
        let mut context = Context::with_env(Arc::clone(&ENV));
        for (name, value) in variables {
            context.add_variable_from_value(name, value);
        }
        CelValue::resolve(&self.tree, &context).map_err(|error| error.to_string())
    }
}

impl Scope {
    /// The names that stand alone.
    const fn roots(self) -> &'static [&'static str] {
        match self {
            Scope::Call => &["request"],
            Scope::Row => &["request", "resource"],
            Scope::Object => &["request", "path"],
            Scope::Event => &["event"],
        }
    }
}

/// One visit of every node, with a stack of its own.
struct Walk<'s> {
    source: &'s str,
    scope: Scope,
    uses: Uses,
    additions: usize,
}

/// A node to visit, and where it stands.
struct Place<'t> {
    node: &'t IdedExpr,
    depth: usize,
    /// Variables that comprehensions around it bind.
    bound: Vec<&'t str>,
    comprehensions: usize,
}

impl<'t> Place<'t> {
    fn child(&self, node: &'t IdedExpr) -> Self {
        Self { node, depth: self.depth + 1, bound: self.bound.clone(), comprehensions: self.comprehensions }
    }
}

impl Walk<'_> {
    fn over(mut self, tree: &IdedExpr) -> Result<Uses, ExpressionError> {
        let mut open = vec![Place { node: tree, depth: 1, bound: Vec::new(), comprehensions: 0 }];
        let mut nodes = 0;
        while let Some(place) = open.pop() {
            nodes += 1;
            if nodes > NODES_MAX {
                return Err(ExpressionError::at_start(format!(
                    "the condition has more than {NODES_MAX} parts; make it smaller"
                )));
            }
            if place.depth > DEPTH_MAX {
                return Err(ExpressionError::too_deep());
            }
            self.visit(&place, &mut open)?;
        }
        Ok(self.uses)
    }

    fn visit<'t>(&mut self, place: &Place<'t>, open: &mut Vec<Place<'t>>) -> Result<(), ExpressionError> {
        match &place.node.expr {
            Expr::Unspecified | Expr::Struct(_) => {
                Err(ExpressionError::at_start("the condition has a part that is not supported"))
            }
            Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => self.ident(name, place),
            Expr::Select(select) => self.select(select, place, open),
            Expr::Call(call) => {
                self.call(call, place)?;
                open.extend(call.target.as_deref().into_iter().chain(&call.args).map(|node| place.child(node)));
                Ok(())
            }
            Expr::List(list) => {
                open.extend(list.elements.iter().map(|node| place.child(node)));
                Ok(())
            }
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        open.extend([place.child(&entry.key), place.child(&entry.value)]);
                    }
                }
                Ok(())
            }
            Expr::Comprehension(comprehension) => {
                self.uses.comprehension = true;
                if place.comprehensions > 0 {
                    return Err(ExpressionError::at_start(
                        "a list inside a list is gone over: a condition may use one level of all, exists, exists_one, map or filter",
                    ));
                }
                // The range may hold a comprehension of its own only if it is no part of this one's loop; chains are refused too.
                let outside = Place { comprehensions: 1, ..place.child(&comprehension.iter_range) };
                let mut bound = place.bound.clone();
                bound.extend([comprehension.iter_var.as_str(), comprehension.accu_var.as_str()]);
                bound.extend(comprehension.iter_var2.as_deref());
                let inside = [
                    &comprehension.loop_cond,
                    &comprehension.loop_step,
                    &comprehension.result,
                    &comprehension.accu_init,
                ];
                open.push(outside);
                open.extend(inside.map(|node| Place {
                    node,
                    depth: place.depth + 1,
                    bound: bound.clone(),
                    comprehensions: 1,
                }));
                Ok(())
            }
        }
    }

    fn ident(&mut self, name: &str, place: &Place<'_>) -> Result<(), ExpressionError> {
        if place.bound.contains(&name) {
            return Ok(());
        }
        let roots = self.scope.roots();
        if !roots.contains(&name) {
            return Err(self.unknown(name, roots, "is not known in a condition"));
        }
        if name == "request" {
            self.uses.all_params = true;
        }
        Ok(())
    }

    /// A chain of names from a root is taken as one: it says what the condition reads.
    fn select<'t>(
        &mut self,
        select: &'t cel::common::ast::SelectExpr,
        place: &Place<'t>,
        open: &mut Vec<Place<'t>>,
    ) -> Result<(), ExpressionError> {
        let mut fields = vec![select.field.as_str()];
        let mut node = &select.operand.expr;
        while let Expr::Select(inner) = node {
            fields.push(inner.field.as_str());
            if place.depth + fields.len() > DEPTH_MAX {
                return Err(ExpressionError::too_deep());
            }
            node = &inner.operand.expr;
        }
        fields.reverse();
        match node {
            Expr::Ident(root) if !place.bound.contains(&root.as_str()) => self.chain(root, &fields, place),
            _ => {
                open.push(place.child(&select.operand));
                Ok(())
            }
        }
    }

    fn chain(&mut self, root: &str, fields: &[&str], place: &Place<'_>) -> Result<(), ExpressionError> {
        if !self.scope.roots().contains(&root) {
            return self.ident(root, place);
        }
        match (root, fields) {
            ("request", ["params"]) => self.uses.all_params = true,
            ("request", ["params", name, ..]) => {
                self.uses.params.insert((*name).to_owned());
            }
            ("request", ["auth" | "now"]) => {}
            ("request", ["auth", field, ..]) => {
                let known = ["sub", "roles", "type", "claims"];
                if !known.contains(field) {
                    return Err(self.unknown(field, &known, "is not a field of request.auth"));
                }
            }
            ("request", [field, ..]) => {
                return Err(self.unknown(field, &["auth", "params", "now"], "is not a field of request"));
            }
            ("event", ["payload"]) if self.scope == Scope::Event => {}
            ("event", ["payload", name, ..]) if self.scope == Scope::Event => {
                self.uses.params.insert((*name).to_owned());
            }
            ("event", [field, ..]) if self.scope == Scope::Event => {
                return Err(self.unknown(field, &["payload"], "is not a field of event"));
            }
            ("resource", [column, ..]) if self.scope == Scope::Row => {
                self.uses.columns.insert((*column).to_owned());
            }
            ("path", [name, ..]) if self.scope == Scope::Object => {
                self.uses.path.insert((*name).to_owned());
            }
            _ => return self.ident(root, place),
        }
        Ok(())
    }

    fn call(&mut self, call: &CallExpr, place: &Place<'_>) -> Result<(), ExpressionError> {
        let name = call.func_name.as_str();
        let of_macro =
            matches!(call.args.first().map(|node| &node.expr), Some(Expr::Ident(name)) if name.starts_with('@'));
        if name == operators::ADD && !of_macro {
            self.additions += 1;
            if self.additions > ADDITIONS_MAX {
                return Err(ExpressionError::at_start(format!("a condition adds at most {ADDITIONS_MAX} times")));
            }
        }
        if OPERATORS.contains(&name) {
            return Ok(());
        }
        if !FUNCTIONS.contains(&name) {
            return Err(self.unknown(name, FUNCTIONS, "is not a function of conditions"));
        }
        if name != "matches" {
            return Ok(());
        }
        if place.comprehensions > 0 {
            return Err(
                self.error_at_word("matches", "matches cannot be used inside all, exists, exists_one, map or filter")
            );
        }
        match call.args.last().map(|node| &node.expr) {
            Some(Expr::Literal(LiteralValue::String(pattern))) => {
                regex::RegexBuilder::new(pattern.inner()).size_limit(PATTERN_BYTES_MAX).build().map(drop).map_err(
                    |error| {
                        self.error_at_word(
                            "matches",
                            &format!("the pattern cannot be used: {}", last_line(&error.to_string())),
                        )
                    },
                )
            }
            _ => Err(self.error_at_word("matches", "the pattern of matches must be a literal")),
        }
    }

    fn unknown(&self, name: &str, known: &[&str], what: &str) -> ExpressionError {
        let mut error = self.error_at_word(name, &format!("{name:?} {what}"));
        error.hint = Some(match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("known are {}", known.join(", ")),
        });
        error
    }

    /// The tree carries no places, so a name is looked for in the source, outside of string literals.
    fn error_at_word(&self, word: &str, message: &str) -> ExpressionError {
        let (line, column) = place_of_word(self.source, word).unwrap_or((1, 1));
        let width = u32::try_from(word.chars().count()).unwrap_or(0);
        ExpressionError { line, column, width, message: message.to_owned(), hint: None }
    }
}

fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or_default().trim_start_matches("error: ")
}

/// Brackets that leave no trace in the tree are bounded in the source, for the parser's sake. One in a string counts too.
fn bracket_depth(source: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in source.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

fn place_of_word(source: &str, word: &str) -> Option<(u32, u32)> {
    let (mut line, mut column) = (1, 1);
    let mut quote = None;
    let mut previous = ' ';
    for (at, c) in source.char_indices() {
        let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
        match quote {
            None if matches!(c, '"' | '\'') => quote = Some(c),
            None => {
                let ends = source[at..].strip_prefix(word).is_some_and(|rest| !rest.starts_with(part_of_word));
                if ends && !part_of_word(previous) {
                    return Some((line, column));
                }
            }
            Some(open) if c == open && previous != '\\' => quote = None,
            Some(_) => {}
        }
        (line, column) = if c == '\n' { (line + 1, 1) } else { (line, column + 1) };
        previous = c;
    }
    None
}

impl ExpressionError {
    pub(super) fn at_start(message: impl Into<String>) -> Self {
        Self { line: 1, column: 1, width: 0, message: message.into(), hint: None }
    }

    fn too_deep() -> Self {
        Self::at_start(format!("the condition is nested deeper than {DEPTH_MAX} levels; make it flatter"))
    }

    fn from_parser(errors: &cel::parser::ParseErrors) -> Self {
        // The parser goes on after an error and can give up later; the first thing that it says of the source counts.
        let of_source = |error: &&cel::parser::ParseError| error.pos.0 > 0;
        let first = errors.errors.iter().find(of_source).or_else(|| errors.errors.first());
        let Some(first) = first else { return Self::at_start("the condition cannot be read") };
        let number = |n: isize| u32::try_from(n).unwrap_or(1).max(1);
        let message = first.msg.lines().next().unwrap_or_default();
        let message = message.strip_prefix("Syntax error: ").unwrap_or(message);
        Self {
            line: number(first.pos.0),
            column: number(first.pos.1),
            width: 0,
            message: format!("the condition cannot be read: {}", message.to_lowercase()),
            hint: None,
        }
    }
}
