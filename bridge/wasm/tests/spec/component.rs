//! Runs scripts about components. The runner of the core suites reads them only where the engine has the component model's async, which ours must
//! not have; so this one reads what is needed of them: what is refused, what traps, and what a function answers that takes and gives plain values.

use std::collections::HashMap;

use wasmtime::{
    Engine, Store,
    component::{Component, Instance, Linker, Val},
};

use crate::{
    run::{self, Count},
    script::{Directive, directives, forms},
};

/// Why a directive is left out.
const NOT_READ: &str = "not read: a value or an import that is the runner's";

/// How a directive ended that did not do as it says.
enum Ended {
    /// Otherwise.
    Failed(String),
    /// This runner cannot read it.
    NotRead,
}

/// Runs a script.
pub(crate) fn run(engine: &Engine, name: &str, text: &str) -> Count {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut script = Script { engine, runtime, current: None, definitions: HashMap::new() };
    let (mut count, mut is_current_refused) = (Count::default(), false);
    for directive in directives(text) {
        let words = directive.words(2);
        if is_current_refused && matches!(words.as_slice(), [_, "invoke"] | ["invoke", ..]) {
            count.resting += 1;
            continue;
        }
        let ended = script.run(directive);
        let is_component = words.first() == Some(&"component") && words.get(1) != Some(&"definition");
        is_current_refused = if is_component { ended.is_err() } else { is_current_refused };
        match ended {
            Ok(()) => count.ran += 1,
            Err(Ended::NotRead) => *count.refused.entry(NOT_READ).or_default() += 1,
            Err(Ended::Failed(why)) => count.note(name, directive, &why, |_| false),
        }
    }
    count
}

struct Script<'e> {
    engine: &'e Engine,
    runtime: tokio::runtime::Runtime,
    current: Option<(Store<()>, Instance)>,
    definitions: HashMap<String, Component>,
}

impl Script<'_> {
    fn run(&mut self, directive: Directive<'_>) -> Result<(), Ended> {
        match directive.words(4).as_slice() {
            ["component", "definition", name, ..] if name.starts_with('$') => {
                let component = self.compile(directive.text)?;
                self.definitions.insert((*name).to_owned(), component);
                Ok(())
            }
            ["component", "instance", _, of] => {
                let component = self.definitions.get(*of).cloned().ok_or(Ended::NotRead)?;
                self.instantiate(&component)
            }
            ["component", ..] => {
                let component = self.compile(directive.text)?;
                self.instantiate(&component)
            }
            ["assert_invalid" | "assert_malformed", ..] => refused(&self.compile(inner(directive)?.text)),
            ["assert_unlinkable", ..] => {
                let component = self.compile(inner(directive)?.text)?;
                refused(&self.instantiate(&component))
            }
            ["assert_trap", "component", ..] => {
                let component = self.compile(inner(directive)?.text)?;
                trapped(self.instantiate(&component), directive)
            }
            ["assert_trap", ..] => trapped(self.invoke(inner(directive)?).map(drop), directive),
            ["assert_return", ..] => {
                let expected = forms(inside(directive.text))[1..].iter().map(value).collect::<Option<Vec<Val>>>();
                let expected = expected.ok_or(Ended::NotRead)?;
                let found = self.invoke(inner(directive)?)?;
                if found == expected { Ok(()) } else { Err(Ended::Failed(format!("{found:?} and not {expected:?}"))) }
            }
            ["invoke", ..] => self.invoke(directive).map(drop),
            _ => Err(Ended::NotRead),
        }
    }

    fn compile(&self, text: &str) -> Result<Component, Ended> {
        let words = Directive { line: 1, text }.words(3);
        // Text in quotes is what is read; a definition is read without that word.
        let text = if words.contains(&"quote") {
            text.split('"').skip(1).step_by(2).collect::<Vec<_>>().join(" ")
        } else {
            text.replacen("(component definition", "(component", 1)
        };
        let bytes = wat::parse_str(text).map_err(|error| Ended::Failed(error.to_string()))?;
        Component::new(self.engine, bytes).map_err(|error| Ended::Failed(format!("{error:?}")))
    }

    fn instantiate(&mut self, component: &Component) -> Result<(), Ended> {
        let mut store = Store::new(self.engine, ());
        run::configure(&mut store);
        let linker = Linker::new(self.engine);
        let made = self.runtime.block_on(linker.instantiate_async(&mut store, component));
        let instance = made.map_err(|error| {
            let error = format!("{error:?}");
            if error.contains("matching implementation was not found in the linker") {
                Ended::NotRead
            } else {
                Ended::Failed(error)
            }
        })?;
        self.current = Some((store, instance));
        Ok(())
    }

    fn invoke(&mut self, action: Directive<'_>) -> Result<Vec<Val>, Ended> {
        let name = action.text.split('"').nth(1).unwrap_or_default();
        let given = forms(inside(action.text)).iter().map(value).collect::<Option<Vec<Val>>>().ok_or(Ended::NotRead)?;
        let (store, instance) = self.current.as_mut().ok_or(Ended::NotRead)?;
        let func = instance.get_func(&mut *store, name).ok_or(Ended::NotRead)?;
        let mut answers = vec![Val::Bool(false); func.ty(&*store).results().len()];
        self.runtime
            .block_on(func.call_async(&mut *store, &given, &mut answers))
            .map_err(|error| Ended::Failed(format!("{error:?}")))?;
        Ok(answers)
    }
}

