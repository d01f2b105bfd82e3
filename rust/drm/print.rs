// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Debug messages of DRM devices, by category, and printers.
//!
//! A message is formatted only if its category is switched on, by a bit of the parameter
//! `drm.debug`. What is printed to a [`Printer`] goes to a file or into the kernel's log, as C that
//! asks for it decides.
//!
//! C header: [`include/drm/drm_print.h`](srctree/include/drm/drm_print.h)

use core::marker::PhantomData;

use kernel::{
    drm,
    fmt,
    prelude::*, //
};

use crate::rust::{
    bindings,
    drm::device, //
};

/// A category of debug messages.
///
/// Equivalent of `enum drm_debug_category`.
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Category {
    /// Messages of the DRM core.
    Core = bindings::drm_debug_category_DRM_UT_CORE,
    /// Messages of a driver.
    Driver = bindings::drm_debug_category_DRM_UT_DRIVER,
    /// Messages of modesetting.
    Kms = bindings::drm_debug_category_DRM_UT_KMS,
    /// Messages of import and export.
    Prime = bindings::drm_debug_category_DRM_UT_PRIME,
}

impl Category {
    /// Returns whether messages of this category are shown.
    ///
    /// C: `drm_debug_enabled()`.
    pub fn is_enabled(self) -> bool {
        // SAFETY: The variable is a static one of the DRM core. A racing write of the word yields
        // the old value or the new one, and either is a right answer.
        let enabled = unsafe { (&raw const bindings::__drm_debug).read_volatile() };

        enabled & 1 << self as u32 != 0
    }
}

/// Shows a debug message, if its category is switched on.
///
/// [`drm_dbg!`] and [`drm_dbg_prime!`] are shorter.
///
/// C: `drm_dev_dbg()`.
#[inline(never)]
pub fn debug<T: drm::Driver>(
    dev: &drm::Device<T>,
    category: Category,
    message: fmt::Arguments<'_>,
) {
    if !category.is_enabled() {
        return;
    }
    // SAFETY: The device is valid, and holds a reference to its parent. A pointer to `Arguments` is
    // what `%pA` takes.
    unsafe {
        bindings::__drm_dev_dbg(
            core::ptr::null_mut(),
            (*device::raw(dev)).dev,
            category as u32,
            c"%pA".as_char_ptr(),
            core::ptr::from_ref(&message).cast::<c_void>(),
        )
    };
}

/// Shows a debug message of a driver, which is formatted as by [`pr_info!`](kernel::pr_info) and
/// ends with a newline.
///
/// C: `drm_dbg()`.
macro_rules! drm_dbg {
    ($dev:expr, $($message:tt)+) => {
        $crate::rust::drm::print::debug(
            $dev,
            $crate::rust::drm::print::Category::Driver,
            ::kernel::prelude::fmt!($($message)+),
        )
    };
}
pub(crate) use drm_dbg;

/// Shows a debug message of import or export, as [`drm_dbg!`] does.
///
/// C: `drm_dbg_prime()`.
macro_rules! drm_dbg_prime {
    ($dev:expr, $($message:tt)+) => {
        $crate::rust::drm::print::debug(
            $dev,
            $crate::rust::drm::print::Category::Prime,
            ::kernel::prelude::fmt!($($message)+),
        )
    };
}
pub(crate) use drm_dbg_prime;

/// A destination of text.
///
/// Equivalent of `struct drm_printer`.
///
/// # Invariants
///
/// `raw` is valid for `'a`, and has no other user meanwhile.
pub struct Printer<'a> {
    raw: *mut bindings::drm_printer,
    _printer: PhantomData<&'a mut bindings::drm_printer>,
}

impl Printer<'_> {
    /// # Safety
    ///
    /// `raw` must be valid, and have no other user, for as long as the result is used.
    pub(in crate::rust) unsafe fn from_raw(raw: *mut bindings::drm_printer) -> Self {
        // INVARIANT: By the safety requirements.
        Self {
            raw,
            _printer: PhantomData,
        }
    }

    pub(in crate::rust) fn as_raw(&self) -> *mut bindings::drm_printer {
        self.raw
    }

    /// Prints. [`drm_printf!`] is shorter.
    ///
    /// C: `drm_printf()`.
    pub fn print(&self, text: fmt::Arguments<'_>) {
        // SAFETY: The printer is valid by the type invariants; a pointer to `Arguments` is what
        // `%pA` takes.
        unsafe {
            bindings::drm_printf(
                self.raw,
                c"%pA".as_char_ptr(),
                core::ptr::from_ref(&text).cast::<c_void>(),
            )
        };
    }
}

/// Prints to a [`Printer`] what is formatted as by [`pr_info!`](kernel::pr_info).
///
/// C: `drm_printf()`.
macro_rules! drm_printf {
    ($printer:expr, $($text:tt)+) => {
        $printer.print(::kernel::prelude::fmt!($($text)+))
    };
}
pub(crate) use drm_printf;
