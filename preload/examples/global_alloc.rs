// global_alloc.rs: a Rust program whose allocator is mound.
//
//     rustc -O global_alloc.rs -L native=LIBDIR -l dylib=mound
//
// Rust's own memory comes from mound by GlobalAlloc; the C libraries of the program
// get theirs from it as well, since libmound.so also has malloc.
use std::alloc::{GlobalAlloc, Layout};
use std::ffi::c_void;

extern "C" {
    fn mound_malloc(size: usize) -> *mut c_void;
    fn mound_calloc(n: usize, size: usize) -> *mut c_void;
    fn mound_realloc(p: *mut c_void, size: usize) -> *mut c_void;
    fn mound_memalign(align: usize, size: usize) -> *mut c_void;
    fn mound_free(p: *mut c_void);
    fn mound_read_memstats(ret_stats: *mut u64, size: usize);
}

pub struct Mound;

// What mound_malloc aligns an object to: 16 bytes, or 8 if it is smaller than 16.
fn is_aligned_anyway(layout: &Layout) -> bool {
    layout.align() <= 8 || layout.align() <= 16 && layout.size() >= 16
}

unsafe impl GlobalAlloc for Mound {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_aligned_anyway(&layout) {
            mound_malloc(layout.size()) as *mut u8
        } else {
            mound_memalign(layout.align(), layout.size()) as *mut u8
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_aligned_anyway(&layout) {
            return mound_calloc(1, layout.size()) as *mut u8;
        }
        let p = self.alloc(layout);
        if !p.is_null() {
            p.write_bytes(0, layout.size());
        }
        p
    }

    unsafe fn dealloc(&self, p: *mut u8, _layout: Layout) {
        mound_free(p as *mut c_void)
    }

    unsafe fn realloc(&self, p: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let new = Layout::from_size_align_unchecked(size, layout.align());
        if is_aligned_anyway(&new) {
            return mound_realloc(p as *mut c_void, size) as *mut u8;
        }
        let q = self.alloc(new);
        if !q.is_null() {
            q.copy_from_nonoverlapping(p, size.min(layout.size()));
            self.dealloc(p, layout);
        }
        q
    }
}

#[global_allocator]
static GLOBAL: Mound = Mound;

#[repr(align(4096))]
struct Page([u8; 4096]);

fn main() {
    let page = Box::new(Page([7; 4096]));
    assert_eq!(&*page as *const Page as usize % 4096, 0);
    assert_eq!(page.0[4095], 7);
    let words: Vec<String> = (0..100_000).map(|i| format!("word {}", i)).collect();
    assert_eq!(words[99_999], "word 99999");
    let workers: Vec<_> = (0..4)
        .map(|i| std::thread::spawn(move || vec![i as u8; 1 << 20].len()))
        .collect();
    let total: usize = workers.into_iter().map(|w| w.join().unwrap()).sum();
    assert_eq!(total, 4 << 20);

    let mut stats = [0u64; 2]; // alloc and total_alloc, the first two fields
    unsafe { mound_read_memstats(stats.as_mut_ptr(), std::mem::size_of_val(&stats)) };
    println!("served {}", stats[1]);
}
