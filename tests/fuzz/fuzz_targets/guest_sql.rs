//! libFuzzer's way into `targets::guest_sql`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| santokit_fuzz::targets::guest_sql(data));
