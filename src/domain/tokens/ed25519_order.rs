//! The points of Ed25519 whose order divides eight. If such a point is the public key, anybody can
//! make signatures that verify.

/// The y-coordinates of these eight points, little-endian: 0, 1, two of order eight, and p - 1.
/// Those that still fit into 255 bits when the field's prime p is added are listed in that form,
/// too: p and p + 1.
#[rustfmt::skip]
const SMALL: [[u8; 32]; 7] = [
    [0; 32],
    [
        1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ],
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0,
        0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
        0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39,
        0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f,
        0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
        0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6,
        0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
    near_prime(0xec),
    near_prime(0xed),
    near_prime(0xee),
];

/// The field's prime is 2^255 - 19. The values near it differ from it in the lowest byte only.
const fn near_prime(lowest: u8) -> [u8; 32] {
    let mut bytes = [0xff; 32];
    bytes[0] = lowest;
    bytes[31] = 0x7f;
    bytes
}

/// Whether the encoded point is one of them. The highest bit is the sign of x and is ignored.
pub(super) fn is_small(point: &[u8]) -> bool {
    let Some((last, first)) = point.split_last() else { return false };
    SMALL.iter().any(|small| {
        small.split_last().is_some_and(|(top, rest)| rest == first && *top == last & 0x7f)
    })
}
