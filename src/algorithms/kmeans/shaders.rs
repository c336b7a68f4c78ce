//! The WGSL of the item that labels rows and sums what has moved: which kernels, of what sizes.

use super::keys::{
    BEFORE, CENTROID_HALVES, COUNTS, DISTANCES, DRIFTS, ENTRIES, EXTREMES, LENGTHS, LISTS, LOWER, NEAREST, NORMS, OPEN,
    PARTIALS, PARTS, POINTS, ROW_HALVES, UNDECIDED,
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

/// So many sums are brought up to date by one workgroup.
const FEW_SUMS: usize = 4096;

/// The columns and clusters from which on `reassign_small.wgsl` measures distances only where products leave a doubt.
const SCREENED: usize = 8;

/// The rows a workgroup of `assign_exact.wgsl`, `own_distance.wgsl`, `measure_rows.wgsl` and `halve_rows.wgsl` takes; of
/// `skip_settled.wgsl` and `settle_rows.wgsl`.
const EXACT_ROWS: usize = 64;
const SETTLE_ROWS: usize = 256;

/// Threads along each side of a workgroup of `assign_tiled.wgsl`, 8 rows or centroids each. The larger reads each value half
/// as often; the smaller leaves more workgroups to a device that runs many at once.
const SIDES: [usize; 2] = [8, 16];

/// The most columns that `assign_halves.wgsl` keeps in registers, and the rows a workgroup takes; the same of its wide sibling.
const NARROW: usize = 128;
const HALVES_ROWS: usize = 256;
const HALVES_WIDE_ROWS: usize = 128;

/// Up to so many rows in doubt are shown the centroids in chunks, at most so many: else one row would take as long as thousands.
const FEW: usize = 16_384;
const MOST_CHUNKS: usize = 64;

/// Workgroups that take lists block by block, at most: many times what runs at once, few enough that idle ones cost nothing.
const LISTED_WORKGROUPS: usize = 8192;
const FEW_WORKGROUPS: usize = 512;

/// So many blocks of rows are more than devices work on at once.
const FEW_BLOCKS: usize = 512;

/// The centroids that take as long as bringing a row to the registers of `assign_halves.wgsl`, by estimate.
const STAGED: usize = 80;

/// The rows a workgroup of `decide_pairs.wgsl` takes at a time.
const PAIRS_ROWS: usize = 8;

/// Centroids of the largest tile: groups have a multiple of them. Columns of a tile of `assign_halves_wide.wgsl`: what is in half
/// precision is padded to them.
const TILE: usize = 128;
const HALVES_COLUMNS: usize = 64;

/// Bounds that a row has, at most: one for each group of centroids, and one for its own. With fewer columns fewer, one for so many, as
/// their memory would outgrow that of the row; they lie in quads. What a product finds of a group fits 16 bytes while labels in it take
/// 16 bits, and a row has a mask of its groups.
const MOST_BOUNDS: usize = 16;
const COLUMNS_A_BOUND: usize = 8;
const QUAD: usize = 4;
const MOST_WIDTH: usize = 1 << 16;
const MOST_GROUPS: usize = 31;

/// Beyond these powers of two the scale of halves would outgrow f32 where it is squared.
const MOST_SCALE: i32 = 40;

/// How much a step of a product's sums may round: see `settle_rows.wgsl`.
const F32_ROUNDING: f64 = 5.960464477539063e-8;
const HALVES_ROUNDING: f64 = 4.0 * F32_ROUNDING;

/// The rows that a workgroup of `sum_by_label.wgsl` looks at together, the values that repay the emptying of its private
/// cells, the workgroups that keep any device busy and the most values for each, and what its cells may take of the 16 KiB every
/// device has.
const TOGETHER: usize = 256;
const VALUES_PER_WORKGROUP: usize = 4096;
const BUSY_SUMMING: usize = 1024;
const MOST_SUMMED: usize = 1 << 17;
const PRIVATE_BYTES: usize = 12 << 10;
const WORKGROUP_BYTES: usize = 16 << 10;

/// The same of one that takes four columns at a time: by one load where rows have a multiple of four.
macro_rules! by_columns {
    ($columns:expr, $stem:literal $(, $part:literal)*) => {
        if $columns.is_multiple_of(4) { kernel!($stem $(, $part)*, "quads") } else { kernel!($stem $(, $part)*, "columns") }
    };
}

/// Rows that are searched at once, at most: what their search finds on its way takes up to 400 bytes a row.
const MOST_IN_SLICE: usize = 1 << 21;

/// How devices find the nearest centroid.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// Few columns: by the distance itself, a row in the registers of a thread.
    Small,
    /// The same in one pass with the sums, where a workgroup has room for these.
    SmallSummed,
    /// By the distance itself: medians have no product, and more than two million centroids no room in its entries.
    Exact,
    /// By the product, which settles nearly every row, and the rest by the distance; rows that bounds settle are left out.
    Product,
}

