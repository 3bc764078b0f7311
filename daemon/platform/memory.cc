#include "daemon/platform/memory.h"

#include <elf.h>
#include <link.h>
#include <malloc.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

namespace tally::platform {
namespace {

// One pool for RPC threads and one more for who finds it locked. glibc's own limit is 8 a core, and
// each keeps what its threads have freed.
constexpr int kArenas = 2;
// Blocks from this size on come from the system and go back to it, other free memory at the end of a
// pool beyond the second. Streams of 200 KB a message spend a sixth of the server's time on new pages
// if their rows come from the system; if they do not, eight of them peak 2 MB higher. Naming the size
// also keeps glibc from raising it up to 32 MiB once a larger block is freed.
constexpr int kMappedBytes = 1 << 20;
constexpr int kTrimBytes = 1 << 20;

// Code that the dynamic linker had to patch would be lost.
bool HasPatchedCode(const dl_phdr_info& object) {
  for (size_t i = 0; i < object.dlpi_phnum; ++i) {
    if (object.dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
    const auto* entry =
        reinterpret_cast<const ElfW(Dyn)*>(object.dlpi_addr + object.dlpi_phdr[i].p_vaddr);
    for (; entry->d_tag != DT_NULL; ++entry) {
      if (entry->d_tag == DT_TEXTREL) return true;
      if (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL) != 0) return true;
    }
  }
  return false;
}

// Lets go of the pages that the program and its libraries map of their files and cannot write: code
// and constants. What is still used comes back at its first use, mostly without the disk.
int UnmapCode(dl_phdr_info* object, size_t /*size*/, void* page_bytes) {
  const auto page = *static_cast<const uintptr_t*>(page_bytes);
  const uintptr_t kernels_own = getauxval(AT_SYSINFO_EHDR);
  if (HasPatchedCode(*object)) return 0;
  for (size_t i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = object->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const uintptr_t begin = (object->dlpi_addr + segment.p_vaddr) & ~(page - 1);
    const uintptr_t end =
        (object->dlpi_addr + segment.p_vaddr + segment.p_memsz + page - 1) & ~(page - 1);
    if (begin <= kernels_own && kernels_own < end) continue;
    madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
  return 0;
}

}  // namespace

// An allocator that refuses a setting works without it.
void LimitFreeMemory() {
#ifdef __GLIBC__
  mallopt(M_ARENA_MAX, kArenas);
  mallopt(M_MMAP_THRESHOLD, kMappedBytes);
  mallopt(M_TRIM_THRESHOLD, kTrimBytes);
#endif
}

void ReturnUnusedMemory() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  dl_iterate_phdr(UnmapCode, &page);
}

}  // namespace tally::platform
