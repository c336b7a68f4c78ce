//! Parquet and Arrow files: those that pyarrow wrote (`tests/fixtures/make_columnar.py`), and those made here.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::types::{Float32Type, Int32Type};
use arrow_array::{ArrayRef, FixedSizeListArray, Float32Array, Float64Array, Int32Array, ListArray, RecordBatch};
use arrow_ipc::writer::{FileWriter, StreamWriter};
use arrow_schema::DataType;
use half::f16;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::WriterProperties;
use superstep::data::output::{Block, Element, TableSpec, TableWriter, check_output, write_labels, write_vector};
use superstep::data::{Dataset, ReadOptions, RowSource, open};
use superstep::{Error, KMeans, Result};

use crate::{Folder, all_f64, assert_reads};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn choose(path: &Path, columns: &[&str]) -> Result<Box<dyn RowSource>> {
    let columns = Some(columns.iter().map(ToString::to_string).collect());
    open(&[path.to_owned()], &ReadOptions { columns, ..ReadOptions::default() })
}

fn read(path: &Path) -> Result<Box<dyn RowSource>> {
    open(&[path.to_owned()], &ReadOptions::default())
}

/// Writes a batch to every columnar format, in row groups and batches of `group` rows.
fn write(folder: &Folder, batch: &RecordBatch, group: usize) -> Vec<PathBuf> {
    let paths = ["a.parquet", "a.arrow", "a.arrows"].map(|name| folder.path().join(name));
    let file = |path: &PathBuf| std::fs::File::create(path).unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(group)).build();
    let mut parquet = ArrowWriter::try_new(file(&paths[0]), batch.schema(), Some(properties)).unwrap();
    let mut arrow = FileWriter::try_new(file(&paths[1]), &batch.schema()).unwrap();
    let mut stream = StreamWriter::try_new(file(&paths[2]), &batch.schema()).unwrap();
    for start in (0..batch.num_rows()).step_by(group) {
        let part = batch.slice(start, group.min(batch.num_rows() - start));
        parquet.write(&part).unwrap();
        arrow.write(&part).unwrap();
        stream.write(&part).unwrap();
    }
    parquet.close().unwrap();
    arrow.finish().unwrap();
    stream.finish().unwrap();
    paths.to_vec()
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

#[test]
fn files_that_pyarrow_wrote_read_as_their_values() {
    let columns = ["f64", "f32", "f16", "i8", "u64", "flag", "price", "pair", "list"];
    let expected = [
        [0.1, 0.5, 0.5, -128.0, 0.0, 1.0, 0.1, 1.0, 2.0, 0.5, 1.0],
        [-2.5, 1.5, 1.0, 0.0, 1.0, 0.0, -1.25, 3.0, 4.0, 1.5, 2.0],
        [1e300, -2.5, 2.0, 1.0, 2.0, 1.0, 99.99, 5.0, 6.0, 2.5, 3.0],
        [0.0, 3.5, -4.0, 2.0, 3.0, 1.0, 0.0, 7.0, 8.0, 3.5, 4.0],
        [5e-324, 4.5, 8.0, 127.0, 9_007_199_254_740_992.0, 0.0, 7.0, 9.0, 10.0, 4.5, 5.0],
    ];
    for name in ["columnar.parquet", "columnar.feather", "columnar.arrows"] {
        println!("{name}");
        let path = fixture(name);
        let file = choose(&path, &columns).unwrap();
        assert_reads(&file, 11, expected.as_flattened());
        assert!(file.is_wide());
        assert_eq!(file.place(4, 8).to_string(), format!("{}, row 4, column 8 (`pair[1]`)", path.display()));
        let file = choose(&path, &["pair", "i8"]).unwrap();
        assert_reads(&file, 3, &[1., 2., -128., 3., 4., 0., 5., 6., 1., 7., 8., 2., 9., 10., 127.]);
        assert!(!file.is_wide() && file.in_memory(1..4).is_some());
    }
}

#[test]
fn an_index_that_pandas_wrote_is_no_column_unless_it_is_named() {
    let path = fixture("pandas.parquet");
    let file = read(&path).unwrap();
    assert_reads(&file, 2, &[1.5, 3.0, 2.5, 4.0]);
    assert!(file.notes().len() == 1 && file.notes()[0].contains("`__index_level_0__`"), "{:?}", file.notes());
    let file = choose(&path, &["__index_level_0__", "x"]).unwrap();
    assert_reads(&file, 2, &[10.0, 1.5, 20.0, 2.5]);
    assert!(file.notes().is_empty());
}

