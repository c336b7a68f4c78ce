//! Text files that are longer than what is parsed at a time, or compressed.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use superstep::data::{CsvFile, Dataset, ReadOptions, RowSource, open};
use superstep::{Error, Place};

use crate::{Folder, all_f64, assert_reads};

/// Text of some MiB, with what must be read of it: two values a row, and the line of each row.
struct Long {
    text: String,
    values: Vec<f64>,
    lines: Vec<u64>,
}

impl Long {
    /// Rows in every form, in an order that does not repeat within a piece: plain, quoted, with line ends in quotes, with
    /// any line end, with blank lines between.
    fn new(forms: &[&str], rows: usize) -> Self {
        let (mut text, mut values, mut lines, mut line) = (String::new(), Vec::new(), Vec::new(), 1);
        let mut state = 1_u64;
        for row in 0..rows {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let form = forms[(state >> 33) as usize % forms.len()];
            let blank = form.len() - form.trim_start_matches(['\n', '\r']).len();
            let before = form[..blank].replace("\r\n", "\n").len() as u64;
            let (a, b) = (row as f64, (state >> 40) as f64 / 8.0);
            text += &form.replace('A', &a.to_string()).replace('B', &b.to_string());
            values.extend([a, b]);
            lines.push(line + before);
            line += form.replace("\r\n", "\n").replace('\r', "\n").matches('\n').count() as u64;
        }
        Self { text, values, lines }
    }

    fn assert_read(&self, path: &Path, options: &ReadOptions) {
        let file = CsvFile::open(path, options).unwrap();
        assert!(all_f64(&file) == self.values);
        for row in (0..self.lines.len()).step_by(997) {
            assert_eq!(file.place(row as u64, 0).row, Some(self.lines[row]), "row {row}");
        }
    }
}

const FORMS: [(&str, &[&str]); 5] = [
    ("plain", &["A,B\n", " A , B\n", "A,B\r\n", "\n\nA,B\n"]),
    ("quoted", &["A,B\n", "\"A\n\",B\n", "A,\"\r\n\nB\"\r\n", "\"A\",\"B\"\n", "\n\"\n\n\nA\",B\n"]),
    ("carriage returns", &["A,B\r", "\"A\",B\r", "\"\rA\",B\r"]),
    ("carriage returns and line feeds", &["A,B\r\n", "\r\nA,B\r\n"]),
    ("blanks", &["A,    B\n", "      A,B\n"]),
];

#[test]
fn long_texts_read_as_what_was_written_whatever_ends_their_rows() {
    let folder = Folder::new();
    for (name, forms) in FORMS {
        println!("{name}");
        let mut long = Long::new(forms, 300_000);
        assert!(long.text.len() > 3 << 20);
        let path = folder.file("long.csv", &long.text);
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| long.assert_read(&path, &ReadOptions::default()));
        }
        long.text.truncate(long.text.trim_end().len());
        long.assert_read(&folder.file("open end.csv", &long.text), &ReadOptions::default());
    }
}

#[test]
fn rows_that_do_not_fit_are_named_by_their_line_far_into_a_text() {
    let folder = Folder::new();
    for (name, forms) in FORMS {
        let long = Long::new(forms, 250_000);
        let ended = long.text.replace("\r\n", "\n").replace('\r', "\n").matches('\n').count() as u64;
        let ends = long.text.len() - 1..long.text.len();
        let end = &long.text[ends];
        for (bad, column, expected) in [("1,2,3", None, "3 cells"), ("1,x", Some(2), "`x`"), (",2", Some(1), "empty")] {
            // Good rows follow, so that the bad one is not in the last piece.
            let text = format!("{}{bad}{end}{}", long.text, long.text);
            let error = CsvFile::open(folder.file("bad.csv", text), &ReadOptions::default()).err().unwrap();
            let Error::Data { place, message } = error else { panic!("{name}") };
            assert_eq!((place.row, place.column), (Some(ended + 1), column), "{name}, {bad}: {message}");
            assert!(message.contains(expected), "{message}");
        }
    }
}

