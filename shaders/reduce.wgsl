// Merges one part of an object into a running total, element by element: total[i] = total[i] OP part[i].
//
// total_*   n elements, read and written
// part_*    n elements, read
//
// n is the length of the bound ranges. 64-bit integers are pairs of u32, low word first; their sum carries, and wraps
// around at 2^64 as those of 32 bits do at 2^32. One thread owns one element, so nothing is shared and the order of the
// parts is that of the dispatches. Each element moves three times its size through memory and that is all it costs.
//
// Twin: src/backend/cpu/reduce.rs.

const SUM = 0u;
const MAX = 1u;
// Anything else takes the smallest.

override OP: u32 = SUM;
override WORKGROUP: u32 = 256u;

@group(0) @binding(0) var<storage, read_write> total_f32: array<f32>;
@group(0) @binding(1) var<storage, read> part_f32: array<f32>;
@group(0) @binding(0) var<storage, read_write> total_i32: array<i32>;
@group(0) @binding(1) var<storage, read> part_i32: array<i32>;
@group(0) @binding(0) var<storage, read_write> total_u32: array<u32>;
@group(0) @binding(1) var<storage, read> part_u32: array<u32>;
@group(0) @binding(0) var<storage, read_write> total_64: array<vec2<u32>>;
@group(0) @binding(1) var<storage, read> part_64: array<vec2<u32>>;

/// The element of a thread: workgroups beyond one dimension's limit are folded into y.
fn element(group: vec3<u32>, groups: vec3<u32>, thread: u32) -> u32 {
    return (group.x + group.y * groups.x) * WORKGROUP + thread;
}

@compute @workgroup_size(WORKGROUP)
fn reduce_f32(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = element(group, groups, thread);
    if i >= arrayLength(&total_f32) {
        return;
    }
    let a = total_f32[i];
    let b = part_f32[i];
    if OP == SUM {
        total_f32[i] = a + b;
    } else {
        // Comparisons rather than max and min, whose answer for NaN WGSL leaves open.
        total_f32[i] = select(a, b, (OP == MAX && b > a) || (OP != MAX && b < a));
    }
}

@compute @workgroup_size(WORKGROUP)
fn reduce_i32(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = element(group, groups, thread);
    if i >= arrayLength(&total_i32) {
        return;
    }
    let a = total_i32[i];
    let b = part_i32[i];
    if OP == SUM {
        total_i32[i] = a + b;
    } else {
        total_i32[i] = select(min(a, b), max(a, b), OP == MAX);
    }
}

@compute @workgroup_size(WORKGROUP)
fn reduce_u32(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = element(group, groups, thread);
    if i >= arrayLength(&total_u32) {
        return;
    }
    let a = total_u32[i];
    let b = part_u32[i];
    if OP == SUM {
        total_u32[i] = a + b;
    } else {
        total_u32[i] = select(min(a, b), max(a, b), OP == MAX);
    }
}

fn add_64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = a.x + b.x;
    return vec2(low, a.y + b.y + select(0u, 1u, low < a.x));
}

/// One of two, by the order of their high words and then of their low words.
fn choose_64(a: vec2<u32>, b: vec2<u32>, high_less: bool) -> vec2<u32> {
    let less = high_less || (a.y == b.y && a.x < b.x);
    return select(a, b, less == (OP == MAX));
}

@compute @workgroup_size(WORKGROUP)
fn reduce_i64(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = element(group, groups, thread);
    if i >= arrayLength(&total_64) {
        return;
    }
    let a = total_64[i];
    let b = part_64[i];
    if OP == SUM {
        total_64[i] = add_64(a, b);
    } else {
        total_64[i] = choose_64(a, b, bitcast<i32>(a.y) < bitcast<i32>(b.y));
    }
}

@compute @workgroup_size(WORKGROUP)
fn reduce_u64(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = element(group, groups, thread);
    if i >= arrayLength(&total_64) {
        return;
    }
    let a = total_64[i];
    let b = part_64[i];
    if OP == SUM {
        total_64[i] = add_64(a, b);
    } else {
        total_64[i] = choose_64(a, b, a.y < b.y);
    }
}
