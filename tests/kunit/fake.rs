// SPDX-License-Identifier: GPL-2.0

//! A DRM driver without hardware, for a device of the faux bus.

use kernel::{
    device,
    drm::{
        self,
        gem,
        ioctl, //
    },
    faux,
    io::PhysAddr,
    prelude::*,
    str::CString,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed, //
        }, //
    },
    transmute::{
        AsBytes,
        FromBytes, //
    }, //
};

use crate::rust::drm::{
    ioctl::declare_ioctls,
    ttm::IoRegion, //
};

/// The number of devices created on the faux bus.
static DEVICES: Atomic<i32> = Atomic::new(0);

/// Creates a device on the faux bus, with a number after its name.
pub(in crate::tests) fn faux_device(name: &str) -> Result<faux::Registration> {
    // A test that fails leaves its devices behind: the next ones need other names.
    let number = DEVICES.fetch_add(1, Relaxed);
    let name = CString::try_from_fmt(fmt!("{name}-{number}"))?;

    faux::Registration::new(&name, None)
}

/// Returns `size` bytes at `start` as the memory of a device of these tests.
pub(in crate::tests) fn window(start: PhysAddr, size: u64) -> IoRegion {
    // SAFETY: No test maps BOs into user space.
    unsafe { IoRegion::new(start..start + size as PhysAddr) }
}

/// The argument of the driver's ioctl.
#[repr(C)]
pub(in crate::tests) struct Argument {
    pub(in crate::tests) value: u64,
}

// SAFETY: Any content is a valid integer.
unsafe impl FromBytes for Argument {}

// SAFETY: It has no padding.
unsafe impl AsBytes for Argument {}

pub(in crate::tests) const ADD: u32 = 0;
pub(in crate::tests) const SINK: u32 = 1;

pub(in crate::tests) struct FakeDriver;

/// Data that borrows from the parent's driver, as that of real drivers does.
pub(in crate::tests) struct FakeRegistrationData<'a> {
    pub(in crate::tests) number: &'a u64,
}

pub(in crate::tests) struct FakeFile;

impl drm::file::DriverFile for FakeFile {
    type Driver = FakeDriver;

    fn open(_device: &drm::Device<FakeDriver>) -> Result<Pin<KBox<Self>>> {
        Ok(KBox::pin(FakeFile, GFP_KERNEL)?)
    }
}

#[pin_data]
pub(in crate::tests) struct FakeObject {}

impl gem::DriverObject for FakeObject {
    type Driver = FakeDriver;
    type Args = ();

    fn new(_dev: &drm::Device<FakeDriver>, _size: usize, (): ()) -> impl PinInit<Self, Error> {
        try_pin_init!(FakeObject {})
    }
}

fn add(
    dev: &drm::Device<FakeDriver, drm::Ioctl>,
    arg: &mut Argument,
    _file: &drm::File<FakeFile>,
) -> Result<u32> {
    let registered = dev.registration_guard().ok_or(ENODEV)?;
    let number = registered.registration_data_with(|reg_data| *reg_data.number);
    arg.value = arg.value.checked_add(number).ok_or(EOVERFLOW)?;
    arg.value.try_into().map_err(|_| EINVAL)
}

#[vtable]
impl drm::Driver for FakeDriver {
    type Data = ();
    type RegistrationData<'a> = FakeRegistrationData<'a>;
    type Object = Object;
    type File = FakeFile;
    type ParentDevice<Ctx: device::DeviceContext> = faux::Device<Ctx>;

    const INFO: drm::DriverInfo = drm::DriverInfo {
        major: 1,
        minor: 0,
        patchlevel: 0,
        name: c"rgt-kunit",
        desc: c"KUnit test device",
    };

    declare_ioctls! {
        (ADD, Argument, IOW, ioctl::RENDER_ALLOW, add),
        (SINK, Argument, IOR, ioctl::AUTH | ioctl::RENDER_ALLOW, add),
    }
}

pub(in crate::tests) type Object = gem::Object<FakeObject>;

/// A device, and what keeps it there.
pub(in crate::tests) struct Fixture {
    pub(in crate::tests) drm: drm::UnregisteredDevice<FakeDriver>,
    pub(in crate::tests) parent: faux::Registration,
}

impl Fixture {
    pub(in crate::tests) fn new() -> Result<Self> {
        let parent = faux_device("rgt-kunit")?;

        Ok(Self {
            drm: drm::UnregisteredDevice::new(parent.as_ref(), Ok(()))?,
            parent,
        })
    }

    pub(in crate::tests) fn object(&self) -> Result<ARef<Object>> {
        Object::new(&self.drm, 4096, ())
    }
}
