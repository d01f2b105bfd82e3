// SPDX-License-Identifier: GPL-2.0

//! From what user space asks for to TTM's places.

use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

use crate::{
    placement::{
        pages,
        Accessor,
        Places,
        Request,
        Room, //
    },
    resource_mgr::{
        Gtt,
        Scratchpad,
        Vram,
        SCRATCHPAD as SCRATCHPAD_TYPE, //
    },
    rust::{
        bindings::{
            DRM_RGT_GEM_CONTIGUOUS as CONTIGUOUS,
            DRM_RGT_GEM_CPU_ACCESS as CPU_ACCESS,
            DRM_RGT_GEM_NO_CPU_ACCESS as NO_CPU_ACCESS,
            DRM_RGT_PLACEMENT_GTT as GTT,
            DRM_RGT_PLACEMENT_SCRATCHPAD as SCRATCHPAD,
            DRM_RGT_PLACEMENT_SYSTEM as SYSTEM,
            DRM_RGT_PLACEMENT_VRAM as VRAM, //
        },
        drm::ttm::{
            MemType,
            Place,
            PlaceFlags, //
        }, //
    },
    tests::fake::window, //
};

const PAGE: u64 = PAGE_SIZE as u64;
/// Pages of each kind of memory.
const VRAM_PAGES: u64 = 256;
const VISIBLE: u64 = 64;
const GTT_PAGES: u64 = 512;
const SCRATCHPAD_PAGES: u64 = 16;
const ALL: u32 = SYSTEM | GTT | VRAM | SCRATCHPAD;

const D: PlaceFlags = PlaceFlags::DESIRED;
const F: PlaceFlags = PlaceFlags::FALLBACK;

/// Returns a request as an ioctl does, with the errno of an invalid one.
fn request(mask: u32, flags: u32) -> Result<Request> {
    Ok(Request::new(mask, flags)?)
}

/// Managers to place in.
struct Managers {
    vram: Vram,
    gtt: Gtt,
    scratchpad: Option<Scratchpad>,
}

impl Managers {
    fn new(visible: u64, scratchpad: bool) -> Result<Self> {
        Ok(Self {
            vram: Vram::new(VRAM_PAGES * PAGE, visible * PAGE, window(0, visible * PAGE))?,
            gtt: Gtt::new(GTT_PAGES * PAGE)?,
            scratchpad: scratchpad
                .then(|| Scratchpad::new(SCRATCHPAD_PAGES * PAGE))
                .transpose()?,
        })
    }

    /// The places of a BO of so many pages.
    fn places(&self, request: &Request, accessor: Accessor, count: u64, alignment: u64) -> Places {
        let room = Room {
            vram: &self.vram,
            gtt: &self.gtt,
            scratchpad: self.scratchpad.as_ref(),
        };

        request.places(
            accessor,
            &room,
            (count * PAGE) as usize,
            (alignment * PAGE) as usize,
        )
    }

    /// The memory types of the places of a BO of so many pages.
    fn types(
        &self,
        mask: u32,
        flags: u32,
        accessor: Accessor,
        count: u64,
    ) -> Result<KVec<MemType>> {
        let places = self.places(&Request::new(mask, flags)?, accessor, count, 1);
        let mut types = KVec::new();

        for place in places.as_slice() {
            types.push(place.mem_type(), GFP_KERNEL)?;
        }
        Ok(types)
    }
}

/// The places of a small BO.
fn places(mask: u32, flags: u32, accessor: Accessor) -> Result<Places> {
    let managers = Managers::new(VISIBLE, true)?;

    Ok(managers.places(&Request::new(mask, flags)?, accessor, 1, 1))
}

/// Checks memory types and flags, but for those of VRAM that a request's flags make.
fn check(mask: u32, accessor: Accessor, expected: &[(MemType, PlaceFlags)]) -> Result<bool> {
    Ok(places(mask, 0, accessor)?
        .as_slice()
        .iter()
        .map(|place| (place.mem_type(), place.flags()))
        .eq(expected.iter().copied()))
}

/// The place in VRAM of a request for nothing else.
fn vram_place(flags: u32, accessor: Accessor) -> Result<Place> {
    places(VRAM, flags, accessor)?
        .as_slice()
        .first()
        .copied()
        .ok_or(EINVAL)
}

/// Returns whether a place is the visible part of VRAM, or all of it if not `limited`.
fn is_limited(place: &Place, limited: bool) -> bool {
    place.first_page() == 0 && place.end_page() == limited.then_some(VISIBLE)
}

