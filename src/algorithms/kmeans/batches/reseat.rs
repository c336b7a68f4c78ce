//! Giving clusters that get too few rows new seats: rows of the batch at random.

use super::super::init::random::{DRAWN, Drawing, Sample};
use super::super::keys::{CENTROIDS, POINTS};
use super::super::plan::Plan;
use super::{CENTRES, MASSES, UNSEATED};
use crate::Result;
use crate::queue::{AllReduce, ComContext, ComputeFunction, IterativeComQueue, Objects, ShapeRule};

/// Adds the items.
pub(super) fn add<'q>(queue: IterativeComQueue<'q>, plan: &Plan, seed: u64) -> IterativeComQueue<'q> {
    queue
        .add(DrawSeats { seed })
        .add(AllReduce::by(DRAWN, |into: &mut Sample, from| {
            into.merge(from);
            Ok(())
        }))
        .add(Reseat(plan.clone()))
}

/// Draws as many rows of the batch as clusters are to be seated anew, each once; puts nothing where these are none.
struct DrawSeats {
    seed: u64,
}

impl ComputeFunction for DrawSeats {
    fn objects(&self) -> Objects {
        Objects::reads((POINTS, UNSEATED)).writes(DRAWN)
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let count = cx.get(UNSEATED)?.len();
        if count == 0 {
            return cx.remove(DRAWN);
        }
        let drawing = Drawing { count, seed: self.seed, draw: cx.step_no() };
        let drawn = drawing.of_rows(&cx.rows(POINTS)?, None)?;
        cx.put(DRAWN, drawn)
    }
}

/// Moves the clusters there. They get the mass of the lightest of the others, so that they are not unseated at once.
struct Reseat(Plan);

impl ComputeFunction for Reseat {
    fn objects(&self) -> Objects {
        let Plan { k, d, .. } = self.0;
        Objects::reads((DRAWN, UNSEATED))
            .updates((CENTRES, MASSES, CENTROIDS))
            .shape(CENTROIDS, ShapeRule::fixed([k, d]))
            .once_per_device()
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        if cx.get(UNSEATED)?.is_empty() {
            return Ok(());
        }
        let (mut centres, mut masses) = (cx.get(CENTRES)?.clone(), cx.get(MASSES)?.clone());
        let unseated = cx.get(UNSEATED)?;
        let others = (0..self.0.k).filter(|cluster| !unseated.contains(&(*cluster as u32)));
        let lightest = others.map(|cluster| masses[cluster]).fold(f64::INFINITY, f64::min);
        for (&cluster, values) in unseated.iter().zip(cx.get(DRAWN)?.values()) {
            let seat = centres.row_mut(cluster as usize);
            seat.into_iter().zip(values).for_each(|(to, from)| *to = f64::from(*from));
            masses[cluster as usize] = if lightest.is_finite() { lightest } else { 0.0 };
        }
        cx.put(CENTROIDS, centres.mapv(|value| value as f32))?;
        cx.put(CENTRES, centres)?;
        cx.put(MASSES, masses)
    }
}
