// SPDX-License-Identifier: GPL-2.0

//! Handlers of resets and of errors of the bus.

use kernel::{
    device::{
        Bound,
        Core, //
    },
    new_mutex,
    pci,
    prelude::*,
    sync::Mutex,
    types::ForeignOwnable, //
};

use crate::{
    driver::RgtPciDriver,
    rust::{
        bindings,
        pci::{
            Adapter,
            ChannelState,
            ErrorHandlers,
            ErrorResult,
            RuntimePm,
            SystemSleep, //
        },
        pm::runtime::Suspending, //
    }, //
};

// Declared as in `helpers.h`.
unsafe extern "C" {
    fn rgt_test_init_device_lock(dev: *mut c_void);
}

/// A call of a handler.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Call {
    Prepare,
    Done,
    Error(ChannelState),
    SlotReset,
    Resume,
    BeforeSleep,
    Sleep,
    Wake,
}

/// The data of a device: what was called last, and what to answer.
#[pin_data]
struct Calls {
    #[pin]
    last: Mutex<Option<Call>>,
    answer: ErrorResult,
}

impl Calls {
    fn note(&self, call: Call) -> ErrorResult {
        *self.last.lock() = Some(call);
        self.answer
    }
}

struct Fake;

impl pci::Driver for Fake {
    type IdInfo = ();
    type Data<'bound> = Calls;

    const ID_TABLE: pci::IdTable<()> = <RgtPciDriver as pci::Driver>::ID_TABLE;

    fn probe<'bound>(
        _pdev: &'bound pci::Device<Core<'_>>,
        _info: Option<&'bound ()>,
    ) -> impl PinInit<Calls, Error> + 'bound {
        Err(ENODEV)
    }
}

impl ErrorHandlers for Fake {
    fn reset_prepare(_pdev: &pci::Device<Core<'_>>, data: Pin<&Calls>) {
        data.note(Call::Prepare);
    }

    fn reset_done(_pdev: &pci::Device<Core<'_>>, data: Pin<&Calls>) {
        data.note(Call::Done);
    }

    fn error_detected(
        _pdev: &pci::Device<Core<'_>>,
        data: Pin<&Calls>,
        state: ChannelState,
    ) -> ErrorResult {
        data.note(Call::Error(state))
    }

    fn slot_reset(_pdev: &pci::Device<Core<'_>>, data: Pin<&Calls>) -> ErrorResult {
        data.note(Call::SlotReset)
    }

    fn resume(_pdev: &pci::Device<Core<'_>>, data: Pin<&Calls>) {
        data.note(Call::Resume);
    }
}

impl SystemSleep for Fake {
    fn prepare(_pdev: &pci::Device<Core<'_>>, data: Pin<&Calls>) -> Result {
        match data.note(Call::BeforeSleep) {
            ErrorResult::Recovered => Ok(()),
            _ => Err(ENOSPC),
        }
    }

    fn suspend(_pdev: &pci::Device<Core<'_>>, data: Pin<&Calls>) -> Result {
        match data.note(Call::Sleep) {
            ErrorResult::Recovered => Ok(()),
            _ => Err(EBUSY),
        }
    }

    fn resume(_pdev: &pci::Device<Core<'_>>, data: Pin<&Calls>) -> Result {
        data.note(Call::Wake);
        Ok(())
    }
}

impl RuntimePm for Fake {
    fn runtime_suspend(
        _pdev: &pci::Device<Core<'_>>,
        data: Pin<&Calls>,
        _suspending: &Suspending<'_>,
    ) -> Result {
        match data.note(Call::Sleep) {
            ErrorResult::Recovered => Ok(()),
            _ => Err(ENOMEM),
        }
    }

    fn runtime_resume(_pdev: &pci::Device<Bound>, data: Pin<&Calls>) {
        data.note(Call::Wake);
    }
}

