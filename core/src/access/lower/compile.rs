//! The tree of a condition as the form that is kept for requests, or everything in it that has no form in SQL.

use std::sync::Arc;

use cel::Value as CelValue;
use cel::common::ast::{CallExpr, Expr, IdedExpr, ListExpr, operators};

use super::{Given, Node, Side, fit, place::Places};
use crate::{
    access::{
        cel::{Expression, ExpressionError},
        predicate::{Field, Order, TextTest, comparable},
    },
    name::nearest,
    schema::{Table, Type},
};

pub(super) fn compile(source: &str, expression: &Expression, table: &Table) -> Result<Node, Vec<ExpressionError>> {
    let mut compiler =
        Compiler { places: Places::of(source, expression.tree()), expression, table, errors: Vec::new() };
    match compiler.truth(expression.tree()) {
        Some(node) if compiler.errors.is_empty() => Ok(node),
        _ => Err(compiler.errors),
    }
}

struct Compiler<'e> {
    places: Places<'e>,
    expression: &'e Expression,
    table: &'e Table,
    errors: Vec<ExpressionError>,
}

/// One side of a comparison.
enum Term {
    Null,
    Field(Field),
    Given(Given),
}

/// Every function gives `None` where it has noted an error; the walk goes on, so that all are reported together.
impl<'e> Compiler<'e> {
    fn truth(&mut self, tree: &'e IdedExpr) -> Option<Node> {
        if !mentions_row(tree) {
            return self.request_truth(tree);
        }
        if let Expr::Call(call) = &tree.expr {
            return self.call(tree, call);
        }
        let field = self.field(tree)?;
        if field.kind == Type::Boolean {
            return Some(Node::Holds(field));
        }
        let message =
            format!("resource.{} is of type {}, and so neither true nor false", field.name, field.kind.as_str());
        self.refuse(tree, message, "compare it with something")
    }

    /// A part without `resource`; a constant is looked at now.
    fn request_truth(&mut self, tree: &'e IdedExpr) -> Option<Node> {
        let part = self.expression.part(tree);
        if !mentions(tree, "request") {
            let message = match part.evaluate([]) {
                Ok(CelValue::Bool(_)) => return Some(Node::Request(part)),
                Ok(_) => "a constant in the condition is neither true nor false".to_owned(),
                Err(message) => format!("a constant in the condition cannot be evaluated: {message}"),
            };
            self.errors.push(ExpressionError::at_start(message));
            return None;
        }
        Some(Node::Request(part))
    }

    fn call(&mut self, tree: &'e IdedExpr, call: &'e CallExpr) -> Option<Node> {
        let order = match call.func_name.as_str() {
            operators::LOGICAL_AND => return self.parts(call).map(Node::All),
            operators::LOGICAL_OR => return self.parts(call).map(Node::Any),
            operators::LOGICAL_NOT => return Some(Node::Not(Box::new(self.truth(call.args.first()?)?))),
            operators::EQUALS => return self.equality(tree, call),
            operators::NOT_EQUALS => return Some(Node::Not(Box::new(self.equality(tree, call)?))),
            operators::IN => return self.membership(tree, call),
            "startsWith" => return self.text(tree, call, TextTest::StartsWith),
            "endsWith" => return self.text(tree, call, TextTest::EndsWith),
            "contains" => return self.text(tree, call, TextTest::Contains),
            operators::LESS => Order::Less,
            operators::LESS_EQUALS => Order::LessOrEqual,
            operators::GREATER => Order::Greater,
            operators::GREATER_EQUALS => Order::GreaterOrEqual,
            operators::CONDITIONAL => {
                let hint = "write it with && and ||, for example (a && b) || (!a && c)";
                return self.refuse(tree, "a choice (? :) about a row has no form in SQL", hint);
            }
            _ => return self.refuse_call(tree, call),
        };
        self.ordering(tree, call, order)
    }

    fn parts(&mut self, call: &'e CallExpr) -> Option<Vec<Node>> {
        // Both sides are looked at, also where one is wrong.
        let parts: Vec<Option<Node>> = call.args.iter().map(|part| self.truth(part)).collect();
        parts.into_iter().collect()
    }

