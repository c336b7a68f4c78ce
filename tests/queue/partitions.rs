//! How rows are cut into partitions, and what tasks see of them.

use crate::support::{assert_says, column_sums, cpu, error_of, everywhere, item, session, table};
use ndarray::{Array1, Array2, ShapeBuilder, s};
use superstep::data::RowSource;
use superstep::queue::{AllReduce, ComputeFunction, IterativeComQueue, Key, Objects, OneDevice, Rows, Session};
use superstep::{Error, Place, Result};

const LEFT: Key<Rows> = Key::new("left");
const RIGHT: Key<Rows> = Key::new("right");
const SUMS: Key<Array1<f64>> = Key::new("sums");

/// The sum of each column of a task's rows.
fn sum_columns(rows: Key<Rows>) -> impl ComputeFunction {
    item("sum columns", Objects::reads(rows).writes(SUMS), move |cx| {
        let sums = cx.get(rows)?.mapv(f64::from).sum_axis(ndarray::Axis(0));
        cx.put(SUMS, sums)
    })
}

fn sums_of(session: &Session, source: impl RowSource) -> Result<Vec<Array1<f64>>> {
    let queue = IterativeComQueue::once(session).init_with_partitioned_data(LEFT, source);
    Ok(queue.add(sum_columns(LEFT)).add(AllReduce::sum(SUMS)).close_with(|cx| cx.take(SUMS)).run()?.results)
}

#[test]
fn every_row_belongs_to_one_task_in_order() -> Result<()> {
    for on in everywhere() {
        for rows in [0, 1, 2, 3, 4, 10, 100] {
            let data = table(rows, 2);
            let queue = IterativeComQueue::once(&on.session).init_with_partitioned_data(LEFT, &data);
            let parts = queue
                .close_with(|cx| {
                    let rows = cx.rows(LEFT)?;
                    assert_eq!(
                        (rows.len(), rows.columns(), rows.is_empty()),
                        (rows.view()?.nrows(), 2, rows.view()?.is_empty())
                    );
                    Ok((rows.first_row() as usize, rows.len(), rows.view()?.to_owned()))
                })
                .run()?
                .results;
            assert_eq!(parts.len(), on.partitions);
            let mut next = 0;
            for (first, length, values) in parts {
                assert_eq!(first, next, "{rows} rows, {}", on.name);
                assert_eq!(values, data.slice(s![first..first + length, ..]));
                assert!(length.abs_diff(rows / on.partitions) <= 1, "{rows} rows are shared out evenly");
                next += length;
            }
            assert_eq!(next, rows);
        }
    }
    Ok(())
}

#[test]
fn more_tasks_than_rows_give_the_same_sums() -> Result<()> {
    for rows in [1, 2, 5] {
        let data = table(rows, 3);
        assert_eq!(sums_of(&cpu(8), &data)?, vec![column_sums(&data); 8], "{rows} rows");
    }
    Ok(())
}

#[test]
fn sources_of_any_layout_and_precision_give_the_same_rows() -> Result<()> {
    let data = table(101, 4);
    let wide = data.mapv(f64::from);
    let fortran = Array2::from_shape_fn((101, 4).f(), |at| data[at]);
    let mut padded = Array2::zeros((202, 9));
    padded.slice_mut(s![..;2, 1..;2]).assign(&data);
    for on in everywhere() {
        let expected = vec![column_sums(&data); on.partitions];
        assert_eq!(sums_of(&on.session, &data)?, expected, "f32, {}", on.name);
        assert_eq!(sums_of(&on.session, wide.view())?, expected, "f64, {}", on.name);
        assert_eq!(sums_of(&on.session, fortran.view())?, expected, "column-major, {}", on.name);
        assert_eq!(sums_of(&on.session, padded.slice(s![..;2, 1..;2]))?, expected, "strided, {}", on.name);
        assert_eq!(sums_of(&on.session, data.clone())?, expected, "owned, {}", on.name);
    }
    Ok(())
}

#[test]
fn several_sources_may_differ_in_rows_and_columns() -> Result<()> {
    let (left, right) = (table(100, 3), table(7, 2));
    let other: Key<Array1<f64>> = Key::new("other");
    for on in everywhere() {
        let run = IterativeComQueue::once(&on.session)
            .init_with_partitioned_data(LEFT, &left)
            .init_with_partitioned_data(RIGHT, &right)
            .add(sum_columns(LEFT))
            .add(item("sum the other", Objects::reads(RIGHT).writes(other), move |cx| {
                let sums = cx.get(RIGHT)?.mapv(f64::from).sum_axis(ndarray::Axis(0));
                cx.put(other, sums)
            }))
            .add(AllReduce::sum(SUMS))
            .add(AllReduce::sum(other))
            .close_with(|cx| Ok((cx.take(SUMS)?, cx.take(other)?)))
            .run()?;
        assert_eq!(run.results, vec![(column_sums(&left), column_sums(&right)); on.partitions], "{}", on.name);
    }
    Ok(())
}

