//! What a rule asks of a row, in words that a person reads at a glance.

use santokit_bridge::db::json_value;
use santokit_core::access::predicate::{Operand, Order, Predicate, TextTest};

/// The whole of it.
pub(super) fn predicate(predicate: &Predicate) -> String {
    match predicate {
        Predicate::Constant(true) => "all".to_owned(),
        Predicate::Constant(false) => "none".to_owned(),
        Predicate::All(parts) => joined(parts, " and "),
        Predicate::Any(parts) => joined(parts, " or "),
        Predicate::Not(part) => format!("not {}", inner(part)),
        Predicate::Holds(field) => format!("{} is true", field.name),
        Predicate::IsNull(field) => format!("{} is null", field.name),
        Predicate::Same(field, operand) => format!("{} is {}", field.name, side(operand)),
        Predicate::OneOf(field, operands) => {
            format!("{} is one of {}", field.name, operands.iter().map(side).collect::<Vec<_>>().join(", "))
        }
        Predicate::Compare(field, order, operand) => {
            let sign = match order {
                Order::Less => "<",
                Order::LessOrEqual => "<=",
                Order::Greater => ">",
                Order::GreaterOrEqual => ">=",
            };
            format!("{} {sign} {}", field.name, side(operand))
        }
        Predicate::Text { subject, test, wanted } => {
            let test = match test {
                TextTest::StartsWith => "starts with",
                TextTest::EndsWith => "ends with",
                TextTest::Contains => "contains",
            };
            format!("{} {test} {}", side(subject), side(wanted))
        }
    }
}

fn joined(parts: &[Predicate], between: &str) -> String {
    parts.iter().map(inner).collect::<Vec<_>>().join(between)
}

fn inner(part: &Predicate) -> String {
    match part {
        Predicate::All(_) | Predicate::Any(_) => format!("({})", predicate(part)),
        part => predicate(part),
    }
}

fn side(operand: &Operand) -> String {
    match operand {
        Operand::Field(field) => field.name.to_string(),
        Operand::Value { kind, value } => json_value(kind.as_str(), value.clone()).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use santokit_core::{
        access::predicate::{Field, Predicate},
        schema::Type,
        value::Value,
    };

    use super::*;

    #[test]
    fn it_reads_as_a_sentence() {
        let field = |name: &str| Field { name: name.into(), kind: Type::String };
        let text = |text: &str| Operand::Value { kind: Type::String, value: Value::Text(text.to_owned()) };
        let either = Predicate::Any(vec![
            Predicate::Same(field("owner"), text("u1")),
            Predicate::Not(Box::new(Predicate::IsNull(field("sharedAt")))),
        ]);
        let both = Predicate::All(vec![either, Predicate::Holds(field("open"))]);
        assert_eq!(predicate(&both), r#"(owner is "u1" or not sharedAt is null) and open is true"#);
        assert_eq!(predicate(&Predicate::ALWAYS), "all");
    }
}
