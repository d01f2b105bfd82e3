// SPDX-License-Identifier: GPL-2.0

//! Survival of memory that is cut off under a mapping.
//!
//! A file that its owner truncates, or that runs out of huge pages, makes the kernel answer an
//! access to the mapping with SIGBUS, which ends a process. Here the handler puts anonymous pages
//! in the place of those that are gone, so that the access goes on, and marks the mapping as lost:
//! the engine that made it looks at the mark afterwards and faults. Only mappings that were
//! registered are mended; any other SIGBUS does what it did before.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use rustix::io::Errno;

/// Mappings that can be registered at the same time. A guest's RAM is a file or a few.
const SLOTS: usize = 256;

/// A registered mapping, as the handler sees it.
struct Slot {
    taken: AtomicBool,
    /// First address; 0 while the slot is not valid.
    start: AtomicUsize,
    /// Bytes.
    length: AtomicUsize,
    /// Bytes of a page.
    page: AtomicUsize,
    lost: AtomicBool,
}

impl Slot {
    const fn free() -> Self {
        Self {
            taken: AtomicBool::new(false),
            start: AtomicUsize::new(0),
            length: AtomicUsize::new(0),
            page: AtomicUsize::new(0),
            lost: AtomicBool::new(false),
        }
    }

    /// The page of the mapping that an address is in, and its size.
    fn page(&self, address: usize) -> Option<(usize, usize)> {
        let start = self.start.load(Ordering::Acquire);
        let inside = address.checked_sub(start)?;
        if start == 0 || inside >= self.length.load(Ordering::Relaxed) {
            return None;
        }
        let page = self.page.load(Ordering::Relaxed);
        Some((start + inside / page * page, page))
    }
}

static MAPPINGS: [Slot; SLOTS] = [const { Slot::free() }; SLOTS];

/// How often pages were found to be gone.
static LOSSES: AtomicUsize = AtomicUsize::new(0);

/// How often pages of any mapping were found to be gone. An access before and after which this is
/// the same was an access to memory that is there.
pub(crate) fn losses() -> usize {
    LOSSES.load(Ordering::Acquire)
}

/// The action of SIGBUS before the handler was installed.
static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();

/// A mapping for whose pages the process does not die.
pub(super) struct Watch(&'static Slot);

impl Watch {
    /// Registers `length` bytes from address `start`, in pages of `page` bytes. It must be dropped
    /// before the mapping goes.
    pub(super) fn new(start: usize, length: usize, page: usize) -> io::Result<Self> {
        install()?;
        let slot = MAPPINGS
            .iter()
            .find(|slot| !slot.taken.swap(true, Ordering::Acquire))
            .ok_or(Errno::NOSPC)?;
        slot.length.store(length, Ordering::Relaxed);
        slot.page.store(page, Ordering::Relaxed);
        slot.lost.store(false, Ordering::Relaxed);
        slot.start.store(start, Ordering::Release);
        Ok(Self(slot))
    }

    /// Whether pages of the mapping were gone when they were accessed.
    pub(super) fn lost(&self) -> bool {
        self.0.lost.load(Ordering::Acquire)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.start.store(0, Ordering::Release);
        self.0.taken.store(false, Ordering::Release);
    }
}

/// Installs the handler, once.
fn install() -> io::Result<()> {
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _installing = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    if BEFORE.get().is_some() {
        return Ok(());
    }
    let before = exchange(None)?;
    // The handler must find what was there, so this comes first.
    let before = BEFORE.get_or_init(|| before);
    // SAFETY: Zeros are a valid action: the default one without flags.
    let mut action = unsafe { MaybeUninit::<libc::sigaction>::zeroed().assume_init() };
    action.sa_sigaction = handle as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
    action.sa_mask = before.sa_mask;
    exchange(Some(&action)).map(drop)
}

/// Exchanges the action of SIGBUS; without a new one, only returns the present one.
fn exchange(action: Option<&libc::sigaction>) -> io::Result<libc::sigaction> {
    let action = action.map_or(ptr::null(), ptr::from_ref);
    let mut before = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: The action is none or a valid one, whose handler is `handle`: it has the signature
    // that `SA_SIGINFO` asks for and only does what a handler may do.
    if unsafe { libc::sigaction(libc::SIGBUS, action, before.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: All of it was zeroed, which is a valid action, and then written by the call.
    Ok(unsafe { before.assume_init() })
}

extern "C" fn handle(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: The kernel passes a valid description of a SIGBUS, which has an address.
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr() as usize) };
    if code == libc::BUS_ADRERR && mend(address) {
        return;
    }
    let before = BEFORE.get().map_or(libc::SIG_DFL, |it| it.sa_sigaction);
    let wants_info = BEFORE
        .get()
        .is_some_and(|it| it.sa_flags & libc::SA_SIGINFO != 0);
    if wants_info {
        type Handler = extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void);
        // SAFETY: An action with `SA_SIGINFO` is the address of such a function.
        let before: Handler = unsafe { std::mem::transmute(before) };
        before(signal, info, context);
        return;
    }
    // The access is made again and then does what it did without this handler.
    // SAFETY: `BEFORE` has the action that was valid when it was read.
    unsafe { libc::signal(signal, before) };
}

/// Puts pages of zeros in the place of one that is gone. False if it is in no mapping that was
/// registered.
fn mend(address: usize) -> bool {
    let Some((slot, (page, length))) = MAPPINGS
        .iter()
        .find_map(|slot| slot.page(address).map(|page| (slot, page)))
    else {
        return false;
    };
    // SAFETY: `errno` of the thread that was interrupted, which must find it as it was.
    let errno = unsafe { *libc::__errno_location() };
    // SAFETY: The page is part of a mapping that stays until its slot is given up. The memory
    // there may change its content at any time, as that of the file may. The function is a system
    // call and nothing else.
    let new = unsafe {
        libc::mmap(
            page as *mut libc::c_void,
            length,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED | libc::MAP_NORESERVE,
            -1,
            0,
        )
    };
    // SAFETY: As above.
    unsafe { *libc::__errno_location() = errno };
    if new == libc::MAP_FAILED {
        return false;
    }
    slot.lost.store(true, Ordering::Release);
    LOSSES.fetch_add(1, Ordering::Release);
    true
}
