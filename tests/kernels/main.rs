//! Every WGSL kernel against an independent oracle, on every adapter at hand.

mod translation;
