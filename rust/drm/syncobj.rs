// SPDX-License-Identifier: GPL-2.0 OR MIT

//! DRM synchronisation objects: boxes for fences that user space has handles of.
//!
//! A binary [`Syncobj`] holds one fence at a time, a timeline one a chain of them, each at a point.
//!
//! A waiter takes its fence with [`find_fence()`]. A job that will signal a syncobj looks it up
//! first, as an [`OutSync`]: once there is one, nothing can fail any more.
//!
//! C header: [`include/drm/drm_syncobj.h`](srctree/include/drm/drm_syncobj.h)

use core::{
    num::NonZero,
    ptr::{
        self,
        NonNull, //
    },
};

use kernel::{
    drm::{
        self,
        file::DriverFile, //
    },
    error::to_result,
    prelude::*,
    sync::aref::{
        ARef,
        AlwaysRefCounted, //
    },
    types::Opaque, //
};

use crate::rust::{
    bindings,
    dma_fence::Fence,
    drm::file, //
};

/// Takes the fence that is in a syncobj at a point, for something to wait for; point 0 is that of
/// a binary one.
///
/// Returns [`ENOENT`] if the file has no such handle, and [`EINVAL`] if there is no fence yet: this
/// does not wait for one.
///
/// A fence at a point is the end of a chain of fences, which must not be put into a reservation.
///
/// C: `drm_syncobj_find_fence()`.
pub fn find_fence<T: DriverFile>(
    file: &drm::File<T>,
    handle: u32,
    point: u64,
) -> Result<ARef<Fence>> {
    let mut fence = ptr::null_mut();

    // SAFETY: The file is valid.
    to_result(unsafe {
        bindings::drm_syncobj_find_fence(file::raw(file), handle, point, 0, &mut fence)
    })?;

    // SAFETY: On success there is a fence, with a reference for the caller.
    Ok(unsafe { ARef::from_raw(NonNull::new_unchecked(fence.cast())) })
}

/// A synchronisation object.
///
/// # Invariants
///
/// `self.0` is an initialised `struct drm_syncobj` with a non-zero reference count.
#[repr(transparent)]
pub struct Syncobj(Opaque<bindings::drm_syncobj>);

// SAFETY: The reference count is atomic, and the last reference may be dropped in any thread.
unsafe impl Send for Syncobj {}

// SAFETY: The fence is under the syncobj's lock, or read by RCU.
unsafe impl Sync for Syncobj {}

// SAFETY: A syncobj lives until its count drops to zero.
unsafe impl AlwaysRefCounted for Syncobj {
    fn inc_ref(&self) {
        // SAFETY: By the type invariant it is valid with a non-zero reference count.
        unsafe { bindings::rgt_drm_syncobj_get(self.as_raw()) };
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: The caller owns a reference and gives it up. `Syncobj` is transparent.
        unsafe { bindings::rgt_drm_syncobj_put(obj.as_ptr().cast()) };
    }
}

impl Syncobj {
    /// Creates a syncobj that no file has a handle of.
    pub fn new(fence: Option<&Fence>) -> Result<ARef<Self>> {
        let mut raw = ptr::null_mut();

        // SAFETY: The fence is valid if there is one; the syncobj takes its own reference.
        to_result(unsafe { bindings::drm_syncobj_create(&mut raw, 0, fence_as_raw(fence)) })?;

        // SAFETY: On success there is a syncobj, with a reference for the caller.
        Ok(unsafe { ARef::from_raw(NonNull::new_unchecked(raw.cast())) })
    }

    /// Finds the syncobj that a file has a handle of, or returns [`ENOENT`].
    ///
    /// C: `drm_syncobj_find()`.
    pub fn find<T: DriverFile>(file: &drm::File<T>, handle: u32) -> Result<ARef<Self>> {
        // SAFETY: The file is valid.
        let raw = unsafe { bindings::drm_syncobj_find(file::raw(file), handle) };
        let raw = NonNull::new(raw).ok_or(ENOENT)?;

        // SAFETY: The reference that C took becomes ours.
        Ok(unsafe { ARef::from_raw(raw.cast()) })
    }

    /// Returns the raw C syncobj.
    pub fn as_raw(&self) -> *mut bindings::drm_syncobj {
        self.0.get()
    }

    /// Returns the fence that is in it now: of a timeline that of its last point.
    pub fn fence(&self) -> Option<ARef<Fence>> {
        // SAFETY: By the type invariant the syncobj is valid.
        let fence = unsafe { bindings::rgt_drm_syncobj_fence_get(self.as_raw()) };

        // SAFETY: The reference that C took becomes ours.
        NonNull::new(fence).map(|fence| unsafe { ARef::from_raw(fence.cast()) })
    }

    /// Replaces the fence by another, or none.
    ///
    /// This neither allocates nor sleeps.
    pub fn replace_fence(&self, fence: Option<&Fence>) {
        // SAFETY: By the type invariant the syncobj is valid, and so is the fence if there is one;
        // the syncobj takes its own reference.
        unsafe { bindings::drm_syncobj_replace_fence(self.as_raw(), fence_as_raw(fence)) };
    }
}

fn fence_as_raw(fence: Option<&Fence>) -> *mut bindings::dma_fence {
    fence.map_or(ptr::null_mut(), Fence::as_raw)
}

/// The memory of a link of a chain, and the point that it is for.
struct Link {
    node: KBox<Opaque<bindings::dma_fence_chain>>,
    point: NonZero<u64>,
}

// SAFETY: It is memory that is not a fence yet.
unsafe impl Send for Link {}

/// The place for a fence that is still to come: a syncobj or a point of one.
///
/// Dropping it leaves the syncobj as it is.
pub struct OutSync {
    syncobj: ARef<Syncobj>,
    link: Option<Link>,
}

impl OutSync {
    /// Prepares to put a fence into a syncobj: at a point of its timeline, or in place of what
    /// is there.
    pub fn new(syncobj: ARef<Syncobj>, point: Option<NonZero<u64>>) -> Result<Self> {
        let link = match point {
            Some(point) => Some(Link {
                node: KBox::new(Opaque::uninit(), GFP_KERNEL_ACCOUNT)?,
                point,
            }),
            None => None,
        };

        Ok(Self { syncobj, link })
    }

    /// Returns a reference to the syncobj that a file has a handle of; point 0 is that of a binary
    /// one.
    ///
    /// Returns [`ENOENT`] if the file has no such handle.
    pub fn find<T: DriverFile>(file: &drm::File<T>, handle: u32, point: u64) -> Result<Self> {
        Self::new(Syncobj::find(file, handle)?, NonZero::new(point))
    }

    /// Puts the fence there.
    ///
    /// Points that are not in order make a timeline that user space did not mean, but no harm.
    ///
    /// This neither allocates nor sleeps.
    pub fn set(self, fence: &Fence) {
        let Some(Link { node, point }) = self.link else {
            return self.syncobj.replace_fence(Some(fence));
        };
        // The fence core frees it by `kfree()` when it is no longer used.
        let node = KBox::into_raw(node);

        // SAFETY: Syncobj and fence are valid, and C takes its own reference to the fence. The
        // node is memory for one, that C takes over.
        unsafe {
            bindings::drm_syncobj_add_point(
                self.syncobj.as_raw(),
                node.cast(),
                fence.as_raw(),
                point.get(),
            )
        };
    }
}