fn refused<T>(ended: &Result<T, Ended>) -> Result<(), Ended> {
    match ended {
        Ok(_) => Err(Ended::Failed("it is taken".to_owned())),
        Err(Ended::NotRead) => Err(Ended::NotRead),
        Err(Ended::Failed(_)) => Ok(()),
    }
}

/// Whether it ended with the words that the directive has last.
fn trapped(ended: Result<(), Ended>, directive: Directive<'_>) -> Result<(), Ended> {
    let expected = directive.text.rsplit('"').nth(1).unwrap_or_default();
    match ended {
        Ok(()) => Err(Ended::Failed("it does not trap".to_owned())),
        Err(Ended::Failed(why)) if why.contains(expected) => Ok(()),
        Err(Ended::Failed(why)) => Err(Ended::Failed(format!("{why}\nand not {expected:?}"))),
        Err(Ended::NotRead) => Err(Ended::NotRead),
    }
}

/// What stands in the parentheses.
fn inside(text: &str) -> &str {
    text.get(1..text.len() - 1).unwrap_or_default()
}

fn inner(directive: Directive<'_>) -> Result<Directive<'_>, Ended> {
    forms(inside(directive.text)).first().copied().ok_or(Ended::NotRead)
}

/// `(u32.const 7)`, and the like.
fn value(form: &Directive<'_>) -> Option<Val> {
    let words = form.words(2);
    let number = || {
        let digits = words.get(1)?.replace('_', "");
        let (sign, digits) = digits.strip_prefix('-').map_or((1, digits.as_str()), |digits| (-1, digits));
        let number = match digits.strip_prefix("0x") {
            Some(digits) => i128::from_str_radix(digits, 16).ok()?,
            None => digits.parse::<i128>().ok()?,
        };
        Some(sign * number)
    };
    let quoted = || form.text.split('"').skip(1).step_by(2).map(str::to_owned);
    let parts = || forms(inside(form.text)).iter().map(value).collect::<Option<Vec<Val>>>();
    Some(match *words.first()? {
        "bool.const" => Val::Bool(*words.get(1)? == "true"),
        "s8.const" => Val::S8(i8::try_from(number()?).ok()?),
        "u8.const" => Val::U8(u8::try_from(number()?).ok()?),
        "s16.const" => Val::S16(i16::try_from(number()?).ok()?),
        "u16.const" => Val::U16(u16::try_from(number()?).ok()?),
        "s32.const" => Val::S32(i32::try_from(number()?).ok()?),
        "u32.const" => Val::U32(u32::try_from(number()?).ok()?),
        "s64.const" => Val::S64(i64::try_from(number()?).ok()?),
        "u64.const" => Val::U64(u64::try_from(number()?).ok()?),
        "str.const" if !form.text.contains('\\') => Val::String(quoted().next()?),
        "enum.const" => Val::Enum(quoted().next()?),
        "flags.const" => Val::Flags(quoted().collect()),
        "tuple.const" => Val::Tuple(parts()?),
        "list.const" => Val::List(parts()?),
        _ => return None,
    })
}
