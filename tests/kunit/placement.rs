// SPDX-License-Identifier: GPL-2.0

//! From what user space asks for to TTM's places.

use crate::{
    placement::{
        pages,
        Request,
        User, //
    },
    rust::{
        bindings::{
            DRM_RGT_GEM_CONTIGUOUS as CONTIGUOUS,
            DRM_RGT_GEM_CPU_ACCESS as CPU_ACCESS,
            DRM_RGT_GEM_NO_CPU_ACCESS as NO_CPU_ACCESS,
            DRM_RGT_PLACEMENT_GTT as GTT,
            DRM_RGT_PLACEMENT_SYSTEM as SYSTEM,
            DRM_RGT_PLACEMENT_VRAM as VRAM, //
        },
        drm::ttm::{
            MemType,
            Place,
            PlaceFlags, //
        }, //
    }, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

const VISIBLE: u64 = 64;
const ALL: u32 = SYSTEM | GTT | VRAM;

/// Checks memory types and flags, but for those of VRAM that a request's flags make.
fn check(mask: u32, user: User, expected: &[(MemType, PlaceFlags)]) -> Result<bool> {
    let places = Request::new(mask, 0)?.places(user, VISIBLE);

    Ok(places
        .as_slice()
        .iter()
        .map(|place| (place.mem_type(), place.flags()))
        .eq(expected.iter().copied()))
}

/// The place in VRAM of a request for nothing else.
fn vram_place(flags: u32, user: User) -> Result<Place> {
    let places = Request::new(VRAM, flags)?.places(user, VISIBLE);

    places.as_slice().first().copied().ok_or(EINVAL)
}

/// Whether a place is the visible part of VRAM, or all of it if not `limited`.
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
            assert!(matches!(Request::new(0, flags), Err(EINVAL)));
        }
    }

    #[test]
    fn unknown_bits_are_invalid() {
        for bit in (0..u32::BITS).map(|bit| 1 << bit) {
            if bit & ALL == 0 {
                assert!(matches!(Request::new(bit, 0), Err(EINVAL)));
                assert!(matches!(Request::new(bit | ALL, 0), Err(EINVAL)));
            }
            if bit & (CONTIGUOUS | CPU_ACCESS | NO_CPU_ACCESS) == 0 {
                assert!(matches!(Request::new(ALL, bit), Err(EINVAL)));
                assert!(matches!(Request::new(ALL, bit | CPU_ACCESS), Err(EINVAL)));
            }
        }
    }

    #[test]
    fn contradiction_is_invalid() {
        for flags in [0, CONTIGUOUS] {
            let flags = flags | CPU_ACCESS | NO_CPU_ACCESS;

            assert!(matches!(Request::new(ALL, flags), Err(EINVAL)));
            assert!(matches!(Request::new(SYSTEM, flags), Err(EINVAL)));
        }
    }

    #[test]
    fn best_comes_first() -> Result {
        let (vram, gtt, system) = (MemType::VRAM, MemType::TT, MemType::SYSTEM);
        let (desired, fallback) = (PlaceFlags::DESIRED, PlaceFlags::FALLBACK);

        assert!(check(
            ALL,
            User::Cpu,
            &[(vram, desired), (gtt, fallback), (system, fallback)]
        )?);
        assert!(check(
            GTT | SYSTEM,
            User::Cpu,
            &[(gtt, desired), (system, fallback)]
        )?);
        assert!(check(
            VRAM | SYSTEM,
            User::Cpu,
            &[(vram, desired), (system, fallback)]
        )?);
        assert!(check(
            VRAM | GTT,
            User::Gpu,
            &[(vram, desired), (gtt, fallback)]
        )?);
        Ok(())
    }

    #[test]
    fn gpu_does_not_see_system() -> Result {
        let none = PlaceFlags::NONE;

        assert!(check(SYSTEM, User::Gpu, &[])?);
        assert!(check(
            ALL,
            User::Gpu,
            &[
                (MemType::VRAM, PlaceFlags::DESIRED),
                (MemType::TT, PlaceFlags::FALLBACK)
            ]
        )?);
        // What is left is the only place, for which TTM has to make room.
        assert!(check(SYSTEM | GTT, User::Gpu, &[(MemType::TT, none)])?);
        assert!(check(SYSTEM | VRAM, User::Gpu, &[(MemType::VRAM, none)])?);
        Ok(())
    }

    #[test]
    fn only_place_is_neither_desired_nor_fallback() -> Result {
        let none = PlaceFlags::NONE;

        for user in [User::Cpu, User::Gpu] {
            assert!(check(VRAM, user, &[(MemType::VRAM, none)])?);
            assert!(check(GTT, user, &[(MemType::TT, none)])?);
        }
        assert!(check(SYSTEM, User::Cpu, &[(MemType::SYSTEM, none)])?);
        Ok(())
    }

    #[test]
    fn cpu_gets_the_visible_part() -> Result {
        for flags in [0, CPU_ACCESS, NO_CPU_ACCESS, CONTIGUOUS] {
            let place = vram_place(flags, User::Cpu)?;

            assert!(is_limited(&place, true));
            assert!(!place.flags().contains(PlaceFlags::TOPDOWN));
        }
        Ok(())
    }

    #[test]
    fn gpu_gets_what_the_flags_say() -> Result {
        let plain = vram_place(0, User::Gpu)?;

        assert!(is_limited(&plain, false));
        assert!(plain.flags() == PlaceFlags::NONE);

        let visible = vram_place(CPU_ACCESS, User::Gpu)?;

        assert!(is_limited(&visible, true));
        assert!(visible.flags() == PlaceFlags::NONE);

        // Far from the part that others need.
        let hidden = vram_place(NO_CPU_ACCESS, User::Gpu)?;

        assert!(is_limited(&hidden, false));
        assert!(hidden.flags() == PlaceFlags::TOPDOWN);
        Ok(())
    }

    #[test]
    fn contiguous_is_for_vram() -> Result {
        for user in [User::Cpu, User::Gpu] {
            let places = Request::new(ALL, CONTIGUOUS)?.places(user, VISIBLE);

            for place in places.as_slice() {
                assert_eq!(
                    place.flags().contains(PlaceFlags::CONTIGUOUS),
                    place.mem_type() == MemType::VRAM
                );
            }
        }
        assert!(vram_place(CONTIGUOUS, User::Gpu)?.flags() == PlaceFlags::CONTIGUOUS);
        assert!(
            vram_place(CONTIGUOUS | NO_CPU_ACCESS, User::Gpu)?.flags()
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
