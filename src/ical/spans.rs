//! The spans of one offset that a zone is made of; in a span a clock reading becomes an instant by one subtraction. Knows no names.

use std::sync::OnceLock;

use chrono::{DateTime, NaiveDateTime, Offset, TimeZone};
use chrono_tz::{GapInfo, TZ_VARIANTS, Tz};

const DAY: i64 = 86_400;

/// A stretch of clock readings that have one offset. All times are seconds since 1970, on the wall or in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first reading.
    pub from: i64,
    /// The first reading behind it.
    pub to: i64,
    /// From here on its readings are skipped by the clock and have the offset before the gap, RFC 5545 3.3.5.
    pub gap: i64,
    /// Seconds that the clock is ahead of UTC.
    pub offset: i64,
}

impl Span {
    /// A span without end.
    pub fn fixed(offset: i64) -> Span {
        Span { from: i64::MIN, to: i64::MAX, gap: i64::MAX, offset }
    }

    pub fn holds(&self, reading: i64) -> bool {
        self.from <= reading && reading < self.to
    }
}

/// Instants in order, each with the offset that counts from it on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spans {
    before: i64,
    changes: Vec<(i64, i64)>,
}

impl Spans {
    /// Of changes at one instant the first counts.
    pub fn new(before: i64, mut changes: Vec<(i64, i64)>) -> Spans {
        changes.sort_by_key(|(at, _)| *at);
        changes.dedup_by_key(|(at, _)| *at);
        Spans { before, changes }
    }

    /// The instants at which the offset changes, in order.
    pub fn changes(&self) -> &[(i64, i64)] {
        &self.changes
    }

    pub fn offset(&self, at: i64) -> i64 {
        self.behind(self.changes.partition_point(|(change, _)| *change <= at))
    }

    /// The span that a reading stands in; of two in an overlap the first.
    pub fn span(&self, reading: i64) -> Span {
        // Offsets differ by far less than changes lie apart, so the place is right or a few too far on.
        let mut place = self.changes.partition_point(|(change, _)| *change <= reading.saturating_add(DAY));
        while place > 0 && reading < self.begin(place) {
            place -= 1;
        }
        let offset = self.behind(place);
        Span {
            from: if place == 0 { i64::MIN } else { self.begin(place) },
            to: if place == self.changes.len() { i64::MAX } else { self.begin(place + 1) },
            gap: self.changes.get(place).map_or(i64::MAX, |(change, _)| change + offset),
            offset,
        }
    }

    /// The offset behind so many changes.
    fn behind(&self, place: usize) -> i64 {
        place.checked_sub(1).and_then(|last| self.changes.get(last)).map_or(self.before, |(_, offset)| *offset)
    }

    /// The first reading behind so many changes: the old offset counts until both clocks are past the change.
    fn begin(&self, place: usize) -> i64 {
        let change = place.checked_sub(1).and_then(|last| self.changes.get(last));
        change.map_or(i64::MIN, |(at, offset)| at + (*offset).max(self.behind(place - 1)))
    }
}

/// 1970 and 2110: between them the spans of the tz database are looked up once and kept. What lies before is asked of the
/// database itself; behind, it knows no more changes.
const KEPT: (i64, i64) = (0, 4_417_977_600);

/// The spans of a zone of the tz database within `KEPT`, made when first needed.
fn kept(tz: Tz) -> Option<&'static Spans> {
    static ALL: OnceLock<Vec<OnceLock<Spans>>> = OnceLock::new();
    let all = ALL.get_or_init(|| TZ_VARIANTS.iter().map(|_| OnceLock::new()).collect());
    // The variants are numbered in the order of their list.
    Some(all.get(tz as usize)?.get_or_init(|| probed(tz)))
}

