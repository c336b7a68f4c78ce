//! The algorithms, each written as a queue of items. They know the queue, the kernels' twins on the processor and
//! sources of data; none of them names a device's interface.
//!
//! What several of them do stands beside their folders: `products` (rows times a small matrix, and the sums of products that come
//! back from that), `sparse` (a sparse matrix times a vector), `measured` (a table whose rows ranks share out), `centred` (rows about their means), `project` (new rows times a model's
//! matrix), `dense` (small matrices in f64), `model_file` (models as files), `workers`, `working` (devices and
//! room to work in).

/// The source of a kernel, and of the parts that it shares with others.
macro_rules! kernel {
    ($stem:literal $(, $part:literal)*) => {
        concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $stem, ".wgsl"))
            $(, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/parts/", $part, ".wgsl")))*
        )
    };
}

pub mod bisecting;
mod centred;
mod dense;
pub mod gmm;
pub mod kmeans;
pub mod linear;
mod measured;
mod model_file;
pub mod pagerank;
pub mod pca;
pub mod products;
mod project;
pub mod sparse;
mod workers;
mod working;

pub use model_file::ModelKind;
