// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Tracepoints that are defined outside of the kernel's own bindings.
//!
//! [`kernel::tracepoint::declare_trace!`] looks for a tracepoint in the kernel crate's bindings and
//! makes an unsafe function. [`declare_trace!`] here looks in this module's, and makes a safe one:
//! it takes only what is valid for as long as the call lasts, which is all that a trace event may
//! ask for.
//!
//! The event is defined in C by `TRACE_EVENT()`, in a header that one C file includes with
//! `CREATE_TRACE_POINTS` and `CREATE_RUST_TRACE_POINTS` defined.
//!
//! C header: [`include/linux/tracepoint.h`](srctree/include/linux/tracepoint.h)

use kernel::{
    drm,
    prelude::*,
    str::CStr, //
};

use super::{
    bindings,
    drm::device, //
};

/// An argument of a trace event.
///
/// # Safety
///
/// The value that [`TraceArg::into_c()`] returns must be valid to read, for whatever C does with
/// its type, for as long as the argument is.
pub unsafe trait TraceArg {
    /// The type in C.
    type C;

    /// Returns it as C takes it.
    fn into_c(self) -> Self::C;
}

macro_rules! plain {
    ($($type:ty),*) => {
        $(
            // SAFETY: It is the same in C, and no pointer.
            unsafe impl TraceArg for $type {
                type C = Self;

                fn into_c(self) -> Self {
                    self
                }
            }
        )*
    };
}

plain!(bool, i32, i64, u32, u64);

// SAFETY: A `CStr` ends with a NUL byte.
unsafe impl TraceArg for &CStr {
    type C = *const c_char;

    fn into_c(self) -> *const c_char {
        self.as_char_ptr()
    }
}

// SAFETY: A device is valid, and with it its parent.
unsafe impl<T: drm::Driver> TraceArg for &drm::Device<T> {
    type C = *const bindings::drm_device;

    fn into_c(self) -> *const bindings::drm_device {
        device::raw(self)
    }
}

/// Declares functions that trigger trace events.
///
/// Each takes a closure that returns the event's arguments, as a tuple; what they borrow has the
/// lifetime `'a`. It is only called while the event is enabled, else the function costs a branch.
///
/// # Examples
///
/// ```text
/// declare_trace! {
///     /// Something happened.
///     pub(crate) fn foo_happened(count: u32, name: &'a CStr);
/// }
///
/// foo_happened(|| (3, c"name"));
/// ```
macro_rules! declare_trace {
    ($($(#[$attr:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),+ $(,)?);)*) => {$(
        $(#[$attr])*
        #[inline(always)]
        $vis fn $name<'a>(args: impl FnOnce() -> ($($type,)+)) {
            #[cfg(CONFIG_TRACEPOINTS)]
            ::kernel::macros::paste! {
                // SAFETY: The static key of a tracepoint lives as long as the module.
                #[allow(unsafe_code)]
                let enabled = unsafe {
                    ::kernel::jump_label::static_branch_unlikely!(
                        $crate::rust::bindings::[< __tracepoint_ $name >],
                        $crate::rust::bindings::tracepoint,
                        key
                    )
                };

                if enabled {
                    let ($($arg,)+) = args();

                    // SAFETY: All arguments are valid during the call, as `TraceArg` says.
                    #[allow(unsafe_code)]
                    unsafe {
                        $crate::rust::bindings::[< rust_do_trace_ $name >](
                            $($crate::rust::trace::TraceArg::into_c($arg)),+
                        )
                    };
                }
            }

            #[cfg(not(CONFIG_TRACEPOINTS))]
            let _ = args;
        }
    )*};
}
pub(crate) use declare_trace;