/// Has a device suspended and resumed that gives this answer, or has no data yet. Returns the calls
/// and the results.
fn suspend_and_resume(answer: Option<ErrorResult>) -> Result<([Option<Call>; 2], [c_int; 2])> {
    let table = &Adapter::<Fake>::PM_OPS;
    let mut pdev: KBox<bindings::pci_dev> = KBox::init(pin_init::init_zeroed(), GFP_KERNEL)?;
    // SAFETY: It is in a box, and does not move.
    unsafe { rgt_test_init_device_lock((&raw mut pdev.dev).cast()) };
    if let Some(answer) = answer {
        let calls = pin_init!(Calls {
            last <- new_mutex!(None, "Calls::last"),
            answer,
        });
        pdev.dev.driver_data = KBox::pin_init(calls, GFP_KERNEL)?.into_foreign().cast();
    }
    let data = pdev.dev.driver_data;
    let mut calls = [None; 2];
    let mut results = [1; 2];

    for (at, callback) in [table.runtime_suspend, table.runtime_resume]
        .into_iter()
        .enumerate()
    {
        // SAFETY: The callbacks look at the lock of the device, its data and when it was used last,
        // all of which nobody else has.
        results[at] = unsafe { callback.map_or(1, |f| f(&raw mut pdev.dev)) };
        if !data.is_null() {
            // SAFETY: It is from `into_foreign()` above.
            let borrowed = unsafe { Pin::<KBox<Calls>>::borrow(data.cast()) };
            calls[at] = borrowed.last.lock().take();
        }
    }
    if !data.is_null() {
        // SAFETY: As above, and not borrowed any more.
        drop(unsafe { Pin::<KBox<Calls>>::from_foreign(data.cast()) });
    }
    Ok((calls, results))
}

/// Has all callbacks for sleep called for a device with this answer: the one before, then pairs of one
/// for sleep and one for the time after. Returns the calls and the results.
fn sleep_and_wake(answer: ErrorResult) -> Result<([Option<Call>; 7], [c_int; 7])> {
    let table = &Adapter::<Fake>::PM_OPS;
    let mut pdev: KBox<bindings::pci_dev> = KBox::init(pin_init::init_zeroed(), GFP_KERNEL)?;
    let calls = pin_init!(Calls {
        last <- new_mutex!(None, "Calls::last"),
        answer,
    });
    let data = KBox::pin_init(calls, GFP_KERNEL)?.into_foreign();
    pdev.dev.driver_data = data.cast();
    let mut calls = [None; 7];
    let mut results = [1; 7];

    for (at, callback) in [
        table.prepare,
        table.suspend,
        table.resume,
        table.freeze,
        table.thaw,
        table.poweroff,
        table.restore,
    ]
    .into_iter()
    .enumerate()
    {
        // SAFETY: The callbacks look at the data of the device only, which nobody else has.
        unsafe {
            results[at] = callback.map_or(1, |f| f(&raw mut pdev.dev));
            calls[at] = Pin::<KBox<Calls>>::borrow(data).last.lock().take();
        }
    }
    // SAFETY: It is from `into_foreign()` above, and not borrowed any more.
    drop(unsafe { Pin::<KBox<Calls>>::from_foreign(data) });
    Ok((calls, results))
}

/// Has all handlers called for a device with this answer, or without data. Returns the calls, in
/// the order of the states and then of a recovery, and the results.
fn call_all(answer: Option<ErrorResult>) -> Result<([Option<Call>; 7], [c_uint; 4])> {
    let table = &Adapter::<Fake>::HANDLERS;
    let mut pdev: KBox<bindings::pci_dev> = KBox::init(pin_init::init_zeroed(), GFP_KERNEL)?;
    if let Some(answer) = answer {
        let calls = pin_init!(Calls {
            last <- new_mutex!(None, "Calls::last"),
            answer,
        });
        pdev.dev.driver_data = KBox::pin_init(calls, GFP_KERNEL)?.into_foreign().cast();
    }
    let data = pdev.dev.driver_data;
    let last = || -> Option<Call> {
        if data.is_null() {
            return None;
        }
        // SAFETY: It is from `into_foreign()` above.
        let calls = unsafe { Pin::<KBox<Calls>>::borrow(data.cast()) };
        let last = calls.last.lock().take();
        last
    };
    let mut calls = [None; 7];
    let mut results = [0; 4];
    let raw: *mut bindings::pci_dev = &mut *pdev;

    // SAFETY: The handlers look at the data of the device only, which is owned here.
    unsafe {
        for (at, state) in [
            bindings::pci_channel_io_normal,
            bindings::pci_channel_io_frozen,
            bindings::pci_channel_io_perm_failure,
        ]
        .into_iter()
        .enumerate()
        {
            results[at] = table.error_detected.map_or(0, |f| f(raw, state));
            calls[at] = last();
        }
        results[3] = table.slot_reset.map_or(0, |f| f(raw));
        calls[3] = last();
        for (at, handler) in [table.resume, table.reset_prepare, table.reset_done]
            .into_iter()
            .enumerate()
        {
            if let Some(f) = handler {
                f(raw);
            }
            calls[4 + at] = last();
        }
        if !data.is_null() {
            drop(Pin::<KBox<Calls>>::from_foreign(data.cast()));
        }
    }
    Ok((calls, results))
}

