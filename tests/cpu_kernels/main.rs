//! The kernels of the processor, on every instruction set at hand, against oracles written for these tests.

mod assign;
mod bounded;
mod closer;
mod distances;
mod medians;
mod oracle;
mod sums;