#[test]
fn numbers_that_are_none_are_found_by_line_far_into_a_text() {
    let folder = Folder::new();
    let mut text = String::from("name,a\n");
    (0..200_000).for_each(|row| text += &format!("\"one, \"\"or\"\"\ntwo\",{row}\n"));
    text += "x,nan\n";
    let options = ReadOptions { columns: Some(vec!["a".into()]), ..ReadOptions::default() };
    let file = CsvFile::open(folder.file("a.csv", text), &options).unwrap();
    let Err(Error::Data { place, .. }) = Dataset::new(file) else { panic!("nan is no number") };
    assert_eq!((place.row, place.column), (Some(400_002), Some(2)));
}

#[test]
fn a_quote_within_a_cell_opens_nothing() {
    let folder = Folder::new();
    let mut text = String::from("5\" pipe,width\n");
    (0..300_000).for_each(|row| text += &format!("{row},2\n"));
    let file = CsvFile::open(folder.file("a.csv", text), &ReadOptions::default()).unwrap();
    assert_eq!(file.rows(), 300_000);
    assert_eq!(file.place(299_999, 0), Place::of(file.place(0, 0).source).row(300_001).column(1));
}

#[test]
fn rows_longer_than_what_is_read_at_a_time_are_rows() {
    let folder = Folder::new();
    let row: Vec<String> = (0..400_000).map(|value| value.to_string()).collect();
    let row = row.join(";");
    assert!(row.len() > 2 << 20);
    let file = CsvFile::open(folder.file("a.csv", format!("{row}\n{row}\n{row}")), &ReadOptions::default()).unwrap();
    assert_eq!((file.rows(), file.columns()), (3, 400_000));
    let expected: Vec<f64> = (0..1_200_000).map(|value| f64::from(value % 400_000)).collect();
    assert!(all_f64(&file) == expected);
}

#[test]
fn a_budget_for_some_of_the_rows_changes_no_value() {
    let folder = Folder::new();
    let mut long = Long::new(&["A,B\n"], 300_000);
    // From here on no f32 holds the values.
    for row in 200_000..300_000 {
        long.text += &format!("{row},0.1\n");
        long.values.extend([f64::from(row), 0.1]);
    }
    let path = folder.file("a.csv", &long.text);
    let whole = CsvFile::open(&path, &ReadOptions::default()).unwrap();
    assert!(whole.notes().is_empty() && whole.in_memory(0..100).is_some());
    for memory in [0, 1 << 20, 2_400_000, 3 << 20, 3_900_000] {
        let file = CsvFile::open(&path, &ReadOptions { memory: Some(memory), ..ReadOptions::default() }).unwrap();
        assert!(all_f64(&file) == long.values, "{memory}");
        assert!(file.is_wide() && !file.notes().is_empty(), "{memory}");
        assert_eq!(file.in_memory(0..100).is_some(), memory > 0, "{memory}");
        assert!(file.held() <= memory && (memory == 0 || file.held() > memory / 2), "{memory}");
        // Rows on both sides of where the memory ended, and where values became wide.
        let mut some = vec![0.0; 2 * 100_000];
        for first in [50_000, 100_001, 250_000] {
            file.read_f64(first, &mut some).unwrap();
            assert!(some == long.values[2 * first as usize..][..some.len()], "{memory}, {first}");
        }
        let mut narrow = vec![0.0; 2 * 100_000];
        file.will_need(250_000..350_000);
        file.read_f32(250_000, &[1.0, 0.05], &mut narrow).unwrap();
        assert_eq!(narrow[narrow.len() - 2..], [249_998.0, (0.1 - 0.05) as f32]);
    }
}

