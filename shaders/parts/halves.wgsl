// What the kernels for matrix units share: taking a product out of workgroup memory, and what becomes of
// the row at the end.
//
// Of the kernel it joins it takes `norms_tile`, `products`, LINE and PRODUCT, the buffers, and the overrides DIMENSIONS, ROOM and
// SCALE.

// Beyond this bound on (X + C)² products may overflow.
const LARGEST: f32 = 0x1p+125;

// Shows a row its values for eight centroids, in the order of their labels.
fn watch(best: ptr<function, Best>, a: vec4<f32>, b: vec4<f32>, label: u32) {
    offer(best, a.x, label);
    offer(best, a.y, label + 1u);
    offer(best, a.z, label + 2u);
    offer(best, a.w, label + 3u);
    offer(best, b.x, label + 4u);
    offer(best, b.y, label + 5u);
    offer(best, b.z, label + 6u);
    offer(best, b.w, label + 7u);
}

// Takes the product of 16 rows and the 16 centroids from `first + tile_first` on out of workgroup memory.
fn take(best: ptr<function, Best>, subgroup: u32, lane: u32, first: u32, tile_first: u32) {
    let at = subgroup * PRODUCT + lane / 2u * LINE + 2u * (lane % 2u);
    let offset = tile_first + 8u * (lane % 2u);
    let a = norms_tile[offset / 4u] - 2.0 / (SCALE * SCALE) * products[at];
    let b = norms_tile[offset / 4u + 1u] - 2.0 / (SCALE * SCALE) * products[at + 1u];
    watch(best, a, b, first + offset);
}

// What is known of a row from the minima of several sets of centroids: the two smallest with their labels, and the third smallest, or
// less, of all that may be third.
struct Found {
    smallest: f32,
    label: u32,
    rival: f32,
    rival_label: u32,
    third: f32,
}

const NOBODY: Found = Found(FARTHEST, 0u, FARTHEST, 0u, FARTHEST);

// Adds the minimum of one more set.
fn join(found: ptr<function, Found>, best: Best) {
    (*found).third = min(min((*found).third, best.second), max((*found).rival, best.smallest));
    let is_first = best.smallest < (*found).smallest || (best.smallest == (*found).smallest && best.label < (*found).label);
    let is_second = !is_first && best.smallest < (*found).rival;
    (*found).rival_label = select((*found).rival_label, select(best.label, (*found).label, is_first), is_first || is_second);
    (*found).rival = select((*found).rival, select(best.smallest, (*found).smallest, is_first), is_first || is_second);
    (*found).label = select((*found).label, best.label, is_first);
    (*found).smallest = min((*found).smallest, best.smallest);
}

// What a thread has found, on its way to another.
fn show(found: Found, at: u32) {
    products[2u * at] = vec4(found.smallest, f32(found.label), found.rival, f32(found.rival_label));
    products[2u * at + 1u].x = found.third;
}

fn join_shown(found: ptr<function, Found>, at: u32) {
    let known = products[2u * at];
    join(found, Best(known.x, FARTHEST, u32(known.y)));
    join(found, Best(known.z, products[2u * at + 1u].x, u32(known.w)));
}

// Labels a row, bounds its distance to the others, and lists it where two are too close to tell apart: with both, where these are
// known and no third is as close.
fn settle(place: u32, found: Found) {
    let row = open[place];
    let length = lengths[2u * place];
    let rest = lengths[2u * place + 1u];
    let farthest = norms[2u * ROOM];
    let left_out = norms[2u * ROOM + 1u];
    let d = f32(DIMENSIONS);
    let reach = (length + farthest) * (length + farthest);
    let halves = rest * farthest + (length + rest) * left_out;
    let sums = 0x1p-22 * d * (length + rest) * (farthest + left_out);
    let norm = (d / 64.0 + 72.0) * 0x1p-24 * farthest * farthest;
    let error = 2.0 * (halves + sums) + norm + 0x1p-22 * reach + 0x1p-120 * d;
    let exact = (d / 16.0 + 22.0) * 0x1p-24 * reach;
    let margin = 2.125 * (error + exact);
    let second = min(found.rival, found.third);
    let is_known = reach < LARGEST && left_out < LARGEST;
    let is_clear = is_known && second - found.smallest > margin;
    let is_pair = !is_clear && is_known && found.third - found.smallest > margin;
    nearest[row] = found.label;
    // |x|² is at least this. Of a pair the distances will be known: the bound is for the others.
    let square = length * length * (1.0 - (d / 16.0 + 24.0) * 0x1p-22 - 0x1p-17);
    let others = select(select(found.smallest, found.third, is_pair), second, is_clear);
    let bound = square + others - 1.125 * error;
    lower[row] = select(0.0, sqrt(bound) * (1.0 - 0x1p-19), bound > 0.0 && is_known);
    if (is_pair) {
        let at = atomicAdd(&counts[2], 1u);
        pairs[2u * at] = row;
        pairs[2u * at + 1u] = found.rival_label;
    } else if (!is_clear) {
        doubtful[atomicAdd(&counts[1], 1u)] = row;
    }
}
