//! k-means where something else runs the map and the reduce: here plain processes that exchange files.
//!
//! ```sh
//! cargo run --example map_reduce
//! ```
//!
//! The rows lie in two shards. For each map this program starts itself once a shard; a worker reads its shard and maybe a
//! step, and leaves a file. The driver merges the files. Spark, Dask or Ray would do both over a network.

use ndarray::Array2;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;
use superstep::algorithms::kmeans::steps::{Partial, ShardSurvey, Step};
use superstep::data::{ReadOptions, RowSource, open, write_npy};
use superstep::{EmptyClusters, Init, KMeans, Metric, Session};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const ROWS: usize = 10_000;
/// Where the second shard begins: a multiple of 4096.
const CUT: usize = 4096;
const ROUNDS: u32 = 6;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => driver(),
        ["survey", folder, shard] => survey(Path::new(folder), shard),
        ["partial", folder, shard] => partial(Path::new(folder), shard),
        _ => Err("usage: map_reduce".into()),
    }
}

/// A worker of the first map.
fn survey(folder: &Path, shard: &str) -> Result<()> {
    let rows = rows_of(folder, shard)?;
    let first = if shard == "0" { 0 } else { CUT };
    let survey = ShardSurvey::of(&*rows, None, first as u64, ROWS as u64)?;
    Ok(fs::write(folder.join(format!("{shard}.survey")), survey.encode())?)
}

/// A worker of a round's map.
fn partial(folder: &Path, shard: &str) -> Result<()> {
    let step = Step::decode(&fs::read(folder.join("step"))?).ok_or("the step does not read")?;
    let partial = step.partial(&Session::cpu()?, &*rows_of(folder, shard)?, None)?;
    Ok(fs::write(folder.join(format!("{shard}.partial")), partial.encode())?)
}

fn rows_of(folder: &Path, shard: &str) -> Result<Box<dyn RowSource>> {
    Ok(open(&[folder.join(format!("{shard}.npy"))], &ReadOptions::default())?)
}

/// Starts a worker for each shard and waits for all.
fn map(what: &str, folder: &Path) -> Result<()> {
    let start = |shard: &str| Command::new(std::env::current_exe()?).arg(what).arg(folder).arg(shard).spawn();
    let workers = ["0", "1"].map(start).into_iter().collect::<std::io::Result<Vec<_>>>()?;
    for mut worker in workers {
        if !worker.wait()?.success() {
            return Err(format!("a worker of `{what}` failed").into());
        }
    }
    Ok(())
}

fn driver() -> Result<()> {
    let points = points();
    let start = points.slice(ndarray::s![..5, ..]).mapv(f64::from);
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    for (shard, rows) in [0..CUT, CUT..ROWS].into_iter().enumerate() {
        let rows = points.slice(ndarray::s![rows, ..]).to_owned();
        write_npy(&mut fs::File::create(folder.join(format!("{shard}.npy")))?, &rows)?;
    }

    map("survey", folder)?;
    let read = |name: &str| fs::read(folder.join(name));
    let decode = |bytes: &[u8]| ShardSurvey::decode(bytes).ok_or("a survey does not read");
    let mut survey = decode(&read("1.survey")?)?;
    survey.merge(decode(&read("0.survey")?)?)?;

    let session = Session::cpu()?;
    let mut step = Step::new(Metric::Euclidean, &survey, &start)?;
    let mut centroids = start.clone();
    for round in 1..=ROUNDS {
        fs::write(folder.join("step"), step.encode())?;
        map("partial", folder)?;
        let decode = |bytes: &[u8]| Partial::decode(bytes).ok_or("a partial result does not read");
        let mut partial = decode(&read("0.partial")?)?;
        partial.merge(&decode(&read("1.partial")?)?)?;
        let done = step.finish(&session, &partial)?;
        println!("round {round}: inertia {:.1}, shift {:.4}", done.inertia, done.shift);
        (step, centroids) = (done.next, done.centroids);
    }

    let kmeans = KMeans::new(5).init(Init::Centroids(start)).max_iter(ROUNDS).tol(0.0).session(&session);
    let model = kmeans.empty_clusters(EmptyClusters::Keep).fit(&points)?;
    let same = model.iterations() == ROUNDS && *model.centroids() == centroids;
    println!("the centroids are {} those of one process", if same { "bit for bit" } else { "NOT" });
    Ok(())
}

/// Five heaps without any order of the rows.
fn points() -> Array2<f32> {
    Array2::from_shape_fn((ROWS, 3), |(row, column)| {
        let noise = ((row * 7919 + column * 104_729) % 1009) as f32 / 200.0;
        ((row * 31 % 11 % 5) * (column + 1)) as f32 + noise
    })
}