#[test]
fn columns_that_cannot_be_read_are_refused_by_name() {
    for name in ["columnar.parquet", "columnar.feather", "columnar.arrows"] {
        let path = fixture(name);
        for (columns, expected) in [
            (None, "column `label` holds text, not numbers; choose columns with --columns"),
            (Some(&["f32", "label"][..]), "column `label` holds text"),
            (Some(&["nope"]), "has no column `nope`; it has `label`, `f64`"),
            (Some(&["f32", "f32"]), "`f32` is named twice"),
            (Some(&[]), "none is named"),
        ] {
            let file = columns.map_or_else(|| read(&path), |columns| choose(&path, columns));
            let error = file.err().unwrap().to_string();
            assert!(error.contains(expected), "{name}: {error}");
        }
    }
}

#[test]
fn missing_values_are_refused_by_row_and_column() {
    let folder = Folder::new();
    let rows = 70_000;
    let numbers: ArrayRef = Arc::new(Int32Array::from_iter_values(0..rows));
    let gap =
        |at: i32| -> ArrayRef { Arc::new((0..rows).map(|row| (row != at).then_some(1.0)).collect::<Float64Array>()) };
    let lists = |missing: i32, inner: i32| -> ArrayRef {
        let row = |row: i32| (row != missing).then(|| vec![Some(1.0), (row != inner).then_some(2.0)]);
        Arc::new(FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>((0..rows).map(row), 2))
    };
    let cases = [(gap(69_999), 69_999), (gap(0), 0), (lists(65_537, -1), 65_537), (lists(-1, 65_538), 65_538)];
    for (array, row) in cases {
        for path in write(&folder, &batch(vec![("n", numbers.clone()), ("gap", array)]), 10_000) {
            let Err(Error::Data { place, message }) = read(&path) else { panic!("{row}") };
            assert_eq!((place.row, place.column_name.as_deref()), (Some(row), Some("gap")), "{}", path.display());
            assert!(message.contains("missing"), "{message}");
            assert_eq!(choose(&path, &["n"]).unwrap().rows(), 70_000);
        }
    }
}

#[test]
fn lists_that_differ_in_length_are_refused_by_row() {
    let folder = Folder::new();
    let lists = |odd: usize| -> ArrayRef {
        let row = |row: usize| Some(vec![Some(1); if row == odd { 4 } else { 3 }]);
        Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>((0..100).map(row)))
    };
    for (odd, batch) in [(57, batch(vec![("list", lists(57))])), (60, batch(vec![("list", lists(60))]))] {
        for path in write(&folder, &batch, 20) {
            let Err(Error::Data { place, message }) = read(&path) else { panic!("{odd}") };
            // Where it is the first of its batch, it is those after it that differ from it.
            assert!(place.row == Some(odd) || place.row == Some(odd + 1), "{}: {place} {message}", path.display());
            assert!(message.contains("same number of values"), "{message}");
        }
    }
}

#[test]
fn long_tables_read_as_their_values_in_memory_and_out_of_it() {
    let folder = Folder::new();
    let rows = 150_001;
    let a: ArrayRef = Arc::new(Float32Array::from_iter_values((0..rows).map(|row| row as f32)));
    let b: ArrayRef = Arc::new(Float64Array::from_iter_values((0..rows).map(|row| f64::from(row / 100_000) * 0.1)));
    let expected: Vec<f64> = (0..rows).flat_map(|row| [f64::from(row / 100_000) * 0.1, f64::from(row)]).collect();
    for path in write(&folder, &batch(vec![("a", a), ("b", b)]), 40_000) {
        for memory in [None, Some(0), Some(1 << 20)] {
            let columns = Some(vec!["b".into(), "a".into()]);
            let file =
                open(std::slice::from_ref(&path), &ReadOptions { memory, columns, ..ReadOptions::default() }).unwrap();
            assert!(all_f64(&file) == expected, "{} {memory:?}", path.display());
            assert_eq!(file.notes().is_empty(), memory.is_none());
        }
    }
}

