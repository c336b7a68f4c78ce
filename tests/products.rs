//! Products of rows with small matrices, as items of a queue: on the CPU and on every adapter that wgpu lists.

#[path = "support/adapters.rs"]
mod adapters;

use adapters::at_hand;
use ndarray::{Array2, s};
use superstep::algorithms::products::{
    BIAS, COLUMN_EXPONENTS, MATRIX, MultiplyBack, MultiplyRows, POINTS, Products, SUMS, SumProducts, VALUE_EXPONENTS,
    VALUES,
};
use superstep::backend::cpu::{PRODUCT_BLOCK, ProductUnits};
use superstep::queue::{AllReduce, DeviceChoice, IterativeComQueue, OneDevice};
use superstep::{Result, Session};

struct Case {
    rows: Array2<f32>,
    matrix: Array2<f32>,
    bias: Vec<f32>,
}

impl Case {
    /// n rows of d columns, m outputs: numbers of up to 10 bits, so that devices' sums of them are exact.
    fn new(n: usize, d: usize, m: usize) -> Self {
        let number = |at: usize, most: usize| (at.wrapping_mul(2_654_435_761) >> 7) % most;
        let signed = |at: usize, most: usize| number(at, 2 * most + 1) as f32 - most as f32;
        Self {
            rows: Array2::from_shape_fn((n, d), |(row, column)| signed(row * d + column, 7)),
            matrix: Array2::from_shape_fn((d, m), |(row, column)| signed(9000 + row * m + column, 2)),
            bias: (0..m).map(|at| signed(77 + at, 3)).collect(),
        }
    }

    fn values(&self) -> Array2<f64> {
        let mut values = self.rows.mapv(f64::from).dot(&self.matrix.mapv(f64::from));
        values
            .outer_iter_mut()
            .for_each(|mut row| row.iter_mut().zip(&self.bias).for_each(|(v, b)| *v += f64::from(*b)));
        values
    }

    fn units(&self) -> ProductUnits {
        let largest = self.values().iter().fold(0.0_f64, |most, v| most.max(v.abs()));
        let column = 7.0 * self.rows.nrows() as f64;
        ProductUnits::plan(&vec![column; self.rows.ncols()], &vec![largest; self.bias.len()]).expect("in range")
    }

    fn queue<'q>(&'q self, session: &Session, units: &ProductUnits) -> Result<(IterativeComQueue<'q>, Products)> {
        let queue = IterativeComQueue::once(session)
            .in_whole_blocks(PRODUCT_BLOCK as u64)
            .init_with_partitioned_data(POINTS, &self.rows)
            .init_with_broadcast_data(MATRIX, self.matrix.clone())
            .init_with_broadcast_data(BIAS, self.bias.clone())
            .init_with_broadcast_data(COLUMN_EXPONENTS, units.columns().to_vec())
            .init_with_broadcast_data(VALUE_EXPONENTS, units.outputs().to_vec());
        Ok((queue, Products::new(self.rows.nrows() as u64, units.clone())?))
    }
}

fn on_every_device(test: impl Fn(&Session, &str) -> Result<()>) {
    for device in std::iter::once(OneDevice::Cpu).chain((0..at_hand()).map(OneDevice::Adapter)) {
        for partitions in [1, 3] {
            let builder = Session::builder().device(DeviceChoice::These(vec![device])).threads(2);
            let session = builder.partitions(partitions).build().expect("the device opens");
            let name = format!("{device:?}, {partitions} partitions");
            test(&session, &name).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}

#[test]
fn items_give_the_exact_products_alone_and_together() {
    on_every_device(|session, name| {
        for (n, d, m) in [(1, 1, 1), (700, 9, 5), (5000, 3, 2), (300, 70, 33)] {
            let case = Case::new(n, d, m);
            let (values, units) = (case.values(), case.units());
            let sums = case.rows.mapv(f64::from).t().dot(&values);
            let name = format!("{name}, {n} × {d} × {m}");

            let (queue, products) = case.queue(session, &units)?;
            let two = queue.add(MultiplyRows(products.clone())).add(SumProducts(products)).add(AllReduce::sum(SUMS));
            let run =
                two.close_with(|cx| Ok((cx.rows(POINTS)?.first_row(), cx.take(VALUES)?, cx.take(SUMS)?))).run()?;
            for (first, found, summed) in run.results {
                let first = first as usize;
                assert_eq!(found.mapv(f64::from), values.slice(s![first..first + found.nrows(), ..]), "{name}");
                assert_eq!(units.values(&summed)?, sums, "{name}");
            }

            let (queue, products) = case.queue(session, &units)?;
            let one = queue.add(MultiplyBack(products)).add(AllReduce::sum(SUMS)).close_with(|cx| cx.take(SUMS));
            assert_eq!(units.values(&one.exec()?)?, sums, "{name}");
        }
        Ok(())
    });
}

#[test]
fn objects_of_another_shape_are_refused_before_the_work() -> Result<()> {
    let mut case = Case::new(10, 3, 2);
    let units = case.units();
    case.matrix = Array2::zeros((2, 3));
    let session = Session::cpu()?;
    let (queue, products) = case.queue(&session, &units)?;
    let error = queue.add(MultiplyBack(products)).add(AllReduce::sum(SUMS)).run().err().expect("another shape");
    assert!(error.to_string().contains("2 × 3") && error.to_string().contains("`matrix`"), "{error}");
    assert!(Products::new(10, ProductUnits::plan(&[], &[1.0])?).is_err());
    Ok(())
}
