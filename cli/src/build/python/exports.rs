//! Closing the exports of a Python component that its source has no function for: the machine has all of them, and what a component is follows from
//! its exports. Such a one keeps its place, because others are counted after it, and loses its name.

use santokit_core::component::Handled;
use wasmparser::{Parser, Payload};

/// The component with only those of its exports to be given something by that are named, without a version.
pub(super) fn closed(mut component: Vec<u8>, named: &[String]) -> Result<Vec<u8>, String> {
    for handled in Handled::ALL {
        let export = handled.export();
        let (name, _) = export.split_once('@').unwrap_or((export, ""));
        if !named.iter().any(|known| known == name) {
            let at = place(&component, export)?;
            let bytes = component.get_mut(at..at + export.len()).ok_or("its exports cannot be read")?;
            bytes.copy_from_slice(absent(handled).as_bytes());
        }
    }
    Ok(component)
}

/// A name of the same length, of an interface that nothing asks for.
const fn absent(handled: Handled) -> &'static str {
    match handled {
        Handled::Call => "santokit:python/nocall@0.1.0",
        Handled::Event => "santokit:python/has-no-events@0.1.0",
        Handled::Cron => "santokit:python/has-no-crons@0.1.0",
    }
}

/// Where the name of an export of the outermost component stands.
fn place(component: &[u8], export: &str) -> Result<usize, String> {
    let (mut depth, mut found) = (0_u32, None);
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(|error| error.to_string())? {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentExportSection(section) if depth == 1 => {
                let range = section.range();
                let bytes = component.get(range.clone()).unwrap_or_default();
                let at = bytes.windows(export.len()).position(|window| window == export.as_bytes());
                found = found.or(at.map(|at| range.start + at));
            }
            _ => {}
        }
    }
    found.ok_or_else(|| format!("the Python component does not export {export}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_away_leaves_no_gap() {
        for handled in Handled::ALL {
            assert_eq!(absent(handled).len(), handled.export().len());
        }
    }
}