    fn equality(&mut self, tree: &'e IdedExpr, call: &'e CallExpr) -> Option<Node> {
        let (left, right) = self.sides(call)?;
        match (left, right) {
            (Term::Field(field), Term::Null) | (Term::Null, Term::Field(field)) => Some(Node::IsNull(field)),
            (Term::Field(left), Term::Field(right)) => {
                self.check_fields(tree, &left, &right)?;
                Some(Node::SameField(left, right))
            }
            (Term::Field(field), Term::Given(given)) | (Term::Given(given), Term::Field(field)) => {
                self.check_given(tree, &field, &given)?;
                Some(Node::Same(field, given))
            }
            (Term::Null | Term::Given(_), Term::Null | Term::Given(_)) => None,
        }
    }

    fn ordering(&mut self, tree: &'e IdedExpr, call: &'e CallExpr, order: Order) -> Option<Node> {
        let (left, right) = self.sides(call)?;
        let (field, order, other) = match (left, right) {
            (Term::Field(field), other) => (field, order, other),
            (other, Term::Field(field)) => (field, order.flipped(), other),
            _ => return None,
        };
        if matches!(field.kind, Type::Boolean | Type::Bytes | Type::Json | Type::Array) {
            let message =
                format!("resource.{} is of type {}, which has no order here", field.name, field.kind.as_str());
            return self.refuse(tree, message, ordered_hint(field.kind));
        }
        match other {
            Term::Null => {
                self.refuse(tree, "nothing is less or greater than null", "compare with null by == and != only")
            }
            Term::Field(other) => {
                self.check_fields(tree, &field, &other)?;
                Some(Node::CompareField(field, order, other))
            }
            Term::Given(given) => {
                self.check_given(tree, &field, &given)?;
                Some(Node::Compare(field, order, given))
            }
        }
    }

    fn membership(&mut self, tree: &'e IdedExpr, call: &'e CallExpr) -> Option<Node> {
        let (element, list) = (call.args.first()?, call.args.get(1)?);
        if !mentions_row(list) {
            let field = self.field(element)?;
            self.check_comparable(element, &field)?;
            let given = self.given(list)?;
            if let Given::Value(value) = &given {
                match value {
                    CelValue::List(items) => {
                        for item in items.iter() {
                            self.check_value(element, &field, item)?;
                        }
                    }
                    _ => {
                        return self.refuse(
                            element,
                            "in needs a list here",
                            "for example resource.status in ['open', 'paid']",
                        );
                    }
                }
            }
            return Some(Node::OneOf(field, given));
        }
        let Expr::List(list) = &list.expr else {
            let hint = "keep one row for each element in a table of its own, or compare single columns";
            return self.refuse(list, "a column cannot be searched as a list", hint);
        };
        let sides = self.list(tree, list)?;
        if mentions_row(element) {
            let field = self.field(element)?;
            self.check_comparable(element, &field)?;
            for side in &sides {
                match side {
                    Side::Field(other) => self.check_fields(tree, &field, other)?,
                    Side::Given(given) => self.check_given(tree, &field, given)?,
                }
            }
            return Some(Node::OneOfSides(field, sides));
        }
        let given = self.given(element)?;
        for side in &sides {
            if let Side::Field(field) = side {
                self.check_comparable(tree, field)?;
                self.check_given(tree, field, &given)?;
            }
        }
        Some(Node::ValueIn(given, sides))
    }

    fn list(&mut self, tree: &'e IdedExpr, list: &'e ListExpr) -> Option<Vec<Side>> {
        if !list.optional_indices.is_empty() {
            return self.refuse(tree, "an optional element has no form in SQL", "leave the question mark out");
        }
        let sides: Vec<Option<Side>> = list.elements.iter().map(|element| self.side(element)).collect();
        sides.into_iter().collect()
    }

