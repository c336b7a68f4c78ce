// Labels the rows that a product has searched, renews their bounds, and lists those that it cannot decide: so that labels are those
// of the distances themselves, whatever the product.
//
//   nearest[r]   = argmin of s(r, j) over all j that the row was shown, and its own
//   lower[r][g]  ≤ the distance of r to every centroid of group g but its nearest, for the groups it was shown; to all centroids of
//                these groups where it is in doubt
//   lower[r][G]  = unknown, where the row leaves its centroid or may do so
//   pairs        = the rows with one other s(r, j) within the margin of the smallest, where its label is known
//   doubtful     = other rows with a second s(r, j) within the margin of the smallest
//
// How far s, which is norms[j] - 2·x·c of some precision, is from |x - c|² - |x|² is bounded. With X = |x| and C ≥ |c|, x̂ and ĉ what
// the product takes for them (halves, or the values themselves), u ≥ |x - x̂| and v ≥ |c - ĉ|:  |x·c - x̂·ĉ| ≤ u·C + (X + u)·v by Cauchy
// and Schwarz. The product adds d + 4 terms in some order, fused or not, each by a rounding of ROUNDING at most: 2⁻²⁴ in f32; matrix
// units add exact products of halves by a rounding of their own, of which 2⁻²² is taken (twice what cutting off would give). So it
// is within ROUNDING·(d + 4)·(X + u)·(C + v) of x̂·ĉ. A norm is within (d/64 + 72)·2⁻²⁴·C² of its own, and the last step within
// 2⁻²²·(X + C)². Together, twice where a product is, and 2⁻¹²⁰·d for what is flushed to zero: E. The own centroid's s is its distance less
// |x|², where its group was not shown: within (d/16 + 24)·2⁻²²·(X + C)², which is then part of E too; where that distance is a bound by
// halves, it may be 2·E more than the true one, and half of E is added to E.
//
// A centroid whose s exceeds the smallest by more than 2·E is truly farther; `assign_exact`, which decides, is within h·(X + C)² of
// true distances, h = (d/16 + 22)·2⁻²⁴: so labels are those that it would give to all rows where the margin is 2·E + 2·h·(X + C)². A
// sixteenth more is for the roundings of its formula. Rows so long that products may overflow are all doubtful. A centroid that the row
// was not shown is farther than its own, by so much that `assign_exact` finds it too: see `skip_settled`.
//
// Joined by the parts best, found, root_above.
//
// Bindings
//   points_shape        (n, d)
//   lengths             2·n: |x|² and u, see `halve_rows` and `measure_rows`
//   extremes            5·G: C and v of each group, see `survey_extremes`
//   entries             G × n × 4 words: what the product has found, see `assign_tiled`
//   open                n × 4: the rows to label, each with a mask of the groups it was shown, its cluster, k or more for none, and the
//                       squared distance to that one's centroid: see `skip_settled`
//   counts              5 + G: the first is how many rows are open; the second and third, how many are in doubt and how many pairs, are
//                       added to; the last, how many were looked at, is set to 0 for the next search
//   nearest             n, written for the rows of the list
//   lower               n × G', G' being G + 1 or the next multiple of 4, written for the groups shown, and that of the centroid that a row
//                       leaves; and its upper bound
//   undecided           3·n, written: n row numbers in doubt, in any order; from the n-th word on pairs: row numbers, each with the label
//                       beside `nearest`
// Overrides
//   DIMENSIONS          d
//   CLUSTERS            k
//   GROUPS, WIDTH       G, and the centroids in a group
//   ROUNDING            of a step of the product's sums
//   OWN_HALVES          whether own distances are bounds by halves: see `own_halves`; else they are distances
//
// A workgroup of 256 threads takes 256 rows: dispatch ceil(n / 256), those behind the end of the list have nothing to do.
// Traffic per listed row: 20 bytes a group that it was shown, 24 besides. Work: some 20 operations a group.

override DIMENSIONS: u32;
override CLUSTERS: u32;
override GROUPS: u32;
override WIDTH: u32;
override ROUNDING: f32;
override OWN_HALVES: bool = false;

// Bounds of a row, four to a quad.
override QUADS: u32 = (GROUPS + 4u) / 4u;

const THREADS: u32 = 256u;
// Beyond this bound on (X + C)² products may overflow.
const LARGEST: f32 = 0x1p+125;
// An upper bound that says nothing: see `loosen_bounds`.
const UNKNOWN: f32 = 0x1p+126;

@group(0) @binding(0) var<uniform> points_shape: vec2<u32>;
@group(0) @binding(1) var<storage, read> lengths: array<f32>;
@group(0) @binding(2) var<storage, read> extremes: array<f32>;
@group(0) @binding(3) var<storage, read_write> entries: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read> open: array<vec4<u32>>;
@group(0) @binding(5) var<storage, read_write> counts: array<atomic<u32>>;
@group(0) @binding(6) var<storage, read_write> nearest: array<u32>;
@group(0) @binding(7) var<storage, read_write> lower: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> undecided: array<u32>;

// What is known of a row's values: how far they may be off, and by how much they must differ.
struct Limits {
    error: f32,
    margin: f32,
    is_known: bool,
}

