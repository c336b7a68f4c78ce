// The next ranks of PageRank, from what came to each node over its edges:
//
//   ranks[i]  ← d·product[i] + product[n]·leads[i] + again[i]
//   vector[i] = ranks[i]·inverse[i]
//   tally     = the sum of |new - old| of the ranks, and product[n]
//
// All are numbers from 0 to 1 in units of 2^-62, and products are rounded to them, half up: the same bits on every device,
// and those of the twin.
//
// Joined by the part whole.
//
// Bindings: 64-bit integers, low word first
//   product  n + 1: what came to each node, and what the nodes without edges have lost
//   inverse  n: one by the weights of all edges from a node, or 1 where there are none
//   again    n, or 1 for all nodes: where the surfer starts again, times 1 - d
//   leads    n, or 1 for all nodes: where what is lost goes to, times d
//   ranks    n: read and written
//   vector   n: written
//   tally    2, added to; zero it before
// Overrides
//   NODES         n
//   AGAIN_EACH    whether `again` has a number for each node
//   LEADS_EACH    whether `leads` has
//   DAMPING_LOW, DAMPING_HIGH  d
//
// A workgroup of 256 threads takes 256 nodes, a thread one; their changes are added in the workgroup, then to the tally by atomics.
// Traffic per node: 40 bytes, 56 where both distributions have a number for each. Workgroup memory: 2 KiB.

override NODES: u32;
override AGAIN_EACH: bool = false;
override LEADS_EACH: bool = false;
override DAMPING_LOW: u32;
override DAMPING_HIGH: u32;

const WORKGROUP: u32 = 256u;

@group(0) @binding(0) var<storage, read> product: array<vec2<u32>>;
@group(0) @binding(1) var<storage, read> inverse: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read> again: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read> leads: array<vec2<u32>>;
@group(0) @binding(4) var<storage, read_write> ranks: array<vec2<u32>>;
@group(0) @binding(5) var<storage, read_write> vector: array<vec2<u32>>;
@group(0) @binding(6) var<storage, read_write> tally: array<atomic<u32>>;

var<workgroup> changes: array<vec2<u32>, WORKGROUP>;

// a·b of two numbers in units of 2^-62.
fn times(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let lowest = product_of(a.x, b.x);
    let first = add(vec2(lowest.y, 0u), product_of(a.x, b.y));
    let second = add(vec2(first.x, 0u), product_of(a.y, b.x));
    var high = add(product_of(a.y, b.y), vec2(first.y, 0u));
    high = add(high, vec2(second.y, 0u));
    // Half a unit: bit 61 of the whole.
    let low = second.x + 0x20000000u;
    high = add(high, vec2(u32(low < second.x), 0u));
    return vec2((low >> 30u) | (high.x << 2u), (high.x >> 30u) | (high.y << 2u));
}

// |a - b| of two numbers that are not negative.
fn distance(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let difference = add(a, negate(b));
    return signed(difference, (difference.y >> 31u) == 1u);
}

fn add_to_tally(at: u32, value: vec2<u32>) {
    let old = atomicAdd(&tally[2u * at], value.x);
    let high = value.y + u32(old + value.x < old);
    if (high != 0u) {
        atomicAdd(&tally[2u * at + 1u], high);
    }
}

// Puts the next rank of a node, and says by how much it changed.
fn damp(node: u32) -> vec2<u32> {
    let lost = times(product[NODES], leads[select(0u, node, LEADS_EACH)]);
    let followed = times(vec2(DAMPING_LOW, DAMPING_HIGH), product[node]);
    let rank = add(add(followed, lost), again[select(0u, node, AGAIN_EACH)]);
    let change = distance(rank, ranks[node]);
    ranks[node] = rank;
    vector[node] = times(rank, inverse[node]);
    return change;
}

@compute @workgroup_size(WORKGROUP)
fn damp_ranks(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let number = group.x + group.y * groups.x;
    // The last line of workgroups may be longer than there are nodes: beyond 2³² the number of a node would begin anew.
    if (number > (NODES - 1u) / WORKGROUP) {
        return;
    }
    let node = number * WORKGROUP + thread;
    changes[thread] = vec2(0u);
    if (node < NODES) {
        changes[thread] = damp(node);
    }
    for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) {
            changes[thread] = add(changes[thread], changes[thread + half]);
        }
    }
    if (thread == 0u) {
        add_to_tally(0u, changes[0]);
        if (number == 0u) {
            add_to_tally(1u, product[NODES]);
        }
    }
}
