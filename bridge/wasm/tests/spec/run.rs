//! Runs the scripts of a suite on one of our engines, directive by directive, and tells what our settings refuse from what is wrong.

use std::collections::{BTreeMap, HashSet};

use santokit_wasm::{SandboxConfig, guest_engine};
use wasmtime::{Engine, Store, UpdateDeadline};
use wasmtime_wast::{Async, SpectestConfig, WastContext};

use crate::{
    component,
    expected::{KNOWN, refusal},
    script::{Directive, directives},
};

/// How the directives of one script went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// As the suite says.
    pub(crate) ran: usize,
    /// Refused because of a setting of ours, by setting.
    pub(crate) refused: BTreeMap<&'static str, usize>,
    /// Not run, because they rest on what was refused.
    pub(crate) resting: usize,
    /// Lines of directives that failed as they are known to.
    pub(crate) known: Vec<usize>,
    /// What is neither.
    pub(crate) failures: Vec<String>,
}

/// One of our engines: instances from the pool, or made on demand.
pub(crate) fn engine(is_pooled: bool) -> Engine {
    // A script keeps all of its instances; a store of ours never has as many.
    let config = SandboxConfig { instances_max: 1_000, ..SandboxConfig::default() };
    guest_engine(&config, is_pooled).unwrap()
}

/// The stores that guests get, but for what counts in their state, which is not there.
pub(crate) fn configure(store: &mut Store<()>) {
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Yield(1)));
}

/// Runs a script. `name` is what the list of known differences calls it.
pub(crate) fn run(engine: &Engine, name: &str, text: &str) -> Count {
    if text.contains("(component") {
        return component::run(engine, name, text);
    }
    let mut context = WastContext::new(engine, Async::Yes, configure);
    context.generate_dwarf(false);
    // Which words a refusal has is the engine's matter.
    context.ignore_error_messages(true);
    context.register_spectest(&SpectestConfig { use_shared_memory: false, suppress_prints: true }).unwrap();
    let mut script =
        Script { name, context, count: Count::default(), is_current_refused: false, refused: HashSet::new() };
    for directive in directives(text) {
        script.run(directive);
    }
    script.count
}

struct Script<'s> {
    name: &'s str,
    context: WastContext,
    count: Count,
    /// Whether the module that is meant where none is named is not there.
    is_current_refused: bool,
    /// Names of modules, with their `$`, and names that they would be registered under.
    refused: HashSet<String>,
}

impl<'s> Script<'s> {
    fn run(&mut self, directive: Directive<'s>) {
        let words = directive.words(4);
        match words.as_slice() {
            ["module" | "component", "instance", instance, of, ..] if self.refused.contains(*of) => {
                self.is_current_refused = true;
                self.refused.insert((*instance).to_owned());
                self.count.resting += 1;
            }
            ["module" | "component", "definition" | "instance", name, ..] | ["module" | "component", name, ..] => {
                let name = name.starts_with('$').then(|| (*name).to_owned());
                self.define(directive, name);
            }
            ["module" | "component"] => self.define(directive, None),
            ["register"] => self.register(directive),
            [_, "invoke" | "get", rest @ ..] | ["invoke" | "get", rest @ ..] if self.is_refused(rest.first()) => {
                self.count.resting += 1;
            }
            _ => drop(self.attempt(directive)),
        }
    }

    fn is_refused(&self, named: Option<&&str>) -> bool {
        named.filter(|name| name.starts_with('$')).map_or(self.is_current_refused, |name| self.refused.contains(*name))
    }

    fn define(&mut self, directive: Directive<'s>, name: Option<String>) {
        let is_there = self.attempt(directive);
        self.is_current_refused = !is_there;
        match name {
            Some(name) if is_there => drop(self.refused.remove(&name)),
            Some(name) => drop(self.refused.insert(name)),
            None => {}
        }
    }

    /// `(register "as" $name?)`.
    fn register(&mut self, directive: Directive<'s>) {
        let mut parts = directive.text.split('"').skip(1);
        let (name, of) = (parts.next().unwrap_or_default().to_owned(), parts.next().unwrap_or_default());
        let of = of.trim_end_matches(')').trim();
        if self.is_refused((!of.is_empty()).then_some(&of)) {
            self.refused.insert(name);
            self.count.resting += 1;
        } else if self.attempt(directive) {
            self.refused.remove(&name);
        }
    }

    /// Runs a directive by itself; whether it did as the suite says.
    fn attempt(&mut self, directive: Directive<'s>) -> bool {
        match self.context.run_wast(self.name, directive.text.as_bytes()) {
            Ok(()) => {
                self.count.ran += 1;
                true
            }
            Err(error) => {
                let refused = &self.refused;
                self.count.note(self.name, directive, &format!("{error:?}"), |error| rests_on(refused, error));
                false
            }
        }
    }
}

impl Count {
    /// Counts a directive that did not do as it says.
    pub(crate) fn note(
        &mut self,
        name: &str,
        directive: Directive<'_>,
        error: &str,
        rests_on_refused: impl FnOnce(&str) -> bool,
    ) {
        let known = KNOWN.iter().find(|(known, lines, _)| *known == name && lines.contains(&directive.line));
        if let Some((.., why)) = known {
            self.known.push(directive.line);
            *self.refused.entry(why).or_default() += 1;
        } else if let Some(setting) = refusal(error) {
            *self.refused.entry(setting).or_default() += 1;
        } else if rests_on_refused(error) {
            self.resting += 1;
        } else {
            let text = directive.text.lines().next().unwrap_or_default();
            self.failures.push(format!("{name}:{}: {text}\n{error}", directive.line));
        }
    }
}

/// Whether what is missing is an import from a module that was refused.
fn rests_on(refused: &HashSet<String>, error: &str) -> bool {
    let module = error.split_once("unknown import: `").and_then(|(_, import)| import.split_once("::"));
    module.is_some_and(|(module, _)| refused.contains(module))
}