#[test]
fn rows_are_read_block_by_block() -> Result<()> {
    let data = table(50, 3);
    let wide = data.mapv(f64::from);
    let blocks = |source: &dyn RowSource| {
        let queue = IterativeComQueue::once(&cpu(3)).init_with_partitioned_data(LEFT, source);
        let run = queue.close_with(|cx| {
            let (rows, mut scratch, mut all) = (cx.rows(LEFT)?, Vec::new(), Vec::new());
            for first in (0..rows.len()).step_by(5) {
                all.extend_from_slice(rows.read(first..rows.len().min(first + 5), &mut scratch)?);
            }
            let outside = rows.read(0..rows.len() + 1, &mut scratch).map(|_| ());
            assert_says(&error_of(outside, "outside"), &["range", &format!("a task that has {}", rows.len())]);
            Ok(all)
        });
        Ok::<_, Error>(run.run()?.results.concat())
    };
    let expected: Vec<f32> = data.iter().copied().collect();
    assert_eq!(blocks(&data)?, expected);
    assert_eq!(blocks(&wide)?, expected);
    Ok(())
}

#[test]
fn several_cpu_devices_share_the_rows() -> Result<()> {
    let data = table(23, 2);
    for partitions in [1, 3] {
        let two = session(&[OneDevice::Cpu, OneDevice::Cpu], partitions);
        assert_eq!(sums_of(&two, &data)?, vec![column_sums(&data); 2 * partitions]);
    }
    Ok(())
}

#[test]
fn a_session_without_devices_or_partitions_is_refused() {
    let refused = [
        ("device", Session::builder().device(superstep::queue::DeviceChoice::These(vec![]))),
        ("partitions", Session::builder().partitions(0)),
        ("threads", Session::builder().threads(0)),
    ];
    for (parameter, builder) in refused {
        assert_says(&error_of(builder.build(), parameter), &[parameter]);
    }
}

/// A file that cannot be read past its third row.
struct Broken;

impl RowSource for Broken {
    fn rows(&self) -> u64 {
        10
    }

    fn columns(&self) -> usize {
        2
    }

    fn read_f64(&self, first: u64, _: &mut [f64]) -> Result<()> {
        Err(Error::data(self.place(first, 0), "the file ends here"))
    }

    fn read_f32(&self, first: u64, _: &[f64], _: &mut [f32]) -> Result<()> {
        Err(Error::data(self.place(first, 0), "the file ends here"))
    }

    fn place(&self, row: u64, column: usize) -> Place {
        Place::of("broken.csv").row(row).column(column as u64)
    }
}

#[test]
fn a_source_that_cannot_be_read_names_the_place() {
    for on in everywhere() {
        let error = error_of(sums_of(&on.session, Broken), &on.name);
        assert_says(&error, &["broken.csv, row ", "the file ends here"]);
    }
}

#[test]
fn whole_blocks_are_never_cut_and_tasks_without_one_have_no_rows() -> Result<()> {
    for on in everywhere() {
        for rows in [0, 1, 255, 256, 257, 700, 3000] {
            let data = table(rows, 2);
            let parts = IterativeComQueue::once(&on.session)
                .in_whole_blocks(256)
                .init_with_partitioned_data(LEFT, &data)
                .close_with(|cx| {
                    let rows = cx.rows(LEFT)?;
                    assert_eq!(rows.view()?.nrows(), rows.len());
                    Ok(rows.first_row()..rows.first_row() + rows.len() as u64)
                })
                .run()?
                .results;
            assert_eq!(parts.len(), on.partitions);
            assert!(parts.iter().all(|part| part.start.is_multiple_of(256) || part.is_empty()), "{parts:?}");
            assert_eq!((parts[0].start, parts[parts.len() - 1].end), (0, rows as u64));
            assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start), "{parts:?}");
            let blocks = parts.iter().map(|part| (part.end - part.start).div_ceil(256) as usize);
            assert!(blocks.clone().max().unwrap() - blocks.min().unwrap() <= 1, "{rows} rows: {parts:?}");
        }
    }
    for blocks in [0, 3, 8192] {
        let data = table(10, 2);
        let queue = IterativeComQueue::once(&cpu(1)).in_whole_blocks(blocks).init_with_partitioned_data(LEFT, &data);
        let error = error_of(queue.add(sum_columns(LEFT)).run(), "no such blocks");
        assert!(error.to_string().contains("in_whole_blocks"), "{error}");
    }
    Ok(())
}