impl Plan {
    fn kind(&self) -> Kind {
        match self.distance() {
            _ if self.d <= SMALL && self.fits_one_pass() => Kind::SmallSummed,
            _ if self.d <= SMALL => Kind::Small,
            Distance::SquaredEuclidean if self.k <= MOST_GROUPS * MOST_WIDTH => Kind::Product,
            _ => Kind::Exact,
        }
    }

    /// Whether devices leave out rows that bounds settle.
    pub(super) fn bounded_on_devices(&self) -> bool {
        self.wants_bounds && self.kind() == Kind::Product
    }

    /// What the kernels need besides rows, centroids and labels.
    pub(super) fn device_memory(&self) -> Objects {
        if self.kind() == Kind::SmallSummed {
            return Objects::none();
        }
        let one = || ShapeRule::slice_of(POINTS, 1, MOST_IN_SLICE);
        let objects = Objects::none().scratch(NEAREST, one()).scratch(DISTANCES, one());
        match self.kind() {
            Kind::Small | Kind::SmallSummed => objects,
            // Nothing is listed.
            Kind::Exact => {
                let one = || ShapeRule::fixed([1]);
                objects.scratch(UNDECIDED, one()).scratch(COUNTS, ShapeRule::fixed([5])).scratch(PARTS, one())
            }
            Kind::Product => self.search_memory(objects),
        }
    }