#[test]
fn two_files_share_the_memory_allowed() {
    let folder = Folder::new();
    let (a, b) = (folder.file("a.csv", "1,2\n3,4\n"), folder.file("b.csv", "5,6\n7,8\n"));
    let options = ReadOptions { memory: Some(16), ..ReadOptions::default() };
    let both = open(&[a, b], &options).unwrap();
    assert_reads(&both, 2, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    let notes = both.notes();
    assert!(notes.len() == 1 && notes[0].contains("b.csv: 16 bytes"), "{notes:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_temporary_file_is_gone_with_its_source() {
    /// Open files of this process that have no name any more.
    fn nameless() -> usize {
        let files = std::fs::read_dir("/proc/self/fd").unwrap();
        let targets = files.filter_map(|file| std::fs::read_link(file.unwrap().path()).ok());
        targets
            .filter(|target| {
                target.starts_with(std::env::temp_dir()) && target.to_string_lossy().ends_with("(deleted)")
            })
            .count()
    }
    let folder = Folder::new();
    let path = folder.file("a.csv", "1,2\n3,4\n");
    let open = || CsvFile::open(&path, &ReadOptions { memory: Some(0), ..ReadOptions::default() }).unwrap();
    // Other tests open such files meanwhile: many at once stand out.
    let many: Vec<_> = (0..200).map(|_| open()).collect();
    assert!(nameless() >= 200);
    drop(many);
    assert!(nameless() < 200);
}

#[test]
fn columns_are_chosen_by_name_or_by_number_from_1() {
    let folder = Folder::new();
    let named = folder.file("a.csv", "id,x,y,id2\nu1,1,2,q\nu2,3,4,q\n");
    let bare = folder.file("b.csv", "7,1,2\n8,3,4\n");
    let twice = folder.file("c.csv", "x,x\n1,2\n");
    let choose = |path: &Path, columns: &[&str]| {
        let columns = Some(columns.iter().map(ToString::to_string).collect());
        CsvFile::open(path, &ReadOptions { columns, ..ReadOptions::default() })
    };
    assert_reads(&choose(&named, &["y", "x"]).unwrap(), 2, &[2.0, 1.0, 4.0, 3.0]);
    assert_reads(&choose(&named, &["x"]).unwrap(), 1, &[1.0, 3.0]);
    assert_reads(&choose(&bare, &["3", "1"]).unwrap(), 2, &[2.0, 7.0, 4.0, 8.0]);
    assert_eq!(choose(&bare, &["3", "1"]).unwrap().place(1, 0).column, Some(3));
    for (path, columns, expected) in [
        (&named, &["z"][..], "has no column `z`; it has `id`, `x`, `y`, `id2`"),
        (&named, &["x", "x"], "`x` is named twice"),
        (&named, &["2"], "has no column `2`"),
        (&named, &["id"], "row 2, column 1: `u1` is not a number (column `id`)"),
        (&named, &[], "none is named"),
        (&bare, &["0"], "numbered 1 to 3"),
        (&bare, &["4"], "numbered 1 to 3"),
        (&bare, &["x"], "have no names"),
        (&twice, &["x"], "more than one column named `x`"),
    ] {
        let error = choose(path, columns).err().unwrap().to_string();
        assert!(error.contains(expected), "{columns:?}: {error}");
    }
}

fn gzipped(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn compressed_text_reads_as_the_text() {
    let folder = Folder::new();
    let long = Long::new(FORMS[1].1, 300_000);
    long.assert_read(&folder.file("a.csv.gz", gzipped(long.text.as_bytes())), &ReadOptions::default());
    // As `cat a.gz b.gz` and parallel compressors make them.
    let members: Vec<u8> = long.text.as_bytes().chunks(100_000).flat_map(gzipped).collect();
    long.assert_read(&folder.file("b.CSV.GZ", members), &ReadOptions::default());
    let tabs = folder.file("c.tsv.gz", gzipped(b"a\tb\n1\t2\n"));
    assert_reads(&open(&[tabs], &ReadOptions::default()).unwrap(), 2, &[1.0, 2.0]);
}

#[test]
fn compressed_text_that_is_damaged_is_refused_near_the_row() {
    let folder = Folder::new();
    let long = Long::new(&["A,B\n"], 300_000);
    let whole = gzipped(long.text.as_bytes());
    let row = |bytes: &[u8], expected: &str| {
        let error = CsvFile::open(folder.file("bad.csv.gz", bytes), &ReadOptions::default()).err().unwrap();
        let shown = error.to_string();
        assert!(shown.contains("bad.csv.gz") && shown.contains(expected), "{shown}");
        let Error::Data { place, .. } = error else { panic!("{shown}") };
        place.row
    };
    let half = row(&whole[..whole.len() / 2], "cut short").unwrap();
    assert!((100_000..200_000).contains(&half), "{half}");
    assert_eq!(row(&whole[..whole.len() - 1], "cut short"), Some(300_001));
    assert!(row(&whole[..5], "cut short").is_some());
    row(&[], "");
    row(long.text.as_bytes(), "gzip");
    let mut wrong_sum = whole.clone();
    let sum = wrong_sum.len() - 8;
    wrong_sum[sum] ^= 1;
    row(&wrong_sum, "damaged");
    let mut garbage = whole;
    garbage.extend(b"something else");
    row(&garbage, "damaged");
}
