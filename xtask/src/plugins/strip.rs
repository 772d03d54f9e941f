//! Takes the custom sections out of a component: names and lines for debugging, which have the paths of the machine that made it in them.
//!
//! A component and the core modules in it are a preamble and sections, each an id, a length in LEB128 and so many bytes
//! (<https://webassembly.github.io/spec/core/binary/modules.html#sections>,
//! <https://github.com/WebAssembly/component-model/blob/main/design/mvp/Binary.md>).

use anyhow::{Context as _, bail};

const PREAMBLE_BYTES: usize = 8;
const CUSTOM: u8 = 0;
/// Of a component, what is a module or a component itself.
const NESTED: [u8; 2] = [1, 4];
/// The layer in the preamble, where a component has a one.
const LAYER: usize = 6;

/// The same without custom sections, at any depth.
pub(super) fn strip(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let preamble = bytes.get(..PREAMBLE_BYTES).context("no preamble")?;
    if !preamble.starts_with(b"\0asm") {
        bail!("neither a module nor a component");
    }
    let is_component = preamble[LAYER] == 1;
    let mut stripped = preamble.to_vec();
    let mut at = PREAMBLE_BYTES;
    while at < bytes.len() {
        let id = bytes[at];
        let (length, start) = unsigned(bytes, at + 1)?;
        let end = start.checked_add(length).context("a section is too long")?;
        let content = bytes.get(start..end).context("a section ends behind the file")?;
        at = end;
        if id == CUSTOM {
            continue;
        }
        let content = if is_component && NESTED.contains(&id) { strip(content)? } else { content.to_vec() };
        stripped.push(id);
        push_unsigned(&mut stripped, content.len());
        stripped.extend(content);
    }
    Ok(stripped)
}

/// A number in LEB128, and where it ends.
fn unsigned(bytes: &[u8], mut at: usize) -> anyhow::Result<(usize, usize)> {
    let (mut value, mut shift) = (0_usize, 0_u32);
    loop {
        let byte = *bytes.get(at).context("a number has no end")?;
        at += 1;
        if shift > 28 {
            bail!("a number is too long");
        }
        value |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return Ok((value, at));
        }
    }
}

fn push_unsigned(bytes: &mut Vec<u8>, mut value: usize) {
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or_default();
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(id: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![id];
        push_unsigned(&mut bytes, content.len());
        bytes.extend(content);
        bytes
    }

    #[test]
    fn custom_sections_go_at_any_depth_and_nothing_else() {
        let module = |sections: &[Vec<u8>]| [b"\0asm\x01\0\0\0".to_vec(), sections.concat()].concat();
        let component = |sections: &[Vec<u8>]| [b"\0asm\x0d\0\x01\0".to_vec(), sections.concat()].concat();
        let (names, code) = (section(0, b"\x04name"), section(10, &[7; 300]));
        let whole = component(&[
            section(1, &module(&[code.clone(), names.clone()])),
            section(4, &component(&[names.clone(), section(7, b"\0")])),
            names,
        ]);
        let expected = component(&[section(1, &module(&[code])), section(4, &component(&[section(7, b"\0")]))]);
        assert_eq!(strip(&whole).unwrap(), expected);
        assert_eq!(strip(&expected).unwrap(), expected);
    }

    #[test]
    fn what_is_cut_is_refused() {
        for bytes in [
            &b"\0as"[..],
            b"ELF\x01\0\0\0\0",
            b"\0asm\x01\0\0\0\x0a\x05\0",
            b"\0asm\x01\0\0\0\x0a\x80\x80\x80\x80\x80\x01",
        ] {
            assert!(strip(bytes).is_err(), "{bytes:?}");
        }
    }
}
