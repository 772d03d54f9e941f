//! Two functions that every component gets at its end when it is compiled, so that the supply can prepare an instance without knowing where its
//! memory lies: one writes pages as they are, so that the kernel has given them before a call needs them; one sums a page up, so that it is known
//! which ones calls write.
//!
//! They are code of the guest's own world: they reach its memory and nothing else, within its bounds, and change nothing in it. Nobody calls them
//! but the supply. The component's digest, its imports and what it exports to others are looked at without them.

use std::ops::Range;

use wasmparser::{
    CanonicalFunction, CanonicalOption, ComponentInstance, ComponentInstanceSectionReader, Encoding, Instance, Parser,
    Payload, ValidPayload, Validator, WasmFeatures, types::Types,
};

/// `func(page: u32, count: u32, zero: u32)`. `zero` is 0, which the compiler does not know: it leaves out what changes nothing.
pub(crate) const TOUCH: &str = "santokit-touch-pages";
/// `func(page: u32) -> u64`; 0 behind the end of the memory, and never before it.
pub(crate) const SUM: &str = "santokit-sum-page";
/// Behind the name of what is kept compiled: another extension is another component.
pub(super) const VERSION: &str = "touching 1";

/// The pool has 64 for each component.
const INSTANCES_MAX: usize = 60;

/// The module of both, as `tests` has it in words.
const MODULE: [u8; 170] = [
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x0c, 0x02, 0x60, 0x03, 0x7f, 0x7f, 0x7f, 0x00, 0x60, 0x01,
    0x7f, 0x01, 0x7e, 0x02, 0x08, 0x01, 0x01, 0x6d, 0x01, 0x6d, 0x02, 0x00, 0x00, 0x03, 0x03, 0x02, 0x00, 0x01, 0x07,
    0x09, 0x02, 0x01, 0x74, 0x00, 0x00, 0x01, 0x73, 0x00, 0x01, 0x0a, 0x78, 0x02, 0x2e, 0x01, 0x01, 0x7f, 0x20, 0x01,
    0x04, 0x40, 0x03, 0x40, 0x20, 0x00, 0x41, 0x0c, 0x74, 0x22, 0x03, 0x20, 0x03, 0x2d, 0x00, 0x00, 0x20, 0x02, 0x73,
    0x3a, 0x00, 0x00, 0x20, 0x00, 0x41, 0x01, 0x6a, 0x21, 0x00, 0x20, 0x01, 0x41, 0x01, 0x6b, 0x22, 0x01, 0x0d, 0x00,
    0x0b, 0x0b, 0x0b, 0x47, 0x02, 0x02, 0x7f, 0x01, 0x7e, 0x20, 0x00, 0x3f, 0x00, 0x41, 0x04, 0x74, 0x4f, 0x04, 0x40,
    0x42, 0x00, 0x0f, 0x0b, 0x20, 0x00, 0x41, 0x0c, 0x74, 0x22, 0x01, 0x41, 0x80, 0x20, 0x6a, 0x21, 0x02, 0x03, 0x40,
    0x20, 0x03, 0x20, 0x01, 0x29, 0x03, 0x00, 0x85, 0x42, 0xb3, 0x83, 0x80, 0x80, 0x80, 0x20, 0x7e, 0x21, 0x03, 0x20,
    0x01, 0x41, 0x08, 0x6a, 0x22, 0x01, 0x20, 0x02, 0x47, 0x0d, 0x00, 0x0b, 0x20, 0x03, 0x42, 0x01, 0x84, 0x0b,
];

/// The component with the two functions; as it is where there is no memory that they could be for.
pub(super) fn extend(bytes: Vec<u8>) -> Vec<u8> {
    extended(&bytes).unwrap_or(bytes)
}

/// Whether a component has exports of its own under these names. Those are never called.
pub(super) fn is_taken<'a>(mut exports: impl Iterator<Item = &'a String>) -> bool {
    exports.any(|name| [TOUCH, SUM].iter().any(|mine| name.eq_ignore_ascii_case(mine)))
}

