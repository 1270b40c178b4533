//! Places in the ledger: how far each lane has been told.

/// A place in one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    /// Of the last event that was told; 0 before the first.
    pub position: i64,
    /// The first four bytes of that event's hash; 0 before the first. A database that was set
    /// back to an older copy and went on from there has another event at this position.
    pub check: u32,
}

impl Mark {
    /// The place right behind an event with this position and hash (hex).
    pub fn of(position: i64, hash: &str) -> Mark {
        let digits = hash.get(..8).unwrap_or("0");
        Mark { position, check: u32::from_str_radix(digits, 16).unwrap_or_default() }
    }
}

/// A place in the ledger: one mark for each lane, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(Box<[Mark]>);

impl Cursor {
    /// A place from the marks of all lanes.
    pub fn of(marks: Vec<Mark>) -> Cursor {
        Cursor(marks.into())
    }

    /// Before the first event of every lane.
    pub fn beginning(lanes: u16) -> Cursor {
        Cursor(vec![Mark::default(); usize::from(lanes)].into())
    }

    /// The marks of all lanes.
    pub fn marks(&self) -> &[Mark] {
        &self.0
    }

    pub(super) fn mark(&self, lane: u16) -> Mark {
        self.0[usize::from(lane)]
    }

    pub(super) fn set(&mut self, lane: u16, mark: Mark) {
        self.0[usize::from(lane)] = mark;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_tells_two_histories_apart() {
        let one = Mark::of(7, "9f86d081884c7d65");
        assert_eq!(one, Mark { position: 7, check: 0x9f86_d081 });
        assert_ne!(one, Mark::of(7, "0f86d081884c7d65"));
        assert_eq!(Mark::of(0, ""), Mark::default());
    }
}
