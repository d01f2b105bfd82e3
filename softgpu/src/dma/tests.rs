// SPDX-License-Identifier: GPL-2.0

//! Ranges and files.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

use rustix::fs::MemfdFlags;
use vm_memory::Bytes;

use super::*;
use crate::vram::Vram;

const PAGE: u64 = PAGE_SIZE;

fn memfd(pages: u64, flags: MemfdFlags) -> OwnedFd {
    let file = rustix::fs::memfd_create(c"ram", flags | MemfdFlags::CLOEXEC).unwrap();
    rustix::fs::ftruncate(&file, pages * PAGE).unwrap();
    file
}

fn file(pages: u64) -> OwnedFd {
    memfd(pages, MemfdFlags::empty())
}

fn range(address: u64, size: u64, offset: u64, write: bool) -> DmaMap {
    DmaMap {
        address,
        size,
        offset,
        read: true,
        write,
    }
}

fn map(dma: &mut Dma, address: u64, size: u64, offset: u64, file: &OwnedFd) -> Result<(), Errno> {
    let map = range(address, size, offset, true);
    dma.map(&map, file).map_err(|refusal| refusal.errno)
}

fn length(dma: &Dma, address: u64, length: u64, write: bool) -> usize {
    dma.reach(address, length, write)
        .map_or(0, |(_, memory)| memory.len())
}

fn master() -> Dma {
    let mut dma = Dma::default();
    dma.set_bus_master(true);
    dma
}

/// The first word of each page from an address; none where it cannot be reached.
fn words(dma: &Dma, address: u64, pages: u64) -> Vec<Option<u64>> {
    let word = |page| {
        let (_, memory) = dma.reach(address + page * PAGE, 8, false)?;
        memory.read_obj(0).ok()
    };
    (0..pages).map(word).collect()
}

/// A file whose pages begin with their number.
fn numbered(pages: u64) -> OwnedFd {
    let file = file(pages);
    for page in 0..pages {
        rustix::io::pwrite(&file, &page.to_ne_bytes(), page * PAGE).unwrap();
    }
    file
}

#[test]
fn ranges() {
    let mut dma = master();
    map(&mut dma, 4 * PAGE, 2 * PAGE, 0, &file(2)).unwrap();
    dma.map(&range(0, PAGE, PAGE, false), &file(2)).unwrap();
    assert_eq!(length(&dma, 0, 2 * PAGE, false), 4096);
    assert_eq!(length(&dma, 0, 4, true), 0);
    assert_eq!(length(&dma, PAGE, 4, false), 0);
    assert_eq!(length(&dma, 5 * PAGE, 2 * PAGE, true), 4096);
    assert_eq!(length(&dma, 6 * PAGE, 1, true), 0);
    dma.unmap_all();
    assert_eq!(length(&dma, 0, 1, false), 0);
}

#[test]
fn unmapping_takes_what_it_says() {
    let file = numbered(16);
    for (start, end) in [(2, 5), (0, 3), (7, 20), (4, 4), (0, 16), (15, 16)] {
        let mut dma = master();
        map(&mut dma, 0, 8 * PAGE, 0, &file).unwrap();
        map(&mut dma, 8 * PAGE, 8 * PAGE, 8 * PAGE, &file).unwrap();
        dma.unmap(start * PAGE, (end - start) * PAGE).unwrap();
        let wanted: Vec<_> = (0..16)
            .map(|page| (!(start..end).contains(&page)).then_some(page))
            .collect();
        assert_eq!(words(&dma, 0, 16), wanted, "{start} to {end}");
    }
}

#[test]
fn a_range_is_free_once() {
    let mut dma = master();
    let files = [numbered(8), file(8)];
    map(&mut dma, 4 * PAGE, 4 * PAGE, 0, &files[0]).unwrap();
    for (start, pages) in [(4, 4), (3, 2), (7, 1), (0, 8), (5, 1)] {
        let result = map(&mut dma, start * PAGE, pages * PAGE, 0, &files[1]);
        assert_eq!(result, Err(Errno::EXIST), "{pages} from {start}");
    }
    assert_eq!(words(&dma, 4 * PAGE, 4), [0, 1, 2, 3].map(Some));
    map(&mut dma, 0, 4 * PAGE, 0, &files[1]).unwrap();
    map(&mut dma, 8 * PAGE, PAGE, 0, &files[1]).unwrap();
}

