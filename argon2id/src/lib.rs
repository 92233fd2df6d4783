//! Argon2id, version 0x13, with one lane (RFC 9106), computed in parts.
//!
//! A hash takes tens of milliseconds on an isolate's only thread, which serves nothing else
//! meanwhile. Libraries compute it in one call. This one can stop at any block, so that the isolate
//! serves other requests between the parts. `tests/library.rs` compares it with a library.

use blake2::digest::consts::U64;
use blake2::digest::{Digest, FixedOutput, Update, VariableOutput};
use blake2::{Blake2b, Blake2bVar};

const WORDS: usize = 128;
const BLOCK_BYTES: usize = 8 * WORDS;
/// A pass divides the memory into this many segments (RFC 9106, 3.4).
const SEGMENTS: usize = 4;
const VERSION: u32 = 0x13;
const TYPE_ID: u32 = 2;

/// 1 KiB of the memory.
type Block = [u64; WORDS];

/// The cost of a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// The memory, in KiB: at least 8.
    pub memory_kib: u32,
    /// The number of passes over the memory: at least 1.
    pub passes: u32,
}

/// A hash that is being computed.
pub struct Argon2id {
    cost: Cost,
    tag_bytes: usize,
    memory: Vec<Block>,
    /// The number of blocks computed so far, in all passes.
    done: usize,
    /// The first half of the first pass derives its addresses from `input`; `addresses` holds the
    /// current 128 of them.
    input: Block,
    addresses: Block,
}

impl Argon2id {
    /// Begins a hash. Values out of range are raised or lowered: the memory to at least 8 KiB, the
    /// passes to at least 1, the tag to 4 to 64 bytes.
    #[must_use]
    pub fn begin(cost: Cost, tag_bytes: usize, password: &[u8], salt: &[u8]) -> Self {
        let cost = Cost { memory_kib: cost.memory_kib.max(8), passes: cost.passes.max(1) };
        let tag_bytes = tag_bytes.clamp(4, 64);
        let blocks = cost.memory_kib as usize / SEGMENTS * SEGMENTS;
        let mut memory = vec![[0; WORDS]; blocks];
        let seed = seed(cost, tag_bytes, password, salt);
        for (index, block) in (0_u32..).zip(&mut memory[..2]) {
            let mut bytes = [0; BLOCK_BYTES];
            long_hash(&[&seed, &index.to_le_bytes(), &0_u32.to_le_bytes()], &mut bytes);
            for (word, bytes) in block.iter_mut().zip(bytes.as_chunks().0) {
                *word = u64::from_le_bytes(*bytes);
            }
        }
        let mut input = [0; WORDS];
        input[3] = blocks as u64;
        input[4] = cost.passes.into();
        input[5] = TYPE_ID.into();
        Self { cost, tag_bytes, memory, done: 2, input, addresses: [0; WORDS] }
    }

    /// Computes at most `blocks` further blocks; each takes about a microsecond. Returns the tag
    /// once all blocks are computed.
    pub fn go_on(&mut self, blocks: usize) -> Option<Vec<u8>> {
        let all = self.memory.len() * self.cost.passes as usize;
        let until = all.min(self.done.saturating_add(blocks));
        while self.done < until {
            self.fill_next();
        }
        (self.done == all).then(|| self.tag())
    }

    /// Fills the next block (RFC 9106, 3.4).
    fn fill_next(&mut self) {
        let length = self.memory.len();
        let (pass, at) = (self.done / length, self.done % length);
        let segment_length = length / SEGMENTS;
        let (segment, in_segment) = (at / segment_length, at % segment_length);
        let previous = (at + length - 1) % length;
        let random = if pass == 0 && segment < SEGMENTS / 2 {
            self.address(segment, in_segment)
        } else {
            self.memory[previous][0]
        };
        // The reference block is chosen from all finished blocks, except those of the previous pass
        // in the segment being filled, and except the previous block.
        let (area, start) = if pass == 0 {
            (at - 1, 0)
        } else {
            (length - segment_length + in_segment - 1, (segment + 1) * segment_length)
        };
        let low = random & u64::from(u32::MAX);
        let back = (area as u64 * ((low * low) >> 32)) >> 32;
        let reference = (start + area - 1 - usize::try_from(back).unwrap_or_default()) % length;
        let mut block = compress(&self.memory[previous], &self.memory[reference]);
        if pass > 0 {
            xor(&mut block, &self.memory[at]);
        }
        self.memory[at] = block;
        self.done += 1;
    }

    /// The address that block `in_segment` refers to in the first half of the first pass. It is the
    /// same for all passwords (RFC 9106, 3.4.1.2).
    fn address(&mut self, segment: usize, in_segment: usize) -> u64 {
        let in_addresses = in_segment % WORDS;
        // The first two blocks of the memory exist from the beginning, so the first call is for the
        // third.
        if in_addresses == 0 || (segment == 0 && in_segment == 2) {
            self.input[2] = segment as u64;
            self.input[6] = (in_segment / WORDS) as u64 + 1;
            self.addresses = compress(&[0; WORDS], &compress(&[0; WORDS], &self.input));
        }
        self.addresses[in_addresses]
    }

