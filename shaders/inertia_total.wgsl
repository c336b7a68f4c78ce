// The inertia: the squared lengths of all rows, which `sum_by_label` has gathered as rows came, and what each cluster adds to them.
//
//   inertia = sums' inertia + sum over j of around[j], at least 0
//
// Joined by the part wide.
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

// A word of the inertia.
fn word(number: u32) -> vec4<u32> {
    let at = 2u * (TOTALS + number);
    return wide_of(vec2(sums[at], sums[at + 1u]));
}

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
    if (thread > 0u) {
        return;
    }
    // The words of a sum of rows are not negative.
    let lengths = wide_add(wide_scaled(word(0u), i32(BITS)), word(1u));
    var inertia = wide_add(lengths, parts[0]);
    if (wide_is_negative(inertia)) {
        inertia = vec4(0u);
    }
    let whole = wide_scaled(inertia, -i32(BITS));
    let rest = wide_add(inertia, wide_negate(wide_scaled(whole, i32(BITS))));
    partials[2u * TOTALS] = whole.x;
    partials[2u * TOTALS + 1u] = whole.y;
    partials[2u * TOTALS + 2u] = rest.x;
    partials[2u * TOTALS + 3u] = rest.y;
}
