// Whether a round that was begun unseen is to leave everything as it was: the round before it was the last, or left clusters empty that
// the host has to seat anew. See `IterativeComQueue::look_ahead`; the twin is `Held::goes_on`.
//
// Of the kernel it joins it takes `summary` and `unseen`, and the overrides TOLERANCE and HOLDS_EMPTY.

fn is_held() -> bool {
    let moved = summary[4] | summary[5];
    let shift = bitcast<f32>(summary[7]);
    let has_empty = HOLDS_EMPTY && summary[6] != 0u;
    return unseen != 0u && (moved == 0u || shift <= TOLERANCE || has_empty);
}
