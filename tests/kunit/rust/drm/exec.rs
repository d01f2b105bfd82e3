// SPDX-License-Identifier: GPL-2.0

//! Locking many GEM objects, on a device of the faux bus that is not registered.

use core::cell::Cell;

use kernel::{
    drm::gem::IntoGEMObject,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            AtomicFlag,
            Relaxed, //
        },
        Arc,
        Completion, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
    workqueue, //
};

use crate::{
    rust::{
        dma_resv::{
            Resv,
            Usage, //
        },
        drm::exec::{
            Exec,
            ExecFlags, //
        }, //
    },
    tests::{
        fake::{
            Fixture,
            Object, //
        },
        rust::dma_fence::fence, //
    }, //
};

/// The number of times that two tasks take the same locks.
const ROUNDS: u32 = 50;

const IGNORE_DUPLICATES: ExecFlags = ExecFlags {
    interruptible: false,
    ignore_duplicates: true,
};

fn resv(obj: &Object) -> &Resv {
    // SAFETY: A GEM object's reservation is valid as long as the object.
    unsafe { Resv::from_raw((*obj.as_raw()).resv) }
}

/// An object on its way to another task.
struct Sent(ARef<Object>);

// SAFETY: GEM objects are reference counted atomically and not bound to a task.
unsafe impl Send for Sent {}

impl Sent {
    fn get(&self) -> &Object {
        &self.0
    }
}

/// Returns whether the object's lock is held.
fn is_locked(obj: &Object) -> bool {
    resv(obj).try_lock().is_none()
}

#[kunit_tests(rgt_exec)]
mod tests {
    use super::*;

    #[test]
    fn locks_until_dropped() -> Result {
        let fixture = Fixture::new()?;
        let (a, b, other) = (fixture.object()?, fixture.object()?, fixture.object()?);
        let mut exec = KBox::pin_init(Exec::new(ExecFlags::default(), 0), GFP_KERNEL)?;

        assert!(exec.resv_of(&*a).is_err());
        exec.as_mut().until_all_locked(|locks| {
            locks.lock(&*a)?;
            locks.lock(&*b)
        })?;

        assert!(is_locked(&a));
        assert!(is_locked(&b));
        assert_eq!(exec.resv_of(&*a)?.as_raw(), resv(&a).as_raw());
        assert_eq!(exec.resv_of(&*b)?.as_raw(), resv(&b).as_raw());
        assert!(exec.locked_resv(resv(&a)).is_ok());
        assert!(!is_locked(&other));
        assert!(matches!(exec.resv_of(&*other), Err(EINVAL)));
        assert!(matches!(exec.locked_resv(resv(&other)), Err(EINVAL)));

        drop(exec);
        assert!(!is_locked(&a));
        assert!(!is_locked(&b));
        Ok(())
    }

    #[test]
    fn lock_outside_of_the_group_is_no_proof() -> Result {
        let fixture = Fixture::new()?;
        let obj = fixture.object()?;
        let mut exec = KBox::pin_init(Exec::new(ExecFlags::default(), 1), GFP_KERNEL)?;

        exec.as_mut().until_all_locked(|locks| {
            let guard = resv(&obj).try_lock();

            assert!(guard.is_some());
            assert!(matches!(locks.resv_of(&*obj), Err(EINVAL)));
            Ok(())
        })?;
        assert!(matches!(exec.resv_of(&*obj), Err(EINVAL)));
        Ok(())
    }

    #[test]
    fn locks_nothing() -> Result {
        let mut exec = KBox::pin_init(Exec::new(ExecFlags::default(), 0), GFP_KERNEL)?;

        assert_eq!(exec.as_mut().until_all_locked(|_| Ok(42))?, 42);
        Ok(())
    }

    #[test]
    fn unused_context_is_dropped() -> Result {
        drop(KBox::pin_init(
            Exec::new(ExecFlags::default(), 0),
            GFP_KERNEL,
        )?);
        Ok(())
    }

    #[test]
    fn keeps_locked_objects() -> Result {
        let fixture = Fixture::new()?;
        let obj = fixture.object()?;
        let mut exec = KBox::pin_init(Exec::new(ExecFlags::default(), 1), GFP_KERNEL)?;

        exec.as_mut().until_all_locked(|locks| locks.lock(&*obj))?;
        drop(obj);
        // The last reference is the context's.
        drop(exec);
        Ok(())
    }