#[kunit_tests(rgt_placement)]
mod tests {
    use super::*;

    #[test]
    fn takes_all_that_makes_sense() -> Result {
        for mask in 1..=ALL {
            for flags in [0, CPU_ACCESS, NO_CPU_ACCESS] {
                for flags in [flags, flags | CONTIGUOUS] {
                    if mask == SCRATCHPAD && flags & CPU_ACCESS != 0 {
                        continue;
                    }
                    let request = Request::new(mask, flags)?;

                    assert_eq!(request.mask(), mask);
                    assert_eq!(request.flags(), flags);
                    assert_eq!(request.needs_visible(), flags & CPU_ACCESS != 0);
                }
            }
        }
        Ok(())
    }

    #[test]
    fn needs_a_placement() {
        for flags in [0, CONTIGUOUS, CPU_ACCESS, NO_CPU_ACCESS] {
            assert!(matches!(request(0, flags), Err(EINVAL)));
        }
    }

    #[test]
    fn unknown_bits_are_invalid() {
        for bit in (0..u32::BITS).map(|bit| 1 << bit) {
            if bit & ALL == 0 {
                assert!(matches!(request(bit, 0), Err(EINVAL)));
                assert!(matches!(request(bit | ALL, 0), Err(EINVAL)));
            }
            if bit & (CONTIGUOUS | CPU_ACCESS | NO_CPU_ACCESS) == 0 {
                assert!(matches!(request(ALL, bit), Err(EINVAL)));
                assert!(matches!(request(ALL, bit | CPU_ACCESS), Err(EINVAL)));
            }
        }
    }

    #[test]
    fn contradiction_is_invalid() {
        for flags in [0, CONTIGUOUS] {
            let flags = flags | CPU_ACCESS | NO_CPU_ACCESS;

            assert!(matches!(request(ALL, flags), Err(EINVAL)));
            assert!(matches!(request(SYSTEM, flags), Err(EINVAL)));
        }
        // The CPU never sees the scratchpad.
        assert!(matches!(request(SCRATCHPAD, CPU_ACCESS), Err(EINVAL)));
    }

    #[test]
    fn best_comes_first() -> Result {
        let (vram, gtt, system) = (MemType::VRAM, MemType::TT, MemType::SYSTEM);

        assert!(check(
            ALL,
            Accessor::Cpu,
            &[(vram, D), (gtt, F), (system, F)]
        )?);
        assert!(check(
            GTT | SYSTEM,
            Accessor::Cpu,
            &[(gtt, D), (system, F)]
        )?);
        assert!(check(
            VRAM | SYSTEM,
            Accessor::Cpu,
            &[(vram, D), (system, F)]
        )?);
        assert!(check(VRAM | GTT, Accessor::Gpu, &[(vram, D), (gtt, F)])?);
        Ok(())
    }

    #[test]
    fn scratchpad_comes_before_vram() -> Result {
        let (scratchpad, vram, gtt) = (SCRATCHPAD_TYPE, MemType::VRAM, MemType::TT);

        // A BO that may be in system pages evicts no BO from VRAM.
        assert!(check(
            ALL,
            Accessor::Gpu,
            &[(scratchpad, D), (vram, D), (gtt, F)]
        )?);
        assert!(check(
            SCRATCHPAD | VRAM,
            Accessor::Gpu,
            &[(scratchpad, D), (vram, F)]
        )?);
        assert!(check(
            SCRATCHPAD | GTT,
            Accessor::Gpu,
            &[(scratchpad, D), (gtt, F)]
        )?);
        assert!(check(
            SCRATCHPAD,
            Accessor::Gpu,
            &[(scratchpad, PlaceFlags::NONE)]
        )?);
        Ok(())
    }

