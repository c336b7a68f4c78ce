//! Flink's batch KMeans example: two-dimensional points, given centroids, a fixed number of iterations.
//!
//! ```sh
//! cargo run --example flink_kmeans -- [--points FILE] [--centroids FILE] [--iterations N] [--output FILE]
//! ```
//!
//! Points are lines `x y`, centroids lines `id x y`; without files a small data set of its own is used. The output has
//! one line `cluster x y` a point.

use ndarray::Array2;
use std::error::Error;
use std::fmt::Write as _;
use superstep::{EmptyClusters, Init, KMeans};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Three loose heaps around (−3, −3), (0, 4) and (5, −1).
const POINTS: &str = "\
-3.2 -2.8\n-2.5 -3.6\n-3.9 -3.1\n-2.7 -2.2\n-3.4 -4.0\n-4.1 -2.5\n-2.1 -3.0\n-3.0 -3.5\n\
0.3 4.4\n-0.8 3.7\n0.9 3.2\n0.1 5.1\n-0.4 4.6\n1.2 4.1\n-1.1 4.9\n0.0 3.5\n\
5.6 -0.7\n4.4 -1.5\n5.1 0.2\n4.8 -2.1\n6.0 -1.3\n5.3 -1.9\n4.1 -0.4\n5.7 -0.1\n";

const CENTROIDS: &str = "1 -1.0 -1.0\n2 0.0 1.0\n3 1.0 -1.0\n";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let option = |name: &str| arguments.iter().position(|a| a == name).and_then(|at| arguments.get(at + 1));
    let text = |name: &str, default: &str| match option(name) {
        Some(path) => std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}").into()),
        None => Ok::<String, Box<dyn Error>>(default.to_owned()),
    };
    let points = table::<2>(&text("--points", POINTS)?)?;
    let centroids = table::<3>(&text("--centroids", CENTROIDS)?)?;
    let iterations = option("--iterations").map_or(Ok(10), |number| number.parse())?;

    let start = centroids.slice(ndarray::s![.., 1..]).to_owned();
    let model = KMeans::new(start.nrows())
        .init(Init::Centroids(start))
        .max_iter(iterations)
        .tol(0.0)
        .empty_clusters(EmptyClusters::Keep)
        .fit(&points)?;

    let mut lines = String::new();
    for (label, point) in model.labels().iter().zip(points.outer_iter()) {
        let id = centroids[[*label as usize, 0]];
        writeln!(lines, "{id} {} {}", point[0], point[1])?;
    }
    match option("--output") {
        Some(path) => std::fs::write(path, lines)?,
        None => print!("{lines}"),
    }
    eprintln!("{} points, {} clusters, {} iterations", points.nrows(), model.k(), model.iterations());
    Ok(())
}

/// Lines of N numbers.
fn table<const N: usize>(text: &str) -> Result<Array2<f64>> {
    let mut values = Vec::new();
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    for (number, line) in lines {
        let row = line.split_whitespace().map(str::parse).collect::<std::result::Result<Vec<f64>, _>>();
        let row = row.map_err(|error| format!("line {}: {error}", number + 1))?;
        if row.len() != N {
            return Err(format!("line {}: {} numbers where {N} are needed", number + 1, row.len()).into());
        }
        values.extend(row);
    }
    Ok(Array2::from_shape_vec((values.len() / N, N), values)?)
}