    fn text(&mut self, tree: &'e IdedExpr, call: &'e CallExpr, test: TextTest) -> Option<Node> {
        let (Some(subject), [wanted]) = (call.target.as_deref(), call.args.as_slice()) else {
            return self.refuse_call(tree, call);
        };
        let (subject, wanted) = (self.side(subject)?, self.side(wanted)?);
        for side in [&subject, &wanted] {
            match side {
                Side::Field(field) if !matches!(field.kind, Type::String | Type::File) => {
                    let message = format!("resource.{} is of type {}, not text", field.name, field.kind.as_str());
                    return self.refuse(tree, message, "startsWith, endsWith and contains are for columns of text");
                }
                Side::Given(Given::Value(value)) if !matches!(value, CelValue::String(_)) => {
                    return self.refuse(tree, "startsWith, endsWith and contains look for text", "put it in quotes");
                }
                Side::Field(_) | Side::Given(_) => {}
            }
        }
        Some(Node::Text(subject, test, wanted))
    }

    fn sides(&mut self, call: &'e CallExpr) -> Option<(Term, Term)> {
        let (left, right) = (call.args.first()?, call.args.get(1)?);
        let (left, right) = (self.term(left), self.term(right));
        Some((left?, right?))
    }

    fn term(&mut self, tree: &'e IdedExpr) -> Option<Term> {
        match self.side(tree)? {
            Side::Field(field) => Some(Term::Field(field)),
            Side::Given(Given::Value(CelValue::Null)) => Some(Term::Null),
            Side::Given(given) => Some(Term::Given(given)),
        }
    }

    fn side(&mut self, tree: &'e IdedExpr) -> Option<Side> {
        if mentions_row(tree) { self.field(tree).map(Side::Field) } else { self.given(tree).map(Side::Given) }
    }

    /// A part without `resource`, as a constant where it is one.
    fn given(&mut self, tree: &'e IdedExpr) -> Option<Given> {
        if is_subject(tree) {
            return Some(Given::Subject);
        }
        let part = self.expression.part(tree);
        if mentions(tree, "request") {
            return Some(Given::Request(part));
        }
        match part.evaluate([]) {
            Ok(value) => Some(Given::Value(value)),
            Err(message) => {
                let message = format!("a constant in the condition cannot be evaluated: {message}");
                self.errors.push(ExpressionError::at_start(message));
                None
            }
        }
    }

    /// A part that must be `resource.<column>` itself.
    fn field(&mut self, tree: &'e IdedExpr) -> Option<Field> {
        if let Expr::Select(select) = &tree.expr
            && matches!(&select.operand.expr, Expr::Ident(root) if root == "resource")
        {
            let name = select.field.as_str();
            if select.test {
                let hint = format!("a row has all its columns: write resource.{name} != null");
                return self.refuse(tree, format!("has(resource.{name}) is always true"), hint);
            }
            return self.column(tree, name);
        }
        match &tree.expr {
            Expr::Call(call) => self.refuse_call(tree, call),
            Expr::Select(_) => self.refuse(
                tree,
                "a part inside of a column has no form in SQL",
                "keep what rules need in a column of its own",
            ),
            Expr::Comprehension(_) => self.refuse(
                tree,
                "all, exists, exists_one, map and filter about a row have no form in SQL",
                "in tests whether a column is one of a list: resource.status in request.auth.claims.statuses",
            ),
            Expr::Ident(_) => {
                self.refuse(tree, "the row as a whole cannot be compared", "name a column: resource.<column>")
            }
            _ => self.refuse(tree, "a list or map of columns has no form in SQL here", "compare single columns"),
        }
    }

    fn column(&mut self, tree: &'e IdedExpr, name: &str) -> Option<Field> {
        let id = (&self.table.id.name, self.table.id.kind);
        let columns = || self.table.columns.iter().map(|column| (&column.name, column.kind)).chain([id]);
        if let Some((name, kind)) = columns().find(|(column, _)| *column == name) {
            return Some(Field { name: Arc::from(name.as_str()), kind });
        }
        let hint = match nearest(name, columns().map(|(name, _)| name.as_str())) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("columns are {}", columns().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")),
        };
        self.refuse(tree, format!("the condition reads resource.{name}, but the table has no such column"), hint)
    }

    fn check_fields(&mut self, tree: &'e IdedExpr, left: &Field, right: &Field) -> Option<()> {
        if comparable(left.kind, right.kind) {
            return Some(());
        }
        let message = format!(
            "resource.{} is of type {}, resource.{} of type {}: they cannot be compared",
            left.name,
            left.kind.as_str(),
            right.name,
            right.kind.as_str()
        );
        self.refuse(tree, message, "compare columns of one type, or whole numbers with float or decimal")
    }