    #[test]
    fn preferred_comes_first() -> Result {
        let managers = Managers::new(VISIBLE, true)?;
        let (scratchpad, vram, gtt, system) =
            (SCRATCHPAD_TYPE, MemType::VRAM, MemType::TT, MemType::SYSTEM);
        let none = PlaceFlags::NONE;
        let check =
            |mask, preferred, accessor, expected: &[(MemType, PlaceFlags)]| -> Result<bool> {
                let request = Request::new(mask, 0)?.with_preferred(preferred)?;
                let places = managers.places(&request, accessor, 1, 1);

                assert_eq!(request.mask(), mask);
                assert_eq!(request.preferred_mask(), preferred);
                Ok(places
                    .as_slice()
                    .iter()
                    .map(|place| (place.mem_type(), place.flags()))
                    .eq(expected.iter().copied()))
            };

        for preferred in [0, VRAM, VRAM | GTT] {
            let expected = [(vram, D), (gtt, F)];
            assert!(check(VRAM | GTT, preferred, Accessor::Gpu, &expected)?);
        }
        // One that may be in system pages evicts no BO from VRAM, wherever it is put first.
        assert!(check(
            VRAM | GTT,
            GTT,
            Accessor::Gpu,
            &[(gtt, none), (vram, D)]
        )?);
        assert!(check(
            ALL,
            GTT,
            Accessor::Gpu,
            &[(gtt, none), (scratchpad, D), (vram, D)]
        )?);
        assert!(check(
            ALL,
            VRAM,
            Accessor::Gpu,
            &[(vram, D), (scratchpad, D), (gtt, F)]
        )?);
        assert!(check(
            ALL,
            GTT | SYSTEM,
            Accessor::Cpu,
            &[(gtt, D), (system, F), (vram, D)]
        )?);
        Ok(())
    }

    #[test]
    fn preferred_is_allowed_as_well() -> Result {
        for mask in 1..=ALL {
            for preferred in 0..=ALL {
                let request = Request::new(mask, 0)?.with_preferred(preferred);

                assert_eq!(request.is_ok(), preferred & !mask == 0);
            }
        }
        assert!(Request::new(ALL, 0)?.with_preferred(1 << 31).is_err());
        assert_eq!(Request::new(ALL, 0)?.with_preferred(GTT)?.preferred(), 1);
        assert_eq!(Request::new(ALL, 0)?.preferred(), 3);
        Ok(())
    }

    #[test]
    fn cpu_does_not_see_the_scratchpad() -> Result {
        let none = PlaceFlags::NONE;

        assert!(check(SCRATCHPAD, Accessor::Cpu, &[])?);
        assert!(check(
            SCRATCHPAD | GTT,
            Accessor::Cpu,
            &[(MemType::TT, none)]
        )?);
        assert!(check(
            SCRATCHPAD | VRAM,
            Accessor::Cpu,
            &[(MemType::VRAM, none)]
        )?);
        Ok(())
    }

    #[test]
    fn gpu_does_not_see_system() -> Result {
        let none = PlaceFlags::NONE;

        assert!(check(SYSTEM, Accessor::Gpu, &[])?);
        assert!(check(
            SYSTEM | GTT | VRAM,
            Accessor::Gpu,
            &[(MemType::VRAM, D), (MemType::TT, F)]
        )?);
        // The place that is left is the only one, for which TTM has to make room.
        assert!(check(SYSTEM | GTT, Accessor::Gpu, &[(MemType::TT, none)])?);
        assert!(check(
            SYSTEM | VRAM,
            Accessor::Gpu,
            &[(MemType::VRAM, none)]
        )?);
        Ok(())
    }

    #[test]
    fn places_that_are_too_small_are_left_out() -> Result {
        let all = Managers::new(VISIBLE, true)?;
        let types = |accessor, count| all.types(ALL, 0, accessor, count);
        let (scratchpad, vram, gtt, system) =
            (SCRATCHPAD_TYPE, MemType::VRAM, MemType::TT, MemType::SYSTEM);

        assert!(types(Accessor::Gpu, SCRATCHPAD_PAGES)?[..] == [scratchpad, vram, gtt]);
        assert!(types(Accessor::Gpu, SCRATCHPAD_PAGES + 1)?[..] == [vram, gtt]);
        assert!(types(Accessor::Gpu, VRAM_PAGES + 1)?[..] == [gtt]);
        assert!(types(Accessor::Gpu, GTT_PAGES + 1)?.is_empty());

        // The CPU needs it in the window.
        assert!(types(Accessor::Cpu, VISIBLE)?[..] == [vram, gtt, system]);
        assert!(types(Accessor::Cpu, VISIBLE + 1)?[..] == [gtt, system]);
        assert!(types(Accessor::Cpu, GTT_PAGES + 1)?.is_empty());
        Ok(())
    }

