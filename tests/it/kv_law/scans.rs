//! Laws of scans: key order, limits, pages, and the edges of a prefix.

use std::ops::Bound;

use bytes::Bytes;
use campanile::kv::Kv;
use campanile::kv::Range;
use campanile::kv::SCAN_MAX;
use campanile::kv::successor;

use crate::kv_law::bytes;
use crate::kv_law::on_every_engine;
use crate::kv_law::row;
use crate::kv_law::writing;

#[test]
fn pages_follow_each_other_without_gap_or_overlap() {
    on_every_engine(async |home| {
        let kv = home.open();
        let keys: Vec<Bytes> = (0..1234).map(|number| bytes(format!("k{number:04}"))).collect();
        kv.commit(vec![], writing(keys.iter().map(|key| row(key, "1")).collect())).await.unwrap();
        assert_eq!(kv.scan(Range::prefix(b"k"), usize::MAX).await.unwrap().len(), SCAN_MAX);
        assert_eq!(kv.scan(Range::prefix(b"k"), 0).await.unwrap(), []);
        for size in [7, 617, 1234] {
            let mut range = Range::prefix(b"k");
            let mut found = Vec::new();
            loop {
                let page = kv.scan(range.clone(), size).await.unwrap();
                assert!(page.len() <= size);
                let Some((last, _)) = page.last() else {
                    break;
                };
                range = range.after(last);
                found.extend(page.into_iter().map(|row| row.0));
            }
            assert_eq!(found, keys);
        }
    });
}

#[test]
fn a_prefix_ends_where_it_should() {
    on_every_engine(async |home| {
        let kv = home.open();
        let keys: [&[u8]; 8] = [b"a", b"a\x00", b"a\xFF", b"a\xFF\xFF", b"b", b"\xFE", b"\xFF\xFF", b"\xFF\xFF\x00"];
        kv.commit(vec![], writing(keys.iter().map(|key| row(key, "1")).collect())).await.unwrap();
        let rows: [(&[u8], &[&[u8]]); 6] = [
            (b"a", &keys[0..4]),
            (b"a\xFF", &keys[2..4]),
            (b"b", &keys[4..5]),
            (b"\xFF", &keys[6..8]),
            (b"", &keys),
            (b"c", &[]),
        ];
        for (prefix, expect) in rows {
            let found = kv.scan(Range::prefix(prefix), 100).await.unwrap();
            assert_eq!(found.iter().map(|row| row.0.as_ref()).collect::<Vec<_>>(), expect, "{prefix:?}");
        }
    });
}

#[test]
fn bounds_are_kept_and_empty_ranges_are_empty() {
    use Bound::Excluded;
    use Bound::Included;
    use Bound::Unbounded;
    on_every_engine(async |home| {
        let kv = home.open();
        kv.commit(vec![], writing(["a", "b", "c"].map(|key| row(key, "1")).to_vec())).await.unwrap();
        let key = Bytes::from_static;
        let rows: [(Bound<Bytes>, Bound<Bytes>, &str); 12] = [
            (Unbounded, Unbounded, "abc"),
            (Included(key(b"b")), Unbounded, "bc"),
            (Excluded(key(b"b")), Unbounded, "c"),
            (Unbounded, Included(key(b"b")), "ab"),
            (Unbounded, Excluded(key(b"b")), "a"),
            (Included(key(b"b")), Included(key(b"b")), "b"),
            (Included(key(b"b")), Excluded(key(b"b")), ""),
            (Excluded(key(b"b")), Excluded(key(b"b")), ""),
            (Included(key(b"c")), Included(key(b"a")), ""),
            (Excluded(key(b"c")), Excluded(key(b"a")), ""),
            // The store's own rows are nobody's.
            (Included(key(b"\x00")), Excluded(key(b"\x01")), ""),
            (Excluded(key(b"")), Included(key(b"a")), "a"),
        ];
        for (start, end, expect) in rows {
            let range = Range { start, end };
            let found = kv.scan(range.clone(), 100).await.unwrap();
            let found: Vec<u8> = found.into_iter().flat_map(|row| row.0).collect();
            assert_eq!(found, expect.as_bytes(), "{range:?}");
        }
    });
}

#[test]
fn the_successor_skips_what_cannot_grow() {
    let rows: [(&[u8], Option<&[u8]>); 5] =
        [(b"a", Some(b"b")), (b"a\xFE", Some(b"a\xFF")), (b"a\xFF\xFF", Some(b"b")), (b"\xFF\xFF", None), (b"", None)];
    for (prefix, expect) in rows {
        assert_eq!(successor(prefix).as_deref(), expect);
    }
}
