//! Tables that come one after the other.

use ndarray::{Array2, array};
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use superstep::data::{Batches, ReadOptions, RowSource};

fn values(batch: &dyn RowSource) -> Array2<f64> {
    let mut values = Array2::zeros((batch.rows() as usize, batch.columns()));
    batch.read_f64(0, values.as_slice_mut().unwrap()).unwrap();
    values
}

fn all(mut batches: Batches) -> Vec<Array2<f64>> {
    std::iter::from_fn(|| batches.next_batch(&|| false).unwrap()).map(|batch| values(&*batch)).collect()
}

#[test]
fn a_table_is_cut_and_its_pieces_know_where_they_come_from() {
    let table = Array2::from_shape_fn((7, 2), |(row, column)| (10 * row + column) as f64 + 0.1);
    let pieces = all(Batches::of_rows(&table, 3));
    assert_eq!(pieces.iter().map(Array2::nrows).collect::<Vec<_>>(), [3, 3, 1]);
    assert_eq!(
        ndarray::concatenate(ndarray::Axis(0), &[pieces[0].view(), pieces[1].view(), pieces[2].view()]).unwrap(),
        table
    );
    let mut batches = Batches::of_rows(table.mapv(|value| value as f32), 3);
    batches.next_batch(&|| false).unwrap();
    let second = batches.next_batch(&|| false).unwrap().unwrap();
    assert_eq!((second.place(1, 1).row, second.place(1, 1).column), (Some(4), Some(1)));
    assert!(!second.is_wide() && second.in_memory(0..3).is_some());
    assert_eq!(all(Batches::of_rows(Array2::<f32>::zeros((0, 2)), 3)).len(), 0);
}

/// A reader that gives so many bytes at a time.
struct Drop(&'static [u8], usize);

impl Read for Drop {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let count = self.1.min(self.0.len()).min(out.len());
        out[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

#[test]
fn text_is_the_same_rows_however_its_bytes_come() {
    let texts: [(&str, &[u8]); 6] = [
        ("a header, and no end of the last line", b"x,y\n1,2\n3,4\n5,6"),
        ("lines of Windows", b"1,2\r\n3,4\r\n5,6\r\n"),
        ("blank lines and a mark", b"\xef\xbb\xbf\n\n1,2\n\n3,4\n5,6\n\n"),
        ("quotes, and a line end within", b"\"the\nfirst\",b\n\"1\",2\n3,\"4\"\n5,6\n"),
        ("semicolons", b"1;2\n3;4\n5;6\n"),
        ("a header alone in its piece", b"a\tb\n1\t2\n3\t4\n5\t6\n"),
    ];
    for (case, text) in texts {
        for bytes in [1, 2, 3, 5, 1000] {
            let batches = Batches::of_text(Drop(text, bytes), case, 2, &ReadOptions::default());
            assert_eq!(all(batches), [array![[1.0, 2.0], [3.0, 4.0]], array![[5.0, 6.0]]], "{case}, {bytes} bytes");
        }
    }
    assert_eq!(all(Batches::of_text(&b"x,y\n"[..], "a header", 2, &ReadOptions::default())).len(), 0);
    assert_eq!(all(Batches::of_text(&b""[..], "nothing", 2, &ReadOptions::default())).len(), 0);
}

#[test]
fn columns_of_text_are_chosen_and_places_count_as_editors_do() {
    let options = ReadOptions { columns: Some(vec!["c".into(), "a".into()]), ..ReadOptions::default() };
    let text: &[u8] = b"a,b,c\n\n1,2,3\n4,5,6\n";
    let mut batches = Batches::of_text(text, "pipe", 9, &options);
    let batch = batches.next_batch(&|| false).unwrap().unwrap();
    assert_eq!(values(&*batch), array![[3.0, 1.0], [6.0, 4.0]]);
    assert_eq!(batch.place(1, 0).to_string(), "pipe, row 4, column 3");
    let mut batches = Batches::of_text(&b"a,b\n1,2\n3,4\n5\n"[..], "pipe", 2, &ReadOptions::default());
    let error = std::iter::from_fn(|| batches.next_batch(&|| false).map(|batch| batch.map(drop)).transpose())
        .find_map(Result::err)
        .expect("a ragged row");
    assert!(error.to_string().starts_with("pipe, row 4: 1 cells where the first row has 2"), "{error}");
}

#[test]
fn a_growing_file_gives_rows_as_they_are_added_and_ends_when_it_idles() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    std::fs::write(&path, "1,2\n3,4\n5,").unwrap();
    let idle = Some(Duration::from_millis(150));
    let mut batches = Batches::of_growing_file(&path, 2, idle, &ReadOptions::default()).unwrap();
    assert_eq!(values(&*batches.next_batch(&|| false).unwrap().unwrap()), array![[1.0, 2.0], [3.0, 4.0]]);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = OpenOptions::new().append(true).open(&path).unwrap();
            for text in ["6\n", "7,8\n9,", "10"] {
                std::thread::sleep(Duration::from_millis(30));
                file.write_all(text.as_bytes()).unwrap();
            }
        });
        assert_eq!(values(&*batches.next_batch(&|| false).unwrap().unwrap()), array![[5.0, 6.0], [7.0, 8.0]]);
        assert_eq!(values(&*batches.next_batch(&|| false).unwrap().unwrap()), array![[9.0, 10.0]]);
    });
    assert!(batches.next_batch(&|| false).unwrap().is_none());
    let error = Batches::of_growing_file(folder.path().join("none.csv"), 2, None, &ReadOptions::default()).err();
    assert!(error.expect("no such file").to_string().contains("none.csv"));
}

#[test]
fn a_file_that_grows_for_ever_ends_with_an_interruption_and_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    std::fs::write(&path, "1,2\n").unwrap();
    let mut batches = Batches::of_growing_file(&path, 2, None, &ReadOptions::default()).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(50));
            stop.store(true, Ordering::Relaxed);
        });
        let last = batches.next_batch(&|| stop.load(Ordering::Relaxed)).unwrap().expect("the row that is there");
        assert_eq!(values(&*last), array![[1.0, 2.0]]);
    });
    assert!(batches.next_batch(&|| true).unwrap().is_none());
}
