//! A set of days within one period, a bit a day: intersected, counted, walked. Knows neither rule nor calendar.

/// Words of a mask: a year has 366 days.
pub const WORDS: usize = 6;

/// Bit 0 is the first day of the period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mask {
    pub words: [u64; WORDS],
}

impl Mask {
    /// Of one word, enough for a month.
    #[inline]
    pub fn small(bits: u64) -> Mask {
        Mask { words: [bits, 0, 0, 0, 0, 0] }
    }

    /// Every day up to, but not with, one.
    #[inline]
    pub fn full(length: i64) -> Mask {
        let mut mask = Mask::default();
        mask.set(0, length);
        mask
    }

    /// Adds the days from one up to another; what lies outside is left out.
    #[inline]
    pub fn set(&mut self, from: i64, to: i64) {
        for (word, at) in self.words.iter_mut().zip((0..).step_by(64)) {
            let (low, high) = ((from - at).clamp(0, 64), (to - at).clamp(0, 64));
            if low < high {
                // Neither shift reaches 64: low is below high, and high is above 0.
                *word |= (u64::MAX >> (64 - high)) & (u64::MAX << low);
            }
        }
    }

    /// Adds up to 32 days that begin at one.
    #[inline]
    pub fn add(&mut self, at: i64, bits: u32) {
        let Ok(at) = usize::try_from(at) else { return };
        let bits = u128::from(bits) << (at % 64);
        for (word, part) in self.words.iter_mut().skip(at / 64).zip([bits as u64, (bits >> 64) as u64]) {
            *word |= part;
        }
    }

    #[inline]
    pub fn and(&mut self, other: &Mask) {
        self.words.iter_mut().zip(other.words).for_each(|(word, other)| *word &= other);
    }

    #[inline]
    pub fn or(&mut self, other: &Mask) {
        self.words.iter_mut().zip(other.words).for_each(|(word, other)| *word |= other);
    }

    #[inline]
    pub fn has(&self, day: i64) -> bool {
        let word = usize::try_from(day / 64).ok().and_then(|word| self.words.get(word));
        day >= 0 && word.is_some_and(|word| word >> (day % 64) & 1 == 1)
    }

    /// Up to 32 days that begin at one.
    #[inline]
    pub fn slice(&self, at: i64, length: i64) -> u32 {
        let Ok(place) = usize::try_from(at) else { return 0 };
        let word = |index: usize| u128::from(self.words.get(index).copied().unwrap_or(0));
        let both = word(place / 64) | word(place / 64 + 1) << 64;
        (both >> (place % 64)) as u32 & ones(length)
    }

    #[inline]
    pub fn count(&self) -> usize {
        // Most words of most masks are empty, and counting bits is dear on plain processors.
        self.words.iter().filter(|word| **word != 0).map(|word| word.count_ones() as usize).sum()
    }

    /// How many days lie before one.
    #[inline]
    pub fn before(&self, day: i64) -> usize {
        let mut mask = Mask::full(day);
        mask.and(self);
        mask.count()
    }

    /// Takes away what lies before a day.
    pub fn cut(&mut self, day: i64) {
        for (word, at) in self.words.iter_mut().zip((0..).step_by(64)) {
            match day - at {
                64.. => *word = 0,
                // The shift is below 64.
                by @ 1..64 => *word &= u64::MAX << by,
                _ => break,
            }
        }
    }

    /// The day that stands behind so many others.
    #[inline]
    pub fn nth(&self, mut place: usize) -> Option<i64> {
        for (word, at) in self.words.iter().zip((0..).step_by(64)) {
            let count = if *word == 0 { 0 } else { word.count_ones() as usize };
            if place < count {
                let mut word = *word;
                // From whichever end is nearer.
                if count - place <= place {
                    for _ in place + 1..count {
                        word &= !(1 << (63 - word.leading_zeros()));
                    }
                    return Some(at + 63 - i64::from(word.leading_zeros()));
                }
                for _ in 0..place {
                    word &= word - 1;
                }
                return Some(at + i64::from(word.trailing_zeros()));
            }
            place -= count;
        }
        None
    }
}

/// So many of the lowest bits, at most 32.
#[inline]
pub fn ones(length: i64) -> u32 {
    u32::try_from(length).ok().and_then(|length| u32::MAX.checked_shr(32 - length.min(32))).unwrap_or(0)
}

/// The days of some weekdays, Monday lowest, in 64 days of which the first is a given weekday.
#[inline]
pub fn weekdays(pattern: u8, first: i64) -> u64 {
    // One bit every seven days.
    const WEEKS: u64 = 0x8102_0408_1020_4081;
    let (pattern, first) = (u64::from(pattern), first.rem_euclid(7));
    ((pattern >> first | pattern << (7 - first)) & 0x7f).wrapping_mul(WEEKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_sets() {
        let mut mask = Mask::default();
        mask.set(-5, 3);
        mask.set(60, 70);
        mask.set(365, 500);
        mask.add(120, 0b1011);
        let days: Vec<i64> = (0..384).filter(|day| mask.has(*day)).collect();
        let mut wanted: Vec<i64> = (0..3).chain(60..70).chain([120, 121, 123]).chain(365..384).collect();
        assert_eq!(days, wanted);
        assert_eq!(mask.count(), wanted.len());
        for (place, day) in wanted.iter().enumerate() {
            assert_eq!((mask.nth(place), mask.before(*day)), (Some(*day), place));
        }
        assert_eq!(mask.nth(wanted.len()), None);
        assert_eq!(mask.slice(62, 3), 0b111);
        assert_eq!(mask.slice(119, 31), 0b10110);
        mask.cut(64);
        wanted.retain(|day| *day >= 64);
        assert_eq!((0..384).filter(|day| mask.has(*day)).collect::<Vec<_>>(), wanted);
        mask.cut(400);
        assert_eq!(mask, Mask::default());
        assert_eq!((ones(0), ones(31), ones(40)), (0, u32::MAX >> 1, u32::MAX));
    }

    #[test]
    fn weekdays_come_every_seven_days() {
        for first in 0..7 {
            for day in 0..64 {
                let has = weekdays(0b0010_0100, first) >> day & 1 == 1;
                assert_eq!(has, matches!((first + day) % 7, 2 | 5), "{first} {day}");
            }
        }
    }
}
