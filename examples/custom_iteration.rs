//! An algorithm of your own on the queue: power iteration for the leading eigenvector of AᵀA.
//!
//! ```text
//! cargo run --release --example custom_iteration [cpu|gpu|auto]
//! ```
//!
//! A vector is multiplied by AᵀA and brought back to length 1 until it keeps its direction. The rows of A are cut into
//! partitions; each task multiplies with its own rows, and an all-reduce sums their products. `Multiply` computes on
//! the processor and, in `power_iteration.wgsl`, on a GPU; `Normalise` has no WGSL and runs on both all the same.

use ndarray::{Array1, Array2};
use superstep::queue::{
    AllReduce, ComContext, ComputeFunction, IterativeComQueue, Key, Objects, Rows, Shader, ShapeRule, Stop,
};
use superstep::{Result, Session};

const COLUMNS: usize = 16;
const BLOCKS: usize = 500;

/// The matrix A, and v, AᵀA v and A v. WGSL finds them by these names.
const ROWS: Key<Rows> = Key::new("rows");
const VECTOR: Key<Array1<f32>> = Key::new("vector");
const PRODUCT: Key<Array1<f32>> = Key::new("product");
const PROJECTION: Key<Array1<f32>> = Key::new("projection");

/// A task's share of AᵀA v.
struct Multiply;

impl ComputeFunction for Multiply {
    fn objects(&self) -> Objects {
        Objects::reads((ROWS, VECTOR))
            .writes(PRODUCT)
            .shape(PRODUCT, ShapeRule::like(VECTOR))
            .scratch(PROJECTION, ShapeRule::rows_of(ROWS))
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let rows = cx.get(ROWS)?;
        let product = rows.t().dot(&rows.dot(cx.get(VECTOR)?));
        cx.put(PRODUCT, product)
    }

    fn shader(&self) -> Option<Shader> {
        let pass = |entry| Shader::wgsl(include_str!("power_iteration.wgsl")).named("power_iteration").entry(entry);
        Some(pass("project").per_row(ROWS).then(pass("collect").workgroups(COLUMNS as u64)))
    }
}

/// v = AᵀA v / |AᵀA v|. Every task would compute the same, so one task of each device does.
struct Normalise;

impl ComputeFunction for Normalise {
    fn objects(&self) -> Objects {
        Objects::reads(PRODUCT).writes(VECTOR).shape(VECTOR, ShapeRule::like(PRODUCT)).once_per_device()
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let product = cx.get(PRODUCT)?;
        let unit = product / product.dot(product).sqrt();
        cx.put(VECTOR, unit)
    }
}

/// 500 copies of the square matrix with 17 on its diagonal and 1 elsewhere. AᵀA then has the eigenvalue 500 · 32² for
/// the vector of equal components, and 500 · 16² for all others.
fn matrix() -> Array2<f32> {
    Array2::from_shape_fn((BLOCKS * COLUMNS, COLUMNS), |(row, column)| if row % COLUMNS == column { 17.0 } else { 1.0 })
}

fn main() -> Result<()> {
    let device = std::env::args().nth(1).unwrap_or_else(|| "auto".to_owned());
    let session = Session::builder().device(device.parse()?).partitions(3).build()?;
    let matrix = matrix();
    let mut start = Array1::zeros(COLUMNS);
    start[0] = 1.0;

    let run = IterativeComQueue::new(&session)
        .init_with_partitioned_data(ROWS, &matrix)
        .init_with_broadcast_data(VECTOR, start)
        .add(Multiply)
        .add(AllReduce::sum(PRODUCT))
        .add(Normalise)
        .set_compare_criterion(|cx| {
            let change = cx.get(VECTOR)? - cx.previous(VECTOR)?;
            Ok(change.dot(&change) < 1e-12)
        })
        .set_max_iter(200)
        .close_with(|cx| {
            let product = cx.get(PRODUCT)?;
            Ok((product.dot(product).sqrt(), cx.take(VECTOR)?))
        })
        .run()?;

    let info = session.devices().iter().map(|device| device.info());
    let devices: Vec<String> = info.map(|info| format!("{} ({})", info.name, info.kind)).collect();
    let (eigenvalue, vector) = &run.results[0];
    let known = (BLOCKS * 32 * 32) as f32;
    println!("device       {}, {} tasks", devices.join(" and "), run.results.len());
    println!("matrix       {} × {}", matrix.nrows(), matrix.ncols());
    println!("rounds       {}{}", run.rounds, if run.stop == Stop::Criterion { ", converged" } else { "" });
    println!("eigenvalue   {eigenvalue} (known: {known}, off by {:.1e})", (eigenvalue - known).abs() / known);
    println!(
        "eigenvector  {:.4} … {:.4} (known: {:.4})",
        vector[0],
        vector[COLUMNS - 1],
        1.0 / (COLUMNS as f32).sqrt()
    );
    Ok(())
}