/// The database does not tell where its spans end; but none is shorter than a day.
fn probed(tz: Tz) -> Spans {
    let before = asked(tz, KEPT.0);
    let (mut changes, mut last, mut at) = (Vec::new(), before, KEPT.0);
    while at < KEPT.1 {
        let next = (at + DAY).min(KEPT.1);
        let offset = asked(tz, next);
        if offset != last {
            let (mut low, mut high) = (at, next);
            while low + 1 < high {
                let middle = low + (high - low) / 2;
                if asked(tz, middle) == last { low = middle } else { high = middle }
            }
            changes.push((high, offset));
            last = offset;
        }
        at = next;
    }
    Spans::new(before, changes)
}

fn asked(tz: Tz, at: i64) -> i64 {
    let at = DateTime::from_timestamp(at, 0).unwrap_or_default().naive_utc();
    i64::from(tz.offset_from_utc_datetime(&at).fix().local_minus_utc())
}

/// The offset of a named zone at an instant.
pub fn offset_of(tz: Tz, at: i64) -> i64 {
    match kept(tz) {
        Some(spans) if at >= KEPT.0 => spans.offset(at),
        _ => asked(tz, at),
    }
}

/// The span of a named zone that a reading stands in.
pub fn span_of(tz: Tz, reading: i64) -> Span {
    match kept(tz) {
        Some(spans) if reading >= KEPT.0 + 2 * DAY => {
            let span = spans.span(reading);
            // What is kept must not answer for what it does not hold.
            Span { from: span.from.max(KEPT.0 + 2 * DAY), ..span }
        }
        _ => far(tz, reading),
    }
}

/// One reading outside of what is kept.
fn far(tz: Tz, reading: i64) -> Span {
    let local = DateTime::from_timestamp(reading, 0).unwrap_or_default().naive_utc();
    if let Some(offset) = tz.offset_from_local_datetime(&local).earliest() {
        let offset = i64::from(offset.fix().local_minus_utc());
        return Span { from: reading, to: reading + 1, gap: reading + 1, offset };
    }
    let gap = GapInfo::new(&local, &tz);
    let begin = gap.as_ref().and_then(|gap| gap.begin);
    let end = gap.and_then(|gap| gap.end).map(|end| seconds(end.naive_local()));
    let offset = match begin {
        Some((_, offset)) => i64::from(offset.fix().local_minus_utc()),
        None => asked(tz, reading),
    };
    let begin = begin.map_or(reading, |(begin, _)| seconds(begin));
    Span { from: begin, to: end.unwrap_or(reading + 1), gap: begin, offset }
}

fn seconds(local: NaiveDateTime) -> i64 {
    local.and_utc().timestamp()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is kept says what the database says: at each change, beside it, and at readings near it.
    #[test]
    fn spans_are_the_databases() {
        for tz in TZ_VARIANTS {
            let last = asked(tz, KEPT.1);
            assert!((0..3000).all(|step| asked(tz, KEPT.1 + step * 1_000_003 * 80) == last), "{tz}");
            let spans = kept(tz).into_iter().flat_map(Spans::changes);
            for (change, _) in spans {
                for by in [-DAY, -7200, -3600, -1, 0, 1, 1800, 3600, 7200, DAY] {
                    let at = change + by;
                    assert_eq!(offset_of(tz, at), asked(tz, at), "{tz} {at}");
                    for offset in [asked(tz, change - 1), asked(tz, *change)] {
                        let (ours, theirs) = (span_of(tz, at + offset), far(tz, at + offset));
                        assert_eq!(ours.offset, theirs.offset, "{tz} {at}");
                        assert_eq!(at + offset >= ours.gap, at + offset >= theirs.gap, "{tz} {at}");
                        assert!(ours.holds(at + offset), "{tz} {at}");
                    }
                }
            }
        }
    }

    #[test]
    fn far_readings_are_asked_for() {
        let paris = chrono_tz::Europe::Paris;
        // 1950 and 2150: no summer time in either table.
        assert_eq!(span_of(paris, -630_720_000).offset, 3600);
        assert_eq!(span_of(paris, 5_680_281_600).offset, asked(paris, 5_680_281_600));
    }
}
