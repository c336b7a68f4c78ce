// What the kernels for matrix units share: taking a product out of workgroup memory, and the meeting of the threads of a row.
//
// Of the kernel it joins it takes the parts best and found, `norms_tile`, `products`, LINE and PRODUCT, and the override SCALE.

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
//
// `subgroupBarrier` would be too little between its writing and its reading by other threads of the subgroup: as WGSL becomes SPIR-V
// it orders no workgroup memory. With it a kernel found wrong labels on an H100, once it ran without checks.
fn take(best: ptr<function, Best>, subgroup: u32, lane: u32, first: u32, tile_first: u32) {
    let at = subgroup * PRODUCT + lane / 2u * LINE + 2u * (lane % 2u);
    let offset = tile_first + 8u * (lane % 2u);
    let a = norms_tile[offset / 4u] - 2.0 / (SCALE * SCALE) * products[at];
    let b = norms_tile[offset / 4u + 1u] - 2.0 / (SCALE * SCALE) * products[at + 1u];
    watch(best, a, b, first + offset);
}

// What another thread of the subgroup has found.
fn shuffled(found: Found, other: u32) -> Found {
    return Found(
        subgroupShuffleXor(found.smallest, other), subgroupShuffleXor(found.label, other),
        subgroupShuffleXor(found.rival, other), subgroupShuffleXor(found.rival_label, other),
        subgroupShuffleXor(found.third, other),
    );
}

fn chosen(a: Found, b: Found, is_b: bool) -> Found {
    return Found(
        select(a.smallest, b.smallest, is_b), select(a.label, b.label, is_b),
        select(a.rival, b.rival, is_b), select(a.rival_label, b.rival_label, is_b),
        select(a.third, b.third, is_b),
    );
}

fn join_found(found: ptr<function, Found>, other: Found) {
    join(found, Best(other.smallest, FARTHEST, other.label));
    join(found, Best(other.rival, other.third, other.rival_label));
}

// The two threads of a row meet, for two rows at once: the even thread then knows all of the first, the odd one of the second.
fn meet(found0: Found, found1: Found, lane: u32) -> Found {
    let is_odd = lane % 2u == 1u;
    var found = chosen(found0, found1, is_odd);
    join_found(&found, shuffled(chosen(found1, found0, is_odd), 1u));
    return found;
}
