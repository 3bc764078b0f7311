#include "tests/support/allocation_hook.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<uint64_t> allocations{0};
std::atomic<uint64_t> allocated_bytes{0};
thread_local uint64_t allocations_of_this_thread = 0;

void* Counted(size_t bytes, void* block) {
  ++allocations;
  ++allocations_of_this_thread;
  allocated_bytes += bytes;
  if (block == nullptr) std::abort();
  return block;
}

}  // namespace

void* operator new(size_t bytes) { return Counted(bytes, std::malloc(bytes)); }
void* operator new(size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  const size_t unit = static_cast<size_t>(alignment);
  return Counted(bytes, std::aligned_alloc(unit, (bytes + unit - 1) / unit * unit));
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, size_t) noexcept { std::free(block); }
void operator delete(void* block, std::align_val_t) noexcept { std::free(block); }
void operator delete(void* block, size_t, std::align_val_t) noexcept { std::free(block); }

namespace tally::test {

uint64_t Allocations() { return allocations; }
uint64_t AllocationsOfThisThread() { return allocations_of_this_thread; }
uint64_t AllocatedBytes() { return allocated_bytes; }

}  // namespace tally::test
