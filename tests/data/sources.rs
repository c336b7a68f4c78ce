use ndarray::{Array2, ArrayView2, Axis, array, s};
use superstep::data::{Concat, RowSource};

use crate::assert_reads;

fn table() -> Array2<f64> {
    Array2::from_shape_fn((7, 3), |(row, column)| row as f64 * 10.0 + column as f64 + 0.1)
}

#[test]
fn arrays_of_any_strides_read_row_by_row() {
    let table = table();
    let expected: Vec<f64> = table.iter().copied().collect();
    let fortran = Array2::from_shape_vec((3, 7), table.t().iter().copied().collect()).unwrap().reversed_axes();
    let padded = Array2::from_shape_fn((7, 6), |(row, column)| table[[row, column / 2]]);
    let mut upside_down = table.slice(s![..;-1, ..]).to_owned();
    upside_down.invert_axis(Axis(0));
    let views: [(&str, ArrayView2<f64>); 4] = [
        ("row-major", table.view()),
        ("column-major", fortran.view()),
        ("every other column", padded.slice(s![.., ..;2])),
        ("negative strides", upside_down.view()),
    ];
    for (name, view) in views {
        println!("{name}");
        assert_reads(&view, 3, &expected);
        assert!(view.is_wide() && view.in_memory(0..1).is_none());
        let narrow = view.mapv(|value| value as f32);
        let expected: Vec<f64> = narrow.iter().map(|value| f64::from(*value)).collect();
        assert_reads(&narrow, 3, &expected);
        assert!(!narrow.is_wide());
    }
}

#[test]
fn only_gapless_row_major_f32_is_handed_out() {
    let table = table().mapv(|value| value as f32);
    assert!(table.in_memory(0..1).is_some());
    assert!(table.slice(s![2..5, ..]).in_memory(0..1).is_some());
    assert!(table.slice(s![.., 1..]).in_memory(0..1).is_none());
    assert!(table.t().in_memory(0..1).is_none());
}

#[test]
fn slices_are_one_column() {
    assert_reads(&[1.5f32, -2.0, 3.25].as_slice(), 1, &[1.5, -2.0, 3.25]);
    assert_reads(&vec![0.1f64, 0.2], 1, &[0.1, 0.2]);
    assert!(vec![1.0f32].in_memory(0..1).is_some());
}

#[test]
fn sources_behind_pointers_read_alike() {
    let table = table();
    let expected: Vec<f64> = table.iter().copied().collect();
    assert_reads(&&table, 3, &expected);
    let boxed: Box<dyn RowSource + '_> = Box::new(table.view());
    assert_reads(&boxed, 3, &expected);
    assert!(boxed.is_wide());
}

#[test]
fn concatenated_sources_read_across_their_borders() {
    let (a, b, c) = (array![[1.0f32, 2.0]], Array2::<f64>::zeros((0, 2)), array![[0.1f64, 3.0], [4.0, 5.0]]);
    let parts: Vec<Box<dyn RowSource>> = vec![Box::new(a), Box::new(b), Box::new(c)];
    let all = Concat::new(parts).unwrap();
    assert_reads(&all, 2, &[1.0, 2.0, 0.1, 3.0, 4.0, 5.0]);
    assert!(all.is_wide() && all.in_memory(0..1).is_none());
    assert_eq!(all.place(2, 1).row, Some(1));
}

#[test]
fn reads_past_the_end_or_of_half_rows_are_refused() {
    let array = table();
    let vector = vec![1.0f32; 7];
    let concat = Concat::new(vec![Box::new(array.view())]).unwrap();
    let empty = Array2::<f32>::zeros((7, 0));
    let cases: [(&dyn RowSource, u64, usize); 7] = [
        (&array, 7, 3),
        (&array, 0, 24),
        (&array, u64::MAX, 3),
        (&array, 0, 4),
        (&concat, 6, 6),
        (&vector, 5, 3),
        (&empty, 0, 1),
    ];
    for (source, first, length) in cases {
        assert!(source.read_f64(first, &mut vec![0.0; length]).is_err(), "{length} from {first}");
        assert!(source.read_f32(first, &[], &mut vec![0.0; length]).is_err(), "{length} from {first}");
    }
    assert!(array.read_f32(0, &[1.0], &mut [0.0; 3]).is_err(), "an origin of the wrong width");
}