    fn search_memory(&self, objects: Objects) -> Objects {
        let (groups, room, padded) = (self.groups(), self.room(), self.padded());
        let rows_by = |columns: usize| ShapeRule::rows_of_by(POINTS, columns);
        let slice = |columns: usize| ShapeRule::slice_of(POINTS, columns, MOST_IN_SLICE);
        let objects = objects
            .updates((LOWER, BEFORE))
            .shape(LOWER, rows_by((groups + 1).next_multiple_of(QUAD)))
            .shape(BEFORE, ShapeRule::fixed([self.k, self.d]))
            .scratch(NORMS, ShapeRule::fixed([2 * room]))
            .scratch(DRIFTS, ShapeRule::fixed([self.k]))
            .scratch(EXTREMES, ShapeRule::fixed([5 * groups]))
            .scratch(OPEN, slice(4))
            .scratch(LISTS, slice(1 + groups))
            .scratch(ENTRIES, slice(4 * groups))
            .scratch(UNDECIDED, slice(3))
            .scratch(COUNTS, ShapeRule::fixed([5 + groups]))
            .scratch(PARTS, ShapeRule::fixed([2 * FEW * self.chunks()]))
            .scratch(LENGTHS, rows_by(2));
        if !self.has_halves() {
            return objects;
        }
        objects.scratch(CENTROID_HALVES, ShapeRule::fixed([room, padded / 2])).scratch(ROW_HALVES, rows_by(padded / 2))
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

    /// The product by matrix units, or by tiles of several sizes: whatever is the fastest.
    fn product(&self) -> Shader {
        // Where one tile holds all centroids, threads across it would be idle.
        let across = if self.k <= 8 * SIDES[0] { &SIDES[..1] } else { &SIDES };
        let sides = across.iter().rev().flat_map(|across| SIDES.iter().rev().map(|down| (*across, *down)));
        let by_tiles = |sides| {
            let settle = self.settle_rows(F32_ROUNDING, false);
            self.search_by(self.own_distance(true), (self.tiled(sides), self.groups()), settle)
        };
        let by_halves = || {
            let settle = self.settle_rows(HALVES_ROUNDING, true);
            self.search_by(self.own_halves(), (self.halves(), self.halves_show_all_from()), settle)
        };
        let shaders = self.has_halves().then(by_halves).into_iter().chain(sides.map(by_tiles)).reduce(Shader::or);
        let shader = shaders.unwrap_or_else(|| by_tiles((SIDES[0], SIDES[0])));
        shader.after(self.survey()).derived_by(self.measure())
    }

    /// A round around a product, which is shown all groups from so many on: with what measures rows whose bounds leave something
    /// open, and what makes labels of what is found.
    fn search_by(&self, own: Shader, (product, all_from): (Shader, usize), settle: Shader) -> Shader {
        let loose = self.loosen_bounds();
        let measured = if self.wants_bounds { loose.then(own) } else { loose };
        let searched = measured.then(self.skip_settled(all_from)).then(product).then(settle);
        let decided = searched.then(self.decide_pairs()).then(self.exact(true)).then(self.decide_rows());
        let lost = if self.inertia_from_sums { decided } else { decided.then(self.own_distance(false)) };
        lost.then(self.sum()).in_slices(POINTS)
    }

    fn small(&self) -> Shader {
        let source = by_columns!(self.d, "assign_small", "small_rows");
        let shader = Shader::wgsl(source).named("assign_small").trusted().rows_per_workgroup(POINTS, RUN);
        self.constants(shader, &["CLUSTERS", "DIMENSIONS", "CITYBLOCK"])
    }

    /// Labels and sums in one pass.
    fn small_summed(&self) -> Shader {
        let source =
            by_columns!(self.d, "reassign_small", "small_rows", "best", "whole", "fixed_point", "wide", "changes");
        let rows = (self.rows as usize / BUSY).next_multiple_of(RUN).clamp(RUN, MOST_ROWS);
        let shader = Shader::wgsl(source).named("reassign_small").trusted().rows_per_workgroup(POINTS, rows);
        let names = ["CLUSTERS", "DIMENSIONS", "CITYBLOCK", "WORDS", "BITS", "WEIGHTED", "FROM_SUMS"];
        let is_squared = self.distance() == Distance::SquaredEuclidean;
        let screens = is_squared && self.d >= SCREENED && self.k >= SCREENED;
        self.constants(shader, &names).constant("PRODUCT", f64::from(u8::from(screens)))
    }

    /// Whether all integers of a workgroup, the centroids, and a list of rows that moved fit the 16 KiB every device has.
    fn fits_one_pass(&self) -> bool {
        let cells = (self.layout().moved() + 1) * size_of::<i64>();
        let centroids = self.k * self.d.div_ceil(4) * size_of::<[f32; 4]>();
        let norms = self.k * size_of::<f32>();
        cells + centroids + norms + RUN * size_of::<u32>() + 64 <= WORKGROUP_BYTES
    }

    /// The distance itself, of all rows or of those in doubt.
    fn exact(&self, is_listed: bool) -> Shader {
        let exact = Shader::wgsl(kernel!("assign_exact")).named("assign_exact").trusted();
        let exact = if is_listed {
            exact.workgroups(self.blocks(EXACT_ROWS, self.chunks()).min(FEW_WORKGROUPS) as u64)
        } else {
            exact.rows_per_workgroup(POINTS, EXACT_ROWS)
        };
        let exact = self.constants(exact, &["CLUSTERS", "DIMENSIONS", "CITYBLOCK", "CHUNK", "CHUNKS"]);
        exact.constant("LISTED", f64::from(u8::from(is_listed))).constant("FEW", FEW as f64)
    }

    /// The nearest of what it has found in parts.
    fn decide_rows(&self) -> Shader {
        let decide = Shader::wgsl(kernel!("decide_rows")).named("decide_rows").trusted();
        let decide = decide.workgroups((FEW.min(self.rows as usize)).div_ceil(EXACT_ROWS) as u64);
        self.constants(decide, &["CHUNKS"]).constant("FEW", FEW as f64)
    }

    fn decide_pairs(&self) -> Shader {
        let decide = Shader::wgsl(by_columns!(self.d, "decide_pairs")).named("decide_pairs").trusted();
        let decide = decide.workgroups(self.blocks(PAIRS_ROWS, 1).min(FEW_WORKGROUPS) as u64);
        self.constants(decide, &["DIMENSIONS", "GROUPS", "WIDTH"])
    }

    /// What the search wants to know of the centroids.
    fn survey(&self) -> Shader {
        let source = kernel!("survey_centroids", "root_above");
        let centroids = Shader::wgsl(source).named("survey_centroids").trusted().workgroups(self.room() as u64);
        let centroids = self.constants(centroids, &["CLUSTERS", "DIMENSIONS", "ROOM"]);
        let centroids = if self.has_halves() { centroids.then(self.centroids_in_halves()) } else { centroids };
        let source = kernel!("survey_extremes", "root_above");
        let extremes = Shader::wgsl(source).named("survey_extremes").trusted().workgroups(self.groups() as u64);
        centroids.then(self.constants(extremes, &["CLUSTERS", "DIMENSIONS", "ROOM", "WIDTH"]))
    }

    fn centroids_in_halves(&self) -> Shader {
        let source = kernel!("halve_centroids", "half_rest", "root_above");
        let centroids = Shader::wgsl(source).named("halve_centroids").trusted().workgroups(self.room() as u64);
        self.constants(centroids, &["CLUSTERS", "DIMENSIONS", "PADDED", "ROOM", "SCALE"])
    }

    /// What follows from the rows alone.
    fn measure(&self) -> Shader {
        if !self.has_halves() {
            let measure = Shader::wgsl(kernel!("measure_rows")).named("measure_rows").trusted();
            return self.constants(measure.rows_per_workgroup(POINTS, EXACT_ROWS), &["DIMENSIONS"]);
        }
        let source = kernel!("halve_rows", "half_rest", "root_above");
        let rows = Shader::wgsl(source).named("halve_rows").trusted().rows_per_workgroup(POINTS, EXACT_ROWS);
        self.constants(rows, &["DIMENSIONS", "PADDED", "SCALE"])
    }

    /// The distance of each row to its own centroid; of all rows, or of those that are listed as loose.
    fn own_distance(&self, is_listed: bool) -> Shader {
        let source = by_columns!(self.d, "own_distance", "places");
        let own = Shader::wgsl(source).named("own_distance").trusted().rows_per_workgroup(POINTS, EXACT_ROWS);
        let own = self.constants(own, &["CLUSTERS", "DIMENSIONS", "GROUPS"]);
        own.constant("LISTED", f64::from(u8::from(is_listed)))
    }

    /// A bound on it by halves.
    fn own_halves(&self) -> Shader {
        let own = Shader::wgsl(kernel!("own_halves", "places", "root_above")).named("own_halves").trusted();
        let own = own.rows_per_workgroup(POINTS, EXACT_ROWS);
        self.constants(own, &["CLUSTERS", "DIMENSIONS", "GROUPS", "ROOM", "PADDED", "SCALE"])
    }

    fn loosen_bounds(&self) -> Shader {
        let loosen = Shader::wgsl(kernel!("loosen_bounds")).named("loosen_bounds").trusted();
        let loosen = loosen.rows_per_workgroup(POINTS, SETTLE_ROWS);
        self.constants(loosen, &["CLUSTERS", "DIMENSIONS", "GROUPS", "BOUNDED"])
    }

    fn skip_settled(&self, all_from: usize) -> Shader {
        let source = kernel!("skip_settled");
        let skip = Shader::wgsl(source).named("skip_settled").trusted().rows_per_workgroup(POINTS, SETTLE_ROWS);
        self.constants(skip, &["CLUSTERS", "DIMENSIONS", "GROUPS", "BOUNDED"]).constant("ALL_FROM", all_from as f64)
    }

    /// Labels and bounds, of what a product with this rounding has found, and of own distances or bounds on them by halves.
    fn settle_rows(&self, rounding: f64, own_halves: bool) -> Shader {
        let source = kernel!("settle_rows", "best", "found", "root_above");
        let settle = Shader::wgsl(source).named("settle_rows").trusted().rows_per_workgroup(POINTS, SETTLE_ROWS);
        self.constants(settle, &["CLUSTERS", "DIMENSIONS", "GROUPS", "WIDTH"])
            .constant("ROUNDING", rounding)
            .constant("OWN_HALVES", f64::from(u8::from(own_halves)))
    }

    /// The product, by workgroups of so many threads along centroids and rows.
    fn tiled(&self, (across, down): (usize, usize)) -> Shader {
        let source = by_columns!(self.d, "assign_tiled", "best", "found", "blocks");
        let tiled = Shader::wgsl(source).named("assign_tiled").trusted();
        let tiled = tiled.workgroups(self.blocks(8 * down, self.groups()).min(LISTED_WORKGROUPS) as u64);
        let tiled = tiled.constant("ACROSS", across as f64).constant("DOWN", down as f64);
        self.constants(tiled, &["CLUSTERS", "DIMENSIONS", "GROUPS", "WIDTH"])
    }

    /// The product by matrix units.
    fn halves(&self) -> Shader {
        let (name, source, rows) = if self.d <= NARROW {
            ("assign_halves", kernel!("assign_halves", "best", "found", "blocks", "halves"), HALVES_ROWS)
        } else {
            ("assign_halves_wide", kernel!("assign_halves_wide", "best", "found", "blocks", "halves"), HALVES_WIDE_ROWS)
        };
        let halves = Shader::wgsl(source).named(name).trusted();
        let halves = halves.workgroups(self.blocks(rows, self.groups()).min(LISTED_WORKGROUPS) as u64);
        self.constants(halves, &["CLUSTERS", "GROUPS", "WIDTH", "PADDED", "SCALE"])
    }

    /// From how many groups on `assign_halves.wgsl` shows a row all: it brings the row to registers for each list that has the row,
    /// which takes as long as some 80 centroids. Its wide sibling does so for each tile anyway.
    fn halves_show_all_from(&self) -> usize {
        if self.d > NARROW {
            return self.groups();
        }
        // Few rows keep more of a device busy in several lists than in one.
        if self.blocks(HALVES_ROWS, 1) < FEW_BLOCKS {
            return self.groups() + 1;
        }
        (self.groups() * self.width()).div_ceil(self.width() + STAGED)
    }

    /// The most blocks of so many rows that a task may have, each of them so many times.
    fn blocks(&self, rows: usize, times: usize) -> usize {
        (self.rows as usize).div_ceil(rows).saturating_mul(times)
    }

    /// The groups of centroids that each row has a bound for.
    pub(super) fn groups(&self) -> usize {
        self.k.div_ceil(self.width())
    }

    /// The centroids in a group.
    pub(super) fn width(&self) -> usize {
        let bounds = (self.d / COLUMNS_A_BOUND).next_multiple_of(QUAD).clamp(QUAD, MOST_BOUNDS);
        let most = if self.wants_bounds { bounds - 1 } else { 1 };
        self.k.div_ceil(most).next_multiple_of(TILE).min(MOST_WIDTH)
    }

    /// The centroids that a row in doubt is shown together, and how often that is.
    pub(super) fn chunk(&self) -> usize {
        self.k.div_ceil(MOST_CHUNKS).next_multiple_of(EXACT_ROWS)
    }

    pub(super) fn chunks(&self) -> usize {
        self.k.div_ceil(self.chunk())
    }

    /// Whether matrix units are worth a try: a device has them, and the scale of the values leaves room.
    fn has_halves(&self) -> bool {
        self.matrix_units && self.scale().abs() <= MOST_SCALE
    }

    /// The power of two that brings the largest value near 2¹⁴.
    fn scale(&self) -> i32 {
        if self.largest > 0.0 { 13 - self.largest.log2().floor() as i32 } else { 0 }
    }

    /// Centroids there is room for, and columns in half precision.
    pub(super) fn room(&self) -> usize {
        self.k.next_multiple_of(TILE)
    }

    pub(super) fn padded(&self) -> usize {
        self.d.next_multiple_of(if self.d <= NARROW { 16 } else { HALVES_COLUMNS })
    }

    pub(super) fn halves_scale(&self) -> f64 {
        2f64.powi(self.scale().clamp(-MOST_SCALE, MOST_SCALE))
    }

    /// Sums of the rows that moved.
    fn sum(&self) -> Shader {
        let source = kernel!("sum_by_label", "whole", "fixed_point", "wide", "changes");
        let names = ["CLUSTERS", "DIMENSIONS", "WORDS", "BITS", "WEIGHTED", "FROM_SUMS"];
        let shader = Shader::wgsl(source).named("sum_by_label").trusted().constant("PRIVATE_FROM", self.private_from());
        // Masses are emptied and added for each workgroup, so of many rows each takes more.
        let busy = (self.rows as usize / BUSY_SUMMING).clamp(1, MOST_SUMMED / self.d.min(MOST_SUMMED));
        let rows = (VALUES_PER_WORKGROUP / self.d).max(busy).next_multiple_of(TOGETHER);
        let shader = shader.rows_per_workgroup(POINTS, rows);
        self.constants(shader, &names)
    }

    /// The sums of all rounds, and what follows from them.
    pub(super) fn tally(&self) -> Shader {
        if self.inertia_from_sums && self.k * self.d <= FEW_SUMS {
            let few = Shader::wgsl(kernel!("tally_few", "whole", "tally_cell", "wide", "around", "inertia"))
                .named("tally_few")
                .trusted();
            return self.constants(few.workgroups(1), &["CLUSTERS", "DIMENSIONS", "BITS", "TOTALS"]);
        }
        let tally =
            Shader::wgsl(kernel!("tally", "whole", "tally_cell")).named("tally").trusted().per_element(PARTIALS);
        let tally = self.constants(tally, &["TOTALS"]);
        if !self.inertia_from_sums {
            return tally;
        }
        let around =
            Shader::wgsl(kernel!("inertia_around", "whole", "wide", "around")).named("inertia_around").trusted();
        let around = self.constants(around.workgroups(self.k as u64), &["CLUSTERS", "DIMENSIONS", "BITS"]);
        let total = Shader::wgsl(kernel!("inertia_total", "whole", "wide", "inertia"))
            .named("inertia_total")
            .trusted()
            .workgroups(1);
        tally.then(around).then(self.constants(total, &["CLUSTERS", "BITS", "TOTALS"]))
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
