//! Some rows of a table, as a table of their own.

use ndarray::{Array2, Axis};
use std::sync::Mutex;
use superstep::data::{RowSet, RowSource, Subset};
use superstep::{Place, Result};

/// Sets of every density, with gaps and without, that end within a word and at its edge, over more blocks than one.
fn sets() -> Vec<(&'static str, RowSet, Vec<usize>)> {
    type Choice = fn(u64) -> bool;
    let cases: [(&str, u64, Choice); 8] = [
        ("all", 200, |_| true),
        ("none", 100, |_| false),
        ("one", 4097, |row| row == 4096),
        ("every other", 9001, |row| row % 2 == 1),
        ("far between", 12_288, |row| row % 61 == 5),
        ("runs", 8192, |row| row % 100 < 37),
        ("mixed", 10_000, |row| row.wrapping_mul(2_654_435_761) >> 7 & 3 == 0),
        ("a block in the middle", 13_000, |row| (4096..8192).contains(&row)),
    ];
    let listed = |rows: u64, choose: Choice| (0..rows).filter(|row| choose(*row)).map(|row| row as usize).collect();
    cases.map(|(name, rows, choose)| (name, RowSet::from_fn(rows, choose), listed(rows, choose))).to_vec()
}

#[test]
fn positions_and_rows_of_a_set_are_each_others_inverse() {
    for (name, set, rows) in sets() {
        assert_eq!(set.len(), rows.len() as u64, "{name}");
        assert_eq!(set.is_empty(), rows.is_empty(), "{name}");
        for (position, row) in rows.iter().enumerate() {
            assert_eq!(set.row(position as u64), Some(*row as u64), "{name}");
            assert_eq!(set.position(*row as u64), position as u64, "{name}");
        }
        assert_eq!((set.row(set.len()), set.position(set.of_rows())), (None, set.len()), "{name}");
        for row in 0..set.of_rows() + 70 {
            assert_eq!(set.contains(row), rows.binary_search(&(row as usize)).is_ok(), "{name}, row {row}");
        }
        for from in [0, 1, 63, 64, 65, 1000] {
            let found: Vec<u64> = set.rows_from(from).collect();
            let expected: Vec<u64> = rows.iter().skip(from as usize).map(|row| *row as u64).collect();
            assert_eq!(found, expected, "{name}, from {from}");
        }
    }
}

#[test]
fn bits_beyond_the_last_row_are_not_rows() -> Result<()> {
    let set = RowSet::from_words(70, vec![u64::MAX, u64::MAX])?;
    assert_eq!((set.len(), set.contains(69), set.contains(70)), (70, true, false));
    assert!(RowSet::from_words(70, vec![0]).is_err() && RowSet::from_words(64, vec![0; 2]).is_err());
    Ok(())
}

/// A table that remembers what was read of it.
struct Watched {
    table: Array2<f32>,
    reads: Mutex<Vec<(u64, usize)>>,
}

impl RowSource for Watched {
    fn rows(&self) -> u64 {
        self.table.nrows() as u64
    }

    fn columns(&self) -> usize {
        self.table.ncols()
    }

    fn read_f64(&self, first: u64, out: &mut [f64]) -> Result<()> {
        self.table.read_f64(first, out)
    }

    fn read_f32(&self, first: u64, origin: &[f64], out: &mut [f32]) -> Result<()> {
        self.reads.lock().expect("no test panics in here").push((first, out.len() / self.columns()));
        self.table.read_f32(first, origin, out)
    }

    fn place(&self, row: u64, column: usize) -> Place {
        self.table.place(row, column)
    }
}

fn table(rows: u64) -> Array2<f32> {
    Array2::from_shape_fn((rows as usize, 3), |(row, column)| (row * 10 + column) as f32)
}

#[test]
fn the_rows_of_a_set_are_read_in_their_order_at_any_place() -> Result<()> {
    for (name, set, rows) in sets() {
        let table = table(set.of_rows());
        let expected = table.select(Axis(0), &rows);
        let subset = Subset::new(&table, &set)?;
        assert_eq!((subset.rows(), subset.columns()), (rows.len() as u64, 3), "{name}");
        for (first, count) in [(0, rows.len()), (1, 5), (70, 130), (rows.len().saturating_sub(2), 2)] {
            if first + count > rows.len() {
                assert!(subset.read_f64(first as u64, &mut vec![0.0; count * 3]).is_err(), "{name}: past the end");
                continue;
            }
            let part = expected.slice(ndarray::s![first..first + count, ..]);
            let (mut narrow, mut wide) = (vec![0.0_f32; count * 3], vec![0.0_f64; count * 3]);
            subset.read_f32(first as u64, &[1.0, 0.0, 2.0], &mut narrow)?;
            subset.read_f64(first as u64, &mut wide)?;
            let less: Vec<f32> = part.outer_iter().flat_map(|row| [row[0] - 1.0, row[1], row[2] - 2.0]).collect();
            assert_eq!(narrow, less, "{name}, {count} rows from {first}");
            assert!(part.iter().zip(&wide).all(|(a, b)| f64::from(*a) == *b), "{name}, {count} rows from {first}");
        }
        if let Some(last) = rows.last() {
            assert_eq!(subset.place(subset.rows() - 1, 2), table.place(*last as u64, 2), "{name}");
        }
    }
    Ok(())
}

#[test]
fn rows_that_lie_together_are_read_together_and_gaps_are_left_out() -> Result<()> {
    let source = Watched { table: table(300), reads: Mutex::default() };
    // Rows 0, 2, 4, … 38, then 100 to 119: of three columns, 61 rows between are more than are read for nothing.
    let set = RowSet::from_fn(300, |row| (row < 40 && row % 2 == 0) || (100..120).contains(&row));
    let subset = Subset::new(&source, &set)?;
    subset.read_f32(0, &[], &mut vec![0.0; 40 * 3])?;
    assert_eq!(*source.reads.lock().expect("no test panics in here"), [(0, 39), (100, 20)]);
    Ok(())
}

#[test]
fn rows_without_gaps_are_handed_out_where_they_lie() -> Result<()> {
    let table = table(13_000);
    let set = RowSet::from_fn(13_000, |row| (4096..8192).contains(&row) || row == 9000);
    let subset = Subset::new(&table, &set)?;
    assert_eq!(subset.in_memory(10..20), table.in_memory(4106..4116));
    assert!(subset.in_memory(10..20).is_some());
    assert_eq!(subset.in_memory(4090..4097), None, "there is a gap before the last");
    assert_eq!(subset.in_memory(4097..4098), None, "there is no such row");
    Ok(())
}

#[test]
fn a_set_of_another_table_is_refused() {
    let (table, set) = (table(10), RowSet::from_fn(11, |_| true));
    let error = Subset::new(&table, &set).err().expect("the numbers of rows differ").to_string();
    assert!(error.contains("11 rows, the table has 10"), "{error}");
}