#[test]
fn files_cut_short_or_damaged_are_refused_and_nothing_panics() {
    let folder = Folder::new();
    for name in ["columnar.parquet", "columnar.feather", "columnar.arrows"] {
        let whole = std::fs::read(fixture(name)).unwrap();
        let columns = ["f64", "f32", "i8", "pair", "list"];
        let expected = all_f64(&choose(&fixture(name), &columns).unwrap());
        for length in (0..whole.len() - 16).step_by(31) {
            let path = folder.file(name, &whole[..length]);
            match choose(&path, &columns) {
                // A stream may end after any of its batches; what it holds until there is right.
                Ok(file) => assert!(name.ends_with("arrows") && expected.starts_with(&all_f64(&file))),
                Err(error) => assert!(error.to_string().contains(name), "{error}"),
            }
        }
        for at in (0..whole.len()).step_by(7) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0xff;
            if let Err(error) = choose(&folder.file(name, damaged), &columns) {
                assert!(error.to_string().contains(name), "{error}");
            }
        }
    }
    for (name, bytes, expected) in [
        ("a.parquet", &b"1,2\n"[..], "is no Parquet file"),
        ("a.parquet", b"", "is no Parquet file"),
        ("a.arrow", b"", "no Arrow"),
        ("a.feather", b"FEA1 and so on", "version 1"),
        ("a.ipc", b"no such thing, and long enough for a header", "Arrow"),
    ] {
        let error = read(&folder.file(name, bytes)).err().unwrap().to_string();
        assert!(error.contains(name) && error.contains(expected), "{error}");
    }
    let late = folder.path().join("late.parquet");
    let numbers: ArrayRef = Arc::new(Int32Array::from_iter_values(0..300_000));
    let path = write(&folder, &batch(vec![("n", numbers)]), 100_000).swap_remove(0);
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() * 3 / 4;
    bytes[middle - 2000..middle].fill(0xff);
    std::fs::write(&late, bytes).unwrap();
    // Parquet has no sums unless they are asked for: damage may pass as other numbers, but never as fewer.
    match read(&late) {
        Ok(file) => assert_eq!(file.rows(), 300_000),
        Err(error) => assert!(error.to_string().contains("late.parquet, row "), "{error}"),
    }
}

#[test]
fn tables_without_rows_or_columns_are_refused() {
    let folder = Folder::new();
    let none: ArrayRef = Arc::new(Float32Array::from(Vec::<f32>::new()));
    for path in write(&folder, &batch(vec![("a", none)]), 10) {
        assert!(read(&path).err().unwrap().to_string().contains("no rows"), "{}", path.display());
    }
}

#[test]
fn not_a_number_is_found_by_row_and_column_name() {
    let folder = Folder::new();
    let a: ArrayRef = Arc::new(Float32Array::from(vec![1.0, f32::NAN]));
    for path in write(&folder, &batch(vec![("width", a)]), 10) {
        let Err(error) = Dataset::new(read(&path).unwrap()) else { panic!("nan is no number") };
        assert!(error.to_string().contains(", row 1, column 0 (`width`)"), "{error}");
    }
}