#[kunit_tests(rgt_pci)]
mod tests {
    use super::*;

    #[test]
    fn each_handler_is_called() -> Result {
        let wanted = [
            Call::Error(ChannelState::Normal),
            Call::Error(ChannelState::Frozen),
            Call::Error(ChannelState::PermanentFailure),
            Call::SlotReset,
            Call::Resume,
            Call::Prepare,
            Call::Done,
        ];
        for (answer, raw) in [
            (
                ErrorResult::CanRecover,
                bindings::pci_ers_result_PCI_ERS_RESULT_CAN_RECOVER,
            ),
            (
                ErrorResult::NeedReset,
                bindings::pci_ers_result_PCI_ERS_RESULT_NEED_RESET,
            ),
            (
                ErrorResult::Disconnect,
                bindings::pci_ers_result_PCI_ERS_RESULT_DISCONNECT,
            ),
            (
                ErrorResult::Recovered,
                bindings::pci_ers_result_PCI_ERS_RESULT_RECOVERED,
            ),
        ] {
            let (calls, results) = call_all(Some(answer))?;

            assert_eq!(calls, wanted.map(Some));
            assert_eq!(results, [raw; 4]);
        }
        Ok(())
    }

    #[test]
    fn sleep_may_be_refused() -> Result {
        let [prepare, pairs @ ..] = [Call::BeforeSleep, Call::Sleep, Call::Wake].map(Some);
        let is_right = |calls: [Option<Call>; 7]| {
            calls[0] == prepare && calls[1..].chunks(2).all(|pair| pair == pairs)
        };

        let (calls, results) = sleep_and_wake(ErrorResult::Recovered)?;
        assert!(is_right(calls));
        assert_eq!(results, [0; 7]);

        let (calls, results) = sleep_and_wake(ErrorResult::NeedReset)?;
        assert!(is_right(calls));
        assert_eq!(results[0], ENOSPC.to_errno());
        assert!(results[1..]
            .chunks(2)
            .all(|pair| pair == [EBUSY.to_errno(), 0]));
        Ok(())
    }

    #[test]
    fn runtime_suspend_is_tried_again() -> Result {
        let [sleep, wake] = [Call::Sleep, Call::Wake].map(Some);

        let done = suspend_and_resume(Some(ErrorResult::Recovered))?;
        assert_eq!(done, ([sleep, wake], [0, 0]));
        // The core gives up for ever after any other error.
        let done = suspend_and_resume(Some(ErrorResult::NeedReset))?;
        assert_eq!(done, ([sleep, wake], [EBUSY.to_errno(), 0]));
        // While it is being probed.
        let done = suspend_and_resume(None)?;
        assert_eq!(done, ([None; 2], [EBUSY.to_errno(), 0]));
        Ok(())
    }

    #[test]
    fn a_device_without_data_is_left_alone() -> Result {
        let (calls, results) = call_all(None)?;

        assert_eq!(calls, [None; 7]);
        assert_eq!(results, [bindings::pci_ers_result_PCI_ERS_RESULT_NONE; 4]);
        Ok(())
    }
}
