// SPDX-License-Identifier: GPL-2.0 OR MIT

//! DRM ioctls whose argument types come from outside of the kernel crate.
//!
//! C header: [`include/drm/drm_ioctl.h`](srctree/include/drm/drm_ioctl.h)

use core::{
    mem::size_of,
    ptr::NonNull, //
};

use kernel::{
    drm::{
        self,
        ioctl::DrmIoctlDescriptor,
        Driver, //
    },
    prelude::*,
    str::as_char_ptr_in_const_context,
    transmute::{
        AsBytes,
        FromBytes, //
    },
    uapi, //
};

use crate::rust::bindings;

/// A handler of an ioctl: a function of the type that [`declare_ioctls!`] tells.
#[doc(hidden)]
pub trait Handler<D: Driver<File: 'static> + 'static, A: 'static>:
    Copy + Fn(&drm::Device<D, drm::Ioctl>, &mut A, &drm::File<D::File>) -> Result<u32>
{
}

impl<D, A, F> Handler<D, A> for F
where
    D: Driver<File: 'static> + 'static,
    A: 'static,
    F: Copy + Fn(&drm::Device<D, drm::Ioctl>, &mut A, &drm::File<D::File>) -> Result<u32>,
{
}

/// Calls a handler. This is what the descriptor of an ioctl points to.
///
/// # Safety
///
/// - `dev` and `file` must be a device of the driver `D` that has been registered, and a file that
///   was opened on it.
/// - `data` must be the address of an `A`, and this call's alone.
unsafe extern "C" fn trampoline<D, A, F>(
    dev: *mut bindings::drm_device,
    data: *mut c_void,
    file: *mut bindings::drm_file,
) -> c_int
where
    D: Driver<File: 'static> + 'static,
    A: FromBytes + AsBytes + 'static,
    F: Handler<D, A>,
{
    // SAFETY: By the safety requirements this is a device of `D` that has been registered. It
    // lives as long as the file that the call is made on.
    let dev = unsafe { drm::Device::<D, drm::Ioctl>::from_raw(dev) };

    // SAFETY: By the safety requirements this is the address of an `A` that is not used otherwise.
    // It came from user space, and for `A` every content is valid. What goes back there is all
    // initialised, as `A` has no padding.
    let data = unsafe { &mut *data.cast::<A>() };

    // SAFETY: By the safety requirements this is a file of `D`, and it is open during the call.
    let file = unsafe { drm::File::from_raw(file) };

    // SAFETY: `F` has no size, so that any aligned address will do, and exists as a value:
    // `descriptor()` was called with it.
    let handler = unsafe { NonNull::<F>::dangling().as_ref() };

    match handler(dev, data, file) {
        Ok(value) => value.try_into().unwrap_or(ERANGE.to_errno()),
        Err(error) => error.to_errno(),
    }
}

/// Describes an ioctl. For the use of [`declare_ioctls!`] only.
///
/// An argument with padding, which would show user space what the kernel's stack has there, is
/// none:
///
/// ```compile_fail,E0277
/// # use kernel::{drm, prelude::*, transmute::FromBytes};
/// # use crate::rust::drm::ioctl::descriptor;
/// # use crate::tests::fake::{FakeDriver, FakeFile};
/// #[repr(C)]
/// struct Padded {
///     value: u64,
///     flags: u32,
/// }
///
/// // SAFETY: Any content is a valid integer.
/// unsafe impl FromBytes for Padded {}
///
/// # fn handler(
/// #     _: &drm::Device<FakeDriver, drm::Ioctl>,
/// #     _: &mut Padded,
/// #     _: &drm::File<FakeFile>,
/// # ) -> Result<u32> {
/// #     Ok(0)
/// # }
/// // SAFETY: It is not used.
/// let _ = unsafe { descriptor::<FakeDriver, Padded, _>(0, 0, c"PADDED", handler) };
/// ```
///
/// # Safety
///
/// - The descriptor must only be used in [`Driver::IOCTLS`] of `D`.
/// - `cmd` must say that the argument has the size of `A`.
#[doc(hidden)]
pub const unsafe fn descriptor<D, A, F>(
    cmd: u32,
    flags: u32,
    name: &'static CStr,
    _handler: F,
) -> DrmIoctlDescriptor
where
    D: Driver<File: 'static> + 'static,
    A: FromBytes + AsBytes + 'static,
    F: Handler<D, A>,
{
    const {
        assert!(
            size_of::<F>() == 0,
            "the handler must be a function, not a pointer to one"
        )
    };

    DrmIoctlDescriptor {
        cmd,
        flags,
        func: Some(trampoline::<D, A, F>),
        name: as_char_ptr_in_const_context(name),
    }
}