#[test]
fn parquet_results_have_types_names_and_row_groups() {
    let folder = Folder::new();
    let about = |path: &Path| {
        let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).unwrap()).unwrap();
        let fields: Vec<_> = reader
            .schema()
            .fields()
            .iter()
            .map(|f| (f.name().clone(), f.data_type().clone(), f.is_nullable()))
            .collect();
        (fields, reader.metadata().num_row_groups())
    };
    let path = folder.path().join("labels.parquet");
    check_output(&path).unwrap();
    write_labels(&path, &[3, 0, 2_147_483_647]).unwrap();
    assert_eq!(all_f64(&read(&path).unwrap()), [3.0, 0.0, 2_147_483_647.0]);
    assert_eq!(about(&path), (vec![("label".into(), DataType::Int32, false)], 1));
    write_vector(&path, &[0.1, 2.0]).unwrap();
    assert_eq!(all_f64(&read(&path).unwrap()), [0.1, 2.0]);

    for (element, kind) in
        [(Element::F64, DataType::Float64), (Element::F32, DataType::Float32), (Element::F16, DataType::Float16)]
    {
        let path = folder.path().join("a.parquet");
        let mut spec = TableSpec::matrix(3, 2, element);
        let mut table = TableWriter::create(&path, spec.clone()).unwrap();
        table.push(Block::F64(&[0.1, -2.0, 3.0, 65504.0])).unwrap();
        table.push(Block::F32(&[5.0, 6.0])).unwrap();
        table.finish().unwrap();
        let tenth = match element {
            Element::F16 => f16::from_f64(0.1).to_f64(),
            Element::F32 => f64::from(0.1_f32),
            _ => 0.1,
        };
        assert_eq!(all_f64(&read(&path).unwrap()), [tenth, -2.0, 3.0, 65504.0, 5.0, 6.0]);
        assert_eq!(about(&path).0, [("c0".into(), kind.clone(), false), ("c1".into(), kind, false)]);
        spec.names = vec!["height".into(), "width".into()];
        let mut table = TableWriter::create(&path, spec).unwrap();
        table.push(Block::F64(&[1.0; 6])).unwrap();
        table.finish().unwrap();
        assert_eq!(all_f64(&choose(&path, &["width"]).unwrap()), [1.0; 3]);
    }

    let path = folder.path().join("wide.parquet");
    let (rows, columns) = (5_000, 1_000);
    let values: Vec<f64> = (0..rows * columns).map(|i| i as f64).collect();
    let mut table = TableWriter::create(&path, TableSpec::matrix(rows as u64, columns, Element::F64)).unwrap();
    values.chunks(columns * 1_700).for_each(|block| table.push(Block::F64(block)).unwrap());
    table.finish().unwrap();
    assert_eq!(about(&path).1, 2, "40 MB of values are two row groups of up to 32 MiB");
    assert!(all_f64(&read(&path).unwrap()) == values);
}

/// Writes a table to every format that is read but for the binary ones, the columnar ones by their crates' own writers.
fn in_every_format(folder: &Folder, values: &[f64], element: Element) -> Vec<PathBuf> {
    let write_table = |path: PathBuf| {
        let mut table = TableWriter::create(&path, TableSpec::matrix(200, 3, element)).unwrap();
        table.push(Block::F64(values)).unwrap();
        table.finish().unwrap();
        path
    };
    let csv = write_table(folder.path().join("a.csv"));
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gz, &std::fs::read(&csv).unwrap()).unwrap();
    let gz = folder.file("a.csv.gz", gz.finish().unwrap());
    let column = |at: usize| -> ArrayRef {
        let values = values.iter().skip(at).step_by(3);
        match element {
            Element::F32 => Arc::new(Float32Array::from_iter_values(values.map(|value| *value as f32))),
            _ => Arc::new(Float64Array::from_iter_values(values.copied())),
        }
    };
    let mut paths = vec![write_table(folder.path().join("a.npy")), csv, gz];
    paths.push(write_table(folder.path().join("ours.parquet")));
    paths.extend(write(folder, &batch(vec![("x", column(0)), ("y", column(1)), ("z", column(2))]), 64));
    paths
}

#[test]
fn every_format_gives_the_inertia_of_its_npy() {
    let folder = Folder::new();
    for element in [Element::F32, Element::F64] {
        // Text tells no types: it is as wide as its values are, which these let it be.
        let step = if element == Element::F32 { 0.25 } else { 0.1 };
        let values: Vec<f64> = (0..600).map(|i| f64::from(i * i % 97) * step + f64::from(i % 3) * 100.0).collect();
        let inertia = |path: &PathBuf| KMeans::new(4).seed(3).fit(&read(path).unwrap()).unwrap().inertia();
        let paths = in_every_format(&folder, &values, element);
        let expected = inertia(&paths[0]);
        for path in &paths {
            assert_eq!(inertia(path).to_bits(), expected.to_bits(), "{}", path.display());
        }
    }
}

#[test]
fn a_table_is_as_wide_as_the_types_of_its_file() {
    let folder = Folder::new();
    let whole: ArrayRef = Arc::new(Int32Array::from_iter_values(0..10));
    let half: ArrayRef = Arc::new(Float32Array::from_iter_values((0..10).map(|row| row as f32 / 2.0)));
    for path in write(&folder, &batch(vec![("whole", whole), ("half", half)]), 10) {
        assert!(choose(&path, &["whole"]).unwrap().is_wide() && !choose(&path, &["half"]).unwrap().is_wide());
    }
}
