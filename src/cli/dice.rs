//! Numbers for what is invented: they look random and are the same for the same seed.

/// Numbers that look random and are the same for the same seed (`SplitMix64`).
pub(super) struct Dice(u64);

impl Dice {
    /// Dice that roll the same for the same seed.
    pub(super) fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    /// A number from 0 to `sides - 1`.
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    /// A number between two others, both included.
    pub(super) fn between(&mut self, least: i64, most: i64) -> i64 {
        let sides = u64::try_from(most - least + 1).expect("the second is not less");
        least + i64::try_from(self.roll(sides)).expect("it lies between them")
    }

    /// Whether something happens that does so often in a thousand times.
    pub(super) fn happens(&mut self, per_thousand: u64) -> bool {
        self.roll(1000) < per_thousand
    }

    /// One of many.
    pub(super) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let index = self.roll(u64::try_from(of.len()).expect("it fits"));
        &of[usize::try_from(index).expect("an index fits")]
    }
}
