//! libFuzzer's way into `targets::envelope`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| santokit_fuzz::targets::envelope(data));
