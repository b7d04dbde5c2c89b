//! Bounded queues between signalling and workers, and the bell that wakes who sleeps on them.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_queue::{ArrayQueue, SegQueue};
use rustix::event::{EventfdFlags, eventfd};

/// Wakes a thread or task that sleeps in epoll; silent in a simulation.
#[derive(Debug)]
pub(crate) struct Bell {
    fd: Option<OwnedFd>,
    rung: AtomicBool,
}

impl Bell {
    /// A bell over an eventfd.
    pub(crate) fn new() -> io::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Ok(Self {
            fd: Some(eventfd(0, flags)?),
            rung: AtomicBool::new(false),
        })
    }

    /// A bell nobody listens to.
    pub(crate) fn silent() -> Self {
        Self {
            fd: None,
            rung: AtomicBool::new(false),
        }
    }

    /// Wakes the sleeper; one system call however often it rings before he answers.
    pub(crate) fn ring(&self) {
        if let Some(fd) = &self.fd
            && !self.rung.swap(true, Ordering::AcqRel)
        {
            // The only failure is a full counter, and then the sleeper is being woken already.
            let _ = rustix::io::write(fd, &1u64.to_ne_bytes());
        }
    }

    /// The sleeper is awake. He must look into the ring after this, not before.
    pub(crate) fn answer(&self) {
        if let Some(fd) = &self.fd {
            let mut count = [0u8; 8];
            let _ = rustix::io::read(fd, &mut count);
        }
        self.rung.store(false, Ordering::Release);
    }

    /// What to wait on, if anything.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().map(AsFd::as_fd)
    }
}

/// A bounded queue whose last slots are kept for what must not be refused.
#[derive(Debug)]
pub(crate) struct Ring<T> {
    queue: ArrayQueue<T>,
    open: usize,
}

impl<T> Ring<T> {
    /// `open` slots for everything and `reserved` more for what must not be refused.
    pub(crate) fn new(open: usize, reserved: usize) -> Self {
        Self {
            queue: ArrayQueue::new(open + reserved),
            open,
        }
    }

    /// Puts something in; gives it back when even the reserved slots are full. What may be refused
    /// asks [`Ring::has_open_slot`] first.
    pub(crate) fn push(&self, item: T) -> Result<(), T> {
        self.queue.push(item)
    }

    /// Whether a slot is left that is not reserved.
    pub(crate) fn has_open_slot(&self) -> bool {
        self.queue.len() < self.open
    }

    /// Takes out the oldest.
    pub(crate) fn pop(&self) -> Option<T> {
        self.queue.pop()
    }
}

/// The same for those who may allocate: what is bounded for the worst case takes memory only for
/// what is in it, where a [`Ring`] of that many slots is written to once in whole.
#[derive(Debug)]
pub(crate) struct Tray<T> {
    queue: SegQueue<T>,
    open: usize,
    most: usize,
}

impl<T> Tray<T> {
    /// Room for `open` of everything and `reserved` more of what must not be refused.
    pub(crate) fn new(open: usize, reserved: usize) -> Self {
        Self {
            queue: SegQueue::new(),
            open,
            most: open + reserved,
        }
    }

    /// Puts something in; gives it back when even the reserved room is taken (by how many push at
    /// once it may be exceeded). What may be refused asks [`Tray::has_open_slot`] first.
    pub(crate) fn push(&self, item: T) -> Result<(), T> {
        if self.queue.len() >= self.most {
            return Err(item);
        }
        self.queue.push(item);
        Ok(())
    }

    /// Whether there is room that is not reserved.
    pub(crate) fn has_open_slot(&self) -> bool {
        self.queue.len() < self.open
    }

    /// Takes out the oldest.
    pub(crate) fn pop(&self) -> Option<T> {
        self.queue.pop()
    }

    /// Whether there is nothing to take.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether more than three quarters of the open room is taken.
    pub(crate) fn is_strained(&self) -> bool {
        self.queue.len() * 4 > self.open * 3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_slots_are_left_for_what_must_not_be_refused() {
        let ring = Ring::new(2, 1);
        assert_eq!(ring.push(1), Ok(()));
        assert!(ring.has_open_slot());
        assert_eq!(ring.push(2), Ok(()));
        assert!(!ring.has_open_slot());
        assert_eq!(ring.push(4), Ok(()));
        assert_eq!(ring.push(5), Err(5));
        assert_eq!(
            std::iter::from_fn(|| ring.pop()).collect::<Vec<_>>(),
            [1, 2, 4]
        );
    }

    #[test]
    fn so_it_is_in_a_tray() {
        let tray = Tray::new(2, 1);
        assert_eq!(tray.push(1), Ok(()));
        assert!(tray.has_open_slot());
        assert_eq!(tray.push(2), Ok(()));
        assert!(!tray.has_open_slot() && tray.is_strained());
        assert_eq!(tray.push(4), Ok(()));
        assert_eq!(tray.push(5), Err(5));
        assert_eq!(
            std::iter::from_fn(|| tray.pop()).collect::<Vec<_>>(),
            [1, 2, 4]
        );
        assert!(tray.is_empty());
    }

    #[test]
    fn a_bell_rings_once_until_answered() {
        let bell = Bell::new().expect("eventfd");
        bell.ring();
        bell.ring();
        let mut count = [0u8; 8];
        let fd = bell.fd().expect("real");
        assert_eq!(rustix::io::read(fd, &mut count), Ok(8));
        assert_eq!(u64::from_ne_bytes(count), 1);
        bell.answer();
        bell.ring();
        assert_eq!(rustix::io::read(fd, &mut count), Ok(8));
    }
}
