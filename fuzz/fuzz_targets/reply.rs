#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| shiftproof_fuzz::reply(bytes));
