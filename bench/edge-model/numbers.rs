//! Random numbers that are the same for the same seed.

use std::cell::Cell;

/// `SplitMix64`.
pub struct Numbers(Cell<u64>);

impl Numbers {
    pub fn new(seed: u64) -> Self {
        Self(Cell::new(seed))
    }

    pub fn next(&self) -> u64 {
        self.0.set(self.0.get().wrapping_add(0x9E37_79B9_7F4A_7C15));
        let mut number = self.0.get();
        number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        number ^ (number >> 31)
    }

    /// From 0 up to 1, without 1.
    pub fn share(&self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn between(&self, least: f64, most: f64) -> f64 {
        least + (most - least) * self.share()
    }

    /// So that its logarithm is spread evenly.
    pub fn between_by_magnitude(&self, least: f64, most: f64) -> f64 {
        self.between(least.ln(), most.ln()).exp()
    }

    pub fn below(&self, limit: usize) -> usize {
        (self.share() * limit as f64) as usize
    }

    pub fn exponential(&self, mean: f64) -> f64 {
        -(1.0 - self.share()).ln() * mean
    }

    /// Of a given median; `sigma` is the deviation of the logarithm.
    pub fn lognormal(&self, median: f64, sigma: f64) -> f64 {
        let normal = (-2.0 * (1.0 - self.share()).ln()).sqrt()
            * (std::f64::consts::TAU * self.share()).cos();
        median * (sigma * normal).exp()
    }
}

/// Draws one of so many, the first most often, the `k`th by 1/k as often.
pub struct Zipf(Vec<f64>);

impl Zipf {
    pub fn of(count: usize) -> Self {
        let mut sum = 0.0;
        let sums = (1..=count).map(|rank| {
            sum += 1.0 / rank as f64;
            sum
        });
        Self(sums.collect())
    }

    pub fn draw(&self, numbers: &Numbers) -> usize {
        let share = numbers.share() * self.0.last().copied().unwrap_or(0.0);
        self.0.partition_point(|sum| *sum <= share)
    }
}
