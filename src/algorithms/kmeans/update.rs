//! The items that move the centroids, and the one that sums up a round.

use super::keys::{CENTROIDS, EMPTY, EXPONENTS, PARTIALS, SHIFTS, SUMMARY, Summary};
use super::plan::Plan;
use crate::Result;
use crate::backend::cpu::Partials;
use crate::queue::{ComContext, ComputeFunction, Objects, Shader, ShapeRule};
use rayon::prelude::*;

/// Moves each centroid to the mean of its rows; on the sphere to their mean direction. A cluster without rows keeps its
/// centroid. In round 1 there are no sums yet, and nothing moves.
pub(super) struct Update(pub(super) Plan);

impl ComputeFunction for Update {
    fn objects(&self) -> Objects {
        let Plan { k, d, .. } = self.0;
        Objects::reads((PARTIALS, EXPONENTS, SUMMARY))
            .updates(CENTROIDS)
            .writes(SHIFTS)
            .shape(CENTROIDS, ShapeRule::fixed([k, d]))
            .shape(SHIFTS, ShapeRule::fixed([k]))
            .scratch(EMPTY, ShapeRule::fixed([]))
            .once_per_device()
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let partials = Partials::from_values(&self.0.fixed, self.0.k, cx.get(PARTIALS)?.clone())?;
        let mut centroids = cx.get(CENTROIDS)?.as_standard_layout().into_owned();
        let spherical = self.0.metric.is_spherical();
        let rows = centroids.as_slice_mut().unwrap_or(&mut []).par_chunks_mut(self.0.d).enumerate();
        let shifts = rows.map(|(cluster, centroid)| {
            if partials.mass_units(cluster) == 0 {
                return 0.0;
            }
            let mean = || (0..self.0.d).map(|column| partials.mean(cluster, column)).collect();
            let moved: Option<Vec<f32>> = if spherical { partials.direction(cluster) } else { mean() };
            let Some(moved) = moved else { return 0.0 };
            let shift: f64 = moved.iter().zip(&*centroid).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
            centroid.copy_from_slice(&moved);
            shift as f32
        });
        let shifts: Vec<f32> = shifts.collect();
        cx.put(CENTROIDS, centroids)?;
        cx.put(SHIFTS, shifts)
    }

    fn shader(&self) -> Option<Shader> {
        if self.0.moves_on_host() {
            return None;
        }
        let shader = if self.0.metric.is_spherical() {
            let names = ["CLUSTERS", "DIMENSIONS", "TOLERANCE", "HOLDS_EMPTY"];
            self.0.constants(Shader::wgsl(kernel!("update_direction", "held")).named("update_direction"), &names)
        } else {
            let names = ["CLUSTERS", "DIMENSIONS", "WEIGHTED", "TOLERANCE", "HOLDS_EMPTY"];
            self.0.constants(Shader::wgsl(kernel!("update_mean", "held")).named("update_mean"), &names)
        };
        Some(shader.workgroups(self.0.k as u64))
    }
}

/// Gathers the few numbers of a round that the criterion and the trace need, so that one small piece comes back.
pub(super) struct Summarise(pub(super) Plan);

impl ComputeFunction for Summarise {
    fn objects(&self) -> Objects {
        Objects::reads((PARTIALS, SHIFTS))
            .writes(SUMMARY)
            .shape(SUMMARY, ShapeRule::fixed([Summary::WORDS]))
            .once_per_device()
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let shift = cx.get(SHIFTS)?.iter().map(|shift| f64::from(*shift)).sum::<f64>() as f32;
        let summary = Summary::of_partials(cx.get(PARTIALS)?, self.0.layout(), shift);
        cx.put(SUMMARY, summary.to_words())
    }

    fn shader(&self) -> Option<Shader> {
        let shader = Shader::wgsl(kernel!("summarise")).named("summarise");
        Some(self.0.constants(shader, &["CLUSTERS", "DIMENSIONS", "WORDS"]))
    }
}
