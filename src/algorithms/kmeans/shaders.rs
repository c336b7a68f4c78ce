//! The WGSL of the item that labels rows and sums what has moved: which kernels, of what sizes.

use super::keys::{NORMS, POINTS};
use super::plan::Plan;
use crate::backend::cpu::Distance;
use crate::queue::Shader;

/// The most columns a row may have to be kept in registers by `assign_small.wgsl`.
pub(super) const SMALL: usize = 32;

/// The rows a workgroup of `assign_small.wgsl` takes: two a thread.
const RUN: usize = 512;

/// The rows a workgroup of `assign_exact.wgsl` takes.
const EXACT_ROWS: usize = 64;

/// Threads along each side of a workgroup of `assign_tiled.wgsl`, 8 rows or centroids each: where one tile holds all
/// centroids, and where it takes more. The larger reads each value half as often.
const SIDES: [usize; 2] = [8, 16];

/// The rows that a workgroup of `sum_by_label.wgsl` looks at together, the values that repay the emptying of its private
/// cells, and what these may take of the 16 KiB every device has.
const TOGETHER: usize = 256;
const VALUES_PER_WORKGROUP: usize = 4096;
const PRIVATE_BYTES: usize = 12 << 10;

impl Plan {
    /// Few columns by the distance itself. More by the product, which settles nearly every row, and the rest by the
    /// distance; medians have no product.
    pub(super) fn assign(&self) -> Shader {
        let names = ["CLUSTERS", "DIMENSIONS", "CITYBLOCK"];
        if self.d <= SMALL {
            let source = include_str!("../../../shaders/assign_small.wgsl");
            let shader = Shader::wgsl(source).named("assign_small").trusted().rows_per_workgroup(POINTS, RUN);
            return self.constants(shader, &names);
        }
        let is_product = self.distance() == Distance::SquaredEuclidean;
        let source = include_str!("../../../shaders/assign_exact.wgsl");
        let exact = Shader::wgsl(source).named("assign_exact").trusted().rows_per_workgroup(POINTS, EXACT_ROWS);
        let exact = self.constants(exact, &names).constant("LISTED", f64::from(u8::from(is_product)));
        if is_product { self.product().then(exact) } else { exact }
    }

    fn product(&self) -> Shader {
        let names = ["CLUSTERS", "DIMENSIONS"];
        let source = include_str!("../../../shaders/square_norms.wgsl");
        let norms = Shader::wgsl(source).named("square_norms").trusted().per_element(NORMS);
        let source = include_str!("../../../shaders/assign_tiled.wgsl");
        let across = if self.k > 8 * SIDES[0] { SIDES[1] } else { SIDES[0] };
        let tiled = Shader::wgsl(source).named("assign_tiled").trusted().rows_per_workgroup(POINTS, 8 * across);
        let tiled = tiled.constant("ACROSS", across as f64).constant("DOWN", across as f64);
        self.constants(norms, &names).then(self.constants(tiled, &names))
    }

    /// Sums of the rows that moved.
    pub(super) fn sum(&self) -> Shader {
        let source = include_str!("../../../shaders/sum_by_label.wgsl");
        let names = ["CLUSTERS", "DIMENSIONS", "WORDS", "BITS", "WEIGHTED"];
        let shader = Shader::wgsl(source).named("sum_by_label").trusted().constant("PRIVATE_FROM", self.private_from());
        let rows = (VALUES_PER_WORKGROUP / self.d).max(1).next_multiple_of(TOGETHER);
        let shader = shader.rows_per_workgroup(POINTS, rows);
        self.constants(shader, &names)
    }

    /// The first of the partials that a workgroup gathers in its own memory: all where they fit, else the masses, else
    /// only what there is one of.
    fn private_from(&self) -> f64 {
        let layout = self.layout();
        let fits = |from: &usize| (layout.moved() + 1 - from) * size_of::<i64>() <= PRIVATE_BYTES;
        let from = [0, layout.mass(0)].into_iter().find(fits).unwrap_or(layout.inertia(0));
        from as f64
    }
}
