//! Compares Argon2id in parts with published vectors and with a library.

#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect has failed")]

use argon2::{Algorithm, Argon2, Params, Version};
use argon2id::{Argon2id, Cost};
use proptest::prelude::*;

fn by_the_library(cost: Cost, tag_bytes: usize, password: &[u8], salt: &[u8]) -> Vec<u8> {
    let params = Params::new(cost.memory_kib, cost.passes, 1, Some(tag_bytes)).unwrap();
    let mut tag = vec![0; tag_bytes];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(password, salt, &mut tag).unwrap();
    tag
}

fn in_parts(cost: Cost, tag_bytes: usize, password: &[u8], salt: &[u8], blocks: usize) -> Vec<u8> {
    let mut hash = Argon2id::begin(cost, tag_bytes, password, salt);
    loop {
        if let Some(tag) = hash.go_on(blocks) {
            return tag;
        }
    }
}

fn byte_of_hex(digits: &[u8]) -> u8 {
    u8::from_str_radix(str::from_utf8(digits).unwrap(), 16).unwrap()
}

/// From the reference implementation's own tests, with one lane: 64 MiB and 256 KiB, two passes.
#[test]
fn the_vectors_of_the_reference_implementation_hold() {
    let vectors = [
        (65_536, "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7"),
        (256, "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe"),
    ];
    for (memory_kib, wanted) in vectors {
        let tag = in_parts(Cost { memory_kib, passes: 2 }, 32, b"password", b"somesalt", 10_000);
        let wanted: Vec<u8> = wanted.as_bytes().chunks(2).map(byte_of_hex).collect();
        assert_eq!(tag, wanted, "{memory_kib} KiB");
    }
}

#[test]
fn at_the_cost_of_stored_passwords_the_hash_is_the_librarys() {
    let cost = Cost { memory_kib: 19 * 1024, passes: 2 };
    let (password, salt) = (b"correct horse", [7; 16]);
    assert_eq!(in_parts(cost, 32, password, &salt, 512), by_the_library(cost, 32, password, &salt));
}

proptest! {
    #[test]
    fn at_any_cost_and_in_parts_of_any_size_the_hash_is_the_librarys(
        memory_kib in 8..1_200_u32,
        passes in 1..5_u32,
        tag_bytes in 4..=64_usize,
        blocks in 1..3_000_usize,
        password in prop::collection::vec(any::<u8>(), 0..200),
        salt in prop::collection::vec(any::<u8>(), 8..64),
    ) {
        let cost = Cost { memory_kib, passes };
        prop_assert_eq!(
            in_parts(cost, tag_bytes, &password, &salt, blocks),
            by_the_library(cost, tag_bytes, &password, &salt)
        );
    }
}
