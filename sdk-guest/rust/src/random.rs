//! Cryptographically secure randomness from the host.

use crate::bindings::santokit::runtime::random as host;

/// The most that the host gives in one call.
const MAX_CHUNK: usize = 65_536;

/// Random bytes, any number of them.
pub fn bytes(length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        let wanted = (length - bytes.len()).min(MAX_CHUNK);
        bytes.extend(host::bytes(u32::try_from(wanted).unwrap_or(u32::MAX)));
    }
    bytes.truncate(length);
    bytes
}

/// A random number over the whole range.
pub fn u64() -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes(8));
    u64::from_le_bytes(number)
}

/// A random number below `limit`, each equally likely; 0 where `limit` is 0.
pub fn below(limit: u64) -> u64 {
    if limit == 0 {
        return 0;
    }
    // The part of the range that `limit` does not divide evenly would favour small numbers.
    let unbiased = u64::MAX - u64::MAX % limit;
    loop {
        let number = u64();
        if number < unbiased {
            return number % limit;
        }
    }
}

/// A random UUID, version 4.
pub fn uuid() -> String {
    let mut uuid = bytes(16);
    uuid[6] = uuid[6] & 0x0f | 0x40;
    uuid[8] = uuid[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (index, byte) in uuid.into_iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.extend([byte >> 4, byte & 0x0f].into_iter().filter_map(|digit| char::from_digit(digit.into(), 16)));
    }
    text
}
