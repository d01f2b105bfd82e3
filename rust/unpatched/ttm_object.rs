// SPDX-License-Identifier: GPL-2.0 OR MIT

//! GEM objects of the kernel crate that are TTM buffer objects.
//!
//! The traits of `kernel::drm::gem` are sealed: handles, mmap offsets and files only work for its
//! own object types. One of them, [`gem::Object`], is a `drm_gem_object` with the driver's data
//! behind it, and a `ttm_buffer_object` is a `drm_gem_object` with TTM's fields behind it. Data that
//! begin with the space of these fields make the former the latter.
//!
//! C header: [`include/drm/ttm/ttm_bo.h`](srctree/include/drm/ttm/ttm_bo.h)

use core::{
    mem,
    ops::Deref, //
};

use kernel::{
    drm::{
        self,
        gem::{
            self,
            IntoGEMObject, //
        }, //
    },
    prelude::*,
    types::Opaque, //
};

use crate::rust::bindings;

/// Size in words of a `ttm_buffer_object` behind its `drm_gem_object`.
const TAIL_WORDS: usize = {
    let size = mem::size_of::<bindings::ttm_buffer_object>();
    let gem = mem::size_of::<bindings::drm_gem_object>();

    // `Tail` takes the place of exactly TTM's own fields.
    assert!(mem::offset_of!(bindings::ttm_buffer_object, base) == 0);
    assert!(mem::offset_of!(bindings::ttm_buffer_object, bdev) == gem);
    assert!(mem::align_of::<bindings::ttm_buffer_object>() == mem::align_of::<u64>());
    assert!((size - gem) % mem::size_of::<u64>() == 0);

    (size - gem) / mem::size_of::<u64>()
};

/// The fields of an object behind those of TTM.
pub trait Fields: Send + Sync + Sized + 'static {
    /// The driver of its device.
    type Driver: drm::Driver;
}

/// An object's fields behind the `drm_gem_object`: TTM's, then those of its own.
#[repr(C)]
pub struct Tail<F: Fields> {
    ttm: Opaque<[u64; TAIL_WORDS]>,
    fields: F,
}

// SAFETY: TTM's fields are only accessed by TTM or under its locks; `F` is `Send`.
unsafe impl<F: Fields> Send for Tail<F> {}
// SAFETY: As above; `F` is `Sync`.
unsafe impl<F: Fields> Sync for Tail<F> {}

impl<F: Fields> Deref for Tail<F> {
    type Target = F;

    fn deref(&self) -> &F {
        &self.fields
    }
}

impl<F: Fields> gem::DriverObject for Tail<F> {
    type Driver = F::Driver;
    type Args = ();

    /// Never succeeds: [`gem::Object::new()`] would make a GEM object that is no TTM object.
    fn new(_: &drm::Device<F::Driver>, _: usize, (): ()) -> impl PinInit<Self, Error> {
        // SAFETY: The closure does not claim to have initialised anything.
        unsafe { pin_init::pin_init_from_closure(|_| Err(ENOTSUPP)) }
    }
}

/// A GEM object of the kernel crate that is laid out as a `ttm_buffer_object` with fields behind it.
pub type Object<F> = gem::Object<Tail<F>>;

/// The same memory as an [`Object`], spelled out for its initialisation.
#[pin_data]
#[repr(C)]
pub(in crate::rust) struct Layout<F: Fields> {
    pub(in crate::rust) bo: Opaque<bindings::ttm_buffer_object>,
    #[pin]
    pub(in crate::rust) fields: F,
}

impl<F: Fields> Layout<F> {
    /// Holds the layouts to being the same. To be named by what makes one of the other.
    pub(in crate::rust) const SAME_AS_OBJECT: () = {
        assert!(mem::size_of::<Self>() == mem::size_of::<Object<F>>());
        assert!(mem::align_of::<Self>() == mem::align_of::<Object<F>>());
        assert!(mem::align_of::<Tail<F>>() == mem::align_of::<u64>());
    };
}

/// [`IntoGEMObject::as_raw()`] under a name that [`gem::Object`]'s private method does not hide.
pub(in crate::rust) trait AsRawGem {
    /// Returns the C object.
    fn as_raw_gem(&self) -> *mut bindings::drm_gem_object;
}

impl<O: IntoGEMObject> AsRawGem for O {
    fn as_raw_gem(&self) -> *mut bindings::drm_gem_object {
        IntoGEMObject::as_raw(self)
    }
}
