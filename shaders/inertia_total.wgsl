// The inertia: the squared lengths of all rows, which `sum_by_label` has gathered as rows came, and what each cluster adds to them.
//
//   inertia = sums' inertia + sum over j of around[j], at least 0
//
// Joined by the parts whole, wide, inertia.
//
// Bindings
//   around    k integers of 128 bits: see `inertia_around`
//   sums      k·d + k + 3 integers of 64 bits, low word first: from TOTALS on the two words of Σ|x|²
//   partials  the same: its inertia's two words are written
// Overrides
//   CLUSTERS  k
//   BITS      bits between the two words of the inertia
//   TOTALS    the first of these words
//
// One workgroup of 256 threads; each strides over the clusters. Traffic: 16 bytes a cluster. Workgroup memory: 4 KiB.

override CLUSTERS: u32;
override BITS: u32;
override TOTALS: u32;

const THREADS: u32 = 256u;

@group(0) @binding(0) var<storage, read> around: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> sums: array<u32>;
@group(0) @binding(2) var<storage, read_write> partials: array<u32>;

var<workgroup> parts: array<vec4<u32>, THREADS>;

@compute @workgroup_size(THREADS)
fn inertia_total(@builtin(local_invocation_index) thread: u32) {
    var total = vec4(0u);
    for (var cluster = thread; cluster < CLUSTERS; cluster += THREADS) {
        total = wide_add(total, around[cluster]);
    }
    parts[thread] = total;
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) {
            parts[thread] = wide_add(parts[thread], parts[thread + half]);
        }
    }
    if (thread == 0u) {
        write_inertia(parts[0]);
    }
}