fn limits_of(row: u32, has_own: bool) -> Limits {
    var farthest = 0.0;
    var left_out = 0.0;
    for (var group = 0u; group < GROUPS; group++) {
        farthest = max(farthest, extremes[5u * group]);
        left_out = max(left_out, extremes[5u * group + 1u]);
    }
    let d = f32(DIMENSIONS);
    let length = root_above(lengths[2u * row], 16u);
    let rest = lengths[2u * row + 1u];
    let reach = (length + farthest) * (length + farthest);
    let halves = rest * farthest + (length + rest) * left_out;
    let sums = ROUNDING * (d + 4.0) * (length + rest) * (farthest + left_out);
    let norm = (d / 64.0 + 72.0) * 0x1p-24 * farthest * farthest;
    let product = 2.0 * (halves + sums) + norm;
    let own = select(0.0, (d / 16.0 + 24.0) * 0x1p-22 * reach + select(0.0, 0.5625 * product, OWN_HALVES), has_own);
    let error = product + own + 0x1p-22 * reach + 0x1p-120 * d;
    let exact = (d / 16.0 + 22.0) * 0x1p-24 * reach;
    let is_known = reach < LARGEST && left_out < LARGEST && ROUNDING * d < 0.25;
    return Limits(error, 2.125 * (error + exact), is_known);
}

// Whether an entry speaks of a centroid that the row may come to belong to: its label, or of a pair either.
fn is_candidate(value: f32, label: u32, found: Found, is_pair: bool) -> bool {
    return value < FARTHEST && (label == found.label || (is_pair && label == found.rival_label));
}

// The smallest value of a group that is no candidate's.
fn smallest_other(one: Found, found: Found, is_pair: bool) -> f32 {
    if (!is_candidate(one.smallest, one.label, found, is_pair)) {
        return one.smallest;
    }
    return select(min(one.rival, one.third), one.third, is_candidate(one.rival, one.rival_label, found, is_pair));
}

// What bounds follow from: the candidates, if they are known, and |x|² less what it and the values may be off.
struct Known {
    found: Found,
    has_candidates: bool,
    is_pair: bool,
    square: f32,
    is_known: bool,
}

// The bound for a group that the row was shown.
fn bound_in(row: u32, group: u32, is_shown: bool, known: Known) -> f32 {
    if (!is_shown) {
        return 0.0;
    }
    let one = read_entry(row, group, points_shape.x);
    let others = select(one.smallest, smallest_other(one, known.found, known.is_pair), known.has_candidates);
    let bound = known.square + others;
    return select(0.0, sqrt(bound) * (1.0 - 0x1p-19), bound > 0.0 && known.is_known);
}

@compute @workgroup_size(THREADS)
fn settle_rows(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = (workgroup.x + workgroup.y * workgroups.x) * THREADS + thread;
    if (at == 0u) {
        atomicStore(&counts[4u + GROUPS], 0u);
    }
    if (at >= atomicLoad(&counts[0])) {
        return;
    }
    let listed = open[at];
    let row = listed.x;
    let mask = listed.y;
    let own = listed.z;
    let own_distance = bitcast<f32>(listed.w);
    var found = NOBODY;
    for (var left = mask; left != 0u; left &= left - 1u) {
        let one = read_entry(row, firstTrailingBit(left), points_shape.x);
        join(&found, Best(one.smallest, FARTHEST, one.label));
        join(&found, Best(one.rival, one.third, one.rival_label));
    }
    let is_own_unseen = own < CLUSTERS && (mask & (1u << (own / WIDTH))) == 0u;
    if (is_own_unseen) {
        join(&found, Best(own_distance - lengths[2u * row], FARTHEST, own));
    }
    let limits = limits_of(row, is_own_unseen);
    let second = min(found.rival, found.third);
    let is_clear = limits.is_known && second - found.smallest > limits.margin;
    let is_pair = !is_clear && limits.is_known && found.third - found.smallest > limits.margin;
    nearest[row] = found.label;

    let square = lengths[2u * row] * (1.0 - (f32(DIMENSIONS) / 16.0 + 24.0) * 0x1p-23);
    let known = Known(found, is_clear || is_pair, is_pair, square - 1.125 * limits.error, limits.is_known);
    // Of a pair that has the own centroid the loser's distance is known soon; else the row may leave it for another.
    let stays = own == found.label || (is_pair && own == found.rival_label);
    var left_behind = UNKNOWN;
    if (is_own_unseen && !((is_clear || is_pair) && stays)) {
        let roundings = f32(DIMENSIONS / 16u + 24u) * 0x1p-24;
        let least = max(own_distance - select(0.0, 2.25 * limits.error, OWN_HALVES), 0.0);
        left_behind = sqrt(least) * (1.0 - roundings - 0x1p-20);
    }
    let is_lost = !is_clear || found.label != own;
    for (var quad = 0u; quad < QUADS; quad++) {
        let groups = vec4(4u * quad) + vec4(0u, 1u, 2u, 3u);
        let shown = (groups < vec4(GROUPS)) & (((vec4(mask) >> (groups & vec4(31u))) & vec4(1u)) == vec4(1u));
        let found_here = vec4(
            bound_in(row, groups.x, shown.x, known), bound_in(row, groups.y, shown.y, known),
            bound_in(row, groups.z, shown.z, known), bound_in(row, groups.w, shown.w, known),
        );
        let held = select(lower[row * QUADS + quad], found_here, shown);
        let kept = select(held, min(held, vec4(left_behind)), groups == vec4(own / WIDTH));
        lower[row * QUADS + quad] = select(kept, vec4(UNKNOWN), (groups == vec4(GROUPS)) & vec4(is_lost));
    }
    if (is_pair) {
        let place = points_shape.x + 2u * atomicAdd(&counts[2], 1u);
        undecided[place] = row;
        undecided[place + 1u] = found.rival_label;
    } else if (!is_clear) {
        undecided[atomicAdd(&counts[1], 1u)] = row;
    }
}
