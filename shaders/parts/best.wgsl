// The running minimum of a row: the two smallest values that it has been shown, and the label of the first.

// The largest f32: WGSL has no infinity to begin a minimum with.
const FARTHEST: f32 = 0x1.fffffep+127;

// What a thread knows of a row.
struct Best {
    smallest: f32,
    second: f32,
    label: u32,
}

const NOTHING: Best = Best(FARTHEST, FARTHEST, 0u);

fn offer(best: ptr<function, Best>, value: f32, label: u32) {
    (*best).second = min((*best).second, max((*best).smallest, value));
    (*best).label = select((*best).label, label, value < (*best).smallest);
    (*best).smallest = min((*best).smallest, value);
}
