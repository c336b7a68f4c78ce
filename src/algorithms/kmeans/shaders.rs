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

/// Threads along each side of a workgroup of `assign_tiled.wgsl`, 8 rows or centroids each. The larger reads each value half
/// as often; the smaller leaves more workgroups to a device that runs many at once.
const SIDES: [usize; 2] = [8, 16];

/// The rows that a workgroup of `sum_by_label.wgsl` looks at together, the values that repay the emptying of its private
/// cells, and what these may take of the 16 KiB every device has.
const TOGETHER: usize = 256;
const VALUES_PER_WORKGROUP: usize = 4096;
const PRIVATE_BYTES: usize = 12 << 10;

impl Plan {
    /// Labels and sums. Few columns are assigned by the distance itself; more by the product, which settles nearly every row,
    /// and the rest by the distance; medians have no product.
    pub(super) fn label_and_sum(&self) -> Shader {
        let all = |assign: Shader| assign.then(self.sum()).in_slices(POINTS);
        let names = ["CLUSTERS", "DIMENSIONS", "CITYBLOCK"];
        if self.d <= SMALL {
            let source = include_str!("../../../shaders/assign_small.wgsl");
            let shader = Shader::wgsl(source).named("assign_small").trusted().rows_per_workgroup(POINTS, RUN);
            return all(self.constants(shader, &names));
        }
        if self.distance() != Distance::SquaredEuclidean {
            return all(self.exact(false));
        }
        // Where one tile holds all centroids, threads across it would be idle.
        let across = if self.k <= 8 * SIDES[0] { &SIDES[..1] } else { &SIDES };
        let sides = across.iter().rev().flat_map(|across| SIDES.iter().rev().map(|down| (*across, *down)));
        let shaders = sides.map(|sides| all(self.product(sides).then(self.exact(true))));
        shaders.reduce(Shader::or).unwrap_or_else(|| all(self.exact(false)))
    }

    /// The distance itself, of all rows or of those in doubt.
    fn exact(&self, is_listed: bool) -> Shader {
        let source = include_str!("../../../shaders/assign_exact.wgsl");
        let exact = Shader::wgsl(source).named("assign_exact").trusted().rows_per_workgroup(POINTS, EXACT_ROWS);
        let exact = self.constants(exact, &["CLUSTERS", "DIMENSIONS", "CITYBLOCK"]);
        exact.constant("LISTED", f64::from(u8::from(is_listed)))
    }

    /// The product, by workgroups of so many threads along centroids and rows.
    fn product(&self, (across, down): (usize, usize)) -> Shader {
        let names = ["CLUSTERS", "DIMENSIONS"];
        let source = include_str!("../../../shaders/square_norms.wgsl");
        let norms = Shader::wgsl(source).named("square_norms").trusted().per_element(NORMS);
        let source = include_str!("../../../shaders/assign_tiled.wgsl");
        let tiled = Shader::wgsl(source).named("assign_tiled").trusted().rows_per_workgroup(POINTS, 8 * down);
        let tiled = tiled.constant("ACROSS", across as f64).constant("DOWN", down as f64);
        self.constants(norms, &names).then(self.constants(tiled, &names))
    }

    /// Sums of the rows that moved.
    fn sum(&self) -> Shader {
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
