//! The WGSL of the item that labels rows and sums what has moved: which kernels, of what sizes.

use super::keys::{
    BEFORE, CENTROID_HALVES, COUNTS, DISTANCES, DOUBTFUL, DRIFTS, LENGTHS, LOWER, NEAREST, NORMS, OPEN, PAIRS, POINTS,
    ROW_HALVES,
};
use super::plan::Plan;
use crate::backend::cpu::Distance;
use crate::queue::{Objects, Shader, ShapeRule};

/// The most columns a row may have to be kept in registers by `assign_small.wgsl`.
const SMALL: usize = 32;

/// The rows a workgroup of `assign_small.wgsl` and `reassign_small.wgsl` takes at a time: two a thread.
const RUN: usize = 512;

/// Workgroups of `reassign_small.wgsl` that keep any device busy; the rows each that repay the emptying of its cells.
const BUSY: usize = 2048;
const MOST_ROWS: usize = 8192;

/// The rows a workgroup of `assign_exact.wgsl`, `own_distance.wgsl` and `halve_rows.wgsl` takes; of `skip_settled.wgsl`.
const EXACT_ROWS: usize = 64;
const SKIP_ROWS: usize = 256;

/// Threads along each side of a workgroup of `assign_tiled.wgsl`, 8 rows or centroids each. The larger reads each value half
/// as often; the smaller leaves more workgroups to a device that runs many at once.
const SIDES: [usize; 2] = [8, 16];

/// The most columns that `assign_halves.wgsl` keeps in registers, and the rows a workgroup takes; the same of its wide sibling.
const NARROW: usize = 128;
const HALVES_ROWS: usize = 256;
const HALVES_WIDE_ROWS: usize = 128;

/// Rows in doubt that get a workgroup of `decide_rows.wgsl` each. A row takes 1 to 7 µs there (an H100, k from 1024 to 16,384, d from
/// 128 to 768), where `assign_exact.wgsl` takes 0.4 to 3.4 ms for any list that it has to begin.
const FEW: u64 = 256;

/// The rows a workgroup of `decide_pairs.wgsl` takes.
const PAIRS_ROWS: usize = 128;

/// Centroids of a tile of `assign_halves_wide.wgsl`, and columns: what is in half precision is padded to them.
const HALVES_TILE: usize = 128;
const HALVES_COLUMNS: usize = 64;

/// Beyond these powers of two the scale of halves would outgrow f32 where it is squared.
const MOST_SCALE: i32 = 40;

/// The rows that a workgroup of `sum_by_label.wgsl` looks at together, the values that repay the emptying of its private
/// cells, and what these may take of the 16 KiB every device has.
const TOGETHER: usize = 256;
const VALUES_PER_WORKGROUP: usize = 4096;
const PRIVATE_BYTES: usize = 12 << 10;
const WORKGROUP_BYTES: usize = 16 << 10;

/// The source of a kernel, and of the parts that it shares with others.
macro_rules! kernel {
    ($stem:literal $(, $part:literal)*) => {
        concat!(
            include_str!(concat!("../../../shaders/", $stem, ".wgsl"))
            $(, include_str!(concat!("../../../shaders/parts/", $part, ".wgsl")))*
        )
    };
}

/// How devices find the nearest centroid.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// Few columns: by the distance itself, a row in the registers of a thread.
    Small,
    /// The same in one pass with the sums, where a workgroup has room for these.
    SmallSummed,
    /// By the distance itself: medians have no product.
    Exact,
    /// By the product, which settles nearly every row, and the rest by the distance; rows that bounds settle are left out.
    Product,
}

impl Plan {
    fn kind(&self) -> Kind {
        match self.distance() {
            _ if self.d <= SMALL && self.fits_one_pass() => Kind::SmallSummed,
            _ if self.d <= SMALL => Kind::Small,
            Distance::SquaredEuclidean => Kind::Product,
            _ => Kind::Exact,
        }
    }

    /// Whether devices leave out rows that bounds settle.
    pub(super) fn bounded_on_devices(&self) -> bool {
        self.kind() == Kind::Product && self.wants_bounds
    }

