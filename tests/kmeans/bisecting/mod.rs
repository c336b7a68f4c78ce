//! Bisecting k-means, compared with scikit-learn, with the loop of the paper written with arrays, and with its own promises.

mod against_arrays;
mod against_scikit_learn;
mod degenerate;
mod model;
mod ranks;