    fn check_comparable(&mut self, tree: &'e IdedExpr, field: &Field) -> Option<()> {
        if comparable(field.kind, field.kind) {
            return Some(());
        }
        let message =
            format!("resource.{} is of type {}, which compares with null only", field.name, field.kind.as_str());
        self.refuse(tree, message, "keep what rules need in a column of its own")
    }

    fn check_given(&mut self, tree: &'e IdedExpr, field: &Field, given: &Given) -> Option<()> {
        self.check_comparable(tree, field)?;
        match given {
            Given::Value(value) => self.check_value(tree, field, value),
            Given::Subject | Given::Request(_) => Some(()),
        }
    }

    /// A constant has to be of the column's type: nothing else was meant.
    fn check_value(&mut self, tree: &'e IdedExpr, field: &Field, value: &CelValue) -> Option<()> {
        if fit::is_of_type(field.kind, value) {
            return Some(());
        }
        let message = format!(
            "resource.{} is of type {}, and is compared with {}",
            field.name,
            field.kind.as_str(),
            fit::describe(value)
        );
        self.refuse(tree, message, format!("write {}", fit::example(field.kind)))
    }

    fn refuse_call<T>(&mut self, tree: &'e IdedExpr, call: &CallExpr) -> Option<T> {
        let (message, hint) = match call.func_name.as_str() {
            operators::INDEX => (
                "an element of a column has no form in SQL".to_owned(),
                "write resource.<column>, and keep what rules need in a column of its own",
            ),
            operators::ADD
            | operators::SUBSTRACT
            | operators::MULTIPLY
            | operators::DIVIDE
            | operators::MODULO
            | operators::NEGATE => (
                "a computation with a column has no form in SQL here".to_owned(),
                "bring it to the other side: resource.createdAt > request.now - duration('24h')",
            ),
            operators::EQUALS
            | operators::NOT_EQUALS
            | operators::LESS
            | operators::LESS_EQUALS
            | operators::GREATER
            | operators::GREATER_EQUALS
            | operators::LOGICAL_AND
            | operators::LOGICAL_OR
            | operators::LOGICAL_NOT
            | operators::IN => (
                "a truth about a row cannot be compared or searched".to_owned(),
                "combine truths with &&, || and ! instead",
            ),
            operators::CONDITIONAL => (
                "a choice (? :) about a row has no form in SQL".to_owned(),
                "write it with && and ||, for example (a && b) || (!a && c)",
            ),
            "matches" => (
                "engines differ in regular expressions, so matches has no form in SQL".to_owned(),
                "use startsWith, endsWith or contains",
            ),
            name => (
                format!("{name} of a column has no form in SQL"),
                "compare the column itself; functions may be used on constants and request values",
            ),
        };
        self.refuse(tree, message, hint)
    }

    fn refuse<T>(&mut self, tree: &'e IdedExpr, message: impl Into<String>, hint: impl Into<String>) -> Option<T> {
        let (line, column, width) = self.places.of_row_in(tree);
        self.errors.push(ExpressionError { line, column, width, message: message.into(), hint: Some(hint.into()) });
        None
    }
}

const fn ordered_hint(kind: Type) -> &'static str {
    match kind {
        Type::Boolean => "write the column by itself, or ! before it",
        Type::Bytes => "compare bytes with == and != only",
        _ => "it compares with null only",
    }
}

/// `request.auth.sub`
fn is_subject(tree: &IdedExpr) -> bool {
    let mut left = tree;
    for name in ["sub", "auth"] {
        match &left.expr {
            Expr::Select(select) if select.field == name && !select.test => left = &select.operand,
            _ => return false,
        }
    }
    matches!(&left.expr, Expr::Ident(name) if name == "request")
}

fn mentions_row(tree: &IdedExpr) -> bool {
    mentions(tree, "resource")
}

/// Whether a name stands in the tree, also one that a macro binds: that is refused rather than misread.
fn mentions(tree: &IdedExpr, name: &str) -> bool {
    let mut found = false;
    super::place::idents(tree, &mut |ident, _| found |= ident == name);
    found
}