    fn tag(&self) -> Vec<u8> {
        let last = self.memory.last().unwrap_or(&[0; WORDS]);
        let bytes: Vec<u8> = last.iter().flat_map(|word| word.to_le_bytes()).collect();
        let mut tag = vec![0; self.tag_bytes];
        long_hash(&[&bytes], &mut tag);
        tag
    }
}

/// H0: the hash of all inputs (RFC 9106, 3.2).
fn seed(cost: Cost, tag_bytes: usize, password: &[u8], salt: &[u8]) -> [u8; 64] {
    let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes();
    let lanes = 1_u32.to_le_bytes();
    let mut hash = Blake2b::<U64>::new();
    let numbers =
        [lanes, length(tag_bytes), cost.memory_kib.to_le_bytes(), cost.passes.to_le_bytes()];
    for number in numbers.into_iter().chain([VERSION.to_le_bytes(), TYPE_ID.to_le_bytes()]) {
        Update::update(&mut hash, &number);
    }
    // The last two, the secret and the associated data, are empty.
    for text in [password, salt, &[], &[]] {
        Update::update(&mut hash, &length(text.len()));
        Update::update(&mut hash, text);
    }
    hash.finalize_fixed().into()
}

/// H′: a hash of any length (RFC 9106, 3.3).
fn long_hash(parts: &[&[u8]], out: &mut [u8]) {
    let length = u32::try_from(out.len()).unwrap_or(u32::MAX).to_le_bytes();
    let parts: Vec<&[u8]> = std::iter::once(&length[..]).chain(parts.iter().copied()).collect();
    if out.len() <= 64 {
        return short_hash(&parts, out);
    }
    let mut link = [0; 64];
    short_hash(&parts, &mut link);
    let mut rest = out;
    loop {
        let (half, after) = rest.split_at_mut(32);
        half.copy_from_slice(&link[..32]);
        if after.len() <= 64 {
            return short_hash(&[&link], after);
        }
        let before = link;
        short_hash(&[&before], &mut link);
        rest = after;
    }
}

fn short_hash(parts: &[&[u8]], out: &mut [u8]) {
    // `out` has 1 to 64 bytes, so neither call fails.
    let Ok(mut hash) = Blake2bVar::new(out.len()) else { return };
    for part in parts {
        Update::update(&mut hash, part);
    }
    let _ = hash.finalize_variable(out);
}

/// G: compresses two blocks into one (RFC 9106, 3.5).
fn compress(one: &Block, other: &Block) -> Block {
    let mut mixed = *one;
    xor(&mut mixed, other);
    let before = mixed;
    for row in mixed.as_chunks_mut::<16>().0 {
        permute(row);
    }
    for column in 0..8 {
        let place = |index: usize| 16 * (index / 2) + 2 * column + index % 2;
        let mut words: [u64; 16] = std::array::from_fn(|index| mixed[place(index)]);
        permute(&mut words);
        for (index, word) in words.into_iter().enumerate() {
            mixed[place(index)] = word;
        }
    }
    xor(&mut mixed, &before);
    mixed
}

fn xor(block: &mut Block, other: &Block) {
    block.iter_mut().zip(other).for_each(|(word, other)| *word ^= other);
}

/// P (RFC 9106, 3.6). The words are variables instead of array elements, so that they stay in
/// registers.
#[inline]
#[rustfmt::skip]
fn permute(words: &mut [u64; 16]) {
    let [mut a0, mut a1, mut a2, mut a3, mut b0, mut b1, mut b2, mut b3,
         mut c0, mut c1, mut c2, mut c3, mut d0, mut d1, mut d2, mut d3] = *words;
    (a0, b0, c0, d0) = mix(a0, b0, c0, d0);
    (a1, b1, c1, d1) = mix(a1, b1, c1, d1);
    (a2, b2, c2, d2) = mix(a2, b2, c2, d2);
    (a3, b3, c3, d3) = mix(a3, b3, c3, d3);
    (a0, b1, c2, d3) = mix(a0, b1, c2, d3);
    (a1, b2, c3, d0) = mix(a1, b2, c3, d0);
    (a2, b3, c0, d1) = mix(a2, b3, c0, d1);
    (a3, b0, c1, d2) = mix(a3, b0, c1, d2);
    *words = [a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3];
}

/// GB (RFC 9106, 3.6).
#[inline]
const fn mix(mut a: u64, mut b: u64, mut c: u64, mut d: u64) -> (u64, u64, u64, u64) {
    a = sum(a, b);
    d = (d ^ a).rotate_right(32);
    c = sum(c, d);
    b = (b ^ c).rotate_right(24);
    a = sum(a, b);
    d = (d ^ a).rotate_right(16);
    c = sum(c, d);
    b = (b ^ c).rotate_right(63);
    (a, b, c, d)
}

#[inline]
const fn sum(x: u64, y: u64) -> u64 {
    let low = u32::MAX as u64;
    x.wrapping_add(y).wrapping_add(((x & low) * (y & low)).wrapping_mul(2))
}
