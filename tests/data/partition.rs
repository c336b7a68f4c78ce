use superstep::data::{cut, cut_by_shares};

#[test]
fn parts_cover_all_rows_in_order_within_the_limit() {
    for rows in [0u64, 1, 2, 3, 10, 4095, 4096, 4097, 100_000, 1 << 40] {
        for parts in [0usize, 1, 2, 3, 7] {
            for most in [0, 1, 5, 4096, 5000, u64::MAX] {
                // A table of a million parts is no test.
                if rows / most.max(1) > 100_000 {
                    continue;
                }
                for align in [0, 1, 64, 4096] {
                    check(rows, parts, most, align);
                }
            }
        }
    }
}

fn check(rows: u64, parts: usize, most: u64, align: u64) {
    let case = format!("cut({rows}, {parts}, {most}, {align})");
    let ranges = cut(rows, parts, most, align);
    let mut end = 0;
    for range in &ranges {
        assert_eq!(range.start, end, "{case} is contiguous");
        assert!(range.end > range.start, "{case} has no empty part");
        assert!(range.end - range.start <= most.max(1), "{case} obeys the limit");
        end = range.end;
    }
    assert_eq!(end, rows, "{case} covers");
    assert!(ranges.len() as u64 >= rows.min(parts as u64), "{case} has the parts asked for");
    let lengths = ranges.iter().take(ranges.len().saturating_sub(1)).map(|range| range.end - range.start);
    let (least, greatest) = (lengths.clone().min().unwrap_or(0), lengths.max().unwrap_or(0));
    assert!(greatest - least <= align.max(1), "{case} is even");
}

#[test]
fn parts_begin_at_multiples_of_the_alignment() {
    for range in cut(1_000_000, 3, u64::MAX, 4096) {
        assert_eq!(range.start % 4096, 0);
    }
    assert_eq!(cut(10, 3, u64::MAX, 4096), [0..3, 3..6, 6..10]);
    assert_eq!(cut(10_000, 2, u64::MAX, 4096), [0..4096, 4096..10_000]);
}

#[test]
fn huge_row_counts_do_not_overflow() {
    let ranges = cut(u64::MAX, 3, u64::MAX, 4096);
    assert_eq!((ranges.len(), ranges[2].end), (3, u64::MAX));
}

#[test]
fn shares_get_their_part_of_the_rows() {
    assert_eq!(cut_by_shares(1000, &[3.0, 1.0], 1).unwrap(), [0..750, 750..1000]);
    assert_eq!(cut_by_shares(1000, &[1.0, 0.0, 1.0, 0.0], 64).unwrap(), [0..512, 512..512, 512..1000, 1000..1000]);
    assert_eq!(cut_by_shares(1, &[1.0, 1e9], 4096).unwrap(), [0..0, 0..1]);
    for shares in [&[][..], &[0.0, 0.0], &[-1.0, 2.0], &[f64::NAN], &[f64::INFINITY, 1.0]] {
        assert!(cut_by_shares(10, shares, 1).is_err(), "{shares:?}");
    }
}