#[test]
fn many_ranges_of_a_file_take_one_mapping_and_no_descriptor() {
    let file = numbered(4096);
    let inode = rustix::fs::fstat(&file).unwrap().st_ino;
    let mappings = || {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let of_file = |line: &&str| line.split_whitespace().nth(4) == Some(&inode.to_string());
        maps.lines().filter(of_file).count()
    };
    let descriptors = || {
        let all = fs::read_dir("/proc/self/fd").unwrap();
        let inodes = all.filter_map(|it| fs::metadata(it.ok()?.path()).ok());
        inodes.filter(|it| it.ino() == inode).count()
    };
    let mut dma = master();
    for page in 0..4096 {
        // Every other page, so that no two ranges could be one.
        let copy = file.try_clone().unwrap();
        map(&mut dma, 2 * page * PAGE, PAGE, page * PAGE, &copy).unwrap();
    }
    assert_eq!(
        (mappings(), descriptors()),
        (1, 1),
        "the descriptor is the test's"
    );
    let seen: Vec<_> = words(&dma, 0, 8192).into_iter().step_by(2).collect();
    assert_eq!(seen, (0..4096).map(Some).collect::<Vec<_>>());
    dma.unmap_all();
    assert_eq!(mappings(), 0);
}

#[test]
fn a_file_that_grew_is_mapped_again() {
    let mut dma = master();
    let file = numbered(2);
    map(&mut dma, 0, PAGE, PAGE, &file).unwrap();
    rustix::fs::ftruncate(&file, 4 * PAGE).unwrap();
    rustix::io::pwrite(&file, &7u64.to_ne_bytes(), 3 * PAGE).unwrap();
    map(&mut dma, PAGE, PAGE, 3 * PAGE, &file).unwrap();
    assert_eq!(words(&dma, 0, 2), [Some(1), Some(7)]);
}

#[test]
fn a_file_that_no_range_has_is_given_up_for_another() {
    let mut dma = master();
    let files = [file(1), file(1), file(1)];
    map(&mut dma, 0, PAGE, 0, &files[0]).unwrap();
    map(&mut dma, PAGE, PAGE, 0, &files[1]).unwrap();
    dma.unmap(0, PAGE).unwrap();
    assert_eq!(dma.files.len(), 2, "for the next page of it");
    map(&mut dma, 0, PAGE, 0, &files[2]).unwrap();
    assert_eq!(dma.files.len(), 2);
    dma.unmap_all();
    assert!(dma.files.is_empty());
}

#[test]
fn files_that_can_only_be_read() {
    let mut dma = master();
    let file = numbered(1);
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let read_only = OwnedFd::from(File::open(path).unwrap());
    assert_eq!(map(&mut dma, 0, PAGE, 0, &read_only), Err(Errno::ACCESS));
    dma.map(&range(0, PAGE, 0, false), &read_only).unwrap();
    assert_eq!(length(&dma, 0, 1, true), 0);
    // The same file, by a descriptor that can write.
    map(&mut dma, PAGE, PAGE, 0, &file).unwrap();
    assert_eq!(length(&dma, PAGE, 1, true), 1);
    assert_eq!(words(&dma, 0, 1), [Some(0)]);
}