    /// What the kernels need besides rows, centroids and labels.
    pub(super) fn device_memory(&self) -> Objects {
        if self.kind() == Kind::SmallSummed {
            return Objects::none();
        }
        let rows = || ShapeRule::rows_of(POINTS);
        let objects = Objects::none().scratch(NEAREST, rows()).scratch(DISTANCES, rows());
        let listed = |objects: Objects| objects.scratch(DOUBTFUL, rows()).scratch(COUNTS, ShapeRule::fixed([3]));
        match self.kind() {
            Kind::Small | Kind::SmallSummed => objects,
            Kind::Exact => listed(objects),
            Kind::Product => {
                let (room, padded) = (self.room(), self.padded());
                let objects = listed(objects)
                    .updates((LOWER, BEFORE))
                    .shape(LOWER, rows())
                    .shape(BEFORE, ShapeRule::fixed([self.k, self.d]))
                    .scratch(NORMS, ShapeRule::fixed([2 * room + 2]))
                    .scratch(DRIFTS, ShapeRule::fixed([self.k + 3]))
                    .scratch(OPEN, rows());
                if self.has_halves() {
                    objects
                        .scratch(CENTROID_HALVES, ShapeRule::fixed([room, padded / 2]))
                        .scratch(ROW_HALVES, ShapeRule::rows_of_by(POINTS, padded / 2))
                        .scratch(LENGTHS, ShapeRule::rows_of_by(POINTS, 2))
                        .scratch(PAIRS, ShapeRule::rows_of_by(POINTS, 2))
                } else {
                    objects
                }
            }
        }
    }

    /// Labels and sums.
    pub(super) fn label_and_sum(&self) -> Shader {
        match self.kind() {
            Kind::SmallSummed => self.small_summed().in_slices(POINTS),
            Kind::Small => self.small().then(self.sum()).in_slices(POINTS),
            Kind::Exact => self.exact(false).then(self.sum()).in_slices(POINTS),
            Kind::Product => self.product(),
        }
    }

    /// The product by tiles of several sizes, or by matrix units: whatever is the fastest.
    fn product(&self) -> Shader {
        // Where one tile holds all centroids, threads across it would be idle.
        let across = if self.k <= 8 * SIDES[0] { &SIDES[..1] } else { &SIDES };
        let sides = across.iter().rev().flat_map(|across| SIDES.iter().rev().map(|down| (*across, *down)));
        let tiled = sides.map(|sides| self.tiled(sides));
        let halves = self.has_halves().then(|| self.halves());
        let around = |assign: Shader| {
            let searched = self.own_distance(false).then(self.skip_settled()).then(assign);
            let decided = searched.then(self.few_rows()).then(self.exact(true));
            decided.then(self.own_distance(true)).then(self.sum()).in_slices(POINTS)
        };
        let shaders = tiled.chain(halves).map(around).reduce(Shader::or);
        shaders.unwrap_or_else(|| around(self.tiled((SIDES[0], SIDES[0])))).after(self.survey())
    }

    fn small(&self) -> Shader {
        let source = kernel!("assign_small", "small_rows");
        let shader = Shader::wgsl(source).named("assign_small").trusted().rows_per_workgroup(POINTS, RUN);
        self.constants(shader, &["CLUSTERS", "DIMENSIONS", "CITYBLOCK"])
    }

    /// Labels and sums in one pass.
    fn small_summed(&self) -> Shader {
        let source = kernel!("reassign_small", "small_rows", "fixed_point", "changes");
        let rows = (self.rows as usize / BUSY).next_multiple_of(RUN).clamp(RUN, MOST_ROWS);
        let shader = Shader::wgsl(source).named("reassign_small").trusted().rows_per_workgroup(POINTS, rows);
        self.constants(shader, &["CLUSTERS", "DIMENSIONS", "CITYBLOCK", "WORDS", "BITS", "WEIGHTED"])
    }

    /// Whether all integers of a workgroup, the centroids, and a list of rows that moved fit the 16 KiB every device has.
    fn fits_one_pass(&self) -> bool {
        let cells = (self.layout().moved() + 1) * size_of::<i64>();
        let centroids = self.k * self.d.div_ceil(4) * size_of::<[f32; 4]>();
        cells + centroids + RUN * size_of::<u32>() + 64 <= WORKGROUP_BYTES
    }

    /// The distance itself, of all rows or of those in doubt.
    fn exact(&self, is_listed: bool) -> Shader {
        let source = kernel!("assign_exact");
        let exact = Shader::wgsl(source).named("assign_exact").trusted().rows_per_workgroup(POINTS, EXACT_ROWS);
        let exact = self.constants(exact, &["CLUSTERS", "DIMENSIONS", "CITYBLOCK"]);
        exact.constant("LISTED", f64::from(u8::from(is_listed))).constant("FEW", FEW as f64)
    }

    /// The same of rows in doubt, where these are few.
    fn few_rows(&self) -> Shader {
        let few = Shader::wgsl(kernel!("decide_rows", "one_distance")).named("decide_rows").trusted().workgroups(FEW);
        self.constants(few, &["CLUSTERS", "DIMENSIONS"]).constant("FEW", FEW as f64)
    }