    #[test]
    fn error_releases_all_locks() -> Result {
        let fixture = Fixture::new()?;
        let obj = fixture.object()?;
        let mut exec = KBox::pin_init(Exec::new(ExecFlags::default(), 1), GFP_KERNEL)?;

        let result: Result = exec.as_mut().until_all_locked(|locks| {
            locks.lock(&*obj)?;
            Err(ENOSPC)
        });
        assert_eq!(result, Err(ENOSPC));
        assert!(!is_locked(&obj));
        assert!(exec.resv_of(&*obj).is_err());

        // And the context can be used again.
        exec.as_mut().until_all_locked(|locks| locks.lock(&*obj))?;
        assert!(exec.resv_of(&*obj).is_ok());
        Ok(())
    }

    #[test]
    fn second_use_releases_the_first() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.object()?, fixture.object()?);
        let mut exec = KBox::pin_init(Exec::new(ExecFlags::default(), 1), GFP_KERNEL)?;

        exec.as_mut().until_all_locked(|locks| locks.lock(&*a))?;
        exec.as_mut().until_all_locked(|locks| locks.lock(&*b))?;
        assert!(!is_locked(&a));
        assert!(exec.resv_of(&*a).is_err());
        assert!(exec.resv_of(&*b).is_ok());
        Ok(())
    }

    #[test]
    fn duplicates_are_an_error_unless_ignored() -> Result {
        let fixture = Fixture::new()?;
        let obj = fixture.object()?;
        let mut strict = KBox::pin_init(Exec::new(ExecFlags::default(), 2), GFP_KERNEL)?;

        let result = strict.as_mut().until_all_locked(|locks| {
            locks.lock(&*obj)?;
            locks.lock(&*obj)
        });
        assert_eq!(result, Err(EALREADY));
        drop(strict);

        let mut lenient = KBox::pin_init(Exec::new(IGNORE_DUPLICATES, 2), GFP_KERNEL)?;

        lenient.as_mut().until_all_locked(|locks| {
            locks.prepare(&*obj, 1)?;
            locks.prepare(&*obj, 1)
        })?;
        drop(lenient);
        assert!(!is_locked(&obj));
        Ok(())
    }

    #[test]
    fn slots_of_a_duplicate_add_up() -> Result {
        let fixture = Fixture::new()?;
        let obj = fixture.object()?;
        let mut exec = KBox::pin_init(Exec::new(IGNORE_DUPLICATES, 1), GFP_KERNEL)?;
        exec.as_mut()
            .until_all_locked(|locks| locks.prepare(&*obj, 1))?;

        let mut slots = KVec::new();
        for _ in 0..16 {
            let [slot] = exec.resv_of(&*obj)?.reserve_fences()?;

            slots.push(slot, GFP_KERNEL)?;
        }

        // The fences of one context take one slot if the usage allows it, so use many.
        let mut pending = KVec::new();
        let mut usage = Usage::Write;
        for slot in slots {
            let (fence, right) = fence()?;

            pending.push(right, GFP_KERNEL)?;
            slot.add(&fence, usage);
            usage = Usage::Read;
        }

        let mut count = 0;
        exec.resv_of(&*obj)?.for_each_fence(Usage::Read, |_| {
            count += 1;
            Ok(())
        })?;
        assert_eq!(count, 16);
        drop(exec);
        assert!(!resv(&obj).test_signaled(Usage::Write));
        pending.into_iter().for_each(|right| right.signal(Ok(())));
        assert!(resv(&obj).test_signaled(Usage::Bookkeep));
        Ok(())
    }

    #[test]
    fn proof_while_locking() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.object()?, fixture.object()?);
        let mut exec = KBox::pin_init(Exec::new(ExecFlags::default(), 2), GFP_KERNEL)?;

        exec.as_mut().until_all_locked(|locks| {
            assert!(locks.resv_of(&*a).is_err());
            locks.lock(&*a)?;
            drop(locks.resv_of(&*a)?.reserve_fences::<5>()?);
            assert!(locks.resv_of(&*b).is_err());
            locks.lock(&*b)?;
            drop(locks.resv_of(&*b)?.reserve_fences::<5>()?);
            Ok(())
        })?;
        Ok(())
    }

    #[test]
    fn many_objects() -> Result {
        let fixture = Fixture::new()?;
        let mut objects = KVec::new();

        for _ in 0..100 {
            objects.push(fixture.object()?, GFP_KERNEL)?;
        }

        let mut exec = KBox::pin_init(Exec::new(ExecFlags::default(), 4), GFP_KERNEL)?;

        exec.as_mut().until_all_locked(|locks| {
            for obj in &objects {
                locks.prepare(&**obj, 1)?;
            }
            Ok(())
        })?;
        for obj in &objects {
            assert_eq!(exec.resv_of(&**obj)?.as_raw(), resv(obj).as_raw());
        }
        // In the order of the locks, and in none.
        for (index, obj) in objects.iter().enumerate() {
            assert_eq!(exec.entry_of(&**obj)?.0, index);
        }
        for (index, obj) in objects.iter().enumerate().rev().step_by(7) {
            assert_eq!(exec.entry_of(&**obj)?.0, index);
            assert_eq!(exec.resv_of(&**obj)?.as_raw(), resv(obj).as_raw());
        }
        let other = fixture.object()?;
        assert!(matches!(exec.entry_of(&*other), Err(EINVAL)));
        Ok(())
    }

    /// What two tasks tell each other: that they have the first of their locks, and how that ended.
    #[derive(Clone)]
    struct Task {
        holds_one: Arc<Completion>,
        ended_well: Arc<AtomicFlag>,
    }

    impl Task {
        fn new() -> Result<Self> {
            Ok(Self {
                holds_one: Arc::pin_init(Completion::new(), GFP_KERNEL)?,
                ended_well: Arc::new(AtomicFlag::new(false), GFP_KERNEL)?,
            })
        }
    }

    /// Takes both locks over and over in the given order, and returns how many attempts it took. In
    /// the first, each task waits until the other has a lock, too.
    fn contend(
        first: &Object,
        second: &Object,
        interruptible: bool,
        (own, other): (&Task, &Task),
    ) -> Result<u32> {
        let attempts = Cell::new(0);

        for _ in 0..ROUNDS {
            let mut exec = KBox::pin_init(
                Exec::new(
                    ExecFlags {
                        interruptible,
                        ignore_duplicates: interruptible,
                    },
                    2,
                ),
                GFP_KERNEL,
            )?;

            exec.as_mut().until_all_locked(|locks| {
                attempts.set(attempts.get() + 1);
                locks.prepare(first, 1)?;
                own.holds_one.complete_all();
                other.holds_one.wait_for_completion();
                // Give the other task the time to take its first lock again.
                fsleep(Delta::from_micros(1));
                locks.prepare(second, 1)
            })?;
            exec.resv_of(first)?;
            exec.resv_of(second)?;
        }
        Ok(attempts.get())
    }

    #[test]
    fn opposite_orders_do_not_deadlock() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.object()?, fixture.object()?);
        let done = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
        let (their_a, their_b, their_done) = (Sent(a.clone()), Sent(b.clone()), done.clone());
        let (ours, theirs) = (Task::new()?, Task::new()?);
        let (them, us) = (theirs.clone(), ours.clone());

        workqueue::system_unbound().try_spawn(GFP_KERNEL, move || {
            let attempts = contend(their_b.get(), their_a.get(), false, (&them, &us));

            them.ended_well.store(attempts.is_ok(), Relaxed);
            them.holds_one.complete_all();
            // Objects do not keep their device, which may go as soon as this is done.
            drop((their_a, their_b));
            their_done.complete_all();
        })?;

        let attempts = contend(&a, &b, true, (&ours, &theirs));
        ours.holds_one.complete_all();
        done.wait_for_completion();
        assert!(attempts? >= ROUNDS);
        assert!(theirs.ended_well.load(Relaxed));
        assert!(!is_locked(&a));
        assert!(!is_locked(&b));
        Ok(())
    }

    #[test]
    fn contention_restarts_even_if_the_error_is_lost() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.object()?, fixture.object()?);
        let mut exec = KBox::pin_init(Exec::new(ExecFlags::default(), 2), GFP_KERNEL)?;

        // Debug kernels make up contention now and then.
        for _ in 0..100 {
            exec.as_mut().until_all_locked(|locks| {
                let _ = locks.lock(&*a);
                let _ = locks.lock(&*b);
                Ok(())
            })?;
            assert!(exec.resv_of(&*a).is_ok());
            assert!(exec.resv_of(&*b).is_ok());
        }
        Ok(())
    }
}