/// A component, or one that is in it, while it is read. Toolchains put the guest into a component of its own, some of them twice.
#[derive(Default)]
struct Level {
    /// Where it begins.
    start: usize,
    /// Of the first function that it lifts, which is the handler or beside it.
    memory: Option<u32>,
    /// Instances of core modules, in it and in those in it.
    core_instances: usize,
    /// Components in it.
    inner: Vec<Inner>,
    /// Instances of components by their number: of which component.
    instances: Vec<(u32, u32)>,
}

struct Inner {
    /// All of its section.
    section: Range<usize>,
    /// Its number.
    component: u32,
    core_instances: usize,
    /// It with the two functions.
    extended: Option<Vec<u8>>,
}

fn extended(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    let (mut levels, mut sections) = (Vec::<Option<Level>>::new(), Vec::new());
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.ok()?;
        let before =
            validator.types(0).map_or([0, 0], |types| [types.component_count(), types.component_instance_count()]);
        match &payload {
            Payload::Version { encoding: Encoding::Module, .. } => levels.push(None),
            Payload::Version { range, .. } => levels.push(Some(Level { start: range.start, ..Level::default() })),
            Payload::ComponentSection { unchecked_range, .. } => {
                sections.push((section_of(bytes, unchecked_range)?, before[0]));
            }
            Payload::ComponentInstanceSection(section) => {
                levels.last_mut()?.as_mut()?.read_instances(before[1], section)?;
            }
            payload => {
                if let Some(Some(level)) = levels.last_mut() {
                    level.read(payload)?;
                }
            }
        }
        // Bodies of functions are left out: only what is counted is of interest, and the gate has looked at them.
        if let ValidPayload::End(types) = validator.payload(&payload).ok()?
            && let Some(level) = levels.pop()?
        {
            let Some(around) = levels.last_mut() else { return level.end(bytes, bytes.len(), &types) };
            let (section, component) = sections.pop()?;
            let core_instances = level.core_instances;
            let extended = level.end(bytes, section.end, &types);
            let around = around.as_mut()?;
            around.core_instances += core_instances;
            around.inner.push(Inner { section, component, core_instances, extended });
        }
    }
    None
}

/// From its first byte. None where its length is not written as every toolchain writes it.
fn section_of(bytes: &[u8], body: &Range<usize>) -> Option<Range<usize>> {
    let mut head = vec![4];
    number(&mut head, u32::try_from(body.len()).ok()?);
    let start = body.start.checked_sub(head.len())?;
    (bytes.get(start..body.start)? == head).then_some(start..body.end)
}

impl Level {
    /// None where it cannot be read.
    fn read(&mut self, payload: &Payload<'_>) -> Option<()> {
        match payload {
            Payload::InstanceSection(section) => {
                for instance in section.clone() {
                    self.core_instances += usize::from(matches!(instance.ok()?, Instance::Instantiate { .. }));
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section.clone() {
                    if is_taken([export.ok()?.name.name.to_owned()].iter()) {
                        return None;
                    }
                }
            }
            Payload::ComponentCanonicalSection(section) if self.memory.is_none() => {
                for function in section.clone() {
                    let CanonicalFunction::Lift { options, .. } = function.ok()? else { continue };
                    let memory = options.iter().find_map(|option| match option {
                        CanonicalOption::Memory(memory) => Some(*memory),
                        _ => None,
                    });
                    self.memory = self.memory.or(memory);
                }
            }
            _ => {}
        }
        Some(())
    }

    fn read_instances(&mut self, first: u32, section: &ComponentInstanceSectionReader<'_>) -> Option<()> {
        for (number, instance) in (first..).zip(section.clone()) {
            if let ComponentInstance::Instantiate { component_index, .. } = instance.ok()? {
                self.instances.push((number, component_index));
            }
        }
        Some(())
    }

    /// All of it with the functions: for the memory of its own guest, or through the one component in it that has them.
    fn end(self, bytes: &[u8], end: usize, types: &Types) -> Option<Vec<u8>> {
        let instances = |of: u32| self.instances.iter().filter(move |(_, component)| *component == of);
        // What is made several times is not counted here, and might be more than the pool has.
        let is_countable =
            self.inner.iter().all(|inner| inner.core_instances == 0 || instances(inner.component).count() < 2);
        if self.core_instances >= INSTANCES_MAX || !is_countable {
            return None;
        }
        let mut all = bytes.get(self.start..end)?.to_vec();
        if let Some(memory) = self.memory {
            all.extend(appended(types, memory)?);
            return Some(all);
        }
        let inner =
            self.inner.iter().find(|inner| inner.extended.is_some() && instances(inner.component).count() == 1)?;
        let (instance, _) = instances(inner.component).next()?;
        all.truncate(inner.section.start - self.start);
        section(&mut all, 4, inner.extended.as_ref()?)?;
        all.extend(bytes.get(inner.section.end..end)?);
        all.extend(passed_on(types, *instance)?);
        Some(all)
    }
}

/// The two functions of an instance in a component, as the component's own.
fn passed_on(types: &Types, instance: u32) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    let mut aliases = vec![2];
    for export in [TOUCH, SUM] {
        aliases.extend([1, 0]);
        number(&mut aliases, instance);
        name(&mut aliases, export)?;
    }
    section(&mut all, 6, &aliases)?;
    section(&mut all, 11, &exports(types.as_ref().component_function_count())?)?;
    Some(all)
}

