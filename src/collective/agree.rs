//! One verdict on all ranks, and which rows each rank has.

use super::Collective;
use crate::data::BLOCK;
use crate::{Error, Result};
use std::ops::Range;

const GOOD: u8 = 0;
const BAD: u8 = 1;

impl dyn Collective + '_ {
    /// Ends on all ranks as it ended on each: where any failed, all return the error of the lowest rank that did, said as
    /// `rank 2: points-3.npy, row 17, column 3: …`. An error that all ranks have is said once.
    ///
    /// # Errors
    /// That error, or that of the engine.
    pub fn agree<T>(&self, verdict: Result<T>) -> Result<T> {
        match verdict {
            Ok(value) => self.exchange(Ok(Vec::new())).map(|_| value),
            Err(error) => Err(self.exchange(Err(error)).map_or_else(|error| error, |_| unheard())),
        }
    }

    /// What each rank gave, in their order, once all have something to give; else one error for all, as
    /// `agree`.
    ///
    /// # Errors
    /// As `agree`.
    pub fn exchange(&self, part: Result<Vec<u8>>) -> Result<Vec<Vec<u8>>> {
        if self.size() == 1 {
            return Ok(vec![part?]);
        }
        if let Err(error @ Error::Rank { .. }) = part {
            // All ranks have it already.
            return Err(error);
        }
        let message = match &part {
            Ok(bytes) => [&[GOOD], bytes.as_slice()].concat(),
            Err(error) => [&[BAD], error.to_string().as_bytes()].concat(),
        };
        let parts = self.all_gather(&message)?;
        let is_bad = |part: &Vec<u8>| part.first() != Some(&GOOD);
        let Some(rank) = parts.iter().position(is_bad) else {
            return Ok(parts.into_iter().map(|part| part.get(1..).unwrap_or(&[]).to_vec()).collect());
        };
        match part {
            Err(error) if parts.iter().all(|other| *other == message) => Err(error),
            _ => {
                let text = parts.get(rank).and_then(|part| part.get(1..)).unwrap_or(&[]);
                Err(Error::Rank { rank, message: String::from_utf8_lossy(text).into_owned() })
            }
        }
    }

    /// Goes on only where all ranks gave the same text; `what` says what it describes.
    ///
    /// # Errors
    /// When a rank's text is another than that of rank 0, on all ranks and naming it; or that of the engine.
    pub fn same(&self, what: &str, text: &str) -> Result<()> {
        let texts = self.exchange(Ok(text.as_bytes().to_vec()))?;
        let first = texts.first().cloned().unwrap_or_default();
        let Some(rank) = texts.iter().position(|other| *other != first) else { return Ok(()) };
        let [first, other] = [&first, &texts[rank]].map(|text| String::from_utf8_lossy(text).into_owned());
        let message =
            format!("{what} must be the same on all ranks, but rank 0 has `{first}` and rank {rank} `{other}`");
        Err(Error::parameter("ranks", message))
    }

    /// The rows of this rank: whole blocks of 4096, so that blocks are the same for any number of ranks. Empty where
    /// there are fewer blocks than ranks.
    pub fn share(&self, rows: u64) -> Range<u64> {
        let (rank, size) = (self.rank() as u128, self.size().max(1) as u128);
        let blocks = u128::from(rows.div_ceil(BLOCK));
        let at = |rank: u128| rows.min(((blocks * rank / size) as u64).saturating_mul(BLOCK));
        at(rank)..at(rank + 1)
    }
}

/// An error that this rank gave and no rank heard of: the engine lost it.
fn unheard() -> Error {
    Error::parameter("collective", "this rank failed and the others did not hear of it: the engine loses messages")
}

#[cfg(test)]
mod tests {
    use super::super::Local;
    use super::*;

    /// A rank that does nothing but have a number.
    struct Numbered(usize, usize);

    impl Collective for Numbered {
        fn rank(&self) -> usize {
            self.0
        }

        fn size(&self) -> usize {
            self.1
        }

        fn all_gather(&self, _: &[u8]) -> Result<Vec<Vec<u8>>> {
            Err(Error::parameter("collective", "nobody else is there"))
        }
    }

    #[test]
    fn shares_are_whole_blocks_that_cover_all_rows_in_order() {
        for (rows, size) in [(0, 3), (1, 2), (4096, 3), (4097, 2), (100_000, 7), (u64::MAX, 3)] {
            let mut next = 0;
            for rank in 0..size {
                let collective: &dyn Collective = &Numbered(rank, size);
                let share = collective.share(rows);
                assert_eq!(share.start, next, "{rows} rows, rank {rank} of {size}");
                assert!(share.start.is_multiple_of(BLOCK) || share.is_empty(), "{rows} rows, rank {rank} of {size}");
                next = share.end;
            }
            assert_eq!(next, rows);
        }
        assert_eq!((&Local as &dyn Collective).share(5000), 0..5000);
    }

    #[test]
    fn alone_an_error_stays_what_it_is() {
        let alone: &dyn Collective = &Local;
        assert!(matches!(alone.agree::<()>(Err(Error::parameter("k", "no"))), Err(Error::Parameter { .. })));
        assert!(matches!(alone.agree(Ok(7)), Ok(7)));
    }
}