    #[test]
    fn roundings_count_as_well() -> Result {
        let managers = Managers::new(VISIBLE - 1, false)?;
        let places = |flags, count, alignment| -> Result<usize> {
            let request = Request::new(VRAM, flags)?;

            Ok(managers
                .places(&request, Accessor::Gpu, count, alignment)
                .as_slice()
                .len())
        };

        assert_eq!(places(CPU_ACCESS, VISIBLE - 2, 1)?, 1);
        assert_eq!(places(CPU_ACCESS, VISIBLE - 3, 4)?, 0);
        // A contiguous allocation in the window is a power of two, or all of it.
        assert_eq!(places(CPU_ACCESS | CONTIGUOUS, VISIBLE / 2, 1)?, 1);
        assert_eq!(places(CPU_ACCESS | CONTIGUOUS, VISIBLE / 2 + 1, 1)?, 0);
        assert_eq!(places(CONTIGUOUS, VRAM_PAGES - 1, 1)?, 1);
        Ok(())
    }

    #[test]
    fn what_a_gpu_lacks_is_left_out() -> Result {
        let plain = Managers::new(VISIBLE, false)?;
        let blind = Managers::new(0, false)?;
        let (vram, gtt, system) = (MemType::VRAM, MemType::TT, MemType::SYSTEM);

        assert!(plain.types(ALL, 0, Accessor::Gpu, 1)?[..] == [vram, gtt]);
        assert!(plain.types(SCRATCHPAD, 0, Accessor::Gpu, 1)?.is_empty());
        assert!(blind.types(ALL, 0, Accessor::Gpu, 1)?[..] == [vram, gtt]);
        assert!(blind.types(ALL, CPU_ACCESS, Accessor::Gpu, 1)?[..] == [gtt]);
        assert!(blind.types(ALL, 0, Accessor::Cpu, 1)?[..] == [gtt, system]);
        Ok(())
    }

    #[test]
    fn only_place_is_neither_desired_nor_fallback() -> Result {
        let none = PlaceFlags::NONE;

        for accessor in [Accessor::Cpu, Accessor::Gpu] {
            assert!(check(VRAM, accessor, &[(MemType::VRAM, none)])?);
            assert!(check(GTT, accessor, &[(MemType::TT, none)])?);
        }
        assert!(check(SYSTEM, Accessor::Cpu, &[(MemType::SYSTEM, none)])?);
        Ok(())
    }

    #[test]
    fn cpu_gets_the_visible_part() -> Result {
        for flags in [0, CPU_ACCESS, NO_CPU_ACCESS, CONTIGUOUS] {
            let place = vram_place(flags, Accessor::Cpu)?;

            assert!(is_limited(&place, true));
            assert!(!place.flags().contains(PlaceFlags::TOPDOWN));
        }
        Ok(())
    }

    #[test]
    fn gpu_gets_what_the_flags_say() -> Result {
        let plain = vram_place(0, Accessor::Gpu)?;

        assert!(is_limited(&plain, false));
        assert!(plain.flags() == PlaceFlags::NONE);

        let visible = vram_place(CPU_ACCESS, Accessor::Gpu)?;

        assert!(is_limited(&visible, true));
        assert!(visible.flags() == PlaceFlags::NONE);

        // Far from the part that others need.
        let hidden = vram_place(NO_CPU_ACCESS, Accessor::Gpu)?;

        assert!(is_limited(&hidden, false));
        assert!(hidden.flags() == PlaceFlags::TOPDOWN);
        Ok(())
    }

    #[test]
    fn contiguous_is_for_memory_of_its_own() -> Result {
        for accessor in [Accessor::Cpu, Accessor::Gpu] {
            for place in places(ALL, CONTIGUOUS, accessor)?.as_slice() {
                assert_eq!(
                    place.flags().contains(PlaceFlags::CONTIGUOUS),
                    [MemType::VRAM, SCRATCHPAD_TYPE].contains(&place.mem_type())
                );
            }
        }
        assert!(vram_place(CONTIGUOUS, Accessor::Gpu)?.flags() == PlaceFlags::CONTIGUOUS);
        assert!(
            vram_place(CONTIGUOUS | NO_CPU_ACCESS, Accessor::Gpu)?.flags()
                == PlaceFlags::CONTIGUOUS | PlaceFlags::TOPDOWN
        );
        Ok(())
    }

    #[test]
    fn pages_are_whole() {
        let page = PAGE_SIZE as u64;

        assert_eq!(pages(0), 0);
        assert_eq!(pages(page - 1), 0);
        assert_eq!(pages(page), 1);
        assert_eq!(pages(u64::MAX), u64::MAX / page);
    }
}