fn exports(first: u32) -> Option<Vec<u8>> {
    let mut exports = vec![2];
    for (function, export) in (first..).zip([TOUCH, SUM]) {
        exports.push(0);
        name(&mut exports, export)?;
        exports.push(1);
        number(&mut exports, function);
        exports.push(0);
    }
    Some(exports)
}

/// Everything in a component is known by its number, and what stands at the end changes no number before it.
fn appended(types: &Types, memory: u32) -> Option<Vec<u8>> {
    let types = types.as_ref();
    let (module, instance) = (types.module_count(), types.core_instance_count());
    let (core_function, function) = (types.function_count(), types.component_function_count());
    let function_type = types.component_type_count();
    let mut all = Vec::new();
    section(&mut all, 1, &MODULE)?;

    // An instance that has the memory, and one of the module with it.
    let mut instances = vec![2, 1, 1];
    name(&mut instances, "m")?;
    instances.push(2);
    number(&mut instances, memory);
    instances.push(0);
    number(&mut instances, module);
    instances.push(1);
    name(&mut instances, "m")?;
    instances.push(0x12);
    number(&mut instances, instance);
    section(&mut all, 2, &instances)?;

    let mut aliases = vec![2];
    for export in ["t", "s"] {
        aliases.extend([0, 0, 1]);
        number(&mut aliases, instance + 1);
        name(&mut aliases, export)?;
    }
    section(&mut all, 6, &aliases)?;

    let mut function_types = vec![2, 0x40, 3];
    for param in ["page", "count", "zero"] {
        name(&mut function_types, param)?;
        function_types.push(U32);
    }
    function_types.extend([1, 0, 0x40, 1]);
    name(&mut function_types, "page")?;
    function_types.extend([U32, 0, U64]);
    section(&mut all, 7, &function_types)?;

    let mut lifts = vec![2];
    for place in [0, 1] {
        lifts.extend([0, 0]);
        number(&mut lifts, core_function + place);
        lifts.push(0);
        number(&mut lifts, function_type + place);
    }
    section(&mut all, 8, &lifts)?;
    section(&mut all, 11, &exports(function)?)?;
    Some(all)
}

/// Of the component's types.
const U32: u8 = 0x79;
const U64: u8 = 0x77;

fn section(all: &mut Vec<u8>, id: u8, body: &[u8]) -> Option<()> {
    all.push(id);
    number(all, u32::try_from(body.len()).ok()?);
    all.extend(body);
    Some(())
}

fn name(all: &mut Vec<u8>, name: &str) -> Option<()> {
    number(all, u32::try_from(name.len()).ok()?);
    all.extend(name.as_bytes());
    Some(())
}

/// LEB128.
fn number(all: &mut Vec<u8>, mut number: u32) {
    while number > 0x7f {
        all.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    all.push(number.to_le_bytes()[0]);
}

#[cfg(test)]
mod tests;