/// The number of a driver's first ioctl.
#[doc(hidden)]
pub const COMMAND_BASE: u32 = uapi::DRM_COMMAND_BASE;

/// Declares the ioctls of a driver, inside of its `impl drm::Driver`.
///
/// Each entry has the form
///
/// `(number, argument_type, direction, flags, handler),`
///
/// - `number` counts from the first driver ioctl. The entries must be in order, without a gap.
/// - `argument_type` is a type of which every content is valid, that is [`FromBytes`], and without
///   padding, which would go to user space as it is on the stack, that is [`AsBytes`].
/// - `direction` is one of `IOR`, `IOW` and `IOWR`, see [`kernel::drm::ioctl`].
/// - `handler` is a function of this type, where `Self` is the driver:
///
/// ```text
/// fn handler(
///     dev: &drm::Device<Self, drm::Ioctl>,
///     arg: &mut ArgumentType,
///     file: &drm::File<Self::File>,
/// ) -> Result<u32>
/// ```
///
/// The core does not call it once the device is unplugged, but the device may be unplugged while it
/// runs. It has a [`RegistrationGuard`] where it needs the device and what is registered with it, and
/// none where it accesses user memory or waits for what others signal: neither has an end that is sure,
/// and unplugging waits for the guard. This is why it does not run in one, as handlers of
/// [`declare_drm_ioctls!`](kernel::declare_drm_ioctls) do.
///
/// [`RegistrationGuard`]: kernel::drm::RegistrationGuard
///
/// # Examples
///
/// ```text
/// declare_ioctls! {
///     (FOO_GET_PARAM, drm_foo_get_param, IOWR, ioctl::RENDER_ALLOW, get_param),
/// }
/// ```
///
/// That a command is what the C header says can be asserted:
///
/// ```text
/// const _: () = assert!(
///     <FooDriver as drm::Driver>::IOCTLS[FOO_GET_PARAM as usize].cmd == DRM_IOCTL_FOO_GET_PARAM
/// );
/// ```
macro_rules! declare_ioctls {
    ($(($nr:expr, $arg:ty, $dir:ident, $flags:expr, $handler:path)),* $(,)?) => {
        const IOCTLS: &'static [::kernel::drm::ioctl::DrmIoctlDescriptor] = {
            const _: () = {
                let numbers: &[u32] = &[$($nr),*];
                let mut i = 0;
                while i < numbers.len() {
                    ::core::assert!(
                        numbers[i] as usize == i,
                        "ioctls must be in order, without a gap"
                    );
                    i += 1;
                }
            };

            &[$({
                let cmd = ::kernel::drm::ioctl::$dir::<$arg>(
                    $crate::rust::drm::ioctl::COMMAND_BASE + $nr,
                );
                let flags: u32 = $flags;
                let name = ::kernel::c_str!(::core::stringify!($nr));
                let handler = $handler;

                // SAFETY: `Self` is the driver that the table belongs to, and the command was made
                // from the argument's type.
                #[allow(unsafe_code)]
                let descriptor = unsafe {
                    $crate::rust::drm::ioctl::descriptor::<Self, $arg, _>(
                        cmd, flags, name, handler,
                    )
                };
                descriptor
            }),*]
        };
    };
}
pub(crate) use declare_ioctls;
