//! Every WGSL kernel against an independent oracle, on every adapter at hand: one file a kernel, of its stem.

mod launch;
mod mixtures;
mod oracle;
mod search;

mod assign_exact;
mod assign_halves;
mod assign_small;
mod assign_tiled;
mod damp_ranks;
mod decide_rows;
mod inertia_around;
mod median_digit;
mod median_pick;
mod multiply_rows;
mod multiply_sparse;
mod own_distance;
mod own_halves;
mod reassign_small;
mod residuals;
mod responsibilities;
mod scale_rows;
mod settle_rows;
mod skip_settled;
mod sum_by_label;
mod sum_moments;
mod sum_products;
mod survey_centroids;
mod tally;
mod translation;
mod update_direction;
mod update_mean;
