//! Tables of more than 2³² values, as sparse files.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use superstep::data::{ReadOptions, RowSource, open};

use crate::Folder;

const COLUMNS: u64 = 3;
/// Enough that the last rows' values have numbers past 2³².
const ROWS: u64 = (1 << 32) / COLUMNS + 1000;

/// A file that begins with `head` and is `length` bytes long, with single bytes at far places; `false` where the disk has
/// no sparse files.
fn sparse(path: &Path, head: &[u8], length: u64, bytes: &[(u64, u8)]) {
    let mut file = File::create(path).unwrap();
    file.write_all(head).unwrap();
    file.set_len(length).unwrap();
    for (at, byte) in bytes {
        file.seek(SeekFrom::Start(*at)).unwrap();
        file.write_all(&[*byte]).unwrap();
    }
}

/// Checks the values around 2³² and at both ends, of a table that is zero but for these `(row, column, value)`.
fn check(source: &dyn RowSource, values: &[(u64, u64, u8)]) {
    assert_eq!((source.rows(), source.columns()), (ROWS, COLUMNS as usize));
    for first in [0, (1 << 32) / COLUMNS - 5, ROWS - 10] {
        let mut expected = [0.0; 10 * COLUMNS as usize];
        for (row, column, value) in values {
            if (first..first + 10).contains(row) {
                expected[((row - first) * COLUMNS + column) as usize] = f64::from(*value);
            }
        }
        assert!(expected.iter().any(|value| *value != 0.0), "there is something to find");
        let mut wide = [f64::NAN; 10 * COLUMNS as usize];
        source.read_f64(first, &mut wide).unwrap();
        assert_eq!(wide, expected, "from row {first}");
        let mut narrow = [f32::NAN; 10 * COLUMNS as usize];
        source.read_f32(first, &[1.0, 2.0, 3.0], &mut narrow).unwrap();
        let less: Vec<f32> = expected.iter().zip([1.0, 2.0, 3.0].iter().cycle()).map(|(v, o)| (v - o) as f32).collect();
        assert_eq!(narrow.as_slice(), less, "from row {first} less the origin");
    }
    assert!(source.read_f64(ROWS - 1, &mut [0.0; 6]).is_err());
}

#[test]
fn values_past_the_32nd_bit_are_where_they_belong() {
    let folder = Folder::new();
    let middle = (1 << 32) / COLUMNS;
    let values = [(0, 1, 7), (3, 0, 8), (middle - 1, 2, 9), (middle, 1, 10), (middle + 2, 0, 11), (ROWS - 1, 2, 255)];
    let place_in_rows = |head: u64, prefix: u64| {
        let row_bytes = COLUMNS + prefix;
        values.map(|(row, column, value)| (head + row * row_bytes + prefix + column, value))
    };
    let open = |path: &Path| open(&[path.to_owned()], &ReadOptions::default()).unwrap();

    let path = folder.path().join("far.u8bin");
    let head = [ROWS as u32, COLUMNS as u32].map(u32::to_le_bytes).concat();
    sparse(&path, &head, 8 + ROWS * COLUMNS, &place_in_rows(8, 0));
    check(&*open(&path), &values);
    std::fs::remove_file(&path).unwrap();

    for fortran in ["False", "True"] {
        let dict = format!("{{'descr': '|u1', 'fortran_order': {fortran}, 'shape': ({ROWS}, {COLUMNS}), }}\n");
        let head = crate::npy_bytes(&dict, &[]);
        let start = head.len() as u64;
        let places = match fortran {
            "True" => values.map(|(row, column, value)| (start + column * ROWS + row, value)),
            _ => place_in_rows(start, 0),
        };
        let path = folder.path().join("far.npy");
        sparse(&path, &head, start + ROWS * COLUMNS, &places);
        check(&*open(&path), &values);
    }
}