#[test]
fn memory_that_is_cut_off_is_out_of_reach() {
    let mut dma = master();
    let file = numbered(4);
    map(&mut dma, 0, 4 * PAGE, 0, &file).unwrap();
    rustix::fs::ftruncate(&file, PAGE).unwrap();
    // No access has found out yet. The first that does is not the end of the process.
    let (_, memory) = dma.reach(2 * PAGE, 8, true).unwrap();
    memory.write_obj(7u64, 0).unwrap();
    assert!(dma.reach(2 * PAGE, 8, false).is_none());
    assert!(dma.reach(0, 8, false).is_none());

    // It is mapped anew for the next range.
    dma.unmap(0, 4 * PAGE).unwrap();
    assert_eq!(map(&mut dma, 0, 4 * PAGE, 0, &file), Err(Errno::INVAL));
    rustix::fs::ftruncate(&file, 4 * PAGE).unwrap();
    map(&mut dma, 0, 4 * PAGE, 0, &file).unwrap();
    assert_eq!(words(&dma, 0, 4), [Some(0); 4]);
}

#[test]
fn huge_pages() {
    let flags = MemfdFlags::HUGETLB | MemfdFlags::HUGE_2MB | MemfdFlags::CLOEXEC;
    let size = 4 << 20;
    let Ok(file) = rustix::fs::memfd_create(c"huge", flags) else {
        eprintln!("this kernel has no huge pages of 2 MiB: not tested");
        return;
    };
    rustix::fs::ftruncate(&file, size).unwrap();
    let mut dma = master();
    // As QEMU's section behind the hole of the BIOS.
    let start = 0xc_0000;
    map(&mut dma, start, size - start, start, &file).unwrap();
    // There may be no page for it, which must not be the end of the process either.
    let (_, memory) = dma.reach(start, 8, true).unwrap();
    memory.write_obj(7u64, 0).unwrap();
    let seen = words(&dma, start, 1);
    assert!(seen == [Some(7)] || seen == [None], "{seen:?}");
}

#[test]
fn bus_master_and_width() {
    let mut dma = Dma::default();
    map(&mut dma, 0, PAGE, 0, &file(1)).unwrap();
    assert_eq!(length(&dma, 0, 1, false), 0);
    dma.set_bus_master(true);
    assert_eq!(length(&dma, 0, 1, false), 1);

    let top = 1 << DMA_BITS;
    map(&mut dma, top - PAGE, 2 * PAGE, 0, &file(2)).unwrap();
    assert_eq!(length(&dma, top - PAGE, 2 * PAGE, true), 4096);
    assert_eq!(length(&dma, top, 1, true), 0);
}

#[test]
fn peers_are_another_way() {
    let window = Arc::new(Window::new(Arc::new(Vram::new(4 << 20).unwrap()), 1 << 20));
    let mut dma = master();
    dma.set_peers(vec![Arc::clone(&window)]);
    let path = |dma: &Dma, address| dma.reach(address, 4, true).map(|(path, _)| path);
    assert_eq!(path(&dma, 1 << 30), None);
    window.set(Some(1 << 30));
    assert_eq!(path(&dma, 1 << 30), Some(Path::Peer));
    // Guest memory comes first.
    map(&mut dma, 1 << 30, PAGE, 0, &file(1)).unwrap();
    assert_eq!(path(&dma, 1 << 30), Some(Path::System));
    assert_eq!(path(&dma, (1 << 30) + PAGE), Some(Path::Peer));
    dma.set_bus_master(false);
    assert_eq!(path(&dma, 1 << 30), None);
}

#[test]
fn refuses_bad_ranges() {
    let mut dma = Dma::default();
    for (start, size, offset) in [
        (1, PAGE, 0),
        (0, 0, 0),
        (0, 3 * PAGE, 0),
        (0, PAGE, 2 * PAGE),
        (0, PAGE, u64::MAX - PAGE + 1),
        (u64::MAX - PAGE + 1, PAGE, 0),
    ] {
        let result = map(&mut dma, start, size, offset, &file(2));
        assert_eq!(
            result,
            Err(Errno::INVAL),
            "{start:#x} {size:#x} {offset:#x}"
        );
    }
    let (pipe, _other) = rustix::pipe::pipe().unwrap();
    assert!(map(&mut dma, 0, PAGE, 0, &pipe).is_err());
}
