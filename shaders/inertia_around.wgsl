// What each cluster adds to the inertia around its centroid, beyond the squared lengths of its rows: since
// Σ|x - c|² = Σ|x|² - 2·c·Σx + m·|c|², the inertia follows from the sums, and no row is measured for it.
//
//   around[j] = sum over i of c·(m·c - 2·S) in units of 2^-(exponents[d + 1] + BITS)
//
// with c = centroids[j][i], the sum S of the cluster's column and its mass m. All is of integers of 128 bits: a term is cut off below a
// unit, and m·c below a unit of S. So the bits are the same on every device, and what they are off is far below what the units of the
// sums leave out. On the processor `Partials::inertia_around` does the same, bit for bit.
//
// Joined by the parts whole, wide, around.
//
// Bindings
//   sums       k·d + k + 3 integers of 64 bits, low word first: see `sum_by_label`, with WORDS = 1
//   exponents  d + 2: see `sum_by_label`
//   centroids  k × d, row-major
//   around     k integers of 128 bits, written
// Overrides
//   DIMENSIONS  d
//   CLUSTERS    k
//   BITS        bits between the two words of the inertia
//
// A workgroup of 64 threads takes a cluster: dispatch k. Traffic: 12 bytes a value. Work: some 200 integer operations a value.
// Workgroup memory: 1 KiB.

override DIMENSIONS: u32;
override CLUSTERS: u32;
override BITS: u32;

const THREADS: u32 = 64u;

@group(0) @binding(0) var<storage, read> sums: array<u32>;
@group(0) @binding(1) var<storage, read> exponents: array<i32>;
@group(0) @binding(2) var<storage, read> centroids: array<f32>;
@group(0) @binding(3) var<storage, read_write> around: array<vec4<u32>>;

var<workgroup> parts: array<vec4<u32>, THREADS>;

@compute @workgroup_size(THREADS)
fn inertia_around(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let cluster = group.x + group.y * groups.x;
    if (cluster >= CLUSTERS) {
        return;
    }
    let mass = integer(CLUSTERS * DIMENSIONS + cluster);
    var total = vec4(0u);
    for (var column = thread; column < DIMENSIONS; column += THREADS) {
        total = wide_add(total, term(mass, cluster * DIMENSIONS + column, column));
    }
    parts[thread] = total;
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) {
            parts[thread] = wide_add(parts[thread], parts[thread + half]);
        }
    }
    if (thread == 0u) {
        around[cluster] = parts[0];
    }
}