    /// What the search wants to know of the centroids.
    fn survey(&self) -> Shader {
        let source = kernel!("survey_centroids", "root_above");
        let centroids = Shader::wgsl(source).named("survey_centroids").trusted().workgroups(self.room() as u64);
        self.constants(centroids, &["CLUSTERS", "DIMENSIONS", "ROOM"]).then(self.extremes())
    }

    fn extremes(&self) -> Shader {
        let source = kernel!("survey_extremes", "root_above");
        let extremes = Shader::wgsl(source).named("survey_extremes").trusted();
        self.constants(extremes, &["CLUSTERS", "DIMENSIONS", "ROOM"])
    }

    /// The distance of each row to its own centroid; of all rows, or of those listed ones that have changed theirs.
    fn own_distance(&self, is_listed: bool) -> Shader {
        let source = kernel!("own_distance");
        let own = Shader::wgsl(source).named("own_distance").trusted().rows_per_workgroup(POINTS, EXACT_ROWS);
        let own = self.constants(own, &["CLUSTERS", "DIMENSIONS"]);
        own.constant("LISTED", f64::from(u8::from(is_listed)))
    }

    fn skip_settled(&self) -> Shader {
        let source = kernel!("skip_settled");
        let skip = Shader::wgsl(source).named("skip_settled").trusted().rows_per_workgroup(POINTS, SKIP_ROWS);
        self.constants(skip, &["CLUSTERS", "DIMENSIONS", "BOUNDED"])
    }

    /// The product, by workgroups of so many threads along centroids and rows.
    fn tiled(&self, (across, down): (usize, usize)) -> Shader {
        let source = kernel!("assign_tiled", "best");
        let tiled = Shader::wgsl(source).named("assign_tiled").trusted().rows_per_workgroup(POINTS, 8 * down);
        let tiled = tiled.constant("ACROSS", across as f64).constant("DOWN", down as f64);
        self.constants(tiled, &["CLUSTERS", "DIMENSIONS"])
    }

    /// The product by matrix units.
    fn halves(&self) -> Shader {
        let names = ["CLUSTERS", "DIMENSIONS", "PADDED", "ROOM", "SCALE"];
        let source = kernel!("halve_centroids", "half_rest", "root_above");
        let centroids = Shader::wgsl(source).named("halve_centroids").trusted().workgroups(self.room() as u64);
        let centroids = self.constants(centroids, &names).then(self.extremes());
        let source = kernel!("halve_rows", "half_rest", "root_above");
        let rows = Shader::wgsl(source).named("halve_rows").trusted().rows_per_workgroup(POINTS, EXACT_ROWS);
        let rows = self.constants(rows, &["DIMENSIONS", "PADDED", "SCALE"]);
        let assign = if self.d <= NARROW {
            let source = kernel!("assign_halves", "best", "halves");
            Shader::wgsl(source).named("assign_halves").rows_per_workgroup(POINTS, HALVES_ROWS)
        } else {
            let source = kernel!("assign_halves_wide", "best", "halves");
            Shader::wgsl(source).named("assign_halves_wide").rows_per_workgroup(POINTS, HALVES_WIDE_ROWS)
        };
        let decide = Shader::wgsl(kernel!("decide_pairs", "one_distance")).named("decide_pairs").trusted();
        let decide = self.constants(decide.rows_per_workgroup(POINTS, PAIRS_ROWS), &["DIMENSIONS"]);
        centroids.then(rows).then(self.constants(assign.trusted(), &names)).then(decide)
    }

    /// Whether matrix units are worth a try: a device has them, and the scale of the values leaves room.
    fn has_halves(&self) -> bool {
        self.matrix_units && self.scale().abs() <= MOST_SCALE
    }

    /// The power of two that brings the largest value near 2¹⁴.
    fn scale(&self) -> i32 {
        if self.largest > 0.0 { 13 - self.largest.log2().floor() as i32 } else { 0 }
    }

    /// Centroids there is room for in half precision, and columns.
    pub(super) fn room(&self) -> usize {
        self.k.next_multiple_of(HALVES_TILE)
    }

    pub(super) fn padded(&self) -> usize {
        self.d.next_multiple_of(if self.d <= NARROW { 16 } else { HALVES_COLUMNS })
    }

    pub(super) fn halves_scale(&self) -> f64 {
        2f64.powi(self.scale().clamp(-MOST_SCALE, MOST_SCALE))
    }

    /// Sums of the rows that moved.
    fn sum(&self) -> Shader {
        let source = kernel!("sum_by_label", "fixed_point", "changes");
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
